//! The words that the shop's lines are made of.

pub(crate) const FIRST_NAMES: &[&str] = &[
    "Zoë",
    "Łukasz",
    "Ana \"Nita\"",
    "Jürgen",
    "Søren",
    "Chloé",
    "Ingrid",
    "Mária",
    "Δημήτρης",
    "Наталья",
    "さくら",
    "José",
    "Aoife",
    "Omar",
    "Priya",
    "Tom",
];

pub(crate) const LAST_NAMES: &[&str] = &[
    "Müller",
    "Nowak",
    "O'Brien",
    "García Márquez",
    "Jensen",
    "Dvořák",
    "van den Berg",
    "Kowalska",
    "Παπαδόπουλος",
    "Иванова",
    "田中",
    "Smith-Jones",
    "Öztürk",
    "Ng",
    "D'Angelo",
    "Brown",
];

pub(crate) const CURRENCIES: &[&str] = &["EUR", "EUR", "EUR", "CHF", "GBP", "PLN"];

pub(crate) const NOTES: &[&str] = &[
    "ring twice, the dog \"Rex\" barks",
    "leave it with the neighbour (2nd floor, left)",
    "gate code 4711#, then straight on",
    "ring at Çelik, not at the café",
    "after 17:00 please = nobody home before",
    "C:\\garage\\left, key under the 🪴",
];

pub(crate) const ADDRESSES: &[&str] = &[
    "Lindenstraße 4, 90402 Nürnberg",
    "ul. Długa 7 m. 3, 31-146 Kraków",
    "Calle Mayor 12, 3º B, 28013 Madrid",
    "Unit 5, \"The Old Mill\", Leeds LS1 4DY",
    "Vesterbrogade 21, st. th., 1620 København V",
];

pub(crate) const DECLINE_REASONS: &[&str] = &[
    "insufficient funds",
    "card expired",
    "issuer says \"do not honour\"",
    "limit exceeded: 500 €/day",
    "3-D Secure timed out after 300 s",
];

pub(crate) const REVIEWERS: &[&str] = &["Jürgen K.", "Amélie \"Ace\" R.", "Priya S."];

pub(crate) const METHODS: &[&str] = &["card", "card", "card", "paypal", "sepa", "bank transfer"];

pub(crate) const ITEM_MATERIALS: &[&str] =
    &["oak", "steel", "linen", "crème", "\"retro\" tin", "glass", "wool", "cork"];

pub(crate) const ITEM_THINGS: &[&str] = &[
    "teapot",
    "lamp 40 cm",
    "desk",
    "café cup",
    "shelf 80 x 30",
    "blanket",
    "clock",
    "vase no. 5",
    "box, large",
    "chair",
    "tray",
    "mirror 1/2",
];

pub(crate) const SUPPLIERS: &[&str] =
    &["Müller & Söhne", "Fabryka Łódź", "\"Direct\" Imports Ltd", "Nordlys ApS", "Acme"];

pub(crate) const WAREHOUSES: &[&str] = &["nbg-1", "nbg-2", "krk-1"];

pub(crate) const STATIONS: &[&str] = &["Tisch 4", "Tisch 5", "belt \"north\"", "hand-packed"];

pub(crate) const DEPOTS: &[&str] = &["Depot Nürnberg-Süd", "Depot Kraków", "Depot Leeds (East)"];

pub(crate) const HUBS: &[&str] = &[
    "Leipzig Hub 2",
    "København Ø",
    "Łódź sorting",
    "Hub \"Mitte\"",
    "Lyon-Est",
    "Leeds",
    "Wien 11",
];

pub(crate) const STUCK_REASONS: &[&str] = &[
    "customs papers missing (\"CN23\")",
    "address label unreadable",
    "snow on the Brenner pass",
    "hub strike, no handling until further notice",
];

pub(crate) const RETURN_REASONS: &[&str] =
    &["address unknown", "refused by recipient", "not collected within 14 days"];

pub(crate) const REFUND_REASONS: &[&str] = &["parcel lost", "returned", "goodwill \"late\""];

pub(crate) const RECIPIENTS: &[&str] =
    &["recipient", "neighbour Łukasz", "reception \"Haus B\"", "parcel locker 17"];

pub(crate) const BOUNCES: &[&str] = &[
    "550 5.1.1 user unknown",
    "452 mailbox \"inbox\" full",
    "Empfänger ungültig: Umlaut in Ä",
    "greylisted 🕒",
];

pub(crate) const ZONES: &[&str] =
    &["Nürnberg Süd", "Altstadt", "Podgórze", "Leeds East", "Île-de-France \"9-3\""];

pub(crate) const OFFLINE_REASONS: &[&str] = &["shift over", "battery empty", "no signal (tunnel)"];

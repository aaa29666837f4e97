//! What the rules of benches look for: the same pairs of words for the engine alone and in Fluent Bit.

const THINGS: [&str; 40] = [
    "payment", "invoice", "refund", "shipment", "parcel", "basket", "coupon", "voucher", "stock",
    "picking", "packing", "label", "customs", "return", "exchange", "deposit", "ledger", "claim",
    "address", "contact", "review", "ticket", "booking", "quote", "offer", "contract", "renewal",
    "account", "wallet", "credit", "charge", "dispute", "payout", "transfer", "pallet", "carton",
    "route", "courier", "handover", "locker",
];
const DONE: [&str; 25] = [
    "accepted",
    "rejected",
    "started",
    "finished",
    "cancelled",
    "delayed",
    "retried",
    "confirmed",
    "reserved",
    "released",
    "opened",
    "closed",
    "archived",
    "restored",
    "approved",
    "declined",
    "scheduled",
    "dispatched",
    "received",
    "verified",
    "flagged",
    "cleared",
    "locked",
    "unlocked",
    "expired",
];

/// What the `number`-th of up to 1,000 rules looks for.
#[must_use]
pub fn phrase(number: usize) -> String {
    let done = DONE[number / THINGS.len() % DONE.len()];
    format!("{} {done}", THINGS[number % THINGS.len()])
}

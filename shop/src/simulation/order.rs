//! An order and what chance has in store for it.

use crate::dice::Dice;
use crate::entity::{EntityType, ShopEntity};
use crate::simulation::steps::Next;
use crate::simulation::stock::Item;
use crate::words;

/// The number of the first order.
pub(crate) const FIRST_ORDER: u32 = 1001;
/// The order to which everything happens, in every run that lasts long enough.
pub(crate) const UNLUCKY_ORDER: u32 = 1042;
/// What the number of a payment is ahead of that of its order.
const PAYMENT_NUMBERS: u32 = 50_000;

pub(crate) struct Order {
    pub(crate) number: u32,
    /// 0 until the shipment is created.
    pub(crate) shipment_number: u32,
    pub(crate) placed_at: i64,
    pub(crate) customer: String,
    /// Places in the stock, with how many pieces of each.
    pub(crate) lines: Vec<(usize, i64)>,
    pub(crate) total_cents: i64,
    pub(crate) currency: &'static str,
    pub(crate) gift: bool,
    pub(crate) method: &'static str,
    pub(crate) warehouse: &'static str,
    pub(crate) weight_hundredths: i64,
    pub(crate) parcels: i64,
    pub(crate) attempts: i64,
    pub(crate) hop: i64,
    pub(crate) hops: i64,
    pub(crate) mails: i64,
    pub(crate) plan: Plan,
    /// What comes after the mail that is about to be sent.
    pub(crate) after_mail: Option<Next>,
    /// What went wrong so far.
    pub(crate) troubles: Vec<&'static str>,
}

/// What will happen to an order.
pub(crate) struct Plan {
    /// How often the payment is declined.
    pub(crate) declines: i64,
    /// Whether the customer gives up after the last of them.
    pub(crate) gives_up: bool,
    pub(crate) review: bool,
    pub(crate) note: bool,
    pub(crate) note_removed: bool,
    pub(crate) address_change: bool,
    pub(crate) mail_bounces: bool,
    pub(crate) long_answer: bool,
    pub(crate) ending: Ending,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Delivered,
    DeliveredLate,
    Lost,
    Returned,
}

impl Order {
    pub(crate) fn place(number: u32, now: i64, items: &[Item], dice: &mut Dice) -> Order {
        let lines: Vec<(usize, i64)> = (0..dice.between(1, 3))
            .map(|_| (popular(items.len(), dice), dice.between(1, 3)))
            .collect();
        let pieces: i64 = lines.iter().map(|(_, pieces)| pieces).sum();
        let prices = lines.iter().map(|(item, pieces)| items[*item].price_cents * pieces);
        Order {
            number,
            shipment_number: 0,
            placed_at: now,
            customer: format!("{} {}", dice.pick(words::FIRST_NAMES), dice.pick(words::LAST_NAMES)),
            total_cents: prices.sum::<i64>() + 490,
            lines,
            currency: dice.pick(words::CURRENCIES),
            gift: dice.percent(10),
            method: dice.pick(words::METHODS),
            warehouse: dice.pick(words::WAREHOUSES),
            weight_hundredths: pieces * dice.between(20, 400),
            parcels: 1 + pieces / 5,
            attempts: 0,
            hop: 0,
            hops: dice.between(2, 4),
            mails: 0,
            plan: if number == UNLUCKY_ORDER { Plan::unlucky() } else { Plan::random(dice) },
            after_mail: None,
            troubles: Vec::new(),
        }
    }

    pub(crate) fn entity(&self) -> ShopEntity {
        EntityType::Order.number(self.number)
    }

    pub(crate) fn payment(&self) -> ShopEntity {
        EntityType::Payment.number(self.number + PAYMENT_NUMBERS)
    }

    pub(crate) fn shipment(&self) -> ShopEntity {
        EntityType::Shipment.number(self.shipment_number)
    }

    pub(crate) fn pieces(&self) -> i64 {
        self.lines.iter().map(|(_, pieces)| pieces).sum()
    }
}

/// The place of an item: the lower, the more popular.
fn popular(items: usize, dice: &mut Dice) -> usize {
    let items = items as u32;
    (dice.below(items) * dice.below(items) / items) as usize
}

impl Plan {
    fn random(dice: &mut Dice) -> Plan {
        let declines = match dice.below(100) {
            0..83 => 0,
            83..93 => 1,
            93..97 => 2,
            _ => 3,
        };
        Plan {
            declines,
            gives_up: declines == 3,
            review: dice.percent(4),
            note: dice.percent(25),
            note_removed: dice.percent(5),
            address_change: dice.percent(4),
            mail_bounces: dice.percent(3),
            long_answer: dice.below(2_000) == 0,
            ending: match dice.below(100) {
                0..91 => Ending::Delivered,
                91..96 => Ending::DeliveredLate,
                96..98 => Ending::Lost,
                _ => Ending::Returned,
            },
        }
    }

    /// Declined twice, paid by other means, stuck on its way, never found and refunded.
    fn unlucky() -> Plan {
        Plan {
            declines: 2,
            gives_up: false,
            review: false,
            note: true,
            note_removed: false,
            address_change: true,
            mail_bounces: true,
            long_answer: false,
            ending: Ending::Lost,
        }
    }
}

//! The stock: a few hundred items that are sold, run short and are replenished all the time.

use crate::dice::Dice;
use crate::entity::{EntityType, ShopEntity};
use crate::journal::Journal;
use crate::services::inventory;
use crate::simulation::order::Order;
use crate::text::Hundredths;
use crate::words;

/// How many items the shop sells.
pub(crate) const ITEMS: u32 = 240;
/// The number of pieces below which more are ordered.
const LOW: i64 = 6;

pub(crate) struct Item {
    pub(crate) entity: ShopEntity,
    pub(crate) name: String,
    pub(crate) price_cents: i64,
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    /// Pieces that orders wait for.
    wanted: i64,
    /// When more come, if more are on their way.
    pub(crate) replenished_at: Option<i64>,
}

/// How reserving went.
pub(crate) enum Reservation {
    Done {
        /// Whether the item ran low by it.
        low: bool,
    },
    /// There are too few pieces.
    Short,
}

impl Item {
    pub(crate) fn random(number: u32, dice: &mut Dice) -> Item {
        Item {
            entity: EntityType::Item.number(number),
            name: random_name(dice),
            price_cents: dice.between(199, 24_999),
            available: dice.between(8, 60),
            reserved: 0,
            wanted: 0,
            replenished_at: None,
        }
    }

    pub(crate) fn reserve(
        &mut self,
        journal: &mut Journal<'_>,
        order: &Order,
        pieces: i64,
    ) -> Reservation {
        if self.available < pieces {
            self.wanted += pieces;
            inventory::stock_short(journal, self, order, pieces);
            return Reservation::Short;
        }
        self.available -= pieces;
        self.reserved += pieces;
        inventory::stock_reserved(journal, self, order, pieces);
        let low = self.available < LOW && self.replenished_at.is_none();
        if low {
            inventory::stock_low(journal, self, LOW);
        }
        Reservation::Done { low }
    }

    pub(crate) fn release(&mut self, journal: &mut Journal<'_>, order: &Order, pieces: i64) {
        self.available += pieces;
        self.reserved -= pieces;
        inventory::stock_released(journal, self, order, pieces);
    }

    pub(crate) fn pick(&mut self, journal: &mut Journal<'_>, order: &Order, pieces: i64) {
        self.reserved -= pieces;
        inventory::stock_picked(journal, self, order, pieces);
    }

    pub(crate) fn replenish(&mut self, journal: &mut Journal<'_>, dice: &mut Dice) {
        // What orders wait for comes on top, or a busy shop would never catch up.
        let pieces = self.wanted + dice.between(20, 80);
        self.wanted = 0;
        self.replenished_at = None;
        self.available += pieces;
        inventory::stock_replenished(journal, self, pieces, dice.pick(words::SUPPLIERS));
    }

    /// What the people in the office do with an item. Returns whether they took it off the
    /// list.
    pub(crate) fn edit(&mut self, journal: &mut Journal<'_>, dice: &mut Dice) -> bool {
        match dice.below(10) {
            0 => {
                self.name = random_name(dice);
                inventory::item_renamed(journal, self);
            }
            1 => {
                inventory::item_discontinued(journal, self);
                return true;
            }
            _ => {
                let old = Hundredths(self.price_cents);
                self.price_cents = dice.between(199, 24_999);
                inventory::price_changed(journal, self, old);
            }
        }
        false
    }
}

fn random_name(dice: &mut Dice) -> String {
    format!("{} {}", dice.pick(words::ITEM_MATERIALS), dice.pick(words::ITEM_THINGS))
}

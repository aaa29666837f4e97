//! The couriers, who report where they are all day.

use crate::dice::Dice;
use crate::entity::{EntityType, ShopEntity};
use crate::journal::Journal;
use crate::services::tracking;
use crate::words;

/// How many couriers there are.
pub(crate) const COURIERS: u32 = 30;

pub(crate) struct Courier {
    pub(crate) entity: ShopEntity,
    pub(crate) zone: &'static str,
    pub(crate) load: i64,
    pub(crate) speed_tenths: i64,
}

impl Courier {
    pub(crate) fn new(number: u32) -> Courier {
        let entity = EntityType::Courier.number(number);
        Courier { entity, zone: "", load: 0, speed_tenths: 0 }
    }

    /// Reports a position, or goes off the air for a while.
    pub(crate) fn report(&mut self, journal: &mut Journal<'_>, dice: &mut Dice) {
        if dice.percent(3) {
            tracking::offline(journal, self, dice.pick(words::OFFLINE_REASONS));
            return;
        }
        self.zone = dice.pick(words::ZONES);
        self.load = dice.between(0, 60);
        self.speed_tenths = dice.between(0, 900);
        tracking::position(journal, self);
    }
}

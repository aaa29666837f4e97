//! What a run amounted to.

use std::collections::BTreeSet;

use statetrail_event::EntityName;

use crate::kind::LineKind;
use crate::simulation::order::{Order, UNLUCKY_ORDER};

/// What a run amounted to.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Lines in all, repeated ones included.
    pub lines: u64,
    /// Lines of each kind, repeated ones included, in the order of [`LineKind::ALL`].
    pub lines_of_kind: Vec<u64>,
    /// Orders that were placed.
    pub orders: u64,
    /// The order that had the most trouble, if any had.
    pub trouble: Option<Trouble>,
}

/// An order that had trouble.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// The order.
    pub order: EntityName,
    /// Its payment.
    pub payment: EntityName,
    /// Its shipment, if it came that far.
    pub shipment: Option<EntityName>,
    /// What went wrong, in order.
    pub story: Vec<&'static str>,
    /// How much worth telling it is.
    pub(crate) rank: usize,
}

impl Summary {
    /// Lines of the kind, repeated ones included.
    pub fn lines_of(&self, kind: LineKind) -> u64 {
        self.lines_of_kind.get(kind as usize).copied().unwrap_or_default()
    }

    /// Lines that change an entity, repeated ones included.
    pub fn changing_lines(&self) -> u64 {
        let changing = LineKind::ALL.iter().filter(|kind| kind.changes().is_some());
        changing.map(|kind| self.lines_of(*kind)).sum()
    }
}

impl Trouble {
    pub(crate) fn of(order: &Order) -> Trouble {
        Trouble {
            order: order.entity().name(),
            payment: order.payment().name(),
            shipment: (order.shipment_number > 0).then(|| order.shipment().name()),
            story: order.troubles.clone(),
            rank: rank(order),
        }
    }
}

/// Different troubles count, not how often one came back; the order that is known to have the
/// most of them goes before all others, so that stories told about it hold for every run.
fn rank(order: &Order) -> usize {
    let different: BTreeSet<&str> = order.troubles.iter().copied().collect();
    different.len() + if order.number == UNLUCKY_ORDER { 10 } else { 0 }
}

//! Holds answers against the shop's truth.

use statetrail_event::{EntityName, State, Time, Value};
use statetrail_query::Moment;
use statetrail_shop::{Fields, Truth};

use crate::commands::questioner::{Questioner, wait};
use crate::failure::{Exit, Failure};

/// Moments that are compared.
const MOMENTS: usize = 10_000;
/// Differences that are told.
const TOLD_MAX: usize = 5;

/// What the comparison found.
pub(super) struct Checked {
    pub(super) moments: u64,
    pub(super) differing: u64,
    /// The first differences.
    told: Vec<String>,
}

/// Compares the states of random entities at random moments.
pub(super) fn check(ask: &Questioner, truth: &Truth, seed: u64) -> Result<Checked, Failure> {
    let mut checked = Checked { moments: 0, differing: 0, told: Vec::new() };
    for (entity, time) in truth.moments(seed, MOMENTS) {
        let answer = wait(statetrail_query::state(ask.store(), &entity, Moment::at(time)))?;
        let answer = answer.unwrap_or_default();
        checked.compare(&entity, time, &answer, &truth.state_at(&entity, time));
    }
    Ok(checked)
}

impl Checked {
    fn compare(&mut self, entity: &EntityName, time: Time, answer: &State, truth: &Fields) {
        self.moments += 1;
        let answered = answer.fields().map(|(field, value, _)| (field, value));
        if answered.eq(truth.iter().map(|(field, value)| (&**field, value))) {
            return;
        }
        self.differing += 1;
        if self.told.len() < TOLD_MAX {
            let answered = show(answer.fields().map(|(field, value, _)| (field, value)));
            let true_fields = show(truth.iter().map(|(field, value)| (&**field, value)));
            self.told.push(format!(
                "{entity} at {time}\n  answered: {answered}\n  the shop: {true_fields}"
            ));
        }
    }

    /// A failure if anything differs.
    pub(super) fn into_result(self) -> Result<Exit, Failure> {
        if self.moments == 0 {
            return Err(Failure::new(Exit::Failed, "the shop did nothing that could be compared"));
        }
        if self.differing == 0 {
            return Ok(Exit::Done);
        }
        let told = self.told.join("\n");
        let message =
            format!("{} of {} states differ from the shop's\n{told}", self.differing, self.moments);
        Err(Failure::new(Exit::Failed, message))
    }
}

fn show<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let fields: Vec<String> = fields.map(|(field, value)| format!("{field}={value}")).collect();
    if fields.is_empty() { "nothing".to_owned() } else { fields.join(" ") }
}

#[cfg(test)]
mod tests {
    use statetrail_event::{Change, EventId, OrderKey};

    use super::*;

    #[test]
    fn a_difference_fails_and_is_told() {
        let entity: EntityName = "shop/order/o-1".parse().unwrap();
        let key = OrderKey { time: Time::from_nanos(1), seq: 0, id: EventId([0; 16]) };
        let mut state = State::new();
        state.apply(key, &[Change::set("status", "paid")]);
        let truth = |status: &str| Fields::from([("status", Value::from(status))]);
        let mut checked = Checked { moments: 0, differing: 0, told: Vec::new() };
        assert!(Checked { moments: 0, differing: 0, told: Vec::new() }.into_result().is_err());
        checked.compare(&entity, key.time, &state, &truth("paid"));
        assert_eq!((checked.moments, checked.differing), (1, 0));
        checked.compare(&entity, key.time, &state, &truth("placed"));
        checked.compare(&entity, key.time, &State::new(), &truth("paid"));
        assert_eq!((checked.moments, checked.differing), (3, 2));
        let Err(Failure::Told { exit, message, .. }) = checked.into_result() else {
            panic!("a difference must fail");
        };
        assert_eq!(exit, Exit::Failed);
        assert!(message.contains("answered: status=paid\n  the shop: status=placed"), "{message}");
        assert!(message.contains("answered: nothing"), "{message}");
    }
}

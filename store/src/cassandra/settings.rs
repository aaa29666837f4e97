//! What the user states at `migrate`, and what follows from it for the store's whole life.

use std::collections::BTreeMap;
use std::str::FromStr;

use statetrail_event::Time;

use super::layout::Layout;
use super::schema::{OLDEST, Replication, USABLE_BY, VERSION};

/// Cassandra's longest time to live, 20 years.
const MAX_RETENTION_SECONDS: u32 = 630_720_000;

/// So much later than it is too old to be answered, Cassandra may forget a row. It counts in
/// whole seconds, each row for itself; without this time the last event of a trail could be gone
/// before an older one, and the state would be an old one. Also as much as clocks may differ.
const GRACE_SECONDS: i128 = 5 * 60;

/// How long events are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Seconds from the event's time; `None` keeps events for good.
    pub default_seconds: Option<u32>,
    /// The same for some namespaces.
    pub namespaces: BTreeMap<String, Option<u32>>,
}

/// What the user states, fixed when the store is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Events a second that are expected.
    pub rate: u64,
    /// The copies of everything.
    pub replication: Replication,
    /// How long events are kept.
    pub retention: Retention,
    /// Whether Cassandra keeps an index on the fields of current states.
    pub state_index: bool,
}

/// The settings of a store that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What the user stated.
    pub plan: Plan,
    /// What followed from it.
    pub layout: Layout,
}

/// Why a text is no retention.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "retention {0:?} is not of the form 90d, forever or NAMESPACE=30d; units are s, m, h, d, and \
     20 years (7300d) is the most"
)]
pub struct RetentionError(String);

impl Retention {
    /// Takes in one statement of the user: `90d` for all namespaces, `shop=30d` for one;
    /// `forever` for no end.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn state(&mut self, text: &str) -> Result<(), RetentionError> {
        let wrong = || RetentionError(text.to_owned());
        match text.split_once('=') {
            None => self.default_seconds = parse_seconds(text).ok_or_else(wrong)?,
            Some(("", _)) => return Err(wrong()),
            Some((namespace, length)) => {
                let seconds = parse_seconds(length).ok_or_else(wrong)?;
                self.namespaces.insert(namespace.to_owned(), seconds);
            }
        }
        Ok(())
    }

    /// The moment before which events of the namespace are gone; the earliest of all if they
    /// are kept for good.
    pub(super) fn horizon(&self, namespace: &str, now: Time) -> Time {
        match self.seconds(namespace) {
            None => Time::MIN,
            Some(seconds) => {
                let nanos = i64::from(seconds) * 1_000_000_000;
                Time::from_nanos(now.nanos().saturating_sub(nanos))
            }
        }
    }

    /// Seconds for which Cassandra has to keep an event of that time: `Some(0)` if there is no
    /// end, `None` if the event is too old to be stored at all.
    pub(super) fn time_to_live(&self, namespace: &str, time: Time, now: Time) -> Option<i32> {
        let Some(seconds) = self.seconds(namespace) else { return Some(0) };
        let age = (i128::from(now.nanos()) - i128::from(time.nanos())).div_euclid(1_000_000_000);
        let left = i128::from(seconds) - age;
        // An event of the future is kept no longer than Cassandra can.
        let kept = (left + GRACE_SECONDS).min(i128::from(MAX_RETENTION_SECONDS));
        (left > 0).then(|| i32::try_from(kept).unwrap_or(0))
    }

    fn seconds(&self, namespace: &str) -> Option<u32> {
        *self.namespaces.get(namespace).unwrap_or(&self.default_seconds)
    }
}

/// As people write it: `90d, shop=30d`.
impl std::fmt::Display for Retention {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&show_seconds(self.default_seconds))?;
        for (namespace, seconds) in &self.namespaces {
            write!(formatter, ", {namespace}={}", show_seconds(*seconds))?;
        }
        Ok(())
    }
}

/// `None` where the text has another form; the inner `None` stands for no end.
#[allow(clippy::option_option)]
fn parse_seconds(text: &str) -> Option<Option<u32>> {
    if text == "forever" {
        return Some(None);
    }
    let unit = text.chars().last()?;
    let seconds_a_unit = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u32 = text[..text.len() - 1].parse().ok()?;
    let seconds = number.checked_mul(seconds_a_unit)?;
    (1..=MAX_RETENTION_SECONDS).contains(&seconds).then_some(Some(seconds))
}

fn show_seconds(seconds: Option<u32>) -> String {
    let Some(seconds) = seconds else { return "forever".to_owned() };
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

impl Settings {
    /// The settings of a store that is to be made.
    pub(super) fn new(plan: Plan) -> Settings {
        let layout = Layout::for_rate(plan.rate);
        Settings { plan, layout }
    }

    /// The rows of the table `settings`; the version is not among them.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let Settings { plan, layout } = self;
        vec![
            ("rate", plan.rate.to_string()),
            ("replication", plan.replication.to_string()),
            ("retention", plan.retention.to_string()),
            ("state_index", plan.state_index.to_string()),
            ("shards", layout.shards.to_string()),
            ("bucket_seconds", layout.bucket_seconds.to_string()),
            ("timeline_shards", layout.timeline_shards.to_string()),
            ("span_seconds", layout.span_seconds.to_string()),
        ]
    }

    /// Reads the rows back. The error names the row that does not fit.
    pub(super) fn of_rows(rows: &BTreeMap<String, String>) -> Result<Settings, String> {
        let mut retention = Retention::default();
        for part in text(rows, "retention")?.split(", ") {
            retention.state(part).map_err(|error| error.to_string())?;
        }
        Ok(Settings {
            plan: Plan {
                rate: number(rows, "rate")?,
                replication: number(rows, "replication")?,
                retention,
                state_index: number(rows, "state_index")?,
            },
            layout: Layout {
                shards: positive(rows, "shards")?,
                bucket_seconds: positive(rows, "bucket_seconds")?,
                timeline_shards: positive(rows, "timeline_shards")?,
                span_seconds: positive(rows, "span_seconds")?,
                first_shard: 0,
            },
        })
    }

    /// What the user states now and did not state when the store was made, a line each.
    pub(super) fn differences(&self, plan: &Plan) -> Vec<String> {
        let now = Settings { plan: plan.clone(), layout: self.layout }.rows();
        let differ = |((name, then), (_, now)): ((_, String), (_, String))| {
            (then != now).then(|| format!("{name} is {then}, not {now}"))
        };
        self.rows().into_iter().zip(now).filter_map(differ).collect()
    }
}

/// The row that holds the version of the store.
const VERSION_ROW: &str = "schema_version";

/// The row that holds the oldest version whose programs may work with the store. Without it none
/// but the store's own may.
const USABLE_BY_ROW: &str = "schema_usable_by";

/// What a store is to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It can be read and written.
    Usable,
    /// It can be taken to this program's version.
    Outdated,
    /// Nothing is known about it.
    Unknown,
}

/// The version in the table `settings` and what it means, or `None` if there is none yet.
pub(super) fn version_of(
    rows: &BTreeMap<String, String>,
) -> Result<Option<(i64, Standing)>, String> {
    if !rows.contains_key(VERSION_ROW) {
        return Ok(None);
    }
    let found = number(rows, VERSION_ROW)?;
    let usable_by = match rows.contains_key(USABLE_BY_ROW) {
        true => number(rows, USABLE_BY_ROW)?,
        false => found,
    };
    let standing = match found {
        VERSION => Standing::Usable,
        OLDEST..VERSION => Standing::Outdated,
        _ if (usable_by..found).contains(&VERSION) => Standing::Usable,
        _ => Standing::Unknown,
    };
    Ok(Some((found, standing)))
}

/// The rows that say which version a store has now. The version itself comes last: until it is
/// there, the store is none, or one of the version before.
pub(super) fn version_rows() -> [(&'static str, String); 2] {
    [(USABLE_BY_ROW, USABLE_BY.to_string()), (VERSION_ROW, VERSION.to_string())]
}

fn text<'r>(rows: &'r BTreeMap<String, String>, name: &str) -> Result<&'r str, String> {
    rows.get(name).map(String::as_str).ok_or_else(|| format!("the setting {name} is missing"))
}

fn number<T: FromStr>(rows: &BTreeMap<String, String>, name: &str) -> Result<T, String> {
    let value = text(rows, name)?;
    value.parse().map_err(|_| format!("the setting {name} cannot be {value:?}"))
}

fn positive<T: FromStr + PartialOrd + Default>(
    rows: &BTreeMap<String, String>,
    name: &str,
) -> Result<T, String> {
    let value: T = number(rows, name)?;
    if value > T::default() { Ok(value) } else { Err(format!("the setting {name} is 0")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let mut retention = Retention::default();
        for text in ["90d", "shop=30d", "audit=forever", "tmp=90s"] {
            retention.state(text).unwrap();
        }
        let replication = "dc1=3,dc2=2".parse().unwrap();
        Plan { rate: 5_000, replication, retention, state_index: true }
    }

    #[test]
    fn settings_are_read_as_they_were_written() {
        let settings = Settings::new(plan());
        let rows = settings.rows().into_iter().map(|(name, value)| (name.to_owned(), value));
        assert_eq!(Settings::of_rows(&rows.collect()), Ok(settings));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut rows: BTreeMap<String, String> = Settings::new(plan())
            .rows()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        rows.insert("shards".into(), "0".into());
        assert_eq!(Settings::of_rows(&rows), Err("the setting shards is 0".into()));
        rows.insert("shards".into(), "many".into());
        assert_eq!(Settings::of_rows(&rows), Err("the setting shards cannot be \"many\"".into()));
        rows.remove("rate");
        assert_eq!(Settings::of_rows(&rows), Err("the setting rate is missing".into()));
    }

    #[test]
    fn a_newer_store_says_who_may_work_with_it() {
        let standing = |version: i64, usable_by: Option<i64>| {
            let row = |name: &str, value: i64| (name.to_owned(), value.to_string());
            let mut rows = BTreeMap::from([row(VERSION_ROW, version)]);
            rows.extend(usable_by.map(|oldest| row(USABLE_BY_ROW, oldest)));
            version_of(&rows).unwrap().unwrap().1
        };
        let (newer, newest) = (VERSION + 1, VERSION + 9);
        for (version, usable_by, expected) in [
            (VERSION, None, Standing::Usable),
            (newer, None, Standing::Unknown),
            (newer, Some(newer), Standing::Unknown),
            (newer, Some(VERSION), Standing::Usable),
            (newest, Some(OLDEST), Standing::Usable),
            // A step that was interrupted before its last statement.
            (VERSION, Some(newer), Standing::Usable),
            (OLDEST, None, Standing::Outdated),
            (OLDEST, Some(OLDEST), Standing::Outdated),
            (OLDEST - 1, Some(OLDEST - 1), Standing::Unknown),
        ] {
            assert_eq!(standing(version, usable_by), expected, "{version} {usable_by:?}");
        }
        let written = version_rows().map(|(name, value)| (name.to_owned(), value));
        assert_eq!(version_of(&written.into()), Ok(Some((VERSION, Standing::Usable))));
        assert_eq!(version_of(&BTreeMap::new()), Ok(None));
    }

    #[test]
    fn another_plan_is_told_apart() {
        let settings = Settings::new(plan());
        assert!(settings.differences(&plan()).is_empty());
        let other = Plan { rate: 10, state_index: false, ..plan() };
        assert_eq!(
            settings.differences(&other),
            ["rate is 5000, not 10", "state_index is true, not false"]
        );
    }

    #[test]
    fn retention_counts_from_the_events_time() {
        let retention = plan().retention;
        let at = |seconds: i64| Time::from_seconds(seconds, 0).unwrap();
        let now = at(10_000_000);
        assert_eq!(retention.time_to_live("audit", at(0), now), Some(0));
        assert_eq!(retention.time_to_live("tmp", at(9_999_990), now), Some(80 + 300));
        assert_eq!(retention.time_to_live("tmp", at(9_999_910), now), None);
        assert_eq!(retention.time_to_live("tmp", Time::MIN, now), None);
        assert!(retention.time_to_live("tmp", Time::MAX, now).is_some_and(|left| left > 0));
        assert_eq!(retention.horizon("tmp", now), at(9_999_910));
        assert_eq!(retention.horizon("audit", now), Time::MIN);
    }

    #[test]
    fn other_retentions_are_refused() {
        for wrong in ["", "90", "d", "-1d", "0d", "8000d", "=3d", "shop=", "größe", "5w"] {
            assert!(Retention::default().state(wrong).is_err(), "{wrong}");
        }
    }
}

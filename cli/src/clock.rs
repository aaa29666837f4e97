//! The zone of local times, and how a moment is shown to a person.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use statetrail_event::Time;
use statetrail_query::parse_moment;

use crate::failure::{Exit, Failure};

/// The present and the zone of local times, as they are for the whole of a command.
#[derive(Clone, Debug)]
pub struct Clock {
    now: Time,
    zone: TimeZone,
}

impl Clock {
    /// A clock that stands at `now`.
    pub fn new(now: Time, zone: TimeZone) -> Clock {
        Clock { now, zone }
    }

    /// The system's time, in the zone that was asked for or else in the system's zone.
    ///
    /// # Errors
    /// When there is no zone of that name.
    pub fn of_system(utc: bool, zone: Option<&str>) -> Result<Clock, Failure> {
        let zone = match zone {
            _ if utc => TimeZone::UTC,
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).map_err(|_| {
                Failure::new(Exit::Usage, format!("there is no time zone {name:?}"))
                    .hint("name it like Europe/Berlin, America/New_York or UTC")
            })?,
        };
        Ok(Clock { now: time_of_timestamp(Timestamp::now()), zone })
    }

    /// The present.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The zone of local times.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Reads what was typed behind `option`.
    ///
    /// # Errors
    /// When it names no moment.
    pub fn moment(&self, option: &str, text: &str) -> Result<Time, Failure> {
        parse_moment(text, self.now, &self.zone)
            .map_err(|error| Failure::new(Exit::Usage, format!("{option}: {error}")))
    }

    /// The same for an option that may be missing.
    ///
    /// # Errors
    /// When it names no moment.
    pub fn optional_moment(
        &self,
        option: &str,
        text: Option<&str>,
    ) -> Result<Option<Time>, Failure> {
        text.map(|text| self.moment(option, text)).transpose()
    }

    /// A moment in local time as a person reads it, and as `--at` takes it.
    pub fn show(&self, time: Time) -> String {
        let Ok(timestamp) = Timestamp::from_nanosecond(i128::from(time.nanos())) else {
            return time.to_string();
        };
        let local = timestamp.to_zoned(self.zone.clone());
        let whole = local.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let nanos = time.nanos().rem_euclid(1_000_000_000);
        match nanos {
            0 => whole,
            _ if nanos % 1_000_000 == 0 => format!("{whole}.{:03}", nanos / 1_000_000),
            _ if nanos % 1_000 == 0 => format!("{whole}.{:06}", nanos / 1_000),
            _ => format!("{whole}.{nanos:09}"),
        }
    }

    /// The same with the zone's name; of the present, fractions of a second are not shown.
    pub fn show_with_zone(&self, time: Time) -> String {
        let nanos = time.nanos();
        let shown = if time == self.now { nanos - nanos.rem_euclid(1_000_000_000) } else { nanos };
        format!("{} ({})", self.show(Time::from_nanos(shown)), self.zone_name())
    }

    /// The zone's name, to be shown once beside times that do not say it.
    pub fn zone_name(&self) -> String {
        match self.zone.iana_name() {
            Some("Etc/UTC" | "UTC" | "Etc/UCT" | "Zulu") => "UTC".to_owned(),
            Some(name) => name.to_owned(),
            None => "local time".to_owned(),
        }
    }
}

/// The same moment as the model has it; outside its range the nearest one.
pub fn time_of_timestamp(timestamp: Timestamp) -> Time {
    Time::nearest(timestamp.as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_moment_can_be_typed_again() {
        let now = Time::from_nanos(0);
        let clock = Clock::new(now, TimeZone::get("Asia/Kathmandu").unwrap());
        for (nanos, shown) in [
            (0, "1970-01-01 05:30:00"),
            (1_795_356_187_000_000_000, "2026-11-22 19:48:07"),
            (1_795_356_187_120_000_000, "2026-11-22 19:48:07.120"),
            (1_795_356_187_000_001_000, "2026-11-22 19:48:07.000001"),
            (1_795_356_187_000_000_001, "2026-11-22 19:48:07.000000001"),
        ] {
            let time = Time::from_nanos(nanos);
            assert_eq!(clock.show(time), shown);
            assert_eq!(clock.moment("--at", shown).ok(), Some(time));
        }
    }

    #[test]
    fn a_zone_that_does_not_exist_is_named() {
        let failure = Clock::of_system(false, Some("Europe/Atlantis")).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
    }
}

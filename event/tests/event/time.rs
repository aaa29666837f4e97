//! Times against jiff, which others wrote.

use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;
use regex::Regex;
use statetrail_event::{Time, TimeError};

use crate::generate;

fn jiff_of(time: Time) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(time.nanos())).unwrap()
}

fn wire_form(time: Time) -> String {
    let mut out = Vec::new();
    time.write_rfc3339(&mut out);
    String::from_utf8(out).unwrap()
}

static FORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^([0-9]{4}-[0-9]{2}-[0-9]{2}) [Tt\ ] ([0-9]{2}:[0-9]{2}:) ([0-9]{2})
          (?:\.([0-9]{1,9})[0-9]*)? ([Zz]|[+-][0-9]{2}:[0-9]{2})$",
    )
    .unwrap()
});

/// What jiff makes of a text that has the form of RFC 3339. Our rules differ in two places:
/// digits beyond the ninth of the fraction are cut off, and a 60th second is the next minute.
fn expected(text: &str) -> Option<Time> {
    let parts = FORM.captures(text)?;
    let leap = &parts[3] == "60";
    let second = if leap { "59" } else { &parts[3] };
    let fraction = parts.get(4).map_or("0", |digits| digits.as_str());
    let offset = &parts[5];
    if !matches!(offset, "Z" | "z") && (&offset[1..3] > "23" || &offset[4..6] > "59") {
        return None;
    }
    let text = format!("{}T{}{second}.{fraction}{offset}", &parts[1], &parts[2]);
    let timestamp: Timestamp = text.parse().ok()?;
    let nanos = timestamp.as_nanosecond() + if leap { 1_000_000_000 } else { 0 };
    i64::try_from(nanos).ok().map(Time::from_nanos)
}

/// Texts of the form, with parts that exceed their bounds now and then.
fn rfc3339() -> impl Strategy<Value = String> {
    let offset = prop_oneof![
        Just("Z".to_owned()),
        Just("z".to_owned()),
        (prop_oneof![Just('+'), Just('-')], 0..26_u8, 0..62_u8)
            .prop_map(|(sign, hours, minutes)| format!("{sign}{hours:02}:{minutes:02}")),
    ];
    let year = prop_oneof![0..=9999_u16, 1676..=1679_u16, 2260..=2263_u16];
    let date = (year, 0..14_u8, 0..33_u8);
    let day_time = (0..25_u8, 0..61_u8, 0..62_u8);
    let fraction = proptest::option::of("[0-9]{0,12}");
    let separator = prop_oneof![Just('T'), Just('t'), Just(' '), Just('_')];
    (date, separator, day_time, fraction, offset).prop_map(
        |((year, month, day), separator, (hour, minute, second), fraction, offset)| {
            let fraction = fraction.map(|digits| format!(".{digits}")).unwrap_or_default();
            format!(
                "{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{offset}"
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_written_time_is_the_one_jiff_writes_and_is_read_back(time in generate::time()) {
        let written = wire_form(time);
        prop_assert_eq!(written.len(), Time::RFC3339_BYTES);
        prop_assert_eq!(&written, &format!("{:.9}", jiff_of(time)));
        prop_assert_eq!(Time::parse_rfc3339(&written), Ok(time));
        prop_assert_eq!(Time::parse_rfc3339(&time.to_string()), Ok(time));
    }

    #[test]
    fn a_text_is_read_as_jiff_reads_it(text in rfc3339()) {
        prop_assert_eq!(Time::parse_rfc3339(&text).ok(), expected(&text), "{}", text);
    }

    #[test]
    fn a_damaged_text_is_read_as_jiff_reads_it_or_refused(
        time in generate::time(), at in 0..30_usize, byte in any::<char>(), cut in 0..31_usize,
    ) {
        let mut characters: Vec<char> = wire_form(time).chars().collect();
        characters[at] = byte;
        characters.truncate(cut.max(at));
        let text: String = characters.into_iter().collect();
        prop_assert_eq!(Time::parse_rfc3339(&text).ok(), expected(&text), "{}", text);
    }

    #[test]
    fn whole_seconds_and_nanoseconds_make_a_time(time in generate::time()) {
        let seconds = time.nanos().div_euclid(1_000_000_000);
        let nanos = time.nanos().rem_euclid(1_000_000_000) as u32;
        prop_assert_eq!(Time::from_seconds(seconds, nanos), Some(time));
    }
}

#[test]
fn faults_are_told_apart() {
    let cases = [
        ("", TimeError::Form),
        ("2026-11-22", TimeError::Form),
        ("2026-11-22T10:00:00", TimeError::Form),
        ("2026-11-22T10:00:00.Z", TimeError::Form),
        ("2026-11-22T10:00:00+0200", TimeError::Form),
        ("2026-11-22T10:00:00ZZ", TimeError::Form),
        ("2026-11-22T10:00:00 Z", TimeError::Form),
        ("+026-11-22T10:00:00Z", TimeError::Form),
        ("２026-11-22T10:00Z", TimeError::Form),
        ("2026-13-22T10:00:00Z", TimeError::NoSuchMoment),
        ("2026-02-29T10:00:00Z", TimeError::NoSuchMoment),
        ("2026-00-10T10:00:00Z", TimeError::NoSuchMoment),
        ("2026-11-22T24:00:00Z", TimeError::NoSuchMoment),
        ("2026-11-22T10:00:61Z", TimeError::NoSuchMoment),
        ("2026-11-22T10:00:00+24:00", TimeError::NoSuchMoment),
        ("1677-09-21T00:12:43.145224191Z", TimeError::Range),
        ("2262-04-11T23:47:16.854775808Z", TimeError::Range),
        ("0000-01-01T00:00:00Z", TimeError::Range),
        ("9999-12-31T23:59:59Z", TimeError::Range),
    ];
    for (text, error) in cases {
        assert_eq!(Time::parse_rfc3339(text), Err(error), "{text}");
    }
    let messages =
        [TimeError::Form, TimeError::NoSuchMoment, TimeError::Range].map(|error| error.to_string());
    assert_eq!(
        messages,
        [
            "not an RFC 3339 time such as 2026-11-22T10:00:00Z",
            "no such date or time of day",
            "outside the years 1678 to 2261",
        ]
    );
}

#[test]
fn the_ends_of_the_range_are_times() {
    assert_eq!(wire_form(Time::MIN), "1677-09-21T00:12:43.145224192Z");
    assert_eq!(wire_form(Time::MAX), "2262-04-11T23:47:16.854775807Z");
    for time in [Time::MIN, Time::MAX] {
        assert_eq!(Time::parse_rfc3339(&wire_form(time)), Ok(time));
    }
}

#[test]
fn a_time_is_shown_with_no_more_digits_than_it_needs() {
    let shown = |nanos: i64| Time::from_nanos(nanos).to_string();
    assert_eq!(shown(0), "1970-01-01T00:00:00Z");
    assert_eq!(shown(1_000_000), "1970-01-01T00:00:00.001Z");
    assert_eq!(shown(20_000), "1970-01-01T00:00:00.000020Z");
    assert_eq!(shown(-1), "1969-12-31T23:59:59.999999999Z");
    assert_eq!(format!("{:>22}|", Time::from_nanos(0)), "  1970-01-01T00:00:00Z|");
}

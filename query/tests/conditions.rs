//! Conditions as they are typed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use proptest::prelude::*;
use statetrail_event::{Change, EventId, Finite, OrderKey, State, Time, Value};
use statetrail_query::Condition;

fn state() -> State {
    let number = |number| Value::Number(Finite::new(number).unwrap());
    let changes = [
        Change::set("status", "paid"),
        Change::set("empty", ""),
        Change::set("amount", number(12.5)),
        Change::set("count", 10_i64),
        Change::set("big", i64::MAX),
        Change::set("code", "007"),
        Change::set("version", "2.36-9"),
        Change::set("open", true),
        Change::set("zero", number(-0.0)),
        Change::unset("gone"),
    ];
    let mut state = State::new();
    let by = OrderKey { time: Time::from_nanos(1), seq: 0, id: EventId([1; 16]) };
    state.apply(by, &changes);
    state
}

#[test]
fn a_condition_holds_as_documented() {
    let cases = [
        ("status", true),
        ("!status", false),
        ("gone", false),
        ("!gone", true),
        ("never", false),
        (" ! never ", true),
        ("status=paid", true),
        (" status = paid ", true),
        ("status=Paid", false),
        ("status!=paid", false),
        ("status!=sent", true),
        ("gone!=paid", true),
        ("gone=", false),
        ("empty=", true),
        ("empty!=", false),
        ("status>new", true),
        ("status<new", false),
        ("amount=12.5", true),
        ("amount=12.50", true),
        ("amount=1.25e1", true),
        ("amount>9", true),
        ("amount<100", true),
        ("amount>=12.5", true),
        ("amount<=12", false),
        ("amount=much", false),
        ("amount!=much", true),
        ("amount>much", false),
        ("amount>inf", false),
        ("amount<inf", false),
        ("count=10.0", true),
        ("count>9.99", true),
        ("count<10.01", true),
        ("count>=10.01", false),
        ("big=9223372036854775807", true),
        ("big<9223372036854775808", true),
        ("big>9223372036854774784.0", true),
        ("zero=0", true),
        ("zero>=0", true),
        ("code=007", true),
        ("code=7", false),
        ("version>=2.36", true),
        ("open=true", true),
        ("open!=false", true),
        ("status=a=b", false),
    ];
    let state = state();
    for (text, holds) in cases {
        let condition: Condition = text.parse().unwrap();
        assert_eq!(condition.holds(&state), holds, "{text}");
    }
}

#[test]
fn what_is_no_condition_is_refused_with_what_to_write() {
    let cases = [
        ("", "names no field"),
        ("!", "names no field"),
        ("=paid", "names no field"),
        ("  <= 5", "names no field"),
        ("status==paid", "\"==\" where \"=\" is meant"),
        ("amount=>5", "\"=>\" where \">=\" is meant"),
        ("amount=<5", "\"=<\" where \"<=\" is meant"),
        ("status<>paid", "\"<>\" where \"!=\" is meant"),
        ("!status=paid", "\"!\" where \"!=\" is meant"),
        ("amount>", "compares with nothing"),
        ("amount<= ", "compares with nothing"),
    ];
    for (text, message) in cases {
        let error = text.parse::<Condition>().unwrap_err().to_string();
        assert!(error.contains(message), "{text:?}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused_and_shown_as_it_can_be_typed(text in "[a-c!=<> é]{0,8}") {
        if let Ok(condition) = text.parse::<Condition>() {
            prop_assert_eq!(condition.to_string().parse::<Condition>(), Ok(condition));
        }
    }

    #[test]
    fn whole_numbers_and_fractions_compare_exactly(int in any::<i64>(), shift in -2_i64..3) {
        let mut state = State::new();
        let by = OrderKey { time: Time::from_nanos(1), seq: 0, id: EventId([1; 16]) };
        state.apply(by, &[Change::set("n", int)]);
        let typed = i128::from(int) + i128::from(shift);
        let holds = |sign: &str, number: &str| format!("n{sign}{number}").parse::<Condition>().unwrap().holds(&state);
        if let Ok(typed) = i64::try_from(typed) {
            prop_assert_eq!(holds("<", &typed.to_string()), int < typed);
            prop_assert_eq!(holds("=", &typed.to_string()), int == typed);
        }
        let half = (int >> 12) as f64 + 0.5;
        prop_assert_eq!(holds("<", &half.to_string()), int <= int >> 12);
        prop_assert_eq!(holds(">", &half.to_string()), int > int >> 12);
    }
}

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

#[test]
fn only_what_has_one_text_is_looked_up() {
    for (typed, exact) in [
        ("status=paid", Some(("status", "paid"))),
        (" status = ", Some(("status", ""))),
        ("open=true", Some(("open", "true"))),
        ("amount=12.5", Some(("amount", "12.5"))),
        ("count=10", Some(("count", "10"))),
        ("zero=0", Some(("zero", "0"))),
        ("count=-7", Some(("count", "-7"))),
        // Numbers that other texts would be equal to.
        ("amount=12.50", None),
        ("count=+10", None),
        ("count=010", None),
        ("count=1e1", None),
        ("count=10.0", None),
        ("zero=-0", None),
        // Other comparisons.
        ("status!=paid", None),
        ("amount>=12.5", None),
        ("status", None),
        ("!status", None),
    ] {
        assert_eq!(typed.parse::<Condition>().unwrap().exact(), exact, "{typed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_that_fulfils_an_exact_condition_has_its_text(
        typed in prop_oneof![
            any::<i64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| number.to_string()),
            (-3_i64..3).prop_map(|number| number.to_string()),
            "[-+]?[0-9]{1,3}(\\.[0-9]{0,2})?(e[0-9])?",
        ],
        plain in any::<bool>(),
    ) {
        let condition: Condition = format!("field={typed}").parse().unwrap();
        let Some((field, text)) = condition.exact() else { return Ok(()) };
        let number: f64 = typed.parse().unwrap_or_default();
        let value = match typed.parse() {
            Ok(int) if plain => Value::Int(int),
            _ => Value::Number(Finite::new(number).unwrap_or(Finite::new(0.0).unwrap())),
        };
        let mut state = State::new();
        let by = OrderKey { time: Time::from_nanos(1), seq: 0, id: EventId([1; 16]) };
        state.apply(by, &[Change { field: field.into(), value: Some(value.clone()) }]);
        if condition.holds(&state) {
            prop_assert_eq!(value.equal_text(), text);
        }
    }
}

//! What a filter remembers of records changes no answer: random runs of records that are alike, each
//! answered as by a filter that knows nothing.

use proptest::prelude::*;
use statetrail_rules::RuleText;

use super::*;

const CONTAINER: &str = "kube.var.log.containers.tagged_shop_app-\
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";
const TAGS: [&str; 4] = [CONTAINER, "", "host.a", "host.b"];

/// Records with gaps: `L` a line, `T` a time, `O` a number, `F` a file, `K` a name.
const FORMS: [&str; 20] = [
    r#"{"log":"L"}"#,
    r#"{ "log" : "L" , "offset" : O } "#,
    r#"{"time":"T","stream":"stdout","log":"L","offset":O,"file":"F"}"#,
    r#"{"time":"T","log":"L","stream":"K"}"#,
    r#"{"log":"L","kubernetes":{"namespace_name":"shop","pod_name":"p","container_name":"K"}}"#,
    r#"{"kubernetes":{"namespace_name":"K","container_name":"app"},"log":"L","file":"F"}"#,
    r#"{"kubernetes":{"namespace_name":"shop","container_name":"app"},"file":"F","log":"L"}"#,
    r#"{"kubernetes":{"namespace_name":"K"},"log":"L"}"#,
    r#"{"kubernetes":{"namespace_name":"n"},"log":"L","kubernetes":{"host":"K"}}"#,
    r#"{"log":"order o-9 paid","log":"L"}"#,
    r#"{"log":"L","log":"order o-9 paid"}"#,
    r#"{"log":"L","log":O}"#,
    r#"{"message":"L","log":O}"#,
    r#"{"message":"L","log":"L"}"#,
    r#"{"MESSAGE":"L","x":[{"log":"L"},O]}"#,
    r#"{"offset":O,"offset":O,"log":"L","time":"T","time":"T"}"#,
    r#"{"offset":O,"log":"L","offset":"O"}"#,
    r#"{"log":"L","l\u006fg":"L","offset":null}"#,
    r#"{"log":"L","offset":O"#,
    r#"{"offset":O,"file":"F"}"#,
];

/// Lines as they stand in a record: some match, and some end the string that they stand in.
const LINES: [&str; 16] = [
    "order o-1 paid",
    "order o-2 sent",
    "order o-1 paid\\n",
    "order o-1 paid\\\\",
    "order o-1 paid\\",
    "",
    "nothing",
    "order \\\"o\\\" paid",
    "order o-\\u0031 paid",
    "{\\\"msg\\\":\\\"paid\\\",\\\"n\\\":1}",
    "{\\\"msg\\\":\\\"\\\\u0070aid\\\",\\\"n\\\":-0}",
    "\\n\\r\\t\\\"",
    "order o-1 paid\",\"log\":\"order o-8 paid",
    "order o-1 paid\",\"offset\":4,\"x\":\"",
    "a long one, so that words of eight and sixteen bytes are looked at: order \u{e9} paid",
    "\\",
];
const TIMES: [&str; 4] = ["", "noon", "2026-11-22T06:15:24.000000008Z", "a\\\"b"];
const NUMBERS: [&str; 9] =
    ["0", "7", "1024", "007", "+7", "-1", "1.5", "18446744073709551616", "\"7\""];
const NAMES: [&str; 5] = ["app", "", "stderr", "sh\\u006fp", "shop"];

fn filter(verb: &str) -> Filter {
    let mut filter = Filter::default();
    put_in_force(&mut filter, verb);
    filter
}

fn put_in_force(filter: &mut Filter, verb: &str) {
    let text = format!(
        "\
namespaces: [shop]
rules:
  - {{name: a, match: 'order <order> {verb}', emit: [{{entity: order/<order>, event: {verb}}}]}}
  - {{name: b, match: {{json: {{msg: {verb}, n: <n>}}}}, emit: [{{entity: n/<n>, event: {verb}}}]}}
"
    );
    filter.reload(&[RuleText { name: "shop.yaml".to_owned(), text }]);
    assert_eq!(filter.rules().rule_names().count(), 2);
}

/// What happens between two records.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A record of the same form as the one before comes, with other values in so many places.
    Again(usize),
    /// A record of another form comes.
    Other,
    MessagePack,
    Byte(usize, u8),
    Rules,
    Trap,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0usize..3).prop_map(Step::Again),
        4 => Just(Step::Other),
        1 => Just(Step::MessagePack),
        1 => (0usize..100, prop::sample::select(b"\"\\{},: 0n".to_vec()))
            .prop_map(|(at, byte)| Step::Byte(at, byte)),
        1 => Just(Step::Rules),
        1 => Just(Step::Trap),
    ]
}

/// What a record is made of, as numbers of the lists above.
type Choice = [usize; 8];

fn choice() -> impl Strategy<Value = Choice> {
    prop::array::uniform8(0usize..720)
}

/// Of numbers that are drawn anew, only some count when a record comes again.
fn next_choice(last: Choice, new: Choice, step: Step) -> Choice {
    let mut choice = last;
    match step {
        Step::Again(changes) => {
            for place in &new[..changes] {
                // Neither the form nor, mostly, the tag.
                let place = 1 + place % 7;
                choice[place] = new[place];
            }
            // The line is another one nearly always.
            choice[1] = new[1];
        }
        Step::Other => choice = new,
        Step::MessagePack | Step::Byte(..) | Step::Rules | Step::Trap => {}
    }
    choice
}

fn pick<T: Copy>(list: &[T], number: usize) -> T {
    list[number % list.len()]
}

fn record(choice: Choice, step: Step) -> (&'static [u8], Vec<u8>) {
    let [form, line, time, number, file, name, tag, _] = choice;
    let mut text = String::new();
    for letter in pick(&FORMS, form).chars() {
        match letter {
            'L' => text += pick(&LINES, line),
            'T' => text += pick(&TIMES, time),
            'O' => text += pick(&NUMBERS, number),
            'F' => text += pick(&["/a", "/b", ""], file),
            'K' => text += pick(&NAMES, name),
            other => text.push(other),
        }
    }
    let mut bytes = text.into_bytes();
    match step {
        Step::Byte(at, byte) => {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        Step::MessagePack => {
            let fields: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if fields.is_object() {
                bytes = rmp_serde::to_vec_named(&fields).expect("JSON can be packed");
            }
        }
        _ => {}
    }
    (pick(&TAGS, tag).as_bytes(), bytes)
}

fn answer(filter: &mut Filter, mode: Mode, tag: &[u8], nanos: u32, record: &[u8]) -> String {
    let before = *filter.counters();
    let reply = match filter.process(mode, tag, 7, nanos, record) {
        Reply::Output(text) => text.escape_ascii().to_string(),
        other => format!("{other:?}"),
    };
    let after = filter.counters();
    let counted = [
        after.matched - before.matched,
        after.unmatched - before.unmatched,
        after.out_of_scope - before.out_of_scope,
        after.failed - before.failed,
        after.oversized - before.oversized,
        after.without_line - before.without_line,
        after.unreadable - before.unreadable,
    ];
    assert_eq!(counted.iter().sum::<u64>(), 1, "a record counts once: {counted:?}");
    format!("{counted:?} {reply}")
}

fn mode_of(choice: Choice) -> Mode {
    if choice[7].is_multiple_of(4) { Mode::Annotate } else { Mode::Events }
}

/// A run's rules change to and fro between these.
fn verb_of(changes: usize) -> &'static str {
    pick(&["paid", "sent"], changes)
}

proptest! {
    /// Every record has a time of its own, or the lines of a plain file would be numbered.
    #[test]
    fn records_are_answered_as_by_a_new_filter(
        first in choice(), steps in prop::collection::vec((step(), choice()), 1..12)
    ) {
        let (mut choice, mut changes) = (first, 0);
        let mut filter = filter(verb_of(changes));
        for (number, (step, new)) in steps.into_iter().enumerate() {
            match step {
                Step::Rules => {
                    changes += 1;
                    put_in_force(&mut filter, verb_of(changes));
                }
                Step::Trap => filter.recover(),
                _ => {}
            }
            choice = next_choice(choice, new, step);
            let (tag, bytes) = record(choice, step);
            let (mode, nanos) = (mode_of(choice), 10 * number as u32);
            let expected = answer(&mut self::filter(verb_of(changes)), mode, tag, nanos, &bytes);
            let got = answer(&mut filter, mode, tag, nanos, &bytes);
            prop_assert_eq!(got, expected, "{} after {:?}", bytes.escape_ascii(), step);
        }
    }

    /// Many records have the same time, and the other filter knows the sources but compares nothing.
    #[test]
    fn lines_are_numbered_as_where_nothing_is_compared(
        first in choice(), steps in prop::collection::vec((step(), choice()), 1..40)
    ) {
        let mut choice = first;
        let (mut filter, mut forgetful) = (filter("paid"), filter("paid"));
        for (number, (step, new)) in steps.into_iter().enumerate() {
            choice = next_choice(choice, new, step);
            let (tag, bytes) = record(choice, step);
            let (mode, nanos) = (mode_of(choice), number as u32 / 7);
            forgetful.buffers.shape.forget();
            forgetful.buffers.memo = Memo::default();
            let expected = answer(&mut forgetful, mode, tag, nanos, &bytes);
            let got = answer(&mut filter, mode, tag, nanos, &bytes);
            prop_assert_eq!(got, expected, "{} after {:?}", bytes.escape_ascii(), step);
        }
    }
}

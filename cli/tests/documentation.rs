//! Pages of docs/ are run: every console block in them shows what the binary really answers.
//!
//! With UPDATE_DOCS=1 in the environment the blocks are written anew.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::fmt::Write;

use common::{Place, project_file};

/// Pages, and how many console blocks each has at the least.
const PAGES: [(&str, usize); 2] = [("docs/output.md", 20), ("docs/tutorial.md", 6)];

/// A fenced block of the page.
struct Block<'a> {
    /// What stands behind the opening fence.
    kind: &'a str,
    body: String,
}

/// The page as text and fenced blocks, in turn.
fn split(page: &str) -> Vec<Result<Block<'_>, String>> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        parts.push(Err(std::mem::take(&mut text)));
        let body: String = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .map(|line| format!("{line}\n"))
            .collect();
        parts.push(Ok(Block { kind, body }));
    }
    parts.push(Err(text));
    parts
}

/// What differs from run to run, replaced by what the page shows. Only times of imports have
/// micro- or nanoseconds.
fn settle(answer: &str, place: &Place) -> String {
    let folder = place.path("").canonicalize().unwrap();
    let answer = answer.replace(&format!("{}/", folder.display()), "/var/log/");
    let replacements = [
        (r"20[0-9-]{8}T[0-9:]{8}\.[0-9]{6}([0-9]{3})?Z", "2026-11-22T11:00:00.123456789Z"),
        (r#""seconds":( ?)[0-9.e-]+"#, r#""seconds":${1}0.25"#),
        (r#""lines_per_second":( ?)[0-9]+"#, r#""lines_per_second":${1}28"#),
        (r"in [0-9.]+ s, [0-9,]+ lines/s", "in 0.0 s, 3,000 lines/s"),
    ];
    replacements.iter().fold(answer, |answer, (pattern, shown)| {
        regex::Regex::new(pattern).unwrap().replace_all(&answer, *shown).into_owned()
    })
}

/// The words of a command line; single quotes hold words together.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('\'').enumerate();
    let words = parts.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

fn run_block(body: &str, place: &Place) -> String {
    let mut shown = String::new();
    for command in body.lines().filter_map(|line| line.strip_prefix("$ statetrail ")) {
        let answer = place.run(words(command));
        let answer_text = settle(&(answer.out + &answer.err), place);
        writeln!(shown, "$ statetrail {command}").unwrap();
        shown.push_str(&answer_text);
    }
    shown
}

#[test]
fn the_documented_answers_are_the_real_ones() {
    for (page, blocks) in PAGES {
        run_page(page, blocks);
    }
}

fn run_page(name: &str, blocks: usize) {
    let path = project_file(name);
    let page = std::fs::read_to_string(&path).unwrap();
    let place = Place::new();
    let mut real = String::new();
    let mut commands = 0;
    for part in split(&page) {
        match part {
            Err(text) => real.push_str(&text),
            Ok(Block { kind, body }) => {
                let body = match kind.split_once(' ') {
                    Some((_, file)) => {
                        place.write(file, &body);
                        body
                    }
                    None if kind == "console" => {
                        commands += 1;
                        run_block(&body, &place)
                    }
                    None => body,
                };
                write!(real, "```{kind}\n{body}```\n").unwrap();
            }
        }
    }
    assert!(commands >= blocks, "{name}: only {commands} console blocks were found");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, real).unwrap();
    } else {
        assert!(page == real, "{name} differs from reality, which is:\n{real}");
    }
}

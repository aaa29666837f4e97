//! Every target over the seeds, over what once found something, and over thousands of inputs made
//! from them: the same on every run.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use statetrail_fuzz::{TARGETS, Target};

const MUTATED_INPUTS: usize = 3_000;
/// Longer inputs find little more and cost time.
const INPUT_BYTES_MAX: usize = 4_096;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The contents of a folder's files, in the order of their names.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    // Both exported functions take the same records.
    let folder = if target.starts_with("exported_") { "exported" } else { target };
    let mut seeds = files(&root().join("fuzz/seeds").join(folder));
    if ["rule_files", "formatted_rules"].contains(&target) {
        for folder in ["rules/tests/language", "rules/tests/diagnostics", "fluent-bit/rules"] {
            seeds.extend(files(&root().join(folder)));
        }
    }
    assert!(!seeds.is_empty(), "no seeds for {target}");
    seeds
}

fn run(name: &str, target: Target, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        panic!("{name} found something: {}", input.escape_ascii());
    }
}

#[test]
fn what_was_found_stays_fixed() {
    for &(name, target) in TARGETS {
        for input in files(&root().join("fuzz/regressions").join(name)) {
            run(name, target, &input);
        }
    }
}

#[test]
fn every_regression_has_its_target() {
    for entry in fs::read_dir(root().join("fuzz/regressions")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name}");
    }
}

#[test]
fn cloudevents() {
    mutate("cloudevents");
}

#[test]
fn cri_lines() {
    mutate("cri_lines");
}

#[cfg(feature = "exported")]
#[test]
fn exported_annotate() {
    mutate("exported_annotate");
}

#[cfg(feature = "exported")]
#[test]
fn exported_events() {
    mutate("exported_events");
}

#[test]
fn formatted_rules() {
    mutate("formatted_rules");
}

#[test]
fn json_records() {
    mutate("json_records");
}

#[test]
fn msgpack_records() {
    mutate("msgpack_records");
}

#[test]
fn patterns() {
    mutate("patterns");
}

#[test]
fn rule_files() {
    mutate("rule_files");
}

#[test]
fn suggested_rules() {
    mutate("suggested_rules");
}

/// Runs the seeds, then inputs made of them by a random generator that always begins alike.
fn mutate(name: &str) {
    let &(_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let seeds = seeds(name);
    for seed in &seeds {
        run(name, target, seed);
    }
    let mut random = Random(ChaCha8Rng::seed_from_u64(1));
    for _ in 0..MUTATED_INPUTS {
        let mut input = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            random.change(&mut input, &seeds);
        }
        input.truncate(INPUT_BYTES_MAX);
        run(name, target, &input);
    }
}

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0.next_u32() as usize % limit.max(1)
    }

    /// A range within a text of that length.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let end = (start + 1 + self.below(16)).min(length);
        start..end.max(start)
    }

    /// Changes the input in one place.
    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let tokens: [&[u8]; 24] = [
            b"<",
            b">",
            b"<_>",
            b":any>",
            b":quoted>",
            b"\"",
            b"'",
            b"\\",
            b"\\u00e9",
            b"\\ud83d",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b": ",
            b"\n",
            b" ",
            b"=",
            b"\0",
            b"\xff",
            b"\xc3\xa9",
            b"-9223372036854775808",
            b"1e999",
        ];
        let range = self.range(input.len());
        match self.below(6) {
            0 => input[range].iter_mut().for_each(|byte| *byte ^= 1 << 2),
            1 => input[range].fill(b'a'),
            2 => drop(input.drain(range)),
            3 => {
                let copy = input[range.clone()].to_vec();
                input.splice(range.end..range.end, copy);
            }
            4 => {
                let token = tokens[self.below(tokens.len())];
                input.splice(range.start..range.start, token.iter().copied());
            }
            _ => {
                let other = &seeds[self.below(seeds.len())];
                let part = other[self.range(other.len())].to_vec();
                input.splice(range, part);
            }
        }
    }
}

//! Rule files that are missing, broken, or in unusual places.

use std::fs;
use std::path::Path;

use serde_json::json;
use statetrail_rules::RuleText;

use crate::corpus::{Record, TIME, container_tag, folder};
use crate::guest::{EVENTS, FOLDER, Guest, Handover, Reply};
use crate::wasm;

pub(crate) fn rule_file(name: &str, verb: &str) -> RuleText {
    let text = format!(
        "namespaces: [shop]\nrules:\n  - name: {verb}\n    match: 'order <order> {verb}'\n    \
         emit: [{{entity: order/<order>, event: {verb}}}]\n    samples:\n      \
         - line: 'order o-1 {verb}'\n        events: [{{entity: order/o-1, event: {verb}}}]\n"
    );
    RuleText { name: name.to_owned(), text }
}

pub(crate) fn broken(name: &str) -> RuleText {
    let text = "namespaces: [shop]\nrules:\n  - name: x\n    mach: 'a'\n".to_owned();
    RuleText { name: name.to_owned(), text }
}

fn start(folder: &Path) -> Result<Guest, String> {
    Guest::start(&wasm::module().wasm, Some(folder))
}

fn finds(guest: &mut Guest, verb: &str) -> bool {
    let tag = container_tag("shop", "p", "app");
    let record = Record::new(&tag, TIME, &json!({"log": format!("order o-7 {verb}")}));
    let reply = guest
        .call(EVENTS, &record.tag, record.time, &record.json, Handover::Json)
        .expect("no record traps");
    reply != Reply::Null
}

#[test]
fn without_rules_it_refuses_to_start() {
    let said = Guest::start(&wasm::module().wasm, None).err().expect("it does not start");
    assert!(said.contains("no rule file") && said.contains("accessible_paths"), "{said}");

    let empty = tempfile::tempdir().expect("there is room for a folder");
    let said = start(empty.path()).err().expect("it does not start");
    assert!(said.contains(FOLDER), "the folder that was looked at is named: {said}");

    let all_broken = folder(&[broken("a.yaml"), broken("b.yaml")]);
    let said = start(all_broken.path()).err().expect("it does not start");
    for place in ["/etc/statetrail/rules/a.yaml:4:5", "/etc/statetrail/rules/b.yaml:4:5"] {
        assert!(said.contains(place), "{place} is named: {said}");
    }
}

#[test]
fn a_broken_file_is_reported_and_the_others_work() {
    let some_broken = folder(&[rule_file("a.yaml", "paid"), broken("b.yaml")]);
    let rules = some_broken.path().join("rules");
    fs::write(rules.join("c.yaml"), b"\xff\xfe").expect("there is room for a file");
    fs::create_dir(rules.join("d.yaml")).expect("there is room for a folder");
    fs::write(rules.join("e.yaml"), "").expect("there is room for a file");
    fs::write(rules.join("f.yaml"), "[".repeat(10_000)).expect("there is room for a file");
    fs::write(rules.join("ignored.txt"), "a: [").expect("there is room for a file");
    let mut guest = start(some_broken.path()).expect("the good file is enough");
    let log = guest.log();
    for file in ["b.yaml:4:5", "c.yaml", "d.yaml", "e.yaml", "f.yaml"] {
        assert!(log.contains(file), "{file} is named: {log}");
    }
    assert!(!log.contains("a.yaml") && !log.contains("ignored"), "{log}");
    assert!(log.lines().all(|line| line.starts_with("statetrail: ")), "{log}");
    assert!(finds(&mut guest, "paid"));
}

/// Every beginning of a rule file, and every file with one byte changed, is either used or
/// refused with a reason; none traps otherwise.
#[test]
fn damaged_files_are_used_or_refused() {
    let good = rule_file("good.yaml", "paid");
    let folder = folder(&[good]);
    let path = folder.path().join("rules/other.yaml");
    let other = rule_file("other.yaml", "shipped").text;
    for length in 0..other.len() {
        fs::write(&path, &other[..length]).expect("there is room for a file");
        let mut guest = start(folder.path()).expect("the good file is enough");
        assert!(finds(&mut guest, "paid"));
        assert!(finds(&mut guest, "shipped") || guest.log().contains("other.yaml"), "{length}");
    }
    for (index, byte) in b"{}[]<>:-'\"\\|&*#%\x00\xff\n\t".iter().cycle().enumerate().take(200) {
        let mut bytes = other.clone().into_bytes();
        let place = index * 7 % bytes.len();
        bytes[place] = *byte;
        fs::write(&path, &bytes).expect("there is room for a file");
        let mut guest = start(folder.path()).expect("the good file is enough");
        assert!(finds(&mut guest, "paid"), "{}", String::from_utf8_lossy(&bytes));
    }
}

/// A ConfigMap is a folder of links through a link that is swapped when it changes.
#[cfg(unix)]
#[test]
fn a_config_maps_links_are_followed() {
    use std::os::unix::fs::symlink;

    let mounted = tempfile::tempdir().expect("there is room for a folder");
    let rules = mounted.path().join("rules");
    for (version, verb) in [("..first", "paid"), ("..second", "shipped")] {
        fs::create_dir_all(rules.join(version)).expect("the folder is new");
        let file = rule_file("shop.yaml", verb);
        fs::write(rules.join(version).join("shop.yaml"), file.text).expect("there is room");
    }
    symlink("..first", rules.join("..data")).expect("links can be made");
    symlink("..data/shop.yaml", rules.join("shop.yaml")).expect("links can be made");
    let mut guest = start(mounted.path()).expect("it starts");
    assert!(finds(&mut guest, "paid") && !finds(&mut guest, "shipped"));

    fs::remove_file(rules.join("..data")).expect("the link is there");
    symlink("..second", rules.join("..data")).expect("links can be made");
    let mut guest = start(mounted.path()).expect("it starts");
    assert!(!finds(&mut guest, "paid") && finds(&mut guest, "shipped"));
}

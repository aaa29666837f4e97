//! The rule files that the project ships: every sample gives what it says.

use std::path::Path;

use statetrail_rules::{RuleText, check};

/// The rule files of `fluent-bit/rules`, as a user names them.
fn shipped_rule_files() -> Vec<RuleText> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fluent-bit/rules");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of rule files") {
        let path = entry.expect("a rule file").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let text = std::fs::read_to_string(&path).expect("a readable rule file");
        texts.push(RuleText { name: name.to_owned(), text });
    }
    texts
}

#[test]
fn every_sample_of_every_shipped_rule_gives_what_it_says() {
    let texts = shipped_rule_files();
    for shipped in ["shop.yaml", "dpkg.yaml", "openstack-nova.yaml"] {
        assert!(texts.iter().any(|text| text.name == shipped), "{shipped} is missing");
    }
    let faults: Vec<String> = check(&texts).iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

//! What is copied, and what is said when it cannot be.

use std::fs;

use statetrail_copier::{FILTER, RULES, copy_all};

#[test]
fn filter_and_rules_are_copied_again_and_again() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(from.path().join(RULES)).unwrap();
    let error = copy_all(from.path(), to.path()).unwrap_err().to_string();
    assert!(error.contains(FILTER), "{error}");
    fs::write(from.path().join(FILTER), "one").unwrap();
    fs::write(from.path().join("rules/a.yaml"), "a").unwrap();
    copy_all(from.path(), to.path()).unwrap();
    fs::write(from.path().join(FILTER), "two").unwrap();
    copy_all(from.path(), to.path()).unwrap();
    assert_eq!(fs::read_to_string(to.path().join(FILTER)).unwrap(), "two");
    assert_eq!(fs::read_to_string(to.path().join("rules/a.yaml")).unwrap(), "a");
    assert_eq!(fs::read_dir(to.path().join(RULES)).unwrap().count(), 1);
}

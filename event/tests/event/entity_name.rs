//! Names of entities.

use proptest::prelude::*;
use statetrail_event::{EntityName, MAX_ID_BYTES, MAX_NAMESPACE_BYTES, MAX_TYPE_BYTES};

use crate::generate;

proptest! {
    #[test]
    fn a_name_is_read_back_from_its_text(name in generate::entity_name()) {
        let again: EntityName = name.to_string().parse().unwrap();
        prop_assert_eq!(&again, &name);
        prop_assert_eq!(again.namespace(), name.namespace());
        prop_assert_eq!(again.subject(), format!("{}/{}", name.entity_type(), name.id()));
    }

    #[test]
    fn names_are_ordered_part_by_part(a in generate::entity_name(), b in generate::entity_name()) {
        let parts = |name: &EntityName| {
            [name.namespace().to_owned(), name.entity_type().to_owned(), name.id().to_owned()]
        };
        prop_assert_eq!(a.cmp(&b), parts(&a).cmp(&parts(&b)));
    }
}

#[test]
fn parts_are_told_apart_in_order() {
    // By the whole text, `a-b` would come before `a`.
    let names: Vec<EntityName> =
        ["a/z/1", "a-b/a/1"].iter().map(|text| text.parse().unwrap()).collect();
    assert!(names[0] < names[1]);
}

#[test]
fn an_id_may_hold_slashes() {
    let name: EntityName = "debian/file/usr/bin/ls".parse().unwrap();
    assert_eq!((name.namespace(), name.entity_type(), name.id()), ("debian", "file", "usr/bin/ls"));
    assert_eq!(name.subject(), "file/usr/bin/ls");
}

#[test]
fn what_is_no_name_is_refused_with_the_reason() {
    let long = |bytes: usize| "x".repeat(bytes);
    let cases = [
        ("".to_owned(), r#"an entity is named namespace/type/id, got """#),
        ("order/o-1".to_owned(), r#"an entity is named namespace/type/id, got "order/o-1""#),
        ("/order/o-1".to_owned(), "the namespace of an entity's name is empty"),
        ("shop//o-1".to_owned(), "the type of an entity's name is empty"),
        ("shop/order/".to_owned(), "the id of an entity's name is empty"),
        ("shop/or\tder/1".to_owned(), r"the type of an entity's name holds '\t'"),
        ("shop/order/o\u{85}1".to_owned(), r"the id of an entity's name holds '\u{85}'"),
        (
            format!("{}/a/b", long(MAX_NAMESPACE_BYTES + 1)),
            "the namespace of an entity's name has 254 bytes, the limit is 253",
        ),
        (
            format!("a/{}/b", long(MAX_TYPE_BYTES + 1)),
            "the type of an entity's name has 129 bytes, the limit is 128",
        ),
        (
            format!("a/b/{}", long(MAX_ID_BYTES + 1)),
            "the id of an entity's name has 1025 bytes, the limit is 1024",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(text.parse::<EntityName>().unwrap_err().to_string(), message);
    }
    let longest =
        EntityName::new(&long(MAX_NAMESPACE_BYTES), &long(MAX_TYPE_BYTES), &long(MAX_ID_BYTES));
    assert_eq!(longest.unwrap().id().len(), MAX_ID_BYTES);
    let slash = EntityName::new("a/b", "c", "d").unwrap_err();
    assert_eq!(slash.to_string(), "the namespace of an entity's name holds '/'");
}

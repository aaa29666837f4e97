//! Ids: their text, and that the same line always has the same ones (invariant I2).

use proptest::prelude::*;
use statetrail_event::{EventId, LineIdentity, MAX_SEQ, Source, Time, seq_of};

use crate::generate;

/// Computed with the Python package xxhash 4.1.0:
/// `w = struct.pack("<QqQQ", h(uri), nanos, seq, h(line))` with `h = xxh64(_, seed=0)`, then
/// `"%016x%016x" % (xxh64(w, seed=1), xxh64(w, seed=2))`.
const LINES: [(&str, i64, u64, &[u8], &str); 5] = [
    (
        "/shop/checkout-6f9c/app",
        1_795_341_600_000_000_000,
        0,
        b"order o-1042 paid",
        "eb8d9722dce0adf5358fb29f5b2a66b2",
    ),
    ("/shop", -1, 257, b"caf\xc3\xa9 \xff", "fad438cff0fa37821706240eefdcc831"),
    ("", 0, 0, b"", "cfb03c3505d4fdd5d9836ec7ea811e25"),
    ("/n/p/c", i64::MAX, MAX_SEQ, &[b'a'; 100], "e0015a1d8ef555b8a7a790a50b48cfb8"),
    ("/n/p/c", i64::MIN, 5, b"x", "b0f1d0189c8551a0e7f053e8fa872e05"),
];

/// Computed likewise, over `struct.pack("<QQ", h(source), h(id))`.
const FOREIGN: [(&str, &str, &str); 3] = [
    ("https://example.com/shop", "A234-1234-1234", "e7804c983985e077d9a2ff8f69767b5c"),
    ("/shop", "1", "86d6f515e86d6bdb726fe263ab03e4a3"),
    ("/shop", "ABCDEF00112233445566778899AABBCC", "4974616ac68ba48879e51625f3de0cf2"),
];

#[test]
fn ids_are_the_hashes_that_the_documentation_gives() {
    for (uri, nanos, seq, line, id) in LINES {
        let source = LineIdentity::source_hash(uri);
        let identity = LineIdentity::new(source, Time::from_nanos(nanos), line);
        assert_eq!(identity.event_id(seq).to_string(), id);
    }
    for (source, foreign, id) in FOREIGN {
        assert_eq!(EventId::from_foreign(source, foreign).to_string(), id);
    }
}

#[test]
fn our_own_form_of_an_id_is_taken_as_it_is() {
    let own = "eb8d9722dce0adf5358fb29f5b2a66b2";
    assert_eq!(EventId::from_foreign("/anything", own).to_string(), own);
}

#[test]
fn what_is_no_id_is_refused() {
    for text in [
        "",
        "eb8d9722dce0adf5358fb29f5b2a66b",
        "eb8d9722dce0adf5358fb29f5b2a66b2a",
        "EB8D9722DCE0ADF5358FB29F5B2A66B2",
        "gb8d9722dce0adf5358fb29f5b2a66b2",
        "eb8d9722-dce0-adf5-358f-b29f5b2a6",
        "éb8d9722dce0adf5358fb29f5b2a66b2",
        "éb8d9722dce0adf5358fb29f5b2a66b",
    ] {
        let error = text.parse::<EventId>().unwrap_err();
        assert_eq!(error.to_string(), "an event's id has 32 lower-case hexadecimal digits");
    }
}

proptest! {
    #[test]
    fn an_id_is_read_back_from_its_digits(id in generate::event_id()) {
        let text = id.to_string();
        prop_assert_eq!(text.len(), 32);
        prop_assert_eq!(&id.hex()[..], text.as_bytes());
        prop_assert_eq!(text.parse::<EventId>(), Ok(id));
    }

    #[test]
    fn ids_sort_as_their_digits_do(a in generate::event_id(), b in generate::event_id()) {
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }

    /// Each part of what a line is makes another id.
    #[test]
    fn every_part_of_a_line_counts(
        uri in generate::text(), time in any::<i64>(), seq in generate::position(),
        line in any::<Vec<u8>>(),
    ) {
        let id = |uri: &str, time: i64, seq: u64, line: &[u8]| {
            let source = LineIdentity::source_hash(uri);
            LineIdentity::new(source, Time::from_nanos(time), line).event_id(seq)
        };
        let original = id(&uri, time, seq, &line);
        prop_assert_eq!(id(&uri, time, seq, &line), original);
        let longer = [line.as_slice(), b" "].concat();
        let others = [
            id(&format!("{uri}/"), time, seq, &line),
            id(&uri, time.wrapping_add(1), seq, &line),
            id(&uri, time, seq ^ 1, &line),
            id(&uri, time, seq, &longer),
        ];
        for other in others {
            prop_assert_ne!(other, original);
        }
    }

    /// Lines keep the order of their positions, and a line's events theirs, within the limit.
    #[test]
    fn seq_orders_by_position_then_index(
        a in (0..=MAX_SEQ >> 8, any::<u8>()), b in (0..=MAX_SEQ >> 8, any::<u8>()),
    ) {
        prop_assert_eq!(seq_of(a.0, a.1).cmp(&seq_of(b.0, b.1)), a.cmp(&b));
        prop_assert!(seq_of(a.0, a.1) <= MAX_SEQ);
    }

    #[test]
    fn seq_never_exceeds_the_limit(position in any::<u64>(), index in any::<u8>()) {
        prop_assert!(seq_of(position, index) <= MAX_SEQ);
    }

    /// Whatever the parts hold, the URI is a path of as many parts, in plain ASCII.
    #[test]
    fn a_container_s_uri_has_three_parts(
        namespace in generate::name(), pod in generate::name(), container in generate::name(),
    ) {
        let uri = Source::container_uri(&namespace, &pod, &container);
        prop_assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)));
        prop_assert_eq!(uri.matches('/').count(), 3);
        let source = Source { uri, ..Source::default() };
        prop_assert!(source.pod().is_some() && source.container().is_some());
    }

    /// What a log is called can be read from its URI.
    #[test]
    fn a_log_s_uri_tells_its_names(
        namespace in generate::name(), pod in generate::name(), container in generate::name(),
    ) {
        let names = |uri: String| Source { uri, ..Source::default() }.log_names();
        let uri = Source::container_uri(&namespace, &pod, &container);
        prop_assert_eq!(names(uri), Some(vec![namespace.clone(), pod, container]));
        prop_assert_eq!(names(Source::namespace_uri(&namespace)), Some(vec![namespace]));
    }
}

#[test]
fn pod_and_container_are_read_from_a_container_s_uri_only() {
    let source = |uri: &str| Source { uri: uri.to_owned(), ..Source::default() };
    let container = source("/shop/checkout-6f9c/app");
    assert_eq!((container.pod(), container.container()), (Some("checkout-6f9c"), Some("app")));
    for uri in ["/shop", "/shop/a", "/shop/a/b/c", "https://example.com/x/y", ""] {
        assert_eq!((source(uri).pod(), source(uri).container()), (None, None), "{uri}");
    }
    assert_eq!(Source::container_uri("shop", "a b", "é"), "/shop/a%20b/%C3%A9");
}

#[test]
fn a_uri_of_another_form_tells_no_names() {
    for uri in ["", "/", "//", "/shop/", "/shop/a", "/shop//a", "/a/b/c/d", "https://example.com"] {
        let source = Source { uri: uri.to_owned(), ..Source::default() };
        assert_eq!(source.log_names(), None, "{uri}");
    }
    // Encoded otherwise than by us, or what is encoded is no text.
    for uri in ["/sh%6Fp", "/caf%c3%a9", "/sh p", "/%FF", "/%", "/%4", "/%zz", "/%+1"] {
        let source = Source { uri: uri.to_owned(), ..Source::default() };
        assert_eq!(source.log_names(), None, "{uri}");
    }
}

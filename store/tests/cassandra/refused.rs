//! Clusters that cannot be reached, do not let us in, or are not the ones that they should be:
//! each is told in one line, soon.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use statetrail_servers::{Cassandra, CassandraOptions};
use statetrail_store::StoreError;
use statetrail_store::cassandra::{Address, CassandraStore, migrate};
use tempfile::TempDir;

use crate::cluster::{address_in, assert_told, block_on, plan};

/// Generous for a busy machine; an unreachable node alone takes 5 seconds.
const SOON: Duration = Duration::from_secs(60);

fn refused(address: &Address) -> StoreError {
    let asked = Instant::now();
    let refused = block_on(CassandraStore::connect(address)).unwrap_err();
    assert!(asked.elapsed() < SOON, "after {:?}: {refused}", asked.elapsed());
    refused
}

#[test]
fn nothing_answers_at_the_address() {
    let listens = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listens.local_addr().unwrap().to_string();
    let closed = {
        let listened = TcpListener::bind("127.0.0.1:0").unwrap();
        listened.local_addr().unwrap().to_string()
    };
    for (node, said) in [
        (&*closed, "refused the connection"),
        (&*silent, "no answer within 5 s"),
        ("no-such-host.invalid", "none of its hosts has an address"),
    ] {
        let refused = refused(&format!("cassandra://{node}/trail").parse().unwrap());
        assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused:?}");
        assert!(refused.is_retryable());
        assert_told(&refused, &["cassandra://", node, "does not answer", said]);
    }
}

#[test]
fn a_cluster_with_users_and_tls() {
    let options = CassandraOptions { password: true, tls: true, ..CassandraOptions::default() };
    let cassandra = Cassandra::start_with(1, &options).unwrap();
    let folder = TempDir::new().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let ca = cassandra.ca_pem().unwrap().display();
    let (right, wrong) = (file("right", b"cassandra\n"), file("wrong", b"not-the-password"));
    let address = |settings: &str| address_in(&cassandra, "users", settings);

    let tls = format!("?ca_file={ca}");
    let as_user = |file: &str| address(&format!("{tls}&user=cassandra&password_file={file}"));
    let denied = |address: &Address, texts: &[&str]| {
        let refused = refused(address);
        assert!(matches!(refused, StoreError::Denied { .. }), "{refused:?}");
        assert!(!refused.is_retryable());
        assert_told(&refused, &[&["access denied"], texts].concat());
        assert!(!refused.to_string().contains("not-the-password"), "{refused}");
    };
    denied(&as_user(&wrong), &["user or password is wrong"]);
    denied(&address(&tls), &["asks for a user", "?user=NAME"]);
    denied(&address(&format!("{tls}&user=cassandra")), &["STATETRAIL_CASSANDRA_PASSWORD"]);
    denied(&as_user("no/such/file"), &["no/such/file", "cannot be read"]);

    let other_ca = openssl_ca();
    let (other_ca, no_ca) = (file("other.pem", &other_ca), file("no.pem", b"no certificate"));
    let untrusted = |settings: String, texts: &[&str]| {
        let refused = refused(&address(&settings));
        assert!(matches!(refused, StoreError::Open { .. }), "{refused:?}");
        assert_told(&refused, &[&["cannot be opened"], texts].concat());
    };
    let user = format!("user=cassandra&password_file={right}");
    untrusted(format!("?ca_file={other_ca}&{user}"), &["certificate", &other_ca]);
    untrusted(format!("?ca_file={no_ca}&{user}"), &["no.pem cannot be used for TLS"]);
    let plain = refused(&address(&format!("?{user}")));
    assert!(matches!(plain, StoreError::Unavailable { .. }), "{plain:?}");
    assert_told(&plain, &["if the cluster speaks TLS, add ?ca_file=FILE"]);

    block_on(async {
        migrate(&as_user(&right), &plan()).await.unwrap();
        CassandraStore::connect(&as_user(&right)).await.unwrap();
    });
}

/// The certificate of an authority that signed nothing, as PEM.
fn openssl_ca() -> Vec<u8> {
    use openssl::{asn1::Asn1Time, hash::MessageDigest, pkey::PKey, rsa::Rsa, x509};
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = x509::X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "another authority").unwrap();
    let name = name.build();
    let mut certificate = x509::X509::builder().unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    certificate.build().to_pem().unwrap()
}

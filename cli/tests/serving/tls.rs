//! HTTPS: who trusts the certificate gets answers, and nobody holds up others.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use openssl::ssl::{HandshakeError, SslConnector, SslMethod, SslStream};
use openssl::symm::Cipher;
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use statetrail_servers::Identity;

use crate::common::Place;
use crate::support::{Answer, Serving, exchange, get_request, token};

const STRICT: &str = "strict-transport-security";
const FILES: [&str; 4] = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
const PATH: &str = "/api/v1/state/shop/order/o-1042?at=2026-11-22T10:03:07Z";

/// A certificate that is signed by itself, for a server on this machine.
fn own() -> Identity {
    Identity::own().unwrap()
}

/// Writes the files that a server is given.
fn write(identity: &Identity, place: &Place) {
    place.write("cert.pem", identity.certificate_pem().unwrap());
    place.write("key.pem", identity.key_pem().unwrap());
}

/// A server with a certificate of its own over the usual log.
fn start(place: &Place, identity: &Identity, args: &[&str]) -> Serving {
    write(identity, place);
    let serving = Serving::start(place, &[&FILES, args].concat());
    assert_eq!(serving.scheme, "https");
    serving
}

/// Shakes hands as a client that trusts only one certificate.
fn shake(
    serving: &Serving,
    trusted: &X509,
    name: &str,
) -> Result<SslStream<TcpStream>, HandshakeError<TcpStream>> {
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(trusted.clone()).unwrap();
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_cert_store(store.build());
    builder.set_alpn_protos(b"\x02h2\x08http/1.1").unwrap();
    builder.build().connect(name, serving.connect())
}

fn get(serving: &Serving, trusted: &X509, path: &str, headers: &[(&str, &str)]) -> Answer {
    let stream = shake(serving, trusted, "127.0.0.1").unwrap();
    exchange(stream, &get_request(path, headers))
}

#[track_caller]
fn assert_answers(serving: &Serving, trusted: &X509) {
    let answer = get(serving, trusted, PATH, &[]);
    assert_eq!((answer.status, &answer.json()["state"]["status"]), (200, &"paid".into()));
    // A browser asks over TLS alone from now on.
    assert_eq!(answer.header(STRICT), Some("max-age=31536000"));
}

#[test]
fn who_trusts_the_certificate_gets_answers_and_nobody_else_does() {
    let (place, identity) = (Place::with_log(), own());
    let serving = start(&place, &identity, &[]);
    assert_answers(&serving, &identity.certificate);
    let stream = shake(&serving, &identity.certificate, "localhost").unwrap();
    assert_eq!(stream.ssl().selected_alpn_protocol(), Some(&b"http/1.1"[..]));
    let other = own();
    assert!(shake(&serving, &other.certificate, "127.0.0.1").is_err(), "another certificate");
    assert!(shake(&serving, &identity.certificate, "statetrail.example").is_err(), "another name");
    assert_answers(&serving, &identity.certificate);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn certificates_behind_the_first_lead_to_the_authority() {
    let place = Place::with_log();
    let root = Identity::new("root", None, true).unwrap();
    let between = Identity::new("between", Some(&root), true).unwrap();
    let server = Identity::new("server", Some(&between), false).unwrap();
    write(&server, &place);
    let alone = Serving::start(&place, &FILES);
    assert!(shake(&alone, &root.certificate, "127.0.0.1").is_err(), "nothing leads to the root");
    place.write("cert.pem", [&server, &between].map(|it| it.certificate_pem().unwrap()).concat());
    assert_answers(&Serving::start(&place, &FILES), &root.certificate);
}

/// What a browser sends to log in.
fn log_in(token: &str) -> String {
    let form = format!("token={token}");
    let length = form.len();
    format!(
        "POST /login HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
    )
}

#[test]
fn the_token_of_a_browser_goes_over_tls_only() {
    let (place, identity) = (Place::with_log(), own());
    let (token, table) = token(&place);
    place.write("tokens.toml", table);
    let log_in = log_in(&token);
    let serving = start(&place, &identity, &["--tokens", "tokens.toml"]);
    let trusted = &identity.certificate;
    let answer = exchange(shake(&serving, trusted, "127.0.0.1").unwrap(), &log_in);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let mut cookie = answer.header("set-cookie").unwrap().split("; ");
    let pair = cookie.next().unwrap();
    let attributes: Vec<&str> = cookie.collect();
    assert!(attributes.contains(&"Secure") && attributes.contains(&"HttpOnly"), "{attributes:?}");
    assert_eq!(get(&serving, trusted, "/", &[]).status, 303, "to where a token is asked for");
    assert_eq!(get(&serving, trusted, "/", &[("Cookie", pair)]).status, 200);
    assert_eq!(get(&serving, trusted, PATH, &[("Cookie", pair)]).status, 200);
    let out = "POST /logout HTTP/1.0\r\nHost: localhost\r\n\r\n";
    let out = exchange(shake(&serving, trusted, "127.0.0.1").unwrap(), out);
    assert!(out.header("set-cookie").unwrap().ends_with("; Secure"), "{out:?}");

    // A browser would not keep such a cookie of a server without TLS, and must not insist on it.
    let plain = Serving::start(&place, &["--tokens", "tokens.toml"]);
    let answer = exchange(plain.connect(), &log_in);
    assert_eq!(answer.header(STRICT), None);
    assert!(!answer.header("set-cookie").unwrap().contains("Secure"), "{answer:?}");
}

/// TLS that ends at a proxy is none for the server, and all for the browser.
#[test]
fn behind_a_proxy_that_speaks_tls_the_token_goes_over_tls_only() {
    let place = Place::with_log();
    let (token, table) = token(&place);
    place.write("tokens.toml", table);
    let serving = Serving::start(&place, &["--tokens", "tokens.toml", "--behind-tls"]);
    assert_eq!(serving.scheme, "http");
    let answer = exchange(serving.connect(), &log_in(&token));
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert_eq!(answer.header(STRICT), Some("max-age=31536000"));
    assert!(answer.header("set-cookie").unwrap().ends_with("; Secure"), "{answer:?}");
    let pair = answer.header("set-cookie").unwrap().split("; ").next().unwrap();
    assert_eq!(serving.get_with(PATH, &[("Cookie", pair)]).status, 200);
    let out = exchange(serving.connect(), "POST /logout HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert!(out.header("set-cookie").unwrap().ends_with("; Secure"), "{out:?}");
    write(&own(), &place);
    let both = ["serve", "--listen", "127.0.0.1:0", "--behind-tls"];
    let both: Vec<&str> = both.into_iter().chain(FILES).collect();
    place.run(both).expect_code(2).expect_error("--behind-tls");
}

#[test]
fn what_is_no_tls_is_refused() {
    let (place, identity) = (Place::with_log(), own());
    let serving = start(&place, &identity, &[]);
    let plain = get_request(PATH, &[]);
    let long = vec![0; 1 << 20];
    for sent in [plain.as_bytes(), b"\x16\x03\x01\xff\xff\x01", b"\r\n\r\n", &long] {
        let mut stream = serving.connect();
        // It may have ended the connection before it has taken all.
        let _ = stream.write_all(sent);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/") && answer.len() < 100, "{answer:?}");
        assert_answers(&serving, &identity.certificate);
    }
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_handshake_that_stands_still_holds_nobody_up_and_is_let_go() {
    const STALLED: usize = 200;
    let (place, identity) = (Place::with_log(), own());
    let serving = start(&place, &identity, &[]);
    let stall = |number| {
        let mut stream = serving.connect();
        // Half of them begin with what a client says first.
        if number % 2 == 0 {
            stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").unwrap();
        }
        stream
    };
    let mut stalled: Vec<TcpStream> = (0..STALLED).map(stall).collect();
    assert_answers(&serving, &identity.certificate);
    // Whoever was answered has not waited until they were let go.
    let last = stalled.last_mut().unwrap();
    last.set_nonblocking(true).unwrap();
    assert_eq!(last.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    last.set_nonblocking(false).unwrap();
    for stream in &mut stalled {
        match stream.read(&mut [0]) {
            Ok(read) => assert_eq!(read, 0, "it says something"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    assert_answers(&serving, &identity.certificate);
}

#[test]
fn files_that_cannot_be_used_are_told_in_one_line() {
    let (place, identity, other) = (Place::with_log(), own(), own());
    write(&identity, &place);
    place.write("text.pem", "no certificate\n");
    let cut = identity.certificate_pem().unwrap();
    place.write("cut.pem", &cut[..cut.len() / 2]);
    let garbled = String::from_utf8(cut).unwrap().replacen("MII", "AAA", 1);
    place.write("garbled.pem", garbled);
    place.write("other.pem", other.key_pem().unwrap());
    let locked = identity.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret");
    place.write("locked.pem", locked.unwrap());
    for (certificate, key, said) in [
        ("none.pem", "key.pem", "--tls-cert none.pem: cannot be read: No such file"),
        ("cert.pem", "none.pem", "--tls-key none.pem: cannot be read: No such file"),
        (".", "key.pem", "--tls-cert .: cannot be read: Is a directory"),
        ("text.pem", "key.pem", "--tls-cert text.pem: there is no certificate in PEM in it"),
        ("key.pem", "key.pem", "--tls-cert key.pem: there is no certificate in PEM in it"),
        ("cut.pem", "key.pem", "--tls-cert cut.pem: a certificate in it cannot be read"),
        ("garbled.pem", "key.pem", "--tls-cert garbled.pem: a certificate in it cannot be read"),
        ("cert.pem", "text.pem", "--tls-key text.pem: there is no private key in PEM"),
        ("cert.pem", "cert.pem", "--tls-key cert.pem: there is no private key in PEM"),
        ("cert.pem", "locked.pem", "--tls-key locked.pem: there is no private key in PEM, without"),
        (
            "cert.pem",
            "other.pem",
            "--tls-key other.pem: not the key of the certificate in cert.pem",
        ),
    ] {
        let files =
            ["serve", "--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
        let answer = place.run(files).expect_code(2).expect_error(&format!("error: {said}"));
        assert_eq!((answer.err.lines().count(), &*answer.out), (1, ""), "{}", answer.err);
    }
}

//! The address of a store in Cassandra:
//! `cassandra://host:port,host:port/keyspace?name=value&name=value`.
//!
//! | name | meaning | default |
//! |---|---|---|
//! | `consistency` | `local_quorum`, `quorum`, `local_one`, `one`, `all`, for reads and writes | `local_quorum` |
//! | `local_dc` | the datacenter whose nodes are asked | any |
//! | `user` | who logs in | nobody |
//! | `password_file` | a file with the password; the variable [`PASSWORD_VARIABLE`] stands in for it | |
//! | `ca_file` | certificates to trust, as PEM; turns TLS on | |
//! | `cert_file`, `key_file` | the client's own certificate and key, as PEM | |
//!
//! A password never stands in the address, because addresses are shown and logged.

use std::collections::HashSet;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

use scylla::statement::Consistency;

/// The environment variable that holds the password when there is no `password_file`.
pub const PASSWORD_VARIABLE: &str = "STATETRAIL_CASSANDRA_PASSWORD";
/// What an address begins with.
pub const SCHEME: &str = "cassandra://";
const DEFAULT_PORT: u16 = 9042;
/// Cassandra's own limit.
const MAX_KEYSPACE_BYTES: usize = 48;

/// Where a store is and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The nodes to begin with, as `host:port`.
    pub nodes: Vec<String>,
    /// The keyspace that holds the store's tables.
    pub keyspace: String,
    /// How many replicas have to answer.
    pub consistency: Consistency,
    /// The datacenter whose nodes are asked.
    pub local_dc: Option<String>,
    /// Who logs in.
    pub user: Option<String>,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// The certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate.
    pub cert_file: Option<PathBuf>,
    /// The key of the client's own certificate.
    pub key_file: Option<PathBuf>,
}

/// Why a text is not the address of a store in Cassandra.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The form is another.
    #[error("not of the form cassandra://HOST[:PORT][,HOST...]/KEYSPACE[?NAME=VALUE&...]: {0}")]
    Form(&'static str),
    /// The password stands in the address.
    #[error(
        "a password has no place in an address, which is shown and logged: write \
         ?user=NAME&password_file=PATH, or set {PASSWORD_VARIABLE}"
    )]
    Password,
    /// The port is no number.
    #[error("port {0:?} is not a number from 1 to 65535")]
    Port(String),
    /// The keyspace has characters that statetrail does not use.
    #[error(
        "keyspace {0:?}: a keyspace has lower case letters, digits and underscores, begins with a \
         letter and has at most {MAX_KEYSPACE_BYTES} of them"
    )]
    Keyspace(String),
    /// There is no such setting.
    #[error(
        "unknown setting {0:?}: there are consistency, local_dc, user, password_file, ca_file, \
         cert_file, key_file"
    )]
    Setting(String),
    /// A setting stands twice.
    #[error("setting {0:?} stands twice")]
    Twice(String),
    /// The consistency has no such value.
    #[error("consistency {0:?} is none of local_quorum, quorum, local_one, one, all")]
    Consistency(String),
    /// Settings that go together stand alone.
    #[error("{0} also needs {1}")]
    Incomplete(&'static str, &'static str),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let rest = text.strip_prefix(SCHEME).ok_or(AddressError::Form("the scheme is missing"))?;
        let (rest, settings) = rest.split_once('?').unwrap_or((rest, ""));
        let (nodes, keyspace) =
            rest.split_once('/').ok_or(AddressError::Form("the keyspace is missing"))?;
        if nodes.contains('@') {
            return Err(AddressError::Password);
        }
        let mut address = Address {
            nodes: nodes.split(',').map(node).collect::<Result<_, _>>()?,
            keyspace: keyspace_of(keyspace)?,
            consistency: Consistency::LocalQuorum,
            local_dc: None,
            user: None,
            password_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
        };
        let mut seen = Vec::new();
        for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
            let (name, value) =
                setting.split_once('=').ok_or(AddressError::Form("a setting has no ="))?;
            if seen.contains(&name) {
                return Err(AddressError::Twice(name.to_owned()));
            }
            seen.push(name);
            address.set(name, value)?;
        }
        address.check()
    }
}

impl Address {
    fn set(&mut self, name: &str, value: &str) -> Result<(), AddressError> {
        let text = || Some(value.to_owned());
        match name {
            "consistency" => self.consistency = consistency(value)?,
            "local_dc" => self.local_dc = text(),
            "user" => self.user = text(),
            "password_file" => self.password_file = Some(value.into()),
            "ca_file" => self.ca_file = Some(value.into()),
            "cert_file" => self.cert_file = Some(value.into()),
            "key_file" => self.key_file = Some(value.into()),
            "password" => return Err(AddressError::Password),
            _ => return Err(AddressError::Setting(name.to_owned())),
        }
        Ok(())
    }

    fn check(self) -> Result<Address, AddressError> {
        if self.password_file.is_some() && self.user.is_none() {
            return Err(AddressError::Incomplete("password_file", "user"));
        }
        if self.cert_file.is_some() != self.key_file.is_some() {
            return Err(AddressError::Incomplete("cert_file", "key_file, and the other way round"));
        }
        if self.cert_file.is_some() && self.ca_file.is_none() {
            return Err(AddressError::Incomplete("cert_file", "ca_file"));
        }
        Ok(self)
    }

    /// How the store is named to people: its nodes and keyspace.
    pub fn place(&self) -> String {
        format!("{SCHEME}{}/{}", self.nodes.join(","), self.keyspace)
    }

    /// Whether both are the same keyspace, reached by a node that both name, however they call it.
    pub(crate) fn is_same_place(&self, other: &Address) -> bool {
        if self.keyspace != other.keyspace {
            return false;
        }
        let addresses = |node: &String| node.to_socket_addrs().into_iter().flatten();
        let ours: HashSet<SocketAddr> = self.nodes.iter().flat_map(addresses).collect();
        let mut theirs = other.nodes.iter().flat_map(addresses);
        other.nodes.iter().any(|node| self.nodes.contains(node))
            || theirs.any(|address| ours.contains(&address))
    }
}

fn node(text: &str) -> Result<String, AddressError> {
    // An address of version 6 stands in brackets, because it holds colons itself.
    let port_at = match text.rfind(']') {
        Some(bracket) => text[bracket..].find(':').map(|colon| bracket + colon),
        None => text.find(':'),
    };
    let (host, port) = match port_at {
        Some(colon) => (&text[..colon], &text[colon + 1..]),
        None => return node(&format!("{text}:{DEFAULT_PORT}")),
    };
    if host.is_empty() {
        return Err(AddressError::Form("a host is missing"));
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(text.to_owned()),
        _ => Err(AddressError::Port(port.to_owned())),
    }
}

fn keyspace_of(text: &str) -> Result<String, AddressError> {
    if text.is_empty() {
        return Err(AddressError::Form("the keyspace is missing"));
    }
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let sound = text.bytes().all(fits)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= MAX_KEYSPACE_BYTES;
    if sound { Ok(text.to_owned()) } else { Err(AddressError::Keyspace(text.to_owned())) }
}

fn consistency(text: &str) -> Result<Consistency, AddressError> {
    match text {
        "local_quorum" => Ok(Consistency::LocalQuorum),
        "quorum" => Ok(Consistency::Quorum),
        "local_one" => Ok(Consistency::LocalOne),
        "one" => Ok(Consistency::One),
        "all" => Ok(Consistency::All),
        _ => Err(AddressError::Consistency(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_and_the_whole_one() {
        let short: Address = "cassandra://db/trail".parse().unwrap();
        assert_eq!(short.nodes, ["db:9042"]);
        assert_eq!((&*short.keyspace, short.consistency), ("trail", Consistency::LocalQuorum));
        let whole: Address = "cassandra://a:1,[::1]:2,[fe80::1]/t_2?consistency=one&local_dc=dc1\
             &user=u&password_file=/p&ca_file=ca&cert_file=c&key_file=k"
            .parse()
            .unwrap();
        assert_eq!(whole.nodes, ["a:1", "[::1]:2", "[fe80::1]:9042"]);
        assert_eq!(whole.place(), "cassandra://a:1,[::1]:2,[fe80::1]:9042/t_2");
        assert_eq!(whole.password_file, Some("/p".into()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (wrong, said) in [
            ("cassandra://db", "the keyspace is missing"),
            ("cassandra://db/", "the keyspace is missing"),
            ("cassandra:///trail", "a host is missing"),
            ("cassandra://db:0/trail", "port \"0\""),
            ("cassandra://db:x/trail", "port \"x\""),
            ("cassandra://u:secret@db/trail", "has no place in an address"),
            ("cassandra://db/trail?user=u&password=secret", "has no place in an address"),
            ("cassandra://db/Trail", "keyspace \"Trail\""),
            ("cassandra://db/trail?consitency=one", "unknown setting \"consitency\""),
            ("cassandra://db/trail?consistency=two", "none of local_quorum"),
            ("cassandra://db/trail?user=a&user=b", "stands twice"),
            ("cassandra://db/trail?password_file=p", "also needs user"),
            ("cassandra://db/trail?ca_file=c&cert_file=c", "also needs key_file"),
        ] {
            let error = wrong.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(said), "{wrong}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

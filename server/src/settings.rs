//! What can be set about a server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How a server is to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file of tokens; without one, everybody who reaches the server may read everything.
    pub tokens: Option<PathBuf>,
    /// Certificate and key; without them, HTTP is not encrypted.
    pub tls: Option<Tls>,
    /// Whether HTTPS ends at a proxy before it, so that browsers speak HTTPS though it does not.
    pub behind_tls: bool,
    /// What a request may ask for.
    pub limits: Limits,
}

/// The files of a certificate, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, and behind it those that lead to one that clients know.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What requests may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most that a page may hold.
    pub page: usize,
    /// Questions that are answered at a time; others wait.
    pub questions: usize,
    /// How long a question may wait and take.
    pub deadline: Duration,
    /// How long the body of a request may take to come.
    pub body: Duration,
    /// How long a client may take over one answer; a stream of events may go on for good.
    pub sending: Duration,
    /// Connections at a time.
    pub connections: usize,
    /// Clients that follow at a time.
    pub followers: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            page: 1_000,
            questions: 32,
            deadline: Duration::from_secs(30),
            body: Duration::from_secs(10),
            sending: Duration::from_secs(60),
            connections: 1_024,
            followers: 512,
        }
    }
}

/// Why settings do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Anybody on the network could read everything.
    #[error(
        "--listen {0} can be reached from other machines, so it needs --tokens FILE; \
         without tokens, listen on 127.0.0.1"
    )]
    Open(SocketAddr),
}

impl Settings {
    /// The settings of a server that only this machine reaches.
    pub fn local(listen: SocketAddr) -> Settings {
        Settings { listen, tokens: None, tls: None, behind_tls: false, limits: Limits::default() }
    }

    /// Whether they may be used.
    ///
    /// # Errors
    /// When other machines could read everything without a token.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.tokens.is_none() && !self.listen.ip().is_loopback() {
            return Err(SettingsError::Open(self.listen));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_ask_without_a_token() {
        for (address, allowed) in [
            ("127.0.0.1:8080", true),
            ("127.1.2.3:1", true),
            ("[::1]:8080", true),
            ("0.0.0.0:8080", false),
            ("[::]:8080", false),
            ("10.0.0.1:8080", false),
        ] {
            let mut settings = Settings::local(address.parse().unwrap());
            assert_eq!(settings.check().is_ok(), allowed, "{address}");
            settings.tokens = Some("tokens.toml".into());
            assert!(settings.check().is_ok(), "{address}");
        }
    }
}

//! Ports that nobody uses.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::ops::Range;

/// Below the ports that systems give to outgoing connections. Otherwise a client that tries again
/// while its server is down can be given the server's port, and the server never comes back.
const PORTS: Range<u16> = 15_000..32_000;

/// How often a start may meet a port that another process was faster to take.
pub(crate) const TRIES: usize = 5;

/// A port on which nobody listens, at any of these addresses.
///
/// Until a server listens there, another process can take it. Whoever starts a server looks for
/// that in its log and tries again with other ports.
pub(crate) fn free_port(addresses: &[&str]) -> u16 {
    loop {
        let port = any_port();
        if addresses.iter().all(|address| TcpListener::bind((*address, port)).is_ok()) {
            return port;
        }
    }
}

fn any_port() -> u16 {
    // A new RandomState has new keys, so this is a random number without a crate for it.
    let span = u64::from(PORTS.end - PORTS.start);
    let offset = RandomState::new().hash_one(0) % span;
    PORTS.start + u16::try_from(offset).expect("less than a span of ports")
}

/// Whether a line of a server's log says that its port is taken.
pub(crate) fn says_port_taken(log: &str) -> bool {
    log.contains("Address already in use") || log.contains("is in use by another process")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_is_not_one_for_outgoing_connections() {
        let port = free_port(&["127.0.0.1", "127.0.0.2"]);
        assert!(PORTS.contains(&port));
        let _first = TcpListener::bind(("127.0.0.2", port)).unwrap();
        assert!(TcpListener::bind(("127.0.0.2", port)).is_err());
    }
}

//! Ports that nobody uses.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::ops::Range;

use crate::Error;

/// Below the ports that systems give to outgoing connections. Otherwise a client that tries again
/// while its server is down can be given the server's port, and the server never comes back.
const PORTS: Range<u16> = 15_000..32_000;

/// How often a start may meet a port that another process was faster to take.
const TRIES: usize = 5;

/// Starts a server with ports from [`free_port`], and again if its log says that one was taken.
pub(crate) fn with_free_ports<T>(start: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..TRIES {
        match start() {
            Err(Error::Ended { reason, .. }) if says_port_taken(&reason) => {}
            result => return result,
        }
    }
    start()
}

/// A port on which nobody listens, at any of these addresses. Until a server listens there, another
/// process can take it, hence [`with_free_ports`].
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

fn says_port_taken(log: &str) -> bool {
    log.contains("Address already in use") || log.contains("is in use by another process")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_was_taken_is_tried_again_and_nothing_else_is() {
        let ended = |reason: &str| {
            Err(Error::Ended { server: String::new(), reason: reason.to_owned(), log: "".into() })
        };
        let starts = std::cell::Cell::new(0);
        let start = |result: &dyn Fn(i32) -> Result<i32, Error>| {
            starts.set(starts.get() + 1);
            result(starts.get())
        };
        let third =
            |n| if n < 3 { ended("java.net.BindException: Address already in use") } else { Ok(n) };
        assert_eq!(with_free_ports(|| start(&third)).unwrap(), 3);
        assert!(with_free_ports(|| start(&|_| ended("out of memory"))).is_err());
        assert_eq!(starts.get(), 4);
    }

    #[test]
    fn a_free_port_can_be_bound_and_is_not_one_for_outgoing_connections() {
        let port = free_port(&["127.0.0.1", "127.0.0.2"]);
        assert!(PORTS.contains(&port));
        let _first = TcpListener::bind(("127.0.0.2", port)).unwrap();
        assert!(TcpListener::bind(("127.0.0.2", port)).is_err());
    }
}

//! Who asks, and what they may see.

pub(crate) mod guard;
mod scope;
mod scoped_store;
mod tokens;

pub use scope::Scope;
pub(crate) use scoped_store::ScopedStore;
pub use tokens::{Token, Tokens, TokensError, hash_of, hex, new_token};

/// How a server lets people in.
#[derive(Debug, Default)]
pub struct Access {
    /// Who may ask; `None` lets in everybody who reaches this machine's own addresses.
    pub tokens: Option<Tokens>,
    /// Whether connections of browsers are encrypted, be it by a proxy; they then send a token over such
    /// ones only.
    pub is_tls: bool,
}

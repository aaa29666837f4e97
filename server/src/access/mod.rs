//! Who asks, and what they may see.

pub(crate) mod guard;
mod scope;
mod scoped_store;
mod tokens;

pub use scope::Scope;
pub(crate) use scoped_store::ScopedStore;
pub use tokens::{Token, Tokens, TokensError, hash_of, hex, new_token};

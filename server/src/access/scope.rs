//! The namespaces that somebody may read.

use std::collections::BTreeSet;
use std::sync::Arc;

/// What somebody may see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything.
    All,
    /// These namespaces and nothing else.
    Namespaces(Arc<BTreeSet<String>>),
}

impl Scope {
    /// Only these namespaces.
    pub fn of(namespaces: impl IntoIterator<Item = String>) -> Scope {
        Scope::Namespaces(Arc::new(namespaces.into_iter().collect()))
    }

    /// Whether a namespace is within it.
    pub fn allows(&self, namespace: &str) -> bool {
        match self {
            Scope::All => true,
            Scope::Namespaces(namespaces) => namespaces.contains(namespace),
        }
    }
}

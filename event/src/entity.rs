//! The name of an entity: `namespace/type/id`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Longest namespace, in bytes (the limit of a DNS name, which bounds Kubernetes' own names).
pub const MAX_NAMESPACE_BYTES: usize = 253;
/// Longest entity type, in bytes.
pub const MAX_TYPE_BYTES: usize = 128;
/// Longest entity id, in bytes.
pub const MAX_ID_BYTES: usize = 1024;

/// The full name of an entity, such as `shop/order/o-1042`.
///
/// Namespace and type hold no slash; the id may (`debian/file/usr/bin/ls` has the id
/// `usr/bin/ls`). No part is empty, too long or holds a control character. Names are ordered
/// by namespace, then type, then id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntityName {
    full: String,
    namespace_end: u16,
    type_end: u16,
}

/// Why a text is not the name of an entity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntityNameError {
    /// There are fewer than two slashes.
    #[error("an entity is named namespace/type/id, got {0:?}")]
    Form(String),
    /// A part is empty.
    #[error("the {0} of an entity's name is empty")]
    Empty(&'static str),
    /// A part exceeds its limit.
    #[error("the {part} of an entity's name has {bytes} bytes, the limit is {limit}")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A part holds a control character, or the namespace or type a slash.
    #[error("the {part} of an entity's name holds {character:?}")]
    Character {
        /// Which part.
        part: &'static str,
        /// The character that may not stand there.
        character: char,
    },
}

impl EntityName {
    /// Tells whether the three parts make a name.
    ///
    /// # Errors
    /// When a part is empty, too long or holds a character that it may not.
    pub fn check(namespace: &str, entity_type: &str, id: &str) -> Result<(), EntityNameError> {
        check_part("namespace", namespace, MAX_NAMESPACE_BYTES, true)?;
        check_part("type", entity_type, MAX_TYPE_BYTES, true)?;
        check_part("id", id, MAX_ID_BYTES, false)
    }

    /// Tells whether `id` can be the last part of a name.
    ///
    /// # Errors
    /// As [`EntityName::check`].
    pub fn check_id(id: &str) -> Result<(), EntityNameError> {
        check_part("id", id, MAX_ID_BYTES, false)
    }

    /// Joins the three parts.
    ///
    /// # Errors
    /// As [`EntityName::check`].
    pub fn new(
        namespace: &str,
        entity_type: &str,
        id: &str,
    ) -> Result<EntityName, EntityNameError> {
        EntityName::check(namespace, entity_type, id)?;
        let mut full = String::with_capacity(namespace.len() + entity_type.len() + id.len() + 2);
        full.push_str(namespace);
        full.push('/');
        full.push_str(entity_type);
        full.push('/');
        full.push_str(id);
        Ok(EntityName {
            full,
            namespace_end: namespace.len() as u16,
            type_end: (namespace.len() + 1 + entity_type.len()) as u16,
        })
    }

    /// The namespace, `shop` in `shop/order/o-1042`.
    pub fn namespace(&self) -> &str {
        &self.full[..usize::from(self.namespace_end)]
    }

    /// The type, `order` in `shop/order/o-1042`.
    pub fn entity_type(&self) -> &str {
        &self.full[usize::from(self.namespace_end) + 1..usize::from(self.type_end)]
    }

    /// The id, `o-1042` in `shop/order/o-1042`.
    pub fn id(&self) -> &str {
        &self.full[usize::from(self.type_end) + 1..]
    }

    /// Type and id, `order/o-1042`: the `subject` of a CloudEvent.
    pub fn subject(&self) -> &str {
        &self.full[usize::from(self.namespace_end) + 1..]
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    fn parts(&self) -> (&str, &str, &str) {
        (self.namespace(), self.entity_type(), self.id())
    }
}

fn check_part(
    part: &'static str,
    text: &str,
    limit: usize,
    slash_forbidden: bool,
) -> Result<(), EntityNameError> {
    if text.is_empty() {
        return Err(EntityNameError::Empty(part));
    }
    if text.len() > limit {
        return Err(EntityNameError::TooLong { part, bytes: text.len(), limit });
    }
    // Names are ASCII mostly, where bytes tell as much as characters and are looked at faster.
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !(slash_forbidden && byte == b'/');
    if text.bytes().all(plain) {
        return Ok(());
    }
    let forbidden = |c: &char| c.is_control() || (slash_forbidden && *c == '/');
    match text.chars().find(forbidden) {
        Some(character) => Err(EntityNameError::Character { part, character }),
        None => Ok(()),
    }
}

impl FromStr for EntityName {
    type Err = EntityNameError;

    fn from_str(text: &str) -> Result<EntityName, EntityNameError> {
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(namespace), Some(entity_type), Some(id)) => {
                EntityName::new(namespace, entity_type, id)
            }
            _ => Err(EntityNameError::Form(text.to_owned())),
        }
    }
}

impl fmt::Display for EntityName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.full)
    }
}

impl fmt::Debug for EntityName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.full, formatter)
    }
}

impl Ord for EntityName {
    fn cmp(&self, other: &EntityName) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for EntityName {
    fn partial_cmp(&self, other: &EntityName) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

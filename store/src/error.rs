//! What can go wrong with a store.

/// Why a store could not do what it was asked. Each message names the store's place, the cause
/// and, where there is one, the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is nothing to read.
    #[error("{place}: there is no store; an import creates it")]
    Missing {
        /// The store.
        place: String,
    },
    /// The file is something else.
    #[error("{place}: not a statetrail store, but {found}")]
    NotAStore {
        /// The store.
        place: String,
        /// What stands there.
        found: String,
    },
    /// The store was made by another version.
    #[error(
        "{place}: the store has format {found}, this program reads format {supported}; {}",
        way_out(*found, *supported)
    )]
    OtherFormat {
        /// The store.
        place: String,
        /// The store's format.
        found: i64,
        /// The only format that this program knows.
        supported: i64,
    },
    /// The store was made by an older version, and can be taken to this one's.
    #[error(
        "{place}: the store has format {found}, this program reads format {supported}; run \
         statetrail migrate --store {place} with what was stated when it was made"
    )]
    Outdated {
        /// The store.
        place: String,
        /// The store's format.
        found: i64,
        /// The format of this program.
        supported: i64,
    },
    /// Writing is not allowed.
    #[error("{place}: cannot be written: {reason}")]
    ReadOnly {
        /// The store.
        place: String,
        /// What forbids it.
        reason: String,
    },
    /// The file or its folder cannot be opened.
    #[error("{place}: cannot be opened: {reason}")]
    Open {
        /// The store.
        place: String,
        /// What the system said.
        reason: String,
    },
    /// There is no room left.
    #[error("{place}: the disk is full; what was stored before is safe, free some room and repeat")]
    Full {
        /// The store.
        place: String,
    },
    /// Somebody else is writing.
    #[error("{place}: another process has been writing for {waited_seconds} s; try again later")]
    Busy {
        /// The store.
        place: String,
        /// How long we waited for our turn.
        waited_seconds: u64,
    },
    /// Its servers do not answer, or too few of them.
    #[error("{place}: does not answer: {reason}")]
    Unavailable {
        /// The store.
        place: String,
        /// What is known of the cause.
        reason: String,
    },
    /// Its servers do not let us in, or not do that.
    #[error("{place}: access denied: {reason}")]
    Denied {
        /// The store.
        place: String,
        /// What they said.
        reason: String,
    },
    /// The tables are missing.
    #[error("{place}: there is no store yet; make it with statetrail migrate --store {place}")]
    NotMigrated {
        /// The store.
        place: String,
    },
    /// The store was made with other settings than are stated now.
    #[error("{place}: made with other settings, which stay for good: {}", .differences.join("; "))]
    OtherSettings {
        /// The store.
        place: String,
        /// What differs.
        differences: Vec<String>,
    },
    /// A place in the order of arrival is none of this store.
    #[error("{place}: {cursor} is no place to go on from in this store: {reason}")]
    OtherCursor {
        /// The store.
        place: String,
        /// The place in the order of arrival.
        cursor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store does not know any more what arrived since.
    #[error(
        "{place}: what arrived is remembered for {kept_hours} hours, and that place to go on from \
         is older; begin anew, and read what happened since from the timeline"
    )]
    ArrivalsForgotten {
        /// The store.
        place: String,
        /// How long a place is good.
        kept_hours: u64,
    },
    /// Some of what arrived is gone, although it was stored.
    #[error(
        "{place}: a part of what arrived since that place to go on from is gone; begin anew, and \
         read what happened since from the timeline"
    )]
    ArrivalsLost {
        /// The store.
        place: String,
    },
    /// Nobody waits for the answer any more.
    #[error("{place}: the question was given up")]
    GivenUp {
        /// The store.
        place: String,
    },
    /// The store is damaged.
    #[error("{place}: the store is damaged: {detail}; import the logs again into a new one")]
    Damaged {
        /// The store.
        place: String,
        /// What does not fit.
        detail: String,
    },
    /// The store has no way to hold this event.
    #[error("event {id} cannot be stored: its {part} is above {limit}")]
    OutOfRange {
        /// The event's id.
        id: String,
        /// Which part.
        part: &'static str,
        /// The greatest value.
        limit: u64,
    },
    /// Anything else that the database or the system said.
    #[error("{place}: {source}")]
    Failed {
        /// The store.
        place: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same call may succeed later, without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Busy { .. } | StoreError::Unavailable { .. })
    }
}

fn way_out(found: i64, supported: i64) -> &'static str {
    if found > supported {
        "use a newer statetrail"
    } else {
        "import the logs again into a new store"
    }
}

//! From the database's errors to ours.

use rusqlite::{ErrorCode, Row};

use super::turns::WAIT_MAX;
use crate::StoreError;
use crate::codec::Unreadable;

/// An error inside of this module, before it is known at which place.
#[derive(Debug)]
pub(super) enum Failure {
    Database(rusqlite::Error),
    Row(Unreadable),
    Event(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Database(error)
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Failure {
        Failure::Row(unreadable)
    }
}

impl Failure {
    /// Whether a file could not be opened or made.
    pub(super) fn is_missing_file(&self) -> bool {
        let Failure::Database(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
    }

    /// The error for the user of the store at that place.
    pub(super) fn at(self, place: &str) -> StoreError {
        let place = place.to_owned();
        match self {
            Failure::Database(error) => at_place(error, place),
            Failure::Row(Unreadable(detail)) => StoreError::Damaged { place, detail },
            Failure::Event(error) => error,
        }
    }
}

fn at_place(error: rusqlite::Error, place: String) -> StoreError {
    let Some(code) = error.sqlite_error_code() else {
        return if is_unfit_value(&error) {
            StoreError::Damaged { place, detail: error.to_string() }
        } else {
            StoreError::Failed { place, source: Box::new(error) }
        };
    };
    match code {
        ErrorCode::NotADatabase => {
            StoreError::NotAStore { place, found: "a file of another kind".into() }
        }
        ErrorCode::DatabaseCorrupt => StoreError::Damaged { place, detail: error.to_string() },
        ErrorCode::OperationInterrupted => StoreError::GivenUp { place },
        ErrorCode::DiskFull => StoreError::Full { place },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            StoreError::Busy { place, waited_seconds: WAIT_MAX.as_secs() }
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            StoreError::ReadOnly { place, reason: error.to_string() }
        }
        ErrorCode::CannotOpen => StoreError::Open { place, reason: error.to_string() },
        _ => StoreError::Failed { place, source: Box::new(error) },
    }
}

/// A column that holds bytes.
pub(super) fn read_blob<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a [u8], Failure> {
    Ok(row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?)
}

/// The text in a column.
pub(super) fn read_text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, Failure> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

/// Whether a column holds what was never written there.
fn is_unfit_value(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::QueryReturnedNoRows
            | rusqlite::Error::Utf8Error(..)
    )
}

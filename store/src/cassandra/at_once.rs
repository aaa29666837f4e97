//! Many requests, some of them under way at a time.

use std::future::Future;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::connect::Failure;

/// Requests of one call that are under way at a time.
pub(super) const REQUESTS: usize = 32;

/// The results of all requests, in no order; ends with the first failure.
pub(super) async fn unordered<T>(
    requests: Vec<impl Future<Output = Result<T, Failure>>>,
) -> Result<Vec<T>, Failure> {
    stream::iter(requests).buffer_unordered(REQUESTS).try_collect().await
}

/// The results of all requests, in their order; ends with the first failure.
pub(super) async fn ordered<T>(
    requests: Vec<impl Future<Output = Result<T, Failure>>>,
) -> Result<Vec<T>, Failure> {
    stream::iter(requests).buffered(REQUESTS).try_collect().await
}

//! Many sorted slices of partitions, read page by page as one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use scylla::client::session::Session;
use scylla::response::query_result::QueryRowsResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;

use super::at_once;
use super::connect::Failure;

/// Rows of a page at least; smaller ones cost nearly as much.
const PAGE_ROWS_MIN: usize = 20;
const PAGE_ROWS_MAX: usize = 1_000;

/// Reads the rows of a page.
pub(super) type ReadPage<T> = fn(&QueryRowsResult) -> Result<Vec<T>, Failure>;

/// The items of all slices, each slice sorted, in order. What is not asked for is not read, but
/// for a page of each slice.
pub(super) struct Merge<'s, V, T> {
    session: &'s Session,
    statement: PreparedStatement,
    read_page: ReadPage<T>,
    slices: Vec<Slice<V, T>>,
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

struct Slice<V, T> {
    values: V,
    page: VecDeque<T>,
    /// Where the next page begins; `None` when there is none.
    next: Option<PagingState>,
}

impl<'s, V: SerializeRow + Send + Sync, T: Ord + Send> Merge<'s, V, T> {
    /// Begins to read the slices that the values give. `wanted` items will probably be asked
    /// for.
    pub(super) async fn begin(
        session: &'s Session,
        statement: &PreparedStatement,
        slices: impl IntoIterator<Item = V>,
        read_page: ReadPage<T>,
        wanted: usize,
    ) -> Result<Merge<'s, V, T>, Failure> {
        let slices = slices.into_iter().map(|values| Slice {
            values,
            page: VecDeque::new(),
            next: Some(PagingState::start()),
        });
        let mut slices: Vec<Slice<V, T>> = slices.collect();
        let mut statement = statement.clone();
        statement.set_page_size(page_rows(wanted, slices.len()) as i32);
        let first_pages =
            slices.iter_mut().map(|slice| slice.read(session, &statement, read_page)).collect();
        at_once::unordered(first_pages).await?;
        let mut heads = BinaryHeap::with_capacity(slices.len());
        for (number, slice) in slices.iter_mut().enumerate() {
            heads.extend(slice.page.pop_front().map(|head| Reverse((head, number))));
        }
        Ok(Merge { session, statement, read_page, slices, heads })
    }

    /// The next item, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<T>, Failure> {
        let Some(Reverse((item, number))) = self.heads.pop() else { return Ok(None) };
        let slice = &mut self.slices[number];
        while slice.page.is_empty() && slice.next.is_some() {
            slice.read(self.session, &self.statement, self.read_page).await?;
        }
        self.heads.extend(slice.page.pop_front().map(|head| Reverse((head, number))));
        Ok(Some(item))
    }
}

/// Each slice holds about as many of the wanted items as every other, for names are spread by
/// their hashes. A quarter more, so that one page is mostly enough.
fn page_rows(wanted: usize, slices: usize) -> usize {
    let share = wanted / slices.max(1);
    share.saturating_add(share / 4).clamp(PAGE_ROWS_MIN, PAGE_ROWS_MAX)
}

impl<V: SerializeRow + Send + Sync, T> Slice<V, T> {
    async fn read(
        &mut self,
        session: &Session,
        statement: &PreparedStatement,
        read_page: ReadPage<T>,
    ) -> Result<(), Failure> {
        let Some(state) = self.next.take() else { return Ok(()) };
        let (result, next) = session
            .execute_single_page(statement, &self.values, state.clone())
            .await
            .inspect_err(|_| {
                // So that the same page can be asked for again.
                self.next = Some(state);
            })?;
        self.page.extend(read_page(&result.into_rows_result()?)?);
        self.next = match next {
            PagingStateResponse::HasMorePages { state } => Some(state),
            PagingStateResponse::NoMorePages => None,
        };
        Ok(())
    }
}

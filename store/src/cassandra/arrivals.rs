use super::CassandraStore;
use super::connect::Failure;
use crate::{ArrivalCursor, Arrivals};
impl CassandraStore {
    pub(super) async fn read_arrivals_end(&self) -> Result<ArrivalCursor, Failure> {
        Err(Failure::Missing)
    }
    pub(super) async fn read_arrivals(
        &self,
        _: &ArrivalCursor,
        _: usize,
    ) -> Result<Arrivals, Failure> {
        Err(Failure::Missing)
    }
}

//! The services: each function is something that a service did, with the line that it logs and,
//! written independently of that line, the truth about what changed.

pub(crate) mod checkout;
pub(crate) mod inventory;
pub(crate) mod notification;
pub(crate) mod payment;
pub(crate) mod shipping;
pub(crate) mod tracking;

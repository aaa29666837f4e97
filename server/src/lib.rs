//! The read side over HTTP: an API for other programs, and a dashboard for people.
//!
//! | folder or file | what it does |
//! |---|---|
//! | `access/` | who asks, and the store as far as they may see it |
//! | `asker.rs` | questions to the store: how many at once, for how long |
//! | `api/` | `/api/v1`: answers as JSON, and what is wrong with a question |
//! | `follow/` | events as they arrive, read once for all who follow |
//! | `pages/` | the dashboard; what it is made of beside HTML lies in `assets/` |
//! | `routes.rs` | all routes, and what every answer carries |
//! | `serving.rs` | connections and TLS |
//! | `sending.rs` | how long a client may take over one answer |
//!
//! A server is a reader: it needs nothing but a store, keeps nothing and may be started again at
//! any time.

pub mod access;
mod api;
mod asker;
mod etag;
mod follow;
mod kept;
mod metrics;
mod pages;
mod problem;
mod routes;
mod rule_errors;
mod sending;
pub mod serving;
mod settings;

pub use problem::Problem;
pub use routes::{Server, router};
pub use settings::{Limits, Settings, SettingsError, Tls};

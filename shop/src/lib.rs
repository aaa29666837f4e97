//! Sample services of a web shop that write real-looking logs, with the truth to check against.
//!
//! Seven services (`gateway`, `checkout`, `payment`, `inventory`, `shipping`, `notification`,
//! `tracking`) run in a few pods each, in the namespace `shop`. They work through orders from
//! cart to refund and log what they do, each in its own style: text, JSON or logfmt. Half of the
//! lines change nothing. Pods' clocks differ, lines may come late or twice, and long ones are
//! split into parts.
//!
//! [`generate`] hands out lines and truth, [`generate_to_folder`] writes CRI log files. The same
//! [`ShopConfig`] gives the same bytes. [`LineKind`] lists what is logged and which entity's
//! fields each kind of line changes.
//!
//! ```
//! use statetrail_shop::{Amount, LogLine, ShopConfig, TruthRecorder, generate};
//!
//! let config = ShopConfig { amount: Amount::Orders(50), ..ShopConfig::default() };
//! let mut bytes = 0;
//! let mut truth = TruthRecorder::default();
//! let mut lines = |line: &LogLine<'_>| {
//!     bytes += line.text.len();
//!     Ok(())
//! };
//! let summary = generate(&config, &mut lines, Some(&mut truth))?;
//! let truth = truth.finish();
//! assert_eq!(summary.orders, 50);
//! assert!(truth.entities().any(|entity| entity.as_str() == "shop/order/o-1050"));
//! # Ok::<(), statetrail_shop::ShopError>(())
//! ```

mod clock;
mod config;
mod cri;
mod delivery;
mod dice;
mod entity;
mod error;
mod fleet;
mod folder;
mod journal;
mod kind;
mod run;
mod services;
mod simulation;
mod sink;
mod summary;
mod text;
mod truth;
mod words;

pub use config::{Amount, ConfigError, Pace, ShopConfig};
pub use cri::write_cri;
pub use entity::{EntityType, NAMESPACE, ShopEntity};
pub use error::ShopError;
pub use fleet::{CONTAINER, NODES, Pod, Service};
pub use folder::{generate_to_folder, generate_to_folder_with_truth};
pub use kind::LineKind;
pub use run::generate;
pub use sink::{LineSink, LogLine, Stream};
pub use summary::{Summary, Trouble};
pub use truth::{Fields, Truth, TruthChange, TruthJsonl, TruthRecorder, TruthSink};

//! What runs sagas over a log.
//!
//! ```text
//!   Orchestrator: deploy, start, order, get, list, follow, history
//!     definitions ---- plans ----+
//!     client -- requests --> log --> driver: one thread a partition, with its partition task
//!     view, followers, decisions <-- facts --+
//! ```

pub mod partition;
mod patience;
mod client;
mod aside;
mod consumer;
mod readable;
mod taking;
mod triggers;
mod driver;
mod view;
mod definitions;
mod listed;
mod decisions;
mod followers;
mod history;
mod past;
mod dead;
mod reading;
mod mirror;
mod gate;
mod journals;
mod meters;
mod flood;
mod on_call;
mod error;
mod shared;
mod orchestrator;
mod opening;
mod deploying;
mod onlooker;
mod backlog;
mod readers;
#[cfg(feature = "otlp")]
pub mod traces;

pub use backlog::Backlog;
pub use client::{Client, Places, ReadError, Taking, Turn};
pub use consumer::{Reply, Serve, serve};
pub use dead::{Letter, Letters};
pub use decisions::{Accepted, Decision};
pub use definitions::{Deployed, Standing};
pub use deploying::{Back, NewTriggers, Published, can_be_shared, publish};
pub use driver::{AfterPanic, PANICS_MAX};
pub use error::{DeployError, Error, OpenError};
pub(crate) use flood::Lines;
#[cfg(feature = "kafka")]
pub(crate) use flood::{Flood, Line};
pub use followers::{Follow, Followed};
pub use history::{Entry, History};
pub use listed::Listed;
pub use onlooker::Onlooker;
pub use orchestrator::{Options, Orchestrator, Shown};
pub use past::Life;
pub use patience::while_written;
pub use shared::PartitionState;
pub use taking::{Ends, Handle, QUEUED_MAX, Taker};
pub use triggers::Triggers;
pub use view::{Filter, Found, LIST_MAX, Row};

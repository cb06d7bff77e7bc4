//! Finds the way to the instances of a data directory, whoever holds it.
//!
//! | the directory is held by | to look | to give orders |
//! |---|---|---|
//! | nobody | read beside nobody: looking changes nothing | this process holds it for that long |
//! | a `saga serve` or `saga run` that answers | ask it | ask it |
//! | one whose log cannot be written now | read beside it: its table of instances is behind | ask it |
//! | one that does not answer | read beside it | refused, with who it is |
//! | anybody else, such as a program of one's own | read beside it | refused, with who it is |
//!
//! Nobody else can have taken the address meanwhile: the lock file names its holder's id, and who answers must say the same one.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::api::{
    Accepted, ApiError, EventBody, ListQuery, OrderBody, PartitionOrder, Published, StartBody, Started, Taken,
};
use super::client::Client;
use super::dead::{self, Dead, DeadQuery};
use super::definitions::Definitions;
use super::history::History;
use super::looking::Beside;
use super::past::{HistoryQuery, ShowQuery};
use super::service::{Service, is_brief};
use super::view::{List, Shown};
use crate::log::embedded::{Embedded, Held, Holder};

/// How often the lock is looked at again while it says what will soon be otherwise: a holder that has not written
/// itself down yet, a command that only gives an order, a server that ends.
const LOOKS_MAX: u32 = 40;

/// And with which pause.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// A server that holds the directory and stays silent is asked so often.
const ASKED_MAX: u32 = 2;

/// What for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Nothing is to be changed.
    Look,
    /// Something is to be begun or ordered.
    Order,
}

/// The way that was found.
pub enum Reached {
    /// A server; with what its lock says of it, if it was found by a data directory.
    Server(Client, Option<Holder>),
    /// The data is read beside its holder, if it has one.
    Beside(Box<Beside>, Option<PassedBy>),
    /// This process holds the data.
    Here(Box<Service>),
}

/// A holder that is not asked.
pub struct PassedBy {
    /// Who it is.
    pub holder: Holder,
    /// Why, if it is a server, in words that go on behind "which": it does not answer, or cannot write its log.
    pub why: Option<String>,
}

/// Who holds a directory.
enum Found {
    Nobody,
    /// And why it cannot write its log now.
    Server(Client, Holder, Option<String>),
    Silent(Holder, ApiError),
    Other(Option<Holder>),
}

/// Finds the way to a data directory.
///
/// # Errors
/// There is no data, it cannot be used, or who holds it takes no orders.
pub async fn reach(data: &Path, purpose: Purpose) -> Result<Reached, ApiError> {
    Service::is_there(data)?;
    loop {
        let found = find(data).await;
        let passed_by = match (purpose, found) {
            (Purpose::Look, Found::Server(_, holder, Some(why))) => {
                Some(PassedBy { holder, why: Some(format!("cannot write it: {why}")) })
            }
            (_, Found::Server(client, holder, _)) => return Ok(Reached::Server(client, Some(holder))),
            (Purpose::Look, Found::Nobody) => None,
            (Purpose::Look, Found::Silent(holder, _)) => {
                let why = holder.server.as_ref().map(|server| format!("does not answer at {server}"));
                Some(PassedBy { holder, why })
            }
            (Purpose::Look, Found::Other(holder)) => holder.map(|holder| PassedBy { holder, why: None }),
            (Purpose::Order, Found::Nobody) => match Service::open_for_orders(data).await {
                // Somebody was faster.
                Err(error) if error.code == ApiError::LOCKED => continue,
                opened => return Ok(Reached::Here(Box::new(opened?))),
            },
            (Purpose::Order, Found::Silent(holder, why)) => return Err(silent(data, &holder, &why)),
            (Purpose::Order, Found::Other(holder)) => return Err(taken(data, holder.as_ref())),
        };
        return Ok(Reached::Beside(Box::new(Beside::open(data).await?), passed_by));
    }
}

async fn find(data: &Path) -> Found {
    let mut asked = 0;
    let mut latest = None;
    for _ in 0..LOOKS_MAX {
        match Embedded::held(data) {
            Ok(Held::Free) => return Found::Nobody,
            // Whether it can be used is seen when it is.
            Err(_) => return Found::Nobody,
            Ok(Held::By(holder)) => latest = holder,
        }
        if let Some(holder) = &latest {
            if let Some(server) = &holder.server {
                let why = match Client::new(server) {
                    Ok(client) => match client.alive().await {
                        Ok(alive) if alive.holder.as_ref() == Some(&holder.id) => {
                            return Found::Server(client, holder.clone(), alive.log);
                        }
                        Ok(_) => ApiError::unavailable("another process listens there"),
                        Err(error) => error,
                    },
                    Err(error) => error,
                };
                asked += 1;
                if asked == ASKED_MAX {
                    return Found::Silent(holder.clone(), why);
                }
            } else if !is_brief(Some(holder)) {
                break;
            }
        }
        sleep(LOOK_AGAIN_AFTER).await;
    }
    Found::Other(latest)
}

fn silent(data: &Path, holder: &Holder, why: &ApiError) -> ApiError {
    let (data, pid) = (data.display(), holder.pid);
    ApiError::unavailable(format!("{holder} holds {data} and does not answer: {}", why.message))
        .hint("if it is starting, it answers once it has recovered: give the order again")
        .hint(format!("if it hangs, stop it (`kill {pid}`) and start it again: what is in the log is safe"))
}

fn taken(data: &Path, holder: Option<&Holder>) -> ApiError {
    let who = holder.map_or_else(|| "another process".to_owned(), ToString::to_string);
    ApiError::unavailable(format!("{who} holds {} and takes no orders", data.display()))
        .hint("let it end: what it runs is safe in the log; then give the order again")
        .hint("a `saga serve` or `saga run` takes orders while it works; `saga list` and `saga show` work now")
}

impl Reached {
    /// A server at an address.
    ///
    /// # Errors
    /// That is no address.
    pub fn server(url: &str) -> Result<Self, ApiError> {
        Ok(Self::Server(Client::new(url)?, None))
    }

    /// Begins an instance.
    ///
    /// # Errors
    /// It is refused, or cannot be passed on.
    pub async fn start(&self, body: StartBody) -> Result<Started, ApiError> {
        match self {
            Self::Server(client, _) => client.start(&body).await,
            Self::Here(service) => service.start(body, None).await,
            Self::Beside(..) => Err(no_orders()),
        }
    }

    /// Gives an order.
    ///
    /// # Errors
    /// It is refused, or cannot be passed on.
    pub async fn order(&self, id: &str, body: OrderBody) -> Result<Taken, ApiError> {
        match self {
            Self::Server(client, _) => client.order(id, &body).await,
            Self::Here(service) => service.order(id, body).await,
            Self::Beside(..) => Err(no_orders()),
        }
    }

    /// Puts an event on a topic that a trigger reads.
    ///
    /// # Errors
    /// No trigger reads it, or it cannot be passed on.
    pub async fn publish(&self, topic: &str, body: EventBody) -> Result<Published, ApiError> {
        match self {
            Self::Server(client, _) => client.publish(topic, &body).await,
            Self::Here(service) => service.publish(topic, body).await,
            Self::Beside(..) => Err(no_orders()),
        }
    }

    /// Accepts that inputs of a partition are lost.
    ///
    /// # Errors
    /// It does not stand still for that, or the order cannot be passed on.
    pub async fn accept_gap(&self, partition: u32, order: PartitionOrder) -> Result<Accepted, ApiError> {
        match self {
            Self::Server(client, _) => client.accept_gap(partition, &order).await,
            Self::Here(service) => service.accept_gap(partition, order).await,
            Self::Beside(..) => Err(no_orders()),
        }
    }

    /// Instances.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn list(&self, query: &ListQuery) -> Result<List, ApiError> {
        match self {
            Self::Server(client, _) => client.list(query).await,
            Self::Beside(beside, _) => beside.list(query).await,
            Self::Here(service) => service.list(query).await,
        }
    }

    /// One instance.
    ///
    /// # Errors
    /// There is none of that id, or it cannot be read.
    pub async fn show(&self, id: &str, query: &ShowQuery) -> Result<Shown, ApiError> {
        match self {
            Self::Server(client, _) => client.show(id, query).await,
            Self::Beside(beside, _) => beside.show(id, query).await,
            Self::Here(service) => service.show(id, query).await,
        }
    }

    /// All that happened to an instance.
    ///
    /// # Errors
    /// There is none of that id, or it cannot be read.
    pub async fn history(&self, id: &str, query: &HistoryQuery) -> Result<History, ApiError> {
        match self {
            Self::Server(client, _) => client.history(id, query).await,
            Self::Beside(beside, _) => beside.history(id, query).await,
            Self::Here(service) => service.history(id, query).await,
        }
    }

    /// The definitions that are in the log.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn definitions(&self) -> Result<Definitions, ApiError> {
        match self {
            Self::Server(client, _) => client.definitions().await,
            Self::Beside(beside, _) => beside.definitions().await,
            Self::Here(service) => service.definitions().await,
        }
    }

    /// What was set aside.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn dead(&self, query: DeadQuery) -> Result<Dead, ApiError> {
        match self {
            Self::Server(client, _) => client.dead(query).await,
            Self::Beside(beside, _) => beside.dead(query).await,
            Self::Here(service) => service.dead(query).await,
        }
    }

    /// One of that.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub async fn dead_at(&self, partition: u32, offset: u64) -> Result<dead::Shown, ApiError> {
        match self {
            Self::Server(client, _) => client.dead_at(partition, offset).await,
            Self::Beside(beside, _) => beside.dead_at(partition, offset).await,
            Self::Here(service) => service.dead_at(partition, offset).await,
        }
    }

    /// Lets the data go.
    pub async fn close(&self) {
        if let Self::Here(service) = self {
            service.close().await;
        }
    }
}

fn no_orders() -> ApiError {
    ApiError::unavailable("the data was opened to look at it alone")
}

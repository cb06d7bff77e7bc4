//! Tickets, hotels and payments: the three services of `workflows/booking.saga`, each with a database of its own, and
//! an audit that looks into all three. `README.md` beside this file has the commands.

mod stock;
mod tickets;
mod hotels;
mod payments;
mod audit;

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
#[cfg(feature = "kafka")]
use std::sync::atomic::AtomicBool;

use clap::{Args, Parser, Subcommand};
use rust_decimal::Decimal;
#[cfg(feature = "kafka")]
use saga::log::kafka::Settings;
#[cfg(feature = "kafka")]
use saga::participant::kafka;
use saga::participant::{Participant, SqliteStore, http, lines};
use tokio::net::TcpListener;

/// The services of the booking saga
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sell seats on flights
    Tickets {
        /// A flight and how many seats it has, made when it is new: KE905=40
        #[arg(long, value_name = "FLIGHT=SEATS")]
        flight: Vec<Named<u32>>,
        #[command(flatten)]
        service: Service,
    },
    /// Let rooms in hotels
    Hotels {
        /// A hotel and how many rooms it has, made when it is new: Lux=10
        #[arg(long, value_name = "HOTEL=ROOMS")]
        hotel: Vec<Named<u32>>,
        #[command(flatten)]
        service: Service,
    },
    /// Take money from accounts
    Payments {
        /// An account and what is in it, opened when it is new: ana=5000.00
        #[arg(long, value_name = "NAME=AMOUNT")]
        account: Vec<Named<Decimal>>,
        #[command(flatten)]
        service: Service,
    },
    /// Look for seats, rooms and cents that are lost, doubled or left held, once all sagas have ended
    Audit(audit::Stores),
}

/// How a service is reached, and where it keeps its data
#[derive(Args)]
struct Service {
    /// The database, made when it is new
    #[arg(long)]
    store: PathBuf,
    /// The port of POST /commands on 127.0.0.1; 0 chooses one
    #[arg(long, default_value_t = 0, conflicts_with = "lines")]
    port: u16,
    /// Read commands from standard input and write replies to standard output, a line each
    #[arg(long)]
    lines: bool,
    /// Read commands from the service's topic on Kafka, at these brokers
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["lines", "port"])]
    kafka: Option<String>,
    /// A setting of librdkafka, such as session.timeout.ms=6000; can be repeated
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "KEY=VALUE", requires = "kafka")]
    kafka_config: Vec<Named<String>>,
}

/// `NAME=VALUE`
#[derive(Clone, Debug)]
struct Named<T> {
    name: String,
    value: T,
}

impl<T: FromStr> FromStr for Named<T> {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("there is no `=` in it")?;
        let value = value.parse().map_err(|_| format!("`{value}` is no number that fits"))?;
        Ok(Self { name: name.to_owned(), value })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    run().await.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    match Arguments::parse().command {
        Command::Tickets { flight, service } => {
            let store = SqliteStore::open(&service.store)?;
            tickets::prepare(store.connection(), &flight)?;
            serve(tickets::participant(store), service, "ticket.commands").await?;
        }
        Command::Hotels { hotel, service } => {
            let store = SqliteStore::open(&service.store)?;
            hotels::prepare(store.connection(), &hotel)?;
            serve(hotels::participant(store), service, "hotel.commands").await?;
        }
        Command::Payments { account, service } => {
            let store = SqliteStore::open(&service.store)?;
            payments::prepare(store.connection(), &account)?;
            serve(payments::participant(store), service, "payment.commands").await?;
        }
        Command::Audit(stores) => return Ok(audit::run(&stores)?),
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(
    participant: Participant<SqliteStore>,
    service: Service,
    #[cfg_attr(not(feature = "kafka"), expect(unused_variables, reason = "only Kafka has topics"))] topic: &'static str,
) -> Result<(), Box<dyn Error>> {
    #[cfg(feature = "kafka")]
    if let Some(brokers) = service.kafka {
        let settings =
            Settings::new(&brokers, service.kafka_config.into_iter().map(|Named { name, value }| (name, value)))?;
        let stop = AtomicBool::new(false);
        // A signal ends the process: what was not committed is not done, and what was not answered comes again.
        let served = tokio::task::spawn_blocking(move || {
            kafka::serve(&participant, &settings, topic, participant.name(), &stop)
        });
        return Ok(served.await??);
    }
    if service.lines {
        let served =
            tokio::task::spawn_blocking(move || lines::serve(&participant, io::stdin().lock(), io::stdout().lock()));
        return Ok(served.await??);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, service.port)).await.map_err(|error| {
        format!("failed to listen on 127.0.0.1:{}: {error}; --port 0 takes a free one", service.port)
    })?;
    eprintln!("{} listens on http://{}/commands", participant.name(), listener.local_addr()?);
    let stop = async {
        // Without the signal it cannot be asked to stop, and goes on.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok(http::serve(Arc::new(participant), listener, stop).await?)
}

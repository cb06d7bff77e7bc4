//! The command line: a file for each command, exit codes in [`exit`], words in [`out`].
//!
//! Data goes to standard output, all else to standard error. A command returns how it ended or a [`CliError`]; nothing
//! here ends the process. A panic is a defect of ours: it is reported as one, with what to send.

pub mod exit;
pub mod error;
pub mod out;
pub mod table;
mod logging;
mod settings;
mod sources;
mod contradictions;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "kafka")]
mod init;
#[cfg(feature = "kafka")]
mod deploy;
mod input;
mod instance;
mod participants;
#[cfg(feature = "kafka")]
mod rivals;
mod live;
mod check;
mod proved;
mod explored;
mod ways;
mod outcomes;
mod fmt;
mod graph;
mod schema;
mod lsp;
mod test;
mod covered;
mod simulate;
mod run;
mod serve;
mod start;
mod publish;
mod orders;
mod accept_gap;
mod answering;
mod callback;
mod limits;
#[cfg(feature = "kafka")]
mod probe;
mod list;
mod show;
mod history;
mod definitions;
mod dead;
mod explain;
mod spelled;
mod help;
mod completions;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use self::error::CliError;
pub use self::exit::Exit;
pub use self::out::Out;
use self::out::visible;

/// Declarative sagas: write them, check them, run them
#[derive(Debug, Parser)]
#[command(name = "saga", version, disable_help_subcommand = true, max_term_width = 100, after_help = AFTER_HELP)]
struct Arguments {
    #[arg(
        help = "How to write what the layers below say (SAGA_LOG says how much): text or json",
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        env = "SAGA_LOG_FORMAT",
        default_value_t
    )]
    #[arg(hide_env = true, hide_default_value = true, hide_possible_values = true)]
    log_format: logging::Format,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Begin with `saga run workflows/booking.saga`. The language: `saga help language`. Exit codes: `saga help exit-codes`.";

/// In the order in which one meets them: write, run, look after.
#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
    Test(test::Arguments),
    Simulate(simulate::Arguments),
    Fmt(fmt::Arguments),
    Graph(graph::Arguments),
    Schema(schema::Arguments),
    Lsp(lsp::Arguments),
    Explain(explain::Arguments),
    #[cfg(feature = "kafka")]
    Init(init::Arguments),
    #[cfg(feature = "kafka")]
    Deploy(deploy::Arguments),
    Run(run::Arguments),
    Serve(serve::Arguments),
    Start(start::Arguments),
    Publish(publish::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    History(history::Arguments),
    Definitions(definitions::Arguments),
    Dead(dead::Arguments),
    Signal(orders::Signal),
    Cancel(orders::Cancel),
    Retry(orders::Retry),
    Resolve(orders::Resolve),
    AcceptGap(accept_gap::Arguments),
    #[cfg(feature = "kafka")]
    Probe(probe::Arguments),
    Completions(completions::Arguments),
    Help(help::Arguments),
}

/// Runs the command that the arguments name, and says how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| Out::default().aside(&visible(&bug_report(panic)))));
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| command(arguments)));
    ended.unwrap_or(Exit::Bug).into()
}

fn command(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let mut out = Out::default();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let error = spelled::with_tip(error);
            // Help and version are data; anything else is a usage error. Nobody to read it is no reason to fail.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    // What a server says is read by what collects logs; a command that ends speaks to whoever called it.
    let serves = matches!(arguments.command, Command::Serve(_));
    logging::begin(arguments.log_format, if serves { logging::Reader::OnCall } else { logging::Reader::Caller });
    if arguments.log_format == logging::Format::Json && serves {
        out.log_remarks();
    }
    match carry_out(arguments.command, &mut out) {
        Ok(exit) => exit,
        Err(error) => {
            out.error(&error);
            error.exit()
        }
    }
}

fn carry_out(command: Command, out: &mut Out) -> Result<Exit, CliError> {
    match command {
        Command::Check(arguments) => check::command(&arguments, out),
        Command::Test(arguments) => test::command(&arguments, out),
        Command::Simulate(arguments) => simulate::command(&arguments, out),
        Command::Fmt(arguments) => fmt::command(&arguments, out),
        Command::Graph(arguments) => graph::command(&arguments, out),
        Command::Schema(arguments) => schema::command(&arguments, out),
        Command::Lsp(arguments) => lsp::command(&arguments),
        Command::Explain(arguments) => explain::command(&arguments, out),
        #[cfg(feature = "kafka")]
        Command::Init(arguments) => init::command(&arguments, out),
        #[cfg(feature = "kafka")]
        Command::Deploy(arguments) => deploy::command(&arguments, out),
        Command::Run(arguments) => logging::traced(|| run::command(&arguments, out)),
        Command::Serve(arguments) => logging::traced(|| serve::command(arguments, out)),
        Command::Start(arguments) => start::command(&arguments, out),
        Command::Publish(arguments) => publish::command(&arguments, out),
        Command::List(arguments) => list::command(&arguments, out),
        Command::Show(arguments) => show::command(&arguments, out),
        Command::History(arguments) => history::command(&arguments, out),
        Command::Definitions(arguments) => definitions::command(&arguments, out),
        Command::Dead(arguments) => dead::command(&arguments, out),
        Command::Signal(arguments) => orders::signal(&arguments, out),
        Command::Cancel(arguments) => orders::cancel(&arguments, out),
        Command::Retry(arguments) => orders::retry(&arguments, out),
        Command::Resolve(arguments) => orders::resolve(&arguments, out),
        Command::AcceptGap(arguments) => accept_gap::command(&arguments, out),
        #[cfg(feature = "kafka")]
        Command::Probe(arguments) => probe::command(&arguments, out),
        Command::Completions(arguments) => completions::command(&arguments, out),
        Command::Help(arguments) => help::command(&arguments, out),
    }
}

/// What a user should send us. Says nothing of their data but what the panic's own words hold.
fn bug_report(panic: &std::panic::PanicHookInfo<'_>) -> String {
    let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line())).unwrap_or_default();
    let words = panic.payload_as_str().unwrap_or("no words");
    format!(
        "\nerror: this is a defect of saga, and not your fault\n  \
         what:    {words}\n  where:   {place}\n  version: {version} on {system} {machine}\n\
         hint: nothing that was acknowledged is lost: the same command goes on from the log\n\
         hint: please report these lines, with the command and the file if you can share it\n",
        version = env!("CARGO_PKG_VERSION"),
        system = std::env::consts::OS,
        machine = std::env::consts::ARCH,
    )
}

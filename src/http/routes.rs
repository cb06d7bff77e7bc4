//! What the API takes: the one list from which the router, `saga help serve` and the README's table come.

use std::fmt::Write as _;

/// A call of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Begins an instance.
    Start,
    /// Lists instances.
    List,
    /// Shows one.
    Show,
    /// Tells its history.
    History,
    /// Lists definitions.
    Definitions,
    /// Lists what was set aside.
    Dead,
    /// Shows one of that.
    DeadAt,
    /// Gives an order to one.
    Order,
    /// Gives an order to a partition.
    PartitionOrder,
    /// Takes an event for a trigger.
    Publish,
    /// Takes a late reply.
    Reply,
    /// Says that the process lives.
    Alive,
    /// Says whether sagas run.
    Ready,
    /// Gives what is counted.
    Metrics,
}

/// Where and how a call is made.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The call.
    pub call: Call,
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// What it takes and does, in Markdown.
    pub does: &'static str,
}

/// All of them.
pub const ROUTES: &[Route] = &[
    Route {
        call: Call::Start,
        method: "POST",
        path: "/instances",
        does: "begin: `{\"saga\": \"booking\", \"id\": \"trip-7\", \"input\": {…}}`; 202 as soon as it is in the log, 200 if it was already; a header `traceparent` goes to all participants",
    },
    Route {
        call: Call::List,
        method: "GET",
        path: "/instances",
        does: "what `saga list --json` prints; `?status=`, `?saga=`, `?step=` that is stuck, `?ended=too`, `?limit=`",
    },
    Route {
        call: Call::Show,
        method: "GET",
        path: "/instances/{id}",
        does: "what `saga show --json` prints; `?at=` as it stood at an instant or so long ago, `?run=` in an earlier life",
    },
    Route {
        call: Call::History,
        method: "GET",
        path: "/instances/{id}/history",
        does: "what `saga history --json` prints; `?run=` of an earlier life, or of `all`",
    },
    Route {
        call: Call::Definitions,
        method: "GET",
        path: "/definitions",
        does: "what `saga definitions --json` prints",
    },
    Route {
        call: Call::Dead,
        method: "GET",
        path: "/dead",
        does: "what `saga dead --json` prints: inputs that were set aside; `?limit=`",
    },
    Route {
        call: Call::DeadAt,
        method: "GET",
        path: "/dead/{partition}/{offset}",
        does: "one of them with its whole payload, even where that is personal",
    },
    Route {
        call: Call::Order,
        method: "POST",
        path: "/instances/{id}/orders",
        does: "`{\"order\": \"cancel\"}`, `{\"order\": \"retry\", \"step\": …}`, `{\"order\": \"resolve\", \"step\": …, \"outcome\": \"succeeded\", \"reply\": {…}}` or `\"outcome\": \"failed\", \"code\": …` (with `\"work\": \"undo\"` of its compensation), `{\"order\": \"signal\", \"signal\": …, \"with\": …}`; also `by`, `reason` and `request`; 202, and `order` says whether it is `taken` or still `waiting` to be decided, or refused",
    },
    Route {
        call: Call::PartitionOrder,
        method: "POST",
        path: "/partitions/{number}/orders",
        does: "`{\"order\": \"accept_gap\"}`: go on behind inputs that are lost; also `by` and `reason`",
    },
    Route {
        call: Call::Publish,
        method: "POST",
        path: "/topics/{topic}",
        does: "an event for a topic that a trigger reads, where the log is a data directory: `{\"event\": {…}, \"key\": …}`",
    },
    Route {
        call: Call::Reply,
        method: "POST",
        path: "/replies",
        does: "the late answer of a participant that said 202: its headers and body as in docs/participants.md",
    },
    Route {
        call: Call::Alive,
        method: "GET",
        path: "/healthz",
        does: "the process lives; `holder` is its id in the lock file of its data directory, `stopped` are the partitions that stand still, `partitions` counts them, `log` says what is the matter with it",
    },
    Route {
        call: Call::Ready,
        method: "GET",
        path: "/readyz",
        does: "the log can be written and is as it must be, and all partitions of this process run",
    },
    Route {
        call: Call::Metrics,
        method: "GET",
        path: "/metrics",
        does: "what is counted and timed, for Prometheus: `saga_…`",
    },
];

/// What those ask who watch the process and no instance.
pub(super) const WATCHED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// For a terminal: a line for each with what it does below.
#[must_use]
pub fn help() -> String {
    let mut text = String::from("The API:\n");
    for Route { method, path, does, .. } in ROUTES {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {method} {path}\n      {}", does.replace('`', ""));
    }
    text.push_str(
        "Errors are {\"error\": {\"code\", \"message\", \"hint\"?, \"example\"?}}.\n\
         A body is JSON, and its content-type says so, but for that of POST /replies.\n\
         It knows no users: whoever reaches the address may give orders, but for web pages of others (403).\n\
         On a loopback address it is called by a loopback name.",
    );
    text
}

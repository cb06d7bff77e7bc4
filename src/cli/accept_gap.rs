//! `saga accept-gap`: lets a partition go on that stands still for inputs that are lost.

use super::instance::{Access, Where};
use super::orders::Author;
use super::{CliError, Exit, Out};
use crate::http::api::{PartitionOrder, PartitionWord};

/// Let a partition go on behind inputs that are lost; `saga list` says which stand still, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Inputs are starts, orders and replies of participants. A partition stands still where some of them were deleted or
damaged before they were read: restore the data directory from a backup if you can. If not, this order gives them up
for good: a start or order among them never happens, though it was acknowledged, and a reply is asked for again.")]
pub(super) struct Arguments {
    /// The partition's number
    partition: u32,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    place: Where,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let place = &arguments.place;
    let Author { reason, by } = &arguments.author;
    let order = PartitionOrder { order: PartitionWord::AcceptGap, by: by.clone(), reason: reason.clone() };
    let accepted = Access::to(place)?.accept_gap(arguments.partition, &order, out)?;
    if place.is_json() {
        out.json(&accepted)?;
    } else {
        let partition = accepted.partition;
        out.remark(format_args!("partition {partition} goes on behind what is lost; that is in its journal"));
    }
    Ok(Exit::Done)
}

//! A participant as a child process: a command a line on standard input, a reply a line on standard output.
//!
//! Standard output belongs to the protocol; what people should read goes to standard error, which the orchestrator
//! passes on to its own log. The end of the input is the sign to stop.

use std::io::{self, BufRead, Read, Write};

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::service::{Participant, Told};
use super::store::Store;
use crate::wire::{CloudEvent, EVENT_MAX, Message};

/// Answers commands one after the other until the input ends.
///
/// # Errors
/// A pipe breaks.
pub fn serve<S: Store>(
    participant: &Participant<S>,
    mut input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    let mut written = Ok(());
    let resumed = participant.resume(|_, reply| {
        if written.is_ok() {
            written = write_line(&mut output, reply.write());
        }
        if written.is_ok() { Told::Yes } else { Told::Stop }
    });
    if let Err(error) = resumed {
        tracing::warn!(%error, "interrupted work cannot be taken up for now");
    }
    written?;
    let mut line = Vec::new();
    loop {
        line.clear();
        // The line's end, and one byte more, which shows that there is more.
        let limit = u64::try_from(EVENT_MAX).unwrap_or(u64::MAX).saturating_add(2);
        if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() > EVENT_MAX {
            tracing::error!("a command's line of over {EVENT_MAX} bytes is dropped");
            drop_rest_of_line(&mut input)?;
            continue;
        }
        let handled =
            CloudEvent::parse(line.trim_ascii_end()).and_then(|command| participant.handle(&command, super::now()));
        match handled {
            Ok(reply) => write_line(&mut output, reply.write())?,
            Err(error) => tracing::error!("a command was dropped: failed to {error}"),
        }
    }
}

fn drop_rest_of_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let (_, used, is_end) = up_to_line_end(buffer);
        let is_over = is_end || buffer.is_empty();
        input.consume(used);
        if is_over {
            return Ok(());
        }
    }
}

fn write_line(output: &mut impl Write, reply: Message) -> io::Result<()> {
    output.write_all(&to_line(reply))?;
    output.flush()
}

/// An event as one line, with its end. JSON text may be spread over lines, but inside of strings it has no line ends.
pub(super) fn to_line(message: Message) -> Vec<u8> {
    let mut line = message.payload.into_vec();
    for byte in line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
    line.push(b'\n');
    line
}

/// What is next on a pipe.
pub(super) enum Line {
    /// A line, without what is not UTF-8.
    Text(String),
    /// More than [`EVENT_MAX`] without a line end: the rest is for [`skip_line`].
    TooLong,
    /// The end, or a broken pipe; and what a line began with, which for a reply is none.
    End(String),
}

/// The next line of a pipe, of which never more than [`EVENT_MAX`] is kept.
pub(super) async fn next_line(pipe: &mut (impl AsyncBufRead + Unpin)) -> Line {
    let mut line = Vec::new();
    loop {
        let buffer = pipe.fill_buf().await.unwrap_or_default();
        if buffer.is_empty() {
            return Line::End(String::from_utf8_lossy(&line).into_owned());
        }
        let (part, used, is_end) = up_to_line_end(buffer);
        if line.len().saturating_add(part.len()) > EVENT_MAX {
            return Line::TooLong;
        }
        line.extend_from_slice(part);
        pipe.consume(used);
        if is_end {
            return Line::Text(String::from_utf8_lossy(&line).into_owned());
        }
    }
}

/// Passes over what is left of a line that may have no end; false at the end of the pipe.
pub(super) async fn skip_line(pipe: &mut (impl AsyncBufRead + Unpin)) -> bool {
    loop {
        let Ok(buffer) = pipe.fill_buf().await else { return false };
        if buffer.is_empty() {
            return false;
        }
        let (_, used, is_end) = up_to_line_end(buffer);
        pipe.consume(used);
        if is_end {
            return true;
        }
    }
}

/// What belongs to the line, how many bytes that are with its end, and whether they have it.
fn up_to_line_end(buffer: &[u8]) -> (&[u8], usize, bool) {
    match buffer.iter().position(|byte| *byte == b'\n') {
        Some(place) => (buffer.get(..place).unwrap_or_default(), place.saturating_add(1), true),
        None => (buffer, buffer.len(), false),
    }
}

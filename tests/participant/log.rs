//! What a participant's log says, and how often.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use saga::participant::Address;

use super::messages::{command, with};
use super::simulated::{carried, settings};

/// Keeps what is said, as lines.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Listens to the thread that has it for its default.
    pub(crate) fn listener(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        let log = self.clone();
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish()
    }

    /// The lines with these words.
    pub(crate) fn lines(&self, words: &str) -> Vec<String> {
        let said = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        said.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_flood_of_what_no_bridge_can_read_is_summed_up() {
    let log = Log::default();
    let _listens = tracing::subscriber::set_default(log.listener());
    let garbage =
        (0..50).map(|number| with(command(&format!("o-{number}"), "do", "Reserve", "{}"), "attempt", "first"));
    let (replies, handled) = carried(&Address::Simulated, settings(), garbage.collect()).await;
    assert!(replies.is_empty() && handled == 57, "{replies:?} {handled}");
    let lines = log.lines("a message is passed over: ");
    assert!(lines.len() == 10 && lines[9].contains("partition=5 offset=16"), "{lines:#?}");
    let sums = log.lines("and more messages are passed over");
    assert!(sums.len() == 1 && sums[0].contains("more=40"), "{sums:#?}");
}

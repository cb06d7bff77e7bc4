//! The log in one SQLite file: for one process, durable, and open to people's eyes.
//!
//! ```text
//!   submit --> lanes in memory --> writer thread: one transaction, one fsync --> reports
//!                   |                        |
//!                   +-- readers at the end   +--> saga.db --> reader thread: readers far behind
//! ```
//!
//! Offsets are dense and given in the order of `submit`. An append is acknowledged after the fsync of its group.
//! [`Embedded::own`] is for the owner of the partitions, [`Embedded::attach`] for everybody else in the process:
//! participants, clients, views. The lock on the data directory is the assignment, so there is one owner.

mod aside;
mod batch;
mod error;
mod file;
mod lane;
mod lock;
mod reader;
mod refusal;
mod shared;
mod site;
mod wal;
mod writer;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use self::file::Way;
use self::lane::Lane;
use self::lock::Lock;
use self::shared::Shared;
use super::endpoint::{Endpoint, Outbox};
use super::health::now;
use super::{Health, Log, Range, Report, Reports, Request};

pub use aside::{Aside, Written};
pub use error::OpenError;
pub use file::Layout;
pub use lock::{Held, Holder};
pub use shared::QUEUE_BYTES_MAX;

/// Partitions of a new data directory where nobody says otherwise. One process owns them all, so more of them only
/// spread its work over threads.
pub const PARTITIONS_DEFAULT: u32 = 2;

/// How a data directory is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// What this process calls itself, for whoever finds the directory locked: `saga serve`.
    pub owner: String,
    /// Where it answers, for whoever finds the directory locked: `http://127.0.0.1:7117`.
    pub server: Option<String>,
    /// Of a new directory; of an old one, refused if it has another number.
    pub partitions: Option<u32>,
    /// The file's largest size in pages, as a disk that is full: for tests of exactly that.
    pub max_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { owner: "saga".to_owned(), server: None, partitions: None, max_pages: None }
    }
}

/// A data directory, open and locked. Dropping it closes it.
#[derive(Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    layout: Layout,
    directory: PathBuf,
    way: Way,
    /// Who has it open for writing, if this process does.
    holder: Option<Holder>,
    /// End by themselves after `closing` is set; awaited by `close`, which every drop calls. The lock is let go last.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    /// None where it is only looked into, and no lock either.
    writer: Option<JoinHandle<Connection>>,
    reader: JoinHandle<()>,
    _lock: Option<Lock>,
}

/// One user's way to the log; reports go where it was told. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Attached {
    shared: Arc<Shared>,
    endpoint: Arc<Endpoint>,
}

impl Log for Attached {
    fn submit(&self, partition: u32, requests: Vec<Request>) {
        self.shared.submit(&self.endpoint, partition, requests);
    }
}

impl Embedded {
    /// Opens the log in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// Locked, read-only, full, damaged, newer, or not ours: each says what to do.
    pub fn open(directory: &Path, options: &Options) -> Result<Self, OpenError> {
        make(directory)?;
        let mut lock = Lock::take(directory, &options.owner, options.server.as_deref(), now())?;
        let asked = Layout {
            partitions: options.partitions.unwrap_or(PARTITIONS_DEFAULT).max(1),
            created_by: format!("saga {}", env!("CARGO_PKG_VERSION")),
        };
        let (connection, layout) = file::open(directory, &asked, options.partitions)?;
        lock.made();
        let path = directory.join(file::FILE);
        let sqlite = |source| OpenError::Sqlite { path: path.clone(), source };
        if let Some(pages) = options.max_pages {
            connection.pragma_update(None, "max_page_count", pages).map_err(sqlite)?;
        }
        let rows = file::lanes(&connection).map_err(|error| row_error(&path, error))?;
        let reading = file::connect_reader(directory, Way::Shared).map_err(sqlite)?;
        let (disk, reads) = mpsc::channel();
        let lanes = rows.iter().map(Lane::from_row).collect();
        let shared = Arc::new(Shared::new(path.clone(), layout.partitions, lanes, disk));
        let io = |source| OpenError::Io { path: path.clone(), source };
        let for_reader = Arc::clone(&shared);
        let reader = thread("log-reader").spawn(move || reader::run(&for_reader, &reading, &reads)).map_err(io)?;
        let for_writer = Arc::clone(&shared);
        let writer = thread("log-writer")
            .spawn(move || {
                writer::run(&for_writer, &connection);
                connection
            })
            .map_err(io)?;
        let holder = Some(lock.holder.clone());
        let running = Mutex::new(Some(Running { writer: Some(writer), reader, _lock: Some(lock) }));
        Ok(Self { shared, layout, directory: directory.to_owned(), way: Way::Shared, holder, running })
    }

    /// Opens the log to look into it as it is now, beside whoever holds it: nothing is written, and no lock is taken.
    /// What is appended meanwhile is not seen, and cannot be appended here. Gives also a connection for rows beside
    /// the log, which sees them as of the same instant or one before.
    ///
    /// # Errors
    /// There is none, or it is damaged, newer, or not ours: each says what to do.
    pub fn look(directory: &Path) -> Result<(Self, Connection), OpenError> {
        let path = directory.join(file::FILE);
        file::not_emptied(&path)?;
        if let Err(source) = fs::File::open(&path) {
            return Err(match source.kind() {
                io::ErrorKind::NotFound => OpenError::Nothing { path: directory.to_owned() },
                io::ErrorKind::PermissionDenied => OpenError::Unreadable { path, source },
                _ => OpenError::Io { path, source },
            });
        }
        let is_free = || matches!(lock::held(directory), Ok(Held::Free));
        // An owner at work changes the files while they are read: damage counts only where there is none.
        let was_free = is_free();
        if was_free
            && let Err(error) = file::whole(&path)
            && is_free()
        {
            return Err(error);
        }
        let (way, (rows, _)) = match file::look(directory, Way::Shared) {
            Ok(opened) => (Way::Shared, opened),
            Err(OpenError::ReadOnly { .. }) if was_free && file::is_unfolded(directory) => {
                return Err(OpenError::Unfolded { path });
            }
            Err(OpenError::ReadOnly { .. }) if was_free => (Way::Unchanging, file::look(directory, Way::Unchanging)?),
            Err(error) => return Err(error),
        };
        let (reading, layout) = file::look(directory, way)?;
        let lanes = file::lanes(&reading).map_err(|error| row_error(&path, error))?;
        let (disk, reads) = mpsc::channel();
        let lanes = lanes.iter().map(Lane::from_row).collect();
        let shared = Arc::new(Shared::new(path.clone(), layout.partitions, lanes, disk));
        // Whoever appends is told that nothing is written here.
        shared.lock().health = Health::Closed;
        let for_reader = Arc::clone(&shared);
        let reader = thread("log-reader")
            .spawn(move || reader::run(&for_reader, &reading, &reads))
            .map_err(|source| OpenError::Io { path, source })?;
        let running = Mutex::new(Some(Running { writer: None, reader, _lock: None }));
        Ok((Self { shared, layout, directory: directory.to_owned(), way, holder: None, running }, rows))
    }

    /// Whether a living process holds a data directory, and which.
    ///
    /// # Errors
    /// What the system says.
    pub fn held(directory: &Path) -> io::Result<Held> {
        lock::held(directory)
    }

    /// Whether there is a log in a directory, or was: then whoever opens it is told what became of it.
    ///
    /// # Errors
    /// What the system says, of a directory that may not be read.
    pub fn is_there(directory: &Path) -> io::Result<bool> {
        let path = directory.join(file::FILE);
        let traces = [path.clone(), file::wal_of(&path)].into_iter().map(fs::metadata);
        for trace in traces {
            match trace {
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(lock::was_made(&directory.join(lock::FILE)))
    }

    /// This process as the holder of the directory; none where it is only looked into.
    #[must_use]
    pub const fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// What was fixed when the directory was made.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.lock().health.clone()
    }

    /// Bytes that wait for the disk.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.shared.lock().queued_bytes
    }

    /// The way of the partitions' owner: all of them are assigned to it at once.
    #[must_use]
    pub fn own(&self, reports: Arc<dyn Reports>) -> Attached {
        let attached = self.attach(reports);
        let mut outbox = Outbox::default();
        for partition in 0..self.layout.partitions {
            outbox.push(&attached.endpoint, partition, Report::Assigned);
        }
        outbox.deliver();
        attached
    }

    /// Somebody else's way. What its requests and reports call the partition is that of the topic that it reads.
    #[must_use]
    pub fn attach(&self, reports: Arc<dyn Reports>) -> Attached {
        Attached { shared: Arc::clone(&self.shared), endpoint: Arc::new(Endpoint(reports)) }
    }

    /// Puts rows of the caller's own beside the log, in the next commit behind all that was appended until now.
    pub fn aside(&self, aside: Box<dyn Aside>) {
        self.shared.aside(aside);
    }

    /// A connection that reads the file, such as rows that were put there by [`aside`](Self::aside).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn connect(&self) -> rusqlite::Result<Connection> {
        file::connect_reader(&self.directory, self.way)
    }

    /// The offsets of a topic's partition that can be read.
    #[must_use]
    pub fn range(&self, topic: &str, partition: u32) -> Range {
        let mut state = self.shared.lock();
        let index = state.lane(&Arc::from(topic), partition);
        state.lanes.get(index).map(Lane::range).unwrap_or_default()
    }

    /// Writes what is queued, ends the threads, folds the write-ahead log into the file, and lets the lock go. What
    /// the disk does not take is reported as unknown. A second call does nothing.
    pub fn close(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { writer, reader, _lock: lock }) = running else { return };
        self.shared.lock().closing = true;
        self.shared.work.notify_all();
        let writer = if let Some(writer) = writer {
            writer.join().map(Some)
        } else {
            // What a writer does when it ends: the reader ends with the senders.
            self.shared.lock().disk = None;
            Ok(None)
        };
        let reader = reader.join();
        if writer.is_err() || reader.is_err() {
            tracing::error!("a thread of the log panicked; what it had acknowledged is kept");
        }
        // The last connection to be closed would do that by itself, if it may write: others only read.
        if let Ok(Some(connection)) = writer {
            let folded = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
            let closed = connection.close().map_err(|(_, error)| error);
            if let Err(error) = folded.and(closed) {
                tracing::warn!(%error, "the log was not closed cleanly; nothing is lost");
            }
        }
        drop(lock);
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

fn thread(name: &str) -> std::thread::Builder {
    std::thread::Builder::new().name(name.to_owned())
}

fn row_error(path: &Path, error: file::RowError) -> OpenError {
    match error {
        file::RowError::Damaged { what, .. } => refusal::damaged(path, what),
        file::RowError::Sqlite(source) => refusal::explain(path, source),
    }
}

fn make(directory: &Path) -> Result<(), OpenError> {
    let path = || directory.to_owned();
    match fs::create_dir_all(directory) {
        Ok(()) => Ok(()),
        Err(_) if directory.exists() && !directory.is_dir() => Err(OpenError::NotADirectory { path: path() }),
        Err(source) => Err(match source.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => OpenError::NotADirectory { path: path() },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                OpenError::ReadOnly { path: path(), source }
            }
            _ => OpenError::Io { path: path(), source },
        }),
    }
}

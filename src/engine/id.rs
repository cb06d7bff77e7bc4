//! Names of what the engine speaks of. All are text that people can read and copy.

use std::fmt;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use crate::source::is_obeyed;

/// The longest id that a client may choose, in bytes: it stands in every record and header of its instance.
pub const ID_MAX: usize = 200;

/// Declares a text newtype that serializes as its text.
macro_rules! text_id {
    ($(#[$doc:meta] $name:ident)*) => {$(
        #[$doc]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(CompactString);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<&str> for $name {
            type Error = IdError;
            fn try_from(text: &str) -> Result<Self, IdError> {
                check(text).map(|()| Self(CompactString::from(text)))
            }
        }
    )*};
}

text_id! {
    /// One run of a business transaction, as its starter calls it: a business key such as an order's number.
    InstanceId
    /// One request to the engine, so that a repeat of it is recognised.
    RequestId
}

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing.
    #[error("take an empty id: give it at least one character")]
    Empty,
    /// Over [`ID_MAX`].
    #[error("take an id of {bytes} bytes: the limit is {ID_MAX}")]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// A control character.
    #[error("take an id with the control character U+{code:04X}: ids stand in headers and on terminals")]
    Control {
        /// Its code point.
        code: u32,
    },
    /// A character that turns the direction of text.
    #[error(
        "take an id with the character U+{code:04X}, which turns the direction of text: it would read as another one"
    )]
    Turning {
        /// Its code point.
        code: u32,
    },
    /// `.` or `..`.
    #[error("take the id `{id}`: in the path of a URL it means another place; choose another id")]
    Path {
        /// It.
        id: CompactString,
    },
}

impl InstanceId {
    /// Whether a new instance may have it. It is asked of starts alone: what began before this was asked goes on.
    ///
    /// # Errors
    /// No client could name it in a URL: most take such a segment away, even one that is encoded. Or people would see another
    /// one, and give their order to that.
    pub fn is_startable(&self) -> Result<(), IdError> {
        match (self.as_str(), self.0.chars().find(|character| is_obeyed(*character))) {
            ("." | "..", _) => Err(IdError::Path { id: self.0.clone() }),
            (_, Some(turning)) => Err(IdError::Turning { code: u32::from(turning) }),
            (_, None) => Ok(()),
        }
    }
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_MAX {
        return Err(IdError::TooLong { bytes: text.len() });
    }
    match text.chars().find(|character| character.is_control()) {
        Some(control) => Err(IdError::Control { code: u32::from(control) }),
        None => Ok(()),
    }
}

/// Which life of an instance id: the start in milliseconds. An id may be used again long after its instance ended;
/// the run stands in all command ids, so that the participants' guards tell the two apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Run(pub u64);

/// Forward or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The step's action.
    Do,
    /// Its compensation.
    Undo,
}

impl Direction {
    /// Its word, as in the journal.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
        }
    }
}

/// One piece of work of one run, the same for all attempts, the undo and the queries of it:
/// `instance/run/place/round`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommandId {
    /// Whose.
    pub instance: InstanceId,
    /// Which life of it.
    pub run: Run,
    /// The step, with indices where it stands in a loop.
    pub place: CompactString,
    /// 1, 2, 3 …: done anew after its undo is another round.
    pub round: u32,
    /// A compensation that is a work of its own ([`Undo::OfItsOwn`](crate::plan::Undo)) has an id of its own.
    pub own_undo: bool,
}

/// Marks the id of a compensation that is a work of its own. No place of the language has this character.
const OWN_UNDO: char = '~';

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, run: Run(run), place, round, own_undo } = self;
        write!(f, "{instance}/{run}/{place}")?;
        if *own_undo {
            write!(f, "{OWN_UNDO}")?;
        }
        write!(f, "/{round}")
    }
}

impl CommandId {
    /// Reads an id back; `None` for what no engine wrote. The instance's own id may hold slashes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(4, '/');
        let round = parts.next()?.parse().ok()?;
        let place = parts.next()?;
        let run = Run(parts.next()?.parse().ok()?);
        let instance = InstanceId::try_from(parts.next()?).ok()?;
        let own_undo = place.ends_with(OWN_UNDO);
        let place = CompactString::from(place.strip_suffix(OWN_UNDO).unwrap_or(place));
        Some(Self { instance, run, place, round, own_undo })
    }

    /// The text, once.
    #[must_use]
    pub fn to_text(&self) -> CompactString {
        format_compact!("{self}")
    }
}

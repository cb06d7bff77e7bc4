//! The files around an open document: those on disk, and in place of them what the editor has open.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::check::{Library, NotFound, Place};
use crate::files::Folder;

/// What may stand in the path of a URI as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// An open text: its URI, as the editor writes it, and what it says.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) uri: String,
    pub(super) text: Arc<str>,
}

/// Open texts by the path of their file.
pub(super) type Desk = BTreeMap<String, Open>;

/// The path of a file's URI; none of a text that is no file.
pub(super) fn path(uri: &str) -> Option<String> {
    let path = percent_decode_str(uri.strip_prefix("file://")?).decode_utf8().ok()?;
    let real = std::fs::canonicalize(&*path).ok();
    let real = real.and_then(|path| path.into_os_string().into_string().ok());
    Some(real.unwrap_or_else(|| Cow::into_owned(path)))
}

/// The URI of a file that no editor has open.
pub(super) fn uri(path: &str) -> String {
    format!("file://{}", utf8_percent_encode(path, PATH))
}

/// The files around a document.
#[derive(Debug)]
pub(super) struct Around<'d> {
    pub(super) desk: &'d Desk,
    /// None of a text that is no file: it uses none.
    pub(super) folder: Option<Folder>,
}

impl<'d> Around<'d> {
    pub(super) fn new(desk: &'d Desk, uri: &str) -> Self {
        Self { desk, folder: path(uri).and_then(|path| Folder::around(Path::new(&path)).ok()) }
    }
}

impl Library for Around<'_> {
    fn first(&self, name: &str) -> Place {
        match &self.folder {
            Some(folder) => folder.first(name),
            None => Place { key: name.to_owned(), name: name.to_owned() },
        }
    }

    fn find(&self, from: &Place, path: &str) -> Result<Place, NotFound> {
        let found = self.folder.as_ref().ok_or(NotFound::NoFiles)?.find(from, path)?;
        let name = match self.desk.get(&found.key) {
            Some(open) => open.uri.clone(),
            None => uri(&found.key),
        };
        Ok(Place { name, ..found })
    }

    fn read(&self, place: &Place, most: usize) -> Result<Vec<u8>, NotFound> {
        match self.desk.get(&place.key) {
            Some(open) => Ok(open.text.bytes().take(most.saturating_add(1)).collect()),
            None => self.folder.as_ref().ok_or(NotFound::NoFiles)?.read(place, most),
        }
    }
}

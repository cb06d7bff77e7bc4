//! Another name for something, in all files that know it: those that the editor has open, and those on disk.
//!
//! Who uses a file is written in its users alone, so all files that may are looked through. One that cannot be read to
//! its end refuses the rename, for not all of its names are known.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use gen_lsp_types as lsp;

use super::desk::{self, Around};
use super::{Failure, Server, convert};
use crate::editor::{Document, Named, Refused};
use crate::files::{ENTRIES_MAX, users};
use crate::source::{SourceFile, Span};
use crate::syntax::limits::MAX_FILE_BYTES;

/// The edits of each file, by its URI.
pub(super) type Edits = BTreeMap<String, Vec<lsp::TextEdit>>;

/// Gives what stands at a place of a document another name everywhere.
pub(super) fn rename(server: &Server, uri: &str, offset: u32, to: &str) -> Result<Edits, Failure> {
    let refused = |refused: Refused| Failure::refused(format!("failed to {refused}"));
    let document = server.documents.get(uri).ok_or_else(|| Failure::wrong(format!("{uri} is not open")))?;
    let named = document.named(offset).map_err(refused)?;
    let mut edits = Edits::new();
    add(&mut edits, document, document.rename(&named, to).map_err(refused)?, to);
    for other in others(server, uri, &named)? {
        if !other.is_whole() {
            let name = other.file().map(|file| file.name.to_string()).unwrap_or_default();
            let why = format!("failed to rename: {name} knows the name and has errors; mend them first");
            return Err(Failure::refused(why));
        }
        add(&mut edits, &other, other.rename(&named, to).map_err(refused)?, to);
    }
    if edits.len() > 1 && !document.is_whole() {
        return Err(Failure::refused("failed to rename: files that are joined have errors; mend them first"));
    }
    Ok(edits)
}

/// Adds the edits that are not known yet: files know each other.
fn add(edits: &mut Edits, document: &Document, spans: Vec<Span>, to: &str) {
    for span in spans {
        let location = convert::location(document, span);
        let edits = edits.entry(location.uri.0).or_default();
        if edits.iter().all(|known| known.range != location.range) {
            edits.push(lsp::TextEdit { range: location.range, new_text: to.to_owned() });
        }
    }
}

/// The other documents around that know what is renamed.
fn others(server: &Server, uri: &str, named: &Named) -> Result<Vec<Document>, Failure> {
    let files = desk::path(named.file()).map(|file| users(Path::new(&file)));
    let files = files.unwrap_or_else(|| Some(BTreeSet::new())).ok_or_else(|| {
        let many = format!("there are more than {ENTRIES_MAX} files and folders around; a `saga.toml` nearer to it says which are meant");
        Failure::refused(format!("failed to rename: {many}"))
    })?;
    let on_disk = files.into_iter().filter_map(|path| path.into_os_string().into_string().ok());
    let on_disk = on_disk.filter(|path| !server.desk.contains_key(path)).filter_map(|path| {
        let is_small = std::fs::metadata(&path).is_ok_and(|about| about.len() <= MAX_FILE_BYTES as u64);
        let text: Arc<str> = is_small.then(|| std::fs::read_to_string(&path).ok())??.into();
        Some((Cow::Owned(desk::uri(&path)), text))
    });
    let open = server.documents.iter().filter(|(other, _)| *other != uri);
    let open = open.filter_map(|(uri, document)| Some((Cow::Borrowed(uri.as_str()), text(document.file()?))));
    // Of a file that is used, scenarios and triggers do not come in: it is looked at itself.
    let users = open.chain(on_disk).filter(|(uri, text)| *uri == *named.file() || text.contains("use"));
    let read =
        |(uri, text): (Cow<'_, str>, Arc<str>)| Document::new(&uri, &text, None, &Around::new(&server.desk, &uri));
    Ok(users.map(read).filter(|other| other.knows(named)).collect())
}

fn text(file: &SourceFile) -> Arc<str> {
    Arc::clone(&file.text)
}

//! The files of one program: the one that was named first, and those that it uses, directly or by way of others.
//!
//! Each is read once, however often it is reached: first those that the named file uses, then those that they use.
//! Where they come from a [`Library`] knows: a folder, an editor's open texts, a table of a test. What is wrong about
//! a `use` is said here; what such a file would have given is then silent in all others.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::lower::Trees;
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::{FileId, SourceFile, Sources, Span};
use crate::syntax;
use crate::syntax::limits::{MAX_FILE_BYTES, MAX_FILES, MAX_STATEMENTS};
use crate::syntax::tree;

/// Where a file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is recognised by: one file has one key, however it is reached.
    pub key: String,
    /// As people are shown it.
    pub name: String,
}

/// Where the files are that others use.
pub trait Library {
    /// The place of the file that was named first, whose name is `name`.
    fn first(&self, name: &str) -> Place;

    /// The file that `path` leads to from the file at `from`.
    ///
    /// # Errors
    /// There is none, or it may not be used.
    fn find(&self, from: &Place, path: &str) -> Result<Place, NotFound>;

    /// Its bytes; one more than `most` is enough where there are more.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, place: &Place, most: usize) -> Result<Vec<u8>, NotFound>;
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// Nothing is there.
    Missing {
        /// Names of files beside which it would be.
        beside: Vec<String>,
    },
    /// What is there is a folder, a pipe, a device.
    NotAFile,
    /// It lies elsewhere than files may that are used.
    Outside {
        /// They may below this folder.
        folder: String,
    },
    /// It is there, and this is why it cannot be read.
    Unreadable(String),
    /// No file can be used from where the text came.
    NoFiles,
}

/// Of a text that has no place among files: what it uses is not there.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Library for Alone {
    fn first(&self, name: &str) -> Place {
        Place { key: String::new(), name: name.to_owned() }
    }

    fn find(&self, _: &Place, _: &str) -> Result<Place, NotFound> {
        Err(NotFound::NoFiles)
    }

    fn read(&self, _: &Place, _: usize) -> Result<Vec<u8>, NotFound> {
        Err(NotFound::NoFiles)
    }
}

/// Files as they were read.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) sources: Sources,
    pub(super) trees: Trees,
    pub(super) problems: Problems,
}

/// Reads what the first file uses.
pub(super) fn load(first: SourceFile, library: &dyn Library) -> Files {
    let mut loading = Loading {
        library,
        files: Files { sources: Sources::default(), trees: Trees::default(), problems: Problems::default() },
        places: vec![library.first(&first.name)],
        ids: BTreeMap::new(),
        bytes: 0,
        statements: 0,
        is_full: false,
    };
    loading.take(first, Problems::default());
    let mut next = 0;
    while next < loading.places.len() {
        loading.follow(next);
        next += 1;
    }
    loading.circles();
    loading.files
}

struct Loading<'l> {
    library: &'l dyn Library,
    files: Files,
    /// Of each file, by its number.
    places: Vec<Place>,
    /// By key.
    ids: BTreeMap<String, FileId>,
    bytes: usize,
    statements: usize,
    /// That there is too much was said.
    is_full: bool,
}

impl Loading<'_> {
    /// The number of the file whose place is the last.
    fn last(&self) -> FileId {
        FileId(u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX))
    }

    /// Parses that file. One about whose bytes something was found is only there to be shown.
    fn take(&mut self, file: SourceFile, unreadable: Problems) {
        let id = self.last();
        let (tree, found) = if unreadable.is_empty() {
            syntax::parse(id, &file)
        } else {
            (tree::File { incomplete: true, ..tree::File::default() }, unreadable)
        };
        self.files.problems.extend(found);
        self.bytes = self.bytes.saturating_add(file.text.len());
        self.statements = self.statements.saturating_add(tree.statements);
        self.files.sources.add(file);
        self.ids.extend(self.places.last().map(|place| (place.key.clone(), id)));
        // What an incomplete file would have given nobody knows; it was reported.
        self.files.trees.is_whole &= !tree.incomplete;
        self.files.trees.files.push((id, tree));
    }

    /// Reads what a file uses and nobody used before.
    fn follow(&mut self, number: usize) {
        let Some((id, tree)) = self.files.trees.files.get(number) else { return };
        let id = *id;
        let uses: Vec<tree::Use> = tree.items.iter().filter_map(as_use).cloned().collect();
        for item in uses {
            let Some(target) = self.target(number, &item) else {
                self.files.trees.is_whole = false;
                continue;
            };
            let uses = &mut self.files.trees.uses;
            if let Some((first, _)) = uses.iter().find(|(at, used)| at.file == id && *used == target) {
                self.files.problems.push(
                    Diagnostic::error(codes::SAID_TWICE, item.span, format!("`{}` is used already", item.path.value))
                        .here("used again here")
                        .also(*first, "first used here")
                        .hint("remove it: one `use` brings everything in"),
                );
            } else {
                uses.push((item.path.span, target));
            }
        }
    }

    /// The file that is used; none if it cannot be, which is reported.
    fn target(&mut self, by: usize, item: &tree::Use) -> Option<FileId> {
        let place = match self.library.find(self.places.get(by)?, &item.path.value) {
            Ok(place) => place,
            Err(why) => return self.refuse(item, &why),
        };
        if let Some(known) = self.ids.get(&place.key) {
            return Some(*known);
        }
        if self.is_full {
            return None;
        }
        if self.places.len() >= MAX_FILES {
            return self.too_much(item, &format!("more than {MAX_FILES} files"));
        }
        let room = MAX_FILE_BYTES.saturating_sub(self.bytes);
        let bytes = match self.library.read(&place, room) {
            Ok(bytes) => bytes,
            Err(why) => return self.refuse(item, &why),
        };
        if bytes.len() > room {
            return self.too_much(item, &format!("more than {MAX_FILE_BYTES} bytes"));
        }
        let name = place.name.clone();
        self.places.push(place);
        let (file, problems) = syntax::decode(self.last(), &name, &bytes);
        self.take(file, problems);
        if self.statements > MAX_STATEMENTS {
            return self.too_much(item, &format!("more than {MAX_STATEMENTS} statements"));
        }
        Some(self.last())
    }

    fn refuse(&mut self, item: &tree::Use, why: &NotFound) -> Option<FileId> {
        let path = &item.path.value;
        let at = item.path.span;
        let not_found = |title: String| Diagnostic::error(codes::USED_FILE_NOT_FOUND, at, title);
        let finding = match why {
            NotFound::Missing { beside } => {
                let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name);
                let folder = path.strip_suffix(name).unwrap_or_default();
                let near = crate::definition::lower::near(name, beside.iter().map(String::as_str));
                not_found(format!("there is no file `{path}`")).hint(match near {
                    Some(near) => format!("did you mean `{folder}{near}`?"),
                    None => "the path is relative to the file that uses it".to_owned(),
                })
            }
            NotFound::NotAFile => {
                not_found(format!("`{path}` is no file")).hint("name the file; a folder is not used as a whole")
            }
            NotFound::Unreadable(why) => not_found(format!("`{path}` cannot be read: {why}")),
            NotFound::Outside { folder } => Diagnostic::error(
                codes::USED_FILE_OUTSIDE,
                at,
                format!("`{path}` is not below the folder `{folder}`"),
            )
            .why(
                "Files are used from below the folder of the nearest `saga.toml`, or else of the file that was named \
                 first: nothing else of a machine becomes part of a definition.",
            )
            .hint("move it there, or put a `saga.toml` into the folder above both"),
            NotFound::NoFiles => not_found(format!("`{path}` cannot be used here"))
                .why("This text came by itself, without the files around it.")
                .hint("`saga deploy FILE` sends one text that holds everything that it uses"),
        };
        self.files.problems.push(finding);
        None
    }

    /// Of all that is too much, the first is reported.
    fn too_much(&mut self, item: &tree::Use, what: &str) -> Option<FileId> {
        if !self.is_full {
            self.is_full = true;
            let title = format!("with `{}` this program has {what}", item.path.value);
            self.files.problems.push(
                Diagnostic::error(codes::USES_TOO_MUCH, item.path.span, title)
                    .why("The limit of a file holds for it together with all that it uses.")
                    .hint("use only what is needed: a saga without what it runs, a participant with those beside it"),
            );
        }
        None
    }

    /// Reports each `use` that leads back to a file on the way to it.
    fn circles(&mut self) {
        let mut walk = Walk { uses: &self.files.trees.uses, way: Vec::new(), done: BTreeSet::new(), found: Vec::new() };
        walk.visit(FileId::default());
        for circle in walk.found {
            let name = |file: FileId| self.places.get(file.0 as usize).map_or("", |place| place.name.as_str());
            let Some((back, before)) = circle.split_last() else { continue };
            let others: Vec<String> = circle.iter().skip(1).map(|at| format!("`{}`", name(at.file))).collect();
            let by_way = if others.is_empty() { String::new() } else { format!(", by way of {}", others.join(", ")) };
            let first = circle.first().map_or("", |at| name(at.file));
            let mut finding = Diagnostic::error(codes::USES_ITSELF, *back, format!("`{first}` uses itself{by_way}"))
                .here("leads back to it")
                .hint("put what both need into a file of its own");
            for at in before {
                finding = finding.also(*at, "on the way");
            }
            self.files.problems.push(finding);
        }
    }
}

/// The way through the files, for circles. As deep as there are files at most.
struct Walk<'e> {
    uses: &'e [(Span, FileId)],
    /// Where each file on the way was left.
    way: Vec<Span>,
    done: BTreeSet<FileId>,
    /// Circles, each from the file that it leads back to.
    found: Vec<Vec<Span>>,
}

impl Walk<'_> {
    fn visit(&mut self, file: FileId) {
        for (at, target) in self.uses.iter().filter(|(at, _)| at.file == file) {
            self.way.push(*at);
            if let Some(begin) = self.way.iter().position(|known| known.file == *target) {
                self.found.push(self.way.iter().skip(begin).copied().collect());
            } else if !self.done.contains(target) {
                self.visit(*target);
            }
            self.way.pop();
        }
        self.done.insert(file);
    }
}

fn as_use(item: &tree::Item) -> Option<&tree::Use> {
    if let tree::Item::Use(used) = item { Some(used) } else { None }
}

/// The program as one text without `use`, which means the same; of a single file, its own text.
///
/// Scenarios and triggers are those of the first file, as in the program.
#[must_use]
pub fn as_one_text(sources: &Sources, trees: &Trees) -> String {
    let own = sources.get(FileId(0)).map(|file| file.text.to_string()).unwrap_or_default();
    let [(_, first), used @ ..] = trees.files.as_slice() else { return own };
    if used.is_empty() {
        return own;
    }
    let comes_in = |item: &&tree::Item| !matches!(item, tree::Item::Scenario(_) | tree::Item::Trigger(_));
    let others = used.iter().flat_map(|(_, file)| &file.items).filter(comes_in);
    let items = first.items.iter().chain(others).filter(|item| as_use(item).is_none()).cloned().collect();
    syntax::convert(&tree::File { items, ..tree::File::default() }, syntax::Form::Saga)
}

//! From the events of a parser to nodes with their places: the first look at a document.
//!
//! What is wrong with it as YAML is found here: syntax, tabs, several documents, tags, aliases that multiply, depth.
//! Nothing here recurses, and aliases are shared, so that a document of many aliases costs no more than its text.

use std::collections::BTreeMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::node::{Kind, Node, Scalar, Style};
use super::offset;
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::{FileId, Span};
use crate::syntax::limits::{MAX_ALIASED_NODES, MAX_PLACES, MAX_STRING_BYTES, MAX_YAML_DEPTH};

/// What the first look found.
pub(super) struct Indexed {
    /// None: nothing of it can be used.
    pub(super) root: Option<Rc<Node>>,
    /// The spans of all scalars in the order of the text; `#` outside of them begins a comment.
    pub(super) scalars: Vec<Span>,
    /// The first alias.
    pub(super) alias: Option<Span>,
    pub(super) problems: Problems,
}

pub(super) fn index(file: FileId, text: &str) -> Indexed {
    let bom = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let body = text.get(bom..).unwrap_or_default();
    let mut indexer = Indexer {
        file,
        text,
        bytes: Bytes::of(body, bom),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        aliased: 0,
        first_alias: None,
        scalars: Vec::new(),
        root: None,
        problems: Problems::default(),
    };
    if indexer.tabs() || indexer.run(body).is_err() {
        indexer.root = None;
    }
    Indexed { root: indexer.root, scalars: indexer.scalars, alias: indexer.first_alias, problems: indexer.problems }
}

/// From characters, which the parser counts, to bytes.
struct Bytes {
    /// None: all are ASCII.
    starts: Option<Vec<u32>>,
    base: usize,
}

impl Bytes {
    fn of(body: &str, base: usize) -> Self {
        let starts = (!body.is_ascii())
            .then(|| body.char_indices().map(|(at, _)| offset(at)).chain([offset(body.len())]).collect());
        Self { starts, base }
    }

    fn at(&self, character: usize) -> u32 {
        let at = match &self.starts {
            None => offset(character),
            Some(starts) => starts.get(character).or(starts.last()).copied().unwrap_or_default(),
        };
        at + offset(self.base)
    }
}

/// A list or map that has not ended.
struct Open {
    start: u32,
    anchor: usize,
    is_map: bool,
    children: Vec<Rc<Node>>,
}

/// Nothing more is read: it has been said why.
struct Stop;

struct Indexer<'a> {
    file: FileId,
    text: &'a str,
    bytes: Bytes,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Rc<Node>>,
    /// Nodes that aliases stand for, so far.
    aliased: usize,
    first_alias: Option<Span>,
    scalars: Vec<Span>,
    root: Option<Rc<Node>>,
    problems: Problems,
}

impl Indexer<'_> {
    fn span(&self, start: u32, end: u32) -> Span {
        Span { file: self.file, start, end: end.max(start) }
    }

    fn byte(&self, at: u32) -> u8 {
        self.text.as_bytes().get(at as usize).copied().unwrap_or_default()
    }

    /// Tabs that indent: one finding for all of them, and none of what the parser says of them.
    fn tabs(&mut self) -> bool {
        let mut places = Vec::new();
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
            let blank = line.trim().is_empty();
            if let Some(tab) = line.get(..indent).and_then(|indent| indent.find('\t')).filter(|_| !blank) {
                places.push(self.span(offset(start + tab), offset(start + tab + 1)));
            }
            start += line.len();
        }
        // A tab inside of a block scalar or behind a quote is text, and the parser takes it.
        if places.is_empty()
            || Parser::new_from_str(self.text.trim_start_matches('\u{FEFF}')).all(|event| event.is_ok())
        {
            return false;
        }
        let mut places = places.into_iter();
        let Some(first) = places.next() else { return false };
        let mut finding = Diagnostic::error(codes::YAML_TABS, first, "a tab indents this line")
            .here("YAML is indented by spaces only")
            .why("How wide a tab is differs from editor to editor, so YAML has none in indentation.")
            .hint("replace it by spaces; most editors do that by one command");
        for place in places.by_ref().take(MAX_PLACES - 1) {
            finding = finding.also(place, "");
        }
        self.problems.push(finding);
        true
    }

    fn run(&mut self, body: &str) -> Result<(), Stop> {
        let mut parser = Parser::new_from_str(body);
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| self.not_yaml(&error))?;
            let (start, end) = (self.bytes.at(span.start.index()), self.bytes.at(span.end.index()));
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        let finding = self.second_document(start, end);
                        return self.stop(finding);
                    }
                }
                Event::Alias(anchor) => self.alias(anchor, self.span(start, end))?,
                Event::Scalar(text, style, anchor, tag) => {
                    self.tagged(tag.as_deref(), start, end)?;
                    let (kind, span) = self.scalar(text.into_owned(), style, start, end);
                    self.scalars.push(span);
                    self.long(&kind, span);
                    self.finish(Node { kind, span, size: 1, depth: 0 }, anchor);
                }
                Event::SequenceStart(anchor, tag) => self.begin(tag.as_deref(), anchor, start, end, false)?,
                Event::MappingStart(anchor, tag) => self.begin(tag.as_deref(), anchor, start, end, true)?,
                Event::SequenceEnd | Event::MappingEnd => self.end(start),
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        Ok(())
    }

    fn stop<T>(&mut self, finding: Diagnostic) -> Result<T, Stop> {
        self.problems.push(finding);
        Err(Stop)
    }

    /// The text of a scalar and its bytes, without what the parser counts in behind them.
    fn scalar(&self, text: String, style: ScalarStyle, start: u32, end: u32) -> (Kind, Span) {
        let (style, quote) = match style {
            ScalarStyle::Plain => (Style::Plain, None),
            ScalarStyle::SingleQuoted => (Style::Single, Some(b'\'')),
            ScalarStyle::DoubleQuoted => (Style::Double, Some(b'"')),
            ScalarStyle::Literal | ScalarStyle::Folded => (Style::Block, None),
        };
        let written = self.text.get(start as usize..end as usize).unwrap_or_default();
        // Its anchor stands before it.
        let anchor =
            if written.starts_with('&') { written.find(char::is_whitespace).unwrap_or(written.len()) } else { 0 };
        let value = written.get(anchor..).unwrap_or_default().trim_start();
        let start = start + offset(written.len() - value.len());
        let written = value;
        let kept = match quote {
            Some(quote) => written.rfind(char::from(quote)).map_or(written.len(), |at| at + 1),
            None => written.trim_end().len(),
        };
        (Kind::Scalar(Scalar { text, style }), self.span(start, start + offset(kept)))
    }

    fn long(&mut self, kind: &Kind, span: Span) {
        let Kind::Scalar(Scalar { text, .. }) = kind else { return };
        if text.len() > MAX_STRING_BYTES {
            let place = self.span(span.start, span.start + 1);
            self.problems.push(
                Diagnostic::error(codes::STRING_TOO_LONG, place, "this string is too long")
                    .here(format!("{} bytes; at most {MAX_STRING_BYTES} are allowed", text.len()))
                    .hint("keep the text in a store of your own and pass on its name"),
            );
        }
    }

    fn begin(&mut self, tag: Option<&Tag>, anchor: usize, start: u32, end: u32, is_map: bool) -> Result<(), Stop> {
        self.tagged(tag, start, end)?;
        // In front of a flow's bracket its anchor may stand.
        let bracket = if is_map { '{' } else { '[' };
        let before = self.text.get(start as usize..end as usize).and_then(|head| head.find(bracket));
        let start = start + offset(before.unwrap_or_default());
        if self.open.len() >= MAX_YAML_DEPTH {
            return self.stop(too_deep(self.span(start, start + 1)));
        }
        self.open.push(Open { start, anchor, is_map, children: Vec::new() });
        Ok(())
    }

    fn end(&mut self, at: u32) {
        let Some(open) = self.open.pop() else { return };
        let size = open.children.iter().fold(1_usize, |size, child| size.saturating_add(child.size));
        let depth = 1 + open.children.iter().map(|child| child.depth).max().unwrap_or_default();
        let is_flow = matches!(self.byte(open.start), b'{' | b'[') && matches!(self.byte(at), b'}' | b']');
        let inner = |span: Span| span.start >= open.start && span.end <= at;
        let last = open.children.iter().map(|child| child.span).filter(|span| inner(*span)).map(|span| span.end).max();
        let first = open.children.first().map(|child| child.span.start).filter(|first| *first >= open.start);
        let span = if is_flow {
            self.span(open.start, at + 1)
        } else {
            self.span(first.filter(|_| open.is_map).unwrap_or(open.start), last.unwrap_or(open.start))
        };
        let kind = if open.is_map { Kind::Map(pairs(open.children)) } else { Kind::List(open.children) };
        self.finish(Node { kind, span, size, depth }, open.anchor);
    }

    fn finish(&mut self, node: Node, anchor: usize) {
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.put(node);
    }

    fn put(&mut self, node: Rc<Node>) {
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.root = Some(node),
        }
    }

    fn alias(&mut self, anchor: usize, place: Span) -> Result<(), Stop> {
        self.first_alias = self.first_alias.or(Some(place));
        let Some(node) = self.anchors.get(&anchor).map(Rc::clone) else {
            let finding = Diagnostic::error(codes::YAML_ALIASES, place, "this alias stands in what it is an alias of")
                .here("would never end")
                .hint("write it out, or put the anchor elsewhere");
            return self.stop(finding);
        };
        self.aliased = self.aliased.saturating_add(node.size);
        if self.aliased > MAX_ALIASED_NODES {
            let here = format!("with it, aliases stand for more than {MAX_ALIASED_NODES} values");
            let finding = Diagnostic::error(codes::YAML_ALIASES, place, "aliases make this document too large")
                .here(here)
                .why("Aliases of aliases multiply: a short text can stand for more than fits into any memory.")
                .hint("write out what differs, or let a saga loop over data with `for each`");
            return self.stop(finding);
        }
        if self.open.len() + node.depth > MAX_YAML_DEPTH {
            return self.stop(too_deep(place));
        }
        self.put(node);
        Ok(())
    }

    /// A tag asks for a type of a program's own; none has a meaning here.
    fn tagged(&mut self, tag: Option<&Tag>, start: u32, end: u32) -> Result<(), Stop> {
        let Some(tag) = tag else { return Ok(()) };
        let line = self.text.get(..start as usize).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let before = self.text.get(line..end as usize).unwrap_or_default();
        let at = before.rfind('!').map_or(start as usize, |at| line + at);
        let at = if self.text.get(..at).is_some_and(|before| before.ends_with('!')) { at - 1 } else { at };
        let rest = self.text.get(at..).unwrap_or_default();
        let length = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | ']')).unwrap_or(rest.len());
        let title = format!("a tag, `!{}`, has no meaning here", tag.suffix);
        let finding = Diagnostic::error(codes::YAML_TAG, self.span(offset(at), offset(at + length)), title)
            .here("remove it")
            .why("What a value is follows from its place, never from a tag.")
            .hint("quotes make a text of it: `\"12\"`");
        self.stop(finding)
    }

    fn second_document(&self, start: u32, end: u32) -> Diagnostic {
        Diagnostic::error(codes::YAML_DOCUMENTS, self.span(start, end), "a second document begins here")
            .here("a file holds one")
            .hint("remove this line and merge what stands below it into the keys above, or make a file of each")
    }

    /// The bracket that was opened last.
    fn opened(&self, otherwise: Span) -> Span {
        let bracket = |open: &&Open| matches!(self.byte(open.start), b'{' | b'[');
        let open = self.open.iter().rev().find(bracket);
        open.map_or(otherwise, |open| self.span(open.start, open.start + 1))
    }

    fn not_yaml(&mut self, error: &ScanError) -> Stop {
        let info = error.info();
        let at = self.bytes.at(error.marker().index()).min(offset(self.text.len()));
        let length = self.text.get(at as usize..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let place = self.span(at, at + offset(length));
        let said = |title: &str, hint: &str| Diagnostic::error(codes::YAML_SYNTAX, place, title).hint(hint);
        let is_tab =
            self.byte(at) == b'\t' || info.contains("tab") || self.byte(at + 1) == b'\t' && self.byte(at) == b':';
        let finding = if info.contains("recursion limit") {
            too_deep(place)
        } else if is_tab {
            Diagnostic::error(codes::YAML_TABS, place, "a tab stands where YAML has spaces")
                .hint("replace it by spaces")
        } else if info.contains("unknown anchor") {
            said("this alias has no anchor", "write `&name` before the value that `*name` stands for, further above")
        } else if info.contains("mapping values are not allowed") {
            said("a `:` that begins no value", "quote a text that holds `: `; a map begins on a line of its own")
                .here("there is a value on this line already")
        } else if info.contains("flow mapping") || info.contains("flow sequence") {
            said(
                "a `{ … }` or `[ … ]` that cannot be read on",
                "separate with `,` and close with `}` or `]`; quote an expression in it: `\"${ … }\"`",
            )
            .here("expected `,` or the end of it")
            .also(self.opened(place), "it begins here")
        } else if info.contains("illegal placement of ':'") {
            said("a `:` where none can stand", "is a `]` or `}` missing above? Otherwise quote the text that holds it")
        } else if info.contains("quoted scalar") || info.contains("quote") {
            said(
                "a quoted text that is not closed",
                "close it; a text of several lines is indented deeper than its key",
            )
            .here("begins here")
        } else if info.contains("escape") {
            said("an escape that YAML does not know", "write a backslash as `\\\\`, or use single quotes")
        } else if info.contains("simple key") || info.contains("block") || info.contains("indent") {
            said(
                "this line does not fit into what stands above it",
                "keys of one map stand exactly below each other; is a `:` or a `- ` missing?",
            )
            .here("neither a key nor a value here")
        } else {
            said("this is not YAML", "is the line complete, and indented as its neighbours are?")
                .here(format!("a reader says: {info}"))
        };
        self.problems.push(finding);
        Stop
    }
}

fn too_deep(place: Span) -> Diagnostic {
    Diagnostic::error(codes::TOO_DEEP, place, "this nests too deep")
        .here(format!("level {}; at most {MAX_YAML_DEPTH} of lists and maps are allowed", MAX_YAML_DEPTH + 1))
        .hint("move a part of it out: a `let` for an expression, a type for a record")
}

/// Keys and their values.
fn pairs(children: Vec<Rc<Node>>) -> Vec<(Rc<Node>, Rc<Node>)> {
    let mut pairs = Vec::with_capacity(children.len() / 2);
    let mut children = children.into_iter();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        pairs.push((key, value));
    }
    pairs
}

//! Holds the house to its own rules, by reading the sources: layers, sizes, findings' codes, forgotten files, links.
//!
//! Paths are found in the tokens of each file, so that groups, macros and `super` count too, and comments do not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use saga::diagnostic::codes::CATALOGUE;

/// Whether a layer may touch the world.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    Pure,
    World,
}
use Touch::{Pure, World};

/// Every layer of the library in the order of ARCHITECTURE.md: each knows only those above it.
const LAYERS: &[(&str, Touch)] = &[
    ("source", Pure),
    ("diagnostic", Pure),
    ("time", Pure),
    ("json", Pure),
    ("syntax", Pure),
    ("definition", Pure),
    ("check", Pure),
    ("plan", Pure),
    ("editor", Pure),
    ("engine", Pure),
    ("model", Pure),
    ("wire", Pure),
    ("schema", Pure),
    ("journal", Pure),
    ("files", World),
    ("log", World),
    ("runtime", World),
    ("simulation", Pure),
    ("participant", World),
    ("http", World),
    ("lsp", World),
    ("cli", World),
];

/// What a pure layer never names: crates that wait, do I/O or draw randomness.
const IMPURE_CRATES: &[&str] = &[
    "tokio",
    "rusqlite",
    "axum",
    "reqwest",
    "rustls",
    "clap",
    "indicatif",
    "tracing",
    "tracing_subscriber",
    "rand",
    "getrandom",
    "shell_words",
    "lsp_server",
    "toml",
    "futures",
];

/// The most lines of a file of Rust.
const LINES_MAX: usize = 500;

/// Files that are longer, and why that reads better than two.
const LONGER: &[(&str, usize, &str)] = &[(
    "src/syntax/tree.rs",
    800,
    "the whole tree of the language, one type behind the other, is looked up as one table",
)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` whose name ends in one of `ends`, as paths from the root, in order.
pub(super) fn files(folder: &str, ends: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.expect("a folder of the project can be read").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                if !["target", ".git", "node_modules"].contains(&name.as_str()) {
                    walk(&path, found);
                }
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.retain(|path| ends.iter().any(|end| path.to_string_lossy().ends_with(end)));
    found.sort();
    found.iter().map(|path| path.strip_prefix(root()).expect("it is below the root").to_owned()).collect()
}

pub(super) fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

fn tokens(path: &Path) -> TokenStream {
    TokenStream::from_str(&read(path)).unwrap_or_else(|error| panic!("{} is not Rust: {error}", path.display()))
}

fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}", broken.join("\n  "));
}

/// The module path of a file of the library: `src/engine/apply.rs` is `engine::apply`.
fn module_of(path: &Path) -> Vec<String> {
    let path = path.strip_prefix("src").expect("a file of the library").with_extension("");
    let mut parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

/// Calls `found` with each path that starts in this crate, as the modules from the root that can be told, and the line.
fn crate_paths(stream: TokenStream, module: &[String], found: &mut dyn FnMut(Vec<String>, usize)) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        at += 1;
        match tree {
            TokenTree::Group(group) => {
                // `mod name { … }` is one module deeper, so that `super` in it means this one.
                let inline = match (
                    at.checked_sub(3).and_then(|i| trees.get(i)),
                    at.checked_sub(2).and_then(|i| trees.get(i)),
                ) {
                    (Some(TokenTree::Ident(word)), Some(TokenTree::Ident(name))) if *word == "mod" => {
                        Some(name.to_string())
                    }
                    _ => None,
                };
                let mut inner = module.to_vec();
                inner.extend(inline);
                crate_paths(group.stream(), &inner, found);
            }
            TokenTree::Ident(ident) if *ident == "crate" || *ident == "super" => {
                let line = ident.span().start().line;
                let mut base = if *ident == "crate" { Vec::new() } else { module.to_vec() };
                if *ident == "super" {
                    base.pop();
                }
                while is_path_separator(&trees, at) {
                    match trees.get(at + 2) {
                        Some(TokenTree::Ident(next)) if *next == "super" => {
                            base.pop();
                            at += 3;
                        }
                        Some(TokenTree::Ident(next)) => {
                            base.push(next.to_string());
                            found(base, line);
                            at += 3;
                            break;
                        }
                        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                            for first in first_of_each(group.stream()) {
                                let mut path = base.clone();
                                path.push(first);
                                found(path, line);
                            }
                            at += 3;
                            break;
                        }
                        _ => break,
                    }
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn is_path_separator(trees: &[TokenTree], at: usize) -> bool {
    matches!(
        (trees.get(at), trees.get(at + 1)),
        (Some(TokenTree::Punct(first)), Some(TokenTree::Punct(second)))
            if first.as_char() == ':' && first.spacing() == Spacing::Joint && second.as_char() == ':'
    )
}

/// The first name of each element of `{ a, b::c, … }`.
fn first_of_each(stream: TokenStream) -> Vec<String> {
    let mut names = Vec::new();
    let mut starts = true;
    for tree in stream {
        match tree {
            TokenTree::Ident(ident) if starts => {
                names.push(ident.to_string());
                starts = false;
            }
            TokenTree::Punct(punct) if punct.as_char() == ',' => starts = true,
            _ => starts = false,
        }
    }
    names
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|(known, _)| *known == layer)
}

#[test]
fn a_layer_knows_only_those_above_it() {
    let mut broken = Vec::new();
    for path in files("src", &[".rs"]) {
        let module = module_of(&path);
        let Some(own) = module.first().and_then(|layer| rank(layer)) else { continue };
        crate_paths(tokens(&path), &module, &mut |target, line| {
            let Some(other) = target.first().and_then(|layer| rank(layer)) else { return };
            if other > own {
                broken.push(format!("{}:{line} looks down at {}", path.display(), target.join("::")));
            }
        });
    }
    assert_none("Layers look up only (ARCHITECTURE.md):", &broken);
}

#[test]
fn a_path_is_found_however_it_is_written() {
    let source =
        "use crate::{runtime::x, log}; use super::super::cli; m!(crate :: http::y); mod tests { use super::z; }";
    let mut found = Vec::new();
    let module = ["engine".to_owned(), "apply".to_owned()];
    crate_paths(TokenStream::from_str(source).unwrap(), &module, &mut |path, _| found.push(path.join("::")));
    assert_eq!(found, ["runtime", "log", "cli", "http", "engine::apply::z"]);
}

#[test]
fn the_library_lists_its_layers_in_order_and_denies_the_world_to_the_pure_ones() {
    let source = read(Path::new("src/lib.rs"));
    let mut listed = Vec::new();
    let mut broken = Vec::new();
    let mut before = "";
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            listed.push(name);
            let denied = before == "#[deny(clippy::disallowed_methods, clippy::disallowed_types)]";
            match LAYERS.iter().find(|(known, _)| *known == name) {
                None => broken.push(format!("{name} is no layer of ARCHITECTURE.md")),
                Some((_, touch)) if denied != (*touch == Pure) => {
                    broken.push(format!("{name}: the denying attribute stands above the pure layers, and only there"));
                }
                Some(_) => {}
            }
        }
        before = line;
    }
    let mut ordered = listed.clone();
    ordered.sort_by_key(|name| rank(name));
    if ordered != listed {
        broken.push(format!("src/lib.rs lists {listed:?}, the layers' order is {ordered:?}"));
    }
    assert_none("The library's modules are the layers, in reading order:", &broken);
}

#[test]
fn a_pure_layer_names_no_crate_that_touches_the_world() {
    fn idents(stream: TokenStream, found: &mut Vec<(String, usize)>) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        for (at, tree) in trees.iter().enumerate() {
            match tree {
                TokenTree::Group(group) => idents(group.stream(), found),
                TokenTree::Ident(ident) if is_path_separator(&trees, at + 1) || follows_use(&trees, at) => {
                    found.push((ident.to_string(), ident.span().start().line));
                }
                _ => {}
            }
        }
    }
    fn follows_use(trees: &[TokenTree], at: usize) -> bool {
        matches!(at.checked_sub(1).and_then(|i| trees.get(i)), Some(TokenTree::Ident(word)) if *word == "use")
    }
    let mut broken = Vec::new();
    for path in files("src", &[".rs"]) {
        let module = module_of(&path);
        let pure = module.first().and_then(|layer| rank(layer)).is_some_and(|rank| LAYERS[rank].1 == Pure);
        if pure {
            let mut found = Vec::new();
            idents(tokens(&path), &mut found);
            found.retain(|(name, _)| IMPURE_CRATES.contains(&name.as_str()));
            broken.extend(found.iter().map(|(name, line)| format!("{}:{line} names {name}", path.display())));
        }
    }
    assert_none("Above the line nothing waits, does I/O or draws randomness (ARCHITECTURE.md):", &broken);
}

#[test]
fn a_file_is_of_one_subject() {
    let mut broken = Vec::new();
    for path in ["src", "tests", "examples", "benches"].iter().flat_map(|folder| files(folder, &[".rs"])) {
        let lines = read(&path).lines().count();
        let name = path.display().to_string();
        let max = LONGER.iter().find(|(known, ..)| *known == name).map_or(LINES_MAX, |(_, max, _)| *max);
        if lines > max {
            broken.push(format!("{name} has {lines} lines, {max} are allowed"));
        }
    }
    for (name, _, why) in LONGER {
        assert!(!why.is_empty(), "{name} is longer without a reason");
        let lines = if root().join(name).exists() { read(Path::new(name)).lines().count() } else { 0 };
        if lines <= LINES_MAX {
            broken.push(format!("{name} has {lines} lines and needs no exception any more"));
        }
    }
    assert_none("Split a long file by its subjects, or say in tests/tidy.rs why it reads better whole:", &broken);
}

#[test]
fn a_file_says_what_it_owns() {
    let mut broken = Vec::new();
    for path in files("src", &[".rs"]) {
        if !read(&path).starts_with("//! ") {
            broken.push(path.display().to_string());
        }
    }
    assert_none("A file opens with `//!`: what it owns, and what it refuses:", &broken);
}

#[test]
fn every_code_has_a_page_and_a_case() {
    let cases: String = ["tests"]
        .iter()
        .flat_map(|folder| files(folder, &[".rs", ".snap", ".saga", ".stderr", ".txt"]))
        .filter(|path| !path.ends_with("tidy.rs"))
        .filter_map(|path| fs::read_to_string(root().join(path)).ok())
        .collect();
    let mut broken = Vec::new();
    let mut seen = BTreeSet::new();
    for (code, page) in CATALOGUE {
        let number = code.0.strip_prefix("SG").unwrap_or_default();
        if number.len() != 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            broken.push(format!("{code} is not `SG` and four digits"));
        }
        if !seen.insert(code.0) {
            broken.push(format!("{code} is used twice"));
        }
        if !page.starts_with(&format!("# {code}: ")) {
            broken.push(format!("{code}: its page does not begin with `# {code}: `"));
        }
        if !page.contains("```") {
            broken.push(format!("{code}: its page shows no example"));
        }
        if !cases.contains(code.0) {
            broken.push(format!("{code}: no test case shows it"));
        }
    }
    for path in files("src/diagnostic/codes", &[".md"]) {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if !seen.contains(name.as_str()) {
            broken.push(format!("{} is the page of no code", path.display()));
        }
    }
    assert_none("Every finding's code has one page and a case:", &broken);
}

#[test]
fn no_test_file_is_forgotten() {
    fn modules(path: &Path, folder: &Path, reached: &mut BTreeSet<PathBuf>) {
        reached.insert(path.to_owned());
        let source = read(path);
        let mut explicit = None;
        for line in source.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("#[path = \"") {
                explicit = rest.strip_suffix("\"]").map(str::to_owned);
            } else if let Some(name) =
                line.trim_start_matches("pub(crate) ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'))
            {
                let tried = match explicit.take() {
                    Some(path) => vec![folder.join(path)],
                    None => vec![folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")],
                };
                for file in tried.into_iter().filter(|file| root().join(file).is_file()) {
                    let below = if file.ends_with("mod.rs") {
                        file.parent().unwrap().to_owned()
                    } else {
                        file.with_extension("")
                    };
                    modules(&file, &below, reached);
                }
            }
        }
    }
    let mut reached = BTreeSet::new();
    modules(Path::new("tests/all.rs"), Path::new("tests"), &mut reached);
    let forgotten: Vec<String> = files("tests", &[".rs"])
        .into_iter()
        .filter(|path| !reached.contains(path))
        .map(|path| path.display().to_string())
        .collect();
    assert_none("Every file of tests/ is reached from tests/all.rs:", &forgotten);
}

/// Text files of the project itself; goldens and cases are data.
fn texts() -> Vec<PathBuf> {
    let ends = ".rs .md .toml .saga .pest .py .java .xml .ts .go .sh .yml /run /system-packages".split(' ');
    files("", &ends.collect::<Vec<_>>())
        .into_iter()
        .filter(|path| !path.starts_with("tests/cases") && !path.ends_with("tests/tidy.rs"))
        .collect()
}

#[test]
fn nothing_names_a_machine_or_a_registry() {
    // In pieces, so that this file does not name them either.
    let words = [
        ["crates", ".io"].concat(),
        ["npmjs", ".org"].concat(),
        ["pypi", ".org"].concat(),
        ["proxy.golang", ".org"].concat(),
    ];
    let paths = [["/", "work/"].concat(), ["/", "root/"].concat(), ["/home", "/"].concat(), ["/Users", "/"].concat()];
    let mut broken = Vec::new();
    for path in texts() {
        for (number, line) in (1..).zip(read(&path).lines()) {
            if words.iter().chain(&paths).any(|word| line.contains(word.as_str())) {
                broken.push(format!("{}:{number} {}", path.display(), line.trim()));
            }
        }
    }
    assert_none("The project names no registry's host and no path of one machine:", &broken);
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files("", &[".md"]).into_iter().filter(|path| !path.starts_with("tests/cases")) {
        let text = read(&path);
        let folder = path.parent().unwrap_or(Path::new(""));
        for (target, line) in links(&text) {
            if target.contains("://") || target.starts_with('#') || target.starts_with("mailto:") {
                continue;
            }
            let file = target.split('#').next().unwrap_or_default();
            if !root().join(folder).join(file).exists() {
                broken.push(format!("{}:{line} -> {target}", path.display()));
            }
        }
    }
    assert_none("A link in a document leads to a file:", &broken);
}

/// `[text](target)` outside code, with its line.
fn links(text: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for piece in line.split("](").skip(1) {
            if let Some((target, _)) = piece.split_once(')') {
                found.push((target, number));
            }
        }
    }
    found
}

#[test]
fn architecture_names_every_layer() {
    let text = read(Path::new("ARCHITECTURE.md"));
    let missing: Vec<String> =
        LAYERS.iter().map(|(layer, _)| format!("`{layer}`")).filter(|layer| !text.contains(layer.as_str())).collect();
    assert_none("ARCHITECTURE.md names every layer:", &missing);
}

#[test]
fn work_left_for_later_is_not_left_in_the_text() {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat(), ["HA", "CK"].concat()];
    let mut broken = Vec::new();
    for path in texts() {
        for (number, line) in (1..).zip(read(&path).lines()) {
            let hit = line.split(|c: char| !c.is_alphanumeric()).any(|word| words.iter().any(|bad| bad == word));
            if hit {
                broken.push(format!("{}:{number} {}", path.display(), line.trim()));
            }
        }
    }
    assert_none("What is not done is said to users (README, status), not noted in the source:", &broken);
}

//! Every command in README.md and docs/ is run, and its output is what the document shows.
//!
//! A fenced block of `console` holds commands behind `$ ` and below each what it prints, output and errors together. The block
//! runs as one shell script in a directory of its own, with the project's workflows in it, so `echo $?` works. What
//! differs from run to run (times, made-up ids, ports) is compared by its form. A command without output below it
//! only has to be carried out. Commands for the compiler are what runs this test, and are not run again.
//!
//! A fenced block of `saga FILE` is what a reader types into that file: all of it, or with `below` what comes at its end, or
//! with `above WORDS` what comes before the line that begins so. Before the next commands, all files typed so far
//! are clean, laid out, and do what their scenarios say. One of `toml FILE` is that file, for the commands behind it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use saga::check::check_text;
use saga::diagnostic::render::{Color, text as render};
use saga::model::scenario;
use saga::plan::Plan;
use tempfile::TempDir;

use crate::cli::in_form;
#[cfg(feature = "kafka")]
use crate::kafka::broker::{Broker, shared};

/// Not run: they are what runs this test, or `.ci/run` does.
const NOT_RUN: &[&str] = &["cargo test", "cargo install", "scripts/system-packages", ".ci/run", "git ", "INSTA_UPDATE"];

/// The longest that the commands of one block may take, in seconds.
const LONGEST: &str = "120";

/// Stands before the output of each command.
const MARK: &str = "==command==";

struct Shown {
    command: String,
    output: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

enum Block {
    /// Commands, and what each prints.
    Console(Vec<Shown>),
    /// What is typed: the words behind `saga`, and the text.
    Typed(String, String),
    /// A file of settings: its name, and the text.
    Settings(String, String),
}

/// The blocks of a document that are tried, with the line where each begins.
fn blocks(text: &str) -> Vec<(usize, Block)> {
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let typed = line.strip_prefix("```saga ");
        let settings = line.strip_prefix("```toml ");
        if line.trim() != "```console" && typed.is_none() && settings.is_none() {
            continue;
        }
        let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
        let block = if let Some(place) = typed {
            Block::Typed(place.to_owned(), inside.flat_map(|line| [line, "\n"]).collect())
        } else if let Some(file) = settings {
            Block::Settings(file.to_owned(), inside.flat_map(|line| [line, "\n"]).collect())
        } else {
            let mut shown: Vec<Shown> = Vec::new();
            for line in inside {
                if let Some(command) = line.strip_prefix("$ ") {
                    shown.push(Shown { command: command.to_owned(), output: String::new() });
                } else if let Some(last) = shown.last_mut() {
                    last.output.push_str(line);
                    last.output.push('\n');
                }
            }
            Block::Console(shown)
        };
        blocks.push((number, block));
    }
    blocks
}

/// Types a text into a file, as the words of its block say. The name of the file.
fn type_in(desk: &Path, place: &str, text: &str) -> String {
    let (name, how) = place.split_once(' ').unwrap_or((place, ""));
    let file = desk.join(name);
    let before = || fs::read_to_string(&file).unwrap();
    let after = match how.split_once(' ') {
        None if how.is_empty() => text.to_owned(),
        None if how == "below" => format!("{}\n{text}", before()),
        Some(("above", words)) => {
            let before = before();
            let at = before.lines().position(|line| line.trim_start().starts_with(words));
            let at = at.unwrap_or_else(|| panic!("{name} has no line that begins with `{words}`"));
            let line = |line: &str| format!("{line}\n");
            let (above, below) = (before.lines().take(at).map(line), before.lines().skip(at).map(line));
            above.chain([text.to_owned()]).chain(below).collect()
        }
        _ => panic!("where in {name} is `{how}`?"),
    };
    fs::write(file, after).unwrap();
    name.to_owned()
}

/// What is wrong with files that a reader has typed so far.
fn amiss(desk: &Path, files: &BTreeSet<String>) -> String {
    let mut amiss = String::new();
    for file in files {
        let has_scenarios = fs::read_to_string(desk.join(file)).unwrap().contains("\nscenario ");
        for command in ["check --quick", "fmt --check", "test"] {
            if command != "test" || has_scenarios {
                let printed = run(desk, &[&format!("saga {command} {file}"), "echo $?"]);
                let is_clean =
                    printed[1] == "0\n" && (command != "check --quick" || printed[0].contains(": no findings"));
                if !is_clean {
                    amiss.extend(["$ saga ", command, " ", file, "\n", &printed[0]]);
                }
            }
        }
    }
    amiss
}

/// The address at which documents have a broker.
const BROKER: &str = "127.0.0.1:9092";

/// Where there is one while this test runs; commands that need it are left out where it cannot be had.
#[cfg(feature = "kafka")]
fn broker() -> Option<String> {
    shared().map(Broker::address)
}

#[cfg(not(feature = "kafka"))]
fn broker() -> Option<String> {
    None
}

fn is_run(command: &str) -> bool {
    !NOT_RUN.iter().any(|prefix| command.starts_with(prefix))
}

/// A directory with the workflows, and `saga` on the path.
fn desk() -> TempDir {
    let desk = TempDir::new().unwrap();
    let workflows = desk.path().join("workflows");
    fs::create_dir(&workflows).unwrap();
    for file in fs::read_dir(root().join("workflows")).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, workflows.join(path.file_name().unwrap())).unwrap();
    }
    desk
}

fn run(desk: &Path, commands: &[&str]) -> Vec<String> {
    let mut script = String::from("exec 2>&1\n");
    for command in commands {
        // Between commands the status stays what it was, so that `echo $?` speaks of the command before it.
        script.extend(["s=$?; echo '", MARK, "'; (exit $s)\n", command, "\n"]);
    }
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_saga"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    // A document may wait for something that does not come.
    let mut shell = Command::new("timeout");
    shell
        .args([LONGEST, "sh", "-c"])
        .arg(script)
        .current_dir(desk)
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    let output = shell.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(&format!("{MARK}\n")).skip(1).map(str::to_owned).collect()
}

/// The lines by their form. What goes on at once comes in either order, and is numbered in that order, so lines are
/// compared as a set, without numbers of records; and how wide a column is depends on what is left out.
fn lines(text: &str) -> Vec<String> {
    let form = in_form(text);
    let mut lines: Vec<String> = form
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let numbered =
                words.first().is_some_and(|word| word.parse::<u32>().is_ok()) && words.get(1) == Some(&"INSTANT");
            words.get(usize::from(numbered)..).unwrap_or_default().join(" ")
        })
        .collect();
    lines.sort();
    lines
}

fn documents() -> Vec<PathBuf> {
    let mut documents = vec![root().join("README.md")];
    if let Ok(entries) = fs::read_dir(root().join("docs")) {
        documents.extend(
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "md")),
        );
    }
    documents.sort();
    documents
}

#[test]
fn the_documents_show_what_happens() {
    let mut wrong = Vec::new();
    let mut run_commands = 0;
    for document in documents() {
        let desk = desk();
        let text = fs::read_to_string(&document).unwrap();
        let needs_broker = blocks(&text).iter().any(|(_, block)| match block {
            Block::Console(shown) => shown.iter().any(|one| one.command.contains(BROKER)),
            Block::Typed(..) | Block::Settings(..) => false,
        });
        let broker = if needs_broker { broker() } else { None };
        if needs_broker && broker.is_none() {
            continue;
        }
        let broker = broker.as_deref().unwrap_or(BROKER);
        let name = document.file_name().unwrap().to_string_lossy().into_owned();
        let mut typed = BTreeSet::new();
        for (line, block) in blocks(&text) {
            let shown = match block {
                Block::Console(shown) => shown,
                Block::Typed(place, text) => {
                    typed.insert(type_in(desk.path(), &place, &text));
                    continue;
                }
                Block::Settings(file, text) => {
                    fs::write(desk.path().join(file), text).unwrap();
                    continue;
                }
            };
            let amiss = amiss(desk.path(), &typed);
            if !amiss.is_empty() {
                wrong.push(format!("{name}: what is typed above line {line}\n{amiss}"));
            }
            let shown: Vec<&Shown> = shown.iter().filter(|shown| is_run(&shown.command)).collect();
            let commands: Vec<String> = shown
                .iter()
                .map(|shown| shown.command.replace("cargo run --release --", "saga").replace(BROKER, broker))
                .collect();
            let printed = run(desk.path(), &commands.iter().map(String::as_str).collect::<Vec<_>>());
            run_commands += commands.len();
            assert_eq!(printed.len(), shown.len(), "{name}:{line}: every command is carried out: {printed:?}");
            for (shown, printed) in shown.iter().zip(printed.iter().map(|printed| printed.replace(broker, BROKER))) {
                let failed = printed.contains("not found") || printed.starts_with("error:");
                if shown.output.trim().is_empty() {
                    if failed {
                        wrong.push(format!("{name}:{line}: $ {}\n{printed}", shown.command));
                    }
                } else if lines(&shown.output) != lines(&printed) {
                    wrong.push(format!(
                        "{name}:{line}: $ {}\n--- shown\n{}--- printed\n{printed}",
                        shown.command, shown.output
                    ));
                }
            }
        }
    }
    assert!(run_commands >= 5, "the documents hold commands: {run_commands}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readme_shows_the_picture_and_the_exit_codes_as_they_are() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let desk = desk();
    let printed = run(desk.path(), &["saga graph workflows/booking.saga", "saga help exit-codes"]);
    for printed in printed {
        assert!(readme.contains(printed.trim_end()), "README.md shows something else than:\n{printed}");
    }
}

#[test]
fn the_readme_lists_all_that_the_api_takes() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for route in saga::http::routes::ROUTES {
        let row = format!("| `{} {}` | {} |\n", route.method, route.path, route.does);
        assert!(readme.contains(&row), "README.md lacks the row\n{row}");
    }
}

/// A promise is as good as the test that it links to.
#[test]
fn every_proof_of_the_guarantees_is_a_test_of_that_file() {
    let text = fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    let mut broken = Vec::new();
    let mut proofs = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let row = line.strip_prefix("| ").filter(|_| line.contains("](../tests/"));
        let is_row = line.starts_with("| ") && !line.starts_with("| promise |") && !line.starts_with("| what |");
        if is_row && row.is_none() {
            broken.push(format!("line {number} has no proof"));
        }
        for piece in line.split("[`").skip(1) {
            let Some((proof, rest)) = piece.split_once("`](../") else { continue };
            let Some(file) = rest.split(')').next().filter(|file| file.starts_with("tests/")) else { continue };
            proofs += 1;
            let name = proof.rsplit("::").next().unwrap_or_default();
            let module = proof.strip_suffix(name).unwrap_or_default().trim_end_matches("::").replace("::", "/");
            let stands = [format!("tests/{module}.rs"), format!("tests/{module}/mod.rs")].contains(&file.to_owned());
            let source = fs::read_to_string(root().join(file)).unwrap_or_default();
            // By name, or as a line of a macro that makes tests.
            let is_there = source.contains(&format!("fn {name}(")) || source.contains(&format!("    {name}: "));
            if !stands || !is_there {
                broken.push(format!("line {number}: {proof} is no test of {file}"));
            }
        }
    }
    assert!(proofs > 60, "{proofs}");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_tour_tries_every_word_of_the_learning_order() {
    let tour = fs::read_to_string(root().join("docs/tour.md")).unwrap();
    assert!(!tour.contains("```saga\n"), "each box says into which file it is typed");
    let last_typed = tour.rfind("```saga ").unwrap();
    assert!(tour.rfind("```console").unwrap() > last_typed, "what is typed last is tried, too");
    let typed: Vec<String> = blocks(&tour)
        .into_iter()
        .filter_map(|(_, block)| match block {
            Block::Typed(_, text) => Some(text),
            Block::Console(_) | Block::Settings(..) => None,
        })
        .collect();
    let pages: [&[&str]; 3] = [
        &["participant", "saga", "step", "call", "compensate", "pivot", "parallel", "when", "output"],
        &["for each", "try", "fail", "await", "repeat", "let", "sleep"],
        &["run", "send", "trigger", "scenario"],
    ];
    for word in pages.concat() {
        assert!(typed.iter().any(|text| text.contains(&format!("{word} "))), "{word}");
    }
}

/// The examples of a form in a document.
fn examples<'t>(text: &'t str, form: &str) -> Vec<&'t str> {
    let fence = format!("```{form}\n");
    let blocks = text.split(fence.as_str()).skip(1);
    blocks.filter_map(|rest| rest.split_once("\n```")).map(|(example, _)| example).collect()
}

#[test]
fn the_examples_of_the_reference_are_clean_and_do_what_their_scenarios_say() {
    let reference = include_str!("../grammar/reference.md");
    for form in ["saga", "yaml"] {
        let examples = examples(reference, form);
        assert!(!examples.is_empty(), "{form}");
        for example in examples {
            let checked = check_text(&format!("reference.{form}"), example);
            let findings = render(&checked.sources, &checked.findings, Color::Never);
            assert!(findings.is_empty(), "{example}\n{findings}");
            for scenario in &checked.program.scenarios {
                let report = scenario::run(&Plan::new(checked.program.sagas[&scenario.saga].clone()), scenario);
                assert_eq!(report.departures, [], "{}", scenario.title);
            }
        }
    }
}

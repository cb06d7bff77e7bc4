//! Every command in README.md and docs/ is run, and its output is what the document shows.
//!
//! A fenced block of `console` holds commands behind `$ ` and below each what it prints, output and errors together. The block
//! runs as one shell script in a directory of its own, with the project's workflows in it, so `echo $?` works. What
//! differs from run to run (times, made-up ids, ports) is compared by its form. A command without output below it
//! only has to be carried out. Commands for the compiler are what runs this test, and are not run again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::cli::in_form;
#[cfg(feature = "kafka")]
use crate::kafka::broker::{Broker, shared};

/// Not run: they are what runs this test, or `.ci/run` does.
const NOT_RUN: &[&str] = &["cargo test", "cargo install", "scripts/system-packages", ".ci/run", "git ", "INSTA_UPDATE"];

/// Stands before the output of each command.
const MARK: &str = "==command==";

struct Shown {
    command: String,
    output: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The console blocks of a document, with the line where each begins.
fn blocks(text: &str) -> Vec<(usize, Vec<Shown>)> {
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        if line.trim() != "```console" {
            continue;
        }
        let mut shown: Vec<Shown> = Vec::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| line.trim() != "```") {
            if let Some(command) = line.strip_prefix("$ ") {
                shown.push(Shown { command: command.to_owned(), output: String::new() });
            } else if let Some(last) = shown.last_mut() {
                last.output.push_str(line);
                last.output.push('\n');
            }
        }
        blocks.push((number, shown));
    }
    blocks
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
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).current_dir(desk).env("PATH", path).env("NO_COLOR", "1").stdin(Stdio::null());
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
        let needs_broker = blocks(&text).iter().any(|(_, shown)| shown.iter().any(|one| one.command.contains(BROKER)));
        let broker = if needs_broker { broker() } else { None };
        if needs_broker && broker.is_none() {
            continue;
        }
        let broker = broker.as_deref().unwrap_or(BROKER);
        for (line, shown) in blocks(&text) {
            let shown: Vec<&Shown> = shown.iter().filter(|shown| is_run(&shown.command)).collect();
            let commands: Vec<String> = shown
                .iter()
                .map(|shown| shown.command.replace("cargo run --release --", "saga").replace(BROKER, broker))
                .collect();
            let printed = run(desk.path(), &commands.iter().map(String::as_str).collect::<Vec<_>>());
            run_commands += commands.len();
            let name = document.file_name().unwrap().to_string_lossy().into_owned();
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

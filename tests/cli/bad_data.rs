//! Data directories that cannot be used as they are: what each command says, and that nothing becomes worse.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rusqlite::Connection;

use super::held::Run;
use super::operating::night;
use super::running::desk;
use super::{Desk, in_form};

/// Somebody who owns nothing.
const NOBODY: u32 = 65_534;

fn data(desk: &Desk) -> PathBuf {
    desk.path().join(".saga")
}

/// Runs a command line and shows it, by its form.
fn shown(desk: &Desk, arguments: &[&str]) -> String {
    let output = desk.command(arguments).output().unwrap();
    show(desk, arguments, &output)
}

fn show(desk: &Desk, arguments: &[&str], output: &std::process::Output) -> String {
    let line = shell_words::join(arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let status = output.status.code().map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    let text = format!("$ saga {line}\n{out}{err}[exit status: {status}]\n");
    in_form(&text.replace(&desk.path().display().to_string(), "DESK"))
}

/// What looking, ordering and running say, one behind the other.
fn all_three(desk: &Desk, run: impl Fn(&Desk, &[&str]) -> String) -> String {
    let lines: [&[&str]; 3] =
        [&["list"], &["retry", "o-3"], &["run", "order.saga", "--id", "o-9", "--participants", "simulated"]];
    lines.map(|arguments| run(desk, arguments)).join("\n")
}

fn by_hand(desk: &Desk, sql: &str) {
    Connection::open(data(desk).join("saga.db")).unwrap().execute_batch(sql).unwrap();
}

fn bytes(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn of_a_newer_version() {
    let desk = night();
    by_hand(&desk, "PRAGMA user_version = 9");
    insta::assert_snapshot!(all_three(&desk, shown));
}

#[test]
fn of_something_else() {
    let desk = night();
    by_hand(&desk, "PRAGMA application_id = 7");
    insta::assert_snapshot!(all_three(&desk, shown));
}

#[test]
fn cut_off() {
    let desk = night();
    bytes(&data(&desk).join("saga.db"), |bytes| bytes.truncate(50_000));
    let before = fs::read(data(&desk).join("saga.db")).unwrap();
    let said = all_three(&desk, shown);
    insta::assert_snapshot!(sizes(&said));
    assert!(before == fs::read(data(&desk).join("saga.db")).unwrap(), "what is left of it was not touched");
}

/// Counts of bytes and batches differ with every change of a record, those of commits with how they fall into groups.
fn sizes(text: &str) -> String {
    let is_number = |word: &str| !word.is_empty() && word.chars().all(|character| character.is_ascii_digit());
    let words: Vec<&str> = text.split(' ').collect();
    let next = words.iter().skip(1).chain([&""]);
    let is_count = |word: &str, next: &str| is_number(word) && (word.len() > 1 || next == "later");
    let shown = words.iter().zip(next).map(|(word, next)| if is_count(word, next) { "COUNT" } else { word });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn with_flipped_bytes_in_its_tree() {
    let desk = night();
    bytes(&data(&desk).join("saga.db"), |bytes| {
        for page in bytes.chunks_mut(8_192).skip(1) {
            page[..8].fill(0xee);
        }
    });
    // Which page is named depends on which commits went together.
    let shown = sizes(&all_three(&desk, shown));
    let mut without = String::new();
    for line in shown.lines() {
        let behind = line.split_once("`; ").filter(|_| line.starts_with("Tree ") || line.starts_with("Freelist"));
        without.extend([behind.map_or(line, |(_, behind)| behind), "\n"]);
    }
    insta::assert_snapshot!(without);
}

#[test]
fn with_a_flipped_byte_in_its_journal() {
    let desk = night();
    let of = "lane = (SELECT id FROM lane WHERE topic = 'saga.journal' ORDER BY partition LIMIT 1)";
    by_hand(&desk, &format!("UPDATE batch SET crc = crc + 1 WHERE {of} AND first = 1"));
    insta::assert_snapshot!(all_three(&desk, shown));
}

#[test]
fn with_a_flipped_byte_in_its_write_ahead_log() {
    let mut run = Run::begin();
    run.kill();
    bytes(&data(&run.desk).join("saga.db-wal"), |bytes| bytes[9_000] ^= 0x20);
    insta::assert_snapshot!(sizes(&all_three(&run.desk, shown)));
}

const ENDED: [&str; 6] = ["run", "order.saga", "--id", "o-1", "--participants", "simulated"];

#[test]
fn with_a_flipped_bit_in_its_view() {
    let desk = desk();
    desk.saga(&ENDED);
    by_hand(&desk, "UPDATE instance SET run = run + 1");
    let mut said = Vec::new();
    for arguments in [&["list", "--all"] as &[&str], &["show", "o-1"], &["history", "o-1"], &ENDED] {
        said.push(shown(&desk, arguments));
    }
    insta::assert_snapshot!(said.join("\n"));
    assert!(desk.saga(&["show", "o-1"]).contains("completed"), "its row was made anew");
}

#[test]
fn one_damaged_row_hides_nothing_of_the_others() {
    let desk = night();
    by_hand(&desk, "UPDATE instance SET run = run + 1 WHERE id = 'o-1'");
    insta::assert_snapshot!(shown(&desk, &["list", "--all"]));
    let json = desk.command(&["list", "--all", "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["instances"].as_array().unwrap().len(), 2);
    assert!(json["damaged"][0].as_str().unwrap().contains("`o-1`"), "{json}");
}

#[test]
fn whose_file_alone_may_only_be_read() {
    let Some(desk) = seen_by_all(night()) else { return };
    permit(&desk, 0o777, 0o666);
    fs::set_permissions(data(&desk).join("saga.db"), fs::Permissions::from_mode(0o444)).unwrap();
    let said = all_three(&desk, |desk, arguments| show(desk, arguments, &as_nobody(desk, arguments)));
    permit(&desk, 0o755, 0o644);
    insta::assert_snapshot!(said);
}

#[test]
fn with_a_row_of_an_instance_that_nobody_knows() {
    let (desk, other) = (desk(), desk());
    desk.saga(&ENDED);
    other.saga(&ENDED);
    let file = data(&other).join("saga.db");
    by_hand(&desk, &format!("ATTACH '{}' AS other; INSERT INTO instance SELECT * FROM other.instance", file.display()));
    insta::assert_snapshot!(shown(&desk, &ENDED));
}

/// A directory that a kill left, its file gone or emptied, and the write-ahead log with all of its data still there.
fn with_its_file(change: impl FnOnce(&Path)) -> String {
    let mut run = Run::begin();
    run.kill();
    let wal = data(&run.desk).join("saga.db-wal");
    let before = fs::read(&wal).unwrap();
    change(&data(&run.desk).join("saga.db"));
    let said = [all_three(&run.desk, shown), shown(&run.desk, &["show", "o-1"])].join("\n");
    assert!(before == fs::read(&wal).unwrap(), "the write-ahead log was not touched");
    sizes(&said)
}

#[test]
fn with_its_file_emptied() {
    insta::assert_snapshot!(with_its_file(|file| fs::write(file, "").unwrap()));
}

#[test]
fn with_its_file_removed() {
    insta::assert_snapshot!(with_its_file(|file| fs::remove_file(file).unwrap()));
}

/// Behind a clean end nothing of its data is left.
#[test]
fn with_its_file_removed_behind_an_end() {
    let desk = night();
    fs::remove_file(data(&desk).join("saga.db")).unwrap();
    insta::assert_snapshot!(all_three(&desk, shown));
    assert!(!data(&desk).join("saga.db").exists(), "nothing was begun");
}

#[test]
fn that_a_crash_left_as_it_was_being_made() {
    let desk = desk();
    fs::create_dir(data(&desk)).unwrap();
    fs::write(data(&desk).join("saga.db"), "").unwrap();
    let made = desk.saga(&["run", "order.saga", "--id", "o-1", "--participants", "simulated"]);
    assert!(made.contains("\"completed\""), "{made}");
}

/// Whether permissions mean anything: to root they do not, so root becomes somebody else. Says so where it cannot.
fn as_nobody(desk: &Desk, arguments: &[&str]) -> std::process::Output {
    let mut command = desk.command(arguments);
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().unwrap()
}

/// Sets the permissions of the data directory and of what is in it.
fn permit(desk: &Desk, directory: u32, file: u32) {
    for entry in fs::read_dir(data(desk)).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(file)).unwrap();
    }
    fs::set_permissions(data(desk), fs::Permissions::from_mode(directory)).unwrap();
}

/// A desk that others may look at, or none where the binary cannot be reached by others.
fn seen_by_all(desk: Desk) -> Option<Desk> {
    fs::set_permissions(desk.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = desk.command(&["--version"]);
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        command.uid(NOBODY).gid(NOBODY);
    }
    if command.output().is_ok_and(|output| output.status.success()) {
        return Some(desk);
    }
    eprintln!("skipped: nobody else may run the binary here, so permissions cannot be tried");
    None
}

#[test]
fn that_may_only_be_read() {
    let Some(desk) = seen_by_all(night()) else { return };
    permit(&desk, 0o555, 0o444);
    let said = all_three(&desk, |desk, arguments| show(desk, arguments, &as_nobody(desk, arguments)));
    permit(&desk, 0o755, 0o644);
    insta::assert_snapshot!(said);
}

#[test]
fn that_may_only_be_read_and_was_left_by_a_kill() {
    let mut run = Run::begin();
    run.kill();
    fs::set_permissions(run.desk.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if seen_by_all(night()).is_none() {
        return;
    }
    permit(&run.desk, 0o555, 0o444);
    let said = show(&run.desk, &["list"], &as_nobody(&run.desk, &["list"]));
    permit(&run.desk, 0o755, 0o644);
    insta::assert_snapshot!(said);
}

#[test]
fn that_may_not_be_read() {
    let Some(desk) = seen_by_all(night()) else { return };
    permit(&desk, 0o700, 0o600);
    let said = all_three(&desk, |desk, arguments| show(desk, arguments, &as_nobody(desk, arguments)));
    permit(&desk, 0o755, 0o644);
    insta::assert_snapshot!(said);
}

/// A command line under a limit of file sizes, in units of 512 bytes: beyond it nothing can be written, as on a full disk.
fn limited(desk: &Desk, units: u32, arguments: &[&str]) -> Command {
    let binary = env!("CARGO_BIN_EXE_saga");
    let script = format!("ulimit -f {units}; exec {} \"$@\"", shell_words::quote(binary));
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, "sh"]).args(arguments).current_dir(desk.path()).env_clear().stdin(Stdio::null());
    command
}

#[test]
fn on_a_full_disk_from_the_beginning() {
    let desk = desk();
    let arguments = ["run", "order.saga", "--id", "o-1", "--participants", "simulated"];
    let output = limited(&desk, 8, &arguments).output().unwrap();
    insta::assert_snapshot!(show(&desk, &arguments, &output));
    // With space again the same command does what was asked.
    let again = desk.saga(&arguments);
    assert!(again.contains("\"completed\""), "{again}");
}

#[test]
fn an_order_on_a_full_disk_ends() {
    let desk = night();
    let output = limited(&desk, 66, &["cancel", "o-3"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(said.contains("error: failed to ") && said.contains("raise it or make space"), "{said}");
}

#[test]
fn on_a_disk_that_is_full_now() {
    // Before the instance has begun, and behind that.
    for units in [80, 160] {
        let desk = night();
        insta::allow_duplicates! { insta::assert_snapshot!(in_form(&left_on_a_full_disk(&desk, units))) };
        let listed = desk.saga(&["list"]);
        assert!(listed.contains("o-3"), "{listed}");
        let again = desk.saga(&NINTH);
        assert!(again.contains("\"completed\""), "{again}");
    }
}

/// Who looks into a server whose disk is full is told so, and reads the log itself.
#[test]
fn a_server_on_a_full_disk_is_looked_into() {
    let desk = night();
    // Enough to open it, and not for what is asked for then.
    let serve = ["serve", "order.saga", "--listen", "127.0.0.1:0", "--participants", "simulated"];
    let mut child = limited(&desk, 240, &serve).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let serving = said.find(|line| line.starts_with("serving ")).unwrap();
    let server = serving.rsplit(' ').next().unwrap().to_owned();
    let input = r#"{"customer":"ana","sku":"lamp","count":1,"amount":"20.00"}"#;
    let (address, text) = (server.trim_start_matches("http://").to_owned(), input.to_owned());
    let starts = std::thread::spawn(move || {
        for id in 0.. {
            let body = format!(r#"{{"saga":"order","id":"full-{id}","input":{text}}}"#);
            let head = "POST /instances HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
            let Ok(mut stream) = TcpStream::connect(&address) else { return };
            let length = body.len();
            let sent = write!(stream, "{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
            let mut answer = String::new();
            // Until it waits for space, or is gone.
            if sent.is_err() || stream.read_to_string(&mut answer).is_err() || !answer.contains("202") {
                return;
            }
        }
    });
    let waits = said.find(|line| line.contains("the log cannot be written for now")).unwrap();
    assert!(waits.contains("WARN"), "{waits}");
    let looked = ["list", "show o-3", "history o-3"].map(|command| {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.extend(["--server", &server]);
        shown(&desk, &arguments).replace(&server, "SERVER")
    });
    insta::assert_snapshot!(looked.concat());
    let beside = desk.saga(&["list"]);
    assert!(beside.contains("which holds .saga and cannot write it: ") && beside.contains("o-3"), "{beside}");
    child.kill().unwrap();
    child.wait().unwrap();
    starts.join().unwrap();
}

/// Where it has nothing to bring to its end, the signal ends it.
const SIGTERM: i32 = 15;

const NINTH: [&str; 6] = ["run", "order.saga", "--id", "o-9", "--participants", "simulated"];

/// A run that waits for space, and is told to end; what it said of the disk.
fn left_on_a_full_disk(desk: &Desk, units: u32) -> String {
    let mut child = limited(desk, units, &NINTH).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("WARN") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended without a word");
    }
    // Not SIGINT: what `nohup` and shells start in the background ignores that, and hands it down.
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let ended = child.wait().unwrap();
    assert!(ended.code() == Some(5) || ended.signal() == Some(SIGTERM), "{ended}");
    line
}

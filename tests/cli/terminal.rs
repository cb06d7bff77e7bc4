//! What people see on a terminal: the live tree of `saga run`, on a pseudo-terminal, read from its screen.

#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::Desk;
use super::running::{ORDER, desk};

/// No frame takes so long, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What scrolls off the screen is kept, to see that frames do not.
const SCROLLBACK: usize = 10_000;

/// A command on a terminal.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    raw: Vec<u8>,
}

const fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn some(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal has rows and columns")
}

impl Terminal {
    fn run(desk: &Desk, (rows, cols): (u16, u16), arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(rows, cols)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_saga"));
        command.args(arguments);
        command.cwd(desk.path());
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("TERM", "xterm-256color");
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            // The end of the other side is an error here.
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let screen = vt100::Parser::new(some(rows), some(cols), SCROLLBACK);
        Self { master: pair.master, child, output, screen, raw: Vec::new() }
    }

    fn text(&self) -> String {
        // Row by row: what is drawn to the last column is no line of its own.
        let (_, cols) = self.screen.screen().size();
        let rows: Vec<String> =
            self.screen.screen().rows(0, cols.into()).map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// Takes more of the output; whether there is any.
    fn more(&mut self) -> bool {
        let Ok(bytes) = self.output.recv_timeout(PATIENCE) else { return false };
        self.take(&bytes);
        true
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.raw.extend(bytes);
    }

    /// Until the screen is as wanted.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        while !wanted(&self.text()) {
            assert!(Instant::now() < end && self.more(), "it never came to that:\n{}", self.text());
        }
        self.text()
    }

    /// Several frames more.
    fn frames(&mut self, count: usize) {
        (0..count).for_each(|_| assert!(self.more(), "no more frames come:\n{}", self.text()));
    }

    fn resize(&mut self, rows: u16, cols: u16) {
        // What has come was drawn for the size before.
        while let Ok(bytes) = self.output.try_recv() {
            self.take(&bytes);
        }
        self.master.resize(size(rows, cols)).unwrap();
        self.screen.screen_mut().set_size(some(rows), some(cols));
    }

    /// All that ever stood on the screen, from the top.
    fn everything(&mut self) -> String {
        self.screen.screen_mut().set_scrollback(SCROLLBACK);
        let above = self.screen.screen().scrollback();
        let mut lines = Vec::new();
        for offset in (0..=above).rev() {
            self.screen.screen_mut().set_scrollback(offset);
            let text = self.text();
            let shown: Vec<&str> = text.lines().collect();
            let first = shown.first().copied().unwrap_or_default().to_owned();
            if offset == 0 {
                lines.extend(shown.into_iter().map(str::to_owned));
            } else {
                lines.push(first);
            }
        }
        lines.join("\n")
    }

    fn end(&mut self) -> u32 {
        while self.more() {}
        self.child.wait().unwrap().exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Times by their form; ends of lines without spaces.
fn timeless(text: &str) -> String {
    let is_time = |word: &str| {
        let number = word.strip_suffix('s').unwrap_or_default();
        !number.is_empty() && number.contains('.') && number.chars().all(|one| one.is_ascii_digit() || one == '.')
    };
    let line = |line: &str| {
        let words = line.split(' ').map(|word| if is_time(word) { "TIME" } else { word });
        words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
    };
    text.trim_end().lines().map(line).collect::<Vec<_>>().join("\n")
}

const SILENT_STOCK: &[&str] = &[
    "run",
    "order.saga",
    "--id",
    "o-1",
    "--participant",
    "stock=process:sh till.sh",
    "--participant",
    "payments=simulated",
];

#[test]
fn the_tree_shows_states_and_times_to_the_end() {
    let desk = desk();
    let arguments = ["run", "order.saga", "--id", "o-1", "--participants", "simulated"];
    let mut terminal = Terminal::run(&desk, (24, 80), &arguments, &[]);
    assert_eq!(terminal.end(), 0);
    insta::assert_snapshot!(timeless(&terminal.text()));
}

#[test]
fn the_tree_shows_what_is_taken_back() {
    let desk = desk();
    let arguments = ["run", "order.saga", "--id", "o-1", "--scenario", "the lamp cannot be put back"];
    let mut terminal = Terminal::run(&desk, (40, 100), &arguments, &[]);
    assert_eq!(terminal.end(), 4);
    insta::assert_snapshot!(timeless(&terminal.text()));
}

#[test]
fn the_tree_shows_attempts_and_lets_times_run() {
    let desk = desk();
    desk.file("order.saga", ORDER.replace("timeout 10s  retry 3 times", "timeout 1s  retry 1000 times"));
    let mut terminal = Terminal::run(&desk, (24, 80), SILENT_STOCK, &[]);
    terminal.until(|screen| screen.contains("reserve  called"));
    let second = terminal.until(|screen| screen.contains(", attempt 2"));
    assert!(second.contains("charge (pivot)  -") || second.contains("charge  -"), "{second}");
    let time = |screen: &str| {
        let line = screen.lines().find(|line| line.contains("reserve")).unwrap_or_default().to_owned();
        line.split_whitespace().find_map(|word| word.strip_suffix('s')?.parse::<f64>().ok())
    };
    let before = time(&second).unwrap();
    terminal.until(|screen| time(screen).is_some_and(|now| now > before));
}

#[test]
fn what_is_said_of_a_process_that_dies_stands_above_the_tree() {
    let desk = desk();
    desk.file("till.sh", "exit 3");
    let mut terminal = Terminal::run(&desk, (40, 120), SILENT_STOCK, &[]);
    terminal.until(|screen| screen.matches("WARN").count() > 2);
    terminal.until(|screen| screen.contains("attempt"));
    let screen = terminal.text();
    let of = |text: &str| screen.lines().filter(|line| line.contains(text)).count();
    assert_eq!((of("order o-1"), of("ship")), (1, 1), "{screen}");
}

#[test]
fn the_tree_survives_other_sizes() {
    let desk = desk();
    let arguments = ["run", "order.saga", "--id", "o-1", "--participant", "payments=process:sleep 600"];
    let mut terminal = Terminal::run(&desk, (24, 80), &arguments, &[]);
    terminal.until(|screen| screen.contains("charge  called"));
    for (changes, (rows, cols)) in (1..).zip([(24, 16), (5, 80), (2, 40), (30, 120)]) {
        terminal.resize(rows, cols);
        // However little room there is, what is under way is seen.
        let times = |screen: &str| screen.lines().filter(|line| line.contains("charge")).count();
        terminal.until(|screen| times(screen) > 0);
        terminal.frames(20);
        // It is drawn in its place. A frame of the size before that came after the change stays where it was.
        let screen = terminal.until(|screen| times(screen) > 0);
        assert!(times(&screen) <= 1 + changes, "{rows} x {cols}: it is drawn in its place:\n{screen}");
    }
    let all = terminal.everything();
    let heads = all.lines().filter(|line| line.contains("order o-1")).count();
    assert!(heads <= 8, "frames do not scroll away one after the other:\n{all}");
}

#[test]
fn a_narrow_terminal_from_the_beginning() {
    let desk = desk();
    let mut terminal = Terminal::run(&desk, (24, 16), SILENT_STOCK, &[]);
    terminal.until(|screen| screen.contains("reserve"));
    terminal.frames(10);
    let screen = terminal.text();
    assert_eq!(screen.lines().filter(|line| line.contains("charge")).count(), 1, "{screen}");
    let all = terminal.everything();
    assert!(all.lines().filter(|line| line.contains("order o-1")).count() <= 1, "{all}");
}

#[test]
fn a_terminal_that_is_too_low_gets_lines() {
    let desk = desk();
    let arguments = ["run", "order.saga", "--id", "o-1", "--participants", "simulated"];
    let mut terminal = Terminal::run(&desk, (6, 100), &arguments, &[]);
    assert_eq!(terminal.end(), 0);
    let all = terminal.everything();
    assert!(all.contains("reserve: call stock.Reserve") && all.contains("s  completed"), "{all}");
}

#[test]
fn ctrl_c_leaves_it_in_the_log_and_says_how_to_go_on() {
    let desk = desk();
    let mut terminal = Terminal::run(&desk, (24, 200), SILENT_STOCK, &[]);
    terminal.until(|screen| screen.contains("reserve  called"));
    terminal.master.take_writer().unwrap().write_all(b"\x03").unwrap();
    assert_eq!(terminal.end(), 5);
    let text = terminal.text();
    insta::assert_snapshot!(text.lines().next_back().unwrap_or_default());
    let command = text.lines().find_map(|line| line.strip_prefix("left in the log; go on with: saga ")).unwrap();
    desk.file("open", "");
    let words = shell_words::split(command).unwrap();
    let again = desk.saga(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(again.contains("had begun before") && again.contains("\"completed\""), "{again}");
}

#[test]
fn colours_are_for_those_who_want_them() {
    let is_coloured = |raw: &[u8]| {
        let text = String::from_utf8_lossy(raw).into_owned();
        text.split("\x1b[").skip(1).any(|rest| {
            let numbers: String = rest.chars().take_while(|one| !one.is_ascii_alphabetic()).collect();
            rest.chars().nth(numbers.chars().count()) == Some('m') && numbers.chars().any(|one| !"0;".contains(one))
        })
    };
    let (desk, other) = (desk(), desk());
    desk.file("wrong.saga", ORDER.replace("hold: reserve.hold }\n  }", "hold: reserve.hld }\n  }"));
    for (arguments, is_plain) in [(&["check", "wrong.saga"][..], false), (SILENT_STOCK, true)] {
        let mut usual = Terminal::run(&desk, (50, 120), arguments, &[]);
        other.file("wrong.saga", std::fs::read(desk.path().join("wrong.saga")).unwrap());
        let mut plain = Terminal::run(&other, (50, 120), arguments, &[("NO_COLOR", "1")]);
        for terminal in [&mut usual, &mut plain] {
            if is_plain {
                terminal.frames(5);
            } else {
                assert_eq!(terminal.end(), 1);
            }
        }
        assert!(is_plain || is_coloured(&usual.raw), "a terminal shows colours");
        assert!(!is_coloured(&plain.raw), "{}", String::from_utf8_lossy(&plain.raw));
    }
}

//! A participant as a child process: a command a line on its standard input, a reply a line on its standard output.
//!
//! ```text
//!   ask --Job--> supervisor --lines--> writer task --> stdin  | child |  stdout --> reader task --lines--> supervisor
//!                supervisor: starts the child, matches replies with asks, starts it again when it dies
//! ```
//!
//! One task owns the child and all that is in flight, so nothing is locked. Writing has a task of its own: a child that
//! reads nothing must not keep its replies from being read.

use std::collections::{BTreeMap, VecDeque};
use std::process::Stdio;
use std::time::Duration;

use compact_str::CompactString;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::{AT_ONCE_MAX, Answer, Outgoing, patience};
use crate::engine::Reply;
use crate::participant::lines::{Line, next_line, skip_line, to_line};
use crate::participant::now;
use crate::wire::{self, About, CloudEvent, EVENT_MAX, ReceivedCommand, attribute};

/// The pauses between starts of a child that dies: doubled each time, short again once it has answered something.
const RESTART_MIN: Duration = Duration::from_millis(100);
const RESTART_MAX: Duration = Duration::from_secs(10);

/// How long a child may take to end when its input does.
const GRACE: Duration = Duration::from_secs(5);

/// How long what a child that died has said is waited for: children of its own may hold the pipe open.
const LAST_REMARKS: Duration = Duration::from_millis(500);

/// So many characters of its last line stand beside the news that it died: the whole line is in the log at `info`.
const LAST_MAX: usize = 500;

/// Lines on their way to the child: as many as can be in flight, and as many whose asker has given up.
const LINES_MAX: usize = 2 * AT_ONCE_MAX;

/// Attempts whose answers are remembered, so that a second answer is known for one: as many as can be in flight.
const ANSWERED_MAX: usize = LINES_MAX;

/// Which attempt a reply answers.
type Attempt = (CompactString, &'static str, u32);

pub(super) struct ProcessEndpoint {
    jobs: mpsc::Sender<Job>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

enum Job {
    Ask { attempt: Attempt, line: Vec<u8>, answer: oneshot::Sender<Answer> },
    Close { has_time: bool },
}

impl ProcessEndpoint {
    /// Starts the child's supervisor. A child that cannot be started is tried again, like one that died.
    pub(super) fn start(participant: &str, program: &str, arguments: &[String], out: mpsc::Sender<Outgoing>) -> Self {
        let (jobs, queue) = mpsc::channel(AT_ONCE_MAX);
        let supervisor = Supervisor {
            participant: CompactString::from(participant),
            program: program.to_owned(),
            arguments: arguments.to_vec(),
            jobs: queue,
            in_flight: BTreeMap::new(),
            answered: VecDeque::new(),
            out,
        };
        Self { jobs, supervisor: Mutex::new(Some(tokio::spawn(supervisor.run()))) }
    }

    /// None if nothing came in time: the orchestrator's own timeout then says so.
    pub(super) async fn ask(&self, event: CloudEvent<'static>, command: &ReceivedCommand) -> Option<Answer> {
        let line = to_line(event.write());
        let (answer, answered) = oneshot::channel();
        let attempt = (command.id.to_text(), command.kind.as_str(), command.attempt);
        if self.jobs.send(Job::Ask { attempt, line, answer }).await.is_err() {
            return Some(Answer::retry("process-down"));
        }
        timeout(patience(command.deadline, now()), answered).await.ok()?.ok()
    }

    /// Ends the child's input, which asks it to end. It has a moment for that, unless its time is over.
    pub(super) async fn close(&self, has_time: bool) {
        // A supervisor that has ended takes no more jobs, and need not.
        let _ended = self.jobs.send(Job::Close { has_time }).await;
        if let Some(supervisor) = self.supervisor.lock().await.take()
            && let Err(panic) = supervisor.await
        {
            tracing::error!(error = %panic, "the supervisor of a child process panicked");
        }
    }
}

struct Supervisor {
    participant: CompactString,
    program: String,
    arguments: Vec<String>,
    jobs: mpsc::Receiver<Job>,
    in_flight: BTreeMap<Attempt, oneshot::Sender<Answer>>,
    /// The latest attempts that were answered, and whether that was final.
    answered: VecDeque<(Attempt, bool)>,
    out: mpsc::Sender<Outgoing>,
}

/// What ends a child's life, as its supervisor sees it.
enum End {
    Died { answered: bool },
    Closed,
}

impl Supervisor {
    async fn run(mut self) {
        let mut pause = RESTART_MIN;
        loop {
            let end = match self.spawn() {
                Ok(child) => self.attend(child).await,
                Err(error) => {
                    let (participant, program) = (&self.participant, &self.program);
                    tracing::error!(%participant, %program, %error, "a participant's process cannot be started");
                    End::Died { answered: false }
                }
            };
            self.answer_all("process-died");
            match end {
                End::Closed => return,
                End::Died { answered: true } => pause = RESTART_MIN,
                End::Died { answered: false } => {}
            }
            if !self.wait(pause).await {
                return;
            }
            pause = pause.saturating_mul(2).min(RESTART_MAX);
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    /// Carries lines until the child dies or the bridge closes.
    async fn attend(&mut self, mut child: Child) -> End {
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return End::Died { answered: false };
        };
        let (to_child, lines) = mpsc::channel(LINES_MAX);
        let writer = tokio::spawn(write_lines(stdin, lines));
        let (replies, mut from_child) = mpsc::channel(LINES_MAX);
        let reader = tokio::spawn(read_lines(self.participant.clone(), BufReader::new(stdout), replies));
        let mut remarks = tokio::spawn(pass_remarks(self.participant.clone(), BufReader::new(stderr)));
        let mut answered = false;
        // Whether it has time to end by itself, if the bridge closes.
        let closed = loop {
            tokio::select! {
                line = from_child.recv() => match line {
                    Some(line) => answered |= self.take_reply(&line).await,
                    None => break None,
                },
                job = self.jobs.recv() => match job {
                    Some(Job::Ask { attempt, line, answer }) => self.hand_over(&to_child, attempt, line, answer),
                    Some(Job::Close { has_time }) => break Some(has_time),
                    None => break Some(true),
                },
            }
        };
        // The writer's end closes the child's input, which asks it to end.
        drop(to_child);
        let is_closed = closed.is_some();
        if closed == Some(true) && timeout(GRACE, child.wait()).await.is_err() {
            tracing::warn!(participant = %self.participant, "a participant's process did not end with its input");
        }
        if let Err(error) = child.start_kill() {
            tracing::debug!(participant = %self.participant, %error, "the process had ended");
        }
        let ended = child.wait().await;
        let last = timeout(LAST_REMARKS, &mut remarks).await.ok().and_then(Result::ok).flatten();
        let (participant, last) = (&self.participant, last.as_deref());
        match ended {
            Ok(status) if is_closed => tracing::debug!(%participant, %status, "the process ended"),
            Ok(status) => tracing::warn!(%participant, %status, last, "a participant's process died"),
            Err(error) => tracing::warn!(%participant, %error, last, "a participant's process is lost"),
        }
        writer.abort();
        reader.abort();
        remarks.abort();
        if is_closed { End::Closed } else { End::Died { answered } }
    }

    fn hand_over(
        &mut self,
        to_child: &mpsc::Sender<Vec<u8>>,
        attempt: Attempt,
        line: Vec<u8>,
        answer: oneshot::Sender<Answer>,
    ) {
        if self.in_flight.len() >= LINES_MAX {
            self.in_flight.retain(|_, asker| !asker.is_closed());
        }
        match to_child.try_send(line) {
            // A repeat of an attempt takes the place of the one before: one answer is enough for both.
            Ok(()) => drop(self.in_flight.insert(attempt, answer)),
            Err(mpsc::error::TrySendError::Full(_)) => drop(answer.send(Answer::retry("process-busy"))),
            Err(mpsc::error::TrySendError::Closed(_)) => drop(answer.send(Answer::retry("process-died"))),
        }
    }

    /// Whether the line was a reply.
    async fn take_reply(&mut self, line: &str) -> bool {
        let read = CloudEvent::parse(line.as_bytes()).and_then(|mut event| {
            event.or_type(attribute::REPLY_TYPE);
            wire::read_reply(&event).map(|reply| (reply, event))
        });
        let (reply, event) = match read {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(participant = %self.participant, "a line of a participant's process is no reply: failed to {error}");
                return false;
            }
        };
        let attempt = (reply.command.to_text(), reply.kind.as_str(), reply.attempt);
        let answer = Answer { status: reply.status.clone(), payload: reply.payload.clone() };
        let before = self.answered.iter().find(|(known, _)| *known == attempt).map(|(_, is_final)| *is_final);
        let asker = self.in_flight.remove(&attempt);
        let (participant, command, number) = (&self.participant, &reply.command, reply.attempt);
        // Answers travel to the log by their askers, each in its own time: passed on, a second one could overtake the first.
        if before == Some(true) && asker.is_none() {
            tracing::info!(%participant, %command, attempt = number, "a second answer to a command is passed over: the first counts");
            return true;
        }
        if before.is_none() && asker.is_none() {
            tracing::warn!(%participant, %command, attempt = number, "a reply to a command that the process has not been asked since it was started");
        }
        self.remember(attempt, answer.status.is_final());
        if asker.is_none_or(|asker| asker.send(answer).is_err()) {
            // The asker is gone, or the process was asked in an earlier life. It is a reply all the same, such as the final
            // one behind a `pending`, and whether it counts is the engine's business.
            self.pass_on(reply, &event).await;
        }
        true
    }

    fn remember(&mut self, attempt: Attempt, is_final: bool) {
        self.answered.retain(|(known, _)| *known != attempt);
        if self.answered.len() >= ANSWERED_MAX {
            self.answered.pop_front();
        }
        self.answered.push_back((attempt, is_final));
    }

    async fn pass_on(&self, reply: Reply, event: &CloudEvent<'_>) {
        let (participant, command) = (&self.participant, &reply.command);
        tracing::info!(%participant, %command, "a reply that no command waits for is passed on");
        let about = About { participant, traceparent: event.get(attribute::TRACEPARENT) };
        let reply = Outgoing::Reply { topic: None, partition: None, message: wire::reply(&reply, &about) };
        // Nobody listens any more: the bridge is closing.
        let _closed = self.out.send(reply).await;
    }

    fn answer_all(&mut self, code: &str) {
        for (_, asker) in std::mem::take(&mut self.in_flight) {
            // An asker that has given up needs no answer.
            let _gave_up = asker.send(Answer::retry(code));
        }
    }

    /// The pause before the next start; what is asked meanwhile is answered at once. False if the bridge closes.
    async fn wait(&mut self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        loop {
            tokio::select! {
                () = sleep_until(end) => return true,
                job = self.jobs.recv() => match job {
                    Some(Job::Ask { answer, .. }) => drop(answer.send(Answer::retry("process-down"))),
                    Some(Job::Close { .. }) | None => return false,
                },
            }
        }
    }
}

async fn write_lines(mut stdin: ChildStdin, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        // A child that closed its input is about to end, which the reader notices.
        if stdin.write_all(&line).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn read_lines(
    participant: CompactString,
    mut stdout: BufReader<tokio::process::ChildStdout>,
    replies: mpsc::Sender<String>,
) {
    loop {
        match next_line(&mut stdout).await {
            Line::Text(line) if line.trim().is_empty() => {}
            Line::Text(line) => {
                if replies.send(line).await.is_err() {
                    return;
                }
            }
            Line::TooLong => {
                tracing::warn!(%participant, "a line of over {} bytes is passed over", EVENT_MAX);
                if !skip_line(&mut stdout).await {
                    return;
                }
            }
            // What a dying process began is no reply.
            Line::End(_) => return,
        }
    }
}

/// Passes on what a child says to people; at its end, the last of it.
async fn pass_remarks(
    participant: CompactString,
    mut stderr: BufReader<tokio::process::ChildStderr>,
) -> Option<String> {
    let mut last: Option<String> = None;
    let pass = |line: &str, last: &mut Option<String>| {
        let line = line.trim_end();
        tracing::info!(%participant, "{line}");
        // What is indented says more of the line before: the frames of a stack.
        if !line.is_empty() && (last.is_none() || !line.starts_with(char::is_whitespace)) {
            *last = Some(line.chars().take(LAST_MAX).collect());
        }
    };
    loop {
        match next_line(&mut stderr).await {
            Line::Text(line) => pass(&line, &mut last),
            Line::TooLong => {
                tracing::info!(%participant, "(a line of over {} bytes)", EVENT_MAX);
                if !skip_line(&mut stderr).await {
                    return last;
                }
            }
            Line::End(begun) => {
                if !begun.is_empty() {
                    pass(&begun, &mut last);
                }
                return last;
            }
        }
    }
}

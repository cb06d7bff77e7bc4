//! Participants as child processes: shell scripts that behave, die, stay silent or talk nonsense.

use std::fs;
use std::io::BufReader;

use saga::log::Topics;
use saga::participant::bridge::{Bridge, Outgoing};
use saga::participant::{Address, Participant, SqliteStore, lines};
use saga::runtime::Ends;
use saga::wire::{CloudEvent, EVENT_MAX, attribute};
use tokio::sync::mpsc;

use super::messages::{command, shown, with};
use super::simulated::{carried, settings};

/// What the scripts share: `reply STATUS PAYLOAD` answers the command in `$line`.
const SHELL: &str = r#"
field() { printf '%s' "${line%%\"data\":*}" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
reply() {
  printf '{"command":"%s","kind":"%s","attempt":%s,"status":"%s","data":%s}\n' \
    "$(field command)" "$(field kind)" "$(field attempt)" "$1" "$2"
}
"#;

/// A participant whose process runs a script of the shell.
struct Script {
    address: Address,
    folder: tempfile::TempDir,
}

fn script(text: &str) -> Script {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("participant.sh");
    fs::write(&file, format!("{SHELL}{text}")).unwrap();
    let address = Address::Process {
        program: "sh".to_owned(),
        arguments: vec![file.to_str().unwrap().to_owned(), folder.path().to_str().unwrap().to_owned()],
    };
    Script { address, folder }
}

/// Its deadline is long over, so the least time is waited for an answer.
fn hasty(instance: &str) -> CloudEvent<'static> {
    command(instance, "do", "Reserve", "{}")
}

/// A command for whose answer a test has all the time.
fn patient(instance: &str) -> CloudEvent<'static> {
    with(hasty(instance), attribute::DEADLINE, &u64::MAX.to_string())
}

#[tokio::test]
async fn a_script_of_the_shell_can_be_a_participant() {
    let tickets = script(r#"while read -r line; do reply succeeded '{"seat":"1A"}'; done"#);
    let (mut replies, handled) = carried(&tickets.address, settings(), vec![patient("a"), patient("b")]).await;
    replies.sort();
    assert_eq!(
        (vec![r#"a: succeeded {"seat":"1A"}"#, r#"b: succeeded {"seat":"1A"}"#], 9),
        (replies.iter().map(String::as_str).collect(), handled)
    );
}

#[tokio::test]
async fn lines_that_are_no_replies_are_passed_over() {
    let tickets = script(&format!(
        r#"echo "starting up"; echo "on stderr" >&2
        read -r line
        echo; echo '{{"kind":true}}'; echo '{{}}'; echo '{{"status":[]}}'
        head -c {EVENT_MAX} /dev/zero | tr '\0' 'x'; echo "xx"
        reply succeeded 1; cat > /dev/null"#
    ));
    assert_eq!(vec!["a: succeeded 1"], carried(&tickets.address, settings(), vec![patient("a")]).await.0);
}

#[tokio::test]
async fn a_process_that_dies_is_started_again_and_its_commands_are_to_be_repeated() {
    let tickets = script(
        r#"read -r line
        if [ -e "$1/second" ]; then reply succeeded 2; cat > /dev/null; fi
        touch "$1/second"; exit 7"#,
    );
    let (out, mut outgoing) = mpsc::channel(10);
    let bridge = Bridge::open(&tickets.address, settings(), &Topics::default(), out).unwrap();
    let (give, commands) = mpsc::channel(10);
    let asking = async {
        let mut told = Vec::new();
        // While it is down a repeat is answered `retry` at once, so this is a matter of tries.
        for offset in 0_u64..100_000 {
            give.send((offset, patient("a").write())).await.unwrap();
            let Some(Outgoing::Reply { message, .. }) = outgoing.recv().await else { panic!("a reply comes first") };
            assert_eq!(Some(Outgoing::Handled { partition: 5, next: offset + 1 }), outgoing.recv().await);
            told.push(shown(&message));
            if told.last().unwrap().starts_with("succeeded") {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(give);
        told
    };
    let (_on, ends) = Ends::told();
    let (told, ()) = tokio::join!(asking, bridge.serve(5, commands, ends));
    assert_eq!("retry process-died", told[0]);
    assert_eq!("succeeded 2", told.last().unwrap());
    assert!(told[1..told.len() - 1].iter().all(|reply| reply == "retry process-down"), "{told:?}");
    bridge.close(true).await;
    drop(tickets.folder);
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_a_participant_that_is_down() {
    let nobody = "process:/nowhere/tickets --store x".parse().unwrap();
    let (replies, handled) = carried(&nobody, settings(), vec![patient("a")]).await;
    assert_eq!((vec!["a: retry process-down".to_owned()], 8), (replies, handled));
}

#[tokio::test]
async fn a_process_that_stays_silent_leaves_the_command_to_the_timeout() {
    let silent = script("cat > /dev/null");
    assert_eq!((Vec::<String>::new(), 8), carried(&silent.address, settings(), vec![hasty("a")]).await);
}

/// Everything a bridge gives until its process has been closed.
async fn all_replies(script: &Script, command: CloudEvent<'_>, count: usize) -> Vec<(Option<i32>, String)> {
    let (out, mut outgoing) = mpsc::channel(10);
    let bridge = Bridge::open(&script.address, settings(), &Topics::default(), out).unwrap();
    let (give, commands) = mpsc::channel(1);
    give.send((0, command.write())).await.unwrap();
    let listening = async {
        let mut told = Vec::new();
        while told.len() < count {
            if let Some(Outgoing::Reply { partition, message, .. }) = outgoing.recv().await {
                told.push((partition, format!("{}: {}", message.key, shown(&message))));
            }
        }
        drop(give);
        told
    };
    let (_on, ends) = Ends::told();
    let (told, ()) = tokio::join!(listening, bridge.serve(5, commands, ends));
    bridge.close(true).await;
    told
}

#[tokio::test]
async fn a_final_reply_behind_a_pending_one_is_passed_on_and_no_second_one() {
    let payments = script(
        r#"read -r line; reply pending null; reply succeeded 1; reply succeeded 2
        line='"command":"b/1/reserve/1","kind":"do","attempt":"1"'; reply succeeded 3; cat > /dev/null"#,
    );
    let told = all_replies(&payments, patient("a"), 3).await;
    let wanted = [(Some(3), "a: pending"), (None, "a: succeeded 1"), (None, "b: succeeded 3")];
    assert_eq!(wanted.map(|(partition, text)| (partition, text.to_owned())).to_vec(), told);
}

#[tokio::test]
async fn an_answer_to_another_command_does_not_answer_this_one() {
    let tickets = script(
        r#"read -r line; mine=$line
        line='"command":"other/1/reserve/1","kind":"do","attempt":"1"'; reply succeeded 2
        line=$mine; reply succeeded 1; cat > /dev/null"#,
    );
    let told = all_replies(&tickets, patient("a"), 2).await;
    assert_eq!(vec![(None, "other: succeeded 2".to_owned()), (Some(3), "a: succeeded 1".to_owned())], told);
}

#[test]
fn the_front_answers_each_line_and_passes_over_what_it_cannot_read() {
    let store = SqliteStore::new(rusqlite::Connection::open_in_memory().unwrap()).unwrap();
    let participant = Participant::new("tickets", store).command("Reserve", |_, call| call.request::<i32>());
    let mut input = String::from("no JSON\n\n");
    input.push_str(&"x".repeat(EVENT_MAX + 10));
    input.push('\n');
    let spread = with(command("a", "do", "Reserve", "\n 7 "), attribute::DEADLINE, &u64::MAX.to_string());
    input.push_str(str::from_utf8(&spread.write().payload).unwrap());
    let mut output = Vec::new();
    lines::serve(&participant, BufReader::new(input.as_bytes()), &mut output).unwrap();
    let output = String::from_utf8(output).unwrap();
    let replies: Vec<_> =
        output.lines().map(|line| shown(&CloudEvent::parse(line.as_bytes()).unwrap().write())).collect();
    assert_eq!(vec!["succeeded 7"], replies);
}

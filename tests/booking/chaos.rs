//! No seat, room or cent is lost, doubled or left held, whatever is killed.
//!
//! `SAGA_CHAOS_BOOKINGS=2000 SAGA_CHAOS_SEED=7 cargo test --test all booking` makes a long round of it, or repeats one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::processes::{Server, request, saga, workflow};
use super::world::{Dice, World, dice, input, setting};

/// Bookings of a short round: some are under way at each of its crashes.
const BOOKINGS: u32 = 40;

/// How long the sagas may take to come to their ends, for each booking of the round: retries pause for seconds.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
struct Shown {
    instance: Row,
}

#[derive(Deserialize)]
struct Row {
    status: String,
}

/// How an instance stands; none while nobody answers.
fn standing(port: u16, id: &str) -> Option<String> {
    let (status, body) = request(port, "GET", &format!("/instances/{id}"), "")?;
    assert!(matches!(status, 200 | 503), "{id} was accepted, and is there: {status} {body}");
    serde_json::from_str(&body).ok().map(|Shown { instance: Row { status } }| status)
}

#[test]
fn nothing_is_lost_doubled_or_left_held_whatever_is_killed() {
    let bookings = setting("SAGA_CHAOS_BOOKINGS").and_then(|count| u32::try_from(count).ok()).unwrap_or(BOOKINGS);
    let mut dice = dice("bookings");
    let mut world = World::new(bookings);
    let (data, addresses) = (world.folder().join("saga"), world.addresses());
    let mut server = Server::start("saga serve", move |port| {
        let mut command = saga();
        command.arg("serve").arg(workflow()).arg("--data").arg(&data).args(&addresses);
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        command
    });
    let crash_something = |dice: &mut Dice, server: &mut Server, world: &mut World| match dice.below(2) {
        0 => server.crash(),
        _ => world.crash_a_service(dice),
    };
    for number in 0..bookings {
        if dice.below(5) == 0 {
            crash_something(&mut dice, &mut server, &mut world);
        }
        let body = format!(r#"{{"saga":"booking","id":"order-{number}","input":{}}}"#, input(number));
        // Whoever hears nothing asks again, with the same id: that is what ids are for.
        let answer = (0..100).find_map(|_| request(server.port(), "POST", "/instances", &body));
        let (status, said) = answer.expect("somebody answers");
        assert!(matches!(status, 200 | 202), "{status} {said}");
    }
    let deadline = Instant::now() + PATIENCE * bookings;
    let mut crashes = bookings / 8;
    let mut open: BTreeSet<String> = (0..bookings).map(|number| format!("order-{number}")).collect();
    let (mut completed, mut compensated) = (0, 0);
    while !open.is_empty() {
        for id in open.clone() {
            match standing(server.port(), &id).as_deref() {
                Some("completed") => completed += usize::from(open.remove(&id)),
                Some("compensated") => compensated += usize::from(open.remove(&id)),
                Some("stuck") => {
                    // What a person does once the service is back.
                    let order = r#"{"order":"retry","by":"a person","reason":"it is up again"}"#;
                    let _taken = request(server.port(), "POST", &format!("/instances/{id}/orders"), order);
                }
                Some(_) | None => {}
            }
            assert!(Instant::now() < deadline, "these sagas do not end: {open:?}");
        }
        if crashes > 0 && dice.below(4) == 0 {
            crashes -= 1;
            crash_something(&mut dice, &mut server, &mut world);
        }
    }
    assert!(completed > 0, "somebody travels");
    assert!(compensated > 0, "and Ben does not");
    world.audit(completed);
}

/// Runs one booking, and kills `saga` once it has said `lines` lines. None if it was killed.
fn run_and_kill(world: &World, data: &Path, number: u32, lines: u64) -> Option<i32> {
    use std::io::{BufRead, BufReader};
    let mut run = saga();
    run.arg("run").arg(workflow()).args(["--id", &format!("order-{number}"), "--input", &input(number)]);
    run.arg("--data").arg(data).args(world.addresses()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = run.stderr(Stdio::piped()).spawn().expect("saga run");
    let mut said = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut heard = 0;
    while heard < lines && said.next().is_some_and(|line| line.is_ok()) {
        heard += 1;
    }
    if heard == lines {
        child.kill().expect("it can be killed");
    }
    said.for_each(drop);
    child.wait().expect("it ends").code()
}

#[test]
fn a_run_that_is_killed_goes_on_by_the_same_command() {
    let mut dice = dice("runs");
    let world = World::new(20);
    let data: PathBuf = world.folder().join("saga");
    let mut completed = 0;
    for number in 0..10 {
        // Each time it may say more; a run that is let be comes to its end.
        let code = (0..6)
            .map(|patience| 1 + dice.below(4 + patience * 4))
            .chain([u64::MAX])
            .find_map(|lines| run_and_kill(&world, &data, number, lines));
        match code.expect("the last one was let be") {
            0 => completed += 1,
            3 => {}
            other => panic!("order-{number}: exit code {other}"),
        }
    }
    world.audit(completed);
}

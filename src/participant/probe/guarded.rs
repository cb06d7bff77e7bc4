//! The rules of the guard, tried one by one. Each begins with a command that the participant has never heard of, and
//! leaves nothing in effect where it can.

use std::time::Instant;

use super::subject::Call;
use super::talk::{Case, Heard, Key, OVER, Talk, Wrong, before, raw};
use crate::engine::{ID_MAX, ReplyKind, Status};
use crate::json::Json;
use crate::participant::guard::code;
use crate::wire::attribute;

use ReplyKind::{Do, Query, Undo};

type Tried = Result<(), Wrong>;

/// Attempts that are under way at once.
const AT_ONCE: u32 = 6;

/// As long as a command's id may be.
const COMMAND_ID_MAX: usize = 500;

fn broken(what: &str, heard: &Heard) -> Wrong {
    Wrong::broken(format!("{what} gets {}", heard.shown()))
}

fn there(talk: &Talk<'_>, what: &str, heard: Option<Heard>) -> Result<Heard, Wrong> {
    heard.ok_or_else(|| Wrong::broken(format!("{what} gets {}", talk.nothing())))
}

fn succeeds(talk: &Talk<'_>, what: &str, heard: Option<Heard>) -> Result<Heard, Wrong> {
    let heard = there(talk, what, heard)?;
    if matches!(heard.status, Some(Status::Succeeded)) { Ok(heard) } else { Err(broken(what, &heard)) }
}

fn is_same(talk: &Talk<'_>, what: &str, first: &Heard, heard: Option<Heard>) -> Tried {
    let heard = there(talk, what, heard)?;
    if heard.is_same(first) {
        return Ok(());
    }
    Err(Wrong::broken(format!("{what} gets {}, and the first time it was {}", heard.shown(), first.shown())))
}

fn is_barred(talk: &Talk<'_>, what: &str, heard: Option<Heard>) -> Tried {
    let heard = there(talk, what, heard)?;
    match &heard.status {
        Some(Status::Failed { code: given, .. }) if given == code::ALREADY_UNDONE => Ok(()),
        _ => Err(broken(what, &heard)),
    }
}

fn can_undo(call: &Call) -> Tried {
    if call.undo.is_some() { Ok(()) } else { Err(Wrong::untried("no saga takes it back")) }
}

fn can_query(talk: &Talk<'_>) -> Tried {
    if talk.subject.participant.answers_queries {
        return Ok(());
    }
    Err(Wrong::untried("its contract does not say `answers queries`, so nobody asks"))
}

/// What comes next to each, whatever it is: what is still under way would be in the way of the next rule. They were sent at
/// once, so the time is over for all at once.
fn all_of(talk: &mut Talk<'_>, keys: &[Key]) -> Vec<(Key, Option<Heard>)> {
    let end = Instant::now() + talk.options.within;
    keys.iter().map(|key| (key.clone(), talk.hear_next(key, end))).collect()
}

/// What has come for good behind a `pending` to each.
fn finals_of(talk: &mut Talk<'_>, keys: &[Key]) -> Vec<(Key, Heard)> {
    let mut finals = Vec::new();
    for key in keys {
        while let Some(heard) = talk.final_of(key) {
            finals.push((key.clone(), heard));
        }
    }
    finals
}

/// A case whose `undo` must work.
fn undone(talk: &mut Talk<'_>, case: &mut Case, what: &str) -> Tried {
    let heard = talk.settle(case, Undo)?;
    if !matches!(heard.status, Some(Status::Succeeded)) {
        return Err(broken(what, &heard));
    }
    talk.was_undone(case);
    Ok(())
}

pub(super) fn answered(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    talk.done(&mut case)?;
    talk.put_back(&mut case)
}

pub(super) fn same_reply(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    let first = talk.done(&mut case)?;
    for _ in 0..2 {
        let heard = talk.redeliver(&mut case, Do);
        is_same(talk, "a redelivered `do`", &first, heard)?;
    }
    let heard = talk.ask(&mut case, Do);
    is_same(talk, "another attempt", &first, heard)?;
    talk.put_back(&mut case)
}

pub(super) fn at_once(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    let partitions = talk.places.commands.1;
    let kinds: Vec<_> = (0..AT_ONCE).map(|number| (Do, number % partitions.max(1))).collect();
    let keys = talk.send_at_once(&mut case, &format!("{AT_ONCE} x do, in all partitions at once"), &kinds)?;
    let mut finals: Vec<Heard> = Vec::new();
    for (_, heard) in all_of(talk, &keys) {
        let heard = there(talk, "one of the attempts", heard)?;
        match heard.status {
            Some(Status::Succeeded | Status::Failed { .. }) => finals.push(heard),
            Some(Status::Retry { .. } | Status::Pending) => {}
            Some(Status::UnknownCommand) | None => return Err(broken("one of the attempts", &heard)),
        }
    }
    finals.push(talk.done(&mut case)?);
    finals.extend(finals_of(talk, &keys).into_iter().map(|(_, heard)| heard));
    let first = finals.first().cloned();
    for (first, other) in first.iter().flat_map(|first| finals.iter().skip(1).map(move |other| (first, other))) {
        if !first.is_same(other) {
            let (one, other) = (first.shown(), other.shown());
            return Err(Wrong::broken(format!("one attempt gets {one}, and another one {other}")));
        }
    }
    talk.put_back(&mut case)
}

pub(super) fn undo_takes_back(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_undo(call)?;
    let mut case = talk.case(call);
    talk.done(&mut case)?;
    undone(talk, &mut case, "`undo`")
}

pub(super) fn undo_again(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_undo(call)?;
    let mut case = talk.case(call);
    talk.done(&mut case)?;
    undone(talk, &mut case, "`undo`")?;
    let heard = talk.redeliver(&mut case, Undo);
    succeeds(talk, "a redelivered `undo`", heard)?;
    let heard = talk.ask(&mut case, Undo);
    succeeds(talk, "another `undo`", heard).map(drop)
}

pub(super) fn no_do_after_undo(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_undo(call)?;
    let mut case = talk.case(call);
    talk.done(&mut case)?;
    undone(talk, &mut case, "`undo`")?;
    for _ in 0..2 {
        let heard = talk.ask(&mut case, Do);
        is_barred(talk, "`do` after `undo`", heard)?;
    }
    let heard = talk.ask_late(&mut case, Do);
    is_barred(talk, "`do` past its deadline, after `undo`,", heard)?;
    talk.was_undone(&case);
    Ok(())
}

pub(super) fn undo_before_do(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_undo(call)?;
    let mut case = talk.case(call);
    undone(talk, &mut case, "`undo` of what was never done")
}

pub(super) fn no_do_after_early_undo(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_undo(call)?;
    let mut case = talk.case(call);
    let heard = talk.ask(&mut case, Undo);
    there(talk, "`undo`", heard)?;
    for _ in 0..2 {
        let heard = talk.ask(&mut case, Do);
        is_barred(talk, "`do` behind its `undo`", heard)?;
    }
    talk.was_undone(&case);
    Ok(())
}

pub(super) fn late_do(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    let heard = talk.ask_late_once(&mut case, Do);
    let heard = there(talk, "`do` past its deadline", heard)?;
    if !matches!(heard.status, Some(Status::Retry { .. })) {
        return Err(broken("`do` past its deadline", &heard));
    }
    if talk.subject.participant.answers_queries {
        let heard = talk.ask(&mut case, Query);
        let heard = there(talk, "`query` behind it", heard)?;
        if !matches!(heard.status, Some(Status::UnknownCommand)) {
            return Err(broken("`query` behind it", &heard));
        }
    }
    let heard = talk.settle(&mut case, Do)?;
    if !matches!(heard.status, Some(Status::Succeeded)) {
        return Err(broken("an attempt in time behind it", &heard));
    }
    talk.put_back(&mut case)
}

pub(super) fn late_repeat(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    let first = talk.done(&mut case)?;
    let heard = talk.ask_late(&mut case, Do);
    is_same(talk, "`do` past its deadline", &first, heard)?;
    talk.put_back(&mut case)
}

pub(super) fn late_undo(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_undo(call)?;
    let mut case = talk.case(call);
    talk.done(&mut case)?;
    let heard = talk.ask_late(&mut case, Undo);
    succeeds(talk, "`undo` past its deadline", heard)?;
    let heard = talk.ask(&mut case, Do);
    is_barred(talk, "`do` behind it", heard)?;
    talk.was_undone(&case);
    // It has overtaken its `do`, and comes too late as well.
    let mut early = talk.case(call);
    let heard = talk.ask_late(&mut early, Undo);
    succeeds(talk, "`undo` past its deadline, of what was never done,", heard)?;
    let heard = talk.ask(&mut early, Do);
    is_barred(talk, "`do` behind it", heard)?;
    talk.was_undone(&early);
    Ok(())
}

/// Does it with a row that nobody has to keep.
fn done_for_a_moment(talk: &mut Talk<'_>, case: &mut Case) -> Option<Heard> {
    talk.ask_changed(case, Do, "with a `keepuntil` that is over", |mut event| {
        event.set(attribute::KEEP_UNTIL, before(OVER));
        raw(&event)
    })
}

pub(super) fn done_row_stays(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    let heard = done_for_a_moment(talk, &mut case);
    let first = succeeds(talk, "`do`", heard)?;
    let heard = talk.ask(&mut case, Do);
    is_same(talk, "another attempt", &first, heard)?;
    if call.undo.is_some() {
        undone(talk, &mut case, "`undo`")?;
        let heard = talk.ask(&mut case, Do);
        is_barred(talk, "`do` after `undo`", heard)?;
    }
    talk.was_undone(&case);
    Ok(())
}

pub(super) fn query_unknown(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_query(talk)?;
    let mut case = talk.case(call);
    for _ in 0..2 {
        let heard = talk.ask(&mut case, Query);
        let heard = there(talk, "`query`", heard)?;
        if !matches!(heard.status, Some(Status::UnknownCommand)) {
            return Err(broken("`query`", &heard));
        }
    }
    let heard = talk.settle(&mut case, Do)?;
    if !matches!(heard.status, Some(Status::Succeeded)) {
        return Err(broken("`do` behind it", &heard));
    }
    talk.put_back(&mut case)
}

pub(super) fn query_done(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_query(talk)?;
    let mut case = talk.case(call);
    let first = talk.done(&mut case)?;
    for _ in 0..2 {
        let heard = talk.ask(&mut case, Query);
        is_same(talk, "`query`", &first, heard)?;
    }
    let heard = talk.ask_late(&mut case, Query);
    is_same(talk, "`query` past its deadline", &first, heard)?;
    talk.put_back(&mut case)
}

pub(super) fn query_undone(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_query(talk)?;
    can_undo(call)?;
    let mut case = talk.case(call);
    talk.done(&mut case)?;
    undone(talk, &mut case, "`undo`")?;
    let heard = talk.ask(&mut case, Query);
    is_barred(talk, "`query`", heard)
}

/// The call with a request that is refused.
fn refused(call: &Call) -> Result<Call, Wrong> {
    let name = &call.command.name;
    let Some(refused) = &call.refused else {
        return Err(Wrong::untried(format!("give --refused {name}=JSON with a request that it refuses")));
    };
    Ok(Call { request: refused.clone(), ..call.clone() })
}

/// A case that was refused, and the refusal.
fn turned_down(
    talk: &mut Talk<'_>,
    call: &Call,
    ask: impl Fn(&mut Talk<'_>, &mut Case) -> Option<Heard>,
) -> Result<(Case, Heard), Wrong> {
    let mut case = talk.case(&refused(call)?);
    let heard = ask(talk, &mut case);
    let first = there(talk, "`do`", heard)?;
    match first.status {
        Some(Status::Failed { .. }) => Ok((case, first)),
        _ => Err(Wrong::untried(format!("it answers {} to what --refused says that it refuses", first.shown()))),
    }
}

pub(super) fn remembers_no(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let (mut case, first) = turned_down(talk, call, |talk, case| talk.ask(case, Do))?;
    let heard = talk.redeliver(&mut case, Do);
    is_same(talk, "a redelivered `do`", &first, heard)?;
    // What was refused then could be done now: with the request that it does, it is still the same command.
    case.call.request = call.request.clone();
    let heard = talk.ask_changed(&mut case, Do, "once it could be done", |event| raw(&event));
    is_same(talk, "another attempt, once it could be done,", &first, heard)?;
    let heard = talk.ask_late(&mut case, Do);
    is_same(talk, "`do` past its deadline", &first, heard)?;
    if talk.subject.participant.answers_queries {
        let heard = talk.ask(&mut case, Query);
        is_same(talk, "`query`", &first, heard)?;
    }
    talk.was_undone(&case);
    Ok(())
}

pub(super) fn failed_row_stays(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let (mut case, first) = turned_down(talk, call, done_for_a_moment)?;
    case.call.request = call.request.clone();
    let heard = talk.ask(&mut case, Do);
    is_same(talk, "another attempt, once it could be done,", &first, heard)?;
    talk.was_undone(&case);
    Ok(())
}

pub(super) fn undo_of_no(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_undo(call)?;
    let (mut case, _) = turned_down(talk, call, |talk, case| talk.ask(case, Do))?;
    undone(talk, &mut case, "`undo` of what was refused")?;
    case.call.request = call.request.clone();
    let heard = talk.ask(&mut case, Do);
    is_barred(talk, "`do` behind it", heard)?;
    talk.was_undone(&case);
    Ok(())
}

pub(super) fn one_id_one_command(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut first = talk.case(call);
    talk.done(&mut first)?;
    talk.put_back(&mut first)?;
    let (instance, run) = (first.id.instance.to_string(), first.id.run.0);
    let others = [
        ("another run", run + 1, "probe", 1),
        ("another step", run, "probe[1]", 1),
        ("another round", run, "probe", 2),
    ];
    // As long as ids may be, and the same but for the last character: who cuts them off takes them for one.
    let long = format!("{instance}-{}", "y".repeat(ID_MAX));
    let long: String = long.chars().take(ID_MAX).collect();
    let short = talk.case_of(call, &long, run, "", 1).id.to_text().len();
    let place = "p".repeat(COMMAND_ID_MAX.saturating_sub(short));
    let others = others.map(|(what, run, place, round)| (what, &instance, run, place, round));
    let longs = [1, 2].map(|round| ("an id of 500 bytes", &long, run, place.as_str(), round));
    for (what, instance, run, place, round) in others.into_iter().chain(longs) {
        let mut case = talk.case_of(call, instance, run, place, round);
        let heard = talk.settle(&mut case, Do)?;
        if !matches!(heard.status, Some(Status::Succeeded)) {
            return Err(broken(&format!("`do` of {what}"), &heard));
        }
        talk.put_back(&mut case)?;
    }
    Ok(())
}

pub(super) fn shuffled(talk: &mut Talk<'_>, call: &Call) -> Tried {
    can_undo(call)?;
    let is_asked = talk.subject.participant.answers_queries;
    let mut case = talk.case(call);
    let partitions = talk.places.commands.1.max(1);
    let kinds = [Query, Do, Query, Do, Undo, Query, Do, Query];
    let kinds: Vec<_> = kinds.into_iter().filter(|kind| is_asked || *kind != Query).collect();
    let spread: Vec<_> = (0..).zip(&kinds).map(|(number, kind)| (*kind, number % partitions)).collect();
    let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let keys = talk.send_at_once(&mut case, &format!("{}, in all partitions at once", words.join(" ")), &spread)?;
    let mut done: Option<Heard> = None;
    let mut fits = |key: &Key, heard: &Heard| match (&heard.status, key.1) {
        (Some(Status::Succeeded), Undo) => true,
        (Some(Status::Succeeded), Do | Query) => done.get_or_insert_with(|| heard.clone()).is_same(heard),
        (Some(Status::Failed { code: given, .. }), Do | Query) => given == code::ALREADY_UNDONE,
        (Some(Status::Retry { .. } | Status::Pending), _) | (Some(Status::UnknownCommand), Query) => true,
        (None | Some(Status::Failed { .. } | Status::UnknownCommand), _) => false,
    };
    for (key, heard) in all_of(talk, &keys) {
        let what = format!("`{}` among them", key.1.as_str());
        let heard = there(talk, &what, heard)?;
        if !fits(&key, &heard) {
            return Err(broken(&what, &heard));
        }
    }
    undone(talk, &mut case, "`undo` at the end")?;
    for (key, heard) in finals_of(talk, &keys) {
        if !fits(&key, &heard) {
            return Err(broken(&format!("`{}` among them", key.1.as_str()), &heard));
        }
    }
    let heard = talk.ask(&mut case, if is_asked { Query } else { Do });
    is_barred(talk, if is_asked { "`query` at the end" } else { "`do` at the end" }, heard)?;
    talk.was_undone(&case);
    Ok(())
}

pub(super) fn once_in_the_books(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let before = talk.books()?;
    let is = |talk: &Talk<'_>, wanted: &str, when: &str| {
        let found = talk.books()?;
        if found == wanted {
            return Ok(());
        }
        Err(Wrong::broken(format!("{when} the books show `{found}` and not `{wanted}`")))
    };
    let mut case = talk.case(call);
    talk.done(&mut case)?;
    let done = talk.books()?;
    if done == before {
        return Err(Wrong::untried(format!(
            "what --books prints does not change with {}: `{done}`",
            call.command.name
        )));
    }
    let partitions = talk.places.commands.1.max(1);
    let kinds: Vec<_> = (0..AT_ONCE).map(|number| (Do, number % partitions)).collect();
    let keys = talk.send_at_once(&mut case, &format!("{AT_ONCE} x do at once"), &kinds)?;
    let is_under_way =
        |(_, heard): &(Key, Option<Heard>)| heard.as_ref().is_some_and(|heard| heard.status == Some(Status::Pending));
    // The books are read once nothing is under way any more.
    let under_way: Vec<_> = all_of(talk, &keys).into_iter().filter(is_under_way).map(|(key, _)| key).collect();
    all_of(talk, &under_way);
    is(talk, &done, "after repeats of `do`")?;
    if call.undo.is_some() {
        undone(talk, &mut case, "`undo`")?;
        is(talk, &before, "after `undo`")?;
        talk.ask(&mut case, Undo);
        is(talk, &before, "after another `undo`")?;
        talk.ask(&mut case, Do);
        is(talk, &before, "after a `do` behind the `undo`")?;
    }
    talk.was_undone(&case);
    let mut late = talk.case(call);
    let before = talk.books()?;
    talk.ask_late_once(&mut late, Do);
    is(talk, &before, "after a `do` past its deadline")?;
    if let Some(refused) = &call.refused {
        let mut case = talk.case(&Call { request: Json::clone(refused), ..call.clone() });
        talk.settle(&mut case, Do)?;
        is(talk, &before, "after a `do` that was refused")?;
    }
    talk.put_back(&mut late)
}

//! A journal that somebody cuts past its last checkpoint while its owner lives.

use saga::log::{JOURNAL, REQUESTS};
use saga::runtime::partition::{Fact, Told};

use super::rig::{Rig, running};
use super::saga::start;

/// Three instances that wait for their participant, and some that have ended.
fn busy() -> Rig {
    let mut rig = running(|_| ());
    for id in ["a", "b"] {
        rig.log.put(REQUESTS, Some(0), start(id, "{}", id).into());
        rig.settle();
        (0..4).for_each(|_| rig.work());
    }
    begin(&mut rig, &["x", "y", "z"]);
    assert_eq!(known(&rig), (3, 2));
    rig
}

fn begin(rig: &mut Rig, ids: &[&str]) {
    for id in ids {
        rig.log.put(REQUESTS, Some(0), start(id, "{}", id).into());
    }
    rig.settle();
}

/// Instances that are live, and that ended and are remembered.
fn known(rig: &Rig) -> (usize, usize) {
    let ledger = rig.task.ledger().expect("it runs");
    (ledger.live_count(), ledger.ended_count())
}

/// Deletes all records of the journal. Where it begins then.
fn cut(rig: &mut Rig) -> u64 {
    let end = rig.read(JOURNAL, 0).len() as u64;
    rig.log.expire(JOURNAL, 0, end);
    end
}

/// What was said of it: where the journal began, and where its checkpoint was; `None`: it is whole.
fn said(rig: &Rig) -> Vec<Option<(u64, u64)>> {
    let of = |fact: &Fact| match fact {
        Fact::Overtaken { begins, checkpoint } => Some(Some((*begins, *checkpoint))),
        Fact::Whole { .. } => Some(None),
        _ => None,
    };
    rig.facts.iter().filter_map(of).collect()
}

/// The process dies, and another takes the partition.
fn is_recovered(rig: &mut Rig) {
    let before = known(rig);
    rig.restart(|_| ());
    rig.settle();
    assert_eq!(known(rig), before);
}

/// All sagas are done.
fn completes(rig: &mut Rig) {
    for _ in 0..20 {
        rig.work();
        rig.pass(1_000);
    }
    assert_eq!(known(rig).0, 0);
}

#[test]
fn an_owner_writes_the_state_again_before_it_is_lost() {
    let mut rig = busy();
    let begins = cut(&mut rig);
    // What comes before the owner learns of it stands before the checkpoint.
    begin(&mut rig, &["w"]);
    rig.tell(Told::JournalBegins { at: begins });
    rig.settle();
    // It is whole once a record has its pointer, and not before.
    assert_eq!(said(&rig), [Some((begins, 0))]);
    rig.pass(1_000);
    assert_eq!(said(&rig), [Some((begins, 0)), None]);
    is_recovered(&mut rig);
    completes(&mut rig);
    assert_eq!(said(&rig).len(), 2, "said once");
}

#[test]
fn a_journal_that_begins_at_a_checkpoint_is_left_alone() {
    let mut rig = busy();
    for _ in 0..3 {
        let begins = cut(&mut rig);
        rig.tell(Told::JournalBegins { at: begins });
        rig.settle();
        rig.tell(Told::JournalBegins { at: begins });
        rig.settle();
    }
    assert_eq!(said(&rig).len(), 5, "each once, and of the last not yet that it is whole: {:?}", said(&rig));
    let whole = rig.log.shelf(JOURNAL, 0).unwrap().start;
    for at in [0, 1, whole] {
        rig.tell(Told::JournalBegins { at });
        rig.settle();
    }
    assert_eq!(said(&rig).len(), 5);
    // The pointer of the last record leads there, too, once somebody says it.
    rig.pass(1_000);
    assert_eq!(said(&rig).len(), 6);
    assert_eq!(rig.journal().last().map(|last| (last.body.name(), last.checkpoint)), Some(("mark", whole)));
    is_recovered(&mut rig);
    completes(&mut rig);
}

#[test]
fn a_checkpoint_that_is_cut_while_it_is_written_is_followed_by_another() {
    let mut rig = busy();
    let at = cut(&mut rig);
    rig.tell(Told::JournalBegins { at });
    while rig.kinds().last() != Some(&"snapshot") {
        if let Some(delivery) = rig.log.step() {
            rig.tell(Told::Log(delivery.report));
        }
    }
    let at = cut(&mut rig);
    rig.tell(Told::JournalBegins { at });
    rig.settle();
    assert_eq!(rig.kinds().iter().filter(|kind| **kind == "completed").count(), 2);
    is_recovered(&mut rig);
    completes(&mut rig);
}

//! One round: what is done to the town under a seed, until all sagas have come to their ends, and the audit.

use std::time::{Duration, Instant};

use super::super::broker::Own;
use super::audit::{self, Books, Expected, Names, Standing};
use super::pen::Pen;
use super::stranger::{Litter, echoes, garbage};
use super::town::{PARTITIONS, Town};
use super::witness::Witness;
use crate::booking::Dice;

/// How long sagas may take to come to their ends behind the last fault: retries pause for seconds, and the machine may be
/// busy with other tests.
const PATIENCE: Duration = Duration::from_mins(4);

/// Longer than a member's session: when it goes on, others have its partitions.
const FROZEN: Duration = Duration::from_millis(4_500);

/// How often orchestrators come and go in a flurry, and how often in a row.
const FLURRY_EVERY: Duration = Duration::from_secs(1);
const FLURRIES: u32 = 6;

/// How often a round goes on with what it has had nothing of, and with so many bookings more each time. One is enough on a
/// machine that does nothing else.
const ENCORES: u32 = 20;
const BOOKINGS_AN_ENCORE: u64 = 6;

/// One look at what the log has taken.
const LOOK: Duration = Duration::from_millis(20);

/// How often a person looks whether a saga is stuck.
const ORDERS_EVERY: Duration = Duration::from_secs(2);

/// A fault.
#[derive(Clone, Copy, Debug)]
enum Fault {
    KillOrchestrator,
    FreezeOrchestrator,
    KillService,
    KillBroker,
    PauseBroker,
    Flurry,
    Garbage,
    GarbageAtClaim,
    Cut,
    Echo,
}

/// All faults of a round; the seed says in which order.
const DECK: [(Fault, usize); 10] = [
    (Fault::KillOrchestrator, 3),
    (Fault::FreezeOrchestrator, 2),
    (Fault::KillService, 3),
    (Fault::KillBroker, 1),
    (Fault::PauseBroker, 1),
    (Fault::Flurry, 1),
    (Fault::Garbage, 6),
    (Fault::GarbageAtClaim, 1),
    (Fault::Cut, 3),
    (Fault::Echo, 4),
];

/// What comes of a fault later.
#[derive(Clone, Copy, Debug)]
enum Later {
    Thaw(usize),
    StartOrchestrator(usize),
    StartService(usize),
    ResumeBroker,
    ComeOrGo { left: u32 },
}

struct Storm {
    dice: Dice,
    town: Town,
    names: Names,
    pen: Pen,
    witness: Witness,
    expected: Expected,
    later: Vec<(Instant, Later)>,
    bookings: u64,
    begun: u64,
    cuts: u32,
}

fn names() -> Names {
    let saga = |kind: &str| format!("saga.{kind}");
    Names {
        requests: saga("requests"),
        replies: saga("replies"),
        journal: saga("journal"),
        dead: saga("dead"),
        definitions: saga("definitions"),
        commands: ["ticket", "hotel", "payment"].map(|name| format!("{name}.commands")).to_vec(),
        // Whoever began a saga hears there how it ended; a topic like any other.
        answers: "shop.answers".to_owned(),
    }
}

/// Lives a round.
pub(super) fn round(broker: Own, seed: u64, bookings: u64) {
    let names = names();
    let address = broker.address();
    let town = Town::new(broker, bookings, &names.answers);
    let mut storm = Storm {
        dice: Dice(seed),
        pen: Pen::new(&address, &names.requests, &names.answers),
        witness: Witness::new(&address, &names, PARTITIONS),
        town,
        names,
        expected: Expected::default(),
        later: Vec::new(),
        bookings,
        begun: 0,
        cuts: 0,
    };
    storm.rage();
    storm.settle();
    storm.audit();
}

impl Storm {
    fn rage(&mut self) {
        let mut deck: Vec<Fault> = DECK.iter().flat_map(|(fault, count)| std::iter::repeat_n(*fault, *count)).collect();
        // Something must be there before it can be broken.
        self.book(self.bookings / 8);
        self.wait_until_sagas_run();
        let each = self.bookings.div_ceil(deck.len() as u64 + 1);
        while !deck.is_empty() {
            let fault = deck.swap_remove(self.dice.index(deck.len()));
            let count = self.dice.below(2 * each + 1);
            self.book(count);
            self.pause(300);
            self.strike(fault);
            self.pause(700);
            self.town.check();
        }
        self.book(self.bookings);
        self.wait_for_what_comes_later();
        for _ in 0..ENCORES {
            let Some((_, fault)) = self.missing().first().copied() else { return };
            self.bookings += BOOKINGS_AN_ENCORE;
            self.town.start_all();
            self.book(BOOKINGS_AN_ENCORE / 3);
            self.wait_until_sagas_run();
            self.strike(fault);
            self.book(BOOKINGS_AN_ENCORE);
            self.wait_for_what_comes_later();
            self.town.check();
        }
    }

    /// What the round has had nothing of, each with a fault that may bring it: a calm round shows nothing. How much falls into
    /// the time between two faults depends on the machine.
    fn missing(&self) -> Vec<(&'static str, Fault)> {
        let sums = audit::sums(&self.witness.topics(), &self.names);
        let had = [
            ("completed", sums.completed, Fault::Echo),
            ("compensated", sums.compensated, Fault::Echo),
            ("claims", sums.claims.saturating_sub(2 * PARTITIONS as usize), Fault::KillOrchestrator),
            ("misfits", sums.misfits, Fault::FreezeOrchestrator),
            ("strangers' records", sums.strangers, Fault::Garbage),
            ("checkpoints", sums.checkpoints, Fault::Echo),
            ("rejected", sums.rejected, Fault::Echo),
            ("forwarded", sums.forwarded, Fault::Echo),
            ("cuts", self.cuts as usize, Fault::Cut),
        ];
        had.into_iter().filter(|(_, count, _)| *count == 0).map(|(what, _, fault)| (what, fault)).collect()
    }

    /// Until each partition has had an owner, and a saga more has come to its end.
    fn wait_until_sagas_run(&mut self) {
        let ended = |sums: audit::Sums| sums.completed + sums.compensated;
        let before = ended(audit::sums(&self.witness.topics(), &self.names));
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.pass(LOOK);
            self.town.check();
            let sums = audit::sums(&self.witness.topics(), &self.names);
            if sums.claims >= PARTITIONS as usize && ended(sums) > before {
                return;
            }
            assert!(Instant::now() < deadline, "no saga comes to its end: {sums:?}\n{}", self.town.said());
        }
    }

    fn wait_for_what_comes_later(&mut self) {
        while !self.later.is_empty() {
            self.pass(LOOK);
        }
    }

    /// Lets some time pass, as the seed says.
    fn pause(&mut self, millis: u64) {
        let millis = self.dice.below(millis);
        self.pass(Duration::from_millis(millis));
    }

    /// Lets time pass, in which what is due is done.
    fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            self.pen.poll(LOOK.min(time));
            let now = Instant::now();
            let (due, later): (Vec<_>, Vec<_>) = self.later.drain(..).partition(|(at, _)| *at <= now);
            self.later = later;
            for (_, later) in due {
                self.follow(later);
            }
            if now >= end {
                return;
            }
        }
    }

    fn after(&mut self, time: Duration, later: Later) {
        self.later.push((Instant::now() + time, later));
    }

    fn after_a_while(&mut self, later: Later) {
        let millis = self.dice.below(1_500);
        self.after(Duration::from_millis(millis), later);
    }

    fn follow(&mut self, later: Later) {
        match later {
            Later::Thaw(which) => {
                // It may read them before it learns that it owns nothing any more.
                self.book(2);
                self.town.orchestrators[which].signal("CONT");
            }
            Later::StartOrchestrator(which) => self.town.orchestrators[which].start(),
            Later::StartService(which) => self.town.services[which].start(),
            Later::ResumeBroker => self.town.broker.resume(),
            Later::ComeOrGo { left } => {
                let which = self.dice.index(self.town.visitors.len());
                let visitor = &mut self.town.visitors[which];
                match (visitor.runs(), self.dice.below(3)) {
                    (false, _) => visitor.start(),
                    (true, 0) => visitor.kill(),
                    (true, _) => visitor.end(),
                }
                if left > 0 {
                    self.after(FLURRY_EVERY, Later::ComeOrGo { left: left - 1 });
                }
            }
        }
    }

    /// Asks for so many bookings more, as far as there are any left.
    fn book(&mut self, count: u64) {
        for _ in 0..count.min(self.bookings - self.begun) {
            let number = self.begun;
            self.begun += 1;
            let saga = if self.dice.below(2) == 0 { "booking" } else { "trip" };
            let id = format!("{saga}-{number}");
            // Ben has no account.
            let traveller = if number % 5 == 4 { "ben" } else { "ana" };
            let input =
                format!(r#"{{"traveller":"{traveller}","flight":"KE905","hotel":"Lux","nights":2,"amount":"840.00"}}"#);
            let copies = 1 + self.dice.below(4) / 3;
            for _ in 0..copies {
                self.pen.ask(&id, "start", saga, &input);
            }
            if self.dice.below(12) == 0 {
                self.pen.ask(&id, "cancel", saga, "{}");
            }
        }
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::KillOrchestrator => {
                let which = self.dice.index(self.town.orchestrators.len());
                self.town.orchestrators[which].kill();
                self.after_a_while(Later::StartOrchestrator(which));
            }
            Fault::FreezeOrchestrator => {
                let which = self.dice.index(self.town.orchestrators.len());
                // Whatever it has in hand now, it appends when others have its partitions.
                self.book(4);
                self.pause(60);
                self.town.orchestrators[which].signal("STOP");
                self.after(FROZEN, Later::Thaw(which));
            }
            Fault::KillService => {
                let which = self.dice.index(self.town.services.len());
                self.town.services[which].kill();
                self.after_a_while(Later::StartService(which));
            }
            Fault::KillBroker => {
                // One that is dead does not go on where it stood still.
                self.later.retain(|(_, later)| !matches!(later, Later::ResumeBroker));
                self.town.broker.kill();
                self.pause(1_000);
                self.town.broker.restart();
            }
            Fault::PauseBroker => {
                self.town.broker.pause();
                self.after_a_while(Later::ResumeBroker);
            }
            Fault::Flurry => self.after(FLURRY_EVERY, Later::ComeOrGo { left: FLURRIES }),
            Fault::Garbage => self.litter_all(),
            Fault::GarbageAtClaim => self.litter_at_claim(),
            Fault::Cut => self.cut(),
            Fault::Echo => {
                let all = echoes(&mut self.dice, &self.witness.topics(), &self.names);
                self.litter(&all);
            }
        }
    }

    fn litter(&mut self, all: &[Litter]) {
        for litter in all {
            self.pen.litter(litter);
        }
    }

    /// Something for every topic.
    fn litter_all(&mut self) {
        let topics: Vec<String> =
            self.names.all().filter(|name| *name != self.names.answers).map(str::to_owned).collect();
        let mut all = Vec::new();
        for topic in topics {
            for _ in 0..=self.dice.below(3) {
                all.push(garbage(&mut self.dice, &self.witness.topics(), &self.names, &topic));
            }
        }
        self.litter(&all);
    }

    /// All orchestrators are gone, and when they come again garbage is the last thing in each journal.
    fn litter_at_claim(&mut self) {
        self.town.orchestrators.iter_mut().chain(&mut self.town.visitors).for_each(super::town::Process::kill);
        let journal = self.names.journal.clone();
        let mut all = Vec::new();
        for partition in 0..PARTITIONS {
            for _ in 0..=self.dice.below(3) {
                let piece = garbage(&mut self.dice, &self.witness.topics(), &self.names, &journal);
                all.push(Litter { partition, message: super::stranger::no_record(piece.message), ..piece });
            }
        }
        self.litter(&all);
        self.town.broker.resume();
        self.pen.flush();
        for which in 0..self.town.orchestrators.len() {
            self.after_a_while(Later::StartOrchestrator(which));
        }
    }

    /// Cuts each journal at its last complete checkpoint: as far as its owner would.
    fn cut(&mut self) {
        self.town.broker.resume();
        for partition in 0..PARTITIONS {
            let before = audit::cut(&self.witness.topics(), &self.names, partition);
            if let Some(before) = before {
                self.cuts += u32::from(self.pen.cut(&self.names.journal, partition, before));
            }
        }
    }

    /// Lets everybody work until all sagas have ended. A person has a look at what is stuck.
    fn settle(&mut self) {
        self.town.start_all();
        self.pen.flush();
        self.expected.accepted = self.pen.accepted();
        self.expected.asked = self.expected.accepted.clone();
        let deadline = Instant::now() + PATIENCE;
        let mut orders = Instant::now();
        loop {
            self.pass(LOOK);
            self.town.check();
            let topics = self.witness.topics();
            let Standing { open, stuck } = audit::standing(&topics, &self.names, &self.expected);
            let under_way = audit::under_way(&topics, &self.names);
            drop(topics);
            // In this order: what the log had when all was quiet is there to be audited. The other way round, a record
            // says "sent" of an answer that the witness, which reads partition by partition, has not come to.
            if open.is_empty() && under_way.is_empty() && self.witness.has_all() {
                return;
            }
            if orders <= Instant::now() {
                orders = Instant::now() + ORDERS_EVERY;
                for id in stuck {
                    self.pen.ask(&id, "retry", "", "{}");
                }
            }
            assert!(
                Instant::now() < deadline,
                "these sagas do not end: {open:?}\nunder way: {under_way:?}\n{}",
                self.town.said()
            );
        }
    }

    fn audit(&mut self) {
        let books = Books::read(self.town.folder.path());
        let topics = self.witness.topics().clone();
        let (sums, faults) = audit::audit(&topics, &self.names, &self.expected, &books);
        eprintln!("{sums:?}, {} cuts", self.cuts);
        assert!(faults.is_empty(), "{faults}\n{}", self.town.said());
        let missing: Vec<&str> = self.missing().into_iter().map(|(what, _)| what).collect();
        assert!(missing.is_empty(), "there was nothing of {missing:?}: {sums:?}");
        assert_eq!(self.expected.accepted.len() as u64, self.bookings, "the log has taken all starts");
    }
}

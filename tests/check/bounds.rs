//! How long a saga takes to each of its ends at most, and how many messages: close for small sagas, and held by every life of
//! random ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use saga::check::{self, Bound, Completed, until_stuck, worst};
use saga::definition::{Called, Participant, Saga};
use saga::engine::{
    self, Acknowledged, Command, CommandKind, Decision, Direction, Effect, Input, Instance, InstanceId, Order,
    OrderRequest, Phase, Place, Reply, ReplyKind, RequestId, Run, Start, State, Status, Undeliverable, Wait,
};
use saga::json::Json;
use saga::model::scenario::stuck;
use saga::plan::{Class, Plan};
use saga::time::Timestamp;

use super::outcomes::{TAKE, saga};
use crate::engine::{drawn, shapes};

/// Elements with which lists count here: as many as the random sagas' have.
const ELEMENTS: u16 = 3;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn completed(body: &str) -> Option<(u64, u64, u64)> {
    let all = worst(&saga(body), ELEMENTS).completed;
    all.map(|Completed { bound, least }| (bound.time.as_secs(), least, bound.messages))
}

/// `code: seconds, messages`, of each.
fn compensated(body: &str) -> Vec<String> {
    let all = worst(&saga(body), ELEMENTS).compensated;
    all.iter().map(|(code, bound)| format!("{code}: {}, {}", bound.time.as_secs(), bound.messages)).collect()
}

fn to_stuck(body: &str, step: &str, undo: bool) -> Option<(u64, u64)> {
    until_stuck(&saga(body), ELEMENTS, step, undo).map(|bound| (bound.time.as_secs(), bound.messages))
}

// A take is 3 attempts of 10 s and 2 pauses of up to 6 s: 42 s, 6 messages. To take it back, 2 attempts of 1 s and a pause of up
// to 6 s: 8 s, 4 messages.

#[test]
fn a_refusal_takes_nothing_of_its_own_back_and_an_unknown_outcome_does() {
    let body = format!("step take {{ {TAKE} }}");
    assert_eq!(completed(&body), Some((42, 2, 6)));
    assert_eq!(compensated(&body), ["cancelled: 50, 10", "gone: 42, 6", "timeout: 50, 10", "undeclared: 42, 6"]);
    assert_eq!(completed("step take { call shop.Take { n: 1 } within 15s compensate nothing }"), Some((15, 2, 8)));
}

#[test]
fn a_code_counts_from_the_last_place_where_it_can_come_about() {
    let body = format!(
        "step one {{ {TAKE} }} when input.b {{ fail \"no\" }} step two {{ {TAKE} }} pivot step charge {{ call bank.Charge \
         {{ n: 1 }} timeout 10s retry 2 times every 5s..5s }}"
    );
    // The bank is asked what became of each attempt: 6 waits of 10 s and 2 pauses of up to 6 s, 12 messages.
    let both = 2 * 42 + 2 * 8;
    assert_eq!(completed(&body), Some((2 * 42 + 72, 6, 24)));
    assert_eq!(
        compensated(&body),
        [
            format!("cancelled: {both}, 20"),
            format!("declined: {}, 32", both + 72),
            format!("gone: {}, 16", 42 + 42 + 8),
            format!("no: {}, 10", 42 + 8),
            format!("timeout: {both}, 20"),
            format!("undeclared: {}, 32", both + 72),
        ]
    );
}

#[test]
fn where_it_is_stuck_counts_until_then() {
    let body = format!("step one {{ {TAKE} }} step two {{ {TAKE} }} pivot step three {{ call shop.Take {{ n: 1 }} }}");
    // The third is 4 attempts of 10 s with pauses of 200, 400 and 800 ms, each longer by up to a fifth; refused at last, the second
    // is taken back first.
    assert_eq!(to_stuck(&body, "two", true), Some((42 + 42 + 41 + 8, 6 + 6 + 8 + 4)));
    assert_eq!(to_stuck(&body, "one", true), Some((42 + 42 + 41 + 8 + 8, 6 + 6 + 8 + 4 + 4)));
    let behind = format!(
        "step one {{ {TAKE} }} pivot step note {{ call bank.Charge {{ n: 1 }} }} step two {{ call bank.Note }}"
    );
    // The bank is asked what became of each of the 4 attempts.
    assert_eq!(to_stuck(&behind, "one", true), Some((42 + 81 + 8, 6 + 16 + 4)));
    assert_eq!(to_stuck(&behind, "two", false), Some((42 + 2 * 81 + 1, 6 + 16 + 16)));
    assert_eq!(to_stuck(&body, "four", false), None);
    // Past its retries a point of no return is called once more behind the longest pause: it is shown as stuck then.
    let pivot = "pivot step charge { call bank.Charge { n: 1 } timeout 10s retry 2 times every 5s..5s }";
    assert_eq!(to_stuck(pivot, "charge", false), Some((72 + 6, 14)));
}

#[test]
fn a_try_costs_its_body_what_takes_it_back_and_a_handler() {
    let body = format!("try {{ step take {{ {TAKE} }} }} catch {{ sleep 1h }}");
    assert_eq!(completed(&body), Some((42 + 8 + 3600, 2, 6 + 4)));
    assert_eq!(compensated(&body), [format!("cancelled: {}, 10", 42 + 8 + 3600)]);
    let picky = format!("try {{ step take {{ {TAKE} }} }} catch \"gone\" {{ sleep 1h }}");
    assert_eq!(completed(&picky), Some((42 + 3600, 2, 6)));
    assert_eq!(
        compensated(&picky),
        [format!("cancelled: {}, 10", 42 + 3600), "timeout: 50, 10".to_owned(), "undeclared: 42, 6".to_owned()]
    );
    // What is in flight when the time is over has its timeout yet.
    let timed = format!("try within 5s {{ step take {{ {TAKE} }} }} catch {{ }}");
    assert_eq!(completed(&timed), Some((5 + 10 + 8, 0, 10)));
    let behind = format!("pivot\ntry {{ step take {{ {TAKE} }} }} catch {{ }}");
    assert_eq!(completed(&behind), Some((42 + 8, 2, 10)));
    assert_eq!(compensated(&behind), ["cancelled: 0, 0"]);
    assert_eq!(to_stuck(&behind, "take", true), Some((42 + 8, 10)));
}

#[test]
fn what_is_under_way_in_a_try_is_taken_back_before_what_stands_beside_it() {
    let body = format!("parallel {{ try {{ step one {{ {TAKE} }} sleep 1h }} catch {{ }} step two {{ {TAKE} }} }}");
    // The second fails while the first is done and its `try` is not: 42 s, 8 s for the one and 8 s for the other.
    assert_eq!(compensated(&body)[2], "timeout: 58, 20");
}

#[test]
fn a_try_that_is_taken_back_already_is_so_before_what_stands_around_it() {
    let undo = "compensate shop.Give {} timeout 1s retry 1 times every 5s..5s";
    assert_eq!(compensated(&format!("try {{ step one {{ {undo} }} fail \"no\" }} catch {{ }}")), ["cancelled: 8, 4"]);
}

#[test]
fn a_sub_saga_at_its_own_point_of_no_return_finds_out_what_became_of_that() {
    let charge = "call bank.Charge { n: 1 } timeout 10s retry 2 times every 5s..5s";
    let pay =
        format!("saga pay {{ step before {{ {TAKE} }} pivot step charge {{ {charge} }} step note {{ {charge} }} }}");
    let pay = pay.replace("step note { call bank.Charge { n: 1 }", "step note { call bank.Note");
    let undo = "compensate shop.Give {} timeout 1s retry 1 times every 5s..5s";
    let body = format!("deadline 50s step paid {{ run pay {undo} }} }} {pay} saga last {{ sleep 1s");
    let all = compensated(&body);
    // At 50 s it is asked for 72 s yet at most what became of the charge, by 114 s if it began behind 42 s; then all of it is taken
    // back at once. 6, 12 and 12 messages.
    let most = 6 + 12 + 12 + 4;
    assert_eq!(
        (all[1].as_str(), all[0].as_str()),
        (&*format!("deadline: 130, {most}"), &*format!("cancelled: 122, {most}"))
    );
    assert_eq!(completed(&body), Some((50, 6, 30)));
    // It is shown as stuck behind one more attempt, and no deadline keeps it from that.
    assert_eq!(to_stuck(&body, "paid.charge", false), Some((42 + 72 + 6, 6 + 12 + 2)));
    // What stands behind it is not begun any more.
    assert_eq!(to_stuck(&body, "paid.note", false), Some((50, 6 + 12 + 12)));
}

#[test]
fn a_message_is_one_and_an_answer_is_not_awaited() {
    assert_eq!(completed("step note { send shop.Note { n: 1 } compensate nothing }"), Some((0, 1, 1)));
}

#[test]
fn a_signal_comes_at_the_last_moment_or_not_at_all() {
    let body = format!("signal go {{ }} await go within 1h otherwise {{ step take {{ {TAKE} }} }}");
    assert_eq!(completed(&body), Some((3600 + 42, 0, 6)));
}

#[test]
fn a_participant_that_answers_queries_is_asked_between_the_attempts() {
    let timing = "timeout 10s retry 2 times every 5s..5s";
    assert_eq!(
        completed(&format!("step charge {{ call bank.Charge {{ n: 1 }} {timing} compensate nothing }}")),
        Some((72, 2, 12))
    );
    // A pivot step goes on past its `within`; this is when it is shown as stuck.
    let pivot = format!("pivot step charge {{ call bank.Charge {{ n: 1 }} {timing} within 20s }}");
    assert_eq!(completed(&pivot), Some((72, 2, 12)));
    assert_eq!(compensated(&pivot), ["cancelled: 0, 0", "declined: 72, 12", "undeclared: 72, 12"]);
}

#[test]
fn what_goes_on_at_once_takes_the_longest_and_what_is_chosen_the_worst() {
    let all = |word: &str| format!("{word} {{ step one {{ {TAKE} }} step two {{ {TAKE} }} }}");
    assert_eq!((completed(&all("parallel")), completed(&all("sequence"))), (Some((42, 4, 12)), Some((84, 4, 12))));
    assert_eq!(compensated(&all("parallel"))[2], "timeout: 50, 20");
    assert_eq!(compensated(&all("sequence"))[2], "timeout: 100, 20");
    // A refusal counts when it comes; what is under way has its timeout, and no more than it needs.
    assert_eq!(compensated(&all("parallel"))[1], "gone: 50, 16");
    let chosen = format!("when input.b {{ step one {{ {TAKE} }} }} otherwise {{ sleep 1h }}");
    assert_eq!(completed(&chosen), Some((3600, 0, 6)));
}

#[test]
fn each_element_and_each_round_counts() {
    let each = format!("for each one in input.list {{ step take {{ {TAKE} }} }}");
    assert_eq!(completed(&each), Some((3 * 42, 0, 18)));
    assert_eq!(compensated(&each)[3], format!("timeout: {}, 30", 3 * 42 + 3 * 8));
    let window = format!("for each one in input.list, at most 2 at once {{ step take {{ {TAKE} }} }}");
    assert_eq!(compensated(&window)[3], format!("timeout: {}, 30", 2 * 42 + 8));
    let rounds =
        format!("repeat at most 5 times {{ step take {{ {TAKE} }} }} until input.b otherwise {{ fail \"no\" }}");
    assert_eq!(completed(&rounds), Some((5 * 42, 2, 30)));
    assert_eq!(compensated(&rounds)[2], format!("no: {}, 50", 5 * 50));
}

/// A list that stands in the text has no other number of elements.
#[test]
fn a_list_of_the_text_counts_with_its_elements() {
    let each = |filter: &str| format!("for each one in [1, 2] {filter} {{ step take {{ {TAKE} }} }}");
    assert_eq!(completed(&each("")), Some((2 * 42, 4, 12)));
    assert_eq!(compensated(&each(""))[2], format!("timeout: {}, 20", 2 * 42 + 2 * 8));
    assert_eq!(completed(&each("where one == 1")), Some((2 * 42, 0, 12)));
    assert_eq!(completed(&each(", at most 2 at once")), Some((42, 4, 12)));
    let all = worst(&saga(&each("")), ELEMENTS);
    assert!(all.lists.is_empty(), "{:?}", all.lists);
    let either = each("").replace("[1, 2]", "(if input.b then [1] else [1, 2])");
    assert_eq!(completed(&either), Some((2 * 42, 2, 12)));
    let named = format!("let all = [1, 2] let same = all for each one in same {{ step take {{ {TAKE} }} }}");
    assert_eq!(completed(&named), completed(&each("")));
    let nested = format!("for each one in [1, 2] {{ for each two in [3, 4, 5, 6] {{ step take {{ {TAKE} }} }} }}");
    assert_eq!(completed(&nested), Some((8 * 42, 16, 48)));
    assert_eq!(to_stuck(&nested, "take", true), Some((8 * 42 + 8 * 8, 8 * 6 + 8 * 4)));
}

/// To a handler leads what fails, and what that took counts.
#[test]
fn the_least_of_a_try_is_what_leads_to_its_handler() {
    let least = |body: &str| completed(body).map(|(_, least, _)| least);
    let [take, more, third] = ["take", "more", "third"].map(|name| format!("step {name} {{ {TAKE} }}"));
    assert_eq!(least(&format!("try {{ {take} }} catch {{ }}")), Some(2), "a call and its refusal");
    assert_eq!(least(&format!("try {{ {take} {more} }} catch {{ }}")), Some(2));
    assert_eq!(least(&format!("try {{ fail \"no\" }} catch {{ {take} }}")), Some(2));
    assert_eq!(least(&format!("try {{ {take} fail \"no\" }} catch \"no\" {{ }} catch {{ sleep 1s }}")), Some(2));
    let late = format!("try {{ {take} when input.b {{ fail \"no\" }} {more} }} catch \"no\" {{ }}");
    assert_eq!(least(&late), Some(2), "the first, and then it fails by itself");
    // A step that nobody answers has its attempts at least.
    let silent = format!("try {{ {take} {more} {third} }} catch \"timeout\" {{ }}");
    assert_eq!(least(&silent), Some(3));
    let both = format!("try {{ parallel {{ {take} {more} }} }} catch {{ }} {third}");
    assert_eq!(least(&both), Some(2 + 2));
    assert_eq!(least(&format!("try within 5s {{ {take} }} catch {{ }}")), Some(0), "the time may be over at once");
}

#[test]
fn a_branch_that_fails_completes_nothing() {
    assert_eq!(completed("fail \"no\""), None);
    let body = format!("when input.b {{ fail \"no\" }} step take {{ {TAKE} }}");
    assert_eq!((completed(&body), compensated(&body)[2].as_str()), (Some((42, 2, 6)), "no: 0, 0"));
}

#[test]
fn the_deadline_bounds_what_comes_before_the_point_of_no_return_and_nothing_else() {
    let body = format!("deadline 30s step take {{ {TAKE} }} pivot sleep 1h");
    assert_eq!(completed(&body), Some((30 + 3600, 2, 6)));
    // The attempt that is under way at 30 s has its 10 s yet, and the compensation its 8 s.
    assert_eq!(
        compensated(&body),
        ["cancelled: 48, 10", "deadline: 48, 10", "gone: 30, 6", "timeout: 38, 10", "undeclared: 30, 6"]
    );
}

#[test]
fn waits_that_depend_on_data_are_named() {
    let all = worst(&saga("sleep 1h sleep input.d sleep until input.at"), ELEMENTS);
    assert_eq!((all.completed.unwrap().bound.time, all.waits.len()), (seconds(3600), 2));
}

#[test]
fn an_end_that_waits_for_a_point_of_no_return_says_so() {
    let pivot = "pivot step charge { call bank.Charge { n: 1 } timeout 1s retry 1 times every 1s..1s }";
    let body = format!("deadline 1h step take {{ {TAKE} }} {pivot} step note {{ call bank.Note }}");
    let all = worst(&saga(&body), ELEMENTS);
    assert!(all.completed.unwrap().bound.awaits_pivot);
    let awaiting: Vec<_> =
        all.compensated.iter().filter(|(_, bound)| bound.awaits_pivot).map(|(code, _)| &**code).collect();
    assert_eq!(awaiting, ["declined", "undeclared"]);
    assert_eq!(all.pivots.iter().collect::<Vec<_>>(), ["charge"]);
    let awaits = |step, undo| until_stuck(&saga(&body), ELEMENTS, step, undo).unwrap().awaits_pivot;
    assert_eq!([awaits("charge", false), awaits("note", false), awaits("take", true)], [false, true, true]);
    // A bare one waits for nobody, and a message for no answer.
    for pivot in ["pivot", "pivot step charge { send shop.Note { n: 1 } }"] {
        let all = worst(&saga(&format!("step take {{ {TAKE} }} {pivot}")), ELEMENTS);
        assert!(!all.completed.unwrap().bound.awaits_pivot && all.pivots.is_empty(), "{pivot}");
    }
}

#[test]
fn what_strikes_a_sub_saga_at_its_own_point_of_no_return_waits_for_that() {
    let undo = "compensate shop.Give {} timeout 1s retry 1 times every 5s..5s";
    let body = format!(
        "deadline 50s step take {{ {TAKE} }} step paid {{ run pay {undo} }} }} saga pay {{ pivot step charge {{ call bank.Charge {{ \
         n: 1 }} }} }} saga last {{ sleep 1s"
    );
    let all = worst(&saga(&body), ELEMENTS);
    let awaiting: Vec<_> =
        all.compensated.iter().filter(|(_, bound)| bound.awaits_pivot).map(|(code, _)| &**code).collect();
    assert_eq!(awaiting, ["cancelled", "deadline", "declined", "undeclared"]);
}

/// The example of the README.
#[test]
fn the_bounds_of_a_booking() {
    let text = include_str!("../../workflows/booking.saga");
    let checked = check::check_text("booking.saga", text);
    let saga = &checked.program.sagas["booking"];
    let all = worst(saga, ELEMENTS);
    let shown = |bound: Bound| format!("{} ms, {} messages", bound.time.as_millis(), bound.messages);
    let mut lines: Vec<String> =
        all.compensated.iter().map(|(code, bound)| format!("{code}: {}", shown(*bound))).collect();
    lines.push(format!("completed: {}", shown(all.completed.unwrap().bound)));
    for (step, undo) in [("reserve_ticket", true), ("reserve_room", true), ("charge", false), ("confirm_room", false)] {
        lines.push(format!("stuck {step}: {}", shown(until_stuck(saga, ELEMENTS, step, undo).unwrap())));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// One life in virtual time.
struct Life {
    plan: Plan,
    instance: Instance,
    now: Timestamp,
    coming: BTreeMap<(Timestamp, u32), Input>,
    choices: std::vec::IntoIter<u8>,
    count: u32,
    messages: u64,
    /// Points of no return that were called beyond their retries: where, when the first time, and with how many messages.
    beyond: BTreeMap<Place, (Timestamp, u64)>,
    /// So many attempts at points of no return stay without an answer.
    deaf: u32,
}

const START: Timestamp = Timestamp(1_000_000);

/// Shortly before an attempt is given up.
const LATE: Duration = Duration::from_millis(4_999);

impl Life {
    fn new(plan: Plan, choices: Vec<u8>) -> Self {
        let instance = Instance::new(InstanceId::try_from("life").unwrap(), Run(START.0), &plan);
        let (coming, choices) = (BTreeMap::new(), choices.into_iter());
        Self { plan, instance, now: START, coming, choices, count: 0, messages: 0, beyond: BTreeMap::new(), deaf: 0 }
    }

    fn comes(&mut self, after: Duration, input: Input) {
        self.count += 1;
        self.coming.insert((self.now.after(after), self.count), input);
    }

    fn order(&mut self, after: u16, order: Order) {
        let request = RequestId::try_from(format!("order {}", self.count).as_str()).unwrap();
        let input = Input::Order(OrderRequest { request, order, by: None, reason: None });
        self.comes(Duration::from_millis(u64::from(after) * 10), input);
    }

    /// What it waits at for a person. A point of no return that is called beyond its retries goes on by itself.
    fn waits(&mut self) -> Vec<Called> {
        let mut waits = stuck(&self.plan, &self.instance);
        waits.retain(|at| {
            let state = self.plan.find(&at.step).and_then(|node| self.instance.state(node));
            let goes_on = matches!(state, Some(State::Doing(attempt)) if !matches!(attempt.wait, Wait::Person(_)));
            if goes_on {
                self.beyond.entry(at.step.clone()).or_insert((self.now, self.messages));
            }
            !goes_on
        });
        waits
    }

    /// To its end, or until somebody is needed.
    fn live(&mut self) {
        while !self.instance.has_ended() && self.waits().is_empty() {
            let due = self.instance.next_due(&self.plan);
            let next = self.coming.first_key_value().map(|((at, _), _)| *at);
            let input = match (next, due) {
                (Some(at), due) if due.is_none_or(|due| at < due) => {
                    self.now = at;
                    self.coming.pop_first().unwrap().1
                }
                (_, Some(due)) => {
                    self.now = self.now.max(due);
                    Input::Due
                }
                (_, None) => panic!("it waits for nothing: {:?}", self.instance),
            };
            self.tell(&input);
        }
    }

    fn tell(&mut self, input: &Input) {
        let mut takes = |_: &Place, _: &Participant| true;
        let Decision::Change(change, next) = engine::decide(&self.plan, &self.instance, self.now, input, &mut takes)
        else {
            return;
        };
        self.instance = next;
        for effect in engine::caused(&self.plan, &self.instance, &change) {
            if let Effect::Command(command) = effect {
                self.ask(&command);
            }
        }
    }

    fn ask(&mut self, command: &Command) {
        let mood = self.choices.next().unwrap_or(2) % 16;
        let (id, attempt) = (command.id.clone(), command.attempt);
        let kind = match command.kind {
            CommandKind::Message => {
                self.messages += 1;
                let input = match mood {
                    0 => Input::Undeliverable(Undeliverable { command: id, attempt, why: "too large".into() }),
                    _ => Input::Acknowledged(Acknowledged { command: id, attempt }),
                };
                return self.comes(Duration::ZERO, input);
            }
            CommandKind::Do => ReplyKind::Do,
            CommandKind::Undo => ReplyKind::Undo,
            CommandKind::Query => ReplyKind::Query,
        };
        self.messages += 2;
        let work = self.plan.find(&command.place).and_then(|at| self.plan.work(at.node()));
        if self.deaf > 0 && work.is_some_and(|work| matches!(work.class, Class::Pivot | Class::InnerPivot)) {
            self.deaf -= 1;
            return;
        }
        let failed = |code: &str| Status::Failed { code: code.into(), message: None };
        let forward = command.work == Direction::Do;
        let (after, status) = match mood {
            0..=1 => (Duration::ZERO, Status::Succeeded),
            2..=5 => (LATE, Status::Succeeded),
            6..=7 if forward => (LATE, failed(shapes::CODE)),
            8 if forward => (LATE, failed("unheard_of")),
            9 if forward => (Duration::ZERO, failed(shapes::CODE)),
            10 => (LATE, Status::Retry { code: None }),
            _ => return,
        };
        let payload = Some(Json::parse(r#"{"ok":true}"#).unwrap());
        self.comes(after, Input::Reply(Reply { command: id, kind, attempt, status, payload }));
    }
}

/// `BOUNDS_CASES` for a longer search.
fn cases() -> u32 {
    std::env::var("BOUNDS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn no_life_takes_longer_or_more_messages_than_is_said_of_its_end(
        mut shape in drawn::saga(),
        flags in 0u8..16,
        large in prop::bool::weighted(0.2),
        choices in prop::collection::vec(any::<u8>(), 0..80),
        cancel in prop::option::weighted(0.3, 0u16..12_000),
        signals in prop::collection::vec((0u16..6_000, any::<bool>()), 0..3),
        deaf in prop::option::weighted(0.3, 1u32..100),
    ) {
        // The wait for a turn comes on top.
        shape.limits.clear();
        let plan = shapes::plan(&shape);
        let saga: Arc<Saga> = Arc::clone(&plan.saga);
        let mut life = Life { deaf: deaf.unwrap_or_default(), ..Life::new(plan, choices) };
        life.tell(&Input::Start(Start { input: Json::parse(shapes::input(flags, large)).unwrap(), reply_to: None, traceparent: None }));
        for (after, go) in signals {
            let with = Some(Json::parse(format!(r#"{{"go":{go}}}"#)).unwrap());
            life.order(after, Order::Signal { signal: shapes::SIGNAL.into(), with });
        }
        if let Some(after) = cancel {
            life.order(after, Order::Cancel);
        }
        life.live();
        let all = worst(&saga, ELEMENTS);
        let stuck_at = |step: &Place, undo| {
            let step = step.split_inclusive(']').map(|part| part.split('[').next().unwrap()).collect::<String>();
            (format!("stuck {step} {undo}"), until_stuck(&saga, ELEMENTS, &step, undo))
        };
        let ends: Vec<(String, Option<Bound>)> = match &life.instance.phase {
            Phase::Completed(_) => vec![("completed".to_owned(), all.completed.map(|completed| completed.bound))],
            Phase::Compensated(failure) => {
                vec![(failure.code.to_string(), all.compensated.get(&failure.code).copied())]
            }
            // What cannot be computed behind the point of no return is refused by the checks.
            _ => life.waits().iter().map(|at| stuck_at(&at.step, at.undo)).filter(|(_, bound)| bound.is_some() || !large).collect(),
        };
        let all_beyond = life.beyond.clone();
        let at_the_end = ends.into_iter().map(|(end, bound)| (end, bound, (life.now, life.messages), None));
        let beyond = all_beyond.iter().map(|(step, then)| {
            let (end, bound) = stuck_at(step, false);
            (end, bound, *then, Some(step))
        });
        for (end, bound, (at, messages), itself) in at_the_end.chain(beyond) {
            let Some(bound) = bound else { panic!("{end}: no bound") };
            // What waits for a point of no return has no bound once that is beyond its retries. All else has.
            let before = |(step, (then, _)): (&Place, &(Timestamp, u64))| itself != Some(step) && *then <= at;
            if bound.awaits_pivot && all_beyond.iter().any(before) {
                continue;
            }
            let passed = at.since(START);
            prop_assert!(passed <= bound.time, "{end}: {passed:?}, and not {:?}", bound.time);
            prop_assert!(messages <= bound.messages, "{end}: {messages} messages, and not {}", bound.messages);
        }
    }
}

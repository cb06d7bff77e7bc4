//! Every row of the table of `saga check` has a scenario in the shipped workflows: an end that nobody has tried is a guess.

use saga::check::{Cause, outcomes};
use saga::definition::{Answer, ExpectKind, HappeningKind, Program, Saga, Scenario};
use saga::model::world::names;

use super::workflows::{WORKFLOWS, shelf};

/// Ends that no scenario can come to, each with what keeps it from that. One that has a scenario after all must go.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("*", "undeclared", "the participants of scenarios keep their contracts"),
    (
        "booking_in_order.saga: booking",
        "deadline",
        "4 minutes are the longest with participants that are merely silent",
    ),
    ("claim.saga: claim", "deadline", "10 days are the longest: 30 are for orchestrators that are away"),
    ("subscription.saga: subscription", "deadline", "7 days are the longest: 8 are for orchestrators that are away"),
    ("transfer.saga: transfer", "deadline", "25 hours are the longest: 3 days are for orchestrators that are away"),
    ("travel.saga: travel", "deadline", "10 minutes are the longest with participants that are merely silent"),
    ("number_porting.saga: port_in", "invalid", "between two instants that can be written lies no duration too long"),
];

fn is_excepted(saga: &str, code: &str) -> bool {
    EXCEPTIONS.iter().any(|(of, excepted, _)| (*of == "*" || *of == saga) && *excepted == code)
}

fn scenarios<'p>(program: &'p Program, saga: &Saga) -> Vec<&'p Scenario> {
    program.scenarios.iter().filter(|scenario| scenario.saga == saga.name).collect()
}

fn expects(scenario: &Scenario, is_it: impl Fn(&ExpectKind) -> bool) -> bool {
    scenario.expects.iter().any(|expect| is_it(&expect.kind))
}

fn expects_code(scenario: &Scenario, code: &str) -> bool {
    expects(scenario, |kind| matches!(kind, ExpectKind::Compensated(Some(expected)) if expected == code))
}

/// Whether the step's command is refused with this code.
fn is_refused(scenario: &Scenario, step: &str, code: &str) -> bool {
    scenario.happenings.iter().any(|happening| match &happening.kind {
        HappeningKind::Answer { called, answer: Answer::Fails(Some(refused)), .. } => {
            !called.undo && names(step, &called.step) && refused == code
        }
        HappeningKind::Answer { .. } | HappeningKind::Arrives { .. } | HappeningKind::Cancelled(_) => false,
    })
}

/// The rows of this file's sagas that have no scenario, and the exceptions that have one.
fn gaps(file: &str, program: &Program) -> Vec<String> {
    let mut gaps = Vec::new();
    for saga in program.sagas.values() {
        let (name, scenarios) = (format!("{file}: {}", saga.name), scenarios(program, saga));
        let any = |is_it: &dyn Fn(&Scenario) -> bool| scenarios.iter().any(|scenario| is_it(scenario));
        if !any(&|scenario| expects(scenario, |kind| matches!(kind, ExpectKind::Completed(_)))) {
            gaps.push(format!("{name}: completed"));
        }
        for (code, reasons) in outcomes(saga).iter() {
            let has_scenario = any(&|scenario| expects_code(scenario, code));
            if has_scenario == is_excepted(&name, code) {
                let which = if has_scenario { ", which is said to be an exception" } else { "" };
                gaps.push(format!("{name}: compensated {code}{which}"));
            }
            for reason in reasons {
                let Cause::Refused(step) = &reason.cause else { continue };
                let is_told = |scenario: &Scenario| {
                    expects_code(scenario, code) && is_refused(scenario, step.name.as_str(), code)
                };
                if !any(&is_told) {
                    gaps.push(format!("{name}: compensated {code}: {} is refused", step.name));
                }
            }
        }
    }
    gaps
}

#[test]
fn every_outcome_of_every_workflow_has_a_scenario() {
    let gaps: Vec<String> = WORKFLOWS.iter().flat_map(|(name, _)| gaps(name, &shelf(name).check().program)).collect();
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
}

#[test]
fn every_workflow_gets_stuck_in_a_scenario() {
    for (name, _) in WORKFLOWS {
        let checked = shelf(name).check();
        let stuck = |scenario: &Scenario| expects(scenario, |kind| matches!(kind, ExpectKind::Stuck(_)));
        assert!(checked.program.sagas.is_empty() || checked.program.scenarios.iter().any(stuck), "{name}");
    }
}

#[test]
fn every_exception_is_of_a_saga_that_is_there() {
    let sagas: Vec<String> = WORKFLOWS
        .iter()
        .flat_map(|(name, _)| {
            shelf(name).check().program.sagas.keys().map(|saga| format!("{name}: {saga}")).collect::<Vec<_>>()
        })
        .collect();
    for (of, code, _) in EXCEPTIONS {
        assert!(*of == "*" || sagas.iter().any(|saga| saga == of), "{of}: {code}");
    }
}

//! Final answers that came behind `pending` and did not fit their contracts.
//!
//! To the engine they count as none: the step is pending as before, so its state does not say that they came. The journal
//! does.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::looking::Knows;
use super::view::{Row, Shown, Standing};
use super::waits::answered_unfit;
use crate::engine::{Event, Instance, Wait};
use crate::journal::record::Body;
use crate::plan::Plan;
use crate::runtime::{self, Error, History};
use crate::time::Timestamp;

/// Into so many pending instances of a list is looked where the log is on other machines.
const LOOKED_MAX: usize = 20;

/// Steps that got such an answer, by their places.
type Unfit = BTreeSet<String>;

/// Whether any of its steps is pending.
pub(super) fn is_pending(instance: &Instance) -> bool {
    instance.active().iter().filter_map(|(_, state)| state.attempt()).any(|(_, attempt)| is_wait(&attempt.wait))
}

const fn is_wait(wait: &Wait) -> bool {
    matches!(wait, Wait::Pending(_))
}

/// The steps that are pending, and whose last word in these records is such an answer.
async fn unfit(mut records: History, until: Option<Timestamp>) -> Result<Unfit, Error> {
    let mut unfit = Unfit::new();
    while let Some(entry) = records.next().await? {
        let Body::Change { change, .. } = &entry.record.body else { continue };
        if until.is_some_and(|until| change.at > until) {
            break;
        }
        for event in &change.events {
            match event {
                Event::Unfit { at, until: None, .. } => drop(unfit.insert(at.to_string())),
                Event::Called { at, .. } | Event::Asked { at, .. } | Event::Pended { at, .. } => {
                    unfit.remove(at.as_str());
                }
                _ => {}
            }
        }
    }
    Ok(unfit)
}

/// Says in what is shown of an instance which of its pending steps got such an answer.
pub(super) async fn noted(
    of: &impl Knows,
    (row, looked): (&runtime::Row, &runtime::Shown),
    shown: &mut Shown,
) -> Result<(), Error> {
    if !is_pending(&looked.instance) {
        return Ok(());
    }
    let unfit = unfit(of.records(row), shown.as_of.map(|as_of| as_of.0)).await?;
    for statement in shown.flow.iter_mut().filter(|statement| statement.state == Some(Standing::Pending)) {
        if unfit.contains(&statement.at) {
            statement.state = Some(Standing::Unfit);
        }
    }
    say(&mut shown.row, (&looked.plan, &looked.instance), &unfit);
    Ok(())
}

/// The same in the rows of a list. Of a log on other machines the last record of an instance is read, and no more.
pub(super) async fn noted_in(of: &impl Knows, looked: &mut [(&runtime::Row, Option<(runtime::Shown, Row)>)]) {
    let is_near = of.is_near();
    let mut reads = JoinSet::new();
    for (index, (row, looked)) in looked.iter().enumerate() {
        let is_pending = looked.as_ref().is_some_and(|(looked, _)| is_pending(&looked.instance));
        if !is_pending || (!is_near && reads.len() >= LOOKED_MAX) {
            continue;
        }
        let from = if is_near { row.first } else { row.last };
        let records = of.records(&runtime::Row { first: from, ..(*row).clone() });
        reads.spawn(async move { (index, unfit(records, None).await) });
    }
    while let Some(read) = reads.join_next().await {
        // What cannot be read says nothing; `saga show` says why.
        let Ok((index, Ok(unfit))) = read else { continue };
        if let Some((_, Some((looked, row)))) = looked.get_mut(index) {
            say(row, (&looked.plan, &looked.instance), &unfit);
        }
    }
}

/// In place of the first pending step that it says something about.
fn say(row: &mut Row, (plan, instance): (&Plan, &Instance), unfit: &Unfit) {
    let found = instance.active().into_iter().find_map(|(at, state)| {
        let (_, attempt) = state.attempt()?;
        let is_told = is_wait(&attempt.wait) && unfit.contains(plan.place(at).as_str());
        if is_told { answered_unfit(plan, at, state) } else { None }
    });
    let Some((before, now)) = found else { return };
    row.why = Some(match row.why.take() {
        Some(why) if why.contains(&before) => why.replacen(&before, &now, 1),
        Some(why) => format!("{why}; {now}"),
        None => now,
    });
}

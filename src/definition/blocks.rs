//! What can be told of statements without knowing more: how deep they are, whether they hold a point of no return.

use super::{Compensation, Statement, StatementKind};

/// The blocks inside a statement; of one that runs a saga, that one's.
#[must_use]
pub fn blocks(statement: &Statement) -> Vec<&[Statement]> {
    match &statement.kind {
        StatementKind::Parallel(inner) | StatementKind::Sequence(inner) => vec![inner],
        StatementKind::When { arms, otherwise } => {
            arms.iter().map(|(_, block)| block.as_slice()).chain([otherwise.as_slice()]).collect()
        }
        StatementKind::Await { otherwise, .. } => vec![otherwise],
        StatementKind::Try(written) => {
            let handlers = written.catches.iter().map(|catch| catch.block.as_slice());
            std::iter::once(written.body.as_slice()).chain(handlers).collect()
        }
        StatementKind::Run(run) => vec![&run.body],
        StatementKind::ForEach(each) => vec![&each.body],
        StatementKind::Repeat(repeat) => vec![&repeat.body, &repeat.otherwise],
        StatementKind::Step(_)
        | StatementKind::Pivot
        | StatementKind::Sleep(_)
        | StatementKind::Let { .. }
        | StatementKind::Fail { .. } => Vec::new(),
    }
}

/// The statements of the saga that takes a step back, if one does.
fn back(statement: &Statement) -> Option<&[Statement]> {
    let step = match &statement.kind {
        StatementKind::Step(step) => step,
        StatementKind::Run(run) => &run.step,
        _ => return None,
    };
    if let Compensation::Run(run) = &step.compensation { Some(&run.body) } else { None }
}

/// Levels of blocks inside each other, those of sagas that take a step back too.
#[must_use]
pub(super) fn depth(statements: &[Statement]) -> usize {
    let inside = statements.iter().flat_map(|statement| blocks(statement).into_iter().chain(back(statement)));
    1 + inside.map(depth).max().unwrap_or_default()
}

/// Loops inside each other, those of sagas that take a step back too.
#[must_use]
pub(super) fn loops(statements: &[Statement]) -> usize {
    let of = |statement: &Statement| match &statement.kind {
        StatementKind::ForEach(each) => 1 + loops(&each.body),
        StatementKind::Repeat(repeat) => (1 + loops(&repeat.body)).max(loops(&repeat.otherwise)),
        _ => blocks(statement).into_iter().chain(back(statement)).map(loops).max().unwrap_or_default(),
    };
    statements.iter().map(of).max().unwrap_or_default()
}

/// Whether a point of no return stands anywhere. That of a sub-saga counts where it is that of the saga around too.
#[must_use]
pub fn has_pivot(statements: &[Statement]) -> bool {
    statements.iter().any(|statement| match &statement.kind {
        StatementKind::Pivot => true,
        StatementKind::Step(step) => step.pivot,
        StatementKind::Run(run) => run.step.pivot,
        _ => blocks(statement).into_iter().any(has_pivot),
    })
}

/// Whether a saga cannot fail: it begins with its point of no return, behind which nothing fails.
#[must_use]
pub fn cannot_fail(statements: &[Statement]) -> bool {
    matches!(statements.first().map(|first| &first.kind), Some(StatementKind::Pivot))
}

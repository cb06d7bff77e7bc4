//! What can be told of statements without knowing more: how deep they are, whether they hold a point of no return.

use super::{Statement, StatementKind};

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

/// Levels of blocks inside each other.
#[must_use]
pub(super) fn depth(statements: &[Statement]) -> usize {
    let inside = statements.iter().flat_map(blocks).map(depth).max();
    1 + inside.unwrap_or_default()
}

/// Loops inside each other.
#[must_use]
pub(super) fn loops(statements: &[Statement]) -> usize {
    let of = |statement: &Statement| match &statement.kind {
        StatementKind::ForEach(each) => 1 + loops(&each.body),
        StatementKind::Repeat(repeat) => (1 + loops(&repeat.body)).max(loops(&repeat.otherwise)),
        _ => blocks(statement).into_iter().map(loops).max().unwrap_or_default(),
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

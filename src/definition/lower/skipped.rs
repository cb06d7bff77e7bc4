//! The names that a saga gives, wherever they stand.

use super::{Lowering, Names};
use crate::source::Span;
use crate::syntax::tree;

impl Lowering<'_> {
    /// Notes every name of the saga, so that one used too early is known from one that is nowhere.
    pub(super) fn collect_names(&mut self, saga: &tree::Saga) {
        let mut names = Vec::new();
        for head in &saga.heads {
            if let tree::Head::Signal(signal) = head {
                names.push(Given::Anew(&signal.name));
            }
        }
        gather_block(&saga.body, &mut names);
        let mut awaited: Names<Span> = Names::default();
        for given in names {
            let name = given.name();
            let known = *self.scope.everywhere.entry(name.text.clone()).or_insert(name.span);
            let first = match given {
                Given::Anew(_) => known,
                Given::BySignal(_) => *awaited.entry(name.text.clone()).or_insert(name.span),
            };
            if first != name.span {
                self.taken("step or value", name, first);
            }
        }
    }
}

/// How a name is given.
#[derive(Clone, Copy)]
enum Given<'t> {
    /// By something that nobody else may be called like.
    Anew(&'t tree::Name),
    /// By an `await` without `as`: its value is called like the signal. A second one needs another name.
    BySignal(&'t tree::Name),
}

impl<'t> Given<'t> {
    const fn name(self) -> &'t tree::Name {
        match self {
            Self::Anew(name) | Self::BySignal(name) => name,
        }
    }
}

fn gather_block<'t>(block: &'t tree::Block, names: &mut Vec<Given<'t>>) {
    for statement in &block.statements {
        gather(statement, names);
    }
}

fn gather<'t>(statement: &'t tree::Statement, names: &mut Vec<Given<'t>>) {
    match &statement.kind {
        tree::StatementKind::Step(step) => names.push(Given::Anew(&step.name)),
        tree::StatementKind::Let(written) => names.push(Given::Anew(&written.name)),
        tree::StatementKind::ForEach(each) => names.push(Given::Anew(&each.element)),
        tree::StatementKind::Await(wait) => {
            names.push(wait.alias.as_ref().map_or(Given::BySignal(&wait.signal), Given::Anew));
        }
        tree::StatementKind::Pivot
        | tree::StatementKind::Sleep(_)
        | tree::StatementKind::Fail(_)
        | tree::StatementKind::Parallel(_)
        | tree::StatementKind::Sequence(_)
        | tree::StatementKind::When(_)
        | tree::StatementKind::Repeat(_)
        | tree::StatementKind::Try(_) => {}
    }
    for block in blocks(statement) {
        gather_block(block, names);
    }
}

/// Calls `visit` with each step, in the order of the text.
pub(super) fn each_step<'t>(block: &'t tree::Block, visit: &mut dyn FnMut(&'t tree::Step)) {
    for statement in &block.statements {
        if let tree::StatementKind::Step(step) = &statement.kind {
            visit(step);
        }
        for block in blocks(statement) {
            each_step(block, visit);
        }
    }
}

/// The blocks of a statement.
fn blocks(statement: &tree::Statement) -> Vec<&tree::Block> {
    match &statement.kind {
        tree::StatementKind::Step(_)
        | tree::StatementKind::Let(_)
        | tree::StatementKind::Pivot
        | tree::StatementKind::Sleep(_)
        | tree::StatementKind::Fail(_) => Vec::new(),
        tree::StatementKind::Parallel(block) | tree::StatementKind::Sequence(block) => vec![block],
        tree::StatementKind::When(when) => when.arms.iter().map(|arm| &arm.block).chain(&when.otherwise).collect(),
        tree::StatementKind::ForEach(each) => vec![&each.block],
        tree::StatementKind::Repeat(repeat) => std::iter::once(&repeat.block).chain(&repeat.otherwise).collect(),
        tree::StatementKind::Try(written) => {
            std::iter::once(&written.block).chain(written.catches.iter().map(|catch| &catch.block)).collect()
        }
        tree::StatementKind::Await(wait) => wait.otherwise.iter().collect(),
    }
}

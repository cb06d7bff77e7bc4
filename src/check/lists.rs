//! Lists behind the point of no return that may have more elements than a loop goes through.

use compact_str::CompactString;

use crate::definition::expression::{BinaryOp, Expr, Function, PathSegment, Read, Root, Typed};
use crate::definition::limits::MAX_ELEMENTS;
use crate::definition::lower::ends_in_fail;
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::definition::{ForEach, Saga, Statement, StatementKind};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::Span;

pub(super) fn check(saga: &Saga, problems: &mut Problems) {
    Lists { problems, short: Vec::new() }.statements(&saga.body, None);
}

/// What is read where, by its root and the way into it.
type Place = (Root, Vec<PathSegment>);

struct Lists<'p> {
    problems: &'p mut Problems,
    /// Lists that are known not to be too long.
    short: Vec<Place>,
}

impl Lists<'_> {
    /// Says where the point of no return was passed.
    fn statements(&mut self, statements: &[Statement], mut passed: Option<Span>) -> Option<Span> {
        for statement in statements {
            passed = self.statement(statement, passed);
        }
        passed
    }

    fn statement(&mut self, statement: &Statement, passed: Option<Span>) -> Option<Span> {
        match &statement.kind {
            StatementKind::Pivot => return passed.or(Some(statement.span)),
            StatementKind::Step(step) if step.pivot => return passed.or(Some(statement.span)),
            StatementKind::Run(run) if run.step.pivot => return passed.or(Some(statement.span)),
            StatementKind::Let { name, value } if self.is_short(&value.expr) => {
                self.short.push((Root::Name(name.clone()), Vec::new()));
            }
            StatementKind::ForEach(each) => self.each(each, passed),
            StatementKind::When { arms, otherwise } => {
                let mut behind = passed;
                for (_, block) in arms {
                    behind = behind.or(self.branch(block, passed));
                }
                behind = behind.or(self.branch(otherwise, passed));
                // Below them no condition holds of those whose branches all fail.
                for (condition, _) in arms.iter().take_while(|(_, block)| ends_in_fail(block)) {
                    self.counted(&condition.expr);
                }
                return behind;
            }
            // What fails in it is taken back, wherever it stands.
            StatementKind::Try(written) => {
                self.branch(&written.body, None);
                for catch in &written.catches {
                    self.branch(&catch.block, passed);
                }
            }
            StatementKind::Parallel(inner) | StatementKind::Sequence(inner) => {
                self.statements(inner, passed);
            }
            StatementKind::Repeat(repeat) => {
                self.statements(&repeat.body, passed);
                self.branch(&repeat.otherwise, passed);
            }
            StatementKind::Await { otherwise, .. } => {
                self.branch(otherwise, passed);
            }
            _ => {}
        }
        passed
    }

    /// What is learnt on a way that is not always taken holds on that way alone.
    fn branch(&mut self, statements: &[Statement], passed: Option<Span>) -> Option<Span> {
        let known = self.short.len();
        let behind = self.statements(statements, passed);
        self.short.truncate(known);
        behind
    }

    fn each(&mut self, each: &ForEach, passed: Option<Span>) {
        if let Some(pivot) = passed.filter(|_| !self.is_short(&each.list.expr)) {
            self.may_be_long(&each.list, pivot);
        }
        // Whoever comes past it knows: more would have failed.
        self.short.extend(place(&each.list.expr));
        self.branch(&each.body, passed);
        let mut names = Vec::new();
        super::each_statement(&each.body, &mut |inner| names.extend(name(inner)));
        self.short.extend(names.into_iter().map(|name| (Root::Name(name), Vec::new())));
    }

    fn may_be_long(&mut self, list: &Typed, pivot: Span) {
        let title = "this list may be too long behind the point of no return";
        self.problems.push(
            Diagnostic::warning(codes::LIST_IS_STUCK, list.span, title)
                .also(pivot, "the point of no return")
                .why(format!(
                    "Nothing is taken back any more: with more than {MAX_ELEMENTS} elements, the saga is stuck until a person \
                     decides."
                ))
                .hint(format!(
                    "say above the point of no return what is too much: `when count(…) > {MAX_ELEMENTS} {{ fail \"too_many\" }}`"
                )),
        );
    }

    fn is_short(&self, list: &Expr) -> bool {
        match list {
            Expr::Literal(_) | Expr::List(_) => true,
            Expr::Every(inner, ..) => self.is_short(inner),
            Expr::Call(Function::Present, arguments) => arguments.iter().all(|argument| self.is_short(argument)),
            Expr::Binary(BinaryOp::Coalesce, pair) => self.is_short(&pair.0) && self.is_short(&pair.1),
            Expr::If(parts) => self.is_short(&parts.1) && self.is_short(&parts.2),
            list => place(list).is_some_and(|place| self.short.contains(&place)),
        }
    }

    /// Below a branch that fails its condition does not hold.
    fn counted(&mut self, condition: &Expr) {
        let Expr::Binary(op, pair) = condition else { return };
        let (left, right) = &**pair;
        match op {
            BinaryOp::Or => {
                self.counted(left);
                self.counted(right);
            }
            BinaryOp::Greater | BinaryOp::NotEqual => self.at_most(left, right, 0),
            BinaryOp::GreaterEqual => self.at_most(left, right, 1),
            BinaryOp::Less => self.at_most(right, left, 0),
            BinaryOp::LessEqual => self.at_most(right, left, 1),
            _ => {}
        }
    }

    /// There are no more than the limit, less so many.
    fn at_most(&mut self, counted: &Expr, limit: &Expr, less: i64) {
        let (Expr::Call(Function::Count, arguments), Expr::Literal(Value::Int(limit))) = (counted, limit) else {
            return;
        };
        if limit.saturating_sub(less) <= i64::from(MAX_ELEMENTS) {
            self.short.extend(arguments.iter().filter_map(place));
        }
    }
}

fn place(list: &Expr) -> Option<Place> {
    match list {
        Expr::Read(Read { root, path, ty }) => {
            matches!(ty.required(), Type::List(_)).then(|| (root.clone(), path.clone()))
        }
        Expr::Every(inner, ..) => place(inner),
        _ => None,
    }
}

fn name(statement: &Statement) -> Option<CompactString> {
    match &statement.kind {
        StatementKind::Step(step) => Some(step.name.clone()),
        StatementKind::Run(run) => Some(run.step.name.clone()),
        StatementKind::Let { name, .. } => Some(name.clone()),
        _ => None,
    }
}

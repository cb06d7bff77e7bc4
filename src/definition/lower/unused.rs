//! What is defined and never used: warnings, in files that have a saga.
//!
//! Where something was skipped (a word that is not built yet, a file that could not be read) it may use anything, so
//! nothing is called unused.

use std::collections::BTreeSet;

use super::Lowering;
use super::scope::Kind;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::{FileId, Span};

impl Lowering<'_> {
    /// Of the files that have a saga: what others declare is there for whoever uses it.
    pub(super) fn report_unused(&mut self, with_saga: &BTreeSet<FileId>) {
        if self.skipped_any {
            return;
        }
        let mut unused: Vec<(String, Span)> = Vec::new();
        for (name, declared) in &self.types {
            if !self.used_types.contains(*name) {
                unused.push((format!("type `{name}`"), declared.item.name.span));
            }
        }
        for (name, participant) in &self.participants {
            if !self.used_participants.contains(name) {
                unused.push((format!("participant `{name}`"), participant.span));
                continue;
            }
            let commands = participant.commands.values().map(|command| (&command.name, "command", command.span));
            let messages = participant.messages.values().map(|message| (&message.name, "message", message.span));
            for (command, kind, span) in commands.chain(messages) {
                if !self.used_commands.contains(&(name.clone(), command.clone())) {
                    unused.push((format!("{kind} `{name}.{command}`"), span));
                }
            }
        }
        for (what, span) in unused.into_iter().filter(|(_, span)| with_saga.contains(&span.file)) {
            self.report(unused_finding(&what, span));
        }
    }

    /// Of the saga that was lowered last.
    pub(super) fn report_unused_names(&mut self) {
        if self.skipped_any {
            return;
        }
        let lets = self.scope.bindings.iter().filter(|(_, binding)| binding.kind == Kind::Let && !binding.is_used);
        let awaited = |name: &str| self.scope.awaited.iter().any(|(awaited, _)| awaited == name);
        let signals = self.scope.signals.values().filter(|signal| !awaited(&signal.name));
        let signals = signals.map(|signal| {
            let title = format!("signal `{}` is never awaited", signal.name);
            Diagnostic::warning(codes::UNUSED, signal.span, title)
                .hint(format!("remove it, or write `await {} within 1h otherwise {{ … }}`", signal.name))
        });
        let unused: Vec<Diagnostic> = signals
            .chain(lets.map(|(name, binding)| unused_finding(&format!("value `{name}`"), binding.span)))
            .collect();
        for finding in unused {
            self.report(finding);
        }
    }
}

fn unused_finding(what: &str, span: Span) -> Diagnostic {
    Diagnostic::warning(codes::UNUSED, span, format!("{what} is never used")).hint("remove it, or use it")
}

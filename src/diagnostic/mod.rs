//! Findings about what an author wrote: collected, sorted, and shown once.
//!
//! No stage stops at the first finding, and none reports what only follows from another: a name that could not be
//! resolved is reported where it stands and is silent from there on. [`codes`] holds every code with its page,
//! [`render`] shows findings to people and as JSON, [`sarif`] to code hosts.

pub mod codes;
pub mod render;
pub mod sarif;

use crate::source::Span;

pub use codes::Code;

/// Whether a finding refuses the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// It is accepted, and probably not meant so.
    Warning,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Which rule.
    pub code: Code,
    /// Whether it refuses the file.
    pub severity: Severity,
    /// What is wrong, in one line, with the author's own words in backquotes.
    pub title: String,
    /// Cause first, then origins ("first defined here").
    pub labels: Vec<Label>,
    /// Why the rule exists or how this came about; one or two sentences.
    pub why: Option<String>,
    /// What to write instead; can be pasted where possible.
    pub hint: Option<String>,
}

/// A place with a remark.
#[derive(Clone, Debug)]
pub struct Label {
    /// What is underlined.
    pub span: Span,
    /// The remark; may be empty.
    pub text: String,
}

impl Diagnostic {
    /// An error of this code at `span`.
    #[must_use]
    pub fn error(code: Code, span: Span, title: impl Into<String>) -> Self {
        let labels = vec![Label { span, text: String::new() }];
        Self { code, severity: Severity::Error, title: title.into(), labels, why: None, hint: None }
    }

    /// A warning of this code at `span`.
    #[must_use]
    pub fn warning(code: Code, span: Span, title: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, title) }
    }

    /// Puts a remark on the first label.
    #[must_use]
    pub fn here(mut self, text: impl Into<String>) -> Self {
        if let Some(label) = self.labels.first_mut() {
            label.text = text.into();
        }
        self
    }

    /// Adds a label elsewhere.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says why.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Where the cause stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.labels.first().map(|label| label.span).unwrap_or_default()
    }
}

/// Findings so far.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    findings: Vec<Diagnostic>,
}

impl Problems {
    /// Adds one.
    pub fn push(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        self.findings.extend(other.findings);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether the definition is refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// By place, then severity, then code; the same finding at the same place once.
    #[must_use]
    pub fn sorted(mut self) -> Vec<Diagnostic> {
        self.findings.sort_by_key(|finding| (finding.span(), finding.severity, finding.code));
        self.findings.dedup_by(|a, b| a.code == b.code && a.span() == b.span() && a.title == b.title);
        self.findings
    }
}

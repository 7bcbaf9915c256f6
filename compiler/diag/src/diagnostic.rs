//! A diagnostic as data: what is wrong, where, why and how to mend it.

use crate::codes::{Code, Severity};
use crate::span::Span;

/// One finding about the input.
///
/// ```text
/// Diagnostic::new(codes::E0304, format!("index `{k}` has two sizes"))
///     .primary(right, "48 here")
///     .label(left, "64 here")
///     .help("pad the smaller operand or slice the larger one")
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of finding this is.
    pub code: Code,
    /// How it counts: the code's own severity, unless a lint level changed it.
    pub severity: Severity,
    /// One line: lower case, no full stop, names in backquotes.
    pub message: String,
    /// The places, the primary one first.
    ///
    /// Invariant: never empty, and only the first one is primary.
    labels: Vec<Label>,
    /// The facts that decided it, and advice.
    pub notes: Vec<Note>,
    /// How to mend it by an edit, where that is known. Boxed, because a
    /// `Result` with a diagnostic in it should stay small.
    pub fix: Option<Box<Fix>>,
}

/// A place and what to say there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The text beside it; may be empty.
    pub text: String,
}

/// A line under the snippet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Fact or advice.
    pub kind: NoteKind,
    /// The line; may have several lines.
    pub text: String,
}

/// Whether a note states a fact or advises.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// A fact that decided the finding.
    Note,
    /// Advice. Only this kind suggests; the message never does.
    Help,
}

/// Edits that mend the finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What the edits do, as advice: "add `;`".
    pub message: String,
    /// Each span is replaced by the text beside it.
    pub edits: Vec<(Span, String)>,
    /// Whether a tool may apply the edits unasked.
    pub applicability: Applicability,
}

/// Whether a tool may apply a fix unasked.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Applicability {
    /// The fix is what was meant.
    MachineApplicable,
    /// The fix compiles but may not be what was meant.
    MaybeIncorrect,
    /// The fix has parts to fill in.
    HasPlaceholders,
}

impl Diagnostic {
    /// Makes a finding without a place; its severity is the code's.
    pub fn new(code: Code, message: impl Into<String>) -> Diagnostic {
        let nowhere = Label {
            span: Span::NONE,
            text: String::new(),
        };
        Diagnostic {
            code,
            severity: code.severity(),
            message: message.into(),
            labels: vec![nowhere],
            notes: Vec::new(),
            fix: None,
        }
    }

    /// Sets the primary place; a second call replaces the first.
    #[must_use]
    pub fn primary(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels[0] = Label {
            span,
            text: text.into(),
        };
        self
    }

    /// Adds another place that shows why.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(Note {
            kind: NoteKind::Note,
            text: text.into(),
        });
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(Note {
            kind: NoteKind::Help,
            text: text.into(),
        });
        self
    }

    /// Adds a fix that replaces one span and may be applied unasked.
    #[must_use]
    pub fn fix(
        self,
        message: impl Into<String>,
        span: Span,
        text: impl Into<String>,
    ) -> Diagnostic {
        self.with_fix(Fix {
            message: message.into(),
            edits: vec![(span, text.into())],
            applicability: Applicability::MachineApplicable,
        })
    }

    /// Adds a fix of several edits or of another applicability.
    #[must_use]
    pub fn with_fix(mut self, fix: Fix) -> Diagnostic {
        self.fix = Some(Box::new(fix));
        self
    }

    /// The same at other places: of every label and edit.
    pub fn map_spans(mut self, mut map: impl FnMut(Span) -> Span) -> Diagnostic {
        for label in &mut self.labels {
            label.span = map(label.span);
        }
        let edits = self.fix.iter_mut().flat_map(|fix| &mut fix.edits);
        for (span, _) in edits {
            *span = map(*span);
        }
        self
    }

    /// The primary place.
    pub fn primary_label(&self) -> &Label {
        &self.labels[0]
    }

    /// The span of the primary place.
    pub fn span(&self) -> Span {
        self.labels[0].span
    }

    /// All places, the primary one first.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Returns whether this stops a compilation.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

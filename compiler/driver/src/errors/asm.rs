//! What is wrong with assembly and objects, as findings: one exhaustive match each.

use diag::codes::{E0601, E0602, E0603, E0604};
use diag::{Code, Diagnostic, FileId, Span, similar};
use isa::asm::{AsmError, AsmErrorKind};
use isa::inst::{INFO, TextErrorKind};
use isa::object::ObjectError;

/// A line of assembly is wrong.
pub(crate) fn line(file: FileId, error: &AsmError) -> Diagnostic {
    let found = Diagnostic::new(code(&error.kind), error.kind.to_string())
        .primary(Span::new(file, error.span.clone()), "");
    let AsmErrorKind::Text(TextErrorKind::UnknownMnemonic(name)) = &error.kind else {
        return found;
    };
    match similar(name, INFO.iter().map(|row| row.mnemonic)) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help("`vinci isa` lists the instructions"),
    }
}

fn code(kind: &AsmErrorKind) -> Code {
    match kind {
        AsmErrorKind::Text(TextErrorKind::OutOfRange(..) | TextErrorKind::UnknownConversion) => {
            E0602
        }
        AsmErrorKind::Text(TextErrorKind::UnknownMnemonic(_)) => E0604,
        AsmErrorKind::Text(
            TextErrorKind::Expected(_)
            | TextErrorKind::ExpectedWord(_)
            | TextErrorKind::UnknownLabel(_)
            | TextErrorKind::ExtraSuffix
            | TextErrorKind::Trailing,
        )
        | AsmErrorKind::UnknownDirective(_)
        | AsmErrorKind::Directive(_)
        | AsmErrorKind::BadString
        | AsmErrorKind::NoSection
        | AsmErrorKind::WrongCore(_)
        | AsmErrorKind::DuplicateLabel(_)
        | AsmErrorKind::LabelAtEnd
        | AsmErrorKind::DanglingLoc
        | AsmErrorKind::TooLong => E0601,
    }
}

/// A file is no object.
pub(crate) fn bad_object(path: &str, error: &ObjectError) -> Diagnostic {
    Diagnostic::new(E0603, format!("`{path}` cannot be used as an object")).note(error.to_string())
}

/// Assembly that reads well but makes no object.
pub(crate) fn no_object(path: &str, error: &ObjectError) -> Diagnostic {
    Diagnostic::new(E0602, format!("`{path}` makes no object")).note(error.to_string())
}

/// An object was made for another chip than it is to run on.
pub(crate) fn other_chip(path: &str, made_for: &str, asked: &str) -> Diagnostic {
    Diagnostic::new(
        E0603,
        format!("`{path}` was made for {made_for}, not for {asked}"),
    )
    .help("build it again for that target")
}

//! Assembly files: text ↔ [`Object`].
//!
//! A line is empty, a label `name:` at column 0, a directive, or an instruction; `//` starts a comment. Directives:
//!
//! | directive | meaning |
//! |---|---|
//! | `.chip NAME "VERSION"` | target; without a version that of the built-in chip |
//! | `.kernel NAME` | name of the kernel |
//! | `.opt "TEXT"` | optimisation level, for reports |
//! | `.cores cube N`, `.cores vector N` | cores that run; 1 of each kind that has code if nothing is said |
//! | `.work mads N`, `.work mad_ty TYPE`, `.work vector_ops N`, `.work bytes N` | useful work, for reports |
//! | `.param in\|out\|work NAME ELEM [d0,d1]` | the next tensor of the parameter block |
//! | `.size NAME N` | a size variable |
//! | `.launch size NAME`, `.launch shape "M" "2*K"`, `.launch condition "M <= 64"`, `.launch work "M*K" "0" "2*M"` | sizes that the launch gives; extents of each parameter, conditions and work as formulas over them |
//! | `.file "NAME"` | the next source file, numbered from 0 |
//! | `.aic`, `.aiv` | what follows belongs to the cube program, to the vector program |
//! | `.loc FILE LINE COLUMN START END` | where the next instruction came from: line, column, bytes |
//!
//! [`disassemble`] prints exactly what [`assemble`] turns into the same object, so that both give the same bytes. Knows
//! instructions only through their table. No text makes it panic.

mod directive;
mod layout;
mod parse;
mod print;

pub use layout::format;
pub use parse::assemble;
pub use print::disassemble;

use crate::inst::{TextError, TextErrorKind};
use crate::object::Object;
use crate::types::CoreKind;
use std::fmt;
use std::ops::Range;

/// What is wrong with a line of assembly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsmError {
    /// Line, from 1.
    pub line: u32,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub kind: AsmErrorKind,
}

/// The ways in which a line of assembly is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsmErrorKind {
    /// An instruction or its operands.
    Text(TextErrorKind),
    /// There is no such directive.
    UnknownDirective(String),
    /// A directive lacks something or has something else; what is expected.
    Directive(&'static str),
    /// A string does not end, or has an escape that means nothing.
    BadString,
    /// An instruction or label before `.aic` or `.aiv`.
    NoSection,
    /// This kind of core has no such instruction.
    WrongCore(CoreKind),
    /// The section has this label twice.
    DuplicateLabel(String),
    /// No instruction follows the label that is jumped to.
    LabelAtEnd,
    /// No instruction follows the `.loc`, or another one does.
    DanglingLoc,
    /// The program is longer than labels reach.
    TooLong,
}

impl fmt::Display for AsmErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsmErrorKind::Text(kind) => kind.fmt(f),
            AsmErrorKind::UnknownDirective(name) => write!(f, "there is no directive `{name}`"),
            AsmErrorKind::Directive(expected) => write!(f, "expected {expected}"),
            AsmErrorKind::BadString => {
                f.write_str("the string does not end or has an unknown escape")
            }
            AsmErrorKind::NoSection => f.write_str("code before `.aic` or `.aiv`"),
            AsmErrorKind::WrongCore(core) => {
                write!(f, "a {} core does not have this instruction", core.name())
            }
            AsmErrorKind::DuplicateLabel(name) => {
                write!(f, "label `{name}` is already in this section")
            }
            AsmErrorKind::LabelAtEnd => {
                f.write_str("no instruction follows the label that is jumped to")
            }
            AsmErrorKind::DanglingLoc => {
                f.write_str("`.loc` must stand before an instruction, once")
            }
            AsmErrorKind::TooLong => f.write_str("the program is longer than labels reach"),
        }
    }
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.kind)
    }
}

impl std::error::Error for AsmError {}

impl From<TextError> for (AsmErrorKind, Range<usize>) {
    fn from(error: TextError) -> Self {
        (AsmErrorKind::Text(error.kind), error.span)
    }
}

/// Whether a name can stand without quotes.
fn is_bare(name: &str) -> bool {
    let starts = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    starts
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
}

/// An object without code, for the default chip.
fn empty_object() -> Object {
    Object {
        chip: String::new(),
        chip_version: String::new(),
        kernel: crate::object::KernelMeta {
            name: "main".to_owned(),
            ..Default::default()
        },
        aic: Vec::new(),
        aiv: Vec::new(),
        files: Vec::new(),
        lines_aic: Vec::new(),
        lines_aiv: Vec::new(),
        claims: crate::object::Claims::default(),
        certificate: String::new(),
    }
}

//! Spans, sources, diagnostics as data, the registry of codes, and the renderers.
//!
//! This crate knows no language and none of our other crates: it stores texts,
//! points into them and says what was found there. It opens no files and prints
//! nothing; a renderer returns a string.
//!
//! Start with [`Diagnostic`], then [`codes`] (one row and one page per code).

pub mod codes;
mod diagnostic;
mod edit;
mod render;
mod source;
mod span;
mod suggest;

pub use codes::{Code, Severity, explain};
pub use diagnostic::{Applicability, Diagnostic, Fix, Label, Note, NoteKind};
pub use edit::{Edit, apply};
pub use render::{
    Look, render_json, render_short, render_summary, render_text, render_text_as, sort,
};
pub use source::{Shared, SourceFile, SourceMap};
pub use span::{FileId, Span};
pub use suggest::{Known, edit_distance, nearest, similar};

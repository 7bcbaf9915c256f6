//! What an editor asks of a program, as plain data with spans: which declaration a name means, what types and sizes things
//! have, how a file is laid out. Works on trees with mistakes in them; knows no protocol.

pub mod again;
pub mod edited;
mod excerpt;
pub mod facts;
pub mod layout;
pub mod names;

pub use again::Findings;
pub use edited::{Edited, Part};
pub use facts::{Fact, facts};
pub use layout::{Fold, Outline, folds, outline, selections};
pub use names::{Def, DefId, DefKind, Names, Use, names};

/// Operations that every file can call and none declares.
pub fn built_in() -> impl Iterator<Item = &'static str> {
    let access = ["gather", "scatter"];
    crate::check::primitive::PRIMITIVES
        .into_iter()
        .chain(access)
}

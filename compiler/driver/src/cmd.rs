//! The commands, one file each: `run(args, session)`.

pub(crate) mod asm;
pub(crate) mod check;
pub(crate) mod chips;
pub(crate) mod compile;
pub(crate) mod debug;
pub(crate) mod dis;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod isa;
pub(crate) mod lsp;
pub(crate) mod run;

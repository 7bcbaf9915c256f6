//! The passes over the tile form, in order: read this first.
//!
//! A pass is a file in `pass/`, a function and a row here. It takes the function to its stage; text that enters at a
//! later stage skips it. The order is that of the stages.

use diag::Diagnostic;
use ir::tile::{Func, Stage};
use isa::chip::Chip;

use crate::Options;
use crate::pass::{insert_sync, place_buffers};

/// What a pass may know besides the function.
#[derive(Copy, Clone, Debug)]
pub struct PassCx<'a> {
    /// The target.
    pub chip: &'a Chip,
    /// How the kernel is compiled.
    pub options: Options,
}

/// A row of the table.
#[derive(Copy, Clone, Debug)]
pub struct Pass {
    /// The word on the command line; the file has it with underscores.
    pub name: &'static str,
    /// The stage that the function has afterwards.
    pub to: Stage,
    /// What it does, in one phrase.
    pub what: &'static str,
    /// The pass.
    pub run: fn(&mut Func, &PassCx<'_>) -> Result<(), Vec<Diagnostic>>,
}

/// Every pass over the tile form.
pub const PASSES: &[Pass] = &[
    Pass {
        name: "place-buffers",
        to: Stage::Placed,
        what: "give every buffer an address from its live range",
        run: |func, cx| place_buffers::run(func, cx.chip, cx.options.level),
    },
    Pass {
        name: "insert-sync",
        to: Stage::Synced,
        what: "order pipes and cores with flags, barriers and counters",
        run: |func, cx| insert_sync::run(func, cx.options.level.into()),
    },
];

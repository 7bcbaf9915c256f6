//! From a legal tile function to an object: place, synchronise, select, emit.

use diag::Diagnostic;
use ir::tile::{Func, Stage};
use isa::chip::Chip;
use isa::object::Object;
use isa::types::CoreKind;

use crate::emit::{Resolver, emit};
use crate::pass::{insert_sync, place_buffers};
use crate::select::select;

pub use crate::pass::insert_sync::Sync;

/// How a function is lowered.
#[derive(Copy, Clone)]
pub struct Options<'o> {
    /// How pipes are ordered.
    pub sync: Sync,
    /// Optimisation level and options as the object records them.
    pub opt: &'o str,
    /// Where a span stands in the source.
    pub resolve: Resolver<'o>,
}

/// Lowers a function to an object. Passes it has already been through are left out: text may enter at any stage.
pub fn lower(mut func: Func, chip: &Chip, options: Options<'_>) -> Result<Object, Vec<Diagnostic>> {
    if func.stage < Stage::Placed {
        place_buffers::run(&mut func, chip)?;
    }
    if func.stage < Stage::Synced {
        insert_sync::run(&mut func, options.sync)?;
    }
    let cube = select(&func, chip, CoreKind::Cube).map_err(|found| vec![found])?;
    let vector = select(&func, chip, CoreKind::Vector).map_err(|found| vec![found])?;
    Ok(emit(
        &func,
        chip,
        options.opt,
        cube,
        vector,
        options.resolve,
    ))
}

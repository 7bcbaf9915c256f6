//! From tile form to an object: place, synchronise, select, emit.

use diag::{Diagnostic, Span, codes};
use ir::tile::{Func, Stage};
use isa::chip::Chip;
use isa::object::Object;
use isa::types::CoreKind;

use crate::emit::{Resolver, emit};
use crate::pass::insert_sync::{self, Sync};
use crate::pass::place_buffers;
use crate::plan;
use crate::select::select;
use crate::{Level, Options};

/// A lowered function, level by level.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// With addresses.
    pub placed: Func,
    /// With flags and barriers.
    pub synced: Func,
    /// The address map with lifetimes.
    pub memory: String,
    /// The finished object.
    pub object: Object,
}

/// Lowers a function to an object. Passes it has already been through are left out: text may enter at any stage.
///
/// # Errors
/// A buffer that does not fit (E0501), an operation without instructions (E0502).
pub fn lower(
    mut func: Func,
    chip: &Chip,
    options: Options,
    resolve: Resolver<'_>,
) -> Result<Lowered, Vec<Diagnostic>> {
    verified(&func, chip, options, "tile")?;
    if func.stage < Stage::Placed {
        place_buffers::run(&mut func, chip)?;
        verified(&func, chip, options, "place-buffers")?;
    }
    let placed = func.clone();
    if func.stage < Stage::Synced {
        insert_sync::run(&mut func, sync_of(options.level))?;
        verified(&func, chip, options, "insert-sync")?;
    }
    let cube = select(&func, chip, CoreKind::Cube).map_err(|found| vec![found])?;
    let vector = select(&func, chip, CoreKind::Vector).map_err(|found| vec![found])?;
    let object = emit(&func, chip, options.level.name(), cube, vector, resolve);
    Ok(Lowered {
        memory: plan::report(&placed, chip),
        placed,
        synced: func,
        object,
    })
}

const fn sync_of(level: Level) -> Sync {
    match level {
        Level::O0 => Sync::Barriers,
        Level::O1 | Level::O3 => Sync::Flags,
    }
}

/// Checks the tile form after a pass, if asked to.
fn verified(func: &Func, chip: &Chip, options: Options, pass: &str) -> Result<(), Vec<Diagnostic>> {
    if !options.verify_each {
        return Ok(());
    }
    ir::tile::verify::verify(func, &|space| chip.space_bytes(space)).map_err(|found| {
        found
            .into_iter()
            .map(|what| {
                Diagnostic::new(codes::E0605, format!("after `{pass}`: {what}"))
                    .primary(Span::NONE, "")
            })
            .collect()
    })
}

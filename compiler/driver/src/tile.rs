//! `.tile` texts to verified tile functions.

use diag::{Diagnostic, FileId, SourceMap};
use ir::tile::Func;
use isa::chip::Chip;

use crate::errors;

/// Reads a tile function and verifies it against the chip that it names.
pub fn load(file: FileId, sources: &SourceMap) -> Result<Func, Vec<Diagnostic>> {
    let func = frontend::load::load(file, sources.text(file))?;
    let known: Vec<&str> = Chip::names().collect();
    let chip = Chip::builtin(&func.target)
        .ok_or_else(|| vec![errors::unknown_target(&func.target, &known)])?;
    verify(&func, &chip)?;
    Ok(func)
}

/// Checks what the text alone cannot show.
pub(crate) fn verify(func: &Func, chip: &Chip) -> Result<(), Vec<Diagnostic>> {
    ir::tile::verify(func, &|space| chip.usable_bytes(space)).map_err(|problems| {
        problems
            .iter()
            .map(|p| errors::tile_problem(&func.name, p))
            .collect()
    })
}

//! From any form of a kernel to an object, keeping every level on the way. Opens no files itself.

use backend::{Compiled, Lowered};
use diag::{Diagnostic, SourceMap, Span};
use ir::algo::Func;
use ir::tile;
use isa::chip::Chip;
use isa::object::Object;

use crate::files::Form;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;
use crate::{assembly, errors};

/// Compiles a bound kernel.
pub fn compile(
    func: &Func,
    settings: &Settings,
    sources: &SourceMap,
) -> Result<Compiled, Vec<Diagnostic>> {
    let resolve = |span| place(sources, span);
    backend::compile(func, &settings.chip, settings.options(), &resolve)
}

/// Lowers a tile function.
pub fn lower(
    func: tile::Func,
    settings: &Settings,
    sources: &SourceMap,
) -> Result<Lowered, Vec<Diagnostic>> {
    let resolve = |span| place(sources, span);
    backend::lower(func, &settings.chip, settings.options(), &resolve)
}

/// Where a span stands: file, line and column in bytes, both from 1.
fn place(sources: &SourceMap, span: Span) -> Option<(String, u32, u32)> {
    let file = sources.get(span.file)?;
    let (line, column) = file.utf8_position(span.range().start);
    let from_one = |n: usize| u32::try_from(n + 1).ok();
    Some((file.name.clone(), from_one(line)?, from_one(column)?))
}

/// Reads a tile function for the chip that it, or the command line, names.
pub(crate) fn tile_function(
    path: &str,
    settings: &mut Settings,
    session: &mut Session<'_, '_>,
) -> Result<tile::Func, Stop> {
    let file = session.read_text(path)?;
    let func = frontend::load::load(file, session.sources.text(file))?;
    settings.chip = chip_of(path, &func.target, None, settings)?;
    crate::tile::verify(&func, &settings.chip)?;
    Ok(func)
}

/// The object of a `.tile`, `.vasm` or `.vo` file; `settings` get its chip.
pub(crate) fn finished(
    path: &str,
    form: Form,
    settings: &mut Settings,
    session: &mut Session<'_, '_>,
) -> Result<Object, Stop> {
    let object = match form {
        Form::Kernel => unreachable!("a kernel is bound to sizes before it is compiled"),
        Form::Tile => {
            let func = tile_function(path, settings, session)?;
            return Ok(lower(func, settings, &session.sources)?.object);
        }
        Form::Assembly => {
            let file = session.read_text(path)?;
            assembly::assemble(file, &session.sources)?
        }
        Form::Object => assembly::read_object(path, session)?,
    };
    settings.chip = chip_of(path, &object.chip, Some(&object.chip_version), settings)?;
    Ok(object)
}

/// The chip of a file that names one: that of the command line if it is the same, else the built-in one.
fn chip_of(
    path: &str,
    name: &str,
    version: Option<&str>,
    settings: &Settings,
) -> Result<Chip, Diagnostic> {
    let chip = match (settings.target_given, Chip::builtin(name)) {
        (true, _) => settings.chip.clone(),
        (false, Some(chip)) => chip,
        (false, None) => {
            return Err(errors::unknown_target(
                name,
                &Chip::names().collect::<Vec<_>>(),
            ));
        }
    };
    let stamp = chip.version_stamp();
    let same = chip.name == name && version.is_none_or(|version| version == stamp);
    if same {
        return Ok(chip);
    }
    let made_for = format!("{name} {}", version.unwrap_or_default());
    Err(errors::asm::other_chip(
        path,
        made_for.trim(),
        &format!("{} {stamp}", chip.name),
    ))
}

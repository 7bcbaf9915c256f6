//! From any form of a kernel to an object, keeping every level on the way. Opens no files itself.

use std::borrow::Cow;

use backend::{Compiled, Level, Lowered, Schedule};
use diag::{Diagnostic, SourceMap, Span};
use ir::algo::{Func, TensorData};
use ir::tile;
use isa::chip::Chip;
use isa::object::Object;

use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;
use crate::{assembly, cache, errors};

/// Compiles a bound kernel.
pub fn compile(
    func: &Func,
    settings: &Settings,
    sources: &SourceMap,
) -> Result<Compiled, Vec<Diagnostic>> {
    compile_as(func, settings, None, sources)
}

/// Compiles a bound kernel with decisions besides those that are written for it.
pub fn compile_as(
    func: &Func,
    settings: &Settings,
    wanted: Option<&Schedule>,
    sources: &SourceMap,
) -> Result<Compiled, Vec<Diagnostic>> {
    fits_memory(func, &settings.chip).map_err(|found| vec![found])?;
    let resolve = |span| place(sources, span);
    let func = &*pinned(func, settings)?;
    if settings.level == Level::O3 && wanted.is_none() {
        return searched(func, settings, sources);
    }
    backend::compile_as(func, &settings.chip, settings.options(), wanted, &resolve)
}

/// The tile form of a bound kernel, before any pass.
pub fn tiled(func: &Func, settings: &Settings) -> Result<backend::Tiled, Vec<Diagnostic>> {
    fits_memory(func, &settings.chip).map_err(|found| vec![found])?;
    backend::tile(func, &settings.chip, settings.level)
}

/// Compiles with the decisions that a search finds, or has found before.
fn searched(
    func: &Func,
    settings: &Settings,
    sources: &SourceMap,
) -> Result<Compiled, Vec<Diagnostic>> {
    let resolve = |span| place(sources, span);
    let key = cache::key(func, settings);
    if let Some(known) = cache::read(settings, &key, func) {
        let compiled = backend::compile(&known, &settings.chip, settings.options(), &resolve);
        // What an earlier version found may not be possible any more.
        if let Ok(compiled) = compiled {
            return Ok(compiled);
        }
    }
    let found = search::search(&search_task(func, settings), &resolve)?;
    cache::write(settings, &key, &found.compiled.schedule);
    Ok(found.compiled)
}

/// Searches the decisions that a bound kernel leaves open, whatever was found before.
pub(crate) fn search(
    func: &Func,
    settings: &Settings,
    sources: &SourceMap,
) -> Result<search::Found, Vec<Diagnostic>> {
    fits_memory(func, &settings.chip).map_err(|found| vec![found])?;
    let func = pinned(func, settings)?;
    let resolve = |span| place(sources, span);
    search::search(&search_task(&func, settings), &resolve)
}

/// The kernel with the schedules of the command line in the place of its own, if there are some.
fn pinned<'f>(func: &'f Func, settings: &Settings) -> Result<Cow<'f, Func>, Vec<Diagnostic>> {
    match &settings.schedule {
        Some(tree) => Ok(Cow::Owned(Func {
            schedules: frontend::schedules(tree, func)?,
            ..func.clone()
        })),
        None => Ok(Cow::Borrowed(func)),
    }
}

/// What a search is asked for by these settings.
pub fn search_task<'a>(func: &'a Func, settings: &'a Settings) -> search::Task<'a> {
    search::Task {
        func,
        chip: &settings.chip,
        options: settings.options(),
        budget: settings.budget,
    }
}

/// Refuses tensors that together are larger than the target's global memory.
fn fits_memory(func: &Func, chip: &Chip) -> Result<(), Diagnostic> {
    if !func.symbols.is_empty() {
        // The launch knows how large they are.
        return Ok(());
    }
    let capacity = chip.memory.gm_bytes;
    let extent = |extent: i64| u64::try_from(extent).unwrap_or(u64::MAX);
    let bytes = |data: &TensorData| {
        data.shape.iter().fold(data.elem.bytes(), |bytes, &e| {
            bytes.saturating_mul(extent(e))
        })
    };
    let arguments = func
        .params
        .iter()
        .chain(&func.results)
        .map(|&tensor| &func.tensors[tensor]);
    let needed = arguments
        .clone()
        .fold(0, |sum: u64, data| sum.saturating_add(bytes(data)));
    let largest = arguments.max_by_key(|data| bytes(data));
    match largest {
        Some(largest) if needed > capacity => Err(errors::global_memory(
            needed,
            capacity,
            &chip.name,
            largest.span,
            bytes(largest),
        )),
        Some(_) | None => Ok(()),
    }
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

/// The object of a `.vasm` file; `settings` get its chip.
pub(crate) fn assembled(
    path: &str,
    settings: &mut Settings,
    session: &mut Session<'_, '_>,
) -> Result<Object, Stop> {
    let file = session.read_text(path)?;
    let object = assembly::assemble(file, &session.sources)?;
    settings.chip = chip_of(path, &object.chip, Some(&object.chip_version), settings)?;
    Ok(object)
}

/// The object of a `.vo` file; `settings` get its chip.
pub(crate) fn read(
    path: &str,
    settings: &mut Settings,
    session: &mut Session<'_, '_>,
) -> Result<Object, Stop> {
    let object = assembly::read_object(path, session)?;
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

//! The levels of a compilation: which there are, and going as far down as is wanted.

use ir::algo;
use isa::asm::disassemble;

use super::options::Vincic;
use super::{Wanted, dep_info, passes};
use crate::files::Form;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;
use crate::{build, errors, kernel};

/// What `--emit` can write: word, extension.
pub(super) const KINDS: [(Kind, &str, &str); 10] = [
    (Kind::Ast, "ast", "ast.vn"),
    (Kind::Algo, "algo", "algo"),
    (Kind::Schedule, "schedule", "schedule"),
    (Kind::Tile, "tile", "tile"),
    (Kind::Memory, "memory", "memory"),
    (Kind::Sync, "sync", "sync.tile"),
    (Kind::Asm, "asm", "vasm"),
    (Kind::Obj, "obj", "vo"),
    (Kind::Remarks, "remarks", "remarks"),
    (Kind::DepInfo, "dep-info", "d"),
];

/// A level that can be written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ast,
    Algo,
    Schedule,
    Tile,
    Memory,
    Sync,
    Asm,
    Obj,
    Remarks,
    DepInfo,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        KINDS
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("", |(_, word, _)| word)
    }

    pub(super) fn extension(self) -> &'static str {
        KINDS
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("", |(.., extension)| extension)
    }
}

/// The levels of a compilation that exist so far.
#[derive(Default)]
pub(super) struct Levels(Vec<(Kind, Vec<u8>)>);

impl Levels {
    fn add(&mut self, kind: Kind, text: impl Into<Vec<u8>>) {
        self.0.push((kind, text.into()));
    }

    /// The bytes of a level, if it exists.
    pub(super) fn get(&self, kind: Kind) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| *known == kind);
        found.map(|(_, bytes)| bytes.as_slice())
    }

    /// How many bytes each level takes.
    pub(super) fn sizes(&self) -> Vec<(&'static str, usize)> {
        let size = |(kind, bytes): &(Kind, Vec<u8>)| (kind.word(), bytes.len());
        self.0.iter().map(size).collect()
    }

    /// The bytes of the object, if they are wanted and exist.
    pub(super) fn object(&mut self, wanted: &[Wanted]) -> Option<&mut Vec<u8>> {
        let wanted = wanted.iter().any(|output| output.kind == Kind::Obj);
        let mut levels = self.0.iter_mut().filter(|_| wanted);
        let object = levels.find(|(kind, _)| *kind == Kind::Obj);
        object.map(|(_, bytes)| bytes)
    }
}

/// Goes as far as is wanted.
pub(super) fn levels(
    input: &str,
    args: &Vincic,
    wanted: &[Wanted],
    settings: &mut Settings,
    session: &mut Session<'_, '_>,
) -> Result<Levels, Stop> {
    let mut levels = match Form::of(input)? {
        Form::Kernel => kernel_levels(input, args, wanted, settings, session)?,
        Form::Tile => {
            let mut levels = Levels::default();
            let func = build::tile_function(input, settings, session)?;
            if let Some(names) = settings.wanted_passes() {
                levels.add(Kind::Tile, passes::run(func, &names, settings, session)?);
                return Ok(levels);
            }
            levels.add(Kind::Tile, ir::tile::print(&func));
            let tiled = func.clone();
            let lowered = build::lower(func, settings, &session.sources)?;
            if settings.verify_each {
                passes::same_values(&tiled, &lowered, settings)?;
            }
            lowered_levels(&lowered, input, settings, session, &mut levels)?;
            levels
        }
        Form::Assembly => {
            let mut levels = Levels::default();
            let object = build::assembled(input, settings, session)?;
            object_levels(&object, input, settings, &mut levels)?;
            levels
        }
        Form::Object => {
            let mut levels = Levels::default();
            let object = build::read(input, settings, session)?;
            object_levels(&object, input, settings, &mut levels)?;
            levels
        }
    };
    levels.add(Kind::DepInfo, dep_info(wanted, args, session));
    Ok(levels)
}

/// What the compiler decided and what it could not do, a line each, from the schedule and its comments.
fn remarks(schedule: &str) -> String {
    let body = schedule
        .lines()
        .filter(|line| line.starts_with("    ") || line.starts_with("//"));
    let text = |line: &str| {
        let line = line.trim();
        let line = line.strip_prefix("//").unwrap_or(line).trim();
        let line = line.strip_prefix("remark:").unwrap_or(line).trim();
        format!("remark: {}\n", line.trim_end_matches(';'))
    };
    body.map(text).collect()
}

fn kernel_levels(
    input: &str,
    args: &Vincic,
    wanted: &[Wanted],
    settings: &Settings,
    session: &mut Session<'_, '_>,
) -> Result<Levels, Stop> {
    let mut levels = Levels::default();
    let file = session.read_text(input)?;
    // The tree of a wrong text is of use too, if it is all that is asked for.
    if wanted.iter().all(|output| output.kind == Kind::Ast) {
        let (tree, found) = kernel::parse(file, &session.sources);
        if found.iter().any(diag::Diagnostic::is_error) {
            return Err(found.into());
        }
        levels.add(Kind::Ast, syntax::print_ast(&tree));
        return Ok(levels);
    }
    let loaded = session.check_kernel(input, file)?;
    session.phase("parse and check");
    let asked = |kind| args.stats.is_some() || wanted.iter().any(|output| output.kind == kind);
    if asked(Kind::Ast) {
        levels.add(Kind::Ast, syntax::print_ast(&loaded.tree));
    }
    let info = loaded.choose(args.compile.kernel.as_deref())?;
    let func = loaded.bind(&info, &settings.values, &std::collections::BTreeMap::new())?;
    session.phase("bind");
    if asked(Kind::Algo) {
        let mut text = algo::print::print(&func);
        text.push_str(&backend::derived_text(&func));
        levels.add(Kind::Algo, text);
    }
    if wanted
        .iter()
        .all(|output| matches!(output.kind, Kind::Ast | Kind::Algo | Kind::DepInfo))
    {
        return Ok(levels);
    }
    if let Some(names) = settings.wanted_passes() {
        let tiled = build::tiled(&func, settings)?;
        levels.add(
            Kind::Tile,
            passes::run(tiled.func, &names, settings, session)?,
        );
        return Ok(levels);
    }
    let compiled = build::compile(&func, settings, &session.sources)?;
    session.phase("tile, place, synchronise, select, emit");
    let schedule = compiled.schedule.to_string();
    levels.add(Kind::Remarks, remarks(&schedule));
    levels.add(Kind::Schedule, schedule);
    if settings.verify_each {
        passes::same_values(&compiled.tiled, &compiled.lowered, settings)?;
    }
    levels.add(Kind::Tile, ir::tile::print(&compiled.tiled));
    print_after("tile", &compiled.tiled, settings, session);
    lowered_levels(&compiled.lowered, input, settings, session, &mut levels)?;
    session.phase("print");
    Ok(levels)
}

fn lowered_levels(
    lowered: &backend::Lowered,
    input: &str,
    settings: &Settings,
    session: &mut Session<'_, '_>,
    levels: &mut Levels,
) -> Result<(), Stop> {
    for pass in backend::pipeline::PASSES {
        print_after(pass.name, lowered.at(pass.to), settings, session);
    }
    levels.add(Kind::Memory, lowered.memory.clone());
    levels.add(Kind::Sync, ir::tile::print(&lowered.synced));
    object_levels(&lowered.object, input, settings, levels)
}

fn object_levels(
    object: &isa::object::Object,
    input: &str,
    settings: &Settings,
    levels: &mut Levels,
) -> Result<(), Stop> {
    levels.add(Kind::Asm, disassemble(object, Some(&settings.chip)));
    let bytes = object
        .write()
        .map_err(|e| errors::asm::no_object(input, &e))?;
    levels.add(Kind::Obj, bytes);
    Ok(())
}

/// `-Z print-after=PASS`.
pub(super) fn print_after(
    pass: &str,
    func: &ir::tile::Func,
    settings: &Settings,
    session: &mut Session<'_, '_>,
) {
    if settings
        .print_after
        .iter()
        .any(|wanted| wanted == pass || wanted == "all")
    {
        session
            .host
            .complain(&format!("// after {pass}\n{}", ir::tile::print(func)));
    }
}

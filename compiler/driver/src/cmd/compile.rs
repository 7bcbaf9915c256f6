//! `vincic`: one input to any of its levels. `compile/print.rs` has what it knows without one, `compile/passes.rs` the
//! passes of `-Z`.

mod passes;
mod print;
mod stats;

use ir::algo;
use isa::asm::disassemble;

use crate::args::Vincic;
use crate::files::{self, Form};
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;
use crate::{build, cmd, errors, kernel, verification};

/// What `--emit` can write: word, extension.
const KINDS: [(Kind, &str, &str); 10] = [
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
enum Kind {
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
    fn word(self) -> &'static str {
        KINDS
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("", |(_, word, _)| word)
    }

    fn extension(self) -> &'static str {
        KINDS
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("", |(.., extension)| extension)
    }
}

/// A level and where it goes.
struct Wanted {
    kind: Kind,
    path: String,
}

/// The levels of a compilation that exist so far.
#[derive(Default)]
struct Levels(Vec<(Kind, Vec<u8>)>);

impl Levels {
    fn add(&mut self, kind: Kind, text: impl Into<Vec<u8>>) {
        self.0.push((kind, text.into()));
    }

    /// How many bytes each level takes.
    fn sizes(&self) -> Vec<(&'static str, usize)> {
        let size = |(kind, bytes): &(Kind, Vec<u8>)| (kind.word(), bytes.len());
        self.0.iter().map(size).collect()
    }

    /// The bytes of the object, if they are wanted and exist.
    fn object(&mut self, wanted: &[Wanted]) -> Option<&mut Vec<u8>> {
        let wanted = wanted.iter().any(|output| output.kind == Kind::Obj);
        let mut levels = self.0.iter_mut().filter(|_| wanted);
        let object = levels.find(|(kind, _)| *kind == Kind::Obj);
        object.map(|(_, bytes)| bytes)
    }
}

/// Compiles, or prints what was asked for instead.
pub(crate) fn run(args: &Vincic, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    for option in &args.remap_path_prefix {
        let Some((from, to)) = option.split_once('=') else {
            return Err(errors::option_form("--remap-path-prefix", option, "FROM=TO").into());
        };
        session.remap.push((from.to_owned(), to.to_owned()));
    }
    if let Some(code) = &args.explain {
        return cmd::explain::page(code, session);
    }
    if let Some(text) = print::option_help(args) {
        return session.host.print(&text);
    }
    if let Some(what) = &args.print {
        return print::knowledge(what, args, session);
    }
    let input = one_input(args)?;
    let mut settings = Settings::read(&args.compile, session)?;
    let wanted = wanted(args, input, &settings)?;
    for output in &wanted {
        session.protect(&output.path, input)?;
    }
    let mut levels = levels(input, args, &wanted, &mut settings, session)?;
    if let Some(bytes) = levels.object(&wanted) {
        verification::certify(bytes, input, &settings, session)?;
        session.phase("verify");
    }
    let sizes = levels.sizes();
    write(&wanted, levels, input, session)?;
    if args.verbose {
        session.host.complain(&said(&wanted, &settings));
    }
    session.phase("write");
    if settings.time_passes {
        session.host.complain(&stats::times(session.phases()));
    }
    if let Some(form) = args.stats {
        let text = stats::text(form, input, &settings, &sizes, session.phases());
        session.host.complain(&text);
    }
    Ok(())
}

fn one_input(args: &Vincic) -> Result<&str, Stop> {
    match args.input.as_slice() {
        [input] => Ok(input),
        [] => Err(errors::no_input().into()),
        [first, second, ..] => Err(errors::two_inputs(first, second).into()),
    }
}

/// What is to be written and where.
fn wanted(args: &Vincic, input: &str, settings: &Settings) -> Result<Vec<Wanted>, Stop> {
    let folder = args.out_dir.as_deref();
    let named = |kind: Kind| {
        let name = format!("{}.{}", files::stem(input), kind.extension());
        folder.map_or(name.clone(), |folder| {
            format!("{}/{name}", folder.trim_end_matches('/'))
        })
    };
    let mut wanted = Vec::new();
    for word in &args.emit {
        let (word, path) = word
            .split_once('=')
            .map_or((word.as_str(), None), |(w, p)| (w, Some(p)));
        let Some((kind, ..)) = KINDS.iter().find(|(_, known, _)| *known == word) else {
            let known: Vec<&str> = KINDS.iter().map(|(_, word, _)| *word).collect();
            return Err(errors::option_value("--emit", word, &known).into());
        };
        wanted.push(Wanted {
            kind: *kind,
            path: path.map_or_else(|| named(*kind), str::to_owned),
        });
    }
    if wanted.is_empty() {
        // A compilation that stops at a pass, or takes its passes from the command line, ends in tile form.
        let kind = match settings.stop_after.is_some() || settings.passes.is_some() {
            true => Kind::Tile,
            false => Kind::Obj,
        };
        wanted.push(Wanted {
            kind,
            path: named(kind),
        });
    }
    if let Some(output) = &args.output {
        match wanted.as_mut_slice() {
            [only] => only.path.clone_from(output),
            _ => return Err(errors::output_of_several().into()),
        }
    }
    Ok(wanted)
}

/// Goes as far as is wanted.
fn levels(
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

/// What the outputs were made from, as make reads it.
fn dep_info(wanted: &[Wanted], args: &Vincic, session: &Session<'_, '_>) -> String {
    let escaped = |name: &str| name.replace(' ', "\\ ");
    let read = session.sources.iter().map(|(_, file)| file.name.as_str());
    let ours = read.filter(|name| !name.starts_with("stdlib/") && !name.starts_with('<'));
    let mut inputs: Vec<String> = ours.map(escaped).collect();
    // Objects are read, but they are no text.
    let binary = args.input.iter().filter(|input| input.ends_with(".vo"));
    inputs.extend(binary.map(|input| escaped(input)));
    let files = wanted.iter().filter(|output| output.path != "-");
    let rule = |output: &Wanted| format!("{}: {}\n\n", escaped(&output.path), inputs.join(" "));
    let rules: String = files.map(rule).collect();
    let alone: Vec<String> = inputs.iter().map(|input| format!("{input}:\n")).collect();
    rules + &alone.concat()
}

/// What `-v` says of a compilation that came to its end.
fn said(wanted: &[Wanted], settings: &Settings) -> String {
    let files: Vec<String> = wanted
        .iter()
        .map(|output| format!("`{}`", output.path))
        .collect();
    format!(
        "wrote {} for {} at -O{}\n",
        files.join(", "),
        settings.chip.stamp(),
        settings.level.name()
    )
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
    levels.add(Kind::Ast, syntax::print_ast(&loaded.tree));
    let info = loaded.choose(args.compile.kernel.as_deref())?;
    let func = loaded.bind(&info, &settings.values, &std::collections::BTreeMap::new())?;
    session.phase("bind");
    let mut text = algo::print::print(&func);
    text.push_str(&backend::derived_text(&func));
    levels.add(Kind::Algo, text);
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
fn print_after(
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

fn write(
    wanted: &[Wanted],
    levels: Levels,
    input: &str,
    session: &mut Session<'_, '_>,
) -> Result<(), Stop> {
    for output in wanted {
        let Some((_, bytes)) = levels.0.iter().find(|(kind, _)| *kind == output.kind) else {
            return Err(errors::no_such_level(input, output.kind.word()).into());
        };
        match output.kind {
            Kind::Obj => session.write_object(&output.path, input, bytes)?,
            Kind::Ast
            | Kind::Algo
            | Kind::Schedule
            | Kind::Tile
            | Kind::Memory
            | Kind::Sync
            | Kind::Asm
            | Kind::Remarks
            | Kind::DepInfo => session.write(&output.path, bytes)?,
        }
        session.artifact(&output.path, output.kind.word());
    }
    Ok(())
}

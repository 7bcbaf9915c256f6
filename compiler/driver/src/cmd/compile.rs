//! `vincic`: one input to any of its levels.

use std::time::Instant;

use ir::algo;
use isa::asm::disassemble;
use isa::chip::Chip;

use crate::args::{Compile, Vincic};
use crate::files::{self, Form};
use crate::host::Stop;
use crate::session::Session;
use crate::settings::{CODEGEN, Settings, UNSTABLE};
use crate::table::{Align, Table};
use crate::{build, cmd, errors, kernel, lints};

/// What `--emit` can write: word, extension.
const KINDS: [(Kind, &str, &str); 8] = [
    (Kind::Ast, "ast", "ast.vn"),
    (Kind::Algo, "algo", "algo"),
    (Kind::Schedule, "schedule", "schedule"),
    (Kind::Tile, "tile", "tile"),
    (Kind::Memory, "memory", "memory"),
    (Kind::Sync, "sync", "sync.tile"),
    (Kind::Asm, "asm", "vasm"),
    (Kind::Obj, "obj", "vo"),
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
}

/// Compiles, or prints what was asked for instead.
pub(crate) fn run(args: &Vincic, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    if let Some(code) = &args.explain {
        return cmd::explain::page(code, session);
    }
    if let Some(text) = option_help(&args.compile) {
        return session.host.print(&text);
    }
    if let Some(what) = &args.print {
        return print(what, args, session);
    }
    let input = one_input(args)?;
    let mut settings = Settings::read(&args.compile, session)?;
    let wanted = wanted(args, input)?;
    for output in &wanted {
        session.protect(&output.path, input)?;
    }
    let mut phases = Phases::start();
    let levels = levels(input, args, &wanted, &mut settings, session, &mut phases)?;
    write(&wanted, levels, input, session)?;
    phases.end("write");
    if settings.time_passes {
        session.host.complain(&phases.text());
    }
    Ok(())
}

/// How long each phase took, for `-Z time-passes`.
struct Phases {
    last: Instant,
    done: Vec<(&'static str, f64)>,
}

impl Phases {
    fn start() -> Phases {
        Phases {
            last: Instant::now(),
            done: Vec::new(),
        }
    }

    /// A phase is over; the next one begins.
    fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.done
            .push((name, (now - self.last).as_secs_f64() * 1e3));
        self.last = now;
    }

    fn text(&self) -> String {
        let line = |(name, ms): &(&str, f64)| format!("{ms:>10.3} ms  {name}\n");
        self.done.iter().map(line).collect()
    }
}

fn one_input(args: &Vincic) -> Result<&str, Stop> {
    match args.input.as_slice() {
        [input] => Ok(input),
        [] => Err(errors::no_input().into()),
        [first, second, ..] => Err(errors::two_inputs(first, second).into()),
    }
}

/// `-C help` and `-Z help`.
fn option_help(args: &Compile) -> Option<String> {
    let list = |keys: &[(&str, &str)], option: &str| {
        keys.iter()
            .map(|(key, text)| format!("    {option} {key:<22} {text}\n"))
            .collect()
    };
    if args.codegen.iter().any(|key| key == "help") {
        return Some(list(CODEGEN, "-C"));
    }
    args.unstable
        .iter()
        .any(|key| key == "help")
        .then(|| list(UNSTABLE, "-Z") + &pass_table())
}

/// The passes that `-Z print-after` takes, as the pass table describes them.
fn pass_table() -> String {
    let rows = backend::pipeline::PASSES.iter();
    let lines = rows.map(|pass| format!("    {:<25} {}\n", pass.name, pass.what));
    let tiler = format!("\nPasses:\n    {:<25} {}\n", "tile", "write the tile form");
    tiler + &lines.collect::<String>()
}

fn print(what: &str, args: &Vincic, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    const WHAT: [&str; 5] = ["target-list", "chip", "kernels", "error-codes", "lints"];
    let text = match what {
        "target-list" => Chip::names().map(|name| format!("{name}\n")).collect(),
        "chip" => {
            let target = args.compile.target.as_deref().unwrap_or(Chip::DEFAULT);
            cmd::chips::everything(&session.chip(target)?)
        }
        "kernels" => kernels(one_input(args)?, session)?,
        "error-codes" => error_codes(),
        "lints" => lints::list(),
        _ => return Err(errors::option_value("--print", what, &WHAT).into()),
    };
    session.host.print(&text)
}

/// Each kernel of a file with its signature.
fn kernels(input: &str, session: &mut Session<'_, '_>) -> Result<String, Stop> {
    let loaded = session.load_kernel(input)?;
    Ok(loaded
        .kernels()
        .iter()
        .map(|kernel| kernel::signature(kernel) + "\n")
        .collect())
}

fn error_codes() -> String {
    let mut table = Table::new(&[
        ("code", Align::Left),
        ("name", Align::Left),
        ("", Align::Left),
    ]);
    for code in diag::codes::ALL {
        table.row([
            code.to_string(),
            code.slug().to_owned(),
            code.title().to_owned(),
        ]);
    }
    table.to_string()
}

/// What is to be written and where.
fn wanted(args: &Vincic, input: &str) -> Result<Vec<Wanted>, Stop> {
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
        wanted.push(Wanted {
            kind: Kind::Obj,
            path: named(Kind::Obj),
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
    phases: &mut Phases,
) -> Result<Levels, Stop> {
    match Form::of(input)? {
        Form::Kernel => kernel_levels(input, args, wanted, settings, session, phases),
        Form::Tile => {
            let mut levels = Levels::default();
            let func = build::tile_function(input, settings, session)?;
            levels.add(Kind::Tile, ir::tile::print(&func));
            let lowered = build::lower(func, settings, &session.sources)?;
            lowered_levels(&lowered, input, settings, session, &mut levels)?;
            Ok(levels)
        }
        Form::Assembly => {
            let mut levels = Levels::default();
            let object = build::assembled(input, settings, session)?;
            object_levels(&object, input, settings, &mut levels)?;
            Ok(levels)
        }
        Form::Object => {
            let mut levels = Levels::default();
            let object = build::read(input, settings, session)?;
            object_levels(&object, input, settings, &mut levels)?;
            Ok(levels)
        }
    }
}

fn kernel_levels(
    input: &str,
    args: &Vincic,
    wanted: &[Wanted],
    settings: &Settings,
    session: &mut Session<'_, '_>,
    phases: &mut Phases,
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
    phases.end("parse and check");
    levels.add(Kind::Ast, syntax::print_ast(&loaded.tree));
    let info = loaded.choose(args.compile.kernel.as_deref())?;
    let func = loaded.bind(&info, &settings.values, &std::collections::BTreeMap::new())?;
    phases.end("bind");
    let mut text = algo::print::print(&func);
    text.push_str(&backend::derived_text(&func));
    levels.add(Kind::Algo, text);
    if wanted
        .iter()
        .all(|output| matches!(output.kind, Kind::Ast | Kind::Algo))
    {
        return Ok(levels);
    }
    let compiled = build::compile(&func, settings, &session.sources)?;
    phases.end("tile, place, synchronise, select, emit");
    levels.add(Kind::Schedule, compiled.schedule.to_string());
    levels.add(Kind::Tile, ir::tile::print(&compiled.tiled));
    print_after("tile", &compiled.tiled, settings, session);
    lowered_levels(&compiled.lowered, input, settings, session, &mut levels)?;
    phases.end("print");
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
            | Kind::Asm => session.write(&output.path, bytes)?,
        }
    }
    Ok(())
}

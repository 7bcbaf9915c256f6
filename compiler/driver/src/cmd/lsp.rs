//! `vinci lsp`: the language server with the rest of the toolchain behind it.
//!
//! What it asks for is answered by the commands that people use, so each number is the one that `vinci run` gives.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use diag::{Diagnostic, SourceMap};
use isa::chip::Chip;
use isa::types::Space;
use lsp::{Cost, Cycles, End, Level, LineCost, Source, Toolchain};
use serde_json::Value;
use syntax::ast::Item;

use crate::files::Form;
use crate::host::{Host, Status, Stop};
use crate::session::Session;
use crate::{assembly, command_line, tile};

/// `vinci lsp`: everything else comes from the client.
#[derive(Args, Clone, Debug)]
pub(crate) struct Lsp;

/// Serves standard input and output until the client is done.
pub(crate) fn run(_args: &Lsp, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let (connection, threads) = match lsp::connect(io::stdin(), io::stdout()) {
        Ok(both) => both,
        Err(error) => {
            session.host.complain(&format!("error: {error}\n"));
            return Err(Stop::Said);
        }
    };
    let end = lsp::serve(&connection, Arc::new(Commands { library: cache() }));
    drop(connection);
    // A client that has gone reads no last words.
    let _ = threads.join();
    match end {
        End::Asked => Ok(()),
        End::Abrupt => Err(Stop::Said),
    }
}

/// The toolchain by its commands, with the editor's text as standard input.
pub struct Commands {
    /// Where texts of the library may be laid down for editors to open.
    pub library: Option<PathBuf>,
}

/// The folder for what can be made again, as the platform has it.
fn cache() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| Some(folder("HOME")?.join(".cache")))?;
    let version = env!("CARGO_PKG_VERSION");
    Some(cache.join("vinci").join(version).join("stdlib"))
}

impl Toolchain for Commands {
    fn cost(&self, source: &Source<'_>, kernel: &str) -> Cost {
        cost(source, kernel)
    }

    fn lines(&self, source: &Source<'_>, kernel: &str) -> Vec<LineCost> {
        lines(source, kernel).unwrap_or_default()
    }

    fn show(&self, source: &Source<'_>, kernel: &str, level: Level) -> Result<String, String> {
        let kind = match level {
            Level::Tile => "tile=-",
            Level::Assembly => "asm=-",
            Level::Decisions => "schedule=-",
            Level::Schedule => {
                return command(
                    source,
                    &["vinci", "explain-schedule", "-", "--kernel", kernel],
                );
            }
        };
        command(source, &["vincic", "-", "--emit", kind, "--kernel", kernel])
    }

    fn run(&self, source: &Source<'_>, kernel: &str) -> Result<String, String> {
        command(source, &["vinci", "run", "-", "--kernel", kernel])
    }

    fn library_folder(&self) -> Option<PathBuf> {
        self.library.clone()
    }

    fn findings(&self, source: &Source<'_>) -> Vec<Diagnostic> {
        let mut sources = SourceMap::new();
        let file = sources.add(source.path.to_string_lossy(), source.text);
        let found = match Form::of(&source.path.to_string_lossy()) {
            Ok(Form::Assembly) => assembly::assemble(file, &sources).err(),
            Ok(Form::Tile) => tile::load(file, &sources).err(),
            Ok(Form::Kernel | Form::Object) | Err(_) => None,
        };
        found.unwrap_or_default()
    }
}

/// The sizes of the client's configuration that a kernel has.
fn sizes<'a>(source: &Source<'a>, kernel: &str) -> Vec<&'a str> {
    if source.sizes.is_empty() {
        return Vec::new();
    }
    let parsed = syntax::parse_kernel(diag::FileId(0), source.text);
    let callables = parsed.file.items.iter().filter_map(Item::callable);
    let named = callables.filter(|callable| callable.name.text == kernel);
    let generics = named.flat_map(|callable| &callable.generics);
    let names: Vec<&str> = generics.map(|g| g.name.text.as_str()).collect();
    let has = |word: &&str| {
        let name = word.split('=').next().unwrap_or_default();
        names.contains(&name)
    };
    source
        .sizes
        .iter()
        .map(String::as_str)
        .filter(has)
        .collect()
}

/// What a command prints about the editor's text, or what it complains of. The last word is the kernel.
fn command(source: &Source<'_>, words: &[&str]) -> Result<String, String> {
    let mut args: Vec<OsString> = words[1..].iter().map(OsString::from).collect();
    let kernel = words.last().copied().unwrap_or_default();
    let laid_down = LaidDown::of(source)?;
    if let Some(laid) = &laid_down {
        // Its one kernel needs no name, which could be that of anything on the command line.
        args.truncate(args.len().saturating_sub(2));
        let input = args.iter_mut().find(|word| *word == "-");
        let name = laid.file.file_name().unwrap_or_default();
        input.into_iter().for_each(|word| *word = name.to_owned());
    }
    for size in sizes(source, kernel) {
        args.extend(["-D".into(), size.into()]);
    }
    if let Some(target) = source.target {
        args.extend(["--target".into(), target.into()]);
    }
    let mut input = source.text.as_bytes();
    let file = laid_down
        .as_ref()
        .map_or(source.path, |laid| laid.file.as_path());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut host = Host::new(&mut input, &mut out, &mut err, folder);
    let status = match words.first() {
        Some(&"vincic") => command_line::vincic(&args, &mut host),
        Some(_) | None => command_line::vinci(&args, &mut host),
    };
    drop(laid_down);
    match status {
        Status::Done => Ok(String::from_utf8_lossy(&out).into_owned()),
        Status::Wrong | Status::Defect | Status::Interrupted => {
            Err(String::from_utf8_lossy(&err).into_owned())
        }
    }
}

/// A file with the editor's text, in a folder of its own that goes with it.
struct LaidDown {
    file: PathBuf,
}

impl LaidDown {
    /// Of a text that is no kernel: standard input holds the language.
    fn of(source: &Source<'_>) -> Result<Option<LaidDown>, String> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let form = Form::of(&source.path.to_string_lossy());
        if !matches!(form, Ok(Form::Tile | Form::Assembly)) {
            return Ok(None);
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("vinci-lsp-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        // A folder that is there already is somebody else's.
        std::fs::create_dir(&folder).map_err(|error| error.to_string())?;
        let laid = LaidDown {
            file: folder.join(source.path.file_name().unwrap_or_default()),
        };
        std::fs::write(&laid.file, source.text).map_err(|error| error.to_string())?;
        Ok(Some(laid))
    }
}

impl Drop for LaidDown {
    fn drop(&mut self) {
        if let Some(folder) = self.file.parent() {
            // What stays behind is small, and in the folder for such things.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// What lines cost, by `vinci profile`.
fn lines(source: &Source<'_>, kernel: &str) -> Option<Vec<LineCost>> {
    let words = [
        "vinci",
        "profile",
        "-",
        "--report",
        "json",
        "--what-if",
        "never",
        "--threads",
        "1",
        "-C",
        "verify=off",
        "--kernel",
        kernel,
    ];
    let report: Value = serde_json::from_str(&command(source, &words).ok()?).ok()?;
    let cycles = report["cycles"].as_u64()?;
    let own = |file: &str| {
        let name = source.path.file_name().unwrap_or_default();
        file == "<stdin>" || Path::new(file).file_name() == Some(name)
    };
    let lines = report["lines"].as_array()?.iter();
    let lines = lines.filter(|line| line["file"].as_str().is_some_and(own));
    let line = |line: &Value| {
        let number = line["line"].as_u64()?;
        Some(LineCost {
            line: u32::try_from(number).ok()?,
            path: line["path"].as_u64()?,
            cycles,
            busy: busiest(line["busy"].as_object()?),
            instructions: instructions(&report, number),
        })
    };
    lines.map(line).collect()
}

fn busiest(busy: &serde_json::Map<String, Value>) -> Vec<(String, u64)> {
    let pipes = busy.iter();
    let pipes = pipes.map(|(pipe, cycles)| (pipe.clone(), cycles.as_u64().unwrap_or_default()));
    let mut pipes: Vec<(String, u64)> = pipes.collect();
    pipes.sort_by_key(|(_, cycles)| std::cmp::Reverse(*cycles));
    pipes
}

/// The instructions of a line by mnemonic.
fn instructions(report: &Value, line: u64) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let all = report["instructions"].as_array().into_iter().flatten();
    for one in all.filter(|one| one["line"].as_u64() == Some(line)) {
        let text = one["text"].as_str().unwrap_or_default();
        let mnemonic = text.split(' ').next().unwrap_or_default();
        *counts.entry(mnemonic).or_default() += one["count"].as_u64().unwrap_or_default();
    }
    let counts = counts.into_iter();
    let mut counts: Vec<(String, u64)> = counts
        .map(|(mnemonic, count)| (mnemonic.to_owned(), count))
        .collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// The memories that a run used, with their sizes.
fn memory(report: &Value) -> String {
    let target = report["target"]["name"].as_str().unwrap_or_default();
    let Some(chip) = Chip::builtin(target) else {
        return String::new();
    };
    let spaces = [
        ("l1", Space::L1),
        ("l0a", Space::L0a),
        ("l0b", Space::L0b),
        ("l0c", Space::L0c),
        ("ub", Space::Ub),
    ];
    let used = spaces.into_iter().filter_map(|(name, space)| {
        let bytes = report["peak_bytes"][name]
            .as_u64()
            .filter(|bytes| *bytes > 0)?;
        let size = chip.space_bytes(space) >> 10;
        let name = name.to_uppercase();
        Some(format!("{name} {}/{size} KiB", bytes.div_ceil(1 << 10)))
    });
    used.collect::<Vec<String>>().join(" · ")
}

/// The modelled time of a kernel, without values. Other kernels are timed beside it, so one thread is enough; the proof that
/// the object has no hazard changes no cycle, and a run makes it.
fn cost(source: &Source<'_>, kernel: &str) -> Cost {
    let words = [
        "vinci",
        "run",
        "-",
        "--timing-only",
        "--threads",
        "1",
        "-C",
        "verify=off",
        "--report",
        "json",
        "--kernel",
        kernel,
    ];
    let answer = command(source, &words).and_then(|text| {
        serde_json::from_str::<Value>(&text)
            .map_err(|e: serde_json::Error| io::Error::from(e).to_string())
    });
    let report = match answer {
        Ok(report) => report,
        Err(text) => {
            let first = text.lines().next().unwrap_or_default().to_owned();
            return Cost {
                kernel: kernel.to_owned(),
                sizes: String::new(),
                cycles: Err(first),
            };
        }
    };
    let sizes = report["sizes"].as_object().into_iter().flatten();
    let sizes: Vec<String> = sizes.map(|(name, size)| format!("{name}={size}")).collect();
    Cost {
        kernel: kernel.to_owned(),
        sizes: sizes.join(" "),
        cycles: Ok(Cycles {
            cycles: report["cycles"].as_u64().unwrap_or_default(),
            bound: report["bound"]["kind"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            reached: report["bound"]["fraction"].as_f64().unwrap_or_default(),
            memory: memory(&report),
        }),
    }
}

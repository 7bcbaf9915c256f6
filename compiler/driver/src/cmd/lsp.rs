//! `vinci lsp`: the language server with the rest of the toolchain behind it.
//!
//! What it asks for is answered by the commands that people use, so each number is the one that `vinci run` gives.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use diag::{Diagnostic, SourceMap};
use lsp::{Cost, Cycles, End, Level, Source, Toolchain};
use serde_json::Value;
use syntax::ast::ItemKind;

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

    fn show(&self, source: &Source<'_>, kernel: &str, level: Level) -> Result<String, String> {
        let kind = match level {
            Level::Tile => "tile=-",
            Level::Assembly => "asm=-",
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
    let items = parsed.file.items.iter();
    let generics = items.filter_map(|item| match &item.kind {
        ItemKind::Callable(callable) if callable.name.text == kernel => Some(&callable.generics),
        ItemKind::Callable(_)
        | ItemKind::Monoid(_)
        | ItemKind::Const(_)
        | ItemKind::Assert(_)
        | ItemKind::Use(_)
        | ItemKind::Schedule(_)
        | ItemKind::Error { .. } => None,
    });
    let names: Vec<&str> = generics.flatten().map(|g| g.name.text.as_str()).collect();
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
    for size in sizes(source, kernel) {
        args.extend(["-D".into(), size.into()]);
    }
    if let Some(target) = source.target {
        args.extend(["--target".into(), target.into()]);
    }
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut input = source.text.as_bytes();
    let folder = source.path.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut host = Host::new(&mut input, &mut out, &mut err, folder);
    let status = match words.first() {
        Some(&"vincic") => command_line::vincic(&args, &mut host),
        Some(_) | None => command_line::vinci(&args, &mut host),
    };
    match status {
        Status::Done => Ok(String::from_utf8_lossy(&out).into_owned()),
        Status::Wrong | Status::Defect | Status::Interrupted => {
            Err(String::from_utf8_lossy(&err).into_owned())
        }
    }
}

/// The modelled time of a kernel, without values.
fn cost(source: &Source<'_>, kernel: &str) -> Cost {
    let words = [
        "vinci",
        "run",
        "-",
        "--timing-only",
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
        }),
    }
}

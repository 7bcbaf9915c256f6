//! `vinci fmt`: the one layout of `.vn`, `.tile` and `.vasm` files.

use std::fs;

use clap::Args;
use diag::Diagnostic;
use syntax::fmt::{TextForm, format};

use crate::files::Form;
use crate::host::Stop;
use crate::session::Session;
use crate::{difference, errors};

/// `vinci fmt`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Fmt {
    /// `.vn`, `.tile` or `.vasm` files, folders of such, or `-` for a `.vn` text from standard input
    #[arg(value_name = "FILE|FOLDER", required = true)]
    pub(crate) files: Vec<String>,
    /// Writes nothing, shows what would change, and ends with status 1 if anything would
    #[arg(long)]
    pub(crate) check: bool,
}

/// Formats files, or with `--check` shows what would change. Goes on to the other files past one with mistakes.
pub(crate) fn run(args: &Fmt, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let mut found = Vec::new();
    let mut different = false;
    for path in &paths(&args.files, session)? {
        match formatted(path, session) {
            Ok((before, after)) if args.check => {
                different |= difference::show(path, "formatted", (&before, &after), session)?
            }
            Ok((_, after)) if path == "-" => session.host.print(&after)?,
            Ok((before, after)) if before == after => {}
            Ok((_, after)) => session.write(path, after.as_bytes())?,
            Err(more) => found.extend(more),
        }
    }
    if !found.is_empty() {
        return Err(Stop::Findings(found));
    }
    if different { Err(Stop::Said) } else { Ok(()) }
}

/// The `.vn` files that are named, and those below the folders that are.
pub(super) fn kernels(
    given: &[String],
    session: &Session<'_, '_>,
) -> Result<Vec<String>, Diagnostic> {
    let mut files = paths(given, session)?;
    let named = |path: &String| given.contains(path);
    files.retain(|path| named(path) || Form::of(path) == Ok(Form::Kernel));
    match files.iter().find(|path| Form::of(path) != Ok(Form::Kernel)) {
        Some(other) => Err(errors::unknown_extension(other, "`.vn`")),
        None => Ok(files),
    }
}

/// The files that are named, and those below the folders that are.
fn paths(given: &[String], session: &Session<'_, '_>) -> Result<Vec<String>, Diagnostic> {
    let mut files = Vec::new();
    for path in given {
        if path != "-" && session.host.path(path).is_dir() {
            below(path, session, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// Adds what can be formatted below a folder, in the order of names. Links are not followed, so there is an end.
fn below(
    folder: &str,
    session: &Session<'_, '_>,
    files: &mut Vec<String>,
) -> Result<(), Diagnostic> {
    let failed = |e: std::io::Error| errors::cannot_read(folder, &e);
    let mut entries = Vec::new();
    for entry in fs::read_dir(session.host.path(folder)).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.push((name, entry.file_type().map_err(failed)?));
    }
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    for (name, kind) in entries {
        let path = match folder {
            "." => name.clone(),
            folder => format!("{}/{name}", folder.trim_end_matches('/')),
        };
        if kind.is_dir() && !name.starts_with('.') {
            below(&path, session, files)?;
        } else if kind.is_file() && Form::of(&path).is_ok_and(|form| form != Form::Object) {
            files.push(path);
        }
    }
    Ok(())
}

/// A file's text before and after.
fn formatted(
    path: &str,
    session: &mut Session<'_, '_>,
) -> Result<(String, String), Vec<Diagnostic>> {
    let form = Form::of(path).map_err(|e| vec![e])?;
    if form == Form::Object {
        return Err(vec![errors::unknown_extension(
            path,
            "`.vn`, `.tile`, `.vasm`",
        )]);
    }
    let file = session.read_text(path).map_err(|e| vec![e])?;
    let text = session.sources.text(file);
    let after = match form {
        Form::Kernel => format(TextForm::Kernel, file, text)?,
        Form::Tile => format(TextForm::Tile, file, text)?,
        Form::Assembly | Form::Object => isa::asm::format(text).map_err(|found| {
            found
                .iter()
                .map(|e| errors::asm::line(file, e))
                .collect::<Vec<_>>()
        })?,
    };
    Ok((text.to_owned(), after))
}

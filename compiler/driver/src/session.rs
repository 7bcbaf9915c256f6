//! One command's state: the texts it read, how it shows findings, the world it may touch.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use diag::{Diagnostic, FileId, Look, SourceFile, SourceMap};
use isa::chip::Chip;
use isa::object::Object;
use serde_json::{Value, json};

use crate::args::{Color, ErrorFormat, Findings, JsonKind};
use crate::host::{Host, Stop};
use crate::kernel::{self, KernelFile};
use crate::lints::Lints;
use crate::progress::Progress;
use crate::{errors, output, paths};

/// What `-` is called in findings.
const STDIN_NAME: &str = "<stdin>";

/// A part of a command's work that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    /// What was done.
    pub(crate) name: &'static str,
    /// How long it took.
    pub(crate) seconds: f64,
}

/// The state of one command.
pub(crate) struct Session<'h, 'w> {
    /// The world.
    pub(crate) host: &'h mut Host<'w>,
    /// Every text that was read.
    pub(crate) sources: SourceMap,
    /// Findings that do not stop anything, shown at the end.
    pub(crate) warnings: Vec<Diagnostic>,
    format: ErrorFormat,
    look: Look,
    quiet: bool,
    lints: Lints,
    json: Vec<JsonKind>,
    /// Most errors that are shown.
    pub(crate) error_limit: Option<usize>,
    /// Beginnings of paths, and what is shown in their place.
    pub(crate) remap: Vec<(String, String)>,
    /// Folders besides a file's own below which `use` looks, in order.
    roots: Vec<String>,
    phases: Vec<Phase>,
    /// When the last phase ended.
    since: Instant,
}

impl<'h, 'w> Session<'h, 'w> {
    /// Starts a session.
    pub(crate) fn new(host: &'h mut Host<'w>, findings: &Findings) -> Session<'h, 'w> {
        let color = match findings.color {
            Color::Auto => host.color,
            Color::Always => true,
            Color::Never => false,
        };
        let columns = host.columns;
        Session {
            host,
            sources: SourceMap::new(),
            warnings: Vec::new(),
            format: match findings.json.is_empty() {
                true => findings.error_format,
                false => ErrorFormat::Json,
            },
            look: Look {
                color,
                columns: findings.diagnostic_width.or(columns),
            },
            quiet: findings.quiet,
            lints: Lints::default(),
            json: findings.json.clone(),
            error_limit: None,
            remap: Vec::new(),
            roots: findings.roots.clone(),
            phases: Vec::new(),
            since: Instant::now(),
        }
    }

    /// A phase is over; the next one begins.
    pub(crate) fn phase(&mut self, name: &'static str) {
        let seconds = self.since.elapsed().as_secs_f64();
        self.since = Instant::now();
        self.phases.push(Phase { name, seconds });
        self.host.log(|| format!("{name}: {:.3} ms", seconds * 1e3));
    }

    /// The phases that are over.
    pub(crate) fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// A line that shows how far work of so many steps is; 0 steps if nobody knows how many.
    pub(crate) fn progress(&self, steps: u64, what: &str) -> Progress {
        let shown = self.host.err_is_terminal && !self.quiet && self.format != ErrorFormat::Json;
        Progress::new(shown, steps, what)
    }

    /// A finding as JSON, its `rendered` as `--json` wants it.
    fn json_line(&self, found: &Diagnostic) -> String {
        let line = diag::render_json(found, &self.sources);
        let one = std::slice::from_ref(found);
        let rendered = if self.json.contains(&JsonKind::DiagnosticShort) {
            diag::render_short(one, &self.sources)
        } else if self.json.contains(&JsonKind::DiagnosticRenderedAnsi) {
            diag::render_text(one, &self.sources, true)
        } else {
            return line;
        };
        match serde_json::from_str::<Value>(&line) {
            Ok(mut value) => {
                value["rendered"] = rendered.into();
                value.to_string()
            }
            Err(_) => line,
        }
    }

    /// Tells of a file that was written, if `--json=artifacts` asks.
    pub(crate) fn artifact(&mut self, path: &str, emit: &str) {
        if self.json.contains(&JsonKind::Artifacts) && path != "-" {
            let line = json!({ "$message_type": "artifact", "artifact": path, "emit": emit });
            self.host.complain(&format!("{line}\n"));
        }
    }

    /// Reads the levels of lints.
    pub(crate) fn set_lints(&mut self, args: &[OsString], findings: &Findings) -> Result<(), Stop> {
        self.lints = Lints::read(args, findings.cap_lints.as_deref())?;
        let unknown = self.lints.unknown()?;
        if unknown.iter().any(Diagnostic::is_error) {
            return Err(unknown.into());
        }
        self.warnings.extend(unknown);
        Ok(())
    }

    /// Shows what stopped the command, after the warnings before it.
    pub(crate) fn show(&mut self, found: Vec<Diagnostic>) {
        let mut all = std::mem::take(&mut self.warnings);
        all.extend(found);
        diag::sort(&mut all);
        let hidden = self.limit(&mut all);
        let sources = &self.sources;
        let text = match self.format {
            ErrorFormat::Human => {
                diag::render_text_as(&all, sources, self.look) + &diag::render_summary(&all)
            }
            ErrorFormat::Short => diag::render_short(&all, sources),
            ErrorFormat::Json => all
                .iter()
                .map(|d| self.json_line(d) + "\n")
                .collect::<String>(),
        };
        self.host.complain(&text);
        if hidden > 0 && self.format == ErrorFormat::Human {
            let errors = if hidden == 1 {
                "error is"
            } else {
                "errors are"
            };
            self.host.complain(&format!(
                "note: {hidden} more {errors} not shown: `-C error-limit`\n"
            ));
        }
    }

    /// Leaves out the errors beyond `-C error-limit`; gives how many.
    fn limit(&self, found: &mut Vec<Diagnostic>) -> usize {
        let Some(most) = self.error_limit else {
            return 0;
        };
        let (mut errors, before) = (0, found.len());
        found.retain(|found| {
            errors += usize::from(found.is_error());
            !found.is_error() || errors <= most
        });
        before - found.len()
    }

    /// Shows the warnings of a command that came to its end.
    pub(crate) fn show_warnings(&mut self) {
        if !self.warnings.is_empty() {
            self.show(Vec::new());
        }
    }

    /// Reads a text; `-` is standard input.
    pub(crate) fn read_text(&mut self, path: &str) -> Result<FileId, Diagnostic> {
        let bytes = self.read_bytes(path)?;
        let name = if path == "-" { STDIN_NAME } else { path };
        match String::from_utf8(bytes) {
            Ok(text) => {
                let name = shown_name(&self.remap, name);
                // A command may read a file for each of many runs.
                let known =
                    |(_, file): &(FileId, &SourceFile)| file.name == name && file.text == text;
                let same = self.sources.iter().find(known).map(|(id, _)| id);
                match same {
                    Some(id) => Ok(id),
                    None => Ok(self.sources.add(name, text)),
                }
            }
            Err(e) => Err(errors::not_text(name, e.utf8_error().valid_up_to())),
        }
    }

    /// Refuses folders of `-I` that are none.
    pub(crate) fn check_roots(&self) -> Result<(), Stop> {
        for root in &self.roots {
            fs::read_dir(self.host.path(root)).map_err(|e| errors::cannot_read(root, &e))?;
        }
        Ok(())
    }

    /// Reads, parses and checks a `.vn` file; `use` finds files in its folder, and below it, then below those of `-I`, before
    /// those of the library.
    pub(crate) fn load_kernel(&mut self, path: &str) -> Result<KernelFile, Vec<Diagnostic>> {
        let file = self.read_text(path).map_err(|e| vec![e])?;
        self.check_kernel(path, file)
    }

    /// Parses and checks a `.vn` file that was read from a path.
    pub(crate) fn check_kernel(
        &mut self,
        path: &str,
        file: FileId,
    ) -> Result<KernelFile, Vec<Diagnostic>> {
        let folder = if path == "-" { "" } else { path };
        let folder = Path::new(folder).parent().unwrap_or(Path::new(""));
        let place = self.host.path("");
        let remap = self.remap.clone();
        let roots: Vec<PathBuf> = std::iter::once(folder.to_owned())
            .chain(self.roots.iter().map(PathBuf::from))
            .collect();
        let below = |root: &PathBuf, module: &str| {
            let name = root.join(format!("{module}.vn"));
            let name = name.to_string_lossy().into_owned();
            let text = fs::read_to_string(place.join(paths::real(&name))).ok()?;
            Some((shown_name(&remap, &name), text))
        };
        let beside = |module: &str| roots.iter().find_map(|root| below(root, module));
        let mut found = Vec::new();
        let loaded = kernel::load_with(file, &mut self.sources, &mut found, &beside)?;
        self.lints.level(&mut found);
        if found.iter().any(Diagnostic::is_error) {
            return Err(found);
        }
        self.warnings.extend(found);
        Ok(loaded)
    }

    /// Reads the sources that an object's line table names, where they are at hand; a fault then shows them.
    pub(crate) fn read_line_files(&mut self, object: &Object) {
        for name in &object.files {
            if self.sources.iter().all(|(_, known)| known.name != *name)
                && let Ok(text) = fs::read_to_string(self.host.path(name))
            {
                self.sources.add(name.as_str(), text);
            }
        }
    }

    /// Reads a file; `-` is standard input.
    pub(crate) fn read_bytes(&mut self, path: &str) -> Result<Vec<u8>, Diagnostic> {
        if path == "-" {
            let mut bytes = Vec::new();
            let read = self.host.input.read_to_end(&mut bytes);
            return read
                .map(|_| bytes)
                .map_err(|e| errors::cannot_read(STDIN_NAME, &e));
        }
        let bytes = fs::read(self.host.path(path)).map_err(|e| errors::cannot_read(path, &e))?;
        self.host
            .log(|| format!("read `{path}`, {} bytes", bytes.len()));
        Ok(bytes)
    }

    /// Writes an output; `-` is standard output.
    pub(crate) fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Stop> {
        if path == "-" {
            return self.host.print_bytes(bytes);
        }
        output::write_file(&self.host.path(path), path, bytes)?;
        self.host
            .log(|| format!("wrote `{path}`, {} bytes", bytes.len()));
        Ok(())
    }

    /// Writes several results: all of them, or none of those that are files.
    pub(crate) fn write_all(&mut self, outputs: &[(&str, &[u8])]) -> Result<(), Stop> {
        let files = outputs.iter().filter(|(path, _)| *path != "-");
        let mut staged = Vec::new();
        for (path, bytes) in files {
            staged.push(output::Staged::write(&self.host.path(path), path, bytes)?);
        }
        for (_, bytes) in outputs.iter().filter(|(path, _)| *path == "-") {
            self.host.print_bytes(bytes)?;
        }
        for file in staged {
            file.keep()?;
        }
        for (path, bytes) in outputs.iter().filter(|(path, _)| *path != "-") {
            self.host
                .log(|| format!("wrote `{path}`, {} bytes", bytes.len()));
        }
        Ok(())
    }

    /// Writes an object, but neither over its input nor to a terminal.
    pub(crate) fn write_object(
        &mut self,
        path: &str,
        input: &str,
        bytes: &[u8],
    ) -> Result<(), Stop> {
        self.check_object_path(path, input)?;
        self.write(path, bytes)
    }

    /// Refuses to write an object to a terminal or over its input.
    pub(crate) fn check_object_path(&self, path: &str, input: &str) -> Result<(), Stop> {
        if path == "-" && self.host.out_is_terminal {
            return Err(errors::binary_on_terminal().into());
        }
        Ok(self.protect(path, input)?)
    }

    /// Refuses an output that is the input.
    pub(crate) fn protect(&self, output: &str, input: &str) -> Result<(), Diagnostic> {
        let same = |a: &str, b: &str| {
            let place = |given: &str| fs::canonicalize(self.host.path(given)).ok();
            a != "-" && b != "-" && place(a).is_some_and(|a| Some(a) == place(b))
        };
        if same(output, input) {
            Err(errors::output_is_input(output))
        } else {
            Ok(())
        }
    }

    /// The chip of a `--target`: a built-in one or a chip file.
    pub(crate) fn chip(&mut self, name: &str) -> Result<Chip, Diagnostic> {
        if let Some(chip) = Chip::builtin(name) {
            return Ok(chip);
        }
        if !name.ends_with(".toml") {
            return Err(errors::unknown_target(
                name,
                &Chip::names().collect::<Vec<_>>(),
            ));
        }
        let file = self.read_text(name)?;
        let folder = self
            .host
            .path(name)
            .parent()
            .map(std::path::Path::to_path_buf);
        // A file may extend one beside it; whatever cannot be read there may still be built in.
        let beside =
            |base: &str| fs::read_to_string(folder.as_ref()?.join(format!("{base}.toml"))).ok();
        Chip::from_toml(self.sources.text(file), &beside).map_err(|e| errors::bad_target(name, &e))
    }
}

/// The name of a path in findings and line tables.
fn shown_name(remap: &[(String, String)], path: &str) -> String {
    let shown = paths::shown(path);
    let renamed =
        |(from, to): &(String, String)| Some(format!("{to}{}", shown.strip_prefix(from.as_str())?));
    remap.iter().rev().find_map(renamed).unwrap_or(shown)
}

//! What the options of a compilation mean: chip, level, sizes and types, code generation keys.

use std::path::PathBuf;

use backend::Level;
use diag::Diagnostic;
use isa::chip::Chip;
use search::Budget;
use syntax::ast::File;

use crate::args::Compile;
use crate::errors;
use crate::host::Stop;
use crate::kernel::{self, Unread, Values};
use crate::session::Session;

/// The meaning of the options that decide a kernel's code.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The chip.
    pub chip: Chip,
    /// Whether `--target` named it.
    pub target_given: bool,
    /// How hard to try.
    pub level: Level,
    /// Sizes and element types of `-D`.
    pub values: Values,
    /// `-C schedule=FILE`: what takes the place of the schedules in the source.
    pub schedule: Option<File>,
    /// `-C verify`.
    pub verify: Verify,
    /// `-C search-budget=N`: how much `-O3` may try.
    pub budget: Budget,
    /// Where schedules that were searched are kept; none for `-C search-cache=off`.
    pub cache: Option<PathBuf>,
    /// `-Z verify-each`.
    pub verify_each: bool,
    /// `-Z time-passes`.
    pub time_passes: bool,
    /// `-Z print-after=PASS`.
    pub print_after: Vec<String>,
    /// `-Z stop-after=PASS`: `tile` or a pass.
    pub stop_after: Option<String>,
    /// `-Z passes=PASS,…`.
    pub passes: Option<Vec<String>>,
}

/// Whether finished objects are proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// If it does not take long.
    #[default]
    Usual,
    /// However long it takes.
    On,
    /// Not at all.
    Off,
}

/// Levels by the text after `-O` or `opt-level=`.
const LEVELS: [(&str, Level); 3] = [("0", Level::O0), ("1", Level::O1), ("3", Level::O3)];

/// Words for passes after which the tile form can be printed: the tiler, the rows of the pass table, and all of them.
fn passes() -> Vec<&'static str> {
    let rows = backend::pipeline::PASSES.iter().map(|pass| pass.name);
    ["tile"].into_iter().chain(rows).chain(["all"]).collect()
}

/// Keys of `-C` and what they do.
pub(crate) const CODEGEN: &[(&str, &str)] = &[
    ("opt-level=0|1|3", "the same as -O"),
    (
        "error-limit=N",
        "shows no more errors than that; 0 shows all",
    ),
    (
        "schedule=FILE",
        "takes the schedules of a file instead of those in the source",
    ),
    (
        "verify=on|off",
        "proves the object however long it takes, or not at all",
    ),
    (
        "search-budget=N",
        "candidates that -O3 may compile and time at most",
    ),
    (
        "search-cache=DIR|off",
        "where -O3 keeps what it found; the user's cache folder if nothing is said",
    ),
];

/// Keys of `-Z` and what they do.
pub(crate) const UNSTABLE: &[(&str, &str)] = &[
    (
        "print-after=PASS",
        "prints the tile form on standard error after `tile`, a pass, or `all`",
    ),
    (
        "time-passes",
        "prints how long each phase took on standard error",
    ),
    (
        "stop-after=PASS",
        "stops after `tile` or a pass, and writes the tile form instead of an object",
    ),
    (
        "passes=PASS,…",
        "runs these passes over the tile form and no others, and writes what comes out",
    ),
    (
        "verify-each",
        "checks the tile form after each pass, and that its values are the same",
    ),
];

impl Settings {
    /// Settings for a chip, everything else as if nothing were said.
    pub fn new(chip: Chip, level: Level) -> Settings {
        Settings {
            chip,
            target_given: false,
            level,
            values: Values::default(),
            schedule: None,
            verify: Verify::Usual,
            budget: Budget::default(),
            cache: None,
            verify_each: false,
            time_passes: false,
            print_after: Vec::new(),
            stop_after: None,
            passes: None,
        }
    }

    /// Reads the options.
    pub(crate) fn read(args: &Compile, session: &mut Session<'_, '_>) -> Result<Settings, Stop> {
        let chip = session.chip(args.target.as_deref().unwrap_or(Chip::DEFAULT))?;
        let mut settings = Settings::new(chip, level("-O", args.opt.as_deref().unwrap_or("1"))?);
        settings.target_given = args.target.is_some();
        settings.cache = session.host.cache.clone();
        for option in &args.codegen {
            match option.split_once('=') {
                Some(("schedule", path)) => settings.schedule = Some(schedule(path, session)?),
                Some(("search-cache", folder)) => {
                    let given = || session.host.path(folder);
                    settings.cache = (folder != "off").then(given);
                }
                Some(("error-limit", text)) => session.error_limit = error_limit(text)?,
                Some(_) | None => settings.codegen(option, args.opt.is_some())?,
            }
        }
        for option in &args.unstable {
            settings.unstable(option)?;
        }
        // A word without `=` is a lint, which the session has read.
        let words = args
            .define
            .iter()
            .flat_map(|words| assignments(words))
            .filter(|word| word.contains('='));
        settings.values = Values::read(words).map_err(|unread| match unread {
            Unread::Form(word) => errors::option_form("-D", word, "NAME=SIZE or NAME=TYPE"),
            Unread::Twice(name) => errors::given_twice("-D", name),
        })?;
        settings.values.dynamic = args.dynamic;
        Ok(settings)
    }

    /// The passes that run if not all do: those of `-Z passes`, or all up to that of `-Z stop-after`.
    pub(crate) fn wanted_passes(&self) -> Option<Vec<String>> {
        if let Some(names) = &self.passes {
            return Some(names.clone());
        }
        let last = self.stop_after.as_deref()?;
        let rows = backend::pipeline::PASSES.iter().map(|pass| pass.name);
        let count = rows
            .clone()
            .position(|name| name == last)
            .map_or(0, |at| at + 1);
        Some(rows.take(count).map(str::to_owned).collect())
    }

    /// What the back end needs to know.
    pub fn options(&self) -> backend::Options {
        backend::Options {
            level: self.level,
            verify_each: self.verify_each,
        }
    }

    fn codegen(&mut self, option: &str, has_level: bool) -> Result<(), Diagnostic> {
        match option.split_once('=') {
            // `-O` is the later word of the two, wherever it stands.
            Some(("opt-level", value)) if has_level => level("-C opt-level", value).map(drop),
            Some(("opt-level", value)) => {
                self.level = level("-C opt-level", value)?;
                Ok(())
            }
            Some(("verify", "on")) => {
                self.verify = Verify::On;
                Ok(())
            }
            Some(("verify", "off")) => {
                self.verify = Verify::Off;
                Ok(())
            }
            Some(("verify", value)) => {
                Err(errors::option_value("-C verify", value, &["on", "off"]))
            }
            Some(("search-budget", value)) => {
                let form = || errors::option_form("-C search-budget", value, "a number from 1 on");
                self.budget.timed = value.parse().ok().filter(|n| *n > 0).ok_or_else(form)?;
                Ok(())
            }
            Some(_) | None => Err(errors::option_key("-C", option, CODEGEN)),
        }
    }

    fn unstable(&mut self, option: &str) -> Result<(), Diagnostic> {
        match option.split_once('=').unwrap_or((option, "")) {
            ("verify-each", "") => self.verify_each = true,
            // Not listed: it is there so that what a defect says can be tested.
            ("ice", "") => panic!("asked for with -Z ice"),
            ("time-passes", "") => self.time_passes = true,
            ("stop-after", pass) if pass != "all" && passes().contains(&pass) => {
                self.stop_after = Some(pass.to_owned())
            }
            ("passes", list) => {
                let known: Vec<&str> = backend::pipeline::PASSES
                    .iter()
                    .map(|pass| pass.name)
                    .collect();
                let names = list
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty());
                let names: Vec<String> = names.map(str::to_owned).collect();
                if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
                    return Err(errors::option_value("-Z passes", name, &known));
                }
                self.passes = Some(names);
            }
            ("stop-after", pass) => {
                let mut known = passes();
                known.pop();
                return Err(errors::option_value("-Z stop-after", pass, &known));
            }
            ("print-after", pass) if passes().contains(&pass) => {
                self.print_after.push(pass.to_owned())
            }
            ("print-after", pass) => {
                return Err(errors::option_value("-Z print-after", pass, &passes()));
            }
            _ => return Err(errors::option_key("-Z", option, UNSTABLE)),
        }
        Ok(())
    }
}

/// The value of `-C error-limit=N`; 0 is none.
fn error_limit(text: &str) -> Result<Option<usize>, Diagnostic> {
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(most) => Ok(Some(most)),
        Err(_) => Err(errors::option_form(
            "-C",
            &format!("error-limit={text}"),
            "error-limit=NUMBER",
        )),
    }
}

/// The tree of a file of schedules.
fn schedule(path: &str, session: &mut Session<'_, '_>) -> Result<File, Stop> {
    let file = session.read_text(path)?;
    let (tree, found) = kernel::parse(file, &session.sources);
    match found.iter().any(Diagnostic::is_error) {
        true => Err(found.into()),
        false => Ok(tree),
    }
}

/// The parts of `M=64,N=32`; a word that is one assignment stays whole, its value may have commas.
fn assignments(words: &str) -> Vec<&str> {
    let parts: Vec<&str> = words.split(',').collect();
    match parts.iter().all(|part| part.contains('=')) {
        true => parts,
        false => vec![words],
    }
}

fn level(option: &str, text: &str) -> Result<Level, Diagnostic> {
    let known = LEVELS.iter().find(|(name, _)| *name == text);
    let names: Vec<&str> = LEVELS.iter().map(|(name, _)| *name).collect();
    known
        .map(|(_, level)| *level)
        .ok_or_else(|| errors::option_value(option, text, &names))
}

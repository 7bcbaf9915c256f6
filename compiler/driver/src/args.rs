//! What command lines have in common, as clap reads them. Values are only text here; `session.rs` and the commands give them
//! meaning. Knows no command: each has its own arguments in its file.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

/// Shapes of findings.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ErrorFormat {
    /// Snippets for people
    #[default]
    Human,
    /// One line a finding
    Short,
    /// One JSON object a line, with rustc's keys
    Json,
}

/// When to colour findings.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On terminals, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Even into files
    Always,
    /// Not at all
    Never,
}

/// What `--json` adds.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum JsonKind {
    /// A line for each file that is written
    Artifacts,
    /// `rendered` has colours
    DiagnosticRenderedAnsi,
    /// `rendered` is one line
    DiagnosticShort,
}

/// How findings are shown.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Findings {
    /// How to show what is wrong
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        global = true
    )]
    pub(crate) error_format: ErrorFormat,
    /// With JSON, more of it: artifacts, diagnostic-rendered-ansi, diagnostic-short
    #[arg(
        long,
        value_name = "KIND,…",
        value_enum,
        value_delimiter = ',',
        global = true
    )]
    pub(crate) json: Vec<JsonKind>,
    /// When to colour it
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, global = true)]
    pub(crate) color: Color,
    /// How many columns a finding may take; without it those of the terminal, or `COLUMNS`
    #[arg(long, value_name = "COLUMNS", global = true)]
    pub(crate) diagnostic_width: Option<usize>,
    /// Does not warn of what this lint finds; `-W help` lists the lints
    #[arg(short = 'A', long, value_name = "LINT", global = true)]
    pub(crate) allow: Vec<String>,
    /// Warns of it
    #[arg(short = 'W', long, value_name = "LINT", global = true)]
    pub(crate) warn: Vec<String>,
    /// Makes it an error, as `-D LINT` does
    #[arg(long, value_name = "LINT", global = true)]
    pub(crate) deny: Vec<String>,
    /// Makes it an error, whatever else is said
    #[arg(short = 'F', long, value_name = "LINT", global = true)]
    pub(crate) forbid: Vec<String>,
    /// The highest level of any lint: allow, warn, deny or forbid
    #[arg(long, value_name = "LEVEL", global = true)]
    pub(crate) cap_lints: Option<String>,
    /// Another folder below which `use` looks for files, after that of the file itself
    #[arg(short = 'I', value_name = "DIR", global = true)]
    pub(crate) roots: Vec<String>,
    /// Shows no progress
    #[arg(short = 'q', long, global = true)]
    pub(crate) quiet: bool,
}

impl Findings {
    /// What a command line that cannot be read says about the form of findings.
    pub(crate) fn guess(args: &[OsString]) -> Findings {
        let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
        let value = |option: &str| {
            let mut found = None;
            for (at, word) in words.iter().enumerate() {
                match word.strip_prefix(option) {
                    Some("") => found = words.get(at + 1).map(|next| next.to_string()),
                    Some(rest) => found = rest.strip_prefix('=').map(str::to_owned).or(found),
                    None => {}
                }
            }
            found
        };
        let read = |text: String| ErrorFormat::from_str(&text, true).ok();
        let when = |text: String| Color::from_str(&text, true).ok();
        Findings {
            error_format: value("--error-format").and_then(read).unwrap_or_default(),
            color: value("--color").and_then(when).unwrap_or_default(),
            ..Findings::default()
        }
    }
}

/// What decides the code of a kernel.
#[derive(Args, Clone, Debug)]
pub(crate) struct Compile {
    /// The chip, or a chip file; 910b2 if nothing is said
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(crate) target: Option<String>,
    /// Which kernel of the file
    #[arg(long, value_name = "NAME")]
    pub(crate) kernel: Option<String>,
    /// A size or an element type of the kernel; `NAME=?` leaves a size to the launch. `-D LINT` makes a lint an error
    #[arg(short = 'D', value_name = "NAME=VALUE|LINT")]
    pub(crate) define: Vec<String>,
    /// Leaves every size that `-D` does not give to the launch
    #[arg(long)]
    pub(crate) dynamic: bool,
    /// Optimisation level: 0, 1 or 3; `-O` alone is 3
    #[arg(short = 'O', value_name = "LEVEL", overrides_with = "opt")]
    pub(crate) opt: Option<String>,
    /// Code generation option; `-C help` lists them
    #[arg(short = 'C', value_name = "KEY[=VALUE]")]
    pub(crate) codegen: Vec<String>,
    /// For compiler developers; `-Z help` lists them
    #[arg(short = 'Z', value_name = "KEY[=VALUE]")]
    pub(crate) unstable: Vec<String>,
}

/// More host threads than that are of no use to anybody.
const MOST_THREADS: usize = 1024;

/// The value of `--threads`.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number <= MOST_THREADS => Ok(number),
        Ok(_) | Err(_) => Err(format!("it is a number from 0 to {MOST_THREADS}")),
    }
}

/// The value of `--seed`.
fn seed(text: &str) -> Result<u64, String> {
    let wrong = |_| format!("it is a number from 0 to {}", u64::MAX);
    text.parse().map_err(wrong)
}

/// A file that is run, and what it is run with.
#[derive(Args, Clone, Debug)]
pub(crate) struct Subject {
    /// A `.vn`, `.tile`, `.vasm` or `.vo` file
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) compile: Compile,
    /// An argument: an array file (`.npy`, or `.npz` and `.safetensors` with `:KEY` if the array has another name), or the
    /// value of a scalar; what is not given is drawn
    #[arg(
        long = "arg",
        value_name = "NAME=FILE|VALUE",
        allow_hyphen_values = true
    )]
    pub(crate) args: Vec<String>,
    /// What drawn arguments depend on
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        allow_negative_numbers = true,
        value_parser = seed
    )]
    pub(crate) seed: u64,
}

impl Subject {
    /// A file whose arguments are all drawn.
    pub(crate) fn plain(file: &str, compile: &Compile) -> Subject {
        Subject {
            file: file.to_owned(),
            compile: compile.clone(),
            args: Vec::new(),
            seed: 0,
        }
    }
}

/// How a run executes, and what it is watched for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Execution {
    /// Instructions one core may execute before the run is called endless
    #[arg(long, value_name = "NUMBER", default_value_t = emulator::Options::default().max_steps)]
    pub(crate) max_steps: u64,
    /// In which of the allowed orders instructions execute; the cycles are the same for all
    #[arg(
        long,
        value_name = "in-order|adversarial:SEED",
        default_value = "in-order"
    )]
    pub(crate) schedule: String,
    /// What to look for while emulating: all (mistakes), none, or some of uninit, hazards, flags; and nan, inf for the
    /// first such result, with stop to stop at it. Alone it means all
    #[arg(
        long,
        value_name = "WHAT,…",
        value_delimiter = ',',
        num_args = 0..,
        require_equals = true,
        default_missing_value = "all",
        default_value = "all"
    )]
    pub(crate) sanitize: Vec<String>,
}

impl Default for Execution {
    fn default() -> Execution {
        Execution {
            max_steps: emulator::Options::default().max_steps,
            schedule: "in-order".to_owned(),
            sanitize: vec!["all".to_owned()],
        }
    }
}

/// What `--help` says of the environment.
pub(crate) const ENVIRONMENT: &str = "Environment:
  NO_COLOR, CLICOLOR_FORCE, TERM=dumb  whether there are colours if `--color` does not say
  COLUMNS                              how wide findings are if `--diagnostic-width` does not say
  SOURCE_DATE_EPOCH                    the date of manual pages, which have none if nothing is said
  VINCI_LOG=1                          says what is read, done and written, and when
  VINCI_BACKTRACE=1                    shows where a defect of ours happened
  XDG_CACHE_HOME, HOME                 where `-O3` keeps what it found

An argument `@FILE` stands for the lines of a file.
Status: 0 done, 1 the input or the command line is wrong, 101 a defect of ours, 130 interrupted.";

/// Forms of a report.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportForm {
    /// A table for people
    #[default]
    Text,
    /// One JSON object that says its schema
    Json,
}

//! What a command may touch of the world: a folder, three streams, colours. Knows no command.
//!
//! Paths on the command line are relative to [`Host::folder`], so that tests run commands side by side.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use diag::Diagnostic;

use crate::{cache, defect, emulation, errors, output, paths};

/// Stack of the thread that runs a command; nesting in the inputs is limited, and this is far above the limit's need.
const STACK_BYTES: usize = 64 << 20;

/// The world as a command sees it.
pub struct Host<'a> {
    /// Standard input.
    pub input: &'a mut (dyn Read + Send),
    /// Standard output: results.
    pub out: &'a mut (dyn Write + Send),
    /// Standard error: findings and progress.
    pub err: &'a mut (dyn Write + Send),
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// Whether findings may be coloured if nothing is said.
    pub color: bool,
    /// Whether standard output is a terminal, where bytes would do harm.
    pub out_is_terminal: bool,
    /// Whether standard input is a terminal, where lines are edited.
    pub in_is_terminal: bool,
    /// Whether standard error is a terminal, where long work shows how far it is.
    pub err_is_terminal: bool,
    /// How many columns findings may take, if anything says so.
    pub columns: Option<usize>,
    /// Where schedules that were searched are kept, if anywhere.
    pub cache: Option<PathBuf>,
    /// `SOURCE_DATE_EPOCH`: the date that outputs may have, in seconds since 1970.
    pub source_date: Option<u64>,
    /// Since when what is done is told on standard error, if it is.
    pub log_since: Option<Instant>,
}

/// How a command ended; the numbers are rustc's.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// All done: 0.
    Done,
    /// The input or the command line is wrong: 1.
    Wrong,
    /// A defect of ours: 101.
    Defect,
    /// The interrupt key: 130.
    Interrupted,
}

impl Status {
    /// The number that the process ends with.
    pub const fn code(self) -> u8 {
        match self {
            Status::Done => 0,
            Status::Wrong => 1,
            Status::Defect => 101,
            Status::Interrupted => 130,
        }
    }
}

/// Why a command stops early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The input is wrong in these ways.
    Findings(Vec<Diagnostic>),
    /// What is wrong has been said already.
    Said,
    /// Nobody reads our output any more.
    Closed,
}

impl From<Diagnostic> for Stop {
    fn from(diagnostic: Diagnostic) -> Stop {
        Stop::Findings(vec![diagnostic])
    }
}

impl From<Vec<Diagnostic>> for Stop {
    fn from(diagnostics: Vec<Diagnostic>) -> Stop {
        Stop::Findings(diagnostics)
    }
}

impl<'a> Host<'a> {
    /// A world without terminals and colours.
    pub fn new(
        input: &'a mut (dyn Read + Send),
        out: &'a mut (dyn Write + Send),
        err: &'a mut (dyn Write + Send),
        folder: PathBuf,
    ) -> Host<'a> {
        Host {
            input,
            out,
            err,
            folder,
            color: false,
            out_is_terminal: false,
            in_is_terminal: false,
            err_is_terminal: false,
            columns: None,
            cache: None,
            source_date: None,
            log_since: None,
        }
    }

    /// Writes results.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Stop> {
        self.print_bytes(text.as_bytes())
    }

    /// Writes results that may be no text.
    pub(crate) fn print_bytes(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        written(self.out.write_all(bytes).and_then(|()| self.out.flush()))
    }

    /// Writes findings. If nobody hears them the status still tells, so the command goes on.
    pub(crate) fn complain(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes());
        let _ = self.err.flush();
    }

    /// Tells what is done, if anybody wants to know.
    pub(crate) fn log(&mut self, what: impl FnOnce() -> String) {
        if let Some(since) = self.log_since {
            let ms = since.elapsed().as_secs_f64() * 1e3;
            self.complain(&format!("log: {ms:10.3} ms  {}\n", what()));
        }
    }

    /// The place of a path that was given on the command line.
    pub(crate) fn path(&self, given: &str) -> PathBuf {
        self.folder.join(paths::real(given))
    }
}

/// A reader that has seen enough ends the command quietly; results that are lost in any other way are an error.
fn written(result: io::Result<()>) -> Result<(), Stop> {
    result.map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Stop::Closed
        } else {
            errors::cannot_print(&error).into()
        }
    })
}

/// Runs a command as the whole process.
pub fn run_main(command: fn(&[OsString], &mut Host<'_>) -> Status) -> ExitCode {
    std::panic::set_hook(Box::new(defect::note));
    // A second handler is refused, and there is none before this.
    let _ = ctrlc::set_handler(interrupted);
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let body = move || with_process_host(|host| command(&args, host));
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(body);
    let status = match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(status)) => status,
        Ok(Err(_)) | Err(_) => Status::Defect,
    };
    ExitCode::from(status.code())
}

/// The interrupt key: what is half written goes, the cursor is below what was shown.
#[expect(
    clippy::disallowed_methods,
    reason = "the thread that works cannot be asked to stop, and nothing but files is left to clean"
)]
fn interrupted() {
    output::abandon();
    let mut err = io::stderr();
    // Nobody may be there to read it.
    let _ = err.write_all(format!("\nerror: interrupted\n{}", emulation::so_far()).as_bytes());
    std::process::exit(i32::from(Status::Interrupted.code()));
}

fn with_process_host(command: impl FnOnce(&mut Host<'_>) -> Status) -> Status {
    let color = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let (mut input, mut out, mut err) = (io::stdin(), io::stdout(), io::stderr());
    let mut host = Host {
        color,
        out_is_terminal: out.is_terminal(),
        in_is_terminal: input.is_terminal(),
        err_is_terminal: err.is_terminal(),
        columns: Some(columns()),
        cache: cache::folder(),
        source_date: source_date(),
        log_since: switched_on("VINCI_LOG").then(Instant::now),
        ..Host::new(&mut input, &mut out, &mut err, PathBuf::new())
    };
    command(&mut host)
}

/// Whether a variable of the environment asks for something.
pub(crate) fn switched_on(variable: &str) -> bool {
    std::env::var_os(variable)
        .is_some_and(|value| !value.is_empty() && value != "0" && value != "off")
}

/// The date that outputs may have, if the environment says one.
fn source_date() -> Option<u64> {
    std::env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()
}

/// The width of findings that go to no terminal; rustc's.
const COLUMNS: usize = 140;

/// The width of findings: `COLUMNS`, or that of the terminal that they go to.
fn columns() -> usize {
    let given = std::env::var("COLUMNS").ok();
    let given = given.and_then(|text| text.trim().parse().ok());
    let drawn = || {
        let (_, columns) = console::Term::stderr().size_checked()?;
        Some(usize::from(columns))
    };
    let known = given.or_else(drawn).filter(|&columns| columns > 0);
    known.unwrap_or(COLUMNS)
}

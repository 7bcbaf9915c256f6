//! What the options of an emulation mean: the mistakes to look for and the order of execution.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use diag::Diagnostic;
use emulator::{NotFinite, Options, Origin, Pulse, Sanitize, Schedule};
use isa::object::Object;

use crate::args::Execution;
use crate::errors;
use crate::table::grouped;

/// The run that the emulator is at, if it is at one.
static RUNNING: Mutex<Option<(String, Instant)>> = Mutex::new(None);
/// How many instructions it has executed.
static EXECUTED: AtomicU64 = AtomicU64::new(0);

/// A run as long as this is there.
pub(crate) struct Running(());

impl Running {
    /// A run of a kernel begins.
    pub(crate) fn begin(kernel: &str) -> Running {
        EXECUTED.store(0, Ordering::Relaxed);
        *running() = Some((kernel.to_owned(), Instant::now()));
        Running(())
    }

    /// Where the emulator counts.
    pub(crate) fn pulse(&self) -> Option<Pulse> {
        Some(Pulse(&EXECUTED))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *running() = None;
    }
}

fn running() -> MutexGuard<'static, Option<(String, Instant)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far the emulator is with what it runs; empty if it runs nothing.
pub(crate) fn so_far() -> String {
    let Some((kernel, since)) = running().take() else {
        return String::new();
    };
    let (count, seconds) = (
        EXECUTED.load(Ordering::Relaxed),
        since.elapsed().as_secs_f64(),
    );
    format!(
        "note: `{kernel}` had executed some {} instructions in {seconds:.1} s; nothing is compared or written\n",
        grouped(count)
    )
}

/// The words of `--sanitize`.
const WORDS: [&str; 8] = [
    "all", "none", "uninit", "hazards", "flags", "nan", "inf", "stop",
];

/// What the emulator is told of how a run executes.
pub(crate) fn options(execution: &Execution) -> Result<Options, Diagnostic> {
    Ok(Options {
        max_steps: execution.max_steps,
        sanitize: sanitize(&execution.sanitize)?,
        schedule: schedule(&execution.schedule)?,
        ..Options::default()
    })
}

/// What `--sanitize=WORD,…` asks for: every word adds to nothing.
pub(crate) fn sanitize(words: &[String]) -> Result<Sanitize, Diagnostic> {
    let mut asked = Sanitize::NONE;
    for word in words {
        match word.as_str() {
            "all" => asked = asked.and(Sanitize::ALL),
            "none" => {}
            "uninit" => asked.uninit = true,
            "hazards" => asked.hazards = true,
            "flags" => asked.flags = true,
            "nan" => asked.nan = true,
            "inf" => asked.inf = true,
            "stop" => asked.stop = true,
            other => return Err(errors::option_value("--sanitize", other, &WORDS)),
        }
    }
    Ok(asked)
}

/// What `--schedule` asks for.
fn schedule(text: &str) -> Result<Schedule, Diagnostic> {
    let form = || errors::option_form("--schedule", text, "in-order or adversarial:SEED");
    match text.split_once(':') {
        None if text == "in-order" => Ok(Schedule::InOrder),
        Some(("adversarial", seed)) => match seed.parse() {
            Ok(seed) => Ok(Schedule::Adversarial(seed)),
            Err(_) => Err(form()),
        },
        None | Some(_) => Err(form()),
    }
}

/// A line for the first NaN and one for the first overflow, each of the first core that has one.
pub(crate) fn origins(found: &[Origin], object: &Object) -> Vec<String> {
    let sorts = [NotFinite::Nan, NotFinite::Overflow].into_iter();
    let lines = sorts.filter_map(|what| {
        let mut all = found.iter().filter(|origin| origin.what == what);
        let first = all.next()?;
        let others = match all.count() {
            0 => String::new(),
            1 => ", and on 1 other core".to_owned(),
            n => format!(", and on {n} other cores"),
        };
        let Origin {
            place,
            operand,
            space,
            address,
            ..
        } = first;
        Some(format!(
            "{what}: `{operand}` at {space}+{address:#x} by `{}` ({}instruction {} of {}){others}",
            place.text,
            line(object, place),
            place.pc,
            place.core
        ))
    });
    lines.collect()
}

/// `FILE:LINE, ` of an instruction, if the object knows.
fn line(object: &Object, place: &emulator::Place) -> String {
    let row = object.line_of(place.core.kind(), place.pc);
    let file = row.and_then(|row| Some((object.files.get(row.file as usize)?, row.line)));
    file.map_or(String::new(), |(file, line)| format!("{file}:{line}, "))
}

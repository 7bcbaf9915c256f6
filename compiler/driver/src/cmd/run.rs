//! `vinci run`: compile if needed, emulate, compare, report. `run/job.rs` is what is run.

mod job;

use std::time::Instant;

use clap::Args;
use diag::Diagnostic;
use emulator::{Options, Outcome, Sanitize};
use ir::algo::data::Data;
use isa::chip::Chip;
use isa::object::{Object, ParamDir};

pub(super) use job::{Job, Reference, prepare};

use crate::args::{Compile, Execution, ReportForm, Subject, threads};
use crate::host::Stop;
use crate::reference::{self, Comparison};
use crate::report::{self, Facts};
use crate::session::Session;
use crate::settings::{Settings, Verify};
use crate::{arrays, emulation, errors, expect, verification};

/// `vinci run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// Writes a result to an array file
    #[arg(long = "out", value_name = "NAME=FILE.npy")]
    pub(crate) outs: Vec<String>,
    /// Compares with the reference evaluator; on when an argument is drawn
    #[arg(long)]
    pub(crate) check: bool,
    /// Tells the cycles without computing values; arguments are needed only if one of them decides the cycles
    #[arg(long, conflicts_with_all = ["check", "outs"])]
    pub(crate) timing_only: bool,
    /// The form of the report
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) report: ReportForm,
    /// Host threads of the emulator; 0 takes all. Results do not depend on it
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true, value_parser = threads)]
    pub(crate) threads: usize,
    #[command(flatten)]
    pub(crate) execution: Execution,
}

/// A run that came to its end.
pub(super) struct Done {
    pub(super) job: Job,
    pub(super) chip: Chip,
    pub(super) outcome: Outcome,
    /// Nothing if nothing was compared.
    pub(super) comparisons: Option<Vec<Comparison>>,
    host_seconds: f64,
    /// Whether it is to be proved.
    verify: Verify,
}

impl Run {
    /// A file as if no option of a run were given.
    pub(super) fn plain(file: &str, compile: &Compile) -> Run {
        Run::of(Subject::plain(file, compile))
    }

    /// The same with arguments.
    pub(super) fn of(subject: Subject) -> Run {
        Run {
            subject,
            outs: Vec::new(),
            check: false,
            timing_only: false,
            report: ReportForm::Text,
            threads: 0,
            execution: Execution::default(),
        }
    }
}

/// Runs a file to its end; nothing is printed or written.
pub(super) fn evaluate(args: &Run, session: &mut Session<'_, '_>) -> Result<Done, Stop> {
    let mut settings = Settings::read(&args.subject.compile, session)?;
    let outs = outs(args)?;
    let job = prepare(args, &mut settings, session)?;
    session.phase("compile");
    check_outs(&outs, &job.object)?;
    let (outcome, host_seconds) = emulate(args, &job, &settings.chip, session)?;
    session.phase("emulate");
    let comparisons = compare(args, &job, &outcome)?;
    session.phase("compare");
    Ok(Done {
        job,
        chip: settings.chip,
        outcome,
        comparisons,
        host_seconds,
        verify: settings.verify,
    })
}

/// Runs a file.
pub(crate) fn run(args: &Run, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let progress = session.progress(0, &format!("running `{}`", args.subject.file));
    let done = evaluate(args, session)?;
    drop(progress);
    let Done {
        job,
        chip,
        outcome,
        comparisons,
        host_seconds,
        verify,
    } = done;
    write_outs(&outs(args)?, &job.object, &outcome, session)?;
    let sanitize = emulation::sanitize(&args.execution.sanitize)?;
    let origins = emulation::origins(&outcome.origins, &job.object);
    let verdict = verification::judge(&job.object, &chip, verify);
    let facts = Facts {
        kernel: &job.object.kernel,
        chip: &chip.name,
        chip_version: &chip.version_stamp(),
        cost: &outcome.report,
        check: comparisons.as_deref(),
        sanitized: sanitize.and(Sanitize::ALL) == sanitize && !outcome.timing_only,
        origins: &origins,
        verdict: &verdict,
        timing_only: outcome.timing_only,
        host_seconds,
    };
    session.host.print(&match args.report {
        ReportForm::Text => report::text(&facts),
        ReportForm::Json => report::json(&facts),
    })?;
    let mut wrong = failed(comparisons.as_deref().unwrap_or_default());
    wrong.extend(expect::broken(
        &job.expects,
        &job.object.kernel,
        &outcome.report,
    ));
    match wrong {
        wrong if wrong.is_empty() => Ok(()),
        wrong => Err(wrong.into()),
    }
}

fn emulate(
    args: &Run,
    job: &Job,
    chip: &Chip,
    session: &mut Session<'_, '_>,
) -> Result<(Outcome, f64), Stop> {
    let running = emulation::Running::begin(&job.object.kernel.name);
    let options = Options {
        threads: args.threads,
        timing_only: args.timing_only,
        pulse: running.pulse(),
        ..emulation::options(&args.execution)?
    };
    let inputs = job.bytes();
    let start = Instant::now();
    let outcome = emulator::run(&job.object, &inputs, chip, &options);
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(outcome) => Ok((outcome, seconds)),
        Err(fault) => {
            session.read_line_files(&job.object);
            Err(errors::fault::fault(&fault, &job.object, &session.sources).into())
        }
    }
}

/// Compares if it was asked for, or if an argument was drawn and there is something to compare with.
fn compare(args: &Run, job: &Job, outcome: &Outcome) -> Result<Option<Vec<Comparison>>, Stop> {
    if !args.check && !job.drawn {
        return Ok(None);
    }
    let tensors = job.object.kernel.params.iter().zip(&outcome.tensors);
    let results: Vec<Data> = tensors
        .filter(|(param, _)| param.dir == ParamDir::Out)
        .map(|(_, bytes)| Data {
            bytes: bytes.clone(),
        })
        .collect();
    match &job.reference {
        Reference::Algorithm(func, params) => {
            let compared = reference::compare(func, params, &results);
            Ok(Some(
                compared.map_err(|e| errors::evaluation(e.span, &e.message))?,
            ))
        }
        Reference::Tile(func) => {
            let compared = reference::compare_tile(func, &job.object, &job.inputs, &results);
            Ok(Some(
                compared.map_err(|e| errors::evaluation(e.span, &e.message))?,
            ))
        }
        Reference::None => Ok(None),
    }
}

/// What is wrong with a run that came to its end: its results, and the promises of its schedule.
pub(super) fn wrong(done: &Done) -> Vec<Diagnostic> {
    let mut wrong = failed(done.comparisons.as_deref().unwrap_or_default());
    let (kernel, report) = (&done.job.object.kernel, &done.outcome.report);
    wrong.extend(expect::broken(&done.job.expects, kernel, report));
    wrong
}

/// What is wrong with the results.
fn failed(comparisons: &[Comparison]) -> Vec<Diagnostic> {
    let wrong = comparisons.iter().filter(|comparison| !comparison.ok);
    wrong
        .map(|comparison| errors::check_failed(&comparison.name, facts(comparison)))
        .collect()
}

fn facts(comparison: &Comparison) -> impl Iterator<Item = String> {
    let deviation = &comparison.deviation;
    let bits = comparison.first.map(|first| {
        format!(
            "{} elements have other bits, the first is element {first}",
            comparison.different
        )
    });
    let bound = (deviation.outside > 0).then(|| {
        format!(
            "{} of {} elements are beyond their bound; at element {} {:e} is allowed",
            deviation.outside, deviation.checked, deviation.worst_index, deviation.allowed
        )
    });
    bits.into_iter().chain(bound)
}

/// The values of `--out NAME=FILE.npy`.
fn outs(args: &Run) -> Result<Vec<(&str, &str)>, Diagnostic> {
    let mut outs: Vec<(&str, &str)> = Vec::new();
    for option in &args.outs {
        let Some((name, path)) = option.split_once('=') else {
            return Err(errors::option_form("--out", option, "NAME=FILE.npy"));
        };
        if outs.iter().any(|(known, _)| *known == name) {
            return Err(errors::given_twice("--out", name));
        }
        outs.push((name, path));
    }
    Ok(outs)
}

fn check_outs(outs: &[(&str, &str)], object: &Object) -> Result<(), Diagnostic> {
    let results = object
        .kernel
        .params
        .iter()
        .filter(|param| param.dir == ParamDir::Out);
    let known: Vec<&str> = results.map(|param| param.name.as_str()).collect();
    match outs.iter().find(|(name, _)| !known.contains(name)) {
        Some((name, _)) => Err(errors::unknown_argument(
            &object.kernel.name,
            "result",
            name,
            &known,
        )),
        None => Ok(()),
    }
}

fn write_outs(
    outs: &[(&str, &str)],
    object: &Object,
    outcome: &Outcome,
    session: &mut Session<'_, '_>,
) -> Result<(), Stop> {
    for (param, bytes) in object.kernel.params.iter().zip(&outcome.tensors) {
        let wanted = outs
            .iter()
            .find(|(name, _)| param.dir == ParamDir::Out && *name == param.name);
        if let Some((_, path)) = wanted {
            session.write(path, &arrays::write(param.elem, &param.shape, bytes))?;
        }
    }
    Ok(())
}

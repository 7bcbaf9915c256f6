//! `vinci run`: compile if needed, emulate, compare, report.

use std::collections::BTreeMap;
use std::time::Instant;

use clap::Args;
use diag::Diagnostic;
use emulator::{Options, Outcome, Sanitize};
use ir::algo::Func;
use ir::algo::data::Data;
use ir::schedule::Expectation;
use ir::tile;
use isa::chip::Chip;
use isa::object::{Object, ParamDir};

use crate::args::{Compile, Execution, ReportForm, Subject, threads};
use crate::arguments::{self, Given};
use crate::files::Form;
use crate::host::Stop;
use crate::kernel::Values;
use crate::reference::{self, Comparison};
use crate::report::{self, Facts};
use crate::session::Session;
use crate::settings::{Settings, Verify};
use crate::{arrays, assembly, build, emulation, errors, expect, launch, verification};

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
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = threads)]
    pub(crate) threads: usize,
    #[command(flatten)]
    pub(crate) execution: Execution,
}

/// What is to be run, with everything that it needs.
pub(super) struct Job {
    pub(super) object: Object,
    /// One entry a parameter of the object.
    pub(super) inputs: Vec<Option<Data>>,
    /// What the results are compared with.
    pub(super) reference: Reference,
    /// Whether an argument was drawn.
    drawn: bool,
    /// What the schedule promises of a run.
    expects: Vec<Expectation>,
}

impl Job {
    /// What the emulator gets: one entry a parameter of the object.
    pub(super) fn bytes(&self) -> Vec<Option<Vec<u8>>> {
        let bytes = |data: &Option<Data>| Some(data.as_ref()?.bytes.clone());
        self.inputs.iter().map(bytes).collect()
    }
}

/// What says what the results should be.
pub(super) enum Reference {
    /// The algorithm and its parameters.
    Algorithm(Func, Vec<Data>),
    /// The tile form, which says only the bits.
    Tile(tile::Func),
    /// Nothing: an object alone.
    None,
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

/// Compiles or reads what is to be run, and gathers its arguments.
pub(super) fn prepare(
    args: &Run,
    settings: &mut Settings,
    session: &mut Session<'_, '_>,
) -> Result<Job, Stop> {
    let given = arguments::read(&args.subject.args, session)?;
    match Form::of(&args.subject.file)? {
        Form::Kernel => prepare_kernel(args, settings, &given, session),
        Form::Tile => {
            let func = build::tile_function(&args.subject.file, settings, session)?;
            let object = build::lower(func.clone(), settings, &session.sources)?.object;
            prepare_object(args, settings, &given, object, Reference::Tile(func))
        }
        Form::Assembly => {
            let mut object = build::assembled(&args.subject.file, settings, session)?;
            assembly::add_lines(&mut object, &args.subject.file, &session.sources);
            prepare_object(args, settings, &given, object, Reference::None)
        }
        Form::Object => {
            let object = build::read(&args.subject.file, settings, session)?;
            prepare_object(args, settings, &given, object, Reference::None)
        }
    }
}

fn prepare_kernel(
    args: &Run,
    settings: &Settings,
    given: &Given,
    session: &mut Session<'_, '_>,
) -> Result<Job, Stop> {
    let loaded = session.load_kernel(&args.subject.file)?;
    let info = loaded.choose(args.subject.compile.kernel.as_deref())?;
    let arrays = given.for_kernel(&info)?;
    let func = loaded.bind(&info, &settings.values.at_launch(), &arrays)?;
    let open = match settings.values.leaves_sizes() {
        true => Some(loaded.bind(
            &info,
            &settings.values.typed(&info, &arrays),
            &BTreeMap::new(),
        )?),
        false => None,
    };
    let expects = expect::of(&func, settings)?;
    let compile = |session: &Session<'_, '_>| -> Result<Object, Stop> {
        let compiled = build::compile(open.as_ref().unwrap_or(&func), settings, &session.sources)?;
        let sizes = func
            .sizes
            .iter()
            .map(|(name, size)| (name.clone(), size.unsigned_abs()));
        Ok(launch::bound(compiled.lowered.object, &sizes.collect())?)
    };
    if args.timing_only {
        return Ok(Job {
            expects,
            ..timed(given, compile(session)?)?
        });
    }
    let (params, drawn) = given.bytes_for(&func, args.subject.seed)?;
    let object = compile(session)?;
    let inputs = inputs(&object, &func, &params);
    Ok(Job {
        object,
        inputs,
        reference: Reference::Algorithm(func, params),
        drawn,
        expects,
    })
}

/// The parameters of the kernel in the order of the object's.
fn inputs(object: &Object, func: &Func, params: &[Data]) -> Vec<Option<Data>> {
    let by_name: BTreeMap<&str, &Data> = func
        .params
        .iter()
        .map(|&t| func.tensors[t].name.as_str())
        .zip(params)
        .collect();
    let inputs = object.kernel.params.iter().map(|param| match param.dir {
        ParamDir::In => by_name.get(param.name.as_str()).map(|&data| data.clone()),
        ParamDir::Out | ParamDir::Work => None,
    });
    inputs.collect()
}

fn prepare_object(
    args: &Run,
    settings: &Settings,
    given: &Given,
    object: Object,
    reference: Reference,
) -> Result<Job, Stop> {
    if args.check && matches!(reference, Reference::None) {
        return Err(errors::nothing_to_check(&args.subject.file).into());
    }
    let only_sizes = Values {
        sizes: settings.values.sizes.clone(),
        ..Values::default()
    };
    let object = if object.kernel.launch.is_empty() || settings.values != only_sizes {
        if settings.values != Values::default() {
            return Err(errors::sizes_are_fixed(&args.subject.file).into());
        }
        object
    } else {
        let sizes = launch::sizes(&object.kernel, &settings.values.sizes, &given.shapes())?;
        launch::bound(object, &sizes)?
    };
    given.for_object(&object.kernel)?;
    if args.timing_only {
        return timed(given, object);
    }
    let (inputs, drawn) = given.bytes_for_object(&object.kernel, args.subject.seed)?;
    Ok(Job {
        object,
        inputs,
        reference,
        drawn,
        expects: Vec::new(),
    })
}

/// What is to be run for its cycles alone.
fn timed(given: &Given, object: Object) -> Result<Job, Stop> {
    Ok(Job {
        inputs: given.given_for(&object.kernel)?,
        object,
        reference: Reference::None,
        drawn: false,
        expects: Vec::new(),
    })
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

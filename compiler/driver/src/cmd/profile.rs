//! `vinci profile`: where the cycles of a kernel went. Prints what the emulator found; decides nothing.

mod json;
mod lines;
mod page;
mod text;

use clap::{Args, ValueEnum};
use emulator::{FaultKind, Options, Outcome, Profile, Roof, Sanitize, WhatIf};
use ir::tile::Func;
use isa::chip::Chip;
use isa::object::Object;

use super::run::{self, Run};
use crate::args::{ReportForm, Subject, threads};
use crate::files::Form;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;
use crate::{build, errors};

use self::lines::Source;

/// `vinci profile`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProfileArgs {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// The form of the report
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) report: ReportForm,
    /// Writes one self-contained page: time line, critical path, memory map, source
    #[arg(long, value_name = "FILE.html")]
    pub(crate) html: Option<String>,
    /// Writes the time of every instruction for Chrome's and Perfetto's viewers
    #[arg(long, value_name = "FILE.json")]
    pub(crate) trace: Option<String>,
    /// Whether to run again with more of each resource: a run each, so of long runs only if it is asked for
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) what_if: When,
    /// Host threads of the emulator; 0 takes all. Results do not depend on it
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true, value_parser = threads)]
    pub(crate) threads: usize,
}

/// Whether to do what takes long.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// Unless the run has more events than a profile keeps
    #[default]
    Auto,
    /// Whatever it takes
    Always,
    /// Not at all
    Never,
}

/// Everything that is shown.
struct Facts<'a> {
    object: &'a Object,
    chip: &'a Chip,
    outcome: &'a Outcome,
    profile: &'a Profile,
    roofs: Vec<Roof>,
    what_if: Vec<WhatIf>,
    /// The source lines that the object knows, with what they cost.
    sources: Vec<Source>,
}

impl Facts<'_> {
    /// Cycles without the launch as a share of all.
    fn share(&self, cycles: u64) -> f64 {
        cycles as f64 / self.outcome.report.cycles.max(1) as f64
    }

    /// The greatest bound of a schedule, and the greatest of any.
    fn binding(&self) -> (Option<&Roof>, Option<&Roof>) {
        let all = self.roofs.iter().max_by_key(|roof| roof.cycles);
        let any = self.roofs.iter().filter(|roof| roof.compulsory);
        (all, any.max_by_key(|roof| roof.cycles))
    }
}

/// Profiles a file.
pub(crate) fn run(args: &ProfileArgs, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let mut settings = Settings::read(&args.subject.compile, session)?;
    let (object, inputs, outcome) = timed(args, &mut settings, session)?;
    let Some(profile) = &outcome.profile else {
        return Ok(());
    };
    session.read_line_files(&object);
    let options = options(args);
    let wanted = match args.what_if {
        When::Auto => !profile.is_partial(),
        When::Always => true,
        When::Never => false,
    };
    let what_if = match wanted {
        false => Vec::new(),
        true => emulator::what_if(&object, &inputs, &settings.chip, &options)
            .map_err(|fault| errors::fault::fault(&fault, &object, &session.sources))?,
    };
    let facts = Facts {
        roofs: emulator::roofline(&object.kernel, &outcome.report, &settings.chip),
        sources: lines::sources(&object, profile, &session.sources),
        object: &object,
        chip: &settings.chip,
        outcome: &outcome,
        profile,
        what_if,
    };
    if let Some(path) = &args.trace {
        let trace = emulator::chrome_json(&outcome.trace, &object);
        session.write(path, trace.as_bytes())?;
    }
    if let Some(path) = &args.html {
        let placed = placed(args, &mut settings.clone(), session)?;
        let page = page::page(&facts, placed.as_ref());
        session.write(path, page.as_bytes())?;
    }
    session.host.print(&match args.report {
        ReportForm::Text => text::text(&facts),
        ReportForm::Json => json::json(&facts),
    })
}

fn options(args: &ProfileArgs) -> Options {
    Options {
        threads: args.threads,
        sanitize: Sanitize::NONE,
        timing_only: true,
        profile: true,
        trace: args.trace.is_some() || args.html.is_some(),
        ..Options::default()
    }
}

/// What ran, with what, and what came of it.
type Ran = (Object, Vec<Option<Vec<u8>>>, Outcome);

/// Runs without values, and with drawn ones if these decide the cycles.
fn timed(
    args: &ProfileArgs,
    settings: &mut Settings,
    session: &mut Session<'_, '_>,
) -> Result<Ran, Stop> {
    for timing_only in [true, false] {
        let job = run::prepare(&as_run(args, timing_only), settings, session)?;
        let inputs = job.bytes();
        match emulator::run(&job.object, &inputs, &settings.chip, &options(args)) {
            Ok(outcome) => return Ok((job.object, inputs, outcome)),
            Err(fault) if timing_only && matches!(fault.kind, FaultKind::NeedsValues { .. }) => {}
            Err(fault) => {
                session.read_line_files(&job.object);
                return Err(errors::fault::fault(&fault, &job.object, &session.sources).into());
            }
        }
    }
    Err(Stop::Said)
}

/// The tile form with addresses, for the memory map; none of a file without one.
fn placed(
    args: &ProfileArgs,
    settings: &mut Settings,
    session: &mut Session<'_, '_>,
) -> Result<Option<Func>, Stop> {
    match Form::of(&args.subject.file)? {
        Form::Kernel if args.subject.file != "-" => {
            let loaded = session.load_kernel(&args.subject.file)?;
            let info = loaded.choose(args.subject.compile.kernel.as_deref())?;
            let func = loaded.bind(&info, &settings.values, &Default::default())?;
            let compiled = build::compile(&func, settings, &session.sources)?;
            Ok(Some(compiled.lowered.placed))
        }
        Form::Tile => {
            let func = build::tile_function(&args.subject.file, settings, session)?;
            let lowered = build::lower(func, settings, &session.sources)?;
            Ok(Some(lowered.placed))
        }
        Form::Kernel | Form::Assembly | Form::Object => Ok(None),
    }
}

/// The run that is profiled.
fn as_run(args: &ProfileArgs, timing_only: bool) -> Run {
    Run {
        timing_only,
        ..Run::of(args.subject.clone())
    }
}

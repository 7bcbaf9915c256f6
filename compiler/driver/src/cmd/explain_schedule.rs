//! `vinci explain-schedule`: what was decided about a kernel, what binds it, what else a search has tried and what came of
//! it, and what the next better decisions lack.
//!
//! The candidates are the search's ([`search::Explanation`]): prices are the cost function's, times the emulator's on a few
//! blocks a core, reasons the compiler's own findings. `-O3` explains what the search decides, `-O1` what the rules do.

mod print;

use backend::Level;
use backend::schedule::Schedule;
use clap::Args;
use emulator::{Report, Roof};
use ir::algo::Func;
use search::Explanation;

use crate::args::ReportForm;
use crate::build;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;
use crate::study::Study;

/// `vinci explain-schedule`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExplainSchedule {
    #[command(flatten)]
    study: Study,
}

/// What is explained.
struct Facts<'a> {
    func: &'a Func,
    settings: &'a Settings,
    schedule: &'a Schedule,
    report: &'a Report,
    roofs: Vec<Roof>,
    search: &'a Explanation,
}

/// Explains the schedule of a file.
pub(crate) fn run(args: &ExplainSchedule, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let (settings, func) = args.study.subject(session)?;
    let found = search(&func, &settings, args.study.threads, session)?;
    let chosen = match settings.level {
        Level::O3 => found.compiled,
        Level::O0 | Level::O1 => build::compile(&func, &settings, &session.sources)?,
    };
    let report = args.study.timed(chosen.object(), &settings, session)?;
    let facts = Facts {
        func: &func,
        settings: &settings,
        schedule: &chosen.schedule,
        roofs: emulator::roofline(&chosen.object().kernel, &report, &settings.chip),
        report: &report,
        search: &found.explanation,
    };
    session.host.print(&match args.study.report {
        ReportForm::Text => print::text(&facts),
        ReportForm::Json => print::json(&facts),
    })
}

/// Searches, whatever was found before: only a search knows why.
fn search(
    func: &Func,
    settings: &Settings,
    threads: usize,
    session: &Session<'_, '_>,
) -> Result<search::Found, Stop> {
    let mut settings = Settings {
        level: Level::O3,
        cache: None,
        ..settings.clone()
    };
    settings.budget.threads = threads;
    Ok(build::search(func, &settings, &session.sources)?)
}

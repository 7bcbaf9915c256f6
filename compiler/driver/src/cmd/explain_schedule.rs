//! `vinci explain-schedule`: what was decided about a kernel, what binds it, and what the neighbours of each decision
//! would cost, or why they cannot be.
//!
//! A neighbour changes one value and is compiled and timed like any kernel, so its price is the clock's and its reason
//! the compiler's own finding.

use std::fmt::Write as _;

use backend::schedule::{Knob, Schedule};
use clap::Args;
use emulator::{Report, Roof};
use ir::algo::Func;
use serde_json::json;

use crate::args::ReportForm;
use crate::build;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;
use crate::study::Study;
use crate::table::{Align, Table, grouped};

/// `vinci explain-schedule`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExplainSchedule {
    #[command(flatten)]
    study: Study,
}

/// One value of one decision, changed.
struct Neighbour {
    step: String,
    knob: Knob,
    value: i64,
    own: i64,
    /// Cycles, or why it cannot be.
    outcome: Result<u64, String>,
}

/// What is explained.
struct Facts<'a> {
    func: &'a Func,
    settings: &'a Settings,
    schedule: &'a Schedule,
    report: &'a Report,
    roofs: Vec<Roof>,
    neighbours: Vec<Neighbour>,
}

/// Explains the schedule of a file.
pub(crate) fn run(args: &ExplainSchedule, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let (settings, func) = args.study.subject(session)?;
    let chosen = build::compile(&func, &settings, &session.sources)?;
    let report = args.study.timed(chosen.object(), &settings, session)?;
    let neighbours = neighbours(&func, &chosen.schedule, &settings, &args.study, session)?;
    let facts = Facts {
        func: &func,
        settings: &settings,
        schedule: &chosen.schedule,
        roofs: emulator::roofline(&chosen.object().kernel, &report, &settings.chip),
        report: &report,
        neighbours,
    };
    session.host.print(&match args.study.report {
        ReportForm::Text => text(&facts),
        ReportForm::Json => json(&facts),
    })
}

/// Every decision changed to the next values on both sides.
fn neighbours(
    func: &Func,
    schedule: &Schedule,
    settings: &Settings,
    study: &Study,
    session: &mut Session<'_, '_>,
) -> Result<Vec<Neighbour>, Stop> {
    let mut all = Vec::new();
    for step in &schedule.steps {
        for (&knob, &own) in &step.values {
            for value in beside(knob, own) {
                all.push((step.name.clone(), knob, own, value));
            }
        }
    }
    let progress = session.progress(all.len() as u64, "");
    let mut neighbours = Vec::new();
    for (step, knob, own, value) in all {
        progress.say(format!("{step}: {} {value}", knob.name()).as_str());
        let mut wanted = schedule.clone();
        wanted.set(&step, knob, value);
        let compiled = build::compile_as(func, settings, Some(&wanted), &session.sources);
        let outcome = match compiled {
            Ok(compiled) => Ok(study.timed(compiled.object(), settings, session)?.cycles),
            Err(found) => Err(found.first().map_or(String::new(), |d| d.message.clone())),
        };
        neighbours.push(Neighbour {
            step,
            knob,
            value,
            own,
            outcome,
        });
        progress.step();
    }
    neighbours.sort_by_key(|near| match near.outcome {
        Ok(cycles) => (0, cycles),
        Err(_) => (1, 0),
    });
    Ok(neighbours)
}

/// The next values of a decision.
fn beside(knob: Knob, own: i64) -> Vec<i64> {
    let values = match knob {
        Knob::OutDepth
        | Knob::PacketDepth
        | Knob::StepDepth
        | Knob::AccDepth
        | Knob::StripDepth => {
            vec![own - 1, own + 1]
        }
        Knob::Epilogue => vec![1 - own],
        Knob::Rows
        | Knob::Cols
        | Knob::Pitch
        | Knob::Packet
        | Knob::Step
        | Knob::Strip
        | Knob::Scores
        | Knob::Weights => vec![(own / 2 + 8) / 16 * 16, own + 16, own * 2],
    };
    let least = i64::from(knob != Knob::Epilogue);
    let mut values: Vec<i64> = values
        .into_iter()
        .filter(|&v| v >= least && v != own)
        .collect();
    values.dedup();
    values
}

fn percent(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

fn text(facts: &Facts<'_>) -> String {
    let report = facts.report;
    let sizes = facts.func.sizes.iter();
    let sizes: Vec<String> = sizes.map(|(name, size)| format!("{name}={size}")).collect();
    let mut text = format!(
        "{}  {}  O{}  on {}\n\n{}\n",
        facts.func.name,
        sizes.join(" "),
        facts.settings.level.name(),
        facts.settings.chip.stamp(),
        facts.schedule
    );
    let _ = writeln!(
        text,
        "cycles  {}, {} of them launch",
        grouped(report.cycles),
        grouped(report.launch_cycles)
    );
    let mut roofs: Vec<&Roof> = facts.roofs.iter().collect();
    roofs.sort_by_key(|roof| std::cmp::Reverse(roof.cycles));
    for (at, roof) in roofs.iter().take(3).enumerate() {
        let share = roof.cycles as f64 / report.cycles.max(1) as f64;
        let _ = writeln!(
            text,
            "{}  {}: {} cycles, {:.1} % of the run",
            if at == 0 { "binds " } else { "then  " },
            roof.resource,
            grouped(roof.cycles),
            share * 100.0
        );
    }
    let _ = write!(
        text,
        "\nneighbours: one decision changed, everything else as it is\n"
    );
    let _ = write!(text, "{}", table(facts));
    let best = facts
        .neighbours
        .iter()
        .find_map(|near| near.outcome.as_ref().ok());
    let verdict = match best {
        Some(&cycles) if cycles < report.cycles => "a neighbour is cheaper: the rule missed it",
        Some(_) => "no neighbour is cheaper",
        None => "no neighbour can be made",
    };
    let _ = writeln!(text, "{verdict}");
    text
}

fn table(facts: &Facts<'_>) -> Table {
    let mut table = Table::new(&[
        ("step", Align::Left),
        ("decision", Align::Left),
        ("is", Align::Right),
        ("would be", Align::Right),
        ("cycles", Align::Right),
        ("change", Align::Right),
        ("", Align::Left),
    ]);
    for near in &facts.neighbours {
        let (cycles, change, why) = match &near.outcome {
            Ok(cycles) => {
                let own = facts.report.cycles.max(1) as f64;
                (
                    grouped(*cycles),
                    percent(*cycles as f64 / own - 1.0),
                    String::new(),
                )
            }
            Err(why) => ("–".to_owned(), String::new(), why.clone()),
        };
        table.row([
            near.step.clone(),
            near.knob.name().to_owned(),
            near.own.to_string(),
            near.value.to_string(),
            cycles,
            change,
            why,
        ]);
    }
    table
}

fn json(facts: &Facts<'_>) -> String {
    let neighbours = facts.neighbours.iter().map(|near| {
        let (cycles, why) = match &near.outcome {
            Ok(cycles) => (Some(*cycles), None),
            Err(why) => (None, Some(why)),
        };
        json!({
            "step": near.step,
            "decision": near.knob.name(),
            "is": near.own,
            "would_be": near.value,
            "cycles": cycles,
            "why_not": why,
        })
    });
    let binds = facts.roofs.iter().max_by_key(|roof| roof.cycles);
    let value = json!({
        "schema": 1,
        "kernel": facts.func.name,
        "target": {
            "name": facts.settings.chip.name,
            "version": facts.settings.chip.version_stamp(),
        },
        "schedule": facts.schedule.to_string(),
        "cycles": facts.report.cycles,
        "binding": binds.map(|roof| json!({ "resource": roof.resource, "cycles": roof.cycles })),
        "neighbours": neighbours.collect::<Vec<_>>(),
    });
    value.to_string() + "\n"
}

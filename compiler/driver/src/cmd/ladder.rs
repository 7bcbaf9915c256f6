//! `vinci ladder`: the same kernel from `-O0` upwards, one decision more a rung, and what each of them bought.
//!
//! Rungs are made of the compiler's own schedule: a rung takes what the rule decided, except for what is still held back.
//! Nothing here knows a kernel; what a vendor published about a ladder of its own is quoted beside it (`published.rs`).

mod layout;
mod published;

use std::fmt::Write as _;

use backend::Level;
use backend::schedule::{Knob, Schedule};
use clap::Args;
use emulator::Report;
use ir::algo::Func;
use isa::types::Pipe;
use serde_json::json;

use crate::args::ReportForm;
use crate::build;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;
use crate::study::Study;
use crate::table::{Align, Table, grouped};

/// `vinci ladder`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Ladder {
    #[command(flatten)]
    study: Study,
}

/// A step of the ladder.
struct Rung {
    name: String,
    /// What it cost, or why it cannot be made.
    report: Result<Report, String>,
    /// Whether it stands beside the ladder, which goes on from the rung before it.
    aside: bool,
}

/// Blocks of the first rung of a product: what vendors begin with (performance.md §5: 64×64×256).
const FIRST: [(Knob, i64); 5] = [
    (Knob::Rows, 64),
    (Knob::Cols, 64),
    (Knob::Packet, 256),
    (Knob::Step, 256),
    (Knob::Order, 0),
];
const FIRST_TILES: &str = "64×64×256 tiles";
/// How often something is there: what overlaps if it is there twice.
const OVERLAPS: [(&[Knob], &str); 3] = [
    (
        &[Knob::PacketDepth, Knob::StripDepth, Knob::OutDepth],
        "copies in overlap",
    ),
    (&[Knob::StepDepth], "loads of L0 overlap too"),
    (&[Knob::AccDepth], "pipelined: drains overlap too"),
];
/// The size of a block of a result.
const BLOCK: [Knob; 5] = [Knob::Rows, Knob::Cols, Knob::Step, Knob::Strip, Knob::Pitch];

/// Climbs the ladder of a file.
pub(crate) fn run(args: &Ladder, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let (settings, func) = args.study.subject(session)?;
    let mut rungs = rungs(&func, &settings, &args.study, session)?;
    let alike = alike(&func, &settings, &args.study, session)?;
    if let Some((report, _)) = &alike {
        beside_the_first(&mut rungs, report);
    }
    let text = match args.study.report {
        ReportForm::Text => text(&func, &settings, &rungs, alike.as_ref()),
        ReportForm::Json => json(&func, &settings, &rungs, alike.as_ref()),
    };
    session.host.print(&text)
}

fn rungs(
    func: &Func,
    settings: &Settings,
    study: &Study,
    session: &mut Session<'_, '_>,
) -> Result<Vec<Rung>, Stop> {
    let at = |level: Level| Settings {
        level,
        ..settings.clone()
    };
    let rule = build::compile(func, &at(Level::O1), &session.sources)?;
    let mut plan = vec![(
        "-O0: one small tile at a time, a barrier after each stage".to_owned(),
        Level::O0,
        None,
    )];
    let held = held_back(&rule.schedule);
    plan.extend(
        held.into_iter()
            .map(|(name, wanted)| (name, Level::O1, Some(wanted))),
    );
    plan.push(("-O1: every decision by rule".to_owned(), Level::O1, None));
    plan.push(("-O3: the best that is known".to_owned(), Level::O3, None));
    let mut rungs: Vec<Rung> = Vec::new();
    let progress = session.progress(plan.len() as u64, "");
    for (name, level, wanted) in plan {
        progress.say(name.as_str());
        let settings = at(level);
        let compiled = build::compile_as(func, &settings, wanted.as_ref(), &session.sources);
        let report = match compiled {
            Ok(compiled) => Ok(study.timed(compiled.object(), &settings, session)?),
            Err(found) => Err(found.first().map_or(String::new(), |d| d.message.clone())),
        };
        rungs.push(Rung {
            name,
            report,
            aside: false,
        });
        progress.step();
    }
    Ok(rungs)
}

/// The first rung with everything in overlap, of the kernel with its tensors as a vendor's lie whose rung was published.
fn alike(
    func: &Func,
    settings: &Settings,
    study: &Study,
    session: &Session<'_, '_>,
) -> Result<Option<(Report, f64)>, Stop> {
    let published = published::of(func, &settings.chip).and_then(|ladder| ladder.first);
    let Some((param, microseconds)) = published else {
        return Ok(None);
    };
    let settings = Settings {
        level: Level::O1,
        ..settings.clone()
    };
    let func = layout::by_columns(func, param);
    let rule = build::compile(&func, &settings, &session.sources)?;
    let mut first = held_back(&rule.schedule).into_iter();
    let Some((_, wanted)) = first.rfind(|(name, _)| name.starts_with(FIRST_TILES)) else {
        return Ok(None);
    };
    let compiled = build::compile_as(&func, &settings, Some(&wanted), &session.sources)?;
    let report = study.timed(compiled.object(), &settings, session)?;
    Ok(Some((report, microseconds)))
}

/// Puts the rung of a vendor, with tensors as they lie there, behind the one that is made as it is.
fn beside_the_first(rungs: &mut Vec<Rung>, report: &Report) {
    let last = rungs.iter().rposition(|r| r.name.starts_with(FIRST_TILES));
    if let Some(at) = last {
        let rung = Rung {
            name: format!("{}, b as the vendor's lies", rungs[at].name),
            report: Ok(report.clone()),
            aside: true,
        };
        rungs.insert(at + 1, rung);
    }
}

/// Schedules between the smallest blocks and those of the rule: each gives one thing more free.
fn held_back(rule: &Schedule) -> Vec<(String, Schedule)> {
    let is_product = |values: &backend::schedule::Values| values.contains_key(&Knob::Packet);
    let mut rungs = Vec::new();
    let mut wanted = rule.clone();
    let mut first = Vec::new();
    for step in &mut wanted.steps {
        if is_product(&step.values) {
            for (knob, value) in FIRST {
                let own = step.values.get(&knob).copied();
                // What is smaller anyway stays.
                let block = matches!(knob, Knob::Rows | Knob::Cols);
                let value = own.filter(|_| block).map_or(value, |own| own.min(value));
                step.values.insert(knob, value);
            }
            // What follows from the size of a block is the rule's.
            step.values.remove(&Knob::Strip);
            step.values.remove(&Knob::Pitch);
            first.push(step.name.clone());
        }
        for knob in OVERLAPS.iter().flat_map(|(knobs, _)| *knobs) {
            if let Some(value) = step.values.get_mut(knob) {
                *value = 1;
            }
        }
    }
    let blocks = match first.is_empty() {
        true => "sizes by rule",
        false => FIRST_TILES,
    };
    rungs.push((format!("{blocks}, one of each buffer"), wanted.clone()));
    for (knobs, what) in OVERLAPS {
        restore(&mut wanted, rule, knobs);
        rungs.push((format!("{blocks}, {what}"), wanted.clone()));
    }
    if !first.is_empty() {
        restore(&mut wanted, rule, &BLOCK);
        for step in &mut wanted.steps {
            // A packet of one step.
            if let (true, Some(&one)) = (first.contains(&step.name), step.values.get(&Knob::Step)) {
                step.values.insert(Knob::Packet, one);
            }
        }
        rungs.push((
            "tiles by rule, one step of k a packet".to_owned(),
            wanted.clone(),
        ));
        restore(&mut wanted, rule, &[Knob::Packet]);
        rungs.push(("packets of several steps".to_owned(), wanted));
    }
    // What changes nothing is no rung, and the last is that of the rule.
    let mut before: Option<Schedule> = None;
    rungs.retain(|(_, wanted)| {
        let new = wanted != rule && before.as_ref() != Some(wanted);
        before = Some(wanted.clone());
        new
    });
    rungs
}

/// Gives knobs the values of the rule again.
fn restore(wanted: &mut Schedule, rule: &Schedule, knobs: &[Knob]) {
    for (step, own) in wanted.steps.iter_mut().zip(&rule.steps) {
        for knob in knobs {
            match own.values.get(knob) {
                Some(value) => step.values.insert(*knob, *value),
                None => step.values.remove(knob),
            };
        }
    }
}

/// The utilisation that a kernel is measured by, and its word.
fn utilization(report: &Report) -> (&'static str, f64) {
    let shares = [
        ("cube", report.cube_utilization()),
        ("hbm", report.hbm_utilization()),
        ("vector", report.vector_utilization()),
    ];
    let most = shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    most.unwrap_or(("cube", 0.0))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn text(func: &Func, settings: &Settings, rungs: &[Rung], alike: Option<&(Report, f64)>) -> String {
    let sizes = func
        .sizes
        .iter()
        .map(|(name, size)| format!("{name}={size}"));
    let mut text = format!(
        "{}  {}  on {}\n\n",
        func.name,
        sizes.collect::<Vec<_>>().join(" "),
        settings.chip.stamp()
    );
    let last = rungs
        .iter()
        .rev()
        .find_map(|rung| rung.report.as_ref().ok());
    let measure = last.map_or("cube", |report| utilization(report).0);
    let mut table = Table::new(&[
        ("rung", Align::Left),
        ("cycles", Align::Right),
        ("µs", Align::Right),
        (measure, Align::Right),
        ("faster", Align::Right),
        ("M", Align::Right),
        ("MTE1", Align::Right),
        ("MTE2", Align::Right),
        ("V", Align::Right),
    ]);
    let mut before: Option<u64> = None;
    for rung in rungs {
        let Ok(report) = &rung.report else {
            table.row([rung.name.clone(), "–".to_owned()]);
            continue;
        };
        let faster = before.map_or(String::new(), |before| {
            format!("{:.2} ×", before as f64 / report.cycles.max(1) as f64)
        });
        let busy = |pipe| busy(report, pipe).map_or(String::new(), percent);
        table.row([
            rung.name.clone(),
            grouped(report.cycles),
            format!("{:.1}", report.seconds() * 1e6),
            percent(share(report, measure)),
            faster,
            busy(Pipe::M),
            busy(Pipe::Mte1),
            busy(Pipe::Mte2),
            busy(Pipe::V),
        ]);
        if !rung.aside {
            before = Some(report.cycles);
        }
    }
    let _ = write!(text, "{table}");
    for rung in rungs {
        if let Err(why) = &rung.report {
            let _ = writeln!(text, "not made: {}: {why}", rung.name);
        }
    }
    if let Some(all) = overall(rungs) {
        let _ = writeln!(text, "together {all:.1} × faster");
    }
    if let Some(ladder) = published::of(func, &settings.chip) {
        let _ = write!(text, "\n{}", ladder.text());
    }
    if let Some((report, published)) = alike {
        let ours = report.seconds() * 1e6;
        let _ = writeln!(
            text,
            "  ours with such a b, {FIRST_TILES}, everything in overlap: {ours:.1} µs, {} of the device; {:+.1} % of the vendor's time",
            percent(report.cube_utilization()),
            (ours / published - 1.0) * 100.0
        );
    }
    text
}

fn share(report: &Report, measure: &str) -> f64 {
    match measure {
        "hbm" => report.hbm_utilization(),
        "vector" => report.vector_utilization(),
        _ => report.cube_utilization(),
    }
}

/// The busy share of a pipe, averaged over the cores that ran; none if no core has it.
fn busy(report: &Report, pipe: Pipe) -> Option<f64> {
    let entry = report.pipes.iter().find(|entry| entry.pipe == pipe)?;
    Some(report.pipe_share(entry, entry.busy))
}

/// How much faster the last rung is than the first.
fn overall(rungs: &[Rung]) -> Option<f64> {
    let mut made = rungs.iter().filter_map(|rung| rung.report.as_ref().ok());
    let first = made.next()?;
    let last = made.next_back()?;
    Some(first.cycles as f64 / last.cycles.max(1) as f64)
}

fn json(func: &Func, settings: &Settings, rungs: &[Rung], alike: Option<&(Report, f64)>) -> String {
    let rung = |rung: &Rung| match &rung.report {
        Ok(report) => json!({
            "name": rung.name,
            "cycles": report.cycles,
            "seconds": report.seconds(),
            "utilization": { "cube": report.cube_utilization(), "hbm": report.hbm_utilization() },
        }),
        Err(why) => json!({ "name": rung.name, "not_made": why }),
    };
    let value = json!({
        "schema": 1,
        "kernel": func.name,
        "target": { "name": settings.chip.name, "version": settings.chip.version_stamp() },
        "rungs": rungs.iter().map(rung).collect::<Vec<_>>(),
        "published": published::of(func, &settings.chip).map(|ladder| ladder.json()),
        "first_rung_as_published": alike.map(|(report, published)| json!({
            "cycles": report.cycles,
            "us": report.seconds() * 1e6,
            "published_us": published,
        })),
    });
    value.to_string() + "\n"
}

//! The explanation of a schedule as text and as JSON.

use std::fmt::Write as _;

use backend::Values;
use backend::schedule::space::Lack;
use emulator::Roof;
use search::{Outcome, StepExplanation, Tried};
use serde_json::{Value, json};

use super::Facts;
use crate::table::{Align, Table, grouped};

/// Candidates of a step that are shown.
const SHOWN: usize = 12;

/// The explanation for people.
pub(super) fn text(facts: &Facts<'_>) -> String {
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
        "cycles    {}, {} of them launch",
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
            if at == 0 { "binds   " } else { "then    " },
            roof.resource,
            grouped(roof.cycles),
            share * 100.0
        );
    }
    text += &summary(facts);
    for step in &facts.search.steps {
        text += &about(facts, step);
    }
    text
}

/// What the search did and came to.
fn summary(facts: &Facts<'_>) -> String {
    let search = facts.search;
    let mut text = format!(
        "search    {} candidates priced, {} of them planned and {} left out by their bound, {} timed on a few blocks a core, {} more closely\n",
        search.priced,
        search.planned,
        search.pruned,
        search.timed,
        search.confirmed.len()
    );
    if let (Some(rule), Some(best)) = (search.default_cycles, search.cycles) {
        let change = percent(best as f64 / rule.max(1) as f64 - 1.0);
        let _ = writeln!(
            text,
            "by rule   {}; the search finds {} ({change})",
            grouped(rule),
            grouped(best)
        );
    } else {
        text +=
            "by rule   what it does depends on values or on the launch, and nothing was timed\n";
    }
    text
}

/// What was tried about a step, and what would be better with more memory.
fn about(facts: &Facts<'_>, step: &StepExplanation) -> String {
    let chosen = chosen(facts, step);
    let mut text = format!("\n{}: {}\n", step.name, words(&chosen));
    if let Some(known) = step.candidate(&chosen) {
        let _ = writeln!(
            text,
            "by the cost function {} cycles, bound by {}",
            grouped(known.cycles.unsigned_abs()),
            known.binds.name()
        );
    }
    if let Some(lack) = step.lacking(&chosen) {
        let _ = writeln!(text, "next better: {}", lacking(lack, &chosen));
    }
    let mut tried: Vec<&Tried> = step.tried.iter().collect();
    tried.sort_by_key(|tried| match tried.outcome {
        Outcome::Timed(cycles) => (0, cycles),
        Outcome::Refused(_) => (1, 0),
    });
    let _ = write!(text, "{}", table(facts, &tried, &chosen));
    if tried.len() > SHOWN {
        let _ = writeln!(text, "and {} more", tried.len() - SHOWN);
    }
    text
}

/// The decisions about a step that are explained.
fn chosen(facts: &Facts<'_>, step: &StepExplanation) -> Values {
    let known = facts.schedule.step(&step.name);
    known.map_or_else(Values::new, |known| known.values.clone())
}

fn table(facts: &Facts<'_>, tried: &[&Tried], chosen: &Values) -> Table {
    let mut table = Table::new(&[
        ("instead", Align::Left),
        ("priced", Align::Right),
        ("timed", Align::Right),
        ("change", Align::Right),
        ("bound by", Align::Left),
        ("", Align::Left),
    ]);
    let own = facts.report.cycles.max(1) as f64;
    for tried in tried.iter().take(SHOWN) {
        let (cycles, change, why) = match &tried.outcome {
            Outcome::Timed(cycles) => (
                grouped(*cycles),
                percent(*cycles as f64 / own - 1.0),
                String::new(),
            ),
            Outcome::Refused(why) => ("–".to_owned(), String::new(), why.clone()),
        };
        let priced = tried.reckoned.map(i64::unsigned_abs);
        table.row([
            difference(&tried.values, chosen),
            priced.map_or(String::new(), grouped),
            cycles,
            change,
            tried.binds.map_or("", |term| term.name()).to_owned(),
            why,
        ]);
    }
    table
}

/// What differs from the decisions that are explained.
fn difference(values: &Values, chosen: &Values) -> String {
    let other = values
        .iter()
        .filter(|(knob, value)| chosen.get(knob) != Some(value));
    let other: Values = other.map(|(knob, value)| (*knob, *value)).collect();
    match other.is_empty() {
        true => "the same".to_owned(),
        false => words(&other),
    }
}

fn words(values: &Values) -> String {
    let words = values.iter();
    let words: Vec<String> = words
        .map(|(knob, value)| format!("{} {value}", knob.name()))
        .collect();
    words.join(", ")
}

fn lacking(lack: &Lack, chosen: &Values) -> String {
    format!(
        "{} would take {} cycles by the cost function, and needs {} KiB of {}; there are {}",
        difference(&lack.values, chosen),
        grouped(lack.cycles.unsigned_abs()),
        lack.needed.div_ceil(1024),
        lack.space.name(),
        lack.available / 1024
    )
}

fn percent(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

/// The explanation for machines.
pub(super) fn json(facts: &Facts<'_>) -> String {
    let search = facts.search;
    let binds = facts.roofs.iter().max_by_key(|roof| roof.cycles);
    let confirmed = search.confirmed.iter().map(|known| {
        json!({
            "schedule": known.schedule.to_string(),
            "reckoned": known.reckoned,
            "cycles": known.cycles,
        })
    });
    let value = json!({
        "schema": 2,
        "kernel": facts.func.name,
        "target": {
            "name": facts.settings.chip.name,
            "version": facts.settings.chip.version_stamp(),
        },
        "schedule": facts.schedule.to_string(),
        "cycles": facts.report.cycles,
        "binding": binds.map(|roof| json!({ "resource": roof.resource, "cycles": roof.cycles })),
        "search": {
            "priced": search.priced,
            "planned": search.planned,
            "pruned": search.pruned,
            "timed": search.timed,
            "by_rule": search.default_cycles,
            "found": search.cycles,
            "confirmed": confirmed.collect::<Vec<_>>(),
        },
        "steps": search.steps.iter().map(|step| json_step(facts, step)).collect::<Vec<_>>(),
    });
    value.to_string() + "\n"
}

fn json_step(facts: &Facts<'_>, step: &StepExplanation) -> Value {
    let chosen = chosen(facts, step);
    let known = step.candidate(&chosen);
    let tried = step.tried.iter().map(|tried| {
        let (cycles, why) = match &tried.outcome {
            Outcome::Timed(cycles) => (Some(*cycles), None),
            Outcome::Refused(why) => (None, Some(why.clone())),
        };
        json!({
            "values": json_values(&tried.values),
            "priced": tried.reckoned,
            "binds": tried.binds.map(|term| term.name()),
            "cycles": cycles,
            "why_not": why,
        })
    });
    json!({
        "name": step.name,
        "chosen": json_values(&chosen),
        "priced": known.map(|known| known.cycles),
        "binds": known.map(|known| known.binds.name()),
        "candidates": step.candidates.len(),
        "pruned": step.pruned,
        "lack": step.lacking(&chosen).map(|lack| json!({
            "values": json_values(&lack.values),
            "priced": lack.cycles,
            "space": lack.space.name(),
            "needed": lack.needed,
            "available": lack.available,
        })),
        "tried": tried.collect::<Vec<_>>(),
    })
}

fn json_values(values: &Values) -> Value {
    let values = values.iter();
    values
        .map(|(knob, value)| (knob.name().to_owned(), json!(value)))
        .collect()
}

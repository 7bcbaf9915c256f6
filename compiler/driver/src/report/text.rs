//! The report for people: a few aligned lines, the important ones first.

use emulator::PipeReport;

use super::Facts;
use crate::reference::Comparison;
use crate::table::{Align, Table, bytes, grouped};
use crate::verification::Verdict;

/// The report.
pub(crate) fn text(facts: &Facts<'_>) -> String {
    let mut text = head(facts);
    text.push('\n');
    text.push_str(&lines(facts));
    text.push('\n');
    text.push_str(&pipes(facts));
    text.push('\n');
    text.push_str(&moved(facts));
    text
}

/// `gemm  M=1024 K=1024 N=1024  O1  on 910b2 v1 #3660e9f1`.
fn head(facts: &Facts<'_>) -> String {
    let sizes = facts
        .kernel
        .sizes
        .iter()
        .map(|(name, size)| format!("{name}={size}"));
    let mut words = vec![
        facts.kernel.name.clone(),
        sizes.collect::<Vec<_>>().join(" "),
    ];
    words.push(facts.level());
    words.push(format!("on {} {}", facts.chip, facts.chip_version));
    words.retain(|word| !word.is_empty());
    words.join("  ") + "\n"
}

fn lines(facts: &Facts<'_>) -> String {
    let cost = facts.cost;
    let mut rows: Vec<(String, String)> = Vec::new();
    match facts.check {
        Some(comparisons) => rows.extend(comparisons.iter().map(error)),
        None if facts.timing_only => rows.push(("values".to_owned(), "left out".to_owned())),
        None => rows.push(("error".to_owned(), "not compared".to_owned())),
    }
    let launch = grouped(cost.launch_cycles);
    rows.push((
        "cycles".to_owned(),
        format!("{}, {launch} of them launch", grouped(cost.cycles)),
    ));
    rows.push(("time".to_owned(), time(cost.seconds(), cost.clock_mhz)));
    rows.push((
        "lower bound".to_owned(),
        format!(
            "{} cycles by {}: {} of it reached",
            grouped(cost.bound.cycles),
            cost.bound.kind.name(),
            percent(cost.bound_fraction())
        ),
    ));
    rows.push((
        "cores".to_owned(),
        format!("{} cube, {} vector", cost.cube_cores, cost.vector_cores),
    ));
    let shares = [
        ("cube", cost.cube_utilization()),
        ("vector", cost.vector_utilization()),
        ("hbm", cost.hbm_utilization()),
        ("l2", cost.l2_utilization()),
    ];
    let used: Vec<String> = shares
        .iter()
        .map(|(name, share)| format!("{name} {}", percent(*share)))
        .collect();
    rows.push(("utilization".to_owned(), used.join(", ")));
    rows.push(("sanitizers".to_owned(), sanitizers(facts).to_owned()));
    rows.push(("verifier".to_owned(), verifier(facts)));
    rows.extend(
        facts
            .origins
            .iter()
            .map(|line| ("first".to_owned(), line.clone())),
    );
    let count = grouped(cost.instructions);
    let host = format!(
        "{count} instructions in {:.2} s on this host",
        facts.host_seconds
    );
    rows.push(("emulator".to_owned(), host));
    aligned(&rows)
}

fn sanitizers(facts: &Facts<'_>) -> &'static str {
    if facts.sanitized {
        "found nothing"
    } else {
        "off"
    }
}

/// `proved, for any data`.
fn verifier(facts: &Facts<'_>) -> String {
    match facts.verdict {
        Verdict::Proved(proof) => match proof.assumptions.len() {
            0 => "proved, for any data".to_owned(),
            n => format!("proved, if data meets {n} assumptions"),
        },
        Verdict::Refused(refusal) => format!("REFUSED: {refusal}"),
        Verdict::Left(why) => format!("not asked: {why}"),
    }
}

/// `y: at most 4.9e-4 off, 9.8e-4 allowed; equal to the evaluator in every bit`.
fn error(comparison: &Comparison) -> (String, String) {
    let deviation = &comparison.deviation;
    let verdict = match (comparison.ok, comparison.different) {
        (_, 0) => "every bit as the evaluator has it".to_owned(),
        (true, n) => format!(
            "{} elements have other bits, as the free order allows",
            grouped(n as u64)
        ),
        (false, n) => format!("WRONG: {} elements have other bits", grouped(n as u64)),
    };
    let beyond = match deviation.outside {
        0 => String::new(),
        n => format!(", WRONG: {} elements beyond their bound", grouped(n as u64)),
    };
    let measured = if deviation.max_abs == 0.0 && comparison.allowed == 0.0 {
        format!("none: exact{beyond}; {verdict}")
    } else {
        format!(
            "at most {:.2e} off ({:.1e} relative), {:.2e} allowed{beyond}; {verdict}",
            deviation.max_abs, deviation.max_rel, comparison.allowed
        )
    };
    (format!("error of {}", comparison.name), measured)
}

fn time(seconds: f64, clock_mhz: u64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    format!("{value:.2} {unit} at {:.2} GHz", clock_mhz as f64 / 1000.0)
}

/// Columns: the busy share of each pipe and where the rest went.
fn pipes(facts: &Facts<'_>) -> String {
    let mut table = Table::new(&[
        ("pipe", Align::Left),
        ("busy", Align::Right),
        ("starved", Align::Right),
        ("flag", Align::Right),
        ("barrier", Align::Right),
        ("cross", Align::Right),
        ("memory", Align::Right),
        ("instructions", Align::Right),
    ]);
    for pipe in &facts.cost.pipes {
        let share = |cycles| percent(facts.cost.pipe_share(pipe, cycles));
        let PipeReport {
            busy,
            stall_starved,
            stall_flag,
            stall_barrier,
            ..
        } = *pipe;
        table.row([
            pipe.pipe.name().to_uppercase(),
            share(busy),
            share(stall_starved),
            share(stall_flag),
            share(stall_barrier),
            share(pipe.stall_cross),
            share(pipe.stall_memory),
            grouped(pipe.instructions),
        ]);
    }
    table.to_string()
}

/// Traffic of each way that was used, and the highest byte of each memory.
fn moved(facts: &Facts<'_>) -> String {
    let cost = facts.cost;
    let ways = cost
        .traffic
        .iter()
        .map(|(path, bytes)| (path.name(), *bytes));
    let shared = [
        ("hbm read", cost.hbm_read),
        ("hbm write", cost.hbm_write),
        ("l2 hit", cost.l2_hit),
    ];
    let compulsory = ("compulsory", facts.kernel.compulsory_bytes);
    let used = ways
        .chain(shared)
        .chain([compulsory])
        .filter(|(_, amount)| *amount > 0);
    let rows: Vec<(String, String)> = used
        .map(|(name, amount)| (name.replace('_', " → "), bytes(amount)))
        .collect();
    let peaks = cost.peak_bytes.iter().filter(|(_, amount)| *amount > 0);
    let peaks: Vec<String> = peaks
        .map(|(space, amount)| format!("{space} {}", bytes(*amount)))
        .collect();
    let mut text = aligned(&rows);
    text.push_str(&aligned(&[("peak".to_owned(), peaks.join(", "))]));
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `name   value` with the values in one column.
fn aligned(rows: &[(String, String)]) -> String {
    const NAMES: usize = 13;
    let line = |(name, value): &(String, String)| format!("{name:<NAMES$} {value}\n");
    rows.iter().map(line).collect()
}

//! The profile for people: what binds first, then who waited for whom, then what would help.

use std::fmt::Write as _;

use emulator::{Class, PipeProfile, Step};
use isa::types::Pipe;

use super::{Facts, lines};
use crate::table::{Align, Table, bytes, grouped};

/// Waits below this share of a pipe's time are summed up.
const SMALL: f64 = 0.005;
/// Rows of the lists of instructions and lines.
const ROWS: usize = 12;

/// The report.
pub(super) fn text(facts: &Facts<'_>) -> String {
    let mut text = head(facts);
    let parts = [
        (
            "roofline: what each resource alone would take",
            roofline(facts),
        ),
        (
            "pipes: share of the time of each, averaged over its cores",
            pipes(facts),
        ),
        ("traffic", traffic(facts)),
        (
            "critical path: what the end of the run waited for",
            passing(facts),
        ),
        ("critical path by instruction", instructions(facts)),
        ("source lines", source_lines(facts)),
        (
            "what if: the same program on a chip with more of something",
            what_if(facts),
        ),
    ];
    for (title, part) in parts {
        if !part.is_empty() {
            let _ = write!(text, "\n{title}\n{part}");
        }
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn head(facts: &Facts<'_>) -> String {
    let (kernel, report) = (&facts.object.kernel, &facts.outcome.report);
    let sizes = kernel
        .sizes
        .iter()
        .map(|(name, size)| format!("{name}={size}"));
    let level = match kernel.opt.as_str() {
        "" => String::new(),
        level => format!("O{level}"),
    };
    let mut words = vec![
        kernel.name.clone(),
        sizes.collect::<Vec<_>>().join(" "),
        level,
    ];
    words.push(format!("on {}", report.chip));
    words.retain(|word| !word.is_empty());
    let mut text = words.join("  ") + "\n\n";
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<13} {value}");
    };
    line(
        "cycles",
        format!(
            "{}, {} of them launch; {:.2} µs",
            grouped(report.cycles),
            grouped(report.launch_cycles),
            report.seconds() * 1e6
        ),
    );
    line(
        "utilization",
        format!(
            "cube {}, vector {}, hbm {}, l2 {}",
            percent(report.cube_utilization()),
            percent(report.vector_utilization()),
            percent(report.hbm_utilization()),
            percent(report.l2_utilization())
        ),
    );
    let (binds, any) = facts.binding();
    if let Some(roof) = any {
        line("any schedule", bound(facts, roof));
    }
    if let Some(roof) = binds {
        line("this one", bound(facts, roof));
    }
    text
}

fn bound(facts: &Facts<'_>, roof: &emulator::Roof) -> String {
    let report = &facts.outcome.report;
    let with = roof.cycles + report.launch_cycles;
    format!(
        "at least {} cycles with the launch, by {}: {} of that speed reached",
        grouped(with),
        roof.resource,
        percent(facts.share(with))
    )
}

fn roofline(facts: &Facts<'_>) -> String {
    let mut table = Table::new(&[
        ("resource", Align::Left),
        ("cycles", Align::Right),
        ("reached", Align::Right),
        ("for", Align::Left),
        ("", Align::Left),
    ]);
    for roof in &facts.roofs {
        let amount = match roof.unit.contains("bytes") {
            true => bytes(roof.amount),
            false => grouped(roof.amount),
        };
        let whose = if roof.compulsory { "any schedule" } else { "" };
        table.row([
            roof.resource.clone(),
            grouped(roof.cycles),
            percent(facts.share(roof.cycles)),
            format!("{amount} {}", roof.unit),
            whose.to_owned(),
        ]);
    }
    table.to_string()
}

fn pipes(facts: &Facts<'_>) -> String {
    if facts.profile.pipes.is_empty() {
        return format!(
            "left out: {} events are more than are kept; `vinci run` has the sums\n",
            grouped(facts.profile.events as u64)
        );
    }
    let mut table = Table::new(&[
        ("core", Align::Left),
        ("pipe", Align::Left),
        ("work", Align::Right),
        ("ended", Align::Right),
        ("waits", Align::Left),
    ]);
    for pipe in &facts.profile.pipes {
        let share = |cycles: u64| facts.share(cycles) / pipe.cores.max(1) as f64;
        let of = |class: Class| share(pipe.classes.get(&class).copied().unwrap_or(0));
        table.row([
            lines::core(pipe.kind).to_owned(),
            pipe.pipe.name().to_uppercase(),
            percent(of(Class::Work)),
            percent(of(Class::Ended)),
            waits(pipe, &share),
        ]);
    }
    let launch = percent(facts.share(facts.outcome.report.launch_cycles));
    format!("{table}the launch takes {launch} of the time of all\n")
}

/// The waits of a pipe, the longest first.
fn waits(pipe: &PipeProfile, share: &dyn Fn(u64) -> f64) -> String {
    let mut waits: Vec<(Class, u64)> = pipe
        .classes
        .iter()
        .filter(|(class, _)| !matches!(class, Class::Work | Class::Ended))
        .map(|(class, cycles)| (*class, *cycles))
        .collect();
    waits.sort_by_key(|&(class, cycles)| (std::cmp::Reverse(cycles), class));
    let (long, short): (Vec<_>, Vec<_>) = waits
        .into_iter()
        .partition(|(_, cycles)| share(*cycles) >= SMALL);
    let mut parts: Vec<String> = long
        .iter()
        .map(|(class, cycles)| format!("{} {}", class.name(), percent(share(*cycles))))
        .collect();
    let rest: u64 = short.iter().map(|(_, cycles)| cycles).sum();
    if share(rest) >= 0.0005 {
        parts.push(format!("others {}", percent(share(rest))));
    }
    parts.join(", ")
}

fn traffic(facts: &Facts<'_>) -> String {
    let report = &facts.outcome.report;
    let ways = report.traffic.iter();
    let ways = ways.map(|(path, amount)| (path.name().replace('_', " → "), *amount));
    let shared = [
        ("hbm read".to_owned(), report.hbm_read),
        ("hbm write".to_owned(), report.hbm_write),
        ("l2 hit".to_owned(), report.l2_hit),
    ];
    let used = ways.chain(shared).filter(|(_, amount)| *amount > 0);
    let words: Vec<String> = used
        .map(|(name, amount)| format!("{name} {}", bytes(amount)))
        .collect();
    words.join(", ") + "\n"
}

fn passing(facts: &Facts<'_>) -> String {
    if facts.profile.path.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        ("pipe", Align::Left),
        ("what", Align::Left),
        ("cycles", Align::Right),
        ("share", Align::Right),
    ]);
    let launch = facts.outcome.report.launch_cycles;
    let mut row = |pipe: &str, what: String, cycles: u64| {
        table.row([
            pipe.to_owned(),
            what,
            grouped(cycles),
            percent(facts.share(cycles)),
        ]);
    };
    for (what, pipe, cycles) in facts.profile.passing() {
        row(&pipe.name().to_uppercase(), what.name(), cycles);
    }
    row("", "launch".to_owned(), launch);
    let changes = facts
        .profile
        .path
        .windows(2)
        .filter(|pair| changes_core(pair));
    let count = changes.count();
    let hops = match count {
        0 => "it stays on one core".to_owned(),
        1 => "it changes cores once".to_owned(),
        n => format!("it changes cores {} times", grouped(n as u64)),
    };
    format!("{table}{hops}\n")
}

fn changes_core(pair: &[Step]) -> bool {
    matches!(pair, [a, b] if a.core != b.core)
}

fn instructions(facts: &Facts<'_>) -> String {
    if facts.profile.path.is_empty() {
        return String::new();
    }
    let mut insts: Vec<_> = facts.profile.insts.iter().collect();
    insts.retain(|(_, inst)| inst.path > 0);
    insts.sort_by_key(|&(at, inst)| (std::cmp::Reverse(inst.path), at));
    let mut table = Table::new(&[
        ("core", Align::Left),
        ("at", Align::Right),
        ("instruction", Align::Left),
        ("pipe", Align::Left),
        ("on the path", Align::Right),
        ("share", Align::Right),
        ("runs", Align::Right),
        ("line", Align::Right),
    ]);
    for (&(kind, pc), inst) in insts.into_iter().take(ROWS) {
        let code = facts.object.code(kind).get(pc as usize);
        let line = facts.object.line_of(kind, pc);
        table.row([
            lines::core(kind).to_owned(),
            pc.to_string(),
            code.map_or("?", isa::inst::Inst::mnemonic).to_owned(),
            lines::pipe(facts.object, kind, pc).name().to_uppercase(),
            grouped(inst.path),
            percent(facts.share(inst.path)),
            grouped(inst.count),
            line.map_or(String::new(), |row| row.line.to_string()),
        ]);
    }
    table.to_string()
}

fn source_lines(facts: &Facts<'_>) -> String {
    let mut text = String::new();
    for source in facts
        .sources
        .iter()
        .filter(|source| !source.lines.is_empty())
    {
        let mut table = Table::new(&[
            ("line", Align::Right),
            ("on the path", Align::Right),
            ("share", Align::Right),
            ("slack", Align::Right),
            ("busiest", Align::Left),
            ("", Align::Right),
            ("source", Align::Left),
        ]);
        let mut lines: Vec<_> = source.lines.iter().collect();
        lines.sort_by_key(|line| (std::cmp::Reverse(line.path), line.number));
        for line in lines.into_iter().take(ROWS) {
            let (pipe, cycles) = line.longest();
            let cores = facts.cores_with(pipe);
            table.row([
                line.number.to_string(),
                grouped(line.path),
                percent(facts.share(line.path)),
                grouped(line.slack),
                pipe.name().to_uppercase(),
                percent(facts.share(cycles) / cores as f64),
                source.line_text(line.number).to_owned(),
            ]);
        }
        let _ = write!(text, "{}\n{table}", source.name);
    }
    text
}

impl Facts<'_> {
    /// Cores that ran and have a pipe.
    fn cores_with(&self, pipe: Pipe) -> u64 {
        let having = self.profile.pipes.iter().filter(|entry| entry.pipe == pipe);
        having.map(|entry| entry.cores).sum::<u64>().max(1)
    }
}

fn what_if(facts: &Facts<'_>) -> String {
    if facts.what_if.is_empty() {
        return String::new();
    }
    let own = facts.outcome.report.cycles;
    let mut table = Table::new(&[
        ("resource", Align::Left),
        ("is", Align::Left),
        ("cycles", Align::Right),
        ("gain", Align::Right),
        ("that is", Align::Left),
    ]);
    let mut rows: Vec<_> = facts.what_if.iter().collect();
    rows.sort_by_key(|what| what.cycles);
    for what in rows {
        let gain = 1.0 - what.cycles as f64 / own.max(1) as f64;
        table.row([
            what.change.resource.to_owned(),
            what.change.how.to_owned(),
            grouped(what.cycles),
            percent(gain),
            what.change.meaning.to_owned(),
        ]);
    }
    table.to_string()
}

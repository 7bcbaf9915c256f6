//! The profile as one page that needs nothing else: its data, its style and its script stand in it.
//!
//! Of a long run the page has the first cores, and instructions that follow each other closely on a pipe are drawn as
//! one; the page says what it leaves out.

use std::collections::BTreeMap;

use backend::plan::{Life, lives};
use emulator::{CoreId, TraceSpan};
use ir::tile::Func;
use isa::types::{Pipe, Space};
use serde_json::{Value, json};

use super::{Facts, json as report, lines};

/// The page around the data.
const TEMPLATE: &str = include_str!("page.html");
/// Where the data goes.
const MARK: &str = "/*DATA*/";
/// Most bars of a page (we choose: some megabytes).
const MOST_BARS: usize = 60_000;
/// Most steps of the critical path.
const MOST_STEPS: usize = 20_000;

/// The page.
pub(super) fn page(facts: &Facts<'_>, placed: Option<&Func>) -> String {
    let mut data = report::value(facts);
    if let Value::Object(map) = &mut data {
        map.insert("timeline".to_owned(), timeline(facts));
        map.insert("path".to_owned(), path(facts));
        map.insert("memory".to_owned(), memory(facts, placed));
        map.insert("sources".to_owned(), sources(facts).into());
    }
    // A source may hold the end of a script.
    let data = data.to_string().replace("</", "<\\/");
    TEMPLATE.replacen(MARK, &data, 1)
}

/// Bars of one pipe of one core.
struct Row {
    core: CoreId,
    pipe: Pipe,
    bars: Vec<Bar>,
}

/// Instructions that are drawn as one.
struct Bar {
    begin: u64,
    end: u64,
    pc: u32,
    count: u64,
    busy: u64,
}

fn timeline(facts: &Facts<'_>) -> Value {
    let mut spans: BTreeMap<(CoreId, Pipe), Vec<&TraceSpan>> = BTreeMap::new();
    for span in &facts.outcome.trace {
        spans.entry((span.core, span.pipe)).or_default().push(span);
    }
    let mut cores: Vec<CoreId> = spans.keys().map(|(core, _)| *core).collect();
    cores.dedup();
    let of = |core: CoreId| -> usize {
        let own = spans.iter().filter(|((of, _), _)| *of == core);
        own.map(|(_, spans)| spans.len()).sum()
    };
    // Whole cores as long as they fit; at least one group, thinned out if it must be.
    let mut shown = Vec::new();
    let mut bars = 0;
    for &core in &cores {
        let more = of(core);
        if bars + more > MOST_BARS && core.group > 0 {
            break;
        }
        bars += more;
        shown.push(core);
    }
    let grain = match bars > MOST_BARS {
        true => facts.profile.cycles / (MOST_BARS as u64 / (shown.len() as u64 * 4).max(1)).max(1),
        false => 0,
    };
    let rows = spans.iter().filter(|((core, _), _)| shown.contains(core));
    let rows: Vec<Row> = rows
        .map(|(&(core, pipe), spans)| Row {
            core,
            pipe,
            bars: merged(spans, grain),
        })
        .collect();
    json!({
        "cores": cores.len(),
        "shown": shown.len(),
        "grain": grain,
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

/// Bars of a row; those that are closer than the grain become one, named for the first.
fn merged(spans: &[&TraceSpan], grain: u64) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for span in spans {
        let busy = span.end - span.begin;
        match bars.last_mut() {
            Some(bar) if grain > 0 && span.end.saturating_sub(bar.begin) <= grain => {
                bar.end = bar.end.max(span.end);
                bar.count += 1;
                bar.busy += busy;
            }
            Some(_) | None => bars.push(Bar {
                begin: span.begin,
                end: span.end,
                pc: span.pc,
                count: 1,
                busy,
            }),
        }
    }
    bars
}

/// A row as numbers: begin, length, instruction, count, busy cycles.
fn row(row: &Row) -> Value {
    let bars = row.bars.iter();
    let bars: Vec<u64> = bars
        .flat_map(|bar| {
            [
                bar.begin,
                bar.end - bar.begin,
                u64::from(bar.pc),
                bar.count,
                bar.busy,
            ]
        })
        .collect();
    json!({
        "core": row.core.to_string(),
        "kind": lines::core(row.core.kind()),
        "pipe": row.pipe.name().to_uppercase(),
        "bars": bars,
    })
}

/// The longest steps of the critical path in the order of time.
fn path(facts: &Facts<'_>) -> Value {
    let mut steps: Vec<_> = facts.profile.path.iter().collect();
    let all = steps.len();
    if all > MOST_STEPS {
        steps.sort_by_key(|step| (std::cmp::Reverse(step.end - step.begin), step.begin));
        steps.truncate(MOST_STEPS);
        steps.sort_by_key(|step| step.begin);
    }
    let value = |step: &&emulator::Step| {
        json!([
            step.begin,
            step.end - step.begin,
            step.core.to_string(),
            step.pipe.name().to_uppercase(),
            step.what.name(),
            step.pc
        ])
    };
    json!({ "steps": steps.iter().map(value).collect::<Vec<_>>(), "all": all })
}

/// Every buffer with its addresses and when it lives, in operations of the tile form.
fn memory(facts: &Facts<'_>, placed: Option<&Func>) -> Value {
    let Some(func) = placed else {
        return Value::Null;
    };
    let lives = lives(func);
    let mut spaces = Vec::new();
    for space in Space::ALL {
        let own = lives
            .iter()
            .filter(|life| func.bufs[life.buf].space == space);
        let buffers: Vec<Value> = own.filter_map(|life| buffer(func, life)).collect();
        if !buffers.is_empty() {
            spaces.push(json!({
                "space": space.to_string(),
                "bytes": facts.chip.usable_bytes(space),
                "buffers": buffers,
            }));
        }
    }
    Value::Array(spaces)
}

fn buffer(func: &Func, life: &Life) -> Option<Value> {
    let data = &func.bufs[life.buf];
    let ranges = life.ranges.iter();
    let ranges: Vec<Value> = ranges
        .map(|range| {
            let pipes: Vec<&str> = range.pipes.iter().map(|pipe| pipe.name()).collect();
            json!([range.phase, range.start, range.end, pipes.join(" ")])
        })
        .collect();
    Some(json!({
        "name": data.name,
        "address": data.addr?,
        "bytes": data.copy_bytes()?,
        "copies": data.depth,
        "shape": format!("{}[{}, {}]", data.elem, data.rows, data.cols),
        "ranges": ranges,
    }))
}

fn sources(facts: &Facts<'_>) -> Vec<Value> {
    let sources = facts.sources.iter();
    sources
        .filter(|source| !source.lines.is_empty())
        .map(|source| json!({ "name": source.name, "text": source.text }))
        .collect()
}

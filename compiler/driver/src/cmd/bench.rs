//! `vinci bench`: the cycles of kernels at their shapes, and what changed since they were last written down.
//!
//! The model is deterministic, so one run is enough and any difference is one.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::Value;

use super::run::Run;
use super::sweep::{measured, own_shapes};
use crate::args::Compile;
use crate::errors;
use crate::host::Stop;
use crate::measure::{self, Row};
use crate::session::Session;
use crate::table::{Align, Table, grouped};

/// `vinci bench`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Bench {
    /// `.vn` files, or folders of such
    #[arg(value_name = "FILE|FOLDER", required = true)]
    pub(crate) files: Vec<String>,
    #[command(flatten)]
    pub(crate) compile: Compile,
    /// Writes the measurements down
    #[arg(long, value_name = "FILE.json")]
    pub(crate) save: Option<String>,
    /// Compares with measurements that were written down
    #[arg(long, value_name = "FILE.json")]
    pub(crate) baseline: Option<String>,
    /// With `--baseline`: ends with status 1 if a kernel takes more than so many percent longer
    #[arg(long, value_name = "PERCENT", requires = "baseline")]
    pub(crate) fail_above: Option<f64>,
    /// The form of the result
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) format: measure::Form,
}

/// Measures each file at each of its shapes.
pub(crate) fn run(args: &Bench, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let before = match &args.baseline {
        Some(path) => Some(baseline(path, session)?),
        None => None,
    };
    let files = super::fmt::kernels(&args.files, session)?;
    let progress = session.progress(files.len() as u64, "");
    let (mut rows, mut found) = (Vec::new(), Vec::new());
    for file in &files {
        progress.say(file.as_str());
        let question = Run {
            timing_only: true,
            ..Run::plain(file, &args.compile)
        };
        match own_shapes(file, &args.compile, session) {
            Ok(shapes) => {
                for shape in &shapes {
                    let (row, wrong) = measured(&question, shape, session)?;
                    rows.push(row);
                    found.extend(wrong);
                }
            }
            Err(Stop::Findings(wrong)) => found.extend(wrong),
            Err(stop @ (Stop::Said | Stop::Closed)) => return Err(stop),
        }
        progress.step();
    }
    drop(progress);
    if let Some(path) = &args.save {
        session.write(path, measure::text(&rows, measure::Form::Json).as_bytes())?;
    }
    match &before {
        Some(before) if args.format == measure::Form::Table => {
            session.host.print(&compared(&rows, before))?;
        }
        Some(_) | None => session.host.print(&measure::text(&rows, args.format))?,
    }
    if let (Some(before), Some(most)) = (&before, args.fail_above) {
        let slower = rows.iter().filter_map(|row| {
            let (now, then) = (cycles(row)?, *before.get(&name(row))?);
            let more = change(now, then);
            (more > most).then(|| errors::slower(&name(row), now, then, more))
        });
        found.extend(slower);
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(Stop::Findings(found))
    }
}

fn cycles(row: &Row) -> Option<u64> {
    row.outcome.as_ref().ok().map(|measured| measured.cycles)
}

/// What a row is called in every file: `gemm M=64 K=64 N=64 on 910b2 O1`.
fn name(row: &Row) -> String {
    let sizes = row
        .sizes
        .iter()
        .map(|(name, value)| format!(" {name}={value}"));
    format!(
        "{}{} on {} {}",
        row.kernel,
        sizes.collect::<String>(),
        row.target,
        row.opt
    )
}

/// Percent by which a kernel takes longer.
fn change(now: u64, then: u64) -> f64 {
    100.0 * (now as f64 - then as f64) / (then as f64).max(1.0)
}

fn compared(rows: &[Row], before: &BTreeMap<String, u64>) -> String {
    let mut table = Table::new(&[
        ("kernel", Align::Left),
        ("before", Align::Right),
        ("now", Align::Right),
        ("change", Align::Right),
    ]);
    for row in rows {
        let name = name(row);
        let then = before.get(&name).copied();
        let now = cycles(row);
        let change = match (now, then) {
            (Some(now), Some(then)) if now == then => "same".to_owned(),
            (Some(now), Some(then)) => format!("{:+.2} %", change(now, then)),
            (Some(_), None) => "new".to_owned(),
            (None, _) => "failed".to_owned(),
        };
        let count = |cycles: Option<u64>| cycles.map_or(String::new(), grouped);
        table.row([name, count(then), count(now), change]);
    }
    table.to_string()
}

/// Cycles by name, from a file that `--save` wrote.
fn baseline(path: &str, session: &mut Session<'_, '_>) -> Result<BTreeMap<String, u64>, Stop> {
    let file = session.read_text(path)?;
    let read: Result<Value, _> = serde_json::from_str(session.sources.text(file));
    let value = read.map_err(|e| errors::bad_baseline(path, &e.to_string()))?;
    let rows = value["rows"].as_array();
    let rows = rows.ok_or_else(|| errors::bad_baseline(path, "it has no `rows`"))?;
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    let entry = |row: &Value| {
        let sizes = row["sizes"].as_object().into_iter().flatten();
        let sizes: String = sizes
            .map(|(name, value)| format!(" {name}={}", text(value)))
            .collect();
        let (kernel, target, opt) = (
            text(&row["kernel"]),
            text(&row["target"]),
            text(&row["opt"]),
        );
        Some((
            format!("{kernel}{sizes} on {target} {opt}"),
            row["cycles"].as_u64()?,
        ))
    };
    Ok(rows.iter().filter_map(entry).collect())
}

//! Rows of measurements: one kernel at some sizes on one chip, or why there is no number; as a table, CSV or JSON.

use clap::ValueEnum;
use emulator::Report;
use serde_json::{Map, Value, json};

use crate::table::{Align, Table, grouped};

/// Forms of a list of measurements.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Columns for people
    #[default]
    Table,
    /// Comma-separated values with a head
    Csv,
    /// One JSON object
    Json,
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) kernel: String,
    pub(crate) target: String,
    /// `O1`.
    pub(crate) opt: String,
    /// What was asked for, in the order of the question.
    pub(crate) sizes: Vec<(String, String)>,
    /// The numbers, or the first thing that was wrong.
    pub(crate) outcome: Result<Measured, String>,
}

/// The numbers of a run.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) cycles: u64,
    launch_cycles: u64,
    seconds: f64,
    bound: &'static str,
    bound_cycles: u64,
    fraction: f64,
    cube: f64,
    vector: f64,
    hbm: f64,
    l2: f64,
    /// Whether the results are right, if they were compared.
    checked: Option<bool>,
}

impl Measured {
    /// The numbers of a report.
    pub(crate) fn of(report: &Report, checked: Option<bool>) -> Measured {
        Measured {
            cycles: report.cycles,
            launch_cycles: report.launch_cycles,
            seconds: report.seconds(),
            bound: report.bound.kind.name(),
            bound_cycles: report.bound.cycles,
            fraction: report.bound_fraction(),
            cube: report.cube_utilization(),
            vector: report.vector_utilization(),
            hbm: report.hbm_utilization(),
            l2: report.l2_utilization(),
            checked,
        }
    }
}

/// All rows in a form.
pub(crate) fn text(rows: &[Row], form: Form) -> String {
    match form {
        Form::Table => table(rows),
        Form::Csv => csv(rows),
        Form::Json => json(rows),
    }
}

/// The names of all sizes, in the order in which they first come.
fn size_names(rows: &[Row]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flat_map(|row| &row.sizes) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

fn size<'a>(row: &'a Row, name: &str) -> &'a str {
    let found = row.sizes.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value.as_str())
}

fn table(rows: &[Row]) -> String {
    let names = size_names(rows);
    let fixed = ["cycles", "µs", "bound", "reached", "cube", "hbm", ""];
    let align = |name: &&'static str| match *name {
        "bound" | "" => (*name, Align::Left),
        _ => (*name, Align::Right),
    };
    let mut columns = vec![
        ("kernel", Align::Left),
        ("target", Align::Left),
        ("", Align::Left),
    ];
    columns.extend(names.iter().map(|name| (*name, Align::Right)));
    columns.extend(fixed.iter().map(align));
    let mut table = Table::new(&columns);
    for row in rows {
        let head = [row.kernel.clone(), row.target.clone(), row.opt.clone()];
        let sizes = names.iter().map(|name| size(row, name).to_owned());
        table.row(head.into_iter().chain(sizes).chain(numbers(row)));
    }
    table.to_string()
}

/// The columns of a table behind the sizes.
fn numbers(row: &Row) -> [String; 7] {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    match &row.outcome {
        Ok(m) => [
            grouped(m.cycles),
            format!("{:.2}", m.seconds * 1e6),
            m.bound.to_owned(),
            percent(m.fraction),
            percent(m.cube),
            percent(m.hbm),
            match m.checked {
                Some(true) => "right".to_owned(),
                Some(false) => "WRONG".to_owned(),
                None => String::new(),
            },
        ],
        Err(why) => {
            let mut cells = <[String; 7]>::default();
            cells[6].clone_from(why);
            cells
        }
    }
}

fn csv(rows: &[Row]) -> String {
    let names = size_names(rows);
    let numbers = [
        "cycles",
        "launch_cycles",
        "seconds",
        "bound",
        "bound_cycles",
        "fraction",
        "cube",
        "vector",
        "hbm",
        "l2",
        "check",
        "error",
    ];
    let head = ["kernel", "target", "opt"].into_iter();
    let head: Vec<&str> = head.chain(names.iter().copied()).chain(numbers).collect();
    let mut text = head.join(",") + "\n";
    for row in rows {
        let mut cells = vec![row.kernel.clone(), row.target.clone(), row.opt.clone()];
        cells.extend(names.iter().map(|name| size(row, name).to_owned()));
        match &row.outcome {
            Ok(m) => cells.extend([
                m.cycles.to_string(),
                m.launch_cycles.to_string(),
                format!("{:e}", m.seconds),
                m.bound.to_owned(),
                m.bound_cycles.to_string(),
                m.fraction.to_string(),
                m.cube.to_string(),
                m.vector.to_string(),
                m.hbm.to_string(),
                m.l2.to_string(),
                m.checked.map_or(String::new(), |right| right.to_string()),
                String::new(),
            ]),
            Err(why) => {
                cells.resize(head.len() - 1, String::new());
                cells.push(why.clone());
            }
        }
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&(cells.join(",") + "\n"));
    }
    text
}

/// A cell as RFC 4180 has it.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn json(rows: &[Row]) -> String {
    let rows: Vec<Value> = rows.iter().map(row_json).collect();
    json!({ "schema": 1, "rows": rows }).to_string() + "\n"
}

fn row_json(row: &Row) -> Value {
    let number = |text: &String| text.parse::<i64>().map_or(json!(text), Value::from);
    let sizes = row
        .sizes
        .iter()
        .map(|(name, value)| (name.clone(), number(value)));
    let sizes: Map<String, Value> = sizes.collect();
    let mut object = Map::new();
    object.insert("kernel".to_owned(), json!(row.kernel));
    object.insert("target".to_owned(), json!(row.target));
    object.insert("opt".to_owned(), json!(row.opt));
    object.insert("sizes".to_owned(), Value::Object(sizes));
    match &row.outcome {
        Ok(m) => {
            let bound =
                json!({ "kind": m.bound, "cycles": m.bound_cycles, "fraction": m.fraction });
            let utilization =
                json!({ "cube": m.cube, "vector": m.vector, "hbm": m.hbm, "l2": m.l2 });
            object.insert("cycles".to_owned(), json!(m.cycles));
            object.insert("launch_cycles".to_owned(), json!(m.launch_cycles));
            object.insert("seconds".to_owned(), json!(m.seconds));
            object.insert("bound".to_owned(), bound);
            object.insert("utilization".to_owned(), utilization);
            object.insert("check".to_owned(), json!(m.checked));
            object.insert("error".to_owned(), Value::Null);
        }
        Err(why) => {
            object.insert("error".to_owned(), json!(why));
        }
    }
    Value::Object(object)
}

//! The calibration suite: published times beside those of the model. `calibration/README.md` says how a row is read.
//!
//! A row of `calibration/anchors.toml` names a program, a chip, a figure with its source, and how far off the model may be.
//! Programs run like any other, without values; nothing here knows a constant of the model.

use std::fs;

use emulator::{Options, Outcome, Report, Sanitize};
use isa::asm::assemble;
use isa::chip::Chip;
use isa::types::Pipe;
use toml::{Table, Value};

/// A published figure and the program that the model answers it with.
#[derive(Clone, Debug)]
pub(crate) struct Anchor {
    pub(crate) name: String,
    file: String,
    chip: String,
    /// What is read off the run: `cycles` behind the launch, `us` with it, `busy PIPE` in cycles, `share PIPE` in percent.
    measure: String,
    /// Whose figure is taken off, or divided by.
    minus: Option<String>,
    over: Option<String>,
    published: f64,
    /// In percent.
    tolerance: f64,
    /// Known to be beyond its tolerance: the mechanism that is missing.
    miss: Option<String>,
    status: String,
    shares: Option<[f64; 4]>,
    /// Microseconds that the published shares refer to, if not the whole time.
    shares_of: Option<f64>,
}

/// What the model says about an anchor.
#[derive(Clone, Debug)]
pub(crate) struct Modelled {
    value: f64,
    shares: [f64; 4],
}

impl Anchor {
    fn read(table: &Table) -> Anchor {
        let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = text("name").expect("every anchor has a name");
        let need = |key: &str| text(key).unwrap_or_else(|| panic!("{name} lacks `{key}`"));
        let number = |key: &str| table.get(key).and_then(number_of);
        let shares = table.get("shares").and_then(Value::as_array).map(|list| {
            let list: Vec<f64> = list.iter().filter_map(number_of).collect();
            list.try_into().expect("four shares")
        });
        for key in ["source", "fit"] {
            need(key);
        }
        Anchor {
            file: need("file"),
            chip: need("chip"),
            measure: need("measure"),
            minus: text("minus"),
            over: text("over"),
            published: number("published").unwrap_or_else(|| panic!("{name} lacks `published`")),
            tolerance: number("tolerance").unwrap_or_else(|| panic!("{name} lacks `tolerance`")),
            miss: text("miss"),
            status: need("fit"),
            shares,
            shares_of: number("shares_of"),
            name,
        }
    }

    /// Runs the program, and the one it is compared with.
    pub(crate) fn run(&self) -> Modelled {
        let outcome = self.outcome(&self.file);
        let own = self.value(&outcome.report);
        let other = |file: &String| self.value(&self.outcome(file).report);
        let value = match (&self.minus, &self.over) {
            (Some(file), _) => own - other(file),
            (None, Some(file)) => own / other(file),
            (None, None) => own,
        };
        Modelled {
            value,
            shares: self.busy_shares(&outcome.report),
        }
    }

    fn outcome(&self, file: &str) -> Outcome {
        let path = format!("{}/calibration/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let object = assemble(&text).unwrap_or_else(|e| panic!("{path}: {e:#?}"));
        let chip = chip(&self.chip);
        let inputs = vec![None; object.kernel.params.len()];
        let options = Options {
            threads: 1,
            sanitize: Sanitize::NONE,
            timing_only: true,
            ..Options::default()
        };
        emulator::run(&object, &inputs, &chip, &options).unwrap_or_else(|f| panic!("{path}: {f}"))
    }

    fn value(&self, report: &Report) -> f64 {
        match self.measure.split_once(' ') {
            Some(("busy", name)) => busy(report, name),
            Some(("share", name)) => {
                100.0 * busy(report, name) / (report.cycles - report.launch_cycles) as f64
            }
            _ => match self.measure.as_str() {
                "cycles" => (report.cycles - report.launch_cycles) as f64,
                "us" => report.seconds() * 1e6,
                other => panic!("{}: no measure `{other}`", self.name),
            },
        }
    }

    /// How busy cube, MTE1, MTE2 and fixpipe were, in percent of the time that the published shares mean.
    fn busy_shares(&self, report: &Report) -> [f64; 4] {
        let cycles = match self.shares_of {
            // Mean time of a core: the published one is a part of the whole, and so is ours.
            Some(of) => report.cycles as f64 * of / self.published,
            None => report.cycles as f64,
        };
        ["m", "mte1", "mte2", "fix"].map(|pipe| 100.0 * busy(report, pipe) / cycles)
    }

    /// In percent of the published figure.
    pub(crate) fn error(&self, modelled: &Modelled) -> f64 {
        100.0 * (modelled.value / self.published - 1.0)
    }

    /// The row as a line of the table.
    pub(crate) fn line(&self, modelled: &Modelled) -> String {
        let miss = if self.miss.is_some() { ", miss" } else { "" };
        let line = format!(
            "{:<22} {:>11} {:>11} {:>+7.1} % {:>5} %  {:<15}",
            self.name,
            figure(self.published),
            figure(modelled.value),
            self.error(modelled),
            self.tolerance,
            format!("{}{miss}", self.status),
        );
        let list = |shares: [f64; 4]| shares.map(|share| format!("{share:.1}")).join(" / ");
        let shares = self.shares.map_or(String::new(), |published| {
            format!("  {} | {}", list(published), list(modelled.shares))
        });
        format!("{line}{shares}").trim_end().to_owned()
    }

    /// Whether the figure is what the table says: near enough, or a miss that is owned up to.
    pub(crate) fn verdict(&self, modelled: &Modelled) -> Result<(), String> {
        let error = self.error(modelled);
        let near = error.abs() <= self.tolerance;
        let said = self.line(modelled);
        match (near, &self.miss) {
            (true, None) | (false, Some(_)) => Ok(()),
            (false, None) => Err(said),
            (true, Some(_)) => Err(format!("{said}: listed as a miss, but it is none")),
        }
    }
}

/// Mean busy cycles of a pipe over the cores that have it.
fn busy(report: &Report, name: &str) -> f64 {
    let pipe = Pipe::ALL.into_iter().find(|pipe| pipe.name() == name);
    let found = report.pipes.iter().find(|row| Some(row.pipe) == pipe);
    found.map_or(0.0, |row| row.busy as f64 / row.cores.max(1) as f64)
}

fn number_of(value: &Value) -> Option<f64> {
    value.as_float().or(value.as_integer().map(|n| n as f64))
}

/// A chip of the suite, or of the product.
fn chip(name: &str) -> Chip {
    let here = env!("CARGO_MANIFEST_DIR");
    let text = |name: &str| {
        [
            format!("{here}/calibration/chips/{name}.toml"),
            format!("{here}/../isa/chips/{name}.toml"),
        ]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
    };
    let own = text(name).unwrap_or_else(|| panic!("no chip `{name}`"));
    Chip::from_toml(&own, &|base| text(base)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every row of the table.
pub(crate) fn anchors() -> Vec<Anchor> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/calibration/anchors.toml");
    let text = fs::read_to_string(path).expect("the table is there");
    let table: Table = text.parse().expect("the table is TOML");
    let rows = table
        .get("anchor")
        .and_then(Value::as_array)
        .expect("it has rows");
    rows.iter()
        .filter_map(Value::as_table)
        .map(Anchor::read)
        .collect()
}

/// With as many places as it needs.
fn figure(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.1}")
    }
}

/// Demands that a row is what the table says of it.
pub(crate) fn check(name: &str) {
    let rows = anchors();
    let anchor = rows.iter().find(|row| row.name == name);
    let anchor = anchor.unwrap_or_else(|| panic!("no row `{name}`"));
    if let Err(said) = anchor.verdict(&anchor.run()) {
        panic!("{said}");
    }
}

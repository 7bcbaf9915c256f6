//! `vinci sweep`: one kernel over chips, levels and shapes.

use clap::Args;
use diag::Diagnostic;

use super::run::{Run, evaluate, wrong};
use crate::args::Compile;
use crate::errors;
use crate::files::{self, Form};
use crate::host::Stop;
use crate::measure::{self, Measured, Row};
use crate::session::Session;

/// `vinci sweep`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Sweep {
    /// A `.vn` file, or `-`
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) compile: Compile,
    /// The chips, or chip files; without it that of `--target`
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) targets: Vec<String>,
    /// The optimisation levels; without it that of `-O`
    #[arg(long, value_name = "LEVEL,…", value_delimiter = ',')]
    pub(crate) levels: Vec<String>,
    /// A table of sizes: names in the first row, then a row a shape; without it the file's `//! shape:` lines
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) shapes: Option<String>,
    /// Also computes values, from drawn arguments, and compares them with the reference evaluator
    #[arg(long)]
    pub(crate) check: bool,
    /// The form of the result
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) format: measure::Form,
    /// Where the result goes; without it standard output
    #[arg(short = 'o', value_name = "FILE")]
    pub(crate) output: Option<String>,
}

/// Sizes of one run, as they are written.
pub(super) type Shape = Vec<(String, String)>;

/// Measures every combination. A row that fails says why, and the others are measured all the same.
pub(crate) fn run(args: &Sweep, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    Form::Kernel.demand(&args.file)?;
    let shapes = match &args.shapes {
        Some(path) => read_shapes(path, session)?,
        None => own_shapes(&args.file, &args.compile, session)?,
    };
    let targets = or_one(&args.targets, args.compile.target.as_deref());
    let levels = or_one(&args.levels, args.compile.opt.as_deref());
    let total = shapes.len() * targets.len() * levels.len();
    let progress = session.progress(total as u64, &files::stem(&args.file));
    let (mut rows, mut found) = (Vec::new(), Vec::new());
    for shape in &shapes {
        for target in &targets {
            for level in &levels {
                let compile = Compile {
                    target: target.clone(),
                    opt: level.clone(),
                    ..args.compile.clone()
                };
                let question = Run {
                    check: args.check,
                    timing_only: !args.check,
                    ..Run::plain(&args.file, &compile)
                };
                let (row, wrong) = measured(&question, shape, session)?;
                rows.push(row);
                found.extend(wrong);
                progress.step();
            }
        }
    }
    drop(progress);
    let text = measure::text(&rows, args.format);
    session.write(args.output.as_deref().unwrap_or("-"), text.as_bytes())?;
    if found.is_empty() {
        Ok(())
    } else {
        Err(Stop::Findings(found))
    }
}

fn or_one(several: &[String], one: Option<&str>) -> Vec<Option<String>> {
    if several.is_empty() {
        vec![one.map(str::to_owned)]
    } else {
        several.iter().cloned().map(Some).collect()
    }
}

/// One measurement, and what was wrong with it.
pub(super) fn measured(
    question: &Run,
    shape: &Shape,
    session: &mut Session<'_, '_>,
) -> Result<(Row, Vec<Diagnostic>), Stop> {
    let mut question = question.clone();
    let words = shape.iter().map(|(name, value)| format!("{name}={value}"));
    question.subject.compile.define.extend(words);
    let warned = session.warnings.len();
    let done = evaluate(&question, session);
    // What every row warns of is said once.
    if warned > 0 {
        session.warnings.truncate(warned);
    }
    let compile = &question.subject.compile;
    let mut row = Row {
        kernel: compile
            .kernel
            .clone()
            .unwrap_or_else(|| files::stem(&question.subject.file)),
        target: compile
            .target
            .clone()
            .unwrap_or_else(|| isa::chip::Chip::DEFAULT.to_owned()),
        opt: format!("O{}", compile.opt.as_deref().unwrap_or("1")),
        sizes: defined(&question.subject.compile),
        outcome: Err(String::new()),
    };
    let found = match done {
        Ok(done) => {
            let wrong = wrong(&done);
            let checked = done.comparisons.is_some().then_some(wrong.is_empty());
            row.kernel.clone_from(&done.job.object.kernel.name);
            row.target.clone_from(&done.chip.name);
            row.outcome = Ok(Measured::of(&done.outcome.report, checked));
            wrong
        }
        Err(Stop::Findings(found)) => {
            let first = found.iter().find(|d| d.is_error());
            row.outcome =
                Err(first.map_or(String::new(), |d| format!("{}: {}", d.code, d.message)));
            found
        }
        Err(stop @ (Stop::Said | Stop::Closed)) => return Err(stop),
    };
    Ok((row, found))
}

/// Every size of a command line, in order.
fn defined(compile: &Compile) -> Shape {
    let given = compile
        .define
        .iter()
        .filter_map(|word| word.split_once('='));
    given
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// The shapes of the file's `//! shape:` lines; one that gives nothing if there are none.
/// Names that `-D` gives have its value.
pub(super) fn own_shapes(
    path: &str,
    compile: &Compile,
    session: &mut Session<'_, '_>,
) -> Result<Vec<Shape>, Stop> {
    let loaded = session.load_kernel(path)?;
    // Every row warns again.
    session.warnings.clear();
    let lines = loaded.tree.directives.iter().filter(|d| d.key == "shape");
    let given = defined(compile);
    let defined = |name: &str| given.iter().any(|(known, _)| known == name);
    let words = |line: &str| -> Shape {
        let pairs = line
            .split_whitespace()
            .filter_map(|word| word.split_once('='));
        let open = pairs.filter(|(name, _)| !defined(name));
        open.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    // Whether they can be read is said here, for all of them.
    loaded.lines("shape")?;
    let mut shapes: Vec<Shape> = lines.map(|line| words(&line.value)).collect();
    shapes.dedup();
    if shapes.is_empty() {
        shapes.push(Shape::new());
    }
    Ok(shapes)
}

/// Rows of a table of sizes. An empty cell leaves its size out.
fn read_shapes(path: &str, session: &mut Session<'_, '_>) -> Result<Vec<Shape>, Stop> {
    let file = session.read_text(path)?;
    let text = session.sources.text(file);
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let cells = |line: &str| -> Vec<String> {
        line.split(',')
            .map(|cell| cell.trim().trim_matches('"').to_owned())
            .collect()
    };
    let Some((_, head)) = lines.next() else {
        return Err(
            errors::shape_table(path, 1, "there is no first row with the names of sizes").into(),
        );
    };
    let names = cells(head);
    let mut shapes = Vec::new();
    for (number, line) in lines {
        let row = cells(line);
        if row.len() != names.len() {
            let why = format!(
                "it has {} cells, the first row has {}",
                row.len(),
                names.len()
            );
            return Err(errors::shape_table(path, number, &why).into());
        }
        let pairs = names.iter().cloned().zip(row);
        shapes.push(pairs.filter(|(_, value)| !value.is_empty()).collect());
    }
    Ok(shapes)
}

//! `vinci test`: a user's own kernels against what they should give.
//!
//! Every `//! shape:` and `//! test:` line is a test with drawn arguments, compared with the reference evaluator. Every
//! `//! case: FOLDER` line is a test with the arrays of that folder (beside the file): `NAME.npy` for each argument and each
//! expected result. Sanitizers are on, so a hazard fails a test too.

use std::fs;

use clap::Args;
use diag::{Diagnostic, Span};
use ir::algo::bound;
use ir::algo::data::Data;
use isa::object::ParamDir;
use serde_json::{Value, json};

use super::run::{Done, Reference, Run, evaluate, wrong};
use crate::args::{Compile, ReportForm};
use crate::host::Stop;
use crate::session::Session;
use crate::table::grouped;
use crate::{arrays, errors};

/// `vinci test`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Test {
    /// `.vn` files, or folders of such; without any this folder
    #[arg(value_name = "FILE|FOLDER")]
    pub(crate) files: Vec<String>,
    #[command(flatten)]
    pub(crate) compile: Compile,
    /// Runs only tests whose name has this in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// What drawn arguments depend on
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,
    /// The form of the result
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) report: ReportForm,
}

/// One test.
struct Case {
    /// `relu.vn R=3 C=40`, `relu.vn case data/small`.
    name: String,
    file: String,
    what: What,
}

/// Where arguments and expectations come from.
enum What {
    /// Drawn at these sizes; the evaluator knows the result.
    Drawn(Vec<String>),
    /// From a folder. `within` is the largest relative deviation.
    Arrays {
        folder: String,
        within: Option<f64>,
        span: Span,
    },
}

/// How a test ended.
struct Ended {
    name: String,
    cycles: Option<u64>,
    found: Vec<Diagnostic>,
}

/// Runs every test and says how each ended.
pub(crate) fn run(args: &Test, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let given = match args.files.as_slice() {
        [] => &[".".to_owned()][..],
        files => files,
    };
    let (mut cases, mut found, mut unread) = (Vec::new(), Vec::new(), 0);
    for file in super::fmt::kernels(given, session)? {
        match cases_of(&file, session) {
            Ok(more) => cases.extend(more),
            Err(Stop::Findings(wrong)) => {
                unread += 1;
                found.extend(wrong);
            }
            Err(stop @ (Stop::Said | Stop::Closed)) => return Err(stop),
        }
    }
    if let Some(text) = &args.filter {
        cases.retain(|case| case.name.contains(text));
    }
    if args.report == ReportForm::Text {
        let tests = if cases.len() == 1 { "test" } else { "tests" };
        session.host.print(&format!(
            "running {} {tests}
",
            cases.len()
        ))?;
    }
    let progress = session.progress(cases.len() as u64, "");
    let mut ended = Vec::new();
    for case in &cases {
        progress.say(case.name.as_str());
        let end = one(case, args, session)?;
        progress.step();
        if args.report == ReportForm::Text {
            session.host.print(&line(&end))?;
        }
        ended.push(end);
    }
    drop(progress);
    session.host.print(&match args.report {
        ReportForm::Text => summary(&ended, unread),
        ReportForm::Json => json_text(&ended),
    })?;
    found.extend(ended.into_iter().flat_map(|end| end.found));
    if found.is_empty() {
        Ok(())
    } else {
        Err(Stop::Findings(found))
    }
}

/// The tests of a file.
fn cases_of(file: &str, session: &mut Session<'_, '_>) -> Result<Vec<Case>, Stop> {
    let loaded = session.load_kernel(file)?;
    loaded.lines("shape")?;
    loaded.lines("test")?;
    let mut cases = Vec::new();
    for directive in &loaded.tree.directives {
        let value = &directive.value;
        let (name, what) = match directive.key.as_str() {
            "shape" | "test" => {
                let words = value.split_whitespace().map(str::to_owned).collect();
                (format!("{file} {value}"), What::Drawn(words))
            }
            "case" => {
                let (folder, within) = match value.split_once(" within ") {
                    None => (value.as_str(), None),
                    Some((folder, text)) => {
                        let number: Option<f64> = text.trim().parse().ok();
                        let number = number.filter(|number| number.is_finite() && *number >= 0.0);
                        let wrong =
                            || errors::bad_case(directive.span, &format!("`{text}` is no number"));
                        (folder, Some(number.ok_or_else(wrong)?))
                    }
                };
                let what = What::Arrays {
                    folder: beside(file, folder.trim()),
                    within,
                    span: directive.span,
                };
                (format!("{file} case {value}"), what)
            }
            _ => continue,
        };
        cases.push(Case {
            name,
            file: file.to_owned(),
            what,
        });
    }
    Ok(cases)
}

/// A path that a file names, which starts from the file's folder.
fn beside(file: &str, path: &str) -> String {
    match file.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{path}"),
        None => path.to_owned(),
    }
}

fn one(case: &Case, args: &Test, session: &mut Session<'_, '_>) -> Result<Ended, Stop> {
    // The warnings of a file were kept when its tests were listed.
    let warned = session.warnings.len();
    let ran = match &case.what {
        What::Drawn(words) => drawn(case, words, args, session),
        What::Arrays {
            folder,
            within,
            span,
        } => given(case, (folder, *within, *span), args, session),
    };
    session.warnings.truncate(warned);
    let (cycles, found) = match ran {
        Ok((cycles, found)) => (Some(cycles), found),
        Err(Stop::Findings(found)) => (None, found),
        Err(stop @ (Stop::Said | Stop::Closed)) => return Err(stop),
    };
    Ok(Ended {
        name: case.name.clone(),
        cycles,
        found,
    })
}

fn drawn(
    case: &Case,
    words: &[String],
    args: &Test,
    session: &mut Session<'_, '_>,
) -> Result<(u64, Vec<Diagnostic>), Stop> {
    let mut question = Run {
        check: true,
        ..Run::plain(&case.file, &args.compile)
    };
    question.subject.seed = args.seed;
    question.subject.compile.define.extend_from_slice(words);
    let done = evaluate(&question, session)?;
    let wrong = wrong(&done)
        .into_iter()
        .map(|found| found.note(format!("in {}", case.name)));
    Ok((done.outcome.report.cycles, wrong.collect()))
}

fn given(
    case: &Case,
    (folder, within, span): (&str, Option<f64>, Span),
    args: &Test,
    session: &mut Session<'_, '_>,
) -> Result<(u64, Vec<Diagnostic>), Stop> {
    let loaded = session.load_kernel(&case.file)?;
    let kernel = loaded.choose(args.compile.kernel.as_deref())?;
    let mut question = Run::plain(&case.file, &args.compile);
    let path = |name: &str| format!("{folder}/{name}.npy");
    let is_there = |name: &str, session: &Session<'_, '_>| {
        fs::exists(session.host.path(&path(name))).unwrap_or(false)
    };
    for param in &kernel.params {
        if !is_there(&param.name, session) {
            let why = format!("there is no `{}`", path(&param.name));
            return Err(errors::bad_case(span, &why).into());
        }
        question
            .subject
            .args
            .push(format!("{}={}", param.name, path(&param.name)));
    }
    let expected = kernel
        .results
        .iter()
        .filter(|result| is_there(&result.name, session));
    let expected: Vec<&str> = expected.map(|result| result.name.as_str()).collect();
    if expected.is_empty() {
        let why = format!("`{folder}` expects nothing");
        return Err(errors::bad_case(span, &why).into());
    }
    let done = evaluate(&question, session)?;
    let mut found = wrong(&done);
    for name in expected {
        let file = path(name);
        let bytes = session.read_bytes(&file)?;
        let array = arrays::read(&bytes).map_err(|why| errors::bad_array(&file, &why))?;
        if let Some(facts) = differs(&done, name, &array, within) {
            found.push(errors::case_failed(&case.name, name, &facts));
        }
    }
    Ok((done.outcome.report.cycles, found))
}

/// What is different about a result, if anything is.
fn differs(
    done: &Done,
    name: &str,
    expected: &arrays::Array,
    within: Option<f64>,
) -> Option<String> {
    let params = done
        .job
        .object
        .kernel
        .params
        .iter()
        .zip(&done.outcome.tensors);
    let mut results = params.filter(|(param, _)| param.dir == ParamDir::Out);
    let (param, bytes) = results.find(|(param, _)| param.name == name)?;
    if expected.shape != param.shape {
        let text = crate::arguments::shape_text;
        return Some(format!(
            "it has shape {}, expected {}",
            text(&param.shape),
            text(&expected.shape)
        ));
    }
    if !expected.kind.holds(param.elem) {
        return Some(format!(
            "it has elements of {}, expected {}",
            param.elem,
            expected.kind.name()
        ));
    }
    let got = Data {
        bytes: bytes.clone(),
    };
    let wanted = Data {
        bytes: expected.bytes.clone(),
    };
    let count = wanted.count(param.elem);
    let allowed = allowed(done, name, count, within);
    let reference: Vec<(usize, f64, f64)> = (0..count)
        .map(|at| {
            let value = wanted.get_f64(param.elem, at);
            let relative = within.map_or(0.0, |within| within * value.abs().max(1.0));
            (at, value, relative.max(allowed[at]))
        })
        .collect();
    let deviation = bound::compare(param.elem, &got, &reference);
    let at = deviation.worst_index;
    (!deviation.within).then(|| {
        format!(
            "{} of {count} elements are too far off; element {at} is {}, expected {}, {:e} is allowed",
            deviation.outside,
            got.get_f64(param.elem, at),
            wanted.get_f64(param.elem, at),
            deviation.allowed
        )
    })
}

/// How far each element may be off if the file does not say: twice what types and order allow, since whoever computed the
/// expectation rounded too.
fn allowed(done: &Done, name: &str, count: usize, within: Option<f64>) -> Vec<f64> {
    let none = vec![0.0; count];
    let (None, Reference::Algorithm(func, params)) = (within, &done.job.reference) else {
        return none;
    };
    let Ok(real) = bound::eval_bounded(func, params, None) else {
        return none;
    };
    let position = func
        .results
        .iter()
        .position(|&tensor| func.tensors[tensor].name == name);
    let errors = position.and_then(|at| real.get(at));
    errors.map_or(none, |errors| {
        errors.iter().map(|(_, error)| 2.0 * error).collect()
    })
}

fn line(end: &Ended) -> String {
    match (end.found.is_empty(), end.cycles) {
        (true, Some(cycles)) => format!("test {} ... ok, {} cycles\n", end.name, grouped(cycles)),
        (true, None) | (false, _) => format!("test {} ... FAILED\n", end.name),
    }
}

/// `unread` counts what kept tests from being listed.
fn summary(ended: &[Ended], unread: usize) -> String {
    let bad = ended.iter().filter(|end| !end.found.is_empty()).count();
    let word = if bad + unread == 0 { "ok" } else { "FAILED" };
    let files = match unread {
        0 => String::new(),
        1 => "; 1 file with mistakes".to_owned(),
        n => format!("; {n} files with mistakes"),
    };
    format!(
        "\ntest result: {word}. {} passed; {bad} failed{files}\n",
        ended.len() - bad
    )
}

fn json_text(ended: &[Ended]) -> String {
    let test = |end: &Ended| -> Value {
        let errors = end
            .found
            .iter()
            .map(|found| format!("{}: {}", found.code, found.message));
        json!({
            "name": end.name,
            "ok": end.found.is_empty(),
            "cycles": end.cycles,
            "errors": errors.collect::<Vec<_>>(),
        })
    };
    let tests: Vec<Value> = ended.iter().map(test).collect();
    json!({ "schema": 1, "tests": tests }).to_string() + "\n"
}

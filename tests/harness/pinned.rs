//! A pinned schedule keeps its cycles: a kernel of the library with every decision written down.
//!
//! `//! kernel: gemm.vn` names the file, `//! shape: …` the sizes that are timed, `//! values: …` smaller ones of several
//! blocks whose values the same schedule must give; what follows is a complete schedule, as `-O3` found it and
//! `--emit=schedule` printed it. The schedule comes back unchanged, so that nothing is chosen here.

use std::collections::BTreeMap;

use diag::SourceMap;

use backend::{Compiled, Level};
use driver::{Settings, build, kernel};
use emulator::{Options, Sanitize};
use ir::algo::data::Data;
use ir::algo::{Func, eval};
use isa::chip::Chip;

use super::case::{Case, root};
use super::kernel::{check_object, check_values, drawn, emulate, results, shown};

/// Compiles a kernel with its pinned schedule, runs it and times it.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    has_values(&case, &chip);
    let (_, compiled) = pinned(&case, "shape", &chip);
    let options = Options {
        timing_only: true,
        sanitize: Sanitize::NONE,
        ..Options::default()
    };
    let inputs = vec![None; compiled.object().kernel.params.len()];
    let outcome = emulator::run(compiled.object(), &inputs, &chip, &options);
    let report = outcome
        .unwrap_or_else(|fault| panic!("{path}: {fault}"))
        .report;
    case.snapshot(&format!(
        "{}\ncycles {}\nbound  {} {}\nhbm    read {}, write {}\n",
        chip.stamp(),
        report.cycles,
        report.bound.kind.name(),
        report.bound.cycles,
        report.hbm_read,
        report.hbm_write,
    ));
}

/// The kernel at the sizes of a directive with the decisions that are written down, and nothing else decided.
fn pinned(case: &Case, sizes: &str, chip: &Chip) -> (Func, Compiled) {
    let path = case.path.display();
    let one = |key| {
        case.directives(key, &["kernel", "shape", "values"])
            .join(" ")
    };
    let name = root().join("stdlib/kernels").join(one("kernel"));
    let text = std::fs::read_to_string(&name).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut sources = SourceMap::new();
    let file = sources.add(one("kernel"), text.as_str());
    let loaded = shown(kernel::load(file, &mut sources, &mut Vec::new()), &sources);
    let sizes = one(sizes);
    let values = kernel::Values::read(sizes.split_whitespace()).expect("a line of sizes");
    let info = loaded.choose(None).expect("one kernel");
    let func = shown(loaded.bind(&info, &values, &BTreeMap::new()), &sources);
    let file = sources.add(case.name(), case.text.as_str());
    let (tree, found) = kernel::parse(file, &sources);
    assert!(found.is_empty(), "{path}: {found:?}");
    let schedules = shown(frontend::schedules(&tree, &func), &sources);
    let func = Func { schedules, ..func };
    let settings = Settings::new(chip.clone(), Level::O1);
    let compiled = shown(build::compile(&func, &settings, &sources), &sources);
    let printed = compiled.schedule.to_string();
    assert!(
        case.text.ends_with(&printed),
        "{path}: not all is pinned:\n{printed}"
    );
    (func, compiled)
}

/// Every sanitizer on, the bits of the evaluator, or within the bound where the order is free.
fn has_values(case: &Case, chip: &Chip) {
    let (func, compiled) = pinned(case, "values", chip);
    check_object(compiled.object(), chip);
    let params: Vec<Data> = func.params.iter().map(|&t| drawn(&func, t)).collect();
    let expected = eval::eval(&func, &params).expect("drawn inputs divide by no zero");
    let outcome = emulate(compiled.object(), &func, &params, chip);
    let got = results(compiled.object(), &outcome);
    check_values(&func, "pinned", &params, &expected, &got);
}

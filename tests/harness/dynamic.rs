//! Kernels whose sizes the launch gives: one object, many shapes.
//!
//! A file names a kernel, `kernel stdlib/kernels/gemm.vn`, with its name behind the file's if the file has several, and
//! sizes and types that are fixed (`D=64 T=f32`); each line `M=33 N=5` below is a launch, and without any the file's own
//! `//! test:` lines are. At each level there is one object.
//! The text of each of its tile forms loads and gives it again.
//! For each launch the tile forms' evaluator and the emulator, with every sanitizer and on one and two threads, give the
//! bits of the algorithm's evaluator with those sizes. Lines that begin with `#` are comments.

use std::collections::BTreeMap;
use std::fs;

use backend::{Compiled, Level};
use diag::SourceMap;
use driver::kernel::{self, KernelFile, Values};
use driver::{Settings, build};
use frontend::KernelInfo;
use ir::algo::data::Data;
use ir::algo::{Func, eval};
use isa::chip::Chip;
use isa::object::Object;

use super::case::{Case, root};
use super::kernel::{
    check_object, check_texts, check_tile_values, check_values, drawn, emulate, is_free, results,
    shown,
};

/// Runs every kernel that a file names.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let mut lines = case
        .text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .peekable();
    let mut sources = SourceMap::new();
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    while let Some(line) = lines.next() {
        let words = line
            .strip_prefix("kernel ")
            .unwrap_or_else(|| panic!("{path}: `{line}` names no kernel"));
        let (loaded, info, fixed) = named_kernel(words, &mut sources);
        let launches = std::iter::from_fn(|| lines.next_if(|line| !line.starts_with("kernel ")));
        let launches: Vec<Values> = launches.map(values).collect();
        let launches = match launches.is_empty() {
            true => own_tests(&loaded),
            false => launches,
        };
        assert!(!launches.is_empty(), "{path}: `{line}` has no launches");
        let mut rest = launches.as_slice();
        while let Some(first) = rest.first() {
            let known = known(first, &info);
            let many = rest.iter().take_while(|l| self::known(l, &info) == known);
            let many = many.count();
            let (alike, others) = rest.split_at(many);
            check_alike(&loaded, &info, (&fixed, alike), &chip, &sources);
            rest = others;
        }
    }
}

/// The lines that the kernel's file has for its own test.
fn own_tests(loaded: &KernelFile) -> Vec<Values> {
    let lines = |key| loaded.lines(key).expect("the library's lines are right");
    match lines("test") {
        tests if tests.is_empty() => lines("shape"),
        tests => tests,
    }
}

/// What has to be known of a launch when its kernel is compiled: types, and sizes that are never symbolic.
fn known(launch: &Values, info: &KernelInfo) -> Values {
    let fixed = launch
        .sizes
        .iter()
        .filter(|(name, _)| info.fixed.contains(name));
    Values {
        sizes: fixed.map(|(name, size)| (name.clone(), *size)).collect(),
        types: launch.types.clone(),
        ..Values::default()
    }
}

/// Launches of which the same is known: they have one object.
fn check_alike(
    loaded: &KernelFile,
    info: &KernelInfo,
    (fixed, launches): (&Values, &[Values]),
    chip: &Chip,
    sources: &SourceMap,
) {
    let with_fixed = |values: &Values| {
        let mut values = values.clone();
        values.sizes.extend(fixed.sizes.clone());
        values.types.extend(fixed.types.clone());
        values
    };
    let bind = |values: &Values| shown(loaded.bind(info, values, &BTreeMap::new()), sources);
    let open = with_fixed(&Values {
        dynamic: true,
        ..known(&launches[0], info)
    });
    let launches: Vec<Func> = launches.iter().map(|l| bind(&with_fixed(l))).collect();
    check_launches(&bind(&open), &launches, chip, sources);
}

/// The kernel of `FILE [NAME] [SIZE=VALUE …]`, and the values.
fn named_kernel(words: &str, sources: &mut SourceMap) -> (KernelFile, KernelInfo, Values) {
    let (given, names): (Vec<&str>, Vec<&str>) =
        words.split_whitespace().partition(|w| w.contains('='));
    let path = names.first().expect("a kernel's file");
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let file = sources.add(*path, text.as_str());
    let loaded = shown(kernel::load(file, sources, &mut Vec::new()), sources);
    let info = loaded.choose(names.get(1).copied());
    let info = shown(info.map_err(|found| vec![found]), sources);
    (loaded, info, values(&given.join(" ")))
}

fn values(line: &str) -> Values {
    Values::read(line.split_whitespace()).unwrap_or_else(|e| panic!("`{line}`: {e:?}"))
}

fn check_launches(open: &Func, launches: &[Func], chip: &Chip, sources: &SourceMap) {
    for level in [Level::O0, Level::O1] {
        let mut settings = Settings::new(chip.clone(), level);
        settings.verify_each = true;
        let compiled = shown(build::compile(open, &settings, sources), sources);
        check_object(compiled.object(), chip);
        check_texts(&compiled, &settings, sources);
        for func in launches {
            check_launch(&compiled, func, level, chip);
        }
    }
}

fn check_launch(compiled: &Compiled, func: &Func, level: Level, chip: &Chip) {
    let sizes = &compiled.object().kernel.launch.sizes;
    let value = |name: &String| func.sizes.iter().find(|(n, _)| n == name).map(|s| s.1);
    let values: Vec<i64> = sizes.iter().filter_map(value).collect();
    let unsigned = values.iter().map(|&v| v.unsigned_abs()).collect::<Vec<_>>();
    let kernel = compiled.object().kernel.bound(&unsigned);
    let object = Object {
        kernel: kernel.unwrap_or_else(|e| panic!("{sizes:?} = {values:?}: {e}")),
        ..compiled.object().clone()
    };
    let params: Vec<Data> = func.params.iter().map(|&t| drawn(func, t)).collect();
    let expected = eval::eval(func, &params).expect("drawn inputs divide by no zero");
    let at = format!("{sizes:?} = {values:?}");
    let outcome = emulate(&object, func, &params, chip);
    let results = results(&object, &outcome);
    check_values(
        func,
        &format!("{at} -O{}", level.name()),
        &params,
        &expected,
        &results,
    );
    // Where the order is free, the schedule may have taken another than the evaluator.
    let expected = if is_free(func) { &results } else { &expected };
    check_tile_values(compiled, func, &params, expected, Some(&values));
}

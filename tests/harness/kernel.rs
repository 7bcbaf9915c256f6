//! Kernels: every level prints and loads again, objects and assembly give the same bytes, the emulator gives the
//! evaluator's bits at every level and thread count, and cycles and traffic are as the snapshot has them.
//!
//! `//! test: M=33 N=5` lines give sizes for tests, each is run; without any the `//! shape:` lines are taken.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use backend::{Compiled, Level, Lowered};
use diag::{Diagnostic, SourceMap};
use driver::{Settings, build, kernel, tile};
use emulator::{Options, Outcome, Report};
use ir::algo::data::{Data, draw};
use ir::algo::{Func, bound, eval};
use ir::tile::TensorRole;
use isa::asm::{assemble, disassemble};
use isa::chip::Chip;
use isa::object::{Claims, Object, ParamDir};
use isa::types::CoreKind;

use super::case::{Case, relative};
use super::timing;

/// Everything that one kernel file is held to.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let mut sources = SourceMap::new();
    let file = sources.add(relative(&case.path), case.text.as_str());
    let loaded = shown(kernel::load(file, &mut sources, &mut Vec::new()), &sources);
    case.directives("test", &["shape", "test"]);
    let lines = |key| loaded.lines(key).expect("the test's own lines are right");
    let shapes = match lines("test") {
        tests if tests.is_empty() => lines("shape"),
        tests => tests,
    };
    assert!(!shapes.is_empty(), "{path}: no `//! shape:` line");
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    let mut text = format!("{}\n", chip.stamp());
    let mut first = None;
    for kernel in loaded.kernels() {
        for values in &shapes {
            let func = shown(loaded.bind(&kernel, values, &BTreeMap::new()), &sources);
            ir::algo::verify::verify(&func).unwrap_or_else(|e| panic!("{path}: {e:#?}"));
            text.push_str(&check_func(&func, &chip, &sources, &mut first));
        }
    }
    if let Some(object) = first {
        super::formatted::check(&relative(&case.path), &case.text, &object);
    }
    case.snapshot(&text);
}

/// The value, or the findings as a user would see them.
pub(super) fn shown<T>(result: Result<T, Vec<Diagnostic>>, sources: &SourceMap) -> T {
    result.unwrap_or_else(|found| panic!("{}", diag::render_text(&found, sources, false)))
}

/// Holds a bound kernel to everything; gives what the snapshot says of it. The first object at `-O1` is kept.
fn check_func(func: &Func, chip: &Chip, sources: &SourceMap, first: &mut Option<Object>) -> String {
    let params: Vec<Data> = func.params.iter().map(|&t| drawn(func, t)).collect();
    let expected = eval::eval(func, &params).expect("drawn inputs divide by no zero");
    let sizes: Vec<String> = func
        .sizes
        .iter()
        .map(|(name, size)| format!("{name}={size}"))
        .collect();
    let types = func.params.iter().map(|&t| func.tensors[t].elem.name());
    let types: Vec<&str> = types.collect();
    let mut text = format!(
        "\n{} {} ({})\n",
        func.name,
        sizes.join(" "),
        types.join(", ")
    );
    for level in [Level::O0, Level::O1] {
        let mut settings = Settings::new(chip.clone(), level);
        settings.verify_each = true;
        let compiled = shown(build::compile(func, &settings, sources), sources);
        let pinned = pinned(&compiled, func, sources);
        let again = shown(build::compile(&pinned, &settings, sources), sources);
        assert_eq!(
            bytes(compiled.object()),
            bytes(again.object()),
            "the same decisions give another object:\n{}",
            compiled.schedule
        );
        check_texts(&compiled, &settings, sources);
        check_object(compiled.object(), chip);
        if level == Level::O1 {
            first.get_or_insert_with(|| compiled.object().clone());
        }
        let outcome = emulate(compiled.object(), func, &params, chip);
        let results = results(compiled.object(), &outcome);
        let who = format!("-O{}", level.name());
        check_values(func, &who, &params, &expected, &results);
        // Where the order is free, the schedule may have taken another than the evaluator.
        let expected = if is_free(func) { &results } else { &expected };
        check_tile_values(&compiled, func, &params, expected, None);
        text.push_str(&summary(level, compiled.object(), &outcome.report));
    }
    text
}

pub(super) fn drawn(func: &Func, tensor: ir::algo::Tensor) -> Data {
    let data = &func.tensors[tensor];
    draw(data.elem, &data.shape, 0, &data.name)
}

/// The kernel with the printed schedule as the one that was written for it.
fn pinned(compiled: &Compiled, func: &Func, sources: &SourceMap) -> Func {
    let mut sources = sources.clone();
    let text = compiled.schedule.to_string();
    let file = sources.add("printed.vn", text.as_str());
    let (tree, found) = kernel::parse(file, &sources);
    assert!(found.is_empty(), "{text}{found:?}");
    let schedules = shown(frontend::schedules(&tree, func), &sources);
    assert_eq!(schedules.len(), 1, "{text}");
    Func {
        schedules,
        ..func.clone()
    }
}

fn bytes(object: &Object) -> Vec<u8> {
    object
        .write()
        .expect("the compiler's objects can be written")
}

/// Each textual level loads, prints the same again, and compiles to the same instructions.
pub(super) fn check_texts(compiled: &Compiled, settings: &Settings, sources: &SourceMap) {
    let levels = [
        &compiled.tiled,
        &compiled.lowered.placed,
        &compiled.lowered.synced,
    ];
    for func in levels {
        let text = ir::tile::print(func);
        let mut sources = sources.clone();
        let file = sources.add("printed.tile", text.as_str());
        let loaded = shown(tile::load(file, &sources), &sources);
        assert_eq!(
            ir::tile::print(&loaded),
            text,
            "printing what was loaded changes it"
        );
        let lowered = shown(build::lower(loaded, settings, &sources), &sources);
        assert_same_code(&compiled.lowered, &lowered);
    }
}

pub(super) fn assert_same_code(one: &Lowered, other: &Lowered) {
    for core in [CoreKind::Cube, CoreKind::Vector] {
        assert!(
            one.object.code(core) == other.object.code(core),
            "the tile form's text gives other {} code",
            core.name()
        );
    }
    assert_eq!(one.object.kernel, other.object.kernel);
}

/// Objects lose nothing, assembly texts only what is claimed of them, and every instruction is legal.
pub(super) fn check_object(object: &Object, chip: &Chip) {
    let refused = isa::legal::check_object(object, chip);
    assert!(refused.is_empty(), "{refused:?}");
    super::verified::assert_proved(object, chip);
    let written = bytes(object);
    let read = Object::read(&written).expect("what was written is an object");
    assert!(read == *object, "reading what was written changes it");
    assert!(!object.claims.is_empty(), "nothing is claimed");
    let unclaimed = Object {
        claims: Claims::default(),
        ..object.clone()
    };
    let written = bytes(&unclaimed);
    for chip in [None, Some(chip)] {
        let text = disassemble(object, chip);
        let assembled = assemble(&text).unwrap_or_else(|e| panic!("{e:#?}"));
        assert_eq!(bytes(&assembled), written, "re-assembling changes bytes");
    }
}

/// The tile form means what the algorithm means, at each of its stages.
pub(super) fn check_tile_values(
    compiled: &Compiled,
    func: &Func,
    params: &[Data],
    expected: &[Data],
    sizes: Option<&[i64]>,
) {
    for tiled in [
        &compiled.tiled,
        &compiled.lowered.placed,
        &compiled.lowered.synced,
    ] {
        let tensors = tiled
            .tensors
            .values()
            .filter(|tensor| tensor.role != TensorRole::Work);
        let inputs: Vec<Option<Data>> = tensors
            .map(|tensor| by_name(func, params, &tensor.name))
            .collect();
        let bound = sizes.and_then(|sizes| tiled.bound(sizes));
        let got = ir::tile::eval::eval(bound.as_ref().unwrap_or(tiled), &inputs);
        let got = got.unwrap_or_else(|e| panic!("{sizes:?}: {e:?}"));
        assert_same_bits(func, "the tile form's evaluator", expected, &got);
    }
}

fn by_name(func: &Func, params: &[Data], name: &str) -> Option<Data> {
    let at = func
        .params
        .iter()
        .position(|&t| func.tensors[t].name == name)?;
    Some(params[at].clone())
}

/// Runs with the inputs of a function.
pub(super) fn emulate(object: &Object, func: &Func, params: &[Data], chip: &Chip) -> Outcome {
    let input = |name: &str| by_name(func, params, name).map(|data| data.bytes);
    let inputs: Vec<Option<Vec<u8>>> = object
        .kernel
        .params
        .iter()
        .map(|param| {
            if param.dir == ParamDir::In {
                input(&param.name)
            } else {
                None
            }
        })
        .collect();
    run_alike(object, &inputs, chip)
}

/// Runs with every sanitizer; one and two threads give the same of everything, and no values the same cycles.
pub(crate) fn run_alike(object: &Object, inputs: &[Option<Vec<u8>>], chip: &Chip) -> Outcome {
    let run = |threads| {
        let options = Options {
            threads,
            ..Options::default()
        };
        emulator::run(object, inputs, chip, &options).unwrap_or_else(|fault| panic!("{fault}"))
    };
    let (one, two) = (run(1), run(2));
    assert!(
        one.tensors == two.tensors,
        "bits depend on the number of threads"
    );
    assert_eq!(
        one.report, two.report,
        "cycles depend on the number of threads"
    );
    timing::check(object, inputs, chip, &one.report);
    one
}

/// The values of the results.
pub(crate) fn results(object: &Object, outcome: &Outcome) -> Vec<Data> {
    let tensors = object.kernel.params.iter().zip(&outcome.tensors);
    let outs = tensors.filter(|(param, _)| param.dir == ParamDir::Out);
    outs.map(|(_, bytes)| Data {
        bytes: bytes.clone(),
    })
    .collect()
}

/// Whether blocks of a reduction may be merged, so that bits differ within the bound.
pub(super) fn is_free(func: &Func) -> bool {
    func.order_free || !func.regrouped.is_empty()
}

/// The emulator's values are within the bound of the real values, and the evaluator's bits unless the order is free.
pub(super) fn check_values(
    func: &Func,
    who: &str,
    params: &[Data],
    expected: &[Data],
    got: &[Data],
) {
    if !is_free(func) {
        assert_same_bits(func, who, expected, got);
    }
    let real = bound::eval_bounded(func, params, None).expect("the evaluator gave results");
    for ((&tensor, got), real) in func.results.iter().zip(got).zip(real) {
        let reference: Vec<(usize, f64, f64)> = real
            .iter()
            .enumerate()
            .map(|(at, &(value, allowed))| (at, value, allowed))
            .collect();
        let deviation = bound::compare(func.tensors[tensor].elem, got, &reference);
        assert!(
            deviation.within,
            "{}: {deviation:?}",
            func.tensors[tensor].name
        );
    }
}

fn assert_same_bits(func: &Func, who: &str, expected: &[Data], got: &[Data]) {
    assert_eq!(got.len(), expected.len(), "{who}: the number of results");
    for ((&tensor, expected), got) in func.results.iter().zip(expected).zip(got) {
        let data = &func.tensors[tensor];
        let first = (0..expected.count(data.elem))
            .find(|&at| expected.bits(data.elem, at) != got.bits(data.elem, at));
        if let Some(at) = first {
            let value = |of: &Data| of.get_f64(data.elem, at);
            let (wrong, right) = (value(got), value(expected));
            panic!(
                "{who}: `{}` element {at} is {wrong}, not {right}",
                data.name
            );
        }
    }
}

/// Instructions, cycles, traffic and peaks of one level.
pub(super) fn summary(level: Level, object: &Object, report: &Report) -> String {
    let pipes = report.pipes.iter().filter(|pipe| pipe.instructions > 0);
    let pipes: Vec<String> = pipes
        .map(|pipe| format!("{} {}", pipe.pipe, pipe.instructions))
        .collect();
    let traffic = report.traffic.iter().filter(|(_, bytes)| *bytes > 0);
    let traffic: Vec<String> = traffic
        .map(|(path, bytes)| format!("{} {bytes}", path.name()))
        .collect();
    let peaks = report.peak_bytes.iter().filter(|(_, bytes)| *bytes > 0);
    let peaks: Vec<String> = peaks
        .map(|(space, bytes)| format!("{space} {bytes}"))
        .collect();
    let mut text = String::new();
    let rows = [
        ("cycles", report.cycles.to_string()),
        (
            "bound",
            format!("{} {}", report.bound.kind.name(), report.bound.cycles),
        ),
        (
            "cores",
            format!("cube {}, vector {}", report.cube_cores, report.vector_cores),
        ),
        (
            "code",
            format!("cube {}, vector {}", object.aic.len(), object.aiv.len()),
        ),
        ("executed", pipes.join(", ")),
        ("traffic", traffic.join(", ")),
        (
            "hbm",
            format!("read {}, write {}", report.hbm_read, report.hbm_write),
        ),
        ("peak", peaks.join(", ")),
    ];
    for (name, value) in rows {
        writeln!(text, "  O{} {name:<8} {value}", level.name()).expect("strings take all");
    }
    text
}

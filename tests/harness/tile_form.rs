//! Tile forms that people write: every level prints and loads again, the evaluator and the emulator give the same bits at
//! every level and thread count with every sanitizer on, and cycles and traffic are as the snapshot has them.
//!
//! `//! y: within 1e-3 of FILE.npy` compares a result with an array that numpy made in float64 of the same drawn arguments; a
//! script beside it says how.

use std::path::Path;

use backend::{Level, Lowered};
use diag::{FileId, SourceMap};
use driver::{Settings, build, tile};
use emulator::Outcome;
use ir::algo::data::{Data, draw};
use ir::tile::{Func, TensorRole};
use isa::chip::Chip;
use isa::object::Object;
use syntax::fmt::{TextForm, format};

use super::case::{Case, relative};
use super::{kernel, numpy};

/// Everything that one tile form is held to.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let mut sources = SourceMap::new();
    let file = sources.add(relative(&case.path), case.text.as_str());
    let form = kernel::shown(tile::load(file, &sources), &sources);
    let chip = Chip::builtin(&form.target).expect("loading found the chip");
    let inputs = drawn(&form);
    let expected = values(&form, &inputs);
    check_reference(&case, &form, &expected);
    let mut text = format!("{}\n\n{}\n", chip.stamp(), form.name);
    for level in [Level::O0, Level::O1] {
        let mut settings = Settings::new(chip.clone(), level);
        settings.verify_each = true;
        let lowered = kernel::shown(build::lower(form.clone(), &settings, &sources), &sources);
        for stage in [&form, &lowered.placed, &lowered.synced] {
            check_text(stage, &settings, &sources, &lowered);
            assert_eq!(values(stage, &inputs), expected, "the passes change values");
        }
        kernel::check_object(&lowered.object, &chip);
        check_formatted(&case, &settings, &lowered);
        let outcome = emulate(&lowered.object, &inputs, &chip);
        assert_eq!(
            kernel::results(&lowered.object, &outcome),
            expected,
            "the machine's bits"
        );
        text.push_str(&kernel::summary(level, &lowered.object, &outcome.report));
    }
    case.snapshot(&text);
}

/// The text with other white space, and that text formatted, give the same code.
fn check_formatted(case: &Case, settings: &Settings, lowered: &Lowered) {
    let line = |line: &str| match line.contains("//") {
        true => line.to_owned(),
        false => format!("  {}", line.replace(", ", " ,   ")),
    };
    let spoiled: Vec<String> = case.text.lines().map(line).collect();
    let spoiled = spoiled.join("\n") + "\n";
    let formatted = format(TextForm::Tile, FileId(0), &spoiled).expect("white space means nothing");
    for text in [&spoiled, &formatted] {
        let mut sources = SourceMap::new();
        let file = sources.add(relative(&case.path), text.as_str());
        let form = kernel::shown(tile::load(file, &sources), &sources);
        let again = kernel::shown(build::lower(form, settings, &sources), &sources);
        kernel::assert_same_code(lowered, &again);
    }
}

/// Arguments, in the order of the tensors; none for results.
fn drawn(form: &Func) -> Vec<Option<Data>> {
    let tensors = form
        .tensors
        .values()
        .filter(|tensor| tensor.role != TensorRole::Work);
    let input = |tensor: &ir::tile::TensorData| {
        let wanted = tensor.role == TensorRole::In;
        wanted.then(|| draw(tensor.elem, &tensor.shape, 0, &tensor.name))
    };
    tensors.map(input).collect()
}

/// Results by the sequential evaluator.
fn values(form: &Func, inputs: &[Option<Data>]) -> Vec<Data> {
    ir::tile::eval::eval(form, inputs).unwrap_or_else(|e| panic!("{e:?}"))
}

/// The form prints, loads, prints the same and gives the same code.
fn check_text(form: &Func, settings: &Settings, sources: &SourceMap, lowered: &Lowered) {
    let text = ir::tile::print(form);
    let mut sources = sources.clone();
    let file = sources.add("printed.tile", text.as_str());
    let loaded = kernel::shown(tile::load(file, &sources), &sources);
    assert_eq!(
        ir::tile::print(&loaded),
        text,
        "printing what was loaded changes it"
    );
    let again = kernel::shown(build::lower(loaded, settings, &sources), &sources);
    kernel::assert_same_code(lowered, &again);
}

/// Runs with the inputs of a file.
fn emulate(object: &Object, inputs: &[Option<Data>], chip: &Chip) -> Outcome {
    let params = &object.kernel.params;
    let mut bytes: Vec<Option<Vec<u8>>> = vec![None; params.len()];
    for (to, data) in bytes.iter_mut().zip(inputs) {
        *to = data.as_ref().map(|data| data.bytes.clone());
    }
    kernel::run_alike(object, &bytes, chip)
}

/// Compares results with the arrays that the file names.
fn check_reference(case: &Case, form: &Func, results: &[Data]) {
    let outs = form
        .tensors
        .values()
        .filter(|tensor| tensor.role == TensorRole::Out);
    let names: Vec<&str> = form
        .tensors
        .values()
        .map(|tensor| tensor.name.as_str())
        .collect();
    for (tensor, data) in outs.zip(results) {
        for line in case.directives(&tensor.name, &names) {
            let (allowed, file) = line
                .strip_prefix("within ")
                .and_then(|rest| rest.split_once(" of "))
                .unwrap_or_else(|| panic!("`{line}` is not `within NUMBER of FILE.npy`"));
            let allowed: f64 = allowed.parse().expect("a number");
            let folder = case.path.parent().unwrap_or(Path::new("."));
            let expected = numpy::numbers(&folder.join(file));
            assert_eq!(expected.len(), data.count(tensor.elem), "{file}: elements");
            for (at, right) in expected.iter().enumerate() {
                let off = (data.get_f64(tensor.elem, at) - right).abs();
                assert!(
                    off <= allowed,
                    "`{}` element {at} is {off:e} off, {allowed:e} allowed",
                    tensor.name
                );
            }
        }
    }
}

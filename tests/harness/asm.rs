//! Assembly: text to bytes and back, then a run. `//! y: 1 2 3` says the first elements of a tensor afterwards,
//! `//! a: 1 2 3` before it if the tensor is an input; inputs that no line gives are drawn.

use emulator::Options;
use ir::algo::data::{Data, draw};
use isa::asm::{assemble, disassemble};
use isa::chip::Chip;
use isa::object::{Object, ParamDir, ParamMeta};

use super::case::Case;

/// Assembles and runs a file.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let object = assemble(&case.text).unwrap_or_else(|e| panic!("{path}: {e:#?}"));
    let chip = Chip::builtin(&object.chip).expect("the file names a built-in chip");
    let listing = disassemble(&object, Some(&chip));
    let again = assemble(&listing).unwrap_or_else(|e| panic!("{path}: {e:#?}"));
    assert_eq!(
        again.write(),
        object.write(),
        "{path}: re-assembling changes bytes"
    );
    let outcome = run(&case, &object, &chip);
    for (param, bytes) in object.kernel.params.iter().zip(outcome) {
        if param.dir == ParamDir::Out {
            compare(&case, param, &Data { bytes });
        }
    }
    case.snapshot(&listing);
}

fn run(case: &Case, object: &Object, chip: &Chip) -> Vec<Vec<u8>> {
    let known: Vec<&str> = object
        .kernel
        .params
        .iter()
        .map(|param| param.name.as_str())
        .collect();
    let input = |param: &ParamMeta| {
        let shape: Vec<i64> = param.shape.iter().map(|&extent| extent as i64).collect();
        let mut data = draw(param.elem, &shape, 0, &param.name);
        for line in case.directives(&param.name, &known) {
            for (at, value) in numbers(line).into_iter().enumerate() {
                data.set_f64(param.elem, at, value);
            }
        }
        data.bytes
    };
    let params = object.kernel.params.iter();
    let inputs: Vec<Option<Vec<u8>>> = params
        .map(|param| (param.dir == ParamDir::In).then(|| input(param)))
        .collect();
    let outcome = emulator::run(object, &inputs, chip, &Options::default());
    outcome
        .unwrap_or_else(|fault| panic!("{}: {fault}", case.path.display()))
        .tensors
}

fn compare(case: &Case, param: &ParamMeta, data: &Data) {
    let lines = case
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("//!"));
    let lines = lines.filter_map(|line| line.trim().strip_prefix(&param.name)?.strip_prefix(':'));
    for line in lines {
        for (at, value) in numbers(line).into_iter().enumerate() {
            let got = data.get_f64(param.elem, at);
            assert_eq!(
                got,
                value,
                "{}: `{}` element {at}",
                case.path.display(),
                param.name
            );
        }
    }
}

fn numbers(line: &str) -> Vec<f64> {
    line.split_whitespace()
        .map(|word| word.parse().expect("a number"))
        .collect()
}

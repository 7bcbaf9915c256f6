//! Assembly: text to bytes and back, then a run. `//! y: 1 2 3` says the first elements of a tensor afterwards,
//! `//! a: 1 2 3` before it if the tensor is an input; inputs that no line gives are drawn. Several lines go on from each
//! other. An element is a number (rounded to the type), `0x7fc0` its bits, `_` none that is said; `7*60` is sixty of it.
//! `//! fault: F0009 by zero` instead: the run stops with that code and that text.

use emulator::{Options, Outcome};
use ir::algo::data::{Data, draw, int_format};
use isa::asm::{assemble, disassemble};
use isa::chip::Chip;
use isa::object::{Object, ParamDir, ParamMeta};
use isa::types::Elem;

use super::case::Case;
use super::{schedules, timing};

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
    let faults = directives(&case, &object, "fault");
    match (run(&case, &object, &chip), faults.first()) {
        (Ok(outcome), None) => {
            for (param, bytes) in object.kernel.params.iter().zip(outcome.tensors) {
                if param.dir == ParamDir::Out {
                    compare(&case, &object, param, &Data { bytes });
                }
            }
        }
        (Err(fault), Some(said)) => {
            let (code, text) = said.split_once(' ').unwrap_or((said, ""));
            let found = fault.to_string();
            assert_eq!(fault.kind.code(), code, "{path}: {found}");
            assert!(found.contains(text), "{path}: {found}");
        }
        (Err(fault), None) => panic!("{path}: {fault}"),
        (Ok(_), Some(said)) => panic!("{path}: no fault, but {said}"),
    }
    case.snapshot(&listing);
}

/// The values of the lines of a tensor, or of `fault`.
fn directives<'a>(case: &'a Case, object: &Object, key: &str) -> Vec<&'a str> {
    let params = object.kernel.params.iter();
    let mut known: Vec<&str> = params.map(|param| param.name.as_str()).collect();
    known.extend(["fault", "caught"]);
    case.directives(key, &known)
}

/// Arguments: drawn, then what the lines of each input say.
pub(crate) fn inputs(case: &Case, object: &Object) -> Vec<Option<Vec<u8>>> {
    let input = |param: &ParamMeta| {
        let shape: Vec<i64> = param.shape.iter().map(|&extent| extent as i64).collect();
        let mut data = draw(param.elem, &shape, 0, &param.name);
        for (at, bits) in elements(case, object, param) {
            data.set_bits(param.elem, at, bits);
        }
        data.bytes
    };
    let params = object.kernel.params.iter();
    params
        .map(|param| (param.dir == ParamDir::In).then(|| input(param)))
        .collect()
}

fn run(case: &Case, object: &Object, chip: &Chip) -> Result<Outcome, emulator::Fault> {
    let inputs = inputs(case, object);
    let full = emulator::run(object, &inputs, chip, &Options::default());
    if let Ok(full) = &full {
        timing::check(object, &inputs, chip, &full.report);
        schedules::check(object, &inputs, chip, &full.tensors, 0..8);
    }
    full
}

/// Bits must agree, so -0 is not 0; but any NaN stands for every other.
fn compare(case: &Case, object: &Object, param: &ParamMeta, data: &Data) {
    let elem = param.elem;
    for (at, bits) in elements(case, object, param) {
        let mut expected = Data::zeros(elem, 1);
        expected.set_bits(elem, 0, bits);
        let (got, wanted) = (data.get_f64(elem, at), expected.get_f64(elem, 0));
        assert!(
            data.bits(elem, at) == bits || (got.is_nan() && wanted.is_nan()),
            "{}: `{}` element {at} is {got} ({:#x}), not {wanted} ({bits:#x})",
            case.path.display(),
            param.name,
            data.bits(elem, at)
        );
    }
}

/// The elements that the lines of a tensor say, and their bits.
fn elements(case: &Case, object: &Object, param: &ParamMeta) -> Vec<(usize, u64)> {
    let mut said = Vec::new();
    let mut at = 0;
    for line in directives(case, object, &param.name) {
        for word in line.split_whitespace() {
            let (value, count) = match word.split_once('*') {
                Some((value, count)) => (value, count.parse().expect("a count")),
                None => (word, 1),
            };
            if value != "_" {
                let bits = bits(param.elem, value);
                said.extend((at..at + count).map(|at| (at, bits)));
            }
            at += count;
        }
    }
    let count: u64 = param.shape.iter().product();
    assert!(
        at as u64 <= count,
        "{}: `{}` has no {at} elements",
        case.path.display(),
        param.name
    );
    said
}

fn bits(elem: Elem, word: &str) -> u64 {
    if let Some(digits) = word.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).expect("hexadecimal digits");
    }
    let data = match int_format(elem) {
        Some(_) => Data::from_i64(elem, &[word.parse().expect("a whole number")]),
        None => Data::from_f64(elem, &[word.parse().expect("a number")]),
    };
    data.bits(elem, 0)
}

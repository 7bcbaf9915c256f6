//! Two hundred adversarial schedules of every kernel of the library: the same bits as in order.
//!
//! A kernel's seeds are spread over its sizes and levels, so that each is seen by some and the whole stays quick.

use std::collections::BTreeMap;

use backend::Level;
use diag::SourceMap;
use driver::{Settings, build, kernel};
use emulator::{Options, Sanitize, Schedule};
use ir::algo::data::draw;
use isa::chip::Chip;
use isa::object::{Object, ParamDir};

use super::case::Case;

/// Seeds that every kernel is run with.
const SEEDS: u64 = 200;
/// Once in so many seeds the sanitizers look as well: what they say must not depend on the order either.
const SANITIZED: u64 = 4;

/// Runs an object under some seeds and compares with the bits of the run in order.
pub(crate) fn check(
    object: &Object,
    inputs: &[Option<Vec<u8>>],
    chip: &Chip,
    expected: &[Vec<u8>],
    seeds: impl Iterator<Item = u64>,
) {
    for seed in seeds {
        let options = Options {
            threads: 1,
            schedule: Schedule::Adversarial(seed),
            sanitize: match seed % SANITIZED {
                0 => Sanitize::ALL,
                _ => Sanitize::NONE,
            },
            ..Options::default()
        };
        let outcome = emulator::run(object, inputs, chip, &options)
            .unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        assert!(
            outcome.tensors == expected,
            "{}: bits differ under seed {seed}",
            object.kernel.name
        );
    }
}

/// The objects of a kernel: each of its test sizes at each level.
fn objects(name: &str, text: &str, chip: &Chip) -> Vec<Object> {
    let mut sources = SourceMap::new();
    let file = sources.add(name, text);
    let loaded = kernel::load(file, &mut sources, &mut Vec::new()).expect("the library is right");
    let shapes = loaded.lines("test").expect("the library's lines are right");
    let mut objects = Vec::new();
    for info in loaded.kernels() {
        for values in &shapes {
            let func = loaded.bind(&info, values, &BTreeMap::new());
            let func = func.expect("the library's sizes fit");
            for level in [Level::O0, Level::O1] {
                let settings = Settings::new(chip.clone(), level);
                let compiled = build::compile(&func, &settings, &sources);
                objects.push(compiled.expect("the library compiles").lowered.object);
            }
        }
    }
    objects
}

/// Arguments of an object, drawn.
pub(crate) fn drawn(object: &Object) -> Vec<Option<Vec<u8>>> {
    let params = object.kernel.params.iter();
    let draw = params.map(|param| {
        let shape: Vec<i64> = param.shape.iter().map(|&extent| extent as i64).collect();
        (param.dir == ParamDir::In).then(|| draw(param.elem, &shape, 0, &param.name).bytes)
    });
    draw.collect()
}

/// Runs a kernel of the library under every seed.
pub(crate) fn check_kernel(path: &str) {
    let case = Case::read(path);
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    let objects = objects(&case.name(), &case.text, &chip);
    for (at, object) in objects.iter().enumerate() {
        let inputs = drawn(object);
        let in_order = emulator::run(object, &inputs, &chip, &Options::default());
        let in_order = in_order.unwrap_or_else(|fault| panic!("{path}: {fault}"));
        let seeds = (at as u64..SEEDS).step_by(objects.len());
        check(object, &inputs, &chip, &in_order.tensors, seeds);
    }
}

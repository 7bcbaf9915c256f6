//! Kernels of the library against numpy in float64: the elements that `data/library/KERNEL.txt` keeps of each result, at
//! `-O0` and `-O1`, with every sanitizer on.
//!
//! A file is made by `make.py` beside it. Arguments are not stored but drawn, here as there: the n-th element comes from the
//! n-th number of splitmix64 that starts at the FNV-1a hash of the argument's name.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use backend::Level;
use diag::SourceMap;
use driver::kernel::Values;
use driver::{Settings, build, kernel as files};
use emulator::Options;
use ir::algo::Func;
use ir::algo::data::{Data, Random};
use isa::chip::Chip;
use isa::object::Object;
use isa::types::Elem;

use super::case::root;
use super::kernel::{results, shown};

/// One set of sizes.
struct Case<'a> {
    sizes: &'a str,
    inputs: Vec<Input<'a>>,
    outputs: Vec<Output<'a>>,
}

/// How an argument is drawn.
struct Input<'a> {
    name: &'a str,
    how: &'a str,
    low: f64,
    high: f64,
}

/// What is known of a result.
struct Output<'a> {
    name: &'a str,
    count: usize,
    /// Units in the last place of the right value.
    ulps: f64,
    /// What is allowed where that is less.
    least: f64,
    samples: Vec<(usize, f64)>,
}

/// Every case of one file.
pub(crate) fn check(path: &str) {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let stem = Path::new(path)
        .file_stem()
        .expect("a file")
        .to_string_lossy();
    // A file of several kernels has a file here for each: `FILE.KERNEL.txt`.
    let (stem, kernel) = match stem.split_once('.') {
        Some((stem, kernel)) => (stem, Some(kernel)),
        None => (&*stem, None),
    };
    let name = format!("stdlib/kernels/{stem}.vn");
    let source = fs::read_to_string(root().join(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut sources = SourceMap::new();
    let file = sources.add(name, source);
    let loaded = shown(files::load(file, &mut sources, &mut Vec::new()), &sources);
    let kernel = loaded
        .choose(kernel)
        .expect("the kernel is called like its file");
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    let cases = read(&text);
    assert!(cases.len() >= 4, "{path}: at least four sets of sizes");
    for case in &cases {
        let (sizes, _) = case.sizes.split_once(" · ").unwrap_or((case.sizes, ""));
        let values = Values::read(sizes.split_whitespace())
            .unwrap_or_else(|word| panic!("{path}: {word:?} is no NAME=VALUE"));
        let func = shown(loaded.bind(&kernel, &values, &BTreeMap::new()), &sources);
        let inputs = arguments(&func, case);
        for level in [Level::O0, Level::O1] {
            let settings = Settings::new(chip.clone(), level);
            let compiled = shown(build::compile(&func, &settings, &sources), &sources);
            let got = run(compiled.object(), &func, &inputs, &chip);
            let who = format!("{} at -O{}", case.sizes, level.name());
            compare(&who, &func, case, &got);
        }
    }
    assert!(
        cases.iter().any(|case| case.sizes.contains(" · ")),
        "{path}: no layer of a published model"
    );
}

fn read(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(sizes) = line.strip_prefix("case ") {
            cases.push(Case {
                sizes,
                inputs: Vec::new(),
                outputs: Vec::new(),
            });
            continue;
        }
        let case = cases.last_mut().expect("a file begins with a case");
        if let Some(rest) = line.strip_prefix("in ") {
            case.inputs.push(input(rest));
        } else if let Some(rest) = line.strip_prefix("out ") {
            case.outputs.push(output(rest));
        } else {
            let (at, value) = line.split_once(' ').expect("a place and a value");
            let out = case.outputs.last_mut().expect("values follow a result");
            out.samples
                .push((at.parse().expect("a place"), number(value)));
        }
    }
    cases
}

fn number(text: &str) -> f64 {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn input(text: &str) -> Input<'_> {
    let words: Vec<&str> = text.split(' ').collect();
    let [name, how, low, high] = words[..] else {
        panic!("`in {text}` is not `in NAME HOW LOW HIGH`");
    };
    Input {
        name,
        how,
        low: number(low),
        high: number(high),
    }
}

fn output(text: &str) -> Output<'_> {
    let (head, within) = text
        .split_once(" within ")
        .expect("`out NAME COUNT within …`");
    let (name, count) = head.split_once(' ').expect("a name and a count");
    let (ulps, least) = match within.split_once(" or ") {
        Some((ulps, least)) => (ulps, number(least)),
        None => (within, 0.0),
    };
    let ulps = match ulps {
        "exact" => 0.0,
        _ => number(ulps.strip_suffix(" ulp").expect("`N ulp` or `exact`")),
    };
    let count = count.parse().expect("a count");
    Output {
        name,
        count,
        ulps,
        least,
        samples: Vec::new(),
    }
}

/// The arguments in the order of the function.
fn arguments(func: &Func, case: &Case<'_>) -> Vec<Data> {
    let drawn = |&tensor: &ir::algo::Tensor| {
        let data = &func.tensors[tensor];
        let input = case.inputs.iter().find(|input| input.name == data.name);
        let input = input.unwrap_or_else(|| panic!("{}: no argument `{}`", case.sizes, data.name));
        let count = data.shape.iter().product::<i64>();
        draw(input, data.elem, usize::try_from(count).expect("a size"))
    };
    func.params.iter().map(drawn).collect()
}

fn draw(input: &Input<'_>, elem: Elem, count: usize) -> Data {
    let mut random = Random::new(hash(input.name));
    let mut data = Data::zeros(elem, count);
    for at in 0..count {
        let value = match input.how {
            "ramp" => input.low + input.high * at as f64,
            "ints" => {
                input.low + ((random.next() >> 8) % ((input.high - input.low) as u64 + 1)) as f64
            }
            "floats" => {
                let unit = (random.next() >> 11) as f64 / 9_007_199_254_740_992.0;
                f64::from((input.low + (input.high - input.low) * unit) as f32)
            }
            how => panic!("`{how}` is no way to draw"),
        };
        data.set_f64(elem, at, value);
    }
    data
}

/// FNV-1a in 64 bits.
fn hash(name: &str) -> u64 {
    let step = |key: u64, byte: u8| (key ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

fn run(object: &Object, func: &Func, inputs: &[Data], chip: &Chip) -> Vec<Data> {
    let of = |name: &str| {
        func.params
            .iter()
            .position(|&tensor| func.tensors[tensor].name == name)
    };
    let params = object.kernel.params.iter();
    let bytes: Vec<Option<Vec<u8>>> = params
        .map(|param| of(&param.name).map(|at| inputs[at].bytes.clone()))
        .collect();
    let outcome = emulator::run(object, &bytes, chip, &Options::default());
    results(object, &outcome.unwrap_or_else(|fault| panic!("{fault}")))
}

fn compare(who: &str, func: &Func, case: &Case<'_>, got: &[Data]) {
    assert_eq!(
        case.outputs.len(),
        got.len(),
        "{who}: the number of results"
    );
    for (&tensor, got) in func.results.iter().zip(got) {
        let data = &func.tensors[tensor];
        let output = case.outputs.iter().find(|output| output.name == data.name);
        let output = output.unwrap_or_else(|| panic!("{who}: nothing is said of `{}`", data.name));
        assert_eq!(
            output.count,
            got.count(data.elem),
            "{who}: elements of `{}`",
            data.name
        );
        for &(at, right) in &output.samples {
            let value = got.get_f64(data.elem, at);
            let allowed = (output.ulps * ulp(data.elem, right)).max(output.least);
            // Both infinite, or both no number, is right too.
            let same = value == right || (value.is_nan() && right.is_nan());
            assert!(
                same || (value - right).abs() <= allowed,
                "{who}: `{}` element {at} is {value}, not {right}: {:.3} ulp, {allowed:e} allowed",
                data.name,
                (value - right).abs() / ulp(data.elem, right)
            );
        }
    }
}

/// The distance of neighbours of a type near a value.
fn ulp(elem: Elem, value: f64) -> f64 {
    let (bits, least) = match elem {
        Elem::F32 => (23, -126),
        Elem::F16 => (10, -14),
        Elem::Bf16 => (7, -126),
        Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => return 1.0,
    };
    // The exponent field of an f64 is biased by 1023; so is the one that makes the power of two.
    let exponent = (value.abs().to_bits() >> 52) as i32 - 1023;
    f64::from_bits(((exponent.max(least) - bits + 1023) as u64) << 52)
}

//! What a program is held to: at both levels, under an adversarial schedule, and in two rewritten forms it gives the
//! evaluator's bits, or values within the derived bound where it leaves an order free.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use backend::Level;
use diag::{Diagnostic, SourceMap};
use driver::{Settings, build, kernel};
use emulator::{Options, Sanitize, Schedule};
use ir::algo::data::{Data, draw};
use ir::algo::{ExprKind, Func, Order, bound, eval};
use isa::chip::Chip;
use isa::object::{Object, ParamDir};
use isa::types::{CoreKind, Elem};

use super::model::{Def, Origin, Program, Role, Tensor};
use super::print::print;
use super::rewrite;

/// The chip that everything runs on.
static CHIP: LazyLock<Chip> =
    LazyLock::new(|| Chip::builtin(Chip::DEFAULT).expect("the default chip is built in"));
/// The same with memories half as large for the planner: other tile sizes, and code that fits all the more.
static TIGHT: LazyLock<Chip> = LazyLock::new(|| {
    let mut chip = CHIP.clone();
    let spaces = &mut chip.spaces;
    spaces.ub /= 2;
    spaces.l1 /= 2;
    for space in [&mut spaces.l0a, &mut spaces.l0b, &mut spaces.l0c] {
        *space /= 2;
    }
    chip
});

/// How a program fared.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// It ran and agreed.
    Agrees(Facts),
    /// It, or a rewritten form, was refused: code and message.
    Refused(String),
    /// It failed: the kind of failure, and what exactly.
    Fails(String, String),
}

/// What a program has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// A reduction or prefix.
    pub(crate) reduces: bool,
    /// Code for the cube.
    pub(crate) cube: bool,
    /// A free order, so that values are compared within a bound.
    pub(crate) free: bool,
    /// Rewritten forms that were accepted, of two.
    pub(crate) forms: usize,
    /// Why the others were refused.
    pub(crate) refused: Vec<String>,
}

/// Why a check ended early.
enum Stop {
    Refused(String),
    Fails(&'static str, String),
}

/// Arguments and what must come out, by the names of the original program.
struct Reference {
    params: BTreeMap<String, (Elem, Vec<i64>, Data)>,
    results: BTreeMap<String, Expected>,
    free: bool,
}

/// A result: the evaluator's bits, and the real values with their bounds if an order is free.
struct Expected {
    elem: Elem,
    shape: Vec<i64>,
    bits: Data,
    real: Vec<(f64, f64)>,
}

/// Holds a program to everything; panics are failures too.
pub(crate) fn check(program: &Program, seed: u64) -> Verdict {
    let run = catch_unwind(AssertUnwindSafe(|| check_all(program, seed)));
    match run {
        Ok(Ok(facts)) => Verdict::Agrees(facts),
        Ok(Err(Stop::Refused(why))) => Verdict::Refused(why),
        Ok(Err(Stop::Fails(kind, what))) => Verdict::Fails(kind.to_owned(), what),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            Verdict::Fails("panic".to_owned(), text.unwrap_or_default())
        }
    }
}

/// The rewritten forms of a program.
pub(crate) fn forms(program: &Program, seed: u64) -> [Program; 2] {
    [rewrite::turned(program, seed), rewrite::cut(program, seed)]
}

fn check_all(program: &Program, seed: u64) -> Result<Facts, Stop> {
    let (func, sources) = bound(program)?;
    let reference = reference(program, &func)?;
    let mut facts = Facts {
        reduces: reduces(program),
        free: reference.free,
        ..Facts::default()
    };
    for level in [Level::O0, Level::O1] {
        let object = compiled(&func, &CHIP, level, &sources)?;
        let inputs = inputs(&object, program, &reference);
        let results = run(&object, &inputs, None)?;
        compare(
            &object,
            program,
            &reference,
            &results,
            if level == Level::O0 { "O0" } else { "O1" },
        )?;
        facts.cube |= !object.code(CoreKind::Cube).is_empty();
        if level == Level::O1 {
            let turned = run(&object, &inputs, Some(seed))?;
            if turned != results {
                return Err(Stop::Fails(
                    "schedule",
                    format!("bits differ under seed {seed}"),
                ));
            }
        }
    }
    for (number, form) in forms(program, seed).iter().enumerate() {
        let (level, chip) = if (seed + number as u64).is_multiple_of(2) {
            (Level::O1, &*TIGHT)
        } else {
            (Level::O0, &*CHIP)
        };
        match check_form(form, (chip, level), &reference) {
            Ok(()) => facts.forms += 1,
            Err(Stop::Refused(why)) => facts.refused.push(format!("form {number}: {why}")),
            Err(Stop::Fails(kind, what)) => {
                let kind = match (kind, number) {
                    (_, 0) => "turned form",
                    (_, _) => "cut form",
                };
                return Err(Stop::Fails(kind, what));
            }
        }
    }
    Ok(facts)
}

fn check_form(
    form: &Program,
    (chip, level): (&Chip, Level),
    reference: &Reference,
) -> Result<(), Stop> {
    let (func, sources) = bound(form)?;
    let object = compiled(&func, chip, level, &sources)?;
    let inputs = inputs(&object, form, reference);
    let results = run(&object, &inputs, None)?;
    compare(&object, form, reference, &results, "form")
}

/// Whether a definition reduces.
fn reduces(program: &Program) -> bool {
    program.defs.iter().any(|def| match def {
        Def::Equation { parts, .. } => parts.iter().any(|(_, value)| value.reduces()),
        Def::Statement { .. } => true,
    })
}

/// The kernel with its sizes.
fn bound(program: &Program) -> Result<(Func, SourceMap), Stop> {
    let mut sources = SourceMap::new();
    let file = sources.add("random.vn", print(program).as_str());
    let loaded = kernel::load(file, &mut sources, &mut Vec::new()).map_err(refused)?;
    let kernel = loaded.choose(None).map_err(|d| refused(vec![d]))?;
    let lines = loaded.lines("shape").map_err(|d| refused(vec![d]))?;
    let values = lines.into_iter().next().unwrap_or_default();
    let func = loaded
        .bind(&kernel, &values, &BTreeMap::new())
        .map_err(refused)?;
    Ok((func, sources))
}

fn compiled(func: &Func, chip: &Chip, level: Level, sources: &SourceMap) -> Result<Object, Stop> {
    let mut settings = Settings::new(chip.clone(), level);
    settings.verify_each = false;
    let compiled = build::compile(func, &settings, sources).map_err(refused)?;
    Ok(compiled.lowered.object)
}

/// What a user would see of the first error.
fn refused(found: Vec<Diagnostic>) -> Stop {
    let first = found.iter().find(|d| d.is_error());
    Stop::Refused(first.map_or_else(String::new, |d| format!("{} {}", d.code, d.message)))
}

fn reference(program: &Program, func: &Func) -> Result<Reference, Stop> {
    let drawn = |&tensor: &ir::algo::Tensor| {
        let data = &func.tensors[tensor];
        let values = draw(data.elem, &data.shape, 0, &data.name);
        (data.name.clone(), (data.elem, data.shape.to_vec(), values))
    };
    let params: Vec<_> = func.params.iter().map(drawn).collect();
    let values: Vec<Data> = params.iter().map(|(_, (.., data))| data.clone()).collect();
    let failed = |e: eval::EvalError| Stop::Fails("evaluator", e.to_string());
    let bits = eval::eval(func, &values).map_err(failed)?;
    let free = program.free
        || program
            .defs
            .iter()
            .any(|def| matches!(def, Def::Statement { free: true, .. }));
    debug_assert!(free || !has_free_order(func), "the program says so");
    let real = if free {
        bound::eval_bounded(func, &values, None).map_err(failed)?
    } else {
        vec![Vec::new(); bits.len()]
    };
    let mut results = BTreeMap::new();
    for ((&tensor, bits), real) in func.results.iter().zip(bits).zip(real) {
        let data = &func.tensors[tensor];
        let expected = Expected {
            elem: data.elem,
            shape: data.shape.to_vec(),
            bits,
            real,
        };
        results.insert(data.name.clone(), expected);
    }
    Ok(Reference {
        params: params.into_iter().collect(),
        results,
        free,
    })
}

fn has_free_order(func: &Func) -> bool {
    let free =
        |kind: &ExprKind| matches!(kind, ExprKind::Reduce(reduce) if reduce.order == Order::Free);
    func.order_free || func.exprs.values().any(|expr| free(&expr.kind))
}

/// Arguments in the order of the object, taken from the original's.
fn inputs(object: &Object, program: &Program, reference: &Reference) -> Vec<Option<Vec<u8>>> {
    let params = object.kernel.params.iter();
    let input = params.map(|param| {
        let tensor = program
            .tensors
            .iter()
            .find(|t| t.name == param.name && t.role == Role::Param)?;
        let (elem, shape, data) = reference.params.get(&tensor.origin.name)?;
        let places = places(tensor, program, shape);
        let bytes = elem.bytes() as usize;
        Some(
            places
                .iter()
                .flat_map(|&at| data.bytes[at * bytes..(at + 1) * bytes].iter().copied())
                .collect(),
        )
    });
    input.collect()
}

/// For each element of a tensor, its place in the tensor of the original program.
fn places(tensor: &Tensor, program: &Program, original: &[i64]) -> Vec<usize> {
    let shape: Vec<i64> = tensor
        .dims
        .iter()
        .map(|dim| dim.value(&program.sizes))
        .collect();
    let Origin { order, part, .. } = &tensor.origin;
    let of = |d: usize| order.get(d).copied().unwrap_or(d);
    let mut strides = vec![1; original.len()];
    for d in (1..original.len()).rev() {
        strides[d - 1] = strides[d] * original[d];
    }
    let first = part.map_or(0, |(dim, at)| at * strides[dim]);
    let mut all = vec![first];
    for (d, extent) in shape.iter().enumerate() {
        all = all
            .iter()
            .flat_map(|&at| (0..*extent).map(move |i| (at, i)))
            .map(|(at, i)| at + i * strides[of(d)])
            .collect();
    }
    all.into_iter().map(|at| at as usize).collect()
}

/// Runs with every sanitizer, in order or under a seed; gives the results.
fn run(
    object: &Object,
    inputs: &[Option<Vec<u8>>],
    seed: Option<u64>,
) -> Result<Vec<Vec<u8>>, Stop> {
    let options = Options {
        threads: 1,
        schedule: seed.map_or(Schedule::InOrder, Schedule::Adversarial),
        sanitize: if seed.is_none() {
            Sanitize::ALL
        } else {
            Sanitize::NONE
        },
        values_only: true,
        ..Options::default()
    };
    if seed.is_none() {
        verifier::verify(object, &CHIP)
            .map_err(|refusal| Stop::Fails("unproved", refusal.to_string()))?;
    }
    let outcome = emulator::run(object, inputs, &CHIP, &options)
        .map_err(|fault| Stop::Fails("fault", fault.to_string()))?;
    let tensors = object.kernel.params.iter().zip(outcome.tensors);
    Ok(tensors
        .filter(|(param, _)| param.dir == ParamDir::Out)
        .map(|(_, bytes)| bytes)
        .collect())
}

fn compare(
    object: &Object,
    program: &Program,
    reference: &Reference,
    results: &[Vec<u8>],
    who: &'static str,
) -> Result<(), Stop> {
    let outs = object
        .kernel
        .params
        .iter()
        .filter(|param| param.dir == ParamDir::Out);
    let mut seen = BTreeSet::new();
    for (param, bytes) in outs.zip(results) {
        let tensor = program
            .tensors
            .iter()
            .find(|t| t.name == param.name && t.role == Role::Result);
        let tensor = tensor.expect("the object's results are the program's");
        let expected = &reference.results[&tensor.origin.name];
        let got = Data {
            bytes: bytes.clone(),
        };
        let places = places(tensor, program, &expected.shape);
        let differs = if reference.free {
            outside(expected, &got, &places)
        } else {
            different(expected, &got, &places)
        };
        if let Some(what) = differs {
            return Err(Stop::Fails(who, format!("`{}` {what}", tensor.name)));
        }
        seen.insert(tensor.origin.name.clone());
    }
    let all = reference.results.keys().all(|name| seen.contains(name));
    if all {
        Ok(())
    } else {
        Err(Stop::Fails(who, "a result is missing".to_owned()))
    }
}

/// The first element with other bits; any NaN equals any other.
fn different(expected: &Expected, got: &Data, places: &[usize]) -> Option<String> {
    let elem = expected.elem;
    let nan = |data: &Data, at| elem.is_float() && data.get_f64(elem, at).is_nan();
    let differs = |&(at, &place): &(usize, &usize)| {
        got.bits(elem, at) != expected.bits.bits(elem, place)
            && !(nan(got, at) && nan(&expected.bits, place))
    };
    let (at, &place) = places.iter().enumerate().find(differs)?;
    let (wrong, right) = (got.get_f64(elem, at), expected.bits.get_f64(elem, place));
    Some(format!("element {at} is {wrong:?}, not {right:?}"))
}

/// Whether some element is beyond its bound.
fn outside(expected: &Expected, got: &Data, places: &[usize]) -> Option<String> {
    let real = |(at, &place): (usize, &usize)| (at, expected.real[place].0, expected.real[place].1);
    let real: Vec<(usize, f64, f64)> = places.iter().enumerate().map(real).collect();
    let deviation = bound::compare(expected.elem, got, &real);
    (!deviation.within).then(|| format!("{deviation:?}"))
}

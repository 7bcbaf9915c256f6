//! What the results should be: the evaluator's bits, and the real values with the error that types and order allow.

use ir::algo::bound::{self, Deviation};
use ir::algo::data::{Data, Random, element_count};
use ir::algo::eval::{self, EvalError};
use ir::algo::{ExprKind, Func, Order, Tensor};
use ir::tile;
use isa::object::{Object, ParamDir, ParamMeta};
use isa::types::Elem;

/// Elements whose real value is always computed: all of a cheap kernel's, a sample of an expensive one's.
const SAMPLE: usize = 4096;
/// Elements of the greatest magnitude that are added to a sample.
const LARGEST: usize = 64;
/// Items of all reductions up to which every element is computed.
const CHEAP: f64 = 3e7;

/// How a result compares.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    /// The result's name.
    pub(crate) name: String,
    /// Whether the result is right: the evaluator's bits where the order is fixed, within the bound in any case.
    pub(crate) ok: bool,
    /// Whether the kernel fixes every bit.
    pub(crate) exact: bool,
    /// Elements with other bits than the evaluator's.
    pub(crate) different: usize,
    /// The first of those.
    pub(crate) first: Option<usize>,
    /// The measured error.
    pub(crate) deviation: Deviation,
    /// The largest error that any element may have.
    pub(crate) allowed: f64,
}

/// Compares results with both references.
pub(crate) fn compare(
    func: &Func,
    params: &[Data],
    results: &[Data],
) -> Result<Vec<Comparison>, EvalError> {
    let expected = eval::eval(func, params)?;
    let sample = sample(func, results);
    let real = bound::eval_bounded(func, params, sample.as_deref())?;
    let exact = !is_free(func);
    let mut comparisons = Vec::with_capacity(results.len());
    for (position, (&tensor, result)) in func.results.iter().zip(results).enumerate() {
        let elem = func.tensors[tensor].elem;
        let (different, first) = differences(elem, result, &expected[position]);
        let places = sample.as_ref().map(|sample| sample[position].as_slice());
        let reference: Vec<(usize, f64, f64)> = real[position]
            .iter()
            .enumerate()
            .map(|(at, &(value, error))| (places.map_or(at, |places| places[at]), value, error))
            .collect();
        let deviation = bound::compare(elem, result, &reference);
        let allowed = reference
            .iter()
            .map(|&(.., allowed)| allowed)
            .fold(0.0, f64::max);
        comparisons.push(Comparison {
            name: func.tensors[tensor].name.clone(),
            ok: deviation.within && (!exact || different == 0),
            exact,
            different,
            first,
            deviation,
            allowed,
        });
    }
    Ok(comparisons)
}

/// Compares results with the sequential meaning of a tile form: bits only, since it has no real values.
pub(crate) fn compare_tile(
    func: &tile::Func,
    object: &Object,
    inputs: &[Option<Data>],
    results: &[Data],
) -> Result<Vec<Comparison>, tile::eval::EvalError> {
    let params = object.kernel.params.iter().zip(inputs);
    let arguments = params.filter(|(param, _)| param.dir != ParamDir::Work);
    let arguments: Vec<Option<Data>> = arguments.map(|(_, data)| data.clone()).collect();
    let expected = tile::eval::eval(func, &arguments)?;
    let outs = object
        .kernel
        .params
        .iter()
        .filter(|param| param.dir == ParamDir::Out);
    let compare = |((param, result), expected): ((&ParamMeta, &Data), &Data)| {
        let (different, first) = differences(param.elem, result, expected);
        let value = |at: usize| (at, expected.get_f64(param.elem, at), 0.0);
        let reference: Vec<(usize, f64, f64)> =
            (0..expected.count(param.elem)).map(value).collect();
        Comparison {
            name: param.name.clone(),
            ok: different == 0,
            exact: true,
            different,
            first,
            deviation: bound::compare(param.elem, result, &reference),
            allowed: 0.0,
        }
    };
    Ok(outs.zip(results).zip(&expected).map(compare).collect())
}

/// Whether some order is left open, so that bits may differ within the bound.
fn is_free(func: &Func) -> bool {
    let free =
        |kind: &ExprKind| matches!(kind, ExprKind::Reduce(reduce) if reduce.order == Order::Free);
    let regrouped = !func.regrouped.is_empty();
    func.order_free || regrouped || func.exprs.values().any(|expr| free(&expr.kind))
}

/// How many elements have other bits, and the first; any NaN equals any other.
fn differences(elem: Elem, got: &Data, expected: &Data) -> (usize, Option<usize>) {
    if got.bytes == expected.bytes {
        return (0, None);
    }
    let both_nan = |at| {
        elem.is_float() && got.get_f64(elem, at).is_nan() && expected.get_f64(elem, at).is_nan()
    };
    let differs = |&at: &usize| got.bits(elem, at) != expected.bits(elem, at) && !both_nan(at);
    let count = expected.count(elem).max(got.count(elem));
    let mut different = (0..count).filter(differs);
    let first = different.next();
    (different.count() + usize::from(first.is_some()), first)
}

/// Which elements to compute in real arithmetic; none means all. A function of kernel and results alone.
fn sample(func: &Func, results: &[Data]) -> Option<Vec<Vec<usize>>> {
    if work(func) <= CHEAP {
        return None;
    }
    let of_result = |(&tensor, result): (&Tensor, &Data)| {
        let data = &func.tensors[tensor];
        let count = element_count(&data.shape).unwrap_or(0);
        if count <= SAMPLE {
            return (0..count).collect();
        }
        let mut random = Random::new(count as u64);
        let mut places: Vec<usize> = (0..SAMPLE)
            .map(|_| random.between(0, count as i64 - 1) as usize)
            .collect();
        places.extend([0, count - 1]);
        places.extend(largest(data.elem, result, count));
        places.sort_unstable();
        places.dedup();
        places
    };
    Some(func.results.iter().zip(results).map(of_result).collect())
}

/// The elements of the greatest magnitude: there rounding is coarsest.
fn largest(elem: Elem, result: &Data, count: usize) -> Vec<usize> {
    let magnitude = |at: usize| result.get_f64(elem, at).abs();
    let mut places: Vec<usize> = (0..count).collect();
    let by_size = |a: &usize, b: &usize| magnitude(*b).total_cmp(&magnitude(*a)).then(a.cmp(b));
    places.select_nth_unstable_by(LARGEST, by_size);
    places.truncate(LARGEST);
    places
}

/// Items of all definitions, those of reductions included: what a real evaluation of every element costs.
fn work(func: &Func) -> f64 {
    let mut first = 0;
    let mut work = 0.0;
    for def in &func.defs {
        // Expressions are numbered definition by definition; one that is shared counts where it stands.
        let own = func
            .exprs
            .iter()
            .filter(|(expr, _)| (first..=def.value.as_u32()).contains(&expr.as_u32()));
        let most = own
            .map(|(_, data)| items(func, &data.kind))
            .fold(1.0, f64::max);
        let elements = func.tensors[def.target]
            .shape
            .iter()
            .map(|&extent| extent as f64);
        work += elements.product::<f64>() * most;
        first = def.value.as_u32() + 1;
    }
    work
}

/// Items of one reduction; 1 for anything else.
fn items(func: &Func, kind: &ExprKind) -> f64 {
    let ExprKind::Reduce(reduce) = kind else {
        return 1.0;
    };
    reduce
        .axes
        .iter()
        .map(|&axis| func.indices[axis].extent as f64)
        .product()
}

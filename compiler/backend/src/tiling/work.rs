//! Useful work of a kernel: what it asks for, whatever the schedule. As numbers, and as formulas over sizes that the launch
//! gives.

use std::collections::BTreeSet;

use ir::algo::{self, ExprKind, Func};
use ir::tile::Work;

use crate::partition::{Epilogue, Step, members};

/// Useful work, as far as sizes are known; what is beyond 63 bits is the largest number.
pub(super) fn known(algo: &Func, steps: &[Step]) -> Work {
    if !algo.symbols.is_empty() {
        return before_launch(algo, steps);
    }
    let mut work = Work::default();
    for step in steps {
        for def in members(step) {
            of_definition(algo, step, def, &mut work);
        }
    }
    let bytes = |t: &algo::Tensor| {
        let data = &algo.tensors[*t];
        times([count(data.shape.iter().copied()), data.elem.bytes()])
    };
    let tensors = algo.params.iter().chain(&algo.results);
    work.compulsory_bytes = tensors.map(bytes).fold(0, plus);
    work
}

fn of_definition(algo: &Func, step: &Step, def: usize, work: &mut Work) {
    let value = algo.defs[def].value;
    let items = count(algo.tensors[algo.defs[def].target].shape.iter().copied());
    let axes = algo.root_reduce(def).into_iter().flat_map(|r| &r.axes);
    let all = times([items, count(axes.map(|&i| algo.indices[i].extent))]);
    let product = match step {
        Step::Product(product, _) => (product.def == def).then_some(&**product),
        Step::Stream(stream) => stream.product(def),
        Step::Rows(_) | Step::Items(_) | Step::Sort(_) | Step::Scan(_) => None,
    };
    if let Some(product) = product {
        work.mads = plus(work.mads, all);
        work.mad_elem = Some(algo.tensors[product.a.tensor].elem);
        return;
    }
    let operations = match step {
        // The fixpipe's conversion costs the vector units nothing.
        Step::Product(_, Epilogue::Fixpipe(_)) => 0,
        Step::Scan(_) => times([items, operations(algo, value)]),
        // Every key is looked at once at least.
        Step::Sort(sorted) if sorted.rank == def => items,
        Step::Sort(_) => 0,
        Step::Product(..) | Step::Rows(_) | Step::Items(_) | Step::Stream(_) => {
            times([all, operations(algo, value)])
        }
    };
    work.vector_ops = plus(work.vector_ops, operations);
}

/// What an object has room for.
const MOST: u64 = i64::MAX.unsigned_abs();

fn times(factors: impl IntoIterator<Item = u64>) -> u64 {
    let product = factors.into_iter().fold(1, u64::saturating_mul);
    product.min(MOST)
}

fn plus(a: u64, b: u64) -> u64 {
    a.saturating_add(b).min(MOST)
}

fn count(extents: impl Iterator<Item = i64>) -> u64 {
    times(extents.map(|extent| u64::try_from(extent).unwrap_or(0)))
}

/// What is known of the work before the launch: the type of the products.
fn before_launch(algo: &Func, steps: &[Step]) -> Work {
    let elem = |step: &Step| {
        let product = match step {
            Step::Product(product, _) => product,
            Step::Stream(stream) => (stream.scores.iter())
                .chain(stream.sums.iter().map(|(_, product)| product))
                .next()?,
            Step::Rows(_) | Step::Items(_) | Step::Sort(_) | Step::Scan(_) => return None,
        };
        Some(algo.tensors[product.a.tensor].elem)
    };
    Work {
        mad_elem: steps.iter().find_map(elem),
        ..Work::default()
    }
}

/// Useful work as formulas over symbolic sizes: multiply-adds, element operations, compulsory bytes.
pub(super) fn formulas(algo: &Func, steps: &[Step]) -> [String; 3] {
    // Several numbers stay apart: their product may leave 64 bits where that of the sizes does not.
    let times = |numbers: &mut dyn Iterator<Item = i64>| {
        let factors: Vec<String> = numbers
            .filter(|&n| n != 1)
            .map(|n| algo.symbols.show(n))
            .collect();
        match factors.is_empty() {
            true => "1".to_owned(),
            false => factors.join("*"),
        }
    };
    let (mut mads, mut ops, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for step in steps {
        for def in members(step) {
            let data = &algo.defs[def];
            let items = algo.tensors[data.target].shape.iter().copied();
            let axes = algo.root_reduce(def).into_iter().flat_map(|r| &r.axes);
            let axes = axes.map(|&i| algo.indices[i].extent);
            let each = i64::try_from(operations(algo, data.value)).unwrap_or(i64::MAX);
            match step {
                Step::Product(product, _) if product.def == def => {
                    mads.push(times(&mut items.chain(axes)));
                }
                Step::Stream(stream) if stream.product(def).is_some() => {
                    mads.push(times(&mut items.chain(axes)));
                }
                Step::Product(_, Epilogue::Fixpipe(_)) => {}
                Step::Sort(sorted) if sorted.rank == def => ops.push(times(&mut items.into_iter())),
                Step::Sort(_) => {}
                Step::Scan(_) => ops.push(times(&mut [each].into_iter().chain(items))),
                Step::Product(..) | Step::Rows(_) | Step::Items(_) | Step::Stream(_) => {
                    ops.push(times(&mut [each].into_iter().chain(items).chain(axes)));
                }
            }
        }
    }
    for &tensor in algo.params.iter().chain(&algo.results) {
        let data = &algo.tensors[tensor];
        let size = i64::try_from(data.elem.bytes()).unwrap_or(1);
        let extents = data.shape.iter().copied();
        bytes.push(times(&mut [size].into_iter().chain(extents)));
    }
    [mads, ops, bytes].map(|terms| match terms.is_empty() {
        true => "0".to_owned(),
        false => terms.join(" + "),
    })
}

/// Arithmetic nodes below an expression, each once.
fn operations(algo: &algo::Func, root: algo::Expr) -> u64 {
    let mut seen = BTreeSet::new();
    let mut stack = vec![root];
    let mut count = 0;
    while let Some(e) = stack.pop() {
        if seen.insert(e) {
            let kind = &algo.exprs[e].kind;
            let arithmetic = !matches!(
                kind,
                ExprKind::Float(_)
                    | ExprKind::Int(_)
                    | ExprKind::Index(_)
                    | ExprKind::Load { .. }
                    | ExprKind::Gather { .. }
            );
            count += u64::from(arithmetic);
            stack.extend(kind.operands());
        }
    }
    count
}

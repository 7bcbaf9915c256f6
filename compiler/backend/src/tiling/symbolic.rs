//! What the tiler does for sizes that the launch gives: work as formulas, and the proof that no number was taken for a size.

use diag::Span;
use ir::algo::Func;
use ir::tile::{self, Work};

use super::operations;
use crate::partition::{Epilogue, Step, members};

/// What is known of the work before the launch: the type of the products.
pub(super) fn work(algo: &Func, steps: &[Step]) -> Work {
    let elem = |step: &Step| {
        let Step::Product(product, _) = step else {
            return None;
        };
        Some(algo.tensors[product.a.tensor].elem)
    };
    Work {
        mad_elem: steps.iter().find_map(elem),
        ..Work::default()
    }
}

/// Useful work as formulas over symbolic sizes: multiply-adds, element operations, compulsory bytes.
pub(super) fn work_formulas(algo: &Func, steps: &[Step]) -> [String; 3] {
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

/// Where two tile forms of one function differ that were made under different numbers for its symbolic sizes: there a
/// number was taken for a size.
pub(super) fn first_difference(a: &tile::Func, b: &tile::Func) -> Option<Span> {
    if tile::print(a) == tile::print(b) {
        return None;
    }
    let mut pairs = a.insts.values().zip(b.insts.values());
    let found = pairs.find(|(a, b)| format!("{:?}", a.op) != format!("{:?}", b.op));
    Some(found.map_or(Span::NONE, |(inst, _)| inst.span))
}

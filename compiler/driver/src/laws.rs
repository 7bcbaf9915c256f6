//! Property tests of monoids: their laws on drawn items, compared in real arithmetic within the derived bounds.

use diag::Diagnostic;
use frontend::{Laws, Pair};
use ir::algo::bound::eval_bounded;
use ir::algo::data::{Data, draw};
use isa::types::Elem;

use crate::errors;

/// Items of the three blocks: the smallest counter-example comes first.
const LENGTHS: [[i64; 3]; 3] = [[1, 1, 1], [2, 1, 2], [5, 3, 4]];
/// Draws for each.
const SEEDS: u64 = 8;
/// Items of a parameter that a message shows.
const SHOWN: usize = 12;

/// What is wrong with the monoids of a file: at most one finding for each.
pub(crate) fn check(laws_of: impl Fn([i64; 3]) -> Vec<Laws>) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut broken: Vec<String> = Vec::new();
    for lengths in LENGTHS {
        for laws in laws_of(lengths) {
            if broken.contains(&laws.monoid) {
                continue;
            }
            if let Some(diagnostic) = (0..SEEDS).find_map(|seed| check_one(&laws, seed)) {
                broken.push(laws.monoid.clone());
                found.push(diagnostic);
            }
        }
    }
    found
}

fn check_one(laws: &Laws, seed: u64) -> Option<Diagnostic> {
    let func = &laws.func;
    let params: Vec<Data> = (func.params.iter())
        .map(|&tensor| {
            let data = &func.tensors[tensor];
            draw(data.elem, &data.shape, seed, &data.name)
        })
        .collect();
    let sides = match eval_bounded(func, &params, None) {
        Ok(sides) => sides,
        Err(error) => return Some(errors::evaluation(error.span, &error.message)),
    };
    for (pair, sides) in laws.pairs.iter().zip(sides.chunks_exact(2)) {
        let both = sides[0].iter().zip(&sides[1]);
        let differs = both
            .enumerate()
            .find(|(_, (one, other))| !agree(**one, **other));
        if let Some((place, (one, other))) = differs {
            let values = [one.0, other.0];
            return Some(report(laws, pair, (place, values), &params));
        }
    }
    None
}

/// Whether two values may stand for the same result.
fn agree(one: (f64, f64), other: (f64, f64)) -> bool {
    let same = one.0 == other.0 || (one.0.is_nan() && other.0.is_nan());
    same || (one.0 - other.0).abs() <= one.1 + other.1
}

fn report(
    laws: &Laws,
    pair: &Pair,
    (place, values): (usize, [f64; 2]),
    params: &[Data],
) -> Diagnostic {
    let func = &laws.func;
    let mut notes = Vec::new();
    for (&tensor, data) in func.params.iter().zip(params) {
        let info = &func.tensors[tensor];
        let width: usize = (info.shape.iter().skip(1))
            .map(|&extent| usize::try_from(extent).unwrap_or(1))
            .product();
        let mut first = 0;
        for (name, length) in ["p", "q", "r"].iter().zip(laws.lengths) {
            let count = usize::try_from(length).unwrap_or(0) * width;
            let text = values_text(info.elem, data, first, count);
            notes.push(format!("`{name}` absorbs {} = [{text}]", info.name));
            first += count;
        }
    }
    errors::monoid_law(laws, pair, (place, values), notes)
}

fn values_text(elem: Elem, data: &Data, first: usize, count: usize) -> String {
    let shown = (first..first + count.min(SHOWN)).map(|at| data.get_f64(elem, at).to_string());
    let mut texts: Vec<String> = shown.collect();
    if count > SHOWN {
        texts.push("…".to_owned());
    }
    texts.join(", ")
}

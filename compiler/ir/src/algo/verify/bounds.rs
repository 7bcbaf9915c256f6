//! Proves that an index expression stays in a range for all values of its indices.
//!
//! Interval arithmetic first; where it is too coarse (`i - 4 * (i / 4)`) and the indices have few values together,
//! every combination is tried. Knows nothing of masks and conditions, which do not make an access legal.

use std::collections::BTreeMap;

use crate::algo::{Affine, Atom, Func, Index};

/// Combinations of index values that are tried one by one at most.
const MOST_COMBINATIONS: i64 = 1 << 20;

/// Whether `affine` lies in `0..extent` for all values of its indices.
pub(super) fn stays_within(func: &Func, affine: &Affine, extent: i64) -> bool {
    match interval(func, affine) {
        Some((low, high)) if 0 <= low && high < extent => true,
        Some(_) if !affine.terms.is_empty() => tried_within(func, affine, extent),
        Some(_) | None => false,
    }
}

/// The least and greatest value by interval arithmetic; `None` on overflow.
pub(super) fn interval(func: &Func, affine: &Affine) -> Option<(i64, i64)> {
    let (mut low, mut high) = (affine.constant, affine.constant);
    for (coefficient, atom) in &affine.terms {
        let (a, b) = atom_interval(func, atom)?;
        let (x, y) = (coefficient.checked_mul(a)?, coefficient.checked_mul(b)?);
        low = low.checked_add(x.min(y))?;
        high = high.checked_add(x.max(y))?;
    }
    Some((low, high))
}

fn atom_interval(func: &Func, atom: &Atom) -> Option<(i64, i64)> {
    match atom {
        Atom::Index(index) => Some((0, func.indices[*index].extent - 1)),
        Atom::Div(inner, by) => {
            let (low, high) = interval(func, inner)?;
            Some((low.div_euclid(*by), high.div_euclid(*by)))
        }
        Atom::Mod(inner, by) => {
            let (low, high) = interval(func, inner)?;
            let one_period = low.div_euclid(*by) == high.div_euclid(*by);
            Some(if one_period {
                (low.rem_euclid(*by), high.rem_euclid(*by))
            } else {
                (0, by - 1)
            })
        }
        Atom::Clamp(inner, least, most) => {
            let (low, high) = interval(func, inner)?;
            Some((low.clamp(*least, *most), high.clamp(*least, *most)))
        }
    }
}

/// Tries all combinations of index values, unless there are too many.
fn tried_within(func: &Func, affine: &Affine, extent: i64) -> bool {
    let mut indices = Vec::new();
    affine.visit_indices(&mut |index| indices.push(index));
    indices.sort_unstable();
    indices.dedup();
    let count = indices.iter().try_fold(1i64, |count, &index| {
        count.checked_mul(func.indices[index].extent)
    });
    let Some(count) = count.filter(|&count| count <= MOST_COMBINATIONS) else {
        return false;
    };
    (0..count)
        .all(|combination| (0..extent).contains(&affine.value(&point(func, &indices, combination))))
}

fn point(func: &Func, indices: &[Index], combination: i64) -> BTreeMap<Index, i64> {
    let mut rest = combination;
    let mut point = BTreeMap::new();
    for &index in indices {
        let extent = func.indices[index].extent;
        point.insert(index, rest % extent);
        rest /= extent;
    }
    point
}

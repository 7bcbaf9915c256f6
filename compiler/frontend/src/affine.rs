//! Arithmetic on index expressions with bound sizes: normal form, ranges, substitution.
//!
//! Ranges are exact for sums of different indices, and safe bounds otherwise; [`within`] decides the doubtful cases by
//! trying every value of the indices where they are few. Knows nothing of syntax or names.

use ir::algo::{Affine, Atom, Index};
use std::collections::BTreeMap;

/// Inclusive least and greatest value.
pub(crate) type Range = (i64, i64);

/// Points that [`within`] is willing to try.
const MOST_POINTS: i128 = 1 << 20;

/// `a + b · factor`; nothing if a coefficient leaves 64 bits.
pub(crate) fn add_scaled(a: &Affine, b: &Affine, factor: i64) -> Option<Affine> {
    let mut sum = a.clone();
    sum.constant = sum.constant.checked_add(b.constant.checked_mul(factor)?)?;
    for (coefficient, atom) in &b.terms {
        let extra = coefficient.checked_mul(factor)?;
        match sum.terms.iter_mut().find(|(_, known)| known == atom) {
            Some((known, _)) => *known = known.checked_add(extra)?,
            None => sum.terms.push((extra, atom.clone())),
        }
    }
    sum.terms.retain(|(coefficient, _)| *coefficient != 0);
    Some(sum)
}

/// `a · factor`.
pub(crate) fn scale(a: &Affine, factor: i64) -> Option<Affine> {
    add_scaled(&Affine::constant(0), a, factor)
}

/// The value, if it is one for all indices.
pub(crate) fn as_constant(a: &Affine) -> Option<i64> {
    a.terms.is_empty().then_some(a.constant)
}

/// `floor(a / by)`, by positive; what divides exactly is taken out.
pub(crate) fn div(a: &Affine, by: i64, extent: &impl Fn(Index) -> i64) -> Option<Affine> {
    let (whole, rest) = split(a, by);
    let atom = match range(&rest, extent)? {
        (low, high) if low.div_euclid(by) == high.div_euclid(by) => {
            return add_scaled(&whole, &Affine::constant(low.div_euclid(by)), 1);
        }
        _ => Atom::Div(Box::new(rest), by),
    };
    add_scaled(&whole, &single(atom), 1)
}

/// `a mod by`, by positive.
pub(crate) fn rem(a: &Affine, by: i64, extent: &impl Fn(Index) -> i64) -> Option<Affine> {
    let (_, rest) = split(a, by);
    match range(&rest, extent)? {
        (low, high) if low >= 0 && high < by => Some(rest),
        _ => Some(single(Atom::Mod(Box::new(rest), by))),
    }
}

/// `clamp(a, low, high)`.
pub(crate) fn clamp(a: &Affine, to: Range, extent: &impl Fn(Index) -> i64) -> Option<Affine> {
    match range(a, extent)? {
        (low, high) if low >= to.0 && high <= to.1 => Some(a.clone()),
        _ => Some(single(Atom::Clamp(Box::new(a.clone()), to.0, to.1))),
    }
}

fn single(atom: Atom) -> Affine {
    Affine {
        constant: 0,
        terms: [(1, atom)].into_iter().collect(),
    }
}

/// `a = whole · by + rest` with the multiples of `by` in `whole` and a constant of `rest` in `[0, by)`.
fn split(a: &Affine, by: i64) -> (Affine, Affine) {
    let mut whole = Affine::constant(a.constant.div_euclid(by));
    let mut rest = Affine::constant(a.constant.rem_euclid(by));
    for (coefficient, atom) in &a.terms {
        if coefficient % by == 0 {
            whole.terms.push((coefficient / by, atom.clone()));
        } else {
            rest.terms.push((*coefficient, atom.clone()));
        }
    }
    (whole, rest)
}

/// Bounds of the value over all indices; nothing if they leave 64 bits.
pub(crate) fn range(a: &Affine, extent: &impl Fn(Index) -> i64) -> Option<Range> {
    let (mut low, mut high) = (a.constant, a.constant);
    for (coefficient, atom) in &a.terms {
        let (least, greatest) = atom_range(atom, extent)?;
        let ends = (
            coefficient.checked_mul(least)?,
            coefficient.checked_mul(greatest)?,
        );
        low = low.checked_add(ends.0.min(ends.1))?;
        high = high.checked_add(ends.0.max(ends.1))?;
    }
    Some((low, high))
}

fn atom_range(atom: &Atom, extent: &impl Fn(Index) -> i64) -> Option<Range> {
    match atom {
        Atom::Index(index) => Some((0, extent(*index).checked_sub(1)?.max(0))),
        Atom::Div(a, by) => {
            let (low, high) = range(a, extent)?;
            Some((low.div_euclid(*by), high.div_euclid(*by)))
        }
        Atom::Mod(a, by) => match range(a, extent)? {
            (low, high) if low.div_euclid(*by) == high.div_euclid(*by) => {
                Some((low.rem_euclid(*by), high.rem_euclid(*by)))
            }
            _ => Some((0, by - 1)),
        },
        Atom::Clamp(a, least, greatest) => {
            let (low, high) = range(a, extent)?;
            Some((
                low.max(*least).min(*greatest),
                high.max(*least).min(*greatest),
            ))
        }
    }
}

/// Whether an expression stays in a range.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    /// For all values of its indices.
    Always,
    /// It takes this value, which is outside.
    Reaches(i64),
    /// Not decided: it may reach this value.
    MayReach(i64),
}

/// Decides whether `a` stays in `[0, size)`.
pub(crate) fn within(a: &Affine, size: i64, extent: &impl Fn(Index) -> i64) -> Within {
    let Some((low, high)) = range(a, extent) else {
        return Within::MayReach(i64::MAX);
    };
    let outside = match (low < 0, high >= size) {
        (false, false) => return Within::Always,
        (_, true) => high,
        (true, false) => low,
    };
    let plain = a
        .terms
        .iter()
        .all(|(_, atom)| matches!(atom, Atom::Index(_)));
    if plain {
        return Within::Reaches(outside);
    }
    try_all(a, size, extent).unwrap_or(Within::MayReach(outside))
}

/// Evaluates `a` at every point of the box of its indices, if there are not too many.
fn try_all(a: &Affine, size: i64, extent: &impl Fn(Index) -> i64) -> Option<Within> {
    let mut point: BTreeMap<Index, i64> = BTreeMap::new();
    visit_indices(a, &mut |index| {
        point.insert(index, 0);
    });
    let extents: Vec<(Index, i64)> = point.keys().map(|i| (*i, extent(*i))).collect();
    let points = extents
        .iter()
        .try_fold(1i128, |n, (_, e)| n.checked_mul(i128::from(*e)))?;
    if points > MOST_POINTS {
        return None;
    }
    for number in 0..points {
        let mut rest = number;
        for (index, extent) in &extents {
            let extent = i128::from(*extent).max(1);
            point.insert(*index, i64::try_from(rest % extent).ok()?);
            rest /= extent;
        }
        let value = eval(a, &point);
        if value < 0 || value >= size {
            return Some(Within::Reaches(value));
        }
    }
    Some(Within::Always)
}

/// The value at a point; wraps, because ranges were computed without overflow before.
fn eval(a: &Affine, point: &BTreeMap<Index, i64>) -> i64 {
    let term = |(coefficient, atom): &(i64, Atom)| {
        let value = match atom {
            Atom::Index(index) => point.get(index).copied().unwrap_or(0),
            Atom::Div(a, by) => eval(a, point).div_euclid(*by),
            Atom::Mod(a, by) => eval(a, point).rem_euclid(*by),
            Atom::Clamp(a, low, high) => eval(a, point).max(*low).min(*high),
        };
        coefficient.wrapping_mul(value)
    };
    a.terms.iter().map(term).fold(a.constant, i64::wrapping_add)
}

/// Calls `visit` for each index that occurs.
pub(crate) fn visit_indices(a: &Affine, visit: &mut impl FnMut(Index)) {
    for (_, atom) in &a.terms {
        match atom {
            Atom::Index(index) => visit(*index),
            Atom::Div(a, _) | Atom::Mod(a, _) | Atom::Clamp(a, _, _) => visit_indices(a, visit),
        }
    }
}

/// Renames indices.
pub(crate) fn rename(a: &Affine, map: &[(Index, Index)]) -> Affine {
    let new = |index: Index| {
        map.iter()
            .find(|(old, _)| *old == index)
            .map_or(index, |p| p.1)
    };
    let atom = |atom: &Atom| match atom {
        Atom::Index(index) => Atom::Index(new(*index)),
        Atom::Div(a, by) => Atom::Div(Box::new(rename(a, map)), *by),
        Atom::Mod(a, by) => Atom::Mod(Box::new(rename(a, map)), *by),
        Atom::Clamp(a, low, high) => Atom::Clamp(Box::new(rename(a, map)), *low, *high),
    };
    let terms = a
        .terms
        .iter()
        .map(|(coefficient, a)| (*coefficient, atom(a)))
        .collect();
    Affine {
        constant: a.constant,
        terms,
    }
}

/// Puts index expressions in the places of indices.
pub(crate) fn substitute(
    a: &Affine,
    map: &[(Index, Affine)],
    extent: &impl Fn(Index) -> i64,
) -> Option<Affine> {
    let mut sum = Affine::constant(a.constant);
    for (coefficient, atom) in &a.terms {
        let value = match atom {
            Atom::Index(index) => {
                let known = map.iter().find(|(old, _)| old == index);
                known.map_or_else(|| Affine::index(*index), |(_, new)| new.clone())
            }
            Atom::Div(a, by) => div(&substitute(a, map, extent)?, *by, extent)?,
            Atom::Mod(a, by) => rem(&substitute(a, map, extent)?, *by, extent)?,
            Atom::Clamp(a, low, high) => {
                clamp(&substitute(a, map, extent)?, (*low, *high), extent)?
            }
        };
        sum = add_scaled(&sum, &value, *coefficient)?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn i(n: u32) -> Affine {
        Affine::index(Index::from_u32(n))
    }

    fn eight(_: Index) -> i64 {
        8
    }

    #[test]
    fn quotients_take_out_what_divides() {
        let a = add_scaled(&i(1), &i(0), 8).expect("small");
        assert_eq!(div(&a, 8, &eight), Some(i(0)));
        assert_eq!(rem(&a, 8, &eight), Some(i(1)));
        assert_eq!(
            range(&div(&i(0), 3, &eight).expect("small"), &eight),
            Some((0, 2))
        );
    }

    #[test]
    fn correlated_terms_are_tried_out() {
        let down = div(&i(0), 3, &eight).expect("small");
        let a = add_scaled(&i(0), &down, -3).expect("small");
        assert_eq!(within(&a, 3, &eight), Within::Always);
        assert_eq!(within(&a, 2, &eight), Within::Reaches(2));
    }

    #[test]
    fn overflow_is_no_proof() {
        let a = scale(&i(0), i64::MAX).expect("fits");
        assert_eq!(within(&a, 8, &eight), Within::MayReach(i64::MAX));
        assert_eq!(scale(&a, 2), None);
    }
}

//! Proofs that an index stays inside its dimension for all sizes (language rule S2).
//!
//! The index is a polynomial in indices and sizes. Where it is linear in an index and the sign of its coefficient is
//! known, the extreme value is at an end of the index's range; what remains is a polynomial in sizes whose sign decides.

use crate::poly::{Atom, Poly, Sign, sign};

/// What can be said for all sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// In bounds.
    Inside,
    /// Out of bounds whatever the sizes; reaches this.
    Outside(Poly),
    /// Depends on the sizes, or was not understood.
    Open,
}

/// Decides whether `index` stays in `[0, size)`; `extent` gives the sizes of indices.
pub(crate) fn prove(index: &Poly, size: &Poly, extent: &impl Fn(u32) -> Poly) -> Proof {
    if index.is_poison() || size.is_poison() {
        return Proof::Inside;
    }
    let high = extreme(index, End::High, extent);
    let low = extreme(index, End::Low, extent);
    let room = high
        .as_ref()
        .map(|h| sign(&size.sub(&Poly::constant(1)).sub(&h.value)));
    let floor = low.as_ref().map(|l| sign(&l.value));
    match (room, floor, high, low) {
        (Some(Sign::NonNegative), Some(Sign::NonNegative), _, _) => Proof::Inside,
        (Some(Sign::Negative), _, Some(high), _) if high.attained => Proof::Outside(high.value),
        (_, Some(Sign::Negative), _, Some(low)) if low.attained => Proof::Outside(low.value),
        _ => Proof::Open,
    }
}

/// The least and the greatest value of an index in terms of sizes alone, if they are understood; safe bounds where the
/// index may not reach them.
pub(crate) fn ends(index: &Poly, extent: &impl Fn(u32) -> Poly) -> Option<(Poly, Poly)> {
    let low = extreme(index, End::Low, extent)?.value;
    let high = extreme(index, End::High, extent)?.value;
    (!low.is_poison() && !high.is_poison()).then_some((low, high))
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum End {
    Low,
    High,
}

impl End {
    fn opposite(self) -> End {
        match self {
            End::Low => End::High,
            End::High => End::Low,
        }
    }
}

/// A bound in sizes only, and whether some values of the indices reach it.
struct Extreme {
    value: Poly,
    attained: bool,
}

/// More atoms than any index expression that a person writes.
const MOST_STEPS: usize = 32;

fn extreme(index: &Poly, end: End, extent: &impl Fn(u32) -> Poly) -> Option<Extreme> {
    let mut value = index.clone();
    let mut attained = true;
    for _ in 0..MOST_STEPS {
        let Some(atom) = moving_atom(&value) else {
            return Some(Extreme { value, attained });
        };
        let (coefficient, rest) = linear(&value, &atom)?;
        let toward = match (sign(&coefficient), sign(&coefficient.scale(-1))) {
            (Sign::NonNegative, _) => end,
            (_, Sign::NonNegative) => end.opposite(),
            _ => return None,
        };
        let (bound, exact) = atom_extreme(&atom, toward, extent)?;
        // The same index elsewhere may not be able to reach its end at the same time.
        attained &= exact && matches!(atom, Atom::Index(_)) && !shares_indices(&atom, &rest);
        value = rest.add(&coefficient.mul(&bound));
    }
    None
}

/// Some atom that depends on an index; quotients first, because they hide indices.
fn moving_atom(value: &Poly) -> Option<Atom> {
    let depends = |atom: &Atom| match atom {
        Atom::Index(_) => true,
        Atom::Div(a, b) | Atom::Mod(a, b) => has_index(a) || has_index(b),
        Atom::Var(_) | Atom::Unknown(_) => false,
    };
    let atoms = || {
        value
            .terms()
            .flat_map(|(m, _)| m.iter())
            .filter(|a| depends(a))
    };
    atoms()
        .find(|a| !matches!(a, Atom::Index(_)))
        .or_else(|| atoms().next())
        .cloned()
}

fn has_index(p: &Poly) -> bool {
    p.any_atom(|a| matches!(a, Atom::Index(_)))
}

fn shares_indices(atom: &Atom, rest: &Poly) -> bool {
    rest.any_atom(|a| a == atom)
}

/// `value = coefficient · atom + rest`, if it is linear in the atom with a coefficient free of indices.
fn linear(value: &Poly, atom: &Atom) -> Option<(Poly, Poly)> {
    let (mut coefficient, mut rest) = (Poly::default(), Poly::default());
    for (monomial, number) in value.terms() {
        let others: Vec<&Atom> = monomial.iter().filter(|a| *a != atom).collect();
        let product = others.iter().fold(Poly::constant(number), |p, a| {
            p.mul(&Poly::atom((*a).clone()))
        });
        match monomial.len() - others.len() {
            0 => rest = rest.add(&product),
            1 => coefficient = coefficient.add(&product),
            _ => return None,
        }
    }
    (!has_index(&coefficient) && !coefficient.is_poison() && !rest.is_poison())
        .then_some((coefficient, rest))
}

fn atom_extreme(atom: &Atom, end: End, extent: &impl Fn(u32) -> Poly) -> Option<(Poly, bool)> {
    let one = Poly::constant(1);
    match (atom, end) {
        (Atom::Index(_), End::Low) => Some((Poly::default(), true)),
        (Atom::Index(i), End::High) => {
            let size = extent(*i);
            (!size.is_poison()).then(|| (size.sub(&one), true))
        }
        (Atom::Mod(_, b), End::High) => (!has_index(b)).then(|| (b.sub(&one), false)),
        (Atom::Mod(..), End::Low) => Some((Poly::default(), false)),
        (Atom::Div(a, b), end) if !has_index(b) => {
            let inner = extreme(a, end, extent)?.value;
            // floor((q·b - 1) / b) = q - 1.
            let floor = match (end, inner.add(&one).exact_div(b)) {
                (End::High, Some(quotient)) => quotient.sub(&one),
                _ => inner.div(b),
            };
            (!floor.is_poison()).then_some((floor, false))
        }
        (Atom::Div(..) | Atom::Var(_) | Atom::Unknown(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(i: u32) -> Poly {
        Poly::atom(Atom::Index(i))
    }

    /// Index 0 has extent `H·G`, index 1 extent `H`, index 2 extent 3; H and G are variables 0 and 1.
    fn extent(i: u32) -> Poly {
        match i {
            0 => Poly::var(0).mul(&Poly::var(1)),
            1 => Poly::var(0),
            _ => Poly::constant(3),
        }
    }

    #[test]
    fn grouped_heads_are_inside() {
        assert_eq!(
            prove(&index(0).div(&Poly::var(1)), &Poly::var(0), &extent),
            Proof::Inside
        );
        assert_eq!(
            prove(&index(0).rem(&Poly::var(1)), &Poly::var(1), &extent),
            Proof::Inside
        );
    }

    #[test]
    fn neighbours_are_outside_for_all_sizes() {
        let next = index(1).add(&Poly::constant(1));
        assert_eq!(
            prove(&next, &Poly::var(0), &extent),
            Proof::Outside(Poly::var(0))
        );
        let before = index(1).sub(&Poly::constant(1));
        assert_eq!(
            prove(&before, &Poly::var(0), &extent),
            Proof::Outside(Poly::constant(-1))
        );
    }

    #[test]
    fn flattened_indices_are_inside_and_windows_fit() {
        let flat = index(1).scale(3).add(&index(2));
        assert_eq!(prove(&flat, &Poly::var(0).scale(3), &extent), Proof::Inside);
        let window = index(1).add(&index(2));
        assert_eq!(
            prove(&window, &Poly::var(0).add(&Poly::constant(2)), &extent),
            Proof::Inside
        );
        assert_eq!(prove(&index(1), &Poly::var(1), &extent), Proof::Open);
    }
}

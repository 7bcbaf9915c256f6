//! Extents that inference has to find: unknowns, their values, and solving a declared dimension for a size variable.

use crate::poly::{Atom, Poly};

/// Values of unknown extents.
#[derive(Default)]
pub(crate) struct Unifier {
    bound: Vec<Option<Poly>>,
}

/// How two sizes compare.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unified {
    /// Equal, perhaps because an unknown now has a value.
    Same,
    /// Different for some sizes, and no unknown could change that.
    Different,
    /// Values of the sizes must decide.
    Later,
}

impl Unifier {
    /// A new unknown.
    pub(crate) fn fresh(&mut self) -> Poly {
        self.bound.push(None);
        Poly::atom(Atom::Unknown(
            u32::try_from(self.bound.len() - 1).unwrap_or(u32::MAX),
        ))
    }

    fn value(&self, atom: &Atom) -> Option<Poly> {
        match atom {
            Atom::Unknown(u) => self.bound.get(*u as usize).cloned().flatten(),
            Atom::Var(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => None,
        }
    }

    /// The size with all values filled in. A loop and not a recursion, because chains of unknowns may be long.
    pub(crate) fn resolve(&self, size: &Poly) -> Poly {
        let mut size = size.clone();
        while size.any_atom(|atom| self.value(atom).is_some()) {
            size = size.replace(&|atom| self.value(atom));
        }
        size
    }

    /// Makes two sizes equal if that is possible.
    pub(crate) fn unify(&mut self, a: &Poly, b: &Poly) -> Unified {
        let (a, b) = (self.resolve(a), self.resolve(b));
        if a == b {
            return Unified::Same;
        }
        for (unknown, value) in [(&a, &b), (&b, &a)] {
            let Some(u) = unknown.as_unknown() else {
                continue;
            };
            if !value.any_atom(|atom| *atom == Atom::Unknown(u)) {
                if let Some(slot) = self.bound.get_mut(u as usize) {
                    *slot = Some(value.clone());
                }
                return Unified::Same;
            }
        }
        if a.is_poison() || b.is_poison() {
            return Unified::Same;
        }
        let undecided = |p: &Poly| p.any_atom(|atom| !matches!(atom, Atom::Var(_)));
        if undecided(&a) || undecided(&b) {
            Unified::Later
        } else {
            Unified::Different
        }
    }
}

/// What a declared dimension says about the size variables that occur in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Solution {
    /// All its variables were known: this is its size.
    Known(Poly),
    /// It gives this variable this value.
    Gives(u32, Poly),
    /// It would give this variable a value, but the division by the rest leaves a remainder.
    Indivisible(u32),
    /// More than one variable is unknown, or one stands inside a quotient.
    Stuck,
}

/// Solves `declared = actual` for the one unknown variable of `declared` (language rule S3).
pub(crate) fn solve(
    declared: &Poly,
    actual: &Poly,
    known: &impl Fn(u32) -> Option<Poly>,
) -> Solution {
    let filled = declared.replace(&|atom| match atom {
        Atom::Var(v) => known(*v).map(|value| hide_vars(&value)),
        Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => None,
    });
    let mut open = Vec::new();
    filled.visit_atoms(&mut |atom| {
        if let Atom::Var(v) = atom {
            open.push(*v);
        }
    });
    open.dedup();
    let [var] = open.as_slice() else {
        return if open.is_empty() {
            Solution::Known(show_vars(&filled))
        } else {
            Solution::Stuck
        };
    };
    let is_var = |atom: &Atom| *atom == Atom::Var(*var);
    let (mut factor, mut rest) = (Poly::default(), Poly::default());
    for (monomial, coefficient) in filled.terms() {
        let product = |atoms: &[Atom]| {
            atoms.iter().fold(Poly::constant(coefficient), |p, a| {
                p.mul(&Poly::atom(a.clone()))
            })
        };
        let others: Vec<Atom> = monomial.iter().filter(|a| !is_var(a)).cloned().collect();
        match monomial.len() - others.len() {
            0 => rest = rest.add(&product(monomial)),
            1 => factor = factor.add(&product(&others)),
            _ => return Solution::Stuck,
        }
    }
    let inside = factor.any_atom(is_var) || rest.any_atom(is_var);
    if inside || factor.is_poison() || rest.is_poison() {
        return Solution::Stuck;
    }
    match actual.sub(&show_vars(&rest)).exact_div(&show_vars(&factor)) {
        Some(value) => Solution::Gives(*var, value),
        None => Solution::Indivisible(*var),
    }
}

/// Variables of the caller must not be taken for those of the callee while both stand in one polynomial.
const HIDDEN: u32 = 1 << 31;

fn hide_vars(size: &Poly) -> Poly {
    size.replace(&|atom| match atom {
        Atom::Var(v) => Some(Poly::atom(Atom::Index(v | HIDDEN))),
        Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => None,
    })
}

fn show_vars(size: &Poly) -> Poly {
    size.replace(&|atom| match atom {
        Atom::Index(v) if v & HIDDEN != 0 => Some(Poly::var(v & !HIDDEN)),
        Atom::Var(_) | Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => None,
    })
}

/// A size of the callee in the caller's terms.
pub(crate) fn substitute(size: &Poly, values: &[Poly]) -> Poly {
    size.replace(&|atom| match atom {
        Atom::Var(v) => Some(
            values
                .get(*v as usize)
                .cloned()
                .unwrap_or_else(Poly::poison),
        ),
        Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_with_one_unknown_gives_it() {
        let (h, g) = (Poly::var(0), Poly::var(1));
        let known = |v: u32| (v == 1).then(|| Poly::constant(4));
        assert_eq!(
            solve(&h.mul(&g), &Poly::constant(12), &known),
            Solution::Gives(0, Poly::constant(3))
        );
        assert_eq!(
            solve(&h.mul(&g), &Poly::constant(13), &known),
            Solution::Indivisible(0)
        );
        assert_eq!(
            solve(&h.mul(&g), &Poly::constant(12), &|_| None),
            Solution::Stuck
        );
        let both = |v: u32| Some(Poly::constant(i64::from(v) + 2));
        assert_eq!(
            solve(&h.mul(&g), &Poly::constant(1), &both),
            Solution::Known(Poly::constant(6))
        );
    }

    #[test]
    fn the_callers_variables_stay_apart() {
        // Callee H*G with G known as the caller's variable 0, against the caller's 0 * 5.
        let known = |v: u32| (v == 1).then(|| Poly::var(0));
        let actual = Poly::var(0).mul(&Poly::var(5));
        let declared = Poly::var(0).mul(&Poly::var(1));
        assert_eq!(
            solve(&declared, &actual, &known),
            Solution::Gives(0, Poly::var(5))
        );
    }

    #[test]
    fn unknowns_take_values_both_ways() {
        let mut u = Unifier::default();
        let (a, b) = (u.fresh(), u.fresh());
        assert_eq!(u.unify(&a, &b), Unified::Same);
        assert_eq!(u.unify(&b, &Poly::var(0)), Unified::Same);
        assert_eq!(u.resolve(&a), Poly::var(0));
        assert_eq!(u.unify(&a, &Poly::var(1)), Unified::Different);
        assert_eq!(
            u.unify(&a, &Poly::var(1).div(&Poly::constant(2))),
            Unified::Later
        );
    }
}

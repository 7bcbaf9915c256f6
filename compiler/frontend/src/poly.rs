//! Symbolic sizes: polynomials with integer coefficients, kept in normal form, so that equal sizes are equal values.
//!
//! Quotients and remainders are opaque atoms (language rule S3) except where they divide exactly. A polynomial that left
//! 64 bits or grew absurdly large is *poisoned*: it equals everything and says nothing; whoever made it reports it.
//!
//! Knows nothing of syntax, names or diagnostics.

use std::collections::BTreeMap;

/// What a polynomial is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Atom {
    /// A size variable of the item, by position in its signature.
    Var(u32),
    /// An extent that inference has to find.
    Unknown(u32),
    /// An index of the body; only while bounds are proved.
    Index(u32),
    /// `floor(a / b)`.
    Div(Box<Poly>, Box<Poly>),
    /// `a mod b`, never negative.
    Mod(Box<Poly>, Box<Poly>),
}

/// A product of atoms in ascending order; empty for the constant term.
type Monomial = Vec<Atom>;

/// A polynomial in normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Poly {
    /// Invariant: no coefficient is zero; empty if poisoned.
    terms: BTreeMap<Monomial, i64>,
    poisoned: bool,
}

/// Why a polynomial has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EvalError {
    /// A variable has no value.
    Unbound(Atom),
    /// The value leaves 64 bits.
    Overflow,
    /// A divisor is not positive.
    Divisor(i64),
}

/// More terms or factors than any size has that a person writes.
const MOST_TERMS: usize = 256;
const HIGHEST_DEGREE: usize = 16;

impl Poly {
    /// A constant.
    pub(crate) fn constant(value: i64) -> Poly {
        Poly::from_terms([(Vec::new(), value)])
    }

    /// One atom.
    pub(crate) fn atom(atom: Atom) -> Poly {
        Poly::from_terms([(vec![atom], 1)])
    }

    /// A size variable.
    pub(crate) fn var(var: u32) -> Poly {
        Poly::atom(Atom::Var(var))
    }

    /// What stands where an error was reported.
    pub(crate) fn poison() -> Poly {
        Poly {
            terms: BTreeMap::new(),
            poisoned: true,
        }
    }

    fn from_terms(terms: impl IntoIterator<Item = (Monomial, i64)>) -> Poly {
        let terms = terms.into_iter().filter(|(_, c)| *c != 0).collect();
        Poly {
            terms,
            poisoned: false,
        }
    }

    pub(crate) fn is_poison(&self) -> bool {
        self.poisoned
    }

    /// The value of a constant.
    pub(crate) fn as_constant(&self) -> Option<i64> {
        if self.poisoned {
            return None;
        }
        match self.terms.iter().next() {
            None => Some(0),
            Some((m, c)) if m.is_empty() && self.terms.len() == 1 => Some(*c),
            Some(_) => None,
        }
    }

    /// The atom, if this is exactly one.
    pub(crate) fn as_atom(&self) -> Option<&Atom> {
        let (monomial, coefficient) = self.single_term()?;
        match monomial.as_slice() {
            [atom] if coefficient == 1 => Some(atom),
            _ => None,
        }
    }

    /// The unknown, if this is exactly one.
    pub(crate) fn as_unknown(&self) -> Option<u32> {
        match self.as_atom()? {
            Atom::Unknown(u) => Some(*u),
            Atom::Var(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => None,
        }
    }

    fn single_term(&self) -> Option<(&Monomial, i64)> {
        let mut terms = self.terms.iter();
        match (terms.next(), terms.next()) {
            (Some((m, c)), None) => Some((m, *c)),
            _ => None,
        }
    }

    /// The terms in their fixed order.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (&[Atom], i64)> {
        self.terms.iter().map(|(m, c)| (m.as_slice(), *c))
    }

    pub(crate) fn add(&self, other: &Poly) -> Poly {
        if self.poisoned || other.poisoned {
            return Poly::poison();
        }
        let mut sum = self.clone();
        for (m, c) in &other.terms {
            if !sum.accumulate(m.clone(), *c) {
                return Poly::poison();
            }
        }
        sum
    }

    pub(crate) fn sub(&self, other: &Poly) -> Poly {
        self.add(&other.scale(-1))
    }

    pub(crate) fn scale(&self, factor: i64) -> Poly {
        self.mul(&Poly::constant(factor))
    }

    pub(crate) fn mul(&self, other: &Poly) -> Poly {
        if self.poisoned || other.poisoned {
            return Poly::poison();
        }
        let mut product = Poly::default();
        for (m, c) in &self.terms {
            for (n, d) in &other.terms {
                let Some(coefficient) = c.checked_mul(*d) else {
                    return Poly::poison();
                };
                let mut monomial = m.clone();
                monomial.extend(n.iter().cloned());
                monomial.sort();
                if monomial.len() > HIGHEST_DEGREE || !product.accumulate(monomial, coefficient) {
                    return Poly::poison();
                }
            }
        }
        product
    }

    /// Adds a term; false if the result is too large.
    fn accumulate(&mut self, monomial: Monomial, coefficient: i64) -> bool {
        let old = self.terms.get(&monomial).copied().unwrap_or(0);
        let Some(new) = old.checked_add(coefficient) else {
            return false;
        };
        if new == 0 {
            self.terms.remove(&monomial);
        } else {
            self.terms.insert(monomial, new);
        }
        self.terms.len() <= MOST_TERMS
    }

    /// `floor(self / by)` for a positive `by`; the terms that divide exactly are taken out.
    pub(crate) fn div(&self, by: &Poly) -> Poly {
        if self.poisoned || by.poisoned || by.as_constant().is_some_and(|b| b <= 0) {
            return Poly::poison();
        }
        if let (Some(a), Some(b)) = (self.as_constant(), by.as_constant()) {
            return Poly::constant(a.div_euclid(b));
        }
        let (whole, rest) = self.split(by);
        if rest.terms.is_empty() {
            return whole;
        }
        whole.add(&Poly::atom(Atom::Div(Box::new(rest), Box::new(by.clone()))))
    }

    /// `self mod by` for a positive `by`.
    pub(crate) fn rem(&self, by: &Poly) -> Poly {
        if self.poisoned || by.poisoned || by.as_constant().is_some_and(|b| b <= 0) {
            return Poly::poison();
        }
        if let (Some(a), Some(b)) = (self.as_constant(), by.as_constant()) {
            return Poly::constant(a.rem_euclid(b));
        }
        let (_, rest) = self.split(by);
        if rest.terms.is_empty() {
            return rest;
        }
        Poly::atom(Atom::Mod(Box::new(rest), Box::new(by.clone())))
    }

    /// `self / by` if every term divides exactly.
    pub(crate) fn exact_div(&self, by: &Poly) -> Option<Poly> {
        let (whole, rest) = self.split(by);
        (!self.poisoned && !by.poisoned && rest.terms.is_empty()).then_some(whole)
    }

    /// The quotient of the terms that one term `by` divides, and the other terms.
    fn split(&self, by: &Poly) -> (Poly, Poly) {
        if self == by && !self.terms.is_empty() {
            return (Poly::constant(1), Poly::default());
        }
        let Some((divisor, coefficient)) = by.single_term() else {
            return (Poly::default(), self.clone());
        };
        let (mut whole, mut rest) = (Poly::default(), Poly::default());
        for (m, c) in &self.terms {
            let quotient = without(m, divisor).filter(|_| c.checked_rem(coefficient) == Some(0));
            match (quotient, c.checked_div(coefficient)) {
                (Some(q), Some(d)) => whole.accumulate(q, d),
                _ => rest.accumulate(m.clone(), *c),
            };
        }
        (whole, rest)
    }

    /// Every atom, also those inside quotients, in order of first appearance in the terms.
    pub(crate) fn visit_atoms(&self, visit: &mut impl FnMut(&Atom)) {
        for atom in self.terms.keys().flatten() {
            visit(atom);
            if let Atom::Div(a, b) | Atom::Mod(a, b) = atom {
                a.visit_atoms(visit);
                b.visit_atoms(visit);
            }
        }
    }

    /// Whether some atom, also inside quotients, satisfies the predicate.
    pub(crate) fn any_atom(&self, mut test: impl FnMut(&Atom) -> bool) -> bool {
        let mut found = false;
        self.visit_atoms(&mut |atom| found |= test(atom));
        found
    }

    /// Replaces atoms; quotients are rebuilt.
    pub(crate) fn replace(&self, with: &impl Fn(&Atom) -> Option<Poly>) -> Poly {
        if self.poisoned {
            return Poly::poison();
        }
        let mut result = Poly::default();
        for (m, c) in &self.terms {
            let mut product = Poly::constant(*c);
            for atom in m {
                product = product.mul(&replace_atom(atom, with));
            }
            result = result.add(&product);
        }
        result
    }

    /// The value, in checked arithmetic.
    pub(crate) fn eval(&self, value: &impl Fn(&Atom) -> Option<i64>) -> Result<i64, EvalError> {
        let mut sum = 0i128;
        for (m, c) in &self.terms {
            let mut product = i128::from(*c);
            for atom in m {
                let factor = i128::from(eval_atom(atom, value)?);
                product = product.checked_mul(factor).ok_or(EvalError::Overflow)?;
            }
            sum = sum.checked_add(product).ok_or(EvalError::Overflow)?;
        }
        i64::try_from(sum).map_err(|_| EvalError::Overflow)
    }

    /// Writes the polynomial as a person would; `name` gives the words for variables, unknowns and indices.
    pub(crate) fn display(&self, name: &impl Fn(&Atom) -> String) -> String {
        if self.poisoned {
            return "?".to_owned();
        }
        let mut text = String::new();
        // Highest degree first, the constant last.
        let mut terms: Vec<_> = self.terms.iter().collect();
        terms.sort_by_key(|(m, _)| std::cmp::Reverse(m.len()));
        for (m, c) in terms {
            text.push_str(match (text.is_empty(), *c < 0) {
                (true, true) => "-",
                (true, false) => "",
                (false, true) => " - ",
                (false, false) => " + ",
            });
            let factors = m.iter().map(|atom| display_atom(atom, name));
            let number = c.unsigned_abs();
            let number = (number != 1 || m.is_empty()).then(|| number.to_string());
            text.push_str(
                &number
                    .into_iter()
                    .chain(factors)
                    .collect::<Vec<_>>()
                    .join("*"),
            );
        }
        if text.is_empty() {
            "0".to_owned()
        } else {
            text
        }
    }
}

/// The factors of `monomial` that remain after those of `divisor` are taken out.
fn without(monomial: &[Atom], divisor: &[Atom]) -> Option<Monomial> {
    let mut rest = monomial.to_vec();
    for atom in divisor {
        let at = rest.iter().position(|a| a == atom)?;
        rest.remove(at);
    }
    Some(rest)
}

fn replace_atom(atom: &Atom, with: &impl Fn(&Atom) -> Option<Poly>) -> Poly {
    if let Some(poly) = with(atom) {
        return poly;
    }
    match atom {
        Atom::Div(a, b) => a.replace(with).div(&b.replace(with)),
        Atom::Mod(a, b) => a.replace(with).rem(&b.replace(with)),
        Atom::Var(_) | Atom::Unknown(_) | Atom::Index(_) => Poly::atom(atom.clone()),
    }
}

fn eval_atom(atom: &Atom, value: &impl Fn(&Atom) -> Option<i64>) -> Result<i64, EvalError> {
    match atom {
        Atom::Var(_) | Atom::Unknown(_) | Atom::Index(_) => {
            value(atom).ok_or_else(|| EvalError::Unbound(atom.clone()))
        }
        Atom::Div(a, b) => {
            let (a, b) = (a.eval(value)?, b.eval(value)?);
            if b < 1 {
                Err(EvalError::Divisor(b))
            } else {
                Ok(a.div_euclid(b))
            }
        }
        Atom::Mod(a, b) => {
            let (a, b) = (a.eval(value)?, b.eval(value)?);
            if b < 1 {
                Err(EvalError::Divisor(b))
            } else {
                Ok(a.rem_euclid(b))
            }
        }
    }
}

fn display_atom(atom: &Atom, name: &impl Fn(&Atom) -> String) -> String {
    let operand = |p: &Poly| match p.single_term() {
        Some((m, c)) if m.len() + usize::from(c != 1) <= 1 => p.display(name),
        _ => format!("({})", p.display(name)),
    };
    match atom {
        Atom::Var(_) | Atom::Unknown(_) | Atom::Index(_) => name(atom),
        Atom::Div(a, b) => format!("({}/{})", operand(a), operand(b)),
        Atom::Mod(a, b) => format!("({}%{})", operand(a), operand(b)),
    }
}

/// What is known of the sign of a polynomial in sizes, each of which is at least 1.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// At least 0 for all sizes.
    NonNegative,
    /// Below 0 for all sizes.
    Negative,
    /// Neither is shown.
    Unknown,
}

/// Decides the sign by writing each size as one more than a non-negative number and looking at the coefficients.
pub(crate) fn sign(poly: &Poly) -> Sign {
    let shifted = poly.replace(&|atom| match atom {
        Atom::Var(_) | Atom::Unknown(_) => Some(Poly::atom(atom.clone()).add(&Poly::constant(1))),
        // A quotient or remainder of sizes is non-negative as it stands.
        Atom::Div(..) | Atom::Mod(..) => Some(Poly::atom(atom.clone())),
        Atom::Index(_) => None,
    });
    if shifted.is_poison() || poly.any_atom(|a| matches!(a, Atom::Index(_))) {
        return Sign::Unknown;
    }
    // A quotient whose dividend may be negative has no known sign.
    let doubtful = poly.terms.keys().flatten().any(|atom| match atom {
        Atom::Div(a, _) => sign(a) != Sign::NonNegative,
        Atom::Var(_) | Atom::Unknown(_) | Atom::Index(_) | Atom::Mod(..) => false,
    });
    let constant = shifted.terms.get(&Vec::new()).copied().unwrap_or(0);
    let all = |test: fn(i64) -> bool| shifted.terms.values().all(|c| test(*c));
    match (doubtful, all(|c| c >= 0), all(|c| c <= 0)) {
        (false, true, _) => Sign::NonNegative,
        (false, _, true) if constant < 0 => Sign::Negative,
        _ => Sign::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn var(v: u32) -> Poly {
        Poly::var(v)
    }

    fn n(value: i64) -> Poly {
        Poly::constant(value)
    }

    #[test]
    fn equal_sizes_are_equal_values() {
        let (h, g) = (var(0), var(1));
        assert_eq!(h.mul(&g).add(&n(1)).sub(&n(1)), g.mul(&h));
        assert_eq!(h.mul(&g).div(&g), h);
        assert_eq!(h.mul(&g).add(&n(3)).div(&n(1)), g.mul(&h).add(&n(3)));
        assert_eq!(h.scale(6).rem(&n(3)), n(0));
        assert_ne!(h.div(&n(2)).scale(2), h);
        assert_eq!(n(-1).div(&n(2)), n(-1));
    }

    #[test]
    fn overflow_and_growth_poison() {
        assert!(n(i64::MAX).add(&n(1)).is_poison());
        assert!(n(i64::MAX).mul(&var(0)).mul(&n(2)).is_poison());
        let mut p = var(0).add(&n(1));
        for _ in 0..40 {
            p = p.mul(&p.clone());
        }
        assert!(p.is_poison());
        assert!(n(3).div(&n(0)).is_poison());
    }

    #[test]
    fn signs_hold_for_all_sizes_from_one() {
        let (h, g) = (var(0), var(1));
        assert_eq!(sign(&h.sub(&n(1))), Sign::NonNegative);
        assert_eq!(sign(&h.sub(&n(2))), Sign::Unknown);
        assert_eq!(sign(&h.mul(&g).sub(&h)), Sign::NonNegative);
        assert_eq!(sign(&n(-1)), Sign::Negative);
        assert_eq!(sign(&h.scale(-1)), Sign::Negative);
        assert_eq!(sign(&h.sub(&g)), Sign::Unknown);
    }

    #[test]
    fn display_reads_like_source() {
        let name = |a: &Atom| if *a == Atom::Var(0) { "H" } else { "G" }.to_owned();
        let p = var(0).mul(&var(1)).scale(2).sub(&n(1));
        assert_eq!(p.display(&name), "2*H*G - 1");
        assert_eq!(var(0).div(&n(2)).add(&n(1)).display(&name), "(H/2) + 1");
        assert_eq!(n(0).display(&name), "0");
    }

    #[test]
    fn evaluation_is_checked() {
        let value = |a: &Atom| (*a == Atom::Var(0)).then_some(1 << 40);
        assert_eq!(var(0).mul(&var(0)).eval(&value), Err(EvalError::Overflow));
        assert_eq!(var(1).eval(&value), Err(EvalError::Unbound(Atom::Var(1))));
        assert_eq!(var(0).sub(&n(1)).eval(&value), Ok((1 << 40) - 1));
        assert_eq!(
            n(4).div(&var(0)).eval(&|_| Some(0)),
            Err(EvalError::Divisor(0))
        );
    }
}

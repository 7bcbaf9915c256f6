//! The same function under other numbers for its symbolic sizes.
//!
//! Owns the walk over everything that may hold a number; what numbers are is [`crate::symbols`]'s.

use super::{Affine, Atom, ExprKind, Func};
use crate::symbols::{Numbering, Symbols};

impl Func {
    /// The function under [`Numbering::Falling`]: what is made of it must be what is made of this one.
    pub fn renumbered(&self) -> Func {
        let names: Vec<String> = self.symbols.all.iter().map(|s| s.name.clone()).collect();
        let taken = |n: i64| self.holds_multiple(n);
        let mut symbols = Symbols::new(&names, Numbering::Falling, &taken);
        symbols.conditions.clone_from(&self.symbols.conditions);
        symbols.near = self.symbols.near;
        for (new, old) in symbols.all.iter_mut().zip(&self.symbols.all) {
            new.most = old.most;
        }
        let number = |n: &mut i64| *n = self.symbols.renumber(*n, &symbols);
        let mut func = self.clone();
        func.sizes.iter_mut().for_each(|(_, n)| number(n));
        for data in func.tensors.values_mut() {
            data.shape.iter_mut().for_each(number);
        }
        for data in func.indices.values_mut() {
            number(&mut data.extent);
        }
        for data in func.exprs.values_mut() {
            match &mut data.kind {
                ExprKind::Int(n) => number(n),
                ExprKind::Load { at, .. } | ExprKind::Gather { at, .. } => {
                    at.iter_mut().for_each(|a| affine(a, &number));
                }
                ExprKind::Float(_)
                | ExprKind::Index(_)
                | ExprKind::Unary(..)
                | ExprKind::Binary(..)
                | ExprKind::Compare(..)
                | ExprKind::Select(..)
                | ExprKind::Cast { .. }
                | ExprKind::Reduce(_) => {}
            }
        }
        func.symbols = symbols;
        func
    }

    /// Whether a constant of the function has this factor, or the number is in use.
    fn holds_multiple(&self, n: i64) -> bool {
        let used = self.symbols.all.iter().any(|symbol| symbol.number == n);
        used || self.exprs.values().any(|data| match &data.kind {
            ExprKind::Int(value) => *value != 0 && value % n == 0,
            ExprKind::Float(_)
            | ExprKind::Index(_)
            | ExprKind::Load { .. }
            | ExprKind::Gather { .. }
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Select(..)
            | ExprKind::Cast { .. }
            | ExprKind::Reduce(_) => false,
        })
    }
}

fn affine(a: &mut Affine, number: &dyn Fn(&mut i64)) {
    number(&mut a.constant);
    for (coefficient, atom) in &mut a.terms {
        number(coefficient);
        match atom {
            Atom::Index(_) => {}
            Atom::Div(a, by) | Atom::Mod(a, by) => {
                affine(a, number);
                number(by);
            }
            Atom::Clamp(a, low, high) => {
                affine(a, number);
                number(low);
                number(high);
            }
        }
    }
}

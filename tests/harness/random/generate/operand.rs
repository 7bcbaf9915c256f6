//! Operands: elements of parameters made for the purpose and of tensors that are there, at all kinds of places.

use isa::types::Elem;

use super::super::model::{At, Dim, Expr, Role};
use super::Gen;

/// Parameters from which on those that are there are used again.
const MANY_PARAMS: usize = 6;

impl Gen {
    /// A literal, small and exact in every type.
    pub(super) fn literal(&mut self, elem: Elem) -> Expr {
        if elem == Elem::Bool {
            return Expr::Int(elem, self.draw.between(0, 1));
        }
        if elem.is_float() {
            return Expr::Float(
                elem,
                self.draw
                    .of(&[0.0, 1.0, -1.0, 0.5, 2.0, -0.25, 3.0, 0.125, 10.0, 1e-3]),
            );
        }
        let least = if elem == Elem::U8 { 0 } else { -7 };
        Expr::Int(elem, self.draw.between(least, 100))
    }

    /// An operand of a type: an element that is there or of a new parameter.
    pub(super) fn operand(&mut self, elem: Elem) -> Expr {
        let there: Vec<usize> = (0..self.program.tensors.len())
            .filter(|&t| {
                self.program.tensors[t].elem == elem && self.program.tensors[t].dims.len() <= 4
            })
            .collect();
        let params = self
            .program
            .tensors
            .iter()
            .filter(|t| t.role == Role::Param)
            .count();
        let again = if params >= MANY_PARAMS { 95 } else { 45 };
        if !there.is_empty() && self.draw.chance(again) {
            // The latest ones more often: definitions should hang together.
            let first = if self.draw.chance(60) {
                there.len().saturating_sub(2)
            } else {
                0
            };
            let tensor = there[first + self.draw.below(there.len() - first)];
            return self.element(tensor);
        }
        if elem.is_float() && self.draw.chance(6) && there.len() > 1 {
            return self.gathered(elem);
        }
        let vars: Vec<usize> = self.some_of_scope();
        self.fresh(elem, &vars)
    }

    /// Some indices of the scope, most of them, now and then in another order.
    fn some_of_scope(&mut self) -> Vec<usize> {
        let mut vars: Vec<usize> = self.scope.clone();
        vars.retain(|_| self.draw.chance(82));
        vars.truncate(4);
        if self.draw.chance(22) {
            let order = self.draw.order(vars.len());
            vars = order.into_iter().map(|at| vars[at]).collect();
        }
        vars
    }

    /// A factor of a matrix product: a tensor that is there if it fits, else a new one with its dimensions in any order.
    pub(super) fn product_operand(&mut self, elem: Elem, vars: &[usize]) -> Expr {
        let mut vars = vars.to_vec();
        if self.draw.chance(40) {
            let order = self.draw.order(vars.len());
            vars = order.into_iter().map(|at| vars[at]).collect();
        }
        let dims: Vec<Dim> = vars
            .iter()
            .map(|&var| self.program.vars[var].clone())
            .collect();
        let fits = self
            .program
            .tensors
            .iter()
            .rposition(|t| t.elem == elem && t.dims == dims);
        match fits {
            Some(tensor) if self.draw.chance(60) => Expr::Load {
                tensor,
                at: vars.iter().map(|&var| At::index(var)).collect(),
                border: None,
            },
            Some(_) | None if self.draw.chance(80) => self.plain(elem, &vars),
            Some(_) | None => self.fresh(elem, &vars),
        }
    }

    /// A new parameter read at these indices as they are.
    fn plain(&mut self, elem: Elem, vars: &[usize]) -> Expr {
        let dims = vars
            .iter()
            .map(|&var| self.program.vars[var].clone())
            .collect();
        let tensor = self.tensor("a", elem, dims, Role::Param);
        Expr::Load {
            tensor,
            at: vars.iter().map(|&var| At::index(var)).collect(),
            border: None,
        }
    }

    /// A new parameter read at these indices, some of them shifted, strided, reversed or joined.
    pub(super) fn fresh(&mut self, elem: Elem, vars: &[usize]) -> Expr {
        let mut dims = Vec::new();
        let mut at = Vec::new();
        let mut border = None;
        let mut rest = vars.iter().copied();
        while let Some(var) = rest.next() {
            let dim = self.program.vars[var].clone();
            let (place, size) = match self.draw.below(26) {
                0 => {
                    let (by, more) = (self.draw.between(2, 3), self.draw.between(0, 1));
                    (
                        At::Sum(vec![(Dim::constant(by), var)], Dim::constant(more)),
                        dim.times(by),
                    )
                }
                1 => {
                    let (first, after) = (self.draw.between(1, 3), self.draw.between(0, 2));
                    (At::shifted(var, first), dim.plus(first + after))
                }
                2 => (At::Sum(vec![(Dim::constant(-1), var)], dim.plus(-1)), dim),
                3 => (At::Clamp(var, self.draw.between(-2, 2), dim.clone()), dim),
                4 => (At::Div(var, Dim::constant(self.draw.between(2, 3))), dim),
                5 => {
                    border = Some(Box::new(self.literal(elem)));
                    (At::shifted(var, self.draw.between(-3, 3)), dim)
                }
                6 => match rest.next() {
                    Some(next) => self.joined(var, next),
                    None => (At::index(var), dim),
                },
                7 => {
                    let by = Dim::constant(self.draw.between(1, 8));
                    (At::Mod(var, by.clone()), by)
                }
                _ => (At::index(var), dim),
            };
            at.push(place);
            dims.push(size);
        }
        let tensor = self.tensor("a", elem, dims, Role::Param);
        Expr::Load { tensor, at, border }
    }

    /// Two indices in one dimension: `i*N + j`.
    fn joined(&mut self, var: usize, next: usize) -> (At, Dim) {
        let (outer, inner) = (
            self.program.vars[var].clone(),
            self.program.vars[next].clone(),
        );
        match outer.product(&inner) {
            Some(dim) => (
                At::Sum(
                    vec![(inner, var), (Dim::constant(1), next)],
                    Dim::constant(0),
                ),
                dim,
            ),
            None => (At::index(var), outer),
        }
    }

    /// An element of a tensor that is there: plain where an index fits, else where it is in bounds by construction.
    pub(super) fn element(&mut self, tensor: usize) -> Expr {
        let dims = self.program.tensors[tensor].dims.clone();
        let elem = self.program.tensors[tensor].elem;
        let mut used: Vec<usize> = Vec::new();
        let mut border = None;
        let mut at = Vec::new();
        for dim in dims {
            let fits: Vec<usize> = self
                .scope
                .iter()
                .copied()
                .filter(|&var| self.program.vars[var] == dim)
                .collect();
            let unused: Vec<usize> = fits
                .iter()
                .copied()
                .filter(|var| !used.contains(var))
                .collect();
            let fits = if unused.is_empty() { fits } else { unused };
            if !fits.is_empty() && self.draw.chance(88) {
                let var = self.draw.of(&fits);
                used.push(var);
                at.push(At::index(var));
                continue;
            }
            at.push(self.somewhere(&dim, &mut border, elem));
        }
        Expr::Load { tensor, at, border }
    }

    /// A coordinate inside a dimension that no index fits.
    fn somewhere(&mut self, dim: &Dim, border: &mut Option<Box<Expr>>, elem: Elem) -> At {
        let single = dim.terms.len() <= 1;
        if self.scope.is_empty() || self.draw.chance(15) {
            return At::Sum(Vec::new(), Dim::constant(0));
        }
        let var = self.draw.of(&self.scope.clone());
        match self.draw.below(4) {
            0 if single => At::Mod(var, dim.clone()),
            1 => At::Clamp(var, self.draw.between(-2, 2), dim.clone()),
            2 | 3 => {
                border.get_or_insert_with(|| Box::new(self.literal(elem)));
                At::shifted(var, self.draw.between(-3, 3))
            }
            _ if self.draw.chance(50) => At::Sum(Vec::new(), dim.plus(-1)),
            _ => At::Sum(Vec::new(), Dim::constant(0)),
        }
    }

    /// An element that data chooses: in range by a remainder, or with a border.
    fn gathered(&mut self, elem: Elem) -> Expr {
        let mut vars = self.some_of_scope();
        vars.truncate(2);
        let count = Dim::size(self.draw.below(self.program.sizes.len()));
        let rest = vars.pop();
        let mut dims = vec![count.clone()];
        dims.extend(rest.map(|var| self.program.vars[var].clone()));
        let tensor = self.tensor("a", elem, dims, Role::Param);
        let place = self.plain(Elem::I32, &vars);
        let at = rest.map(At::index).into_iter().collect();
        let limit = Expr::Cast(
            Box::new(Expr::Place(At::Sum(Vec::new(), count))),
            Elem::I32,
            "",
        );
        let inside = Expr::Binary(
            "%",
            Box::new(Expr::Call("abs", vec![place.clone()])),
            Box::new(limit),
        );
        match self.draw.chance(30) {
            true => Expr::Gather {
                tensor,
                place: Box::new(place),
                at,
                border: Some(Box::new(self.literal(elem))),
            },
            false => Expr::Gather {
                tensor,
                place: Box::new(inside),
                at,
                border: None,
            },
        }
    }
}

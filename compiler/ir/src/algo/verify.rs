//! Checks every invariant that the algorithm IR's documentation states.
//!
//! - Each tensor that is not a parameter is defined exactly once, by a total definition, before any use; parameters and
//!   results are listed once and have their role.
//! - Every extent is at least 1 and every tensor's bytes are countable.
//! - An index is bound by one definition or one reduction and used only inside it.
//! - Operands precede their users and have the types that the node demands.
//! - Constants are representable in their type; divisors in index expressions are positive.
//! - An access without border is in bounds for all values of its indices (`bounds` proves it).
//! - Expressions nest at most [`MAX_DEPTH`] deep, so that recursive consumers are safe.
//!
//! The front end promises these; passes and tests check them. Messages are for developers, not users.

mod bounds;
#[cfg(test)]
mod tests;
mod types;

use super::data::element_count;
use super::facts::Facts;
use super::{Affine, Atom, Def, Expr, ExprKind, Func, Index, Role, Tensor};

/// The greatest depth of an expression.
pub const MAX_DEPTH: usize = 1000;

/// Checks a function; the problems are in the order of the tables, then of the definitions.
pub fn verify(func: &Func) -> Result<(), Vec<String>> {
    let mut problems = Vec::new();
    check_tables(func, &mut problems);
    if problems.is_empty() {
        check_exprs(func, &mut problems);
    }
    if problems.is_empty() {
        check_defs(func, &mut problems);
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

type Problems = Vec<String>;

fn check_tables(func: &Func, problems: &mut Problems) {
    for (tensor, data) in func.tensors.iter() {
        let bytes = element_count(&data.shape)
            .and_then(|count| count.checked_mul(data.elem.bytes() as usize))
            .filter(|&bytes| isize::try_from(bytes).is_ok());
        if bytes.is_none() {
            problems.push(format!("{tensor} `{}` has an impossible shape", data.name));
        }
    }
    for (index, data) in func.indices.iter() {
        if data.extent < 1 {
            problems.push(format!(
                "{index} `{}` has extent {}",
                data.name, data.extent
            ));
        }
    }
    check_list(func, &func.params, Role::Param, "parameter", problems);
    check_list(func, &func.results, Role::Result, "result", problems);
}

/// A signature's list holds each tensor of the role once and no other.
fn check_list(func: &Func, list: &[Tensor], role: Role, word: &str, problems: &mut Problems) {
    let mut listed = vec![0; func.tensors.len()];
    for &tensor in list {
        match listed.get_mut(tensor.as_u32() as usize) {
            Some(times) => *times += 1,
            None => problems.push(format!(
                "the list of {word}s names {tensor}, which does not exist"
            )),
        }
    }
    for ((tensor, data), times) in func.tensors.iter().zip(listed) {
        if times != i32::from(data.role == role) {
            problems.push(format!(
                "{tensor} `{}` is listed {times} times as {word}",
                data.name
            ));
        }
    }
}

/// What can be said of a node without knowing where it is used.
fn check_exprs(func: &Func, problems: &mut Problems) {
    let mut depths = Vec::with_capacity(func.exprs.len());
    for (expr, data) in func.exprs.iter() {
        if data.kind.operands().any(|operand| operand >= expr) {
            problems.push(format!("{expr} has an operand that does not precede it"));
            return;
        }
        let deepest = data
            .kind
            .operands()
            .map(|o| depths[o.as_u32() as usize])
            .max();
        let depth: usize = deepest.map_or(1, |d: usize| d + 1);
        depths.push(depth);
        if depth > MAX_DEPTH {
            problems.push(format!("{expr} nests {depth} deep, more than {MAX_DEPTH}"));
            return;
        }
        if let Err(problem) = check_entities(func, expr).and_then(|()| types::check(func, expr)) {
            problems.push(format!("{expr}: {problem}"));
        }
    }
}

/// Every tensor and index that a node names exists, and index expressions are well formed.
fn check_entities(func: &Func, expr: Expr) -> Result<(), String> {
    match &func.exprs[expr].kind {
        ExprKind::Index(index) => check_index(func, *index),
        ExprKind::Load { tensor, at, .. } | ExprKind::Gather { tensor, at, .. } => {
            let Some(data) = func.tensors.get(*tensor) else {
                return Err(format!("{tensor} does not exist"));
            };
            if at.len() != data.shape.len() {
                let (given, rank) = (at.len(), data.shape.len());
                return Err(format!(
                    "`{}` of rank {rank} has {given} coordinates",
                    data.name
                ));
            }
            if let ExprKind::Gather { dim, .. } = &func.exprs[expr].kind
                && *dim >= at.len()
            {
                return Err(format!("`{}` has no dimension {dim}", data.name));
            }
            at.iter().try_for_each(|affine| check_affine(func, affine))
        }
        ExprKind::Reduce(reduce) => {
            if reduce.axes.is_empty() {
                return Err("a reduction binds no index".into());
            }
            let extents = reduce.axes.iter().map(|&axis| {
                check_index(func, axis)?;
                Ok(func.indices[axis].extent)
            });
            let extents: Vec<i64> = extents.collect::<Result<_, String>>()?;
            element_count(&extents)
                .map(|_| ())
                .ok_or_else(|| "too many items".to_string())
        }
        ExprKind::Float(_)
        | ExprKind::Int(_)
        | ExprKind::Unary(..)
        | ExprKind::Binary(..)
        | ExprKind::Compare(..)
        | ExprKind::Select(..)
        | ExprKind::Cast { .. } => Ok(()),
    }
}

fn check_index(func: &Func, index: Index) -> Result<(), String> {
    match func.indices.is_valid(index) {
        true => Ok(()),
        false => Err(format!("{index} does not exist")),
    }
}

fn check_affine(func: &Func, affine: &Affine) -> Result<(), String> {
    for (coefficient, atom) in &affine.terms {
        if *coefficient == 0 {
            return Err("an index expression has a term with coefficient 0".into());
        }
        match atom {
            Atom::Index(index) => check_index(func, *index)?,
            Atom::Div(_, by) | Atom::Mod(_, by) if *by < 1 => {
                return Err(format!("an index expression divides by {by}"));
            }
            Atom::Clamp(_, low, high) if low > high => {
                return Err(format!("an index expression clamps to {low}..{high}"));
            }
            Atom::Div(inner, _) | Atom::Mod(inner, _) | Atom::Clamp(inner, _, _) => {
                check_affine(func, inner)?;
            }
        }
    }
    Ok(())
}

/// Scopes, order of definitions, and bounds.
fn check_defs(func: &Func, problems: &mut Problems) {
    let facts = Facts::new(func);
    let mut walk = Walk {
        func,
        defined: func
            .tensors
            .values()
            .map(|data| data.role == Role::Param)
            .collect(),
        binder: vec![None; func.indices.len()],
        problems,
    };
    for (position, def) in func.defs.iter().enumerate() {
        if walk.check_left_side(position, def) {
            walk.check_scope(facts.free(def.value), def);
            for expr in func.reachable(def.value) {
                walk.check_node(expr);
            }
            walk.defined[def.target.as_u32() as usize] = true;
        }
    }
    for (tensor, data) in func.tensors.iter() {
        if !walk.defined[tensor.as_u32() as usize] {
            walk.problems
                .push(format!("{tensor} `{}` is never defined", data.name));
        }
    }
}

/// What binds an index: the definition at a position of the list, or a reduction.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Binder {
    Def(usize),
    Reduction(Expr),
}

struct Walk<'a> {
    func: &'a Func,
    defined: Vec<bool>,
    binder: Vec<Option<Binder>>,
    problems: &'a mut Problems,
}

impl Walk<'_> {
    /// Whether target, indices and value exist and fit, so that the rest can be looked at.
    fn check_left_side(&mut self, position: usize, def: &Def) -> bool {
        let (target, value) = (
            self.func.tensors.get(def.target),
            self.func.exprs.get(def.value),
        );
        let (Some(target), Some(value)) = (target, value) else {
            self.problems.push(format!(
                "definition {position} lacks its target or its value"
            ));
            return false;
        };
        if self.defined[def.target.as_u32() as usize] {
            self.problems.push(format!(
                "{} `{}` is defined already",
                def.target, target.name
            ));
        }
        let extents = def
            .indices
            .iter()
            .map(|&i| self.func.indices.get(i).map(|d| d.extent));
        if !extents.eq(target.shape.iter().map(|&extent| Some(extent))) {
            self.problems.push(format!(
                "the indices of `{}` do not match its shape",
                target.name
            ));
            return false;
        }
        if value.elem != target.elem {
            let (name, elem) = (&target.name, target.elem);
            self.problems.push(format!(
                "`{name}` is {elem} but its value is {}",
                value.elem
            ));
        }
        for &index in &def.indices {
            let distinct = def.indices.iter().filter(|&&other| other == index).count() == 1;
            self.bind(index, Binder::Def(position), distinct);
        }
        true
    }

    /// Every index of the value is bound on the left or by the reduction around its use.
    fn check_scope(&mut self, free: &[Index], def: &Def) {
        for index in free {
            if !def.indices.contains(index) {
                let name = &self.func.indices[*index].name;
                let target = &self.func.tensors[def.target].name;
                self.problems.push(format!(
                    "`{target}` uses {index} `{name}` outside the scope of the index"
                ));
            }
        }
    }

    fn check_node(&mut self, expr: Expr) {
        match &self.func.exprs[expr].kind {
            ExprKind::Load { tensor, at, border } => {
                self.check_load(expr, *tensor, (None, at), border.is_none());
            }
            ExprKind::Gather {
                tensor,
                dim,
                at,
                border,
                ..
            } => {
                self.check_load(expr, *tensor, (Some(*dim), at), border.is_none());
            }
            ExprKind::Reduce(reduce) => {
                for &axis in &reduce.axes {
                    let distinct = reduce.axes.iter().filter(|&&other| other == axis).count() == 1;
                    self.bind(axis, Binder::Reduction(expr), distinct);
                }
            }
            ExprKind::Float(_)
            | ExprKind::Int(_)
            | ExprKind::Index(_)
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Select(..)
            | ExprKind::Cast { .. } => {}
        }
    }

    fn bind(&mut self, index: Index, binder: Binder, distinct: bool) {
        let earlier = self.binder[index.as_u32() as usize].replace(binder);
        if !distinct || earlier.is_some_and(|earlier| earlier != binder) {
            let name = &self.func.indices[index].name;
            self.problems
                .push(format!("{index} `{name}` is bound twice"));
        }
    }

    fn check_load(
        &mut self,
        expr: Expr,
        tensor: Tensor,
        (from_data, at): (Option<usize>, &[Affine]),
        must_fit: bool,
    ) {
        let data = &self.func.tensors[tensor];
        if !self.defined[tensor.as_u32() as usize] {
            let name = &data.name;
            self.problems.push(format!(
                "{expr} reads {tensor} `{name}` before its definition"
            ));
        }
        for (dimension, (affine, &extent)) in at.iter().zip(&data.shape).enumerate() {
            if bounds::interval(self.func, affine).is_none() {
                self.problems
                    .push(format!("{expr}: coordinate {dimension} may overflow"));
            } else if must_fit
                && from_data != Some(dimension)
                && !bounds::stays_within(self.func, affine, extent)
            {
                let name = &data.name;
                self.problems.push(format!(
                    "{expr}: coordinate {dimension} of `{name}` may leave 0..{extent}"
                ));
            }
        }
    }
}

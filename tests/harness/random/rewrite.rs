//! Other programs of the same meaning, to the bit: operands commuted and tensors transposed; definitions and parameters
//! cut in two and put together again.
//!
//! The items of a reduction and their order stay as they are, and so do the two factors of its product: they fix bits.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a walk looks for one kind of node among many"
)]

use super::draw::Draw;
use super::model::{At, Def, Dim, Expr, Origin, Program, Role, Tensor};

/// Operands of commutative operators change places, comparisons turn round, and tensors get their dimensions in another
/// order.
pub(crate) fn turned(program: &Program, seed: u64) -> Program {
    let mut draw = Draw::new(seed);
    let mut turned = program.clone();
    for def in &mut turned.defs {
        if let Def::Equation { parts, .. } = def {
            for (_, value) in parts {
                value.change(&mut |e| commute(e, &mut draw));
            }
        }
    }
    for tensor in 0..turned.tensors.len() {
        let rank = turned.tensors[tensor].dims.len();
        if rank >= 2 && !in_statement(&turned, tensor) && draw.chance(65) {
            let order = draw.order(rank);
            transpose(&mut turned, tensor, &order);
        }
    }
    turned
}

fn commute(e: &mut Expr, draw: &mut Draw) {
    if draw.chance(35) {
        return;
    }
    match e {
        Expr::Binary(op, a, b) => {
            let other = match *op {
                "+" | "*" | "==" | "!=" | "&&" | "||" => *op,
                "<" => ">",
                ">" => "<",
                "<=" => ">=",
                ">=" => "<=",
                _ => return,
            };
            *op = other;
            std::mem::swap(a, b);
        }
        Expr::Call("max" | "min" | "bit_and" | "bit_or" | "bit_xor", operands) => {
            operands.reverse()
        }
        _ => {}
    }
}

/// Whether a statement that stands as text names it.
fn in_statement(program: &Program, tensor: usize) -> bool {
    let named = |def: &Def| match def {
        Def::Statement { targets, uses, .. } => targets.contains(&tensor) || uses.contains(&tensor),
        Def::Equation { .. } => false,
    };
    program.defs.iter().any(named)
}

/// Puts a tensor's dimensions in another order, everywhere.
fn transpose(program: &mut Program, tensor: usize, order: &[usize]) {
    // A gather names the first dimension by its form.
    if program.defs.iter().any(|def| gathers(def, tensor)) {
        return;
    }
    let data = &mut program.tensors[tensor];
    data.dims = order.iter().map(|&d| data.dims[d].clone()).collect();
    data.origin.order = order.to_vec();
    for def in &mut program.defs {
        let Def::Equation { target, parts } = def else {
            continue;
        };
        for (left, value) in parts {
            if *target == tensor {
                *left = order.iter().map(|&d| left[d].clone()).collect();
            }
            value.change(&mut |e| match e {
                Expr::Load {
                    tensor: read, at, ..
                } if *read == tensor => {
                    *at = order.iter().map(|&d| at[d].clone()).collect();
                }
                _ => {}
            });
        }
    }
}

fn gathers(def: &Def, tensor: usize) -> bool {
    let Def::Equation { parts, .. } = def else {
        return false;
    };
    let mut found = false;
    for (_, value) in parts {
        value.visit(&mut |e| {
            found |= matches!(e, Expr::Gather { tensor: read, .. } if *read == tensor)
        });
    }
    found
}

/// Some definitions are computed in two parts along a dimension and put together, and so are some parameters.
pub(crate) fn cut(program: &Program, seed: u64) -> Program {
    let mut draw = Draw::new(seed);
    let mut cut = program.clone();
    cut.defs.clear();
    for tensor in 0..program.tensors.len() {
        if program.tensors[tensor].role == Role::Param
            && !in_statement(program, tensor)
            && draw.chance(30)
        {
            cut_parameter(&mut cut, tensor, &mut draw);
        }
    }
    for def in &program.defs {
        match cut_definition(&mut cut, def, &mut draw) {
            Some(pieces) => cut.defs.extend(pieces),
            None => cut.defs.push(def.clone()),
        }
    }
    cut
}

/// A dimension and a place inside it; none if all are too short.
fn place_to_cut(program: &Program, tensor: usize, draw: &mut Draw) -> Option<(usize, i64)> {
    let dims = &program.tensors[tensor].dims;
    let long: Vec<usize> = (0..dims.len())
        .filter(|&d| dims[d].value(&program.sizes) >= 2)
        .collect();
    if long.is_empty() {
        return None;
    }
    let dim = draw.of(&long);
    Some((dim, draw.between(1, dims[dim].value(&program.sizes) - 1)))
}

/// Two parameters in place of one, and a definition that puts them together.
fn cut_parameter(program: &mut Program, tensor: usize, draw: &mut Draw) {
    let Some((dim, at)) = place_to_cut(program, tensor, draw) else {
        return;
    };
    let halves = halves(program, tensor, (dim, at), Role::Param);
    program.tensors[tensor].role = Role::Let;
    let put = together(program, tensor, halves, (dim, at), true);
    program.defs.push(put);
}

/// New tensors for the two parts of one.
fn halves(program: &mut Program, tensor: usize, (dim, at): (usize, i64), role: Role) -> [usize; 2] {
    let whole = program.tensors[tensor].clone();
    let add = |letter: &str, extent: Dim, first: i64, program: &mut Program| {
        let mut dims = whole.dims.clone();
        dims[dim] = extent;
        let origin = Origin {
            name: whole.origin.name.clone(),
            order: Vec::new(),
            part: Some((dim, first)),
        };
        let name = format!("{}{letter}", whole.name);
        program.tensors.push(Tensor {
            name,
            elem: whole.elem,
            dims,
            role,
            origin,
        });
        program.tensors.len() - 1
    };
    let first = add("lo", Dim::constant(at), 0, program);
    let second = add("hi", whole.dims[dim].plus(-at), at, program);
    [first, second]
}

fn fresh_vars(program: &mut Program, tensor: usize) -> Vec<usize> {
    let dims = program.tensors[tensor].dims.clone();
    let first = program.vars.len();
    program.vars.extend(dims);
    (first..program.vars.len()).collect()
}

/// Puts two parts together: by parts of a result, or by a choice with borders.
fn together(
    program: &mut Program,
    target: usize,
    halves: [usize; 2],
    (dim, at): (usize, i64),
    choose: bool,
) -> Def {
    let load = |tensor: usize, vars: &[usize], shift: i64, border: Option<Expr>| {
        let place = |(d, &var): (usize, &usize)| At::shifted(var, if d == dim { shift } else { 0 });
        let at = vars.iter().enumerate().map(place).collect();
        Expr::Load {
            tensor,
            at,
            border: border.map(Box::new),
        }
    };
    if choose {
        let vars = fresh_vars(program, target);
        let elem = program.tensors[target].elem;
        let zero = if elem.is_float() {
            Expr::Float(elem, 0.0)
        } else {
            Expr::Int(elem, 0)
        };
        let split = Expr::Place(At::Sum(Vec::new(), Dim::constant(at)));
        let low = Expr::Binary(
            "<",
            Box::new(Expr::Place(At::index(vars[dim]))),
            Box::new(split),
        );
        let [a, b] = [(halves[0], 0), (halves[1], -at)]
            .map(|(half, shift)| load(half, &vars, shift, Some(zero.clone())));
        let left = vars.iter().map(|&var| At::index(var)).collect();
        let value = Expr::If(Box::new(low), Box::new(a), Box::new(b));
        return Def::Equation {
            target,
            parts: vec![(left, value)],
        };
    }
    let parts = [(halves[0], 0), (halves[1], at)].map(|(half, shift)| {
        let vars = fresh_vars(program, half);
        let place = |(d, &var): (usize, &usize)| At::shifted(var, if d == dim { shift } else { 0 });
        let left = vars.iter().enumerate().map(place).collect();
        (left, load(half, &vars, 0, None))
    });
    Def::Equation {
        target,
        parts: parts.into(),
    }
}

/// The two parts of a definition and what puts them together.
fn cut_definition(program: &mut Program, def: &Def, draw: &mut Draw) -> Option<Vec<Def>> {
    let Def::Equation { target, parts } = def else {
        return None;
    };
    let (left, value) = parts.first().filter(|_| parts.len() == 1)?;
    if draw.chance(35) || scans(value) {
        return None;
    }
    let (dim, at) = place_to_cut(program, *target, draw)?;
    let var = left[dim].alone()?;
    if !shifts(value, var) {
        return None;
    }
    let halves = halves(program, *target, (dim, at), Role::Let);
    let mut all = Vec::new();
    for (half, shift) in halves.into_iter().zip([0, at]) {
        let extent = program.tensors[half].dims[dim].clone();
        program.vars.push(extent);
        let new = program.vars.len() - 1;
        let mut value = value.clone();
        value.change_places(&mut |place| shift_place(place, var, new, shift));
        let mut left = left.clone();
        left[dim] = At::index(new);
        all.push(Def::Equation {
            target: half,
            parts: vec![(left, value)],
        });
    }
    // Parts are for results; an intermediate is chosen by its index.
    let choose = program.tensors[*target].role != Role::Result || draw.chance(30);
    all.push(together(program, *target, halves, (dim, at), choose));
    Some(all)
}

fn scans(value: &Expr) -> bool {
    let mut found = false;
    value.visit(&mut |e| found |= matches!(e, Expr::Scan { .. }));
    found
}

/// Whether every place of an index can be moved by a number.
fn shifts(value: &Expr, var: usize) -> bool {
    let fits = |at: &At| match at {
        At::Sum(..) | At::Clamp(..) => true,
        At::Div(of, _) | At::Mod(of, _) => *of != var,
    };
    let mut all = true;
    value.visit(&mut |e| match e {
        Expr::Load { at, .. } | Expr::Gather { at, .. } => all &= at.iter().all(fits),
        Expr::Place(at) => all &= fits(at),
        _ => {}
    });
    all
}

/// `var` becomes `new + shift`.
fn shift_place(place: &mut At, var: usize, new: usize, shift: i64) {
    match place {
        At::Sum(terms, add) => {
            let moved: Vec<Dim> = terms
                .iter()
                .filter(|(_, of)| *of == var)
                .map(|(factor, _)| factor.times(shift))
                .collect();
            for dim in moved {
                add.add += dim.add;
                add.terms
                    .extend(dim.terms.into_iter().filter(|(factor, _)| *factor != 0));
            }
            for (_, of) in terms.iter_mut().filter(|(_, of)| *of == var) {
                *of = new;
            }
            if shift == 0 && terms.iter().any(|(_, of)| *of == new) {
                // `i + 0`: an index that stands alone would get the extent of the whole dimension.
                terms.push((Dim::constant(0), new));
            }
        }
        At::Clamp(of, by, _) if *of == var => {
            *of = new;
            *by += shift;
        }
        At::Div(..) | At::Mod(..) | At::Clamp(..) => {}
    }
}

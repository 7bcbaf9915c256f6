//! Makes a failing program smaller while it fails in the same way: drops definitions, puts parameters for intermediates,
//! shrinks sizes, simplifies expressions.

use super::check::{Verdict, check};
use super::model::{At, Def, Dim, Expr, Origin, Program, Role, Tensor};

/// Programs that are tried at most.
const TRIALS: usize = 1500;

/// The smallest program that was found to fail in this way.
pub(crate) fn minimise(program: &Program, seed: u64, kind: &str) -> Program {
    let mut best = program.clone();
    let mut trials = 0;
    let fails = |smaller: &Program| matches!(check(smaller, seed), Verdict::Fails(found, _) if found == kind);
    let mut changed = true;
    while changed && trials < TRIALS {
        changed = false;
        for step in [definitions, parameters, sizes, expressions, orders] {
            let mut number = 0;
            while let Some(mut smaller) = step(&best, number) {
                clean(&mut smaller);
                trials += 1;
                if trials > TRIALS {
                    return best;
                }
                if fails(&smaller) {
                    best = smaller;
                    changed = true;
                } else {
                    number += 1;
                }
            }
        }
    }
    best
}

/// Without one definition whose targets nothing reads, if another result is left.
fn definitions(program: &Program, number: usize) -> Option<Program> {
    let read: Vec<usize> = program.defs.iter().flat_map(Def::reads).collect();
    let free = |def: &Def| def.targets().iter().all(|target| !read.contains(target));
    let free: Vec<usize> = (0..program.defs.len())
        .filter(|&d| free(&program.defs[d]))
        .collect();
    if free.len() < 2 {
        return None;
    }
    let mut smaller = program.clone();
    smaller.defs.remove(*free.get(number)?);
    Some(smaller)
}

/// A parameter in place of an intermediate.
fn parameters(program: &Program, number: usize) -> Option<Program> {
    let plain = |def: &Def| match def.targets() {
        [target] => program.tensors[*target].role == Role::Let,
        _ => false,
    };
    let place = (0..program.defs.len())
        .filter(|&d| plain(&program.defs[d]))
        .nth(number)?;
    let mut smaller = program.clone();
    let def = smaller.defs.remove(place);
    smaller.tensors[def.targets()[0]].role = Role::Param;
    Some(smaller)
}

/// One size smaller.
fn sizes(program: &Program, number: usize) -> Option<Program> {
    let (size, how) = (number / 5, number % 5);
    let now = *program.sizes.get(size)?;
    let mut smaller = program.clone();
    smaller.sizes[size] = match how {
        0 => 1,
        1 => 2,
        2 => now / 2,
        3 => now - 8,
        _ => now - 1,
    }
    .clamp(1, now);
    if smaller.sizes[size] == now {
        // Not smaller; the unchanged program would be taken for a success forever.
        return sizes(program, number + 1);
    }
    Some(smaller)
}

/// One node replaced by something simpler.
fn expressions(program: &Program, number: usize) -> Option<Program> {
    let mut left = number;
    for (d, def) in program.defs.iter().enumerate() {
        let Def::Equation { parts, .. } = def else {
            continue;
        };
        for (p, (_, value)) in parts.iter().enumerate() {
            let mut nodes = 0;
            value.visit(&mut |_| nodes += 1);
            for node in 0..nodes {
                let choices = simpler(program, nth(value, node));
                if left < choices.len() {
                    let mut smaller = program.clone();
                    let Def::Equation { parts, .. } = &mut smaller.defs[d] else {
                        return None;
                    };
                    replace(&mut parts[p].1, node, choices.into_iter().nth(left)?);
                    return Some(smaller);
                }
                left -= choices.len();
            }
        }
    }
    None
}

/// The node of a number, outermost first.
fn nth(value: &Expr, number: usize) -> &Expr {
    let mut seen = 0;
    let mut found = value;
    value.visit(&mut |e| {
        if seen == number {
            found = e;
        }
        seen += 1;
    });
    found
}

fn replace(value: &mut Expr, number: usize, with: Expr) {
    fn go(e: &mut Expr, left: &mut usize, with: &mut Option<Expr>) {
        if *left == 0 {
            if let Some(with) = with.take() {
                *e = with;
            }
            return;
        }
        *left -= 1;
        for child in e.children_mut() {
            go(child, left, with);
            if with.is_none() {
                return;
            }
        }
    }
    go(value, &mut number.clone(), &mut Some(with));
}

/// What a node could be instead, of the same type.
fn simpler(program: &Program, e: &Expr) -> Vec<Expr> {
    let elem = e.elem(program);
    let mut all: Vec<Expr> = Vec::new();
    if e.is_literal() {
        return all;
    }
    for child in e.children() {
        if child.elem(program) == elem
            && !child.is_literal()
            && !matches!(e, Expr::Reduce { .. } | Expr::Scan { .. })
        {
            all.push(child.clone());
        }
    }
    match e {
        Expr::Reduce {
            op,
            axes,
            mask,
            order,
            body,
        } => {
            let with = |mask: &Option<Box<Expr>>, order: &Option<&'static str>| Expr::Reduce {
                op,
                axes: axes.clone(),
                mask: mask.clone(),
                order: *order,
                body: body.clone(),
            };
            if mask.is_some() {
                all.push(with(&None, order));
            }
            if order.is_some() {
                all.push(with(mask, &None));
            }
        }
        Expr::Load { tensor, at, border } => {
            if border.is_none() && at.iter().all(|at| at.alone().is_some()) {
                return all;
            }
            // A parameter of the right shape cannot be made here; the first place of each coordinate always fits.
            let first = at.iter().map(|at| {
                if at.alone().is_some() {
                    at.clone()
                } else {
                    At::Sum(Vec::new(), Dim::constant(0))
                }
            });
            all.push(Expr::Load {
                tensor: *tensor,
                at: first.collect(),
                border: None,
            });
        }
        Expr::Cast(a, to, how) if !how.is_empty() => all.push(Expr::Cast(a.clone(), *to, "")),
        Expr::Float(..)
        | Expr::Int(..)
        | Expr::Gather { .. }
        | Expr::Place(_)
        | Expr::Call(..)
        | Expr::Binary(..)
        | Expr::Unary(..)
        | Expr::If(..)
        | Expr::Cast(..)
        | Expr::Scan { .. } => {}
    }
    all
}

/// Without the free order, and without an order that is stated.
fn orders(program: &Program, number: usize) -> Option<Program> {
    if number > 0 || !program.free {
        return None;
    }
    let mut smaller = program.clone();
    smaller.free = false;
    Some(smaller)
}

/// Drops definitions and parameters that nothing reads, and makes results of definitions that nothing reads.
fn clean(program: &mut Program) {
    loop {
        let read: Vec<usize> = program.defs.iter().flat_map(Def::reads).collect();
        let before = program.defs.len();
        let tensors = &program.tensors;
        let needed =
            |target: &usize| read.contains(target) || tensors[*target].role == Role::Result;
        program.defs.retain(|def| def.targets().iter().any(needed));
        if program.defs.len() == before {
            break;
        }
    }
    let read: Vec<usize> = program.defs.iter().flat_map(Def::reads).collect();
    let defined: Vec<usize> = program
        .defs
        .iter()
        .flat_map(|def| def.targets().to_vec())
        .collect();
    for (number, tensor) in program.tensors.iter_mut().enumerate() {
        let gone = match tensor.role {
            Role::Param => !read.contains(&number),
            Role::Let | Role::Result => !defined.contains(&number),
        };
        if gone {
            // Numbers of tensors stay, so the tensor stays too, as an intermediate that nothing prints.
            *tensor = Tensor {
                role: Role::Let,
                dims: Vec::new(),
                origin: Origin {
                    name: tensor.name.clone(),
                    order: Vec::new(),
                    part: None,
                },
                ..tensor.clone()
            };
        }
    }
}

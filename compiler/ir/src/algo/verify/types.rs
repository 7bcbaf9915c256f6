//! The typing rule of each kind of node.

use isa::num;
use isa::types::Elem;

use crate::algo::data::int_format;
use crate::algo::{
    BinaryOp, Expr, ExprKind, Func, Order, Overflow, Reduce, ReduceOp, Round, UnaryOp,
};

/// Checks a node whose operands precede it.
pub(super) fn check(func: &Func, expr: Expr) -> Result<(), String> {
    let elem = func.exprs[expr].elem;
    let of = |operand: Expr| func.exprs[operand].elem;
    match &func.exprs[expr].kind {
        ExprKind::Float(x) => check_float(elem, *x),
        ExprKind::Int(x) => check_int(elem, *x),
        ExprKind::Index(_) => demand(elem == Elem::I64, || format!("an index is i64, not {elem}")),
        ExprKind::Gather { index, .. } if !of(*index).is_int() => {
            Err(format!("a gather by {}", of(*index)))
        }
        ExprKind::Load { tensor, border, .. } | ExprKind::Gather { tensor, border, .. } => {
            let stored = func.tensors[*tensor].elem;
            demand(elem == stored, || {
                format!("a load of {stored} is typed {elem}")
            })?;
            let border = border.map_or(elem, of);
            demand(border == elem, || {
                format!("a border of type {border} for {elem}")
            })
        }
        ExprKind::Unary(op, a) => {
            same(elem, of(*a))?;
            demand(unary_takes(*op, elem), || format!("{op:?} of {elem}"))
        }
        ExprKind::Binary(op, a, b) => {
            same(elem, of(*a))?;
            same(elem, of(*b))?;
            demand(binary_takes(*op, elem), || format!("{op:?} of {elem}"))
        }
        ExprKind::Compare(_, a, b) => {
            same(of(*a), of(*b))?;
            demand(elem == Elem::Bool, || {
                format!("a comparison is bool, not {elem}")
            })
        }
        ExprKind::Select(condition, a, b) => {
            same(Elem::Bool, of(*condition))?;
            same(elem, of(*a))?;
            same(elem, of(*b))
        }
        ExprKind::Cast { .. } => Ok(()),
        ExprKind::Reduce(reduce) => check_reduce(func, elem, reduce),
    }
}

fn demand(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}

fn same(expected: Elem, found: Elem) -> Result<(), String> {
    demand(expected == found, || {
        format!("an operand of type {found} where {expected} is needed")
    })
}

fn check_float(elem: Elem, x: f64) -> Result<(), String> {
    let stored = match elem {
        Elem::F32 => num::f64_to_f32(x, Round::Even),
        Elem::F16 => num::f16_to_f32(num::f64_to_f16(x, Round::Even, Overflow::Keep)),
        Elem::Bf16 => num::bf16_to_f32(num::f64_to_bf16(x, Round::Even, Overflow::Keep)),
        Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
            return Err(format!("a float constant of type {elem}"));
        }
    };
    demand(f64::from(stored) == x || x.is_nan(), || {
        format!("{x:e} is no {elem}")
    })
}

fn check_int(elem: Elem, x: i64) -> Result<(), String> {
    let fits = int_format(elem).is_some_and(|(bits, signed)| num::wrap_int(x, bits, signed) == x);
    demand(fits, || format!("{x} is no {elem}"))
}

fn is_number(elem: Elem) -> bool {
    elem.is_float() || elem.is_int()
}

fn unary_takes(op: UnaryOp, elem: Elem) -> bool {
    match op {
        UnaryOp::Neg | UnaryOp::Abs => is_number(elem),
        UnaryOp::Not => elem == Elem::Bool,
        UnaryOp::Exp | UnaryOp::Ln | UnaryOp::Sqrt | UnaryOp::Round(_) => elem.is_float(),
        UnaryOp::Hf32 => elem == Elem::F32,
        UnaryOp::BitNot => elem.is_int(),
    }
}

fn binary_takes(op: BinaryOp, elem: Elem) -> bool {
    match op {
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::Div
        | BinaryOp::Max
        | BinaryOp::Min => is_number(elem),
        BinaryOp::Rem | BinaryOp::Shl | BinaryOp::Shr => elem.is_int(),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => !elem.is_float(),
    }
}

fn check_reduce(func: &Func, elem: Elem, reduce: &Reduce) -> Result<(), String> {
    let body = func.exprs[reduce.body].elem;
    if let Some(mask) = reduce.mask {
        same(Elem::Bool, func.exprs[mask].elem)?;
    }
    if let Order::Lanes(n) = reduce.order {
        demand(n.is_power_of_two() && n <= 1 << 16, || {
            format!("an order of {n} lanes")
        })?;
    }
    if reduce.exact_product {
        check_exact_product(func, body, reduce)?;
    }
    let expected = match reduce.op {
        ReduceOp::Sum | ReduceOp::Prod if is_number(body) => accumulator(body),
        ReduceOp::Max | ReduceOp::Min if is_number(body) => body,
        ReduceOp::ArgMax | ReduceOp::ArgMin if is_number(body) => Elem::I32,
        ReduceOp::Any | ReduceOp::All if body == Elem::Bool => Elem::Bool,
        ReduceOp::Sum
        | ReduceOp::Prod
        | ReduceOp::Max
        | ReduceOp::Min
        | ReduceOp::ArgMax
        | ReduceOp::ArgMin
        | ReduceOp::Any
        | ReduceOp::All => return Err(format!("{:?} of {body}", reduce.op)),
    };
    demand(expected == elem, || {
        format!("{:?} of {body} is {expected}, not {elem}", reduce.op)
    })
}

/// The type that sums and products of a number type run in.
fn accumulator(body: Elem) -> Elem {
    match body {
        Elem::F32 | Elem::F16 | Elem::Bf16 => Elem::F32,
        Elem::I64 => Elem::I64,
        Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => Elem::I32,
    }
}

fn check_exact_product(func: &Func, body: Elem, reduce: &Reduce) -> Result<(), String> {
    let is_product = matches!(
        func.exprs[reduce.body].kind,
        ExprKind::Binary(BinaryOp::Mul, ..)
    );
    demand(is_product, || "an exact product whose body is none".into())?;
    demand(reduce.op == ReduceOp::Sum, || {
        format!("an exact product under {:?}", reduce.op)
    })?;
    demand(body.bytes() <= 2 && is_number(body), || {
        format!("an exact product of {body}")
    })
}

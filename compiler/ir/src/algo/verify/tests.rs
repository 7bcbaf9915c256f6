//! Each invariant, broken once.

use isa::types::Elem;

use super::{MAX_DEPTH, verify};
use crate::algo::eval::eval;
use crate::algo::sample::{Builder, matrix_product};
use crate::algo::{Affine, Atom, BinaryOp, ExprKind, Func, Index, Order, ReduceOp, Role, UnaryOp};

/// The only problem of a function.
fn problem(func: &Func) -> String {
    let problems = verify(func).expect_err("the function breaks a rule");
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].clone()
}

/// `y[i] = x[at]` for x of 8 elements and i of `extent` values.
fn copy(extent: i64, at: impl Fn(Index) -> Affine) -> Func {
    let mut b = Builder::new("copy");
    let x = b.param("x", Elem::F32, &[8]);
    let i = b.index("i", extent);
    let load = b.load_at(x, &[at(i)], None);
    b.result("y", &[i], load);
    b.func
}

fn scaled(coefficient: i64, atom: Atom, constant: i64) -> Affine {
    Affine {
        constant,
        terms: [(coefficient, atom)].into_iter().collect(),
    }
}

#[test]
fn good_functions_pass() {
    assert_eq!(verify(&matrix_product(Elem::F16, 3, 4, 5)), Ok(()));
    assert_eq!(verify(&copy(8, Affine::index)), Ok(()));
    assert_eq!(verify(&copy(4, |i| scaled(2, Atom::Index(i), 1))), Ok(()));
    assert_eq!(
        verify(&copy(16, |i| scaled(
            1,
            Atom::Div(Affine::index(i).into(), 2),
            0
        ))),
        Ok(())
    );
    assert_eq!(
        verify(&copy(99, |i| scaled(
            1,
            Atom::Mod(Affine::index(i).into(), 8),
            0
        ))),
        Ok(())
    );
    let clamped = |i| scaled(1, Atom::Clamp(Affine::index(i).into(), 0, 7), 0);
    assert_eq!(verify(&copy(99, clamped)), Ok(()));
}

#[test]
fn bounds_that_intervals_cannot_see_are_tried() {
    // i - 4 * (i / 4) stays below 4.
    let remainder = |i| {
        let mut affine = scaled(-4, Atom::Div(Affine::index(i).into(), 4), 4);
        affine.terms.push((1, Atom::Index(i)));
        affine
    };
    assert_eq!(verify(&copy(100, remainder)), Ok(()));
}

#[test]
fn accesses_may_not_leave_the_tensor() {
    assert!(problem(&copy(9, Affine::index)).contains("may leave 0..8"));
    assert!(problem(&copy(8, |i| scaled(1, Atom::Index(i), -1))).contains("may leave 0..8"));
    let far = |i| scaled(i64::MAX, Atom::Index(i), i64::MAX);
    assert!(problem(&copy(8, far)).contains("may overflow"));
}

#[test]
fn index_expressions_are_well_formed() {
    assert!(problem(&copy(8, |i| scaled(0, Atom::Index(i), 0))).contains("coefficient 0"));
    let by_zero = |i| scaled(1, Atom::Div(Affine::index(i).into(), 0), 0);
    assert!(problem(&copy(8, by_zero)).contains("divides by 0"));
}

#[test]
fn indices_stay_in_their_scope() {
    let mut b = Builder::new("f");
    let x = b.param("x", Elem::F32, &[8]);
    let (i, k) = (b.index("i", 8), b.index("k", 8));
    let load = b.load(x, &[k]);
    let sum = b.reduce(ReduceOp::Sum, &[k], None, load, Order::Ascending);
    let outside = b.binary(BinaryOp::Add, sum, load);
    b.result("y", &[i], outside);
    assert!(problem(&b.func).contains("`k` outside the scope"));
}

#[test]
fn indices_are_bound_once() {
    let mut b = Builder::new("f");
    let x = b.param("x", Elem::F32, &[8]);
    let i = b.index("i", 8);
    let load = b.load(x, &[i]);
    b.result("y", &[i], load);
    b.result("z", &[i], load);
    assert!(problem(&b.func).contains("bound twice"));
}

#[test]
fn tensors_are_defined_once_before_use() {
    let mut b = Builder::new("f");
    let later = b.tensor("later", Role::Result, Elem::F32, &[]);
    let early = b.load(later, &[]);
    b.result("y", &[], early);
    let one = b.float(Elem::F32, 1.0);
    b.define(later, &[], one);
    assert!(problem(&b.func).contains("before its definition"));
    b.func.defs.swap(0, 1);
    assert_eq!(verify(&b.func), Ok(()));
    b.define(later, &[], one);
    assert!(problem(&b.func).contains("defined already"));
    b.func.defs.clear();
    assert!(verify(&b.func).expect_err("no definitions")[0].contains("never defined"));
}

#[test]
fn types_are_checked() {
    let with = |build: &dyn Fn(&mut Builder)| {
        let mut b = Builder::new("f");
        build(&mut b);
        problem(&b.func)
    };
    let mixed = with(&|b| {
        let (x, y) = (b.float(Elem::F32, 1.0), b.float(Elem::F16, 1.0));
        b.binary(BinaryOp::Add, x, y);
    });
    assert!(mixed.contains("operand of type f16"), "{mixed}");
    let inexact = with(&|b| {
        b.float(Elem::F16, 0.1);
    });
    assert!(inexact.contains("is no f16"), "{inexact}");
    let large = with(&|b| {
        b.int(Elem::I8, 128);
    });
    assert!(large.contains("128 is no i8"), "{large}");
    let whole = with(&|b| {
        let x = b.int(Elem::I32, 1);
        b.unary(UnaryOp::Exp, x);
    });
    assert!(whole.contains("Exp of i32"), "{whole}");
    let narrow = with(&|b| {
        let (k, x) = (b.index("k", 2), b.float(Elem::F16, 1.0));
        let sum = b.reduce(ReduceOp::Sum, &[k], None, x, Order::Ascending);
        b.func.exprs[sum].elem = Elem::F16;
    });
    assert!(narrow.contains("is f32, not f16"), "{narrow}");
    let three = with(&|b| {
        let (k, x) = (b.index("k", 2), b.float(Elem::F16, 1.0));
        b.reduce(ReduceOp::Sum, &[k], None, x, Order::Lanes(3));
    });
    assert!(three.contains("3 lanes"), "{three}");
}

#[test]
fn operands_precede_their_users() {
    let mut b = Builder::new("f");
    let x = b.float(Elem::F32, 1.0);
    let y = b.unary(UnaryOp::Neg, x);
    b.func.exprs[x].kind = ExprKind::Unary(UnaryOp::Neg, y);
    assert!(problem(&b.func).contains("does not precede"));
}

#[test]
fn shapes_are_possible_and_lists_match_roles() {
    let mut func = copy(8, Affine::index);
    func.tensors[func.params[0]].shape[0] = 0;
    assert!(verify(&func).expect_err("an empty shape")[0].contains("impossible shape"));
    let mut func = copy(8, Affine::index);
    func.params.clear();
    assert!(problem(&func).contains("listed 0 times as parameter"));
}

#[test]
fn the_deepest_expressions_can_be_evaluated_and_deeper_ones_are_refused() {
    let chain = |depth: usize| {
        let mut b = Builder::new("f");
        let (i, k) = (b.index("i", 2), b.index("k", 2));
        let mut value = b.float(Elem::F32, 1.0);
        for _ in 1..depth - 1 {
            value = b.unary(UnaryOp::Neg, value);
        }
        let sum = b.reduce(ReduceOp::Sum, &[k], None, value, Order::Ascending);
        b.result("y", &[i], sum);
        b.func
    };
    let deepest = chain(MAX_DEPTH);
    assert!(eval(&deepest, &[]).is_ok());
    assert!(crate::algo::eval::naive::eval(&deepest, &[]).is_ok());
    assert!(crate::algo::bound::eval_bounded(&deepest, &[], None).is_ok());
    assert!(crate::algo::print::print(&deepest).contains("-(-(-("));
    assert!(problem(&chain(MAX_DEPTH + 1)).contains("nests"));
}

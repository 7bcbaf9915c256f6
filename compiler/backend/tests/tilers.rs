//! The tilers on small functions built by hand: the tile form is well-formed and keeps every bit.

use diag::Span;
use ir::algo::{
    Affine, BinaryOp, CmpOp, Def, Expr, ExprData, ExprKind, Func, Index, IndexData, Order,
    Overflow, Reduce, ReduceOp, Role, Round, Tensor, TensorData, UnaryOp,
};
use isa::chip::Chip;
use isa::types::Elem;

use backend::{Level, tile};

struct Make(Func);

impl Make {
    fn new(name: &str) -> Make {
        Make(Func {
            name: name.to_owned(),
            ..Func::default()
        })
    }

    fn tensor(&mut self, name: &str, elem: Elem, shape: &[i64], role: Role) -> Tensor {
        let t = self.0.tensors.push(TensorData {
            name: name.to_owned(),
            elem,
            shape: shape.iter().copied().collect(),
            role,
            span: Span::NONE,
        });
        match role {
            Role::Param => self.0.params.push(t),
            Role::Result => self.0.results.push(t),
            Role::Let => {}
        }
        t
    }

    fn index(&mut self, name: &str, extent: i64) -> Index {
        self.0.indices.push(IndexData {
            name: name.to_owned(),
            extent,
            span: Span::NONE,
        })
    }

    fn e(&mut self, elem: Elem, kind: ExprKind) -> Expr {
        self.0.exprs.push(ExprData {
            kind,
            elem,
            span: Span::NONE,
        })
    }

    fn load(&mut self, t: Tensor, at: &[Index]) -> Expr {
        let elem = self.0.tensors[t].elem;
        let at = at.iter().map(|&i| Affine::index(i)).collect();
        self.e(
            elem,
            ExprKind::Load {
                tensor: t,
                at,
                border: None,
            },
        )
    }

    fn bin(&mut self, op: BinaryOp, a: Expr, b: Expr) -> Expr {
        let elem = self.0.exprs[a].elem;
        self.e(elem, ExprKind::Binary(op, a, b))
    }

    fn cast(&mut self, to: Elem, value: Expr) -> Expr {
        self.e(
            to,
            ExprKind::Cast {
                value,
                round: Round::Even,
                overflow: Overflow::Saturate,
            },
        )
    }

    fn reduce(
        &mut self,
        op: ReduceOp,
        elem: Elem,
        axes: &[Index],
        body: Expr,
        order: Order,
        exact: bool,
    ) -> Expr {
        let axes = axes.iter().copied().collect();
        let reduce = Reduce {
            op,
            axes,
            mask: None,
            body,
            order,
            exact_product: exact,
        };
        self.e(elem, ExprKind::Reduce(Box::new(reduce)))
    }

    fn def(&mut self, target: Tensor, indices: &[Index], value: Expr) {
        self.0.defs.push(Def {
            target,
            indices: indices.iter().copied().collect(),
            value,
            span: Span::NONE,
        });
    }
}

fn check(func: &Func) {
    ir::algo::verify::verify(func).expect("the test's function is well-formed");
    let chip = Chip::builtin("910b2").expect("built in");
    for level in [Level::O0, Level::O1] {
        let tiled = tile(func, &chip, level).unwrap_or_else(|d| panic!("{}: {d:?}", func.name));
        let text = ir::tile::print::print(&tiled.func);
        if let Err(found) = ir::tile::verify::verify(&tiled.func, &|space| chip.space_bytes(space))
        {
            panic!("{}: {found:#?}\n{text}", func.name);
        }
    }
}

fn gemm(elem: Elem, m: i64, k: i64, n: i64, a_t: bool, b_t: bool, epilogue: bool) -> Func {
    let mut f = Make::new("gemm");
    let a = f.tensor("a", elem, &if a_t { [k, m] } else { [m, k] }, Role::Param);
    let b = f.tensor("b", elem, &if b_t { [n, k] } else { [k, n] }, Role::Param);
    let bias = epilogue.then(|| f.tensor("bias", Elem::F32, &[n], Role::Param));
    let wide = if elem == Elem::I8 {
        Elem::I32
    } else {
        Elem::F32
    };
    let out = if epilogue { Elem::F16 } else { wide };
    let y = f.tensor("y", out, &[m, n], Role::Result);
    let (i, j, l) = (f.index("m", m), f.index("n", n), f.index("k", k));
    let x = f.load(a, &if a_t { [l, i] } else { [i, l] });
    let w = f.load(b, &if b_t { [j, l] } else { [l, j] });
    let product = f.bin(BinaryOp::Mul, x, w);
    let sum = f.reduce(
        ReduceOp::Sum,
        wide,
        &[l],
        product,
        Order::Ascending,
        elem != Elem::F32,
    );
    let value = match bias {
        None => sum,
        Some(bias) => {
            let bias = f.load(bias, &[j]);
            let biased = f.bin(BinaryOp::Add, sum, bias);
            let e = f.e(Elem::F32, ExprKind::Unary(UnaryOp::Exp, biased));
            let q = f.bin(BinaryOp::Div, biased, e);
            f.cast(Elem::F16, q)
        }
    };
    f.def(y, &[i, j], value);
    f.0
}

#[test]
fn products() {
    check(&gemm(Elem::F16, 100, 70, 90, false, false, false));
    check(&gemm(Elem::F16, 100, 70, 90, true, true, false));
    check(&gemm(Elem::F16, 1, 1, 1, false, false, true));
    check(&gemm(Elem::F16, 130, 33, 300, false, false, true));
    check(&gemm(Elem::I8, 40, 70, 50, false, false, false));
    check(&gemm(Elem::F32, 40, 30, 50, false, true, false));
}

fn softmax(elem: Elem, r: i64, c: i64) -> Func {
    let mut f = Make::new("softmax");
    let x = f.tensor("x", elem, &[r, c], Role::Param);
    let top = f.tensor("top", elem, &[r], Role::Let);
    let z = f.tensor("z", Elem::F32, &[r], Role::Let);
    let e = f.tensor("e", Elem::F32, &[r, c], Role::Let);
    let y = f.tensor("y", elem, &[r, c], Role::Result);
    let (i, j) = (f.index("r", r), f.index("c", c));
    let body = f.load(x, &[i, j]);
    let value = f.reduce(ReduceOp::Max, elem, &[j], body, Order::Ascending, false);
    f.def(top, &[i], value);
    let (i, j) = (f.index("r", r), f.index("c", c));
    let (v, t) = (f.load(x, &[i, j]), f.load(top, &[i]));
    let (v, t) = if elem == Elem::F32 {
        (v, t)
    } else {
        (f.cast(Elem::F32, v), f.cast(Elem::F32, t))
    };
    let d = f.bin(BinaryOp::Sub, v, t);
    let value = f.e(Elem::F32, ExprKind::Unary(UnaryOp::Exp, d));
    f.def(e, &[i, j], value);
    let (i, j) = (f.index("r", r), f.index("c", c));
    let body = f.load(e, &[i, j]);
    let value = f.reduce(
        ReduceOp::Sum,
        Elem::F32,
        &[j],
        body,
        Order::Lanes(64),
        false,
    );
    f.def(z, &[i], value);
    let (i, j) = (f.index("r", r), f.index("c", c));
    let (v, s) = (f.load(e, &[i, j]), f.load(z, &[i]));
    let q = f.bin(BinaryOp::Div, v, s);
    let value = if elem == Elem::F32 {
        q
    } else {
        f.cast(elem, q)
    };
    f.def(y, &[i, j], value);
    f.0
}

#[test]
fn rows() {
    for (r, c) in [(4, 64), (100, 7), (3, 1000), (1, 1), (2, 30000)] {
        check(&softmax(Elem::F16, r, c));
        check(&softmax(Elem::F32, r, c));
    }
}

#[test]
fn transposition_and_borders() {
    let mut f = Make::new("shift");
    let x = f.tensor("x", Elem::F16, &[9, 20], Role::Param);
    let y = f.tensor("y", Elem::F16, &[20, 9], Role::Result);
    let (i, j) = (f.index("i", 20), f.index("j", 9));
    let zero = f.e(Elem::F16, ExprKind::Float(0.5));
    let shifted = Affine {
        constant: -1,
        ..Affine::index(i)
    };
    let at = [Affine::index(j), shifted].into_iter().collect();
    let value = f.e(
        Elem::F16,
        ExprKind::Load {
            tensor: x,
            at,
            border: Some(zero),
        },
    );
    f.def(y, &[i, j], value);
    check(&f.0);
}

#[test]
fn masks_and_columns() {
    let mut f = Make::new("columns");
    let x = f.tensor("x", Elem::F32, &[70, 40], Role::Param);
    let y = f.tensor("y", Elem::F32, &[40], Role::Result);
    let (c, r) = (f.index("c", 40), f.index("r", 70));
    let body = f.load(x, &[r, c]);
    let (ri, ci) = (
        f.e(Elem::I64, ExprKind::Index(r)),
        f.e(Elem::I64, ExprKind::Index(c)),
    );
    let mask = f.e(Elem::Bool, ExprKind::Compare(CmpOp::Le, ci, ri));
    let reduce = Reduce {
        op: ReduceOp::Sum,
        axes: [r].into_iter().collect(),
        mask: Some(mask),
        body,
        order: Order::Lanes(64),
        exact_product: false,
    };
    let value = f.e(Elem::F32, ExprKind::Reduce(Box::new(reduce)));
    f.def(y, &[c], value);
    check(&f.0);
}

#[test]
fn a_large_product_takes_the_blocks_that_fill_l0c() {
    let chip = Chip::builtin("910b2").expect("built in");
    let func = gemm(Elem::F16, 4096, 4096, 4096, false, false, false);
    let tiled = tile(&func, &chip, Level::O1).expect("a plain product");
    assert!(
        tiled
            .schedule
            .to_string()
            .contains("grid y.m: 128, y.n: 256"),
        "{}",
        tiled.schedule
    );
}

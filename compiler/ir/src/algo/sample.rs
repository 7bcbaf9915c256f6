//! Functions for tests: a small builder, and functions drawn at random.

use diag::Span;
use isa::types::Elem;
use smallvec::SmallVec;

use super::data::{Data, Random, element_count};
use super::{
    Affine, Atom, BinaryOp, CmpOp, Def, Expr, ExprData, ExprKind, Func, Index, IndexData, Order,
    Overflow, Reduce, ReduceOp, Role, Round, Tensor, TensorData, UnaryOp,
};

/// Builds a function node by node.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) func: Func,
}

impl Builder {
    pub(crate) fn new(name: &str) -> Builder {
        Builder {
            func: Func {
                name: name.into(),
                ..Func::default()
            },
        }
    }

    pub(crate) fn tensor(&mut self, name: &str, role: Role, elem: Elem, shape: &[i64]) -> Tensor {
        let data = TensorData {
            name: name.into(),
            elem,
            shape: SmallVec::from_slice(shape),
            role,
            span: Span::NONE,
        };
        let tensor = self.func.tensors.push(data);
        match role {
            Role::Param => self.func.params.push(tensor),
            Role::Result => self.func.results.push(tensor),
            Role::Let => {}
        }
        tensor
    }

    pub(crate) fn param(&mut self, name: &str, elem: Elem, shape: &[i64]) -> Tensor {
        self.tensor(name, Role::Param, elem, shape)
    }

    pub(crate) fn index(&mut self, name: &str, extent: i64) -> Index {
        self.func.indices.push(IndexData {
            name: name.into(),
            extent,
            span: Span::NONE,
        })
    }

    pub(crate) fn expr(&mut self, elem: Elem, kind: ExprKind) -> Expr {
        self.func.exprs.push(ExprData {
            kind,
            elem,
            span: Span::NONE,
        })
    }

    pub(crate) fn elem(&self, expr: Expr) -> Elem {
        self.func.exprs[expr].elem
    }

    pub(crate) fn float(&mut self, elem: Elem, x: f64) -> Expr {
        self.expr(elem, ExprKind::Float(x))
    }

    pub(crate) fn int(&mut self, elem: Elem, x: i64) -> Expr {
        self.expr(elem, ExprKind::Int(x))
    }

    pub(crate) fn value_of(&mut self, index: Index) -> Expr {
        self.expr(Elem::I64, ExprKind::Index(index))
    }

    pub(crate) fn load_at(&mut self, tensor: Tensor, at: &[Affine], border: Option<Expr>) -> Expr {
        let elem = self.func.tensors[tensor].elem;
        self.expr(
            elem,
            ExprKind::Load {
                tensor,
                at: at.iter().cloned().collect(),
                border,
            },
        )
    }

    pub(crate) fn load(&mut self, tensor: Tensor, at: &[Index]) -> Expr {
        let at: Vec<Affine> = at.iter().map(|&index| Affine::index(index)).collect();
        self.load_at(tensor, &at, None)
    }

    pub(crate) fn unary(&mut self, op: UnaryOp, a: Expr) -> Expr {
        self.expr(self.elem(a), ExprKind::Unary(op, a))
    }

    pub(crate) fn binary(&mut self, op: BinaryOp, a: Expr, b: Expr) -> Expr {
        self.expr(self.elem(a), ExprKind::Binary(op, a, b))
    }

    pub(crate) fn compare(&mut self, op: CmpOp, a: Expr, b: Expr) -> Expr {
        self.expr(Elem::Bool, ExprKind::Compare(op, a, b))
    }

    pub(crate) fn select(&mut self, condition: Expr, a: Expr, b: Expr) -> Expr {
        self.expr(self.elem(a), ExprKind::Select(condition, a, b))
    }

    pub(crate) fn cast(&mut self, a: Expr, to: Elem) -> Expr {
        self.cast_as(a, to, Round::Even, Overflow::Saturate)
    }

    pub(crate) fn cast_as(&mut self, a: Expr, to: Elem, round: Round, overflow: Overflow) -> Expr {
        self.expr(
            to,
            ExprKind::Cast {
                value: a,
                round,
                overflow,
            },
        )
    }

    pub(crate) fn reduce(
        &mut self,
        op: ReduceOp,
        axes: &[Index],
        mask: Option<Expr>,
        body: Expr,
        order: Order,
    ) -> Expr {
        let body_elem = self.elem(body);
        let elem = match op {
            ReduceOp::Sum | ReduceOp::Prod if body_elem.is_float() => Elem::F32,
            ReduceOp::Sum | ReduceOp::Prod if body_elem == Elem::I64 => Elem::I64,
            ReduceOp::Sum | ReduceOp::Prod | ReduceOp::ArgMax | ReduceOp::ArgMin => Elem::I32,
            ReduceOp::Max | ReduceOp::Min | ReduceOp::Any | ReduceOp::All => body_elem,
        };
        let is_product = matches!(
            self.func.exprs[body].kind,
            ExprKind::Binary(BinaryOp::Mul, ..)
        );
        let exact_product = op == ReduceOp::Sum && is_product && body_elem.bytes() <= 2;
        let axes = SmallVec::from_slice(axes);
        let reduce = Reduce {
            op,
            axes,
            mask,
            body,
            order,
            exact_product,
        };
        self.expr(elem, ExprKind::Reduce(Box::new(reduce)))
    }

    pub(crate) fn define(&mut self, target: Tensor, indices: &[Index], value: Expr) {
        let indices = SmallVec::from_slice(indices);
        self.func.defs.push(Def {
            target,
            indices,
            value,
            span: Span::NONE,
        });
    }

    /// Declares a result of the value's type over the indices and defines it.
    pub(crate) fn result(&mut self, name: &str, indices: &[Index], value: Expr) -> Tensor {
        self.defined(name, Role::Result, indices, value)
    }

    pub(crate) fn defined(
        &mut self,
        name: &str,
        role: Role,
        indices: &[Index],
        value: Expr,
    ) -> Tensor {
        let shape: Vec<i64> = indices
            .iter()
            .map(|&i| self.func.indices[i].extent)
            .collect();
        let target = self.tensor(name, role, self.elem(value), &shape);
        self.define(target, indices, value);
        target
    }
}

/// `y[m, n] = sum(k) a[m, k] * b[k, n]` with ascending order.
pub(crate) fn matrix_product(elem: Elem, m: i64, k: i64, n: i64) -> Func {
    let mut b = Builder::new("gemm");
    let left = b.param("a", elem, &[m, k]);
    let right = b.param("b", elem, &[k, n]);
    let (im, ik, ik2) = (b.index("m", m), b.index("k", k), b.index("n", n));
    let (x, y) = (b.load(left, &[im, ik]), b.load(right, &[ik, ik2]));
    let product = b.binary(BinaryOp::Mul, x, y);
    let sum = b.reduce(ReduceOp::Sum, &[ik], None, product, Order::Ascending);
    b.result("y", &[im, ik2], sum);
    b.func
}

/// Inputs with zeros, infinities, NaN, and values far apart among the ordinary ones.
pub(crate) fn wild_inputs(func: &Func, random: &mut Random) -> Vec<Data> {
    let special = [
        0.0,
        -0.0,
        1.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        6e4,
        1e-7,
        3e38,
        1e-38,
    ];
    let tame = random.next().is_multiple_of(2);
    let params = func.params.iter().map(|&tensor| {
        let data = &func.tensors[tensor];
        let count = element_count(&data.shape).unwrap_or(0);
        let mut values = Data::zeros(data.elem, count);
        for position in 0..count {
            let pick = random.next() % 100;
            if data.elem.is_float() && pick < 10 && !tame {
                values.set_f64(data.elem, position, special[pick as usize]);
            } else if data.elem.is_float() {
                values.set_f64(data.elem, position, random.unit() * 4.0);
            } else if data.elem == Elem::Bool {
                values.set_bits(data.elem, position, random.next() & 1);
            } else {
                let reach = if tame { 3 } else { 1 << 40 };
                values.set_bits(data.elem, position, random.between(-reach, reach) as u64);
            }
        }
        values
    });
    params.collect()
}

/// Draws a function of a few definitions that keeps the IR's invariants. It may fault.
pub(crate) fn random_func(random: &mut Random) -> Func {
    let mut draw = Draw {
        b: Builder::new("random"),
        random,
        tensors: Vec::new(),
    };
    for name in ["a", "b", "c", "d"] {
        let rank = draw.below(4);
        let shape: Vec<i64> = (0..rank).map(|_| draw.random.between(1, 9)).collect();
        let elem = Elem::ALL[draw.below(Elem::ALL.len())];
        let tensor = draw.b.param(name, elem, &shape);
        draw.tensors.push(tensor);
    }
    for name in ["t", "u", "y"] {
        let role = if name == "y" {
            Role::Result
        } else {
            [Role::Let, Role::Result][draw.below(2)]
        };
        let rank = draw.below(4);
        let extents: Vec<i64> = (0..rank).map(|_| draw.random.between(1, 11)).collect();
        let indices: Vec<Index> = extents
            .iter()
            .map(|&extent| draw.b.index("i", extent))
            .collect();
        let elem = Elem::ALL[draw.below(Elem::ALL.len())];
        let value = draw.expr(elem, &indices, 5);
        let tensor = draw.b.defined(name, role, &indices, value);
        draw.tensors.push(tensor);
    }
    draw.b.func
}

struct Draw<'r> {
    b: Builder,
    random: &'r mut Random,
    tensors: Vec<Tensor>,
}

const ROUNDS: [Round; 6] = [
    Round::Even,
    Round::Away,
    Round::Floor,
    Round::Ceil,
    Round::Trunc,
    Round::Odd,
];
const COMPARES: [CmpOp; 6] = [
    CmpOp::Eq,
    CmpOp::Ne,
    CmpOp::Lt,
    CmpOp::Le,
    CmpOp::Gt,
    CmpOp::Ge,
];
const NUMBER_OPS: [BinaryOp; 6] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::Max,
    BinaryOp::Min,
];
const INTEGER_OPS: [BinaryOp; 12] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::Rem,
    BinaryOp::Max,
    BinaryOp::Min,
    BinaryOp::And,
    BinaryOp::Or,
    BinaryOp::Xor,
    BinaryOp::Shl,
    BinaryOp::Shr,
];

impl Draw<'_> {
    fn below(&mut self, n: usize) -> usize {
        self.random.between(0, n as i64 - 1) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn number(&mut self) -> Elem {
        let numbers: Vec<Elem> = Elem::ALL.into_iter().filter(|&e| e != Elem::Bool).collect();
        self.pick(&numbers)
    }

    fn expr(&mut self, elem: Elem, scope: &[Index], fuel: usize) -> Expr {
        if fuel == 0 {
            return self.leaf(elem, scope);
        }
        match self.below(10) {
            0 => self.leaf(elem, scope),
            1 | 2 => self.load(elem, scope, fuel),
            3 => self.unary(elem, scope, fuel),
            4 | 5 => self.binary(elem, scope, fuel),
            6 => {
                let condition = self.expr(Elem::Bool, scope, fuel - 1);
                let a = self.expr(elem, scope, fuel - 1);
                let b = self.expr(elem, scope, fuel - 1);
                self.b.select(condition, a, b)
            }
            7 => {
                let from = self.pick(&Elem::ALL);
                let value = self.expr(from, scope, fuel - 1);
                let round = self.pick(&ROUNDS);
                let overflow = self.pick(&[Overflow::Saturate, Overflow::Keep, Overflow::Wrap]);
                self.b.cast_as(value, elem, round, overflow)
            }
            _ => self.reduction(elem, scope, fuel),
        }
    }

    fn leaf(&mut self, elem: Elem, scope: &[Index]) -> Expr {
        if elem.is_float() {
            let x = self.pick(&[0.0, -1.0, 0.5, 2.0, f64::INFINITY, f64::NAN]);
            return self.b.float(elem, x);
        }
        if elem == Elem::I64 && !scope.is_empty() {
            let index = self.pick(scope);
            return self.b.value_of(index);
        }
        let x = self.random.between(0, 1);
        self.b.int(elem, x)
    }

    fn unary(&mut self, elem: Elem, scope: &[Index], fuel: usize) -> Expr {
        let round = UnaryOp::Round(self.pick(&ROUNDS));
        let op = if elem == Elem::Bool {
            UnaryOp::Not
        } else if elem.is_float() {
            self.pick(&[
                UnaryOp::Neg,
                UnaryOp::Abs,
                UnaryOp::Exp,
                UnaryOp::Ln,
                UnaryOp::Sqrt,
                round,
            ])
        } else {
            self.pick(&[UnaryOp::Neg, UnaryOp::Abs, UnaryOp::BitNot])
        };
        let a = self.expr(elem, scope, fuel - 1);
        self.b.unary(op, a)
    }

    fn binary(&mut self, elem: Elem, scope: &[Index], fuel: usize) -> Expr {
        if elem == Elem::Bool && self.below(2) == 0 {
            let of = self.pick(&Elem::ALL);
            let (a, b) = (
                self.expr(of, scope, fuel - 1),
                self.expr(of, scope, fuel - 1),
            );
            let op = self.pick(&COMPARES);
            return self.b.compare(op, a, b);
        }
        let a = self.expr(elem, scope, fuel - 1);
        // A node used twice.
        let b = if self.below(4) == 0 {
            a
        } else {
            self.expr(elem, scope, fuel - 1)
        };
        let op = if elem == Elem::Bool {
            self.pick(&[BinaryOp::And, BinaryOp::Or, BinaryOp::Xor])
        } else if elem.is_float() {
            self.pick(&NUMBER_OPS)
        } else {
            self.pick(&INTEGER_OPS)
        };
        self.b.binary(op, a, b)
    }

    fn load(&mut self, elem: Elem, scope: &[Index], fuel: usize) -> Expr {
        let tensor = {
            let tensors = self.tensors.clone();
            self.pick(&tensors)
        };
        let shape = self.b.func.tensors[tensor].shape.clone();
        let stored = self.b.func.tensors[tensor].elem;
        let bordered = self.below(3) == 0;
        let at: Vec<Affine> = shape
            .iter()
            .map(|&extent| self.coordinate(scope, extent, bordered))
            .collect();
        let border = bordered.then(|| self.expr(stored, scope, fuel.saturating_sub(2)));
        let load = self.b.load_at(tensor, &at, border);
        if stored == elem {
            load
        } else {
            self.b.cast(load, elem)
        }
    }

    fn coordinate(&mut self, scope: &[Index], extent: i64, bordered: bool) -> Affine {
        let fitting: Vec<Index> = scope
            .iter()
            .copied()
            .filter(|&index| self.b.func.indices[index].extent <= extent)
            .collect();
        if !fitting.is_empty() && !bordered && self.below(4) > 0 {
            return Affine::index(self.pick(&fitting));
        }
        if scope.is_empty() {
            let free = if bordered {
                self.random.between(-1, extent)
            } else {
                0
            };
            return Affine::constant(free);
        }
        let mut sum = Affine::index(self.pick(scope));
        sum.terms[0].0 = self.pick(&[-1, 1, 2]);
        sum.terms.push((1, Atom::Index(self.pick(scope))));
        sum.constant = self.random.between(-2, 2);
        if bordered && self.below(2) == 0 {
            return sum;
        }
        let atom = match self.below(2) {
            0 => Atom::Mod(Box::new(sum), extent),
            _ => Atom::Clamp(Box::new(sum), 0, extent - 1),
        };
        let wrapped = Affine {
            constant: 0,
            terms: SmallVec::from_iter([(1, atom)]),
        };
        match self.below(2) {
            0 => wrapped,
            _ => Affine {
                constant: 0,
                terms: SmallVec::from_iter([(1, Atom::Div(Box::new(wrapped), 2))]),
            },
        }
    }

    fn reduction(&mut self, elem: Elem, scope: &[Index], fuel: usize) -> Expr {
        let mut inner = scope.to_vec();
        let axes: Vec<Index> = (0..1 + self.below(2))
            .map(|_| {
                let extent = self.pick(&[1, 2, 3, 4, 5, 67]);
                self.b.index("k", extent)
            })
            .collect();
        inner.extend_from_slice(&axes);
        let fuel = fuel.saturating_sub(2);
        let mask = (self.below(3) == 0).then(|| self.expr(Elem::Bool, &inner, fuel));
        let order = self.pick(&[
            Order::Ascending,
            Order::Lanes(64),
            Order::Lanes(4),
            Order::Tree,
            Order::Free,
        ]);
        let (op, body) = match self.below(4) {
            0 if elem == Elem::Bool => (
                self.pick(&[ReduceOp::Any, ReduceOp::All]),
                self.expr(Elem::Bool, &inner, fuel),
            ),
            0 if elem != Elem::Bool => (
                self.pick(&[ReduceOp::Max, ReduceOp::Min]),
                self.expr(elem, &inner, fuel),
            ),
            1 => {
                let of = self.number();
                (
                    self.pick(&[ReduceOp::ArgMax, ReduceOp::ArgMin]),
                    self.expr(of, &inner, fuel),
                )
            }
            _ => {
                let of = self.number();
                let (a, b) = (self.load(of, &inner, fuel), self.load(of, &inner, fuel));
                let op = self.pick(&[ReduceOp::Sum, ReduceOp::Sum, ReduceOp::Prod]);
                let product = self.b.binary(BinaryOp::Mul, a, b);
                (
                    op,
                    if self.below(3) == 0 {
                        self.expr(of, &inner, fuel)
                    } else {
                        product
                    },
                )
            }
        };
        let reduced = self.b.reduce(op, &axes, mask, body, order);
        if self.b.elem(reduced) == elem {
            reduced
        } else {
            self.b.cast(reduced, elem)
        }
    }
}

//! Expressions of a wanted type: arithmetic, functions, choices, conversions, conditions and reductions.

use isa::types::Elem;

use super::super::model::{At, Dim, Expr};
use super::{Gen, MOST_ITEMS};

/// Functions of a float that are defined for every argument.
const FUNCTIONS: [&str; 17] = [
    "exp", "abs", "floor", "ceil", "round", "trunc", "tanh", "erf", "sigmoid", "sin", "cos",
    "relu", "silu", "gelu", "sign", "exp", "abs",
];

impl Gen {
    /// A value of a type, of at most so many levels.
    pub(super) fn value(&mut self, elem: Elem, depth: usize) -> Expr {
        if depth == 0 || self.operations == 0 {
            return self.operand(elem);
        }
        self.operations -= 1;
        if elem == Elem::Bool {
            return self.condition(depth - 1);
        }
        match self.draw.below(20) {
            0..=6 => self.arithmetic(elem, depth - 1),
            7 | 8 => {
                let a = self.value(elem, depth - 1);
                let b = self.other(elem, depth - 1);
                Expr::Call(self.draw.of(&["max", "min"]), vec![a, b])
            }
            9..=11 => {
                let a = self.value(elem, depth - 1);
                self.function(a)
            }
            12 | 13 => {
                let c = self.condition(depth - 1);
                let (a, b) = (self.value(elem, depth - 1), self.other(elem, depth - 1));
                let (a, b) = if self.draw.chance(20) && a != b {
                    (b, a)
                } else {
                    (a, b)
                };
                Expr::If(Box::new(c), Box::new(a), Box::new(b))
            }
            14..=16 => {
                let from = self.draw.of(&[
                    Elem::F32,
                    Elem::F32,
                    Elem::F16,
                    Elem::Bf16,
                    Elem::I32,
                    Elem::I8,
                    Elem::Bool,
                ]);
                let a = self.value(from, depth - 1);
                self.cast(a, elem)
            }
            17 if !self.scope.is_empty() => {
                let at = self.index_place();
                Expr::Cast(Box::new(Expr::Place(at)), elem, "")
            }
            18 if self.reductions > 0 => {
                self.reductions -= 1;
                let reduced = self.reduction(Some(elem));
                if reduced.elem(&self.program) == elem {
                    reduced
                } else {
                    self.cast(reduced, elem)
                }
            }
            _ => self.operand(elem),
        }
    }

    /// A second operand: a literal now and then.
    fn other(&mut self, elem: Elem, depth: usize) -> Expr {
        if self.draw.chance(25) {
            self.literal(elem)
        } else {
            self.value(elem, depth)
        }
    }

    fn arithmetic(&mut self, elem: Elem, depth: usize) -> Expr {
        let a = self.value(elem, depth);
        if elem.is_float() {
            let op = self
                .draw
                .weighted(&[(30, "+"), (25, "-"), (35, "*"), (10, "/")]);
            let b = if op == "/" && self.draw.chance(50) {
                // A divisor away from zero: most quotients should be ordinary numbers.
                let b = self.value(elem, depth);
                Expr::Binary(
                    "+",
                    Box::new(Expr::Call("abs", vec![b])),
                    Box::new(Expr::Float(elem, 0.5)),
                )
            } else {
                self.other(elem, depth)
            };
            return Expr::Binary(op, Box::new(a), Box::new(b));
        }
        match self.draw.below(12) {
            0 if elem != Elem::U8 => {
                let by = Expr::Int(elem, self.draw.of(&[1, 2, 3, 7, 10, -3]));
                Expr::Binary(self.draw.of(&["/", "%"]), Box::new(a), Box::new(by))
            }
            1 | 2 => {
                let b = self.other(elem, depth);
                Expr::Call(self.draw.of(&["bit_and", "bit_or", "bit_xor"]), vec![a, b])
            }
            3 => {
                let by = Expr::Int(elem, self.draw.between(0, 6));
                Expr::Call(self.draw.of(&["shl", "shr"]), vec![a, by])
            }
            _ => {
                let b = self.other(elem, depth);
                Expr::Binary(self.draw.of(&["+", "-", "*"]), Box::new(a), Box::new(b))
            }
        }
    }

    /// A function of a value.
    pub(super) fn function(&mut self, a: Expr) -> Expr {
        let elem = a.elem(&self.program);
        if !elem.is_float() {
            return match self.draw.below(3) {
                0 => Expr::Call("bit_not", vec![a]),
                1 if elem != Elem::U8 => Expr::Unary("-", Box::new(a)),
                _ => Expr::Call("abs", vec![a]),
            };
        }
        match self.draw.below(8) {
            0 => {
                let name = self.draw.of(&["sqrt", "log", "rsqrt"]);
                let positive = Expr::Binary(
                    "+",
                    Box::new(Expr::Call("abs", vec![a])),
                    Box::new(Expr::Float(elem, 0.25)),
                );
                Expr::Call(name, vec![positive])
            }
            1 => Expr::Unary("-", Box::new(a)),
            _ => Expr::Call(self.draw.of(&FUNCTIONS), vec![a]),
        }
    }

    /// A conversion to some type.
    pub(super) fn converted(&mut self, a: Expr) -> Expr {
        let to = self.draw.of(&[
            Elem::F32,
            Elem::F16,
            Elem::F16,
            Elem::Bf16,
            Elem::I32,
            Elem::I8,
        ]);
        self.cast(a, to)
    }

    /// A conversion; to the same type it is left out.
    pub(super) fn cast(&mut self, a: Expr, to: Elem) -> Expr {
        let from = a.elem(&self.program);
        if from == to {
            return a;
        }
        if to == Elem::Bool {
            let zero = if from.is_float() {
                Expr::Float(from, 0.0)
            } else {
                Expr::Int(from, 0)
            };
            return Expr::Binary(">", Box::new(a), Box::new(zero));
        }
        let how = match (from.is_float(), to.is_float()) {
            _ if from == Elem::Bool || self.draw.chance(55) => "",
            (true, true) if to == Elem::F32 => "",
            (true, true) => self.draw.of(&[
                " round floor",
                " round ceil",
                " round trunc",
                " round away",
                " inf",
            ]),
            (true, false) => self.draw.of(&[
                " round floor",
                " round ceil",
                " round trunc",
                " round away",
                " round even",
            ]),
            (false, true) => "",
            (false, false) => " wrap",
        };
        Expr::Cast(Box::new(a), to, how)
    }

    /// An index expression as a value.
    fn index_place(&mut self) -> At {
        let var = self.draw.of(&self.scope.clone());
        let other = self.draw.of(&self.scope.clone());
        match self.draw.below(5) {
            0 if other != var => {
                let one = Dim::constant(1);
                At::Sum(
                    vec![(one.clone(), var), (one, other)],
                    Dim::constant(self.draw.between(0, 2)),
                )
            }
            1 => At::Mod(var, Dim::constant(self.draw.between(2, 5))),
            _ => At::index(var),
        }
    }

    /// A condition.
    pub(super) fn condition(&mut self, depth: usize) -> Expr {
        let compare = |g: &mut Gen| g.draw.of(&["<", "<=", ">", ">=", "==", "!="]);
        match self.draw.below(10) {
            0 | 1 if !self.scope.is_empty() => {
                let a = self.index_place();
                let b = if self.draw.chance(60) {
                    At::Sum(Vec::new(), Dim::constant(self.draw.between(0, 12)))
                } else {
                    At::index(self.draw.of(&self.scope.clone()))
                };
                Expr::Binary(
                    compare(self),
                    Box::new(Expr::Place(a)),
                    Box::new(Expr::Place(b)),
                )
            }
            2 if depth > 0 => {
                let (a, b) = (self.condition(depth - 1), self.condition(depth - 1));
                Expr::Binary(
                    self.draw.of(&["&&", "||", "==", "!="]),
                    Box::new(a),
                    Box::new(b),
                )
            }
            3 => Expr::Unary("!", Box::new(self.operand(Elem::Bool))),
            4 => self.operand(Elem::Bool),
            5 if !self.scope.is_empty() => {
                let at = self.index_place();
                let place = Expr::Cast(Box::new(Expr::Place(at)), Elem::I32, "");
                let length = self.operand(Elem::I32);
                Expr::Binary(compare(self), Box::new(place), Box::new(length))
            }
            _ => {
                let elem = self.draw.of(&[
                    Elem::F32,
                    Elem::F32,
                    Elem::F16,
                    Elem::Bf16,
                    Elem::I32,
                    Elem::I8,
                ]);
                let (a, b) = (self.value(elem, depth), self.other(elem, depth));
                Expr::Binary(compare(self), Box::new(a), Box::new(b))
            }
        }
    }

    /// A reduction over one or two new indices; `wanted` is the type it should give, or near.
    pub(super) fn reduction(&mut self, wanted: Option<Elem>) -> Expr {
        let before = self.scope.len();
        let mut axes = Vec::new();
        for _ in 0..self.draw.weighted(&[(75, 1), (25, 2)]) {
            let mut dim = self.extent();
            if self.items() * dim.value(&self.program.sizes) > MOST_ITEMS {
                dim = Dim::constant(self.draw.between(1, 3));
            }
            axes.push(self.index(dim));
        }
        let elem = match wanted {
            Some(Elem::Bool) => Elem::Bool,
            Some(elem) if self.draw.chance(70) => elem,
            Some(_) | None => self.draw.weighted(&super::ELEMS),
        };
        let op = if elem == Elem::Bool {
            self.draw.of(&["any", "all"])
        } else {
            let ops = [
                (50, "sum"),
                (18, "max"),
                (14, "min"),
                (6, "prod"),
                (6, "argmax"),
                (3, "argmin"),
            ];
            self.draw.weighted(&ops)
        };
        self.operations = self.operations.min(4);
        let mask = self.draw.chance(22).then(|| Box::new(self.condition(1)));
        let body = self.item(elem, op);
        self.scope.truncate(before);
        let ordered = matches!(op, "sum" | "prod") && self.draw.chance(25);
        let order = ordered.then(|| {
            self.draw.of(&[
                "ascending",
                "tree",
                "lanes(4)",
                "lanes(8)",
                "lanes(64)",
                "lanes(128)",
            ])
        });
        Expr::Reduce {
            op,
            axes,
            mask,
            order,
            body: Box::new(body),
        }
    }

    /// What a reduction takes: an element, a product of two, or any value.
    fn item(&mut self, elem: Elem, op: &str) -> Expr {
        match self.draw.below(10) {
            0..=2 => self.operand(elem),
            3 | 4 if elem != Elem::Bool => {
                let (a, b) = (self.operand(elem), self.operand(elem));
                Expr::Binary("*", Box::new(a), Box::new(b))
            }
            5 if elem.is_float() && op != "prod" => {
                let a = self.operand(elem);
                Expr::Binary("*", Box::new(a.clone()), Box::new(a))
            }
            _ => self.value(elem, 2),
        }
    }
}

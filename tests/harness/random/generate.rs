//! A program from a seed: sizes, then definitions of several kinds, each typed and in bounds by construction.
//!
//! Parameters come into being where an expression asks for an operand, with dimensions made of the indices in scope. What
//! a kind of definition looks like is here; operands are in `generate/operand.rs`, expressions in `generate/value.rs`.

mod operand;
mod value;

use isa::types::Elem;

use super::draw::Draw;
use super::model::{At, Def, Dim, Expr, Origin, Program, Role, Tensor};
use super::print::size;

/// Element types of operands, the usual ones more often.
const ELEMS: [(u32, Elem); 7] = [
    (30, Elem::F32),
    (25, Elem::F16),
    (12, Elem::Bf16),
    (10, Elem::I32),
    (8, Elem::I8),
    (3, Elem::I16),
    (2, Elem::U8),
];
/// Values of sizes: below, at and above blocks and repeats, most of them ragged.
const SIZES: [i64; 18] = [
    1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 20, 31, 33, 40, 64, 70, 100,
];
/// Most elements of one tensor.
const MOST_ELEMENTS: i64 = 1500;
/// Most items of one definition's reductions.
const MOST_ITEMS: i64 = 12_000;

/// What a definition does.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Kind {
    Elements,
    Rows,
    Product,
    Window,
    Prefix,
    Call,
}

/// A program under construction.
struct Gen {
    draw: Draw,
    program: Program,
    /// Indices that an expression may use.
    scope: Vec<usize>,
    /// Reductions that the current definition may still have.
    reductions: usize,
    /// Operations that the current definition may still have.
    operations: usize,
}

/// The program of a seed.
pub(crate) fn program(seed: u64) -> Program {
    let mut g = Gen {
        draw: Draw::new(seed),
        program: Program {
            sizes: Vec::new(),
            tensors: Vec::new(),
            vars: Vec::new(),
            defs: Vec::new(),
            free: false,
        },
        scope: Vec::new(),
        reductions: 0,
        operations: 0,
    };
    for _ in 0..g.draw.between(2, 4) {
        let size = g.draw.of(&SIZES);
        g.program.sizes.push(size);
    }
    for _ in 0..g.draw.weighted(&[(40, 1), (35, 2), (20, 3), (5, 4)]) {
        g.definition();
    }
    g.program.free = g.draw.chance(6);
    g.finish();
    g.program
}

impl Gen {
    fn definition(&mut self) {
        let kind = self.draw.weighted(&[
            (28, Kind::Elements),
            (26, Kind::Rows),
            (20, Kind::Product),
            (11, Kind::Window),
            (6, Kind::Prefix),
            (9, Kind::Call),
        ]);
        self.scope.clear();
        self.reductions = 0;
        self.operations = self.draw.between(1, 7) as usize;
        match kind {
            Kind::Elements => {
                let left = self.left(0);
                let elem = self.result_elem();
                let value = self.value(elem, 4);
                self.define(&left, value);
            }
            Kind::Rows => self.rows(),
            Kind::Product => self.product(),
            Kind::Window => self.window(),
            Kind::Prefix => self.prefix(),
            Kind::Call => self.call(),
        }
    }

    fn result_elem(&mut self) -> Elem {
        if self.draw.chance(10) {
            Elem::Bool
        } else {
            self.draw.weighted(&ELEMS)
        }
    }

    /// Indices for a left side; `least` dimensions at least.
    fn left(&mut self, least: usize) -> Vec<usize> {
        let rank = self
            .draw
            .weighted(&[(4, 0), (22, 1), (50, 2), (18, 3), (6, 4)])
            .max(least);
        let mut left = Vec::new();
        let mut elements = 1;
        for _ in 0..rank {
            let dim = self.extent();
            let value = dim.value(&self.program.sizes);
            let dim = if elements * value > MOST_ELEMENTS {
                Dim::constant(self.draw.between(1, (MOST_ELEMENTS / elements).clamp(1, 3)))
            } else {
                dim
            };
            elements *= dim.value(&self.program.sizes);
            left.push(self.index(dim));
        }
        left
    }

    /// An extent: mostly a size as it is.
    fn extent(&mut self) -> Dim {
        let size = self.draw.below(self.program.sizes.len());
        match self.draw.below(16) {
            0 => Dim::size(size).times(2),
            1 => Dim::size(size).plus(self.draw.between(1, 3)),
            2 => Dim::constant(self.draw.between(1, 9)),
            _ => Dim::size(size),
        }
    }

    /// A new index in scope.
    fn index(&mut self, dim: Dim) -> usize {
        self.program.vars.push(dim);
        self.scope.push(self.program.vars.len() - 1);
        self.program.vars.len() - 1
    }

    /// Defines a new intermediate by an equation.
    fn define(&mut self, left: &[usize], value: Expr) -> usize {
        let elem = value.elem(&self.program);
        let dims = left
            .iter()
            .map(|&var| self.program.vars[var].clone())
            .collect();
        let target = self.tensor("t", elem, dims, Role::Let);
        let left = left.iter().map(|&var| At::index(var)).collect();
        self.program.defs.push(Def::Equation {
            target,
            parts: vec![(left, value)],
        });
        target
    }

    fn tensor(&mut self, letter: &str, elem: Elem, dims: Vec<Dim>, role: Role) -> usize {
        let name = format!("{letter}{}", self.program.tensors.len());
        let origin = Origin {
            name: name.clone(),
            order: Vec::new(),
            part: None,
        };
        self.program.tensors.push(Tensor {
            name,
            elem,
            dims,
            role,
            origin,
        });
        self.program.tensors.len() - 1
    }

    /// Items of the indices in scope.
    fn items(&self) -> i64 {
        self.scope
            .iter()
            .map(|&var| self.program.vars[var].value(&self.program.sizes))
            .product()
    }

    /// A reduction over one or two new indices, with something after it.
    fn rows(&mut self) {
        let left = self.left(0);
        self.reductions = self.draw.weighted(&[(70, 1), (30, 2)]);
        let reduced = self.reduction(None);
        let value = self.after(reduced);
        self.define(&left, value);
    }

    /// A matrix product, with or without batch, by matrix or vector.
    fn product(&mut self) {
        let elem = self.draw.weighted(&[
            (45, Elem::F16),
            (18, Elem::Bf16),
            (20, Elem::F32),
            (17, Elem::I8),
        ]);
        let batch = self.draw.chance(25).then(|| {
            let dim = Dim::constant(self.draw.between(1, 3));
            self.index(dim)
        });
        let [m, n] = [0, 1].map(|_| {
            let dim = Dim::size(self.draw.below(self.program.sizes.len()));
            self.index(dim)
        });
        let vector = self.draw.chance(12);
        if vector {
            self.scope.retain(|&var| var != n);
        }
        let mut left = self.scope.clone();
        if self.draw.chance(15) {
            left.reverse();
        }
        let mut dim = Dim::size(self.draw.below(self.program.sizes.len()));
        if self.items() * dim.value(&self.program.sizes) > MOST_ITEMS {
            dim = Dim::constant(self.draw.between(1, 9));
        }
        let k = self.index(dim);
        let with = |g: &mut Gen, vars: &[usize], chance| {
            let batch = batch.filter(|_| g.draw.chance(chance));
            let vars: Vec<usize> = batch.into_iter().chain(vars.iter().copied()).collect();
            g.product_operand(elem, &vars)
        };
        let a = with(self, &[m, k], 100);
        let b = if vector {
            with(self, &[k], 50)
        } else {
            with(self, &[k, n], 60)
        };
        let (a, b) = if self.draw.chance(25) { (b, a) } else { (a, b) };
        self.scope.retain(|&var| var != k);
        let order = self
            .draw
            .chance(8)
            .then(|| self.draw.of(&["ascending", "lanes(8)", "tree"]));
        let sum = Expr::Reduce {
            op: "sum",
            axes: vec![k],
            mask: None,
            order,
            body: Box::new(Expr::Binary("*", Box::new(a), Box::new(b))),
        };
        let value = if self.draw.chance(30) {
            sum
        } else {
            self.after(sum)
        };
        self.define(&left, value);
    }

    /// A sliding window: pooling, or a convolution in one or two dimensions.
    fn window(&mut self) {
        let elem = self.draw.weighted(&ELEMS);
        let wide = self.draw.chance(50);
        let mut left = Vec::new();
        if self.draw.chance(60) {
            let dim = Dim::constant(self.draw.between(1, 4));
            left.push(self.index(dim));
        }
        let mut pairs = Vec::new();
        for _ in 0..if wide { 2 } else { 1 } {
            let mut dim = self.extent();
            if self.items() * dim.value(&self.program.sizes) > 600 {
                dim = Dim::constant(self.draw.between(1, 6));
            }
            left.push(self.index(dim));
            pairs.push((left[left.len() - 1], self.draw.between(1, 4)));
        }
        let axes: Vec<usize> = pairs
            .iter()
            .map(|&(_, width)| self.index(Dim::constant(width)))
            .collect();
        let mut at = Vec::new();
        let mut dims = Vec::new();
        let border = self.draw.chance(45);
        for (&(var, width), &axis) in pairs.iter().zip(&axes) {
            let (stride, dilation) = (
                self.draw.weighted(&[(6, 1), (3, 2), (1, 3)]),
                self.draw.weighted(&[(8, 1), (2, 2)]),
            );
            let dim = self.program.vars[var].clone();
            let terms = vec![
                (Dim::constant(stride), var),
                (Dim::constant(dilation), axis),
            ];
            let reach = dilation * (width - 1);
            if border {
                at.push(At::Sum(terms, Dim::constant(-self.draw.between(0, reach))));
                dims.push(dim.times(stride));
            } else {
                at.push(At::Sum(terms, Dim::constant(0)));
                dims.push(dim.times(stride).plus(reach));
            }
        }
        if left.len() > pairs.len() && self.draw.chance(60) {
            at.insert(0, At::index(left[0]));
            dims.insert(0, self.program.vars[left[0]].clone());
        }
        let tensor = self.tensor("a", elem, dims, Role::Param);
        let border = border.then(|| Box::new(self.literal(elem)));
        let mut body = Expr::Load { tensor, at, border };
        let op = if elem.is_float() {
            self.draw.of(&["sum", "sum", "max", "min"])
        } else {
            self.draw.of(&["sum", "max", "min"])
        };
        if op == "sum" && self.draw.chance(60) {
            let mut vars = axes.clone();
            if self.draw.chance(40) {
                vars.insert(0, left[0]);
            }
            body = Expr::Binary("*", Box::new(body), Box::new(self.fresh(elem, &vars)));
        }
        self.scope.retain(|var| !axes.contains(var));
        let reduced = Expr::Reduce {
            op,
            axes,
            mask: None,
            order: None,
            body: Box::new(body),
        };
        let value = if self.draw.chance(50) {
            reduced
        } else {
            self.after(reduced)
        };
        self.define(&left, value);
    }

    /// A prefix along one index of the left side.
    fn prefix(&mut self) {
        let left = self.left(1);
        let axis = self.draw.of(&left);
        let op = self
            .draw
            .of(&["sum", "sum", "max", "min", "prod", "any", "argmax"]);
        let elem = match op {
            "any" => Elem::Bool,
            "prod" => Elem::F32,
            _ => self.draw.of(&[
                Elem::F32,
                Elem::F32,
                Elem::F16,
                Elem::I32,
                Elem::I8,
                Elem::Bf16,
            ]),
        };
        self.operations = self.operations.min(2);
        let body = Box::new(self.value(elem, 2));
        let value = Expr::Scan { op, axis, body };
        let value = if self.draw.chance(60) {
            value
        } else {
            self.after(value)
        };
        self.define(&left, value);
    }

    /// Something after a reduction, or nothing: arithmetic with an operand, a function, a conversion.
    fn after(&mut self, value: Expr) -> Expr {
        let mut value = value;
        for _ in 0..self.draw.between(0, 2) {
            let elem = value.elem(&self.program);
            value = match self.draw.below(5) {
                0 => self.converted(value),
                1 if elem.is_float() => self.function(value),
                2 if elem == Elem::Bool => Expr::Unary("!", Box::new(value)),
                _ if elem == Elem::Bool => {
                    let other = self.operand(Elem::Bool);
                    Expr::Binary(
                        self.draw.of(&["&&", "||", "=="]),
                        Box::new(value),
                        Box::new(other),
                    )
                }
                3 => {
                    let other = if self.draw.chance(40) {
                        self.literal(elem)
                    } else {
                        self.operand(elem)
                    };
                    Expr::Call(self.draw.of(&["max", "min"]), vec![value, other])
                }
                _ => {
                    let other = if self.draw.chance(30) {
                        self.literal(elem)
                    } else {
                        self.operand(elem)
                    };
                    Expr::Binary(
                        self.draw.of(&["+", "-", "*"]),
                        Box::new(value),
                        Box::new(other),
                    )
                }
            };
        }
        value
    }

    /// A whole-tensor call.
    fn call(&mut self) {
        match self.draw.below(4) {
            0 => self.ordered("sort"),
            1 => self.ordered("topk"),
            2 => self.scattered(),
            _ => self.folded(),
        }
    }

    /// `sort` or `topk` of a new parameter.
    fn ordered(&mut self, what: &str) {
        let elem = self
            .draw
            .of(&[Elem::F32, Elem::F32, Elem::F16, Elem::I32, Elem::I8]);
        let mut dims = vec![Dim::size(self.draw.below(self.program.sizes.len()))];
        if self.draw.chance(70) {
            dims.insert(0, Dim::constant(self.draw.between(1, 5)));
        }
        let last = dims[dims.len() - 1].value(&self.program.sizes);
        let count = self.draw.between(1, last.min(9));
        let x = self.tensor("a", elem, dims.clone(), Role::Param);
        if what == "topk" {
            dims.pop();
            dims.push(Dim::constant(count));
        }
        let values = self.tensor("t", elem, dims.clone(), Role::Let);
        let places = self.tensor("t", Elem::I32, dims, Role::Let);
        let name = |tensor: usize| self.program.tensors[tensor].name.clone();
        let more = if what == "topk" {
            format!(", K: {count}")
        } else {
            String::new()
        };
        let text = format!(
            "    let ({}, {}) = {what}({}{more});\n",
            name(values),
            name(places),
            name(x)
        );
        let targets = vec![values, places];
        self.program.defs.push(Def::Statement {
            targets,
            uses: vec![x],
            text,
            free: false,
        });
    }

    /// Rows put into a copy of a table where data says.
    fn scattered(&mut self) {
        let elem = self.draw.of(&[Elem::F32, Elem::F16, Elem::I32]);
        let rows = Dim::size(self.draw.below(self.program.sizes.len()));
        let many = Dim::size(self.draw.below(self.program.sizes.len()));
        let cols = Dim::size(self.draw.below(self.program.sizes.len()));
        let [rows, many, cols] = [rows, many, cols].map(|dim| {
            let large = dim.value(&self.program.sizes) > 40;
            if large {
                Dim::constant(self.draw.between(1, 12))
            } else {
                dim
            }
        });
        let base = self.tensor("a", elem, vec![rows.clone(), cols.clone()], Role::Param);
        let at = self.tensor("a", Elem::I32, vec![many.clone()], Role::Param);
        let src = self.tensor("a", elem, vec![many, cols.clone()], Role::Param);
        let put = self.tensor("t", elem, vec![rows.clone(), cols], Role::Let);
        let name = |tensor: usize| self.program.tensors[tensor].name.clone();
        let op = self.draw.of(&["set", "add", "max", "min"]);
        let text = format!(
            "    let at{put}[i] = abs({}[i]) % (({}) as i32);\n    let {} = scatter({}, at{put}, {}, op: {op});\n",
            name(at),
            size(&rows),
            name(put),
            name(base),
            name(src)
        );
        let uses = vec![base, at, src];
        self.program.defs.push(Def::Statement {
            targets: vec![put],
            uses,
            text,
            free: false,
        });
    }

    /// A fold with a monoid of the prelude.
    fn folded(&mut self) {
        let [rows, items] = [0, 1].map(|_| Dim::size(self.draw.below(self.program.sizes.len())));
        let x = self.tensor(
            "a",
            Elem::F32,
            vec![rows.clone(), items.clone()],
            Role::Param,
        );
        let order = self.draw.of(&[
            "",
            ", order: blocks(8)",
            ", order: blocks(16)",
            ", order: blocks(5)",
        ]);
        let mask = self.draw.of(&["", "", " where j <= 3*i + 1"]);
        let mut uses = vec![x];
        let name = |g: &Gen, tensor: usize| g.program.tensors[tensor].name.clone();
        let read = name(self, x);
        let (dims, head, value) = match self.draw.below(3) {
            0 => (
                vec![rows],
                format!("logsumexp({read}[i, j])"),
                "[i] = s.m + log(s.l)",
            ),
            1 => (
                vec![rows],
                format!("welford({read}[i, j])"),
                "[i] = s.m2 / s.n",
            ),
            _ => {
                let cols = Dim::constant(self.draw.between(1, 20));
                let v = self.tensor("a", Elem::F16, vec![items, cols.clone()], Role::Param);
                uses.push(v);
                let head = format!(
                    "attend<{}>({read}[i, j], {}[j, :])",
                    size(&cols),
                    name(self, v)
                );
                (vec![rows, cols], head, "[i, d] = s.o[d] / s.l")
            }
        };
        let target = self.tensor("t", Elem::F32, dims, Role::Let);
        let state = format!("s{target}");
        let value = value.replace("s.", &format!("{state}[i]."));
        let target_name = name(self, target);
        let text = format!(
            "    let {state}[i] = fold(j{mask}{order}) {head};\n    let {target_name}{value};\n"
        );
        let free = order.is_empty();
        self.program.defs.push(Def::Statement {
            targets: vec![target],
            uses,
            text,
            free,
        });
    }

    /// What nothing reads becomes a result.
    fn finish(&mut self) {
        finish(&mut self.program, &mut self.draw);
    }
}

/// Makes results of what no definition reads, and sometimes of more.
fn finish(program: &mut Program, draw: &mut Draw) {
    let read: Vec<usize> = program.defs.iter().flat_map(Def::reads).collect();
    let mut made = Vec::new();
    for def in &program.defs {
        for &target in def.targets() {
            let plain = matches!(def, Def::Equation { .. });
            if !read.contains(&target) || (plain && draw.chance(15)) {
                made.push((target, plain));
            }
        }
    }
    for (target, plain) in made {
        if plain {
            program.tensors[target].role = Role::Result;
            continue;
        }
        // Whole-tensor statements define intermediates; a copy makes a result of one.
        let Tensor {
            name, elem, dims, ..
        } = program.tensors[target].clone();
        let copy = format!("y{name}");
        let origin = Origin {
            name: copy.clone(),
            order: Vec::new(),
            part: None,
        };
        program.tensors.push(Tensor {
            name: copy,
            elem,
            dims: dims.clone(),
            role: Role::Result,
            origin,
        });
        let vars: Vec<usize> = dims
            .iter()
            .map(|dim| {
                program.vars.push(dim.clone());
                program.vars.len() - 1
            })
            .collect();
        let at: Vec<At> = vars.iter().map(|&var| At::index(var)).collect();
        let value = Expr::Load {
            tensor: target,
            at: at.clone(),
            border: None,
        };
        program.defs.push(Def::Equation {
            target: program.tensors.len() - 1,
            parts: vec![(at, value)],
        });
    }
}

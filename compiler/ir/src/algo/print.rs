//! The canonical text of a function, near the language's own syntax.
//!
//! Everything that fixes bits is written out: types, extents, roundings other than to nearest even, overflow other than
//! saturation, the order of every sum and product, and `exact` where products are not rounded. A node with several
//! users is named once, in the innermost scope that binds its indices, so the text never grows beyond the arena.
//! Names are the author's; where two would meet, the later one gets a number. Assumes a verified function.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use isa::types::Elem;

use super::facts::Facts;
use super::{
    Affine, Atom, BinaryOp, CmpOp, Def, Expr, ExprData, ExprKind, Func, Index, Order, Overflow,
    Reduce, ReduceOp, Role, Round, Tensor, UnaryOp,
};

/// Prints a function.
pub fn print(func: &Func) -> String {
    let mut printer = Printer {
        func,
        facts: Facts::new(func),
        tensors: tensor_names(func),
        indices: BTreeMap::new(),
        named: BTreeSet::new(),
    };
    let mut text = printer.header();
    for def in &func.defs {
        text.push_str(&printer.definition(def));
    }
    text.push_str("}\n");
    text
}

/// How tightly an expression binds, tightest first.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Atom,
    Prefix,
    Cast,
    Product,
    Sum,
    Comparison,
    Conjunction,
    Disjunction,
    Open,
}

struct Printer<'f> {
    func: &'f Func,
    facts: Facts,
    tensors: BTreeMap<Tensor, String>,
    /// Indices in scope.
    indices: BTreeMap<Index, String>,
    /// Nodes with several users that have a name in scope.
    named: BTreeSet<Expr>,
}

fn tensor_names(func: &Func) -> BTreeMap<Tensor, String> {
    let mut taken = BTreeSet::new();
    func.tensors
        .iter()
        .map(|(tensor, data)| (tensor, distinct(&data.name, &mut taken)))
        .collect()
}

/// The name, or the name with the least number that nothing else has.
fn distinct(name: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2u64..).map(|number| format!("{name}_{number}"));
    let candidates = std::iter::once(name.to_string()).chain(numbered);
    let free = candidates
        .into_iter()
        .find(|candidate| !taken.contains(candidate));
    let chosen = free.unwrap_or_default();
    taken.insert(chosen.clone());
    chosen
}

impl Printer<'_> {
    fn header(&self) -> String {
        let func = self.func;
        let sizes: Vec<String> = func
            .sizes
            .iter()
            .map(|(name, value)| match func.symbols.is_symbolic(*value) {
                true => name.clone(),
                false => format!("{name} = {value}"),
            })
            .collect();
        let sizes = if sizes.is_empty() {
            String::new()
        } else {
            format!("<{}>", sizes.join(", "))
        };
        let free = if func.order_free { " order free" } else { "" };
        let (params, results) = (
            self.tensor_list(&func.params),
            self.tensor_list(&func.results),
        );
        format!(
            "kernel {}{sizes}({params}) -> ({results}){free} {{\n",
            func.name
        )
    }

    fn tensor_list(&self, tensors: &[Tensor]) -> String {
        let one = |&tensor: &Tensor| {
            let data = &self.func.tensors[tensor];
            let shape = data.shape.iter().map(|&n| self.func.symbols.show(n));
            let shape: Vec<String> = shape.collect();
            let shape = if shape.is_empty() {
                String::new()
            } else {
                format!("[{}]", shape.join(", "))
            };
            format!("{}: {}{shape}", self.tensors[&tensor], data.elem)
        };
        tensors.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn definition(&mut self, def: &Def) -> String {
        let target = &self.func.tensors[def.target];
        self.indices.clear();
        self.named.clear();
        let indices = self.bind(&def.indices);
        let word = if target.role == Role::Let { "let " } else { "" };
        let left = if indices.is_empty() {
            String::new()
        } else {
            format!("[{}]", indices.join(", "))
        };
        let names = self.name_shared(&[def.value]);
        let value = self.expr(def.value, Level::Open);
        let value = match names.is_empty() {
            true => value,
            false => {
                let lines: String = names
                    .iter()
                    .map(|line| format!("        {line}\n"))
                    .collect();
                format!("{{\n{lines}        {value}\n    }}")
            }
        };
        format!(
            "    {word}{}{left}: {} = {value};\n",
            self.tensors[&def.target], target.elem
        )
    }

    /// Brings indices into scope; gives each with its extent.
    fn bind(&mut self, indices: &[Index]) -> Vec<String> {
        let mut taken: BTreeSet<String> = self.indices.values().cloned().collect();
        let mut bound = Vec::new();
        for &index in indices {
            let data = &self.func.indices[index];
            let name = distinct(&data.name, &mut taken);
            bound.push(format!("{name}: {}", self.func.symbols.show(data.extent)));
            self.indices.insert(index, name);
        }
        bound
    }

    /// Names the nodes below `roots` that have several users and whose indices are in scope.
    fn name_shared(&mut self, roots: &[Expr]) -> Vec<String> {
        let nodes: BTreeSet<Expr> = roots
            .iter()
            .flat_map(|&root| self.func.reachable(root))
            .collect();
        let mut lines = Vec::new();
        for expr in nodes {
            let in_scope = self
                .facts
                .free(expr)
                .iter()
                .all(|i| self.indices.contains_key(i));
            let data = &self.func.exprs[expr];
            if self.named.contains(&expr) || !self.worth_a_name(expr, data) || !in_scope {
                continue;
            }
            let value = self.expr(expr, Level::Open);
            lines.push(format!("{expr}: {} = {value};", data.elem));
            self.named.insert(expr);
        }
        lines
    }

    fn worth_a_name(&self, expr: Expr, data: &ExprData) -> bool {
        let brief = match &data.kind {
            ExprKind::Float(_) | ExprKind::Int(_) | ExprKind::Index(_) => true,
            ExprKind::Load { border, .. } => border.is_none(),
            ExprKind::Gather { .. }
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Select(..)
            | ExprKind::Cast { .. }
            | ExprKind::Reduce(_) => false,
        };
        self.facts.shared(expr) && !brief
    }

    /// The text of an expression, in parentheses if it binds less tightly than `limit`.
    fn expr(&mut self, expr: Expr, limit: Level) -> String {
        if self.named.contains(&expr) {
            return expr.to_string();
        }
        let (text, level) = self.node(&self.func.exprs[expr]);
        if level > limit {
            format!("({text})")
        } else {
            text
        }
    }

    fn node(&mut self, data: &ExprData) -> (String, Level) {
        match &data.kind {
            ExprKind::Float(x) => float(*x, data.elem),
            ExprKind::Int(x) if self.func.symbols.is_symbolic(*x) => {
                (self.func.symbols.show(*x), Level::Product)
            }
            ExprKind::Int(x) => int(*x, data.elem),
            ExprKind::Index(index) => (self.index(*index), Level::Atom),
            ExprKind::Load { tensor, at, border } => {
                let access = self.access(*tensor, at);
                match border {
                    Some(border) => {
                        let border = self.expr(*border, Level::Open);
                        (format!("({access} else {border})"), Level::Atom)
                    }
                    None => (access, Level::Atom),
                }
            }
            ExprKind::Gather {
                tensor,
                index,
                dim,
                at,
                border,
            } => {
                let access = self.gather(*tensor, (*index, *dim), at);
                match border {
                    Some(border) => {
                        let border = self.expr(*border, Level::Open);
                        (format!("({access} else {border})"), Level::Atom)
                    }
                    None => (access, Level::Atom),
                }
            }
            ExprKind::Unary(op, a) => self.unary(*op, *a),
            ExprKind::Binary(op, a, b) => self.binary(*op, data.elem, *a, *b),
            ExprKind::Compare(op, a, b) => {
                let (a, b) = (self.expr(*a, Level::Sum), self.expr(*b, Level::Sum));
                (format!("{a} {} {b}", comparison(*op)), Level::Comparison)
            }
            ExprKind::Select(condition, a, b) => {
                let condition = self.expr(*condition, Level::Disjunction);
                let (a, b) = (
                    self.expr(*a, Level::Disjunction),
                    self.expr(*b, Level::Open),
                );
                (format!("if {condition} then {a} else {b}"), Level::Open)
            }
            ExprKind::Cast {
                value,
                round,
                overflow,
            } => {
                let value = self.expr(*value, Level::Cast);
                let mode = cast_mode(*round, *overflow);
                (format!("{value} as {}{mode}", data.elem), Level::Cast)
            }
            ExprKind::Reduce(reduce) => (self.reduction(reduce), Level::Open),
        }
    }

    fn unary(&mut self, op: UnaryOp, a: Expr) -> (String, Level) {
        let call = match op {
            UnaryOp::Neg => return (format!("-{}", self.expr(a, Level::Atom)), Level::Prefix),
            UnaryOp::Not => return (format!("!{}", self.expr(a, Level::Prefix)), Level::Prefix),
            UnaryOp::Abs => "abs",
            UnaryOp::Exp => "exp",
            UnaryOp::Ln => "log",
            UnaryOp::Sqrt => "sqrt",
            UnaryOp::Hf32 => {
                return (
                    format!("{} as hf32", self.expr(a, Level::Cast)),
                    Level::Cast,
                );
            }
            UnaryOp::BitNot => "bit_not",
            UnaryOp::Round(Round::Even) => "round",
            UnaryOp::Round(Round::Away) => "round_away",
            UnaryOp::Round(Round::Floor) => "floor",
            UnaryOp::Round(Round::Ceil) => "ceil",
            UnaryOp::Round(Round::Trunc) => "trunc",
            UnaryOp::Round(Round::Odd) => "round_odd",
        };
        (
            format!("{call}({})", self.expr(a, Level::Open)),
            Level::Atom,
        )
    }

    fn binary(&mut self, op: BinaryOp, elem: Elem, a: Expr, b: Expr) -> (String, Level) {
        let (word, level, tighter) = match (op, elem) {
            (BinaryOp::Add, _) => ("+", Level::Sum, Level::Product),
            (BinaryOp::Sub, _) => ("-", Level::Sum, Level::Product),
            (BinaryOp::Mul, _) => ("*", Level::Product, Level::Cast),
            (BinaryOp::Div, _) => ("/", Level::Product, Level::Cast),
            (BinaryOp::Rem, _) => ("%", Level::Product, Level::Cast),
            (BinaryOp::And, Elem::Bool) => ("&&", Level::Conjunction, Level::Comparison),
            (BinaryOp::Or, Elem::Bool) => ("||", Level::Disjunction, Level::Conjunction),
            (BinaryOp::Xor, Elem::Bool) => ("!=", Level::Comparison, Level::Sum),
            (BinaryOp::Max, _) => return self.call("max", a, b),
            (BinaryOp::Min, _) => return self.call("min", a, b),
            (BinaryOp::And, _) => return self.call("bit_and", a, b),
            (BinaryOp::Or, _) => return self.call("bit_or", a, b),
            (BinaryOp::Xor, _) => return self.call("bit_xor", a, b),
            (BinaryOp::Shl, _) => return self.call("shl", a, b),
            (BinaryOp::Shr, _) => return self.call("shr", a, b),
        };
        // Comparisons do not chain; the others associate to the left.
        let left = if level == Level::Comparison {
            tighter
        } else {
            level
        };
        let (a, b) = (self.expr(a, left), self.expr(b, tighter));
        (format!("{a} {word} {b}"), level)
    }

    fn call(&mut self, name: &str, a: Expr, b: Expr) -> (String, Level) {
        let (a, b) = (self.expr(a, Level::Open), self.expr(b, Level::Open));
        (format!("{name}({a}, {b})"), Level::Atom)
    }

    fn reduction(&mut self, reduce: &Reduce) -> String {
        let outer = self.named.clone();
        let mut head = self.bind(&reduce.axes).join(", ");
        let roots: Vec<Expr> = reduce.mask.into_iter().chain([reduce.body]).collect();
        let names = self.name_shared(&roots);
        if let Some(mask) = reduce.mask {
            let mask = self.expr(mask, Level::Disjunction);
            let _ = write!(head, " where {mask}");
        }
        head.push_str(&order(reduce));
        let body = if names.is_empty() {
            let body = self.expr(reduce.body, Level::Product);
            if body.starts_with('-') {
                format!("({body})")
            } else {
                body
            }
        } else {
            let body = self.expr(reduce.body, Level::Open);
            format!("{{ {} {body} }}", names.join(" "))
        };
        self.named = outer;
        for axis in &reduce.axes {
            self.indices.remove(axis);
        }
        format!("{}({head}) {body}", reduce.op.name())
    }

    fn access(&self, tensor: Tensor, at: &[Affine]) -> String {
        let at: Vec<String> = at.iter().map(|affine| self.affine(affine)).collect();
        let brackets = if at.is_empty() {
            String::new()
        } else {
            format!("[{}]", at.join(", "))
        };
        format!("{}{brackets}", self.tensors[&tensor])
    }

    /// `gather(t[h, :, :], i)[d]`: the dimension that data indexes is the first of those left open.
    fn gather(&mut self, tensor: Tensor, (index, dim): (Expr, usize), at: &[Affine]) -> String {
        let index = self.expr(index, Level::Open);
        let name = self.tensors[&tensor].clone();
        let texts: Vec<String> = at.iter().map(|affine| self.affine(affine)).collect();
        let (before, rest) = texts.split_at(dim.min(texts.len()));
        let (base, behind) = rest
            .split_first()
            .map_or(("0", rest), |(b, r)| (b.as_str(), r));
        let open = before.iter().map(String::as_str);
        let open: Vec<&str> = open.chain(rest.iter().map(|_| ":")).collect();
        let table = if dim == 0 {
            name
        } else {
            format!("{name}[{}]", open.join(", "))
        };
        let index = if base == "0" {
            index
        } else {
            format!("{base} + {index}")
        };
        let brackets = if behind.is_empty() {
            String::new()
        } else {
            format!("[{}]", behind.join(", "))
        };
        format!("gather({table}, {index}){brackets}")
    }

    fn index(&self, index: Index) -> String {
        self.indices
            .get(&index)
            .cloned()
            .unwrap_or_else(|| index.to_string())
    }

    fn affine(&self, affine: &Affine) -> String {
        let mut text = String::new();
        for (coefficient, atom) in &affine.terms {
            let sign = if *coefficient < 0 { "-" } else { "+" };
            match (text.is_empty(), sign) {
                (true, "+") => {}
                (true, _) => text.push('-'),
                (false, _) => {
                    let _ = write!(text, " {sign} ");
                }
            }
            if coefficient.unsigned_abs() != 1 {
                let _ = write!(text, "{} * ", self.number(coefficient.unsigned_abs()));
            }
            text.push_str(&self.atom(atom));
        }
        match (affine.constant, text.is_empty()) {
            (constant, true) if constant < 0 => {
                format!("-{}", self.number(constant.unsigned_abs()))
            }
            (constant, true) => self.number(constant.unsigned_abs()),
            (0, false) => text,
            (constant, false) => {
                let sign = if constant < 0 { '-' } else { '+' };
                format!("{text} {sign} {}", self.number(constant.unsigned_abs()))
            }
        }
    }

    /// A number, with the names of symbolic sizes in it.
    fn number(&self, number: u64) -> String {
        let symbols = &self.func.symbols;
        i64::try_from(number).map_or_else(|_| number.to_string(), |n| symbols.show(n))
    }

    fn atom(&self, atom: &Atom) -> String {
        let operand = |inner: &Affine| match inner.as_index() {
            Some(index) => self.index(index),
            None => format!("({})", self.affine(inner)),
        };
        match atom {
            Atom::Index(index) => self.index(*index),
            Atom::Div(inner, by) => {
                format!("({} / {})", operand(inner), self.number(by.unsigned_abs()))
            }
            Atom::Mod(inner, by) => {
                format!("({} % {})", operand(inner), self.number(by.unsigned_abs()))
            }
            Atom::Clamp(inner, low, high) => {
                format!("clamp({}, {low}, {high})", self.affine(inner))
            }
        }
    }
}

fn float(x: f64, elem: Elem) -> (String, Level) {
    let magnitude = match elem {
        Elem::F32 => format!("{:?}", x.abs() as f32),
        Elem::F16
        | Elem::Bf16
        | Elem::I64
        | Elem::I32
        | Elem::I16
        | Elem::I8
        | Elem::U8
        | Elem::Bool => format!("{:?}", x.abs()),
    };
    let magnitude = if x.is_nan() {
        "nan".to_string()
    } else {
        magnitude
    };
    let negative = x.is_sign_negative() && !x.is_nan();
    let (text, level) = match negative {
        true => (format!("-{magnitude}"), Level::Prefix),
        false => (magnitude, Level::Atom),
    };
    if elem == Elem::F32 {
        (text, level)
    } else {
        (format!("{text} as {elem}"), Level::Cast)
    }
}

fn int(x: i64, elem: Elem) -> (String, Level) {
    match elem {
        Elem::Bool => ((if x != 0 { "true" } else { "false" }).into(), Level::Atom),
        Elem::I32 if x < 0 => (x.to_string(), Level::Prefix),
        Elem::I32 => (x.to_string(), Level::Atom),
        Elem::I64 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::F32 | Elem::F16 | Elem::Bf16 => {
            (format!("{x} as {elem}"), Level::Cast)
        }
    }
}

fn comparison(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "==",
        CmpOp::Ne => "!=",
        CmpOp::Lt => "<",
        CmpOp::Le => "<=",
        CmpOp::Gt => ">",
        CmpOp::Ge => ">=",
    }
}

fn cast_mode(round: Round, overflow: Overflow) -> String {
    let round = match round {
        Round::Even => "",
        Round::Away => " round away",
        Round::Floor => " round floor",
        Round::Ceil => " round ceil",
        Round::Trunc => " round trunc",
        Round::Odd => " round odd",
    };
    let overflow = match overflow {
        Overflow::Saturate => "",
        Overflow::Keep => " inf",
        Overflow::Wrap => " wrap",
    };
    format!("{round}{overflow}")
}

/// The order, where there is one, and the mark of exact products.
fn order(reduce: &Reduce) -> String {
    let ordered = matches!(reduce.op, ReduceOp::Sum | ReduceOp::Prod);
    let order = match (ordered, reduce.order) {
        (false, _) => String::new(),
        (true, Order::Ascending) => ", order: ascending".into(),
        (true, Order::Lanes(n)) => format!(", order: lanes({n})"),
        (true, Order::Tree) => ", order: tree".into(),
        (true, Order::Free) => ", order: free".into(),
    };
    let exact = if reduce.exact_product { ", exact" } else { "" };
    format!("{order}{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algo::sample::{Builder, matrix_product};

    #[test]
    fn a_matrix_product_reads_like_its_source() {
        let mut func = matrix_product(Elem::F16, 2, 3, 4);
        func.sizes = vec![("M".into(), 2), ("K".into(), 3)];
        let expected = "\
kernel gemm<M = 2, K = 3>(a: f16[2, 3], b: f16[3, 4]) -> (y: f32[2, 4]) {
    y[m: 2, n: 4]: f32 = sum(k: 3, order: ascending, exact) a[m, k] * b[k, n];
}
";
        assert_eq!(print(&func), expected);
    }

    #[test]
    fn sharing_masks_borders_and_casts_are_written_out() {
        let mut b = Builder::new("f");
        let x = b.param("x", Elem::F32, &[8]);
        let (i, j) = (b.index("i", 8), b.index("i", 8));
        let mut before = Affine::index(j);
        before.constant = -1;
        let zero = b.float(Elem::F32, 0.0);
        let load = b.load_at(x, &[before], Some(zero));
        let here = b.load(x, &[i]);
        let difference = b.binary(BinaryOp::Sub, load, here);
        let square = b.binary(BinaryOp::Mul, difference, difference);
        let (vi, vj) = (b.value_of(i), b.value_of(j));
        let mask = b.compare(CmpOp::Le, vj, vi);
        let sum = b.reduce(ReduceOp::Sum, &[j], Some(mask), square, Order::Lanes(64));
        let negative = b.unary(UnaryOp::Neg, sum);
        let value = b.cast_as(negative, Elem::F16, Round::Floor, Overflow::Keep);
        b.result("y", &[i], value);
        let expected = "\
kernel f(x: f32[8]) -> (y: f16[8]) {
    y[i: 8]: f16 = -(sum(i_2: 8 where i_2 <= i, order: lanes(64)) \
{ e3: f32 = (x[i_2 - 1] else 0.0) - x[i]; e3 * e3 }) as f16 round floor inf;
}
";
        assert_eq!(print(&b.func), expected);
    }
}

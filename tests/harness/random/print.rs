//! Text of a program: what the compiler is given, and what a failure leaves in a file.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a walk looks for one kind of node among many"
)]

use std::fmt::Write as _;

use isa::types::Elem;

use super::model::{At, Def, Dim, Expr, Program, Role, SIZE_NAMES, Tensor};

/// Names of indices in the order in which a definition binds them.
const INDEX_NAMES: [&str; 16] = [
    "i", "j", "k", "l", "p", "q", "r", "s", "u", "v", "w", "b", "c", "d", "e", "g",
];

/// The kernel's text with its `//! shape:` line.
pub(crate) fn print(program: &Program) -> String {
    let used = used_sizes(program);
    let mut text = String::new();
    let sizes: Vec<&str> = used.iter().map(|&size| SIZE_NAMES[size]).collect();
    if !used.is_empty() {
        let values = used
            .iter()
            .map(|&size| format!(" {}={}", SIZE_NAMES[size], program.sizes[size]));
        writeln!(text, "//! shape:{}\n", values.collect::<String>()).expect("strings take all");
    }
    let generics = if sizes.is_empty() {
        String::new()
    } else {
        format!("<{}>", sizes.join(", "))
    };
    let list = |role| {
        let tensors = program.tensors.iter().filter(move |t| t.role == role);
        tensors.map(declared).collect::<Vec<_>>().join(", ")
    };
    let free = if program.free { " order free" } else { "" };
    let (params, results) = (list(Role::Param), list(Role::Result));
    writeln!(
        text,
        "pub kernel random{generics}({params}) -> ({results}){free} {{"
    )
    .expect("strings take all");
    for def in &program.defs {
        text.push_str(&definition(program, def));
    }
    text.push_str("}\n");
    text
}

/// Sizes that a parameter's shape mentions: the others nothing could bind.
fn used_sizes(program: &Program) -> Vec<usize> {
    let text: String = program.tensors.iter().map(declared).collect();
    let whole: String = program
        .defs
        .iter()
        .map(|def| definition(program, def))
        .collect();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let has = |text: &str, name: &str| text.split(|c| !is_part(c)).any(|word| word == name);
    let named = (0..program.sizes.len())
        .filter(|&s| has(&text, SIZE_NAMES[s]) || has(&whole, SIZE_NAMES[s]));
    named.collect()
}

/// `a0: f16[M, N]`.
fn declared(tensor: &Tensor) -> String {
    let dims: Vec<String> = tensor.dims.iter().map(size).collect();
    let shape = if dims.is_empty() {
        String::new()
    } else {
        format!("[{}]", dims.join(", "))
    };
    format!("{}: {}{shape}", tensor.name, tensor.elem.name())
}

/// A size: `2*M + 1`.
pub(crate) fn size(dim: &Dim) -> String {
    let mut text = String::new();
    for (factor, sizes) in &dim.terms {
        let names: Vec<&str> = sizes.iter().map(|&size| SIZE_NAMES[size]).collect();
        let product = match factor.abs() {
            1 => names.join("*"),
            many => format!("{many}*{}", names.join("*")),
        };
        add(&mut text, *factor < 0, &product);
    }
    if dim.add != 0 || text.is_empty() {
        add(&mut text, dim.add < 0, &dim.add.abs().to_string());
    }
    text
}

/// Appends a term.
fn add(text: &mut String, negative: bool, term: &str) {
    match (text.is_empty(), negative) {
        (true, false) => {}
        (true, true) => text.push('-'),
        (false, false) => text.push_str(" + "),
        (false, true) => text.push_str(" - "),
    }
    text.push_str(term);
}

fn definition(program: &Program, def: &Def) -> String {
    let (target, parts) = match def {
        Def::Statement { text, .. } => return text.clone(),
        Def::Equation { target, parts } => (&program.tensors[*target], parts),
    };
    let mut text = String::new();
    for (left, value) in parts {
        let mut names = Names {
            program,
            value,
            bound: Vec::new(),
        };
        let places: Vec<String> = left.iter().map(|at| names.left(at, target.role)).collect();
        let places = if places.is_empty() {
            String::new()
        } else {
            format!("[{}]", places.join(", "))
        };
        let word = if target.role == Role::Let { "let " } else { "" };
        let value = names.expr(value, false);
        writeln!(text, "    {word}{}{places} = {value};", target.name).expect("strings take all");
    }
    text
}

/// Names of one definition's indices, given when they are met first.
struct Names<'a> {
    program: &'a Program,
    value: &'a Expr,
    bound: Vec<usize>,
}

impl Names<'_> {
    fn name(&mut self, var: usize) -> &'static str {
        let known = self.bound.iter().position(|&bound| bound == var);
        let place = known.unwrap_or_else(|| {
            self.bound.push(var);
            self.bound.len() - 1
        });
        INDEX_NAMES.get(place).copied().unwrap_or("z")
    }

    /// A coordinate of a left side; an intermediate's index has an extent if nothing else gives one.
    fn left(&mut self, at: &At, role: Role) -> String {
        let text = self.at(at);
        match at.alone() {
            Some(var) if role == Role::Let => text + &self.extent(var),
            Some(_) | None => text,
        }
    }

    /// `: M` where the index stands alone in no access.
    fn extent(&self, var: usize) -> String {
        let mut alone = false;
        self.value.visit(&mut |e| match e {
            Expr::Load {
                at, border: None, ..
            }
            | Expr::Gather {
                at, border: None, ..
            } => {
                alone |= at.iter().any(|at| at.alone() == Some(var));
            }
            _ => {}
        });
        if alone {
            String::new()
        } else {
            format!(": {}", size(&self.program.vars[var]))
        }
    }

    fn at(&mut self, at: &At) -> String {
        match at {
            At::Sum(terms, constant) => {
                let mut text = String::new();
                for (factor, var) in terms {
                    let name = self.name(*var);
                    if *factor == Dim::constant(0) {
                        text.push_str(" + 0");
                    } else if factor.terms.is_empty() && factor.add.abs() == 1 {
                        add(&mut text, factor.add < 0, name);
                    } else {
                        add(&mut text, false, &format!("{}*{name}", wrapped(factor)));
                    }
                }
                self.constant(&mut text, constant);
                text
            }
            At::Div(var, by) => format!("{} / {}", self.name(*var), wrapped(by)),
            At::Mod(var, by) => format!("{} % {}", self.name(*var), wrapped(by)),
            At::Clamp(var, shift, of) => {
                let index = self.at(&At::shifted(*var, *shift));
                format!("clamp({index}, 0, {})", size(&of.plus(-1)))
            }
        }
    }

    fn constant(&self, text: &mut String, constant: &Dim) {
        if text.is_empty() {
            text.push_str(&size(constant));
        } else if *constant != Dim::constant(0) {
            let more = size(constant);
            match more.strip_prefix('-') {
                Some(less) if constant.terms.is_empty() => add(text, true, less),
                Some(_) | None => add(text, false, &more),
            }
        }
    }

    fn places(&mut self, at: &[At]) -> String {
        let places: Vec<String> = at.iter().map(|at| self.at(at)).collect();
        if places.is_empty() {
            String::new()
        } else {
            format!("[{}]", places.join(", "))
        }
    }

    /// An expression; in parentheses if it is an operand and is more than an atom.
    fn expr(&mut self, e: &Expr, operand: bool) -> String {
        let (text, atom) = match e {
            Expr::Float(_, value) => (float(*value), *value >= 0.0),
            Expr::Int(Elem::Bool, value) => ((*value != 0).to_string(), true),
            Expr::Int(_, value) => (value.to_string(), *value >= 0),
            Expr::Load { tensor, at, border } => {
                let load = format!("{}{}", self.program.tensors[*tensor].name, self.places(at));
                (self.bordered(load, border.as_deref()), true)
            }
            Expr::Gather {
                tensor,
                place,
                at,
                border,
            } => {
                let place = self.expr(place, false);
                let load = format!(
                    "gather({}, {place}){}",
                    self.program.tensors[*tensor].name,
                    self.places(at)
                );
                (self.bordered(load, border.as_deref()), true)
            }
            Expr::Place(at) => (self.at(at), at.alone().is_some()),
            Expr::Call(name, operands) => {
                let operands: Vec<String> = operands.iter().map(|e| self.expr(e, false)).collect();
                (format!("{name}({})", operands.join(", ")), true)
            }
            Expr::Binary(op, a, b) => (
                format!("{} {op} {}", self.expr(a, true), self.expr(b, true)),
                false,
            ),
            Expr::Unary(op, a) => (format!("{op}{}", self.expr(a, true)), false),
            Expr::If(c, a, b) => {
                let (c, a, b) = (self.expr(c, true), self.expr(a, true), self.expr(b, true));
                (format!("if {c} then {a} else {b}"), false)
            }
            Expr::Cast(a, elem, how) => (
                format!("{} as {}{how}", self.expr(a, true), elem.name()),
                false,
            ),
            Expr::Reduce {
                op,
                axes,
                mask,
                order,
                body,
            } => {
                let heads: Vec<String> = axes
                    .iter()
                    .map(|&axis| format!("{}{}", self.name(axis), self.extent(axis)))
                    .collect();
                let mut head = heads.join(", ");
                if let Some(mask) = mask {
                    head = format!("{head} where {}", self.expr(mask, false));
                }
                if let Some(order) = order {
                    head = format!("{head}, order: {order}");
                }
                (format!("{op}({head}) {}", self.body(body)), false)
            }
            Expr::Scan { op, axis, body } => (
                format!("scan({}, {op}) {}", self.name(*axis), self.body(body)),
                false,
            ),
        };
        if operand && !atom {
            format!("({text})")
        } else {
            text
        }
    }

    /// The body of a reduction: a product stands as it is.
    fn body(&mut self, body: &Expr) -> String {
        match body {
            Expr::Binary("*", a, b) => format!("{} * {}", self.expr(a, true), self.expr(b, true)),
            _ => self.expr(body, true),
        }
    }

    fn bordered(&mut self, load: String, border: Option<&Expr>) -> String {
        match border {
            Some(border) => format!("({load} else {})", self.expr(border, true)),
            None => load,
        }
    }
}

/// A size as an operand of `/` and `%`.
fn wrapped(dim: &Dim) -> String {
    let text = size(dim);
    if text.contains(' ') || text.contains('*') {
        format!("({text})")
    } else {
        text
    }
}

/// A float literal.
fn float(value: f64) -> String {
    let text = format!("{value}");
    if text.contains('.') || text.contains("inf") {
        text
    } else {
        text + ".0"
    }
}

//! The words of the tile form: names of operations and modifiers, and how names of things are written.
//!
//! Printer and loader share these tables, so that each word stands once.

use isa::num::{Overflow, Round};
use isa::types::Elem;

use super::{CoreQuery, EwOp, FloatOp, RedOp, ScalarOp, TensorRole};
use crate::algo::CmpOp;

/// Words of the tile form that stand in quotes when they name something; sorted.
pub const RESERVED: &[&str] = &["else", "for", "if", "in", "tile"];

/// A name as the tile form writes it: bare if it can be, else in quotes.
pub fn quoted(name: &str) -> String {
    if is_word(name) && RESERVED.binary_search(&name).is_err() {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}

/// The kinds of work of a kernel, in the order in which formulas of sizes stand.
pub const WORK: [&str; 3] = ["mads", "vector_ops", "bytes"];

/// Whether a name can be written at all: not empty, no control character, no quote, no backslash.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_control() || c == '"' || c == '\\')
}

/// Whether a name is one that the printer gives to values without a name.
pub fn is_number_name(name: &str) -> bool {
    name.strip_prefix('v')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn is_word(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The role's name in the tile form.
pub const fn role_name(role: TensorRole) -> &'static str {
    match role {
        TensorRole::In => "in",
        TensorRole::Out => "out",
        TensorRole::Work => "work",
    }
}

/// The role of that name, if there is one.
pub fn role_from_name(name: &str) -> Option<TensorRole> {
    [TensorRole::In, TensorRole::Out, TensorRole::Work]
        .into_iter()
        .find(|r| role_name(*r) == name)
}

/// The question's name in the tile form.
pub const fn query_name(what: CoreQuery) -> &'static str {
    match what {
        CoreQuery::Core => "core",
        CoreQuery::Group => "group",
        CoreQuery::Sub => "subcore",
        // The printer puts the size's name behind it.
        CoreQuery::Size(_) => "size",
    }
}

/// The question of that name, if there is one.
pub fn query_from_name(name: &str) -> Option<CoreQuery> {
    [CoreQuery::Core, CoreQuery::Group, CoreQuery::Sub]
        .into_iter()
        .find(|q| query_name(*q) == name)
}

/// The reduction operator of that name, if there is one.
pub fn red_from_name(name: &str) -> Option<RedOp> {
    [RedOp::Sum, RedOp::Max, RedOp::Min]
        .into_iter()
        .find(|op| op.name() == name)
}

/// All scalar operators of two operands.
const SCALAR_OPS: [ScalarOp; 21] = [
    ScalarOp::Add,
    ScalarOp::Sub,
    ScalarOp::Mul,
    ScalarOp::Div,
    ScalarOp::Rem,
    ScalarOp::Min,
    ScalarOp::Max,
    ScalarOp::And,
    ScalarOp::Or,
    ScalarOp::Shl,
    ScalarOp::Shr,
    ScalarOp::Cmp(CmpOp::Eq),
    ScalarOp::Cmp(CmpOp::Ne),
    ScalarOp::Cmp(CmpOp::Lt),
    ScalarOp::Cmp(CmpOp::Le),
    ScalarOp::Cmp(CmpOp::Gt),
    ScalarOp::Cmp(CmpOp::Ge),
    ScalarOp::Float(FloatOp::Add),
    ScalarOp::Float(FloatOp::Sub),
    ScalarOp::Float(FloatOp::Mul),
    ScalarOp::Float(FloatOp::Div),
];

/// The scalar operator's name in the tile form.
pub const fn scalar_name(op: ScalarOp) -> &'static str {
    match op {
        ScalarOp::Add => "add",
        ScalarOp::Sub => "sub",
        ScalarOp::Mul => "mul",
        ScalarOp::Div => "div",
        ScalarOp::Rem => "rem",
        ScalarOp::Min => "min",
        ScalarOp::Max => "max",
        ScalarOp::And => "and",
        ScalarOp::Or => "or",
        ScalarOp::Shl => "shl",
        ScalarOp::Shr => "shr",
        ScalarOp::Cmp(op) => cmp_name(op),
        ScalarOp::Float(FloatOp::Add) => "fadd",
        ScalarOp::Float(FloatOp::Sub) => "fsub",
        ScalarOp::Float(FloatOp::Mul) => "fmul",
        ScalarOp::Float(FloatOp::Div) => "fdiv",
        ScalarOp::Float(FloatOp::Sqrt) => "fsqrt",
    }
}

/// The scalar operator of two operands of that name, if there is one.
pub fn scalar_from_name(name: &str) -> Option<ScalarOp> {
    SCALAR_OPS.into_iter().find(|op| scalar_name(*op) == name)
}

const CMP_OPS: [CmpOp; 6] = [
    CmpOp::Eq,
    CmpOp::Ne,
    CmpOp::Lt,
    CmpOp::Le,
    CmpOp::Gt,
    CmpOp::Ge,
];
const ROUNDS: [Round; 6] = [
    Round::Even,
    Round::Away,
    Round::Floor,
    Round::Ceil,
    Round::Trunc,
    Round::Odd,
];
const OVERFLOWS: [Overflow; 3] = [Overflow::Saturate, Overflow::Keep, Overflow::Wrap];

const fn cmp_name(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "eq",
        CmpOp::Ne => "ne",
        CmpOp::Lt => "lt",
        CmpOp::Le => "le",
        CmpOp::Gt => "gt",
        CmpOp::Ge => "ge",
    }
}

const fn round_name(round: Round) -> &'static str {
    match round {
        Round::Even => "even",
        Round::Away => "away",
        Round::Floor => "floor",
        Round::Ceil => "ceil",
        Round::Trunc => "trunc",
        Round::Odd => "odd",
    }
}

const fn overflow_name(overflow: Overflow) -> &'static str {
    match overflow {
        Overflow::Saturate => "saturate",
        Overflow::Keep => "inf",
        Overflow::Wrap => "wrap",
    }
}

/// The element-wise operation's name in the tile form: `add`, `cmp.lt`, `round.floor`, `cast.even.saturate`.
pub fn ew_name(op: EwOp) -> String {
    let plain = match op {
        EwOp::Copy => "copy",
        EwOp::Add => "add",
        EwOp::Sub => "sub",
        EwOp::Mul => "mul",
        EwOp::Div => "div",
        EwOp::Rem => "rem",
        EwOp::Max => "max",
        EwOp::Min => "min",
        EwOp::Abs => "abs",
        EwOp::Neg => "neg",
        EwOp::Exp => "exp",
        EwOp::Ln => "ln",
        EwOp::Sqrt => "sqrt",
        EwOp::Relu => "relu",
        EwOp::And => "and",
        EwOp::Or => "or",
        EwOp::Xor => "xor",
        EwOp::Not => "not",
        EwOp::Shl => "shl",
        EwOp::Shr => "shr",
        EwOp::Select => "select",
        EwOp::Iota => "iota",
        EwOp::Round(round) => return format!("round.{}", round_name(round)),
        EwOp::Cmp(op) => return format!("cmp.{}", cmp_name(op)),
        EwOp::Cast(round, overflow) => {
            return format!("cast.{}.{}", round_name(round), overflow_name(overflow));
        }
    };
    plain.to_owned()
}

/// The element-wise operation of that name, if there is one.
pub fn ew_from_name(name: &str) -> Option<EwOp> {
    all_ew_ops().find(|op| ew_name(*op) == name)
}

/// Every element-wise operation with every modifier.
pub fn all_ew_ops() -> impl Iterator<Item = EwOp> {
    let plain = [
        EwOp::Copy,
        EwOp::Add,
        EwOp::Sub,
        EwOp::Mul,
        EwOp::Div,
        EwOp::Rem,
        EwOp::Max,
        EwOp::Min,
        EwOp::Abs,
        EwOp::Neg,
        EwOp::Exp,
        EwOp::Ln,
        EwOp::Sqrt,
        EwOp::Relu,
        EwOp::And,
        EwOp::Or,
        EwOp::Xor,
        EwOp::Not,
        EwOp::Shl,
        EwOp::Shr,
        EwOp::Select,
        EwOp::Iota,
    ];
    let casts = ROUNDS
        .into_iter()
        .flat_map(|r| OVERFLOWS.into_iter().map(move |o| EwOp::Cast(r, o)));
    plain
        .into_iter()
        .chain(ROUNDS.into_iter().map(EwOp::Round))
        .chain(CMP_OPS.into_iter().map(EwOp::Cmp))
        .chain(casts)
}

/// Bits of one element in a buffer: masks have one bit an element.
pub const fn elem_bits(elem: Elem) -> u64 {
    match elem {
        Elem::Bool => 1,
        Elem::F32
        | Elem::F16
        | Elem::Bf16
        | Elem::I64
        | Elem::I32
        | Elem::I16
        | Elem::I8
        | Elem::U8 => elem.bytes() * 8,
    }
}

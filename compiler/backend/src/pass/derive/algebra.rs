//! What merges the fields of a cascade, and what moves behind its sums.
//!
//! The body of a sum is a product of factors ([`Weight`]). A factor that no item changes moves behind the sum. A factor
//! `exp(a - r)` with an earlier field `r` is made with the field `r'` of its block; the true one is that times
//! `exp(r' - r)`, which no item changes ([`Delta`] is how an exponent moves with the fields). A shift by a maximum keeps
//! every exponential at 1 or below, in a block as in the whole, so a conversion of weights to a shorter float loses as
//! little in both.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is not of the form that is looked for"
)]

mod moments;

use std::collections::{BTreeMap, BTreeSet};

use diag::Span;
use ir::algo::{
    Affine, Atom, BinaryOp, CmpOp, Def, Expr, ExprData, ExprKind, Func, Index, Reduce, ReduceOp,
    Role, Tensor, TensorData, UnaryOp,
};
use isa::types::Elem;

use super::members::{Members, Part, Refusal};
use super::{Cascade, Field};

type Result<T> = std::result::Result<T, Refusal>;

/// A value of another definition's place: the expression and that definition's indices.
#[derive(Clone, Debug)]
struct Foreign {
    expr: Expr,
    own: Vec<Index>,
}

/// How an exponent changes when fields do.
#[derive(Clone, Debug)]
enum Delta {
    Nothing,
    /// By as much as this tensor of the rows.
    Row(Tensor),
    Neg(Box<Delta>),
    Sum(Box<Delta>, Box<Delta>),
    Difference(Box<Delta>, Box<Delta>),
    Times(Box<Delta>, Foreign),
    Over(Box<Delta>, Foreign),
}

/// The factors of a sum's body that fields change.
#[derive(Clone, Debug, Default)]
struct Weight {
    exponents: Vec<Delta>,
    /// Factors and divisors (true) that no item changes.
    outside: Vec<(bool, Foreign)>,
}

/// Which accumulator a value is of.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Side {
    First,
    Later,
    Both,
}

pub(super) struct Algebra<'a> {
    func: &'a mut Func,
    members: Members,
    fields: Vec<Field>,
    settled: BTreeMap<Expr, bool>,
    /// The fields that shift each sum.
    shifted_by: Vec<BTreeSet<Tensor>>,
    mask: Option<(Expr, bool)>,
    /// Fields that count items, by mask.
    counts: Vec<(Option<Expr>, Tensor)>,
    /// The field that stands for the number of all items in values of the rows.
    items: Option<Tensor>,
    /// What is copied is of a record: the number of items is its own.
    counting: bool,
    /// Values of the rows of a record, where they differ from those of all items.
    records: BTreeMap<Tensor, Expr>,
    /// Some reduction depends on another.
    linked: bool,
    /// Expressions that were copied.
    copied: usize,
}

/// Expressions that what merges a cascade may be made of: a chain of reductions doubles them with each link.
const MOST_COPIES: usize = 1 << 13;

impl<'a> Algebra<'a> {
    pub(super) fn new(func: &'a mut Func, members: &Members) -> Algebra<'a> {
        Algebra {
            func,
            members: members.clone(),
            fields: Vec::new(),
            settled: BTreeMap::new(),
            shifted_by: Vec::new(),
            mask: None,
            counts: Vec::new(),
            items: None,
            counting: false,
            records: BTreeMap::new(),
            linked: false,
            copied: 0,
        }
    }

    pub(super) fn finish(self) -> Cascade {
        Cascade {
            rows: self.members.rows,
            items: self.members.items,
            parts: self.members.parts,
            fields: self.fields,
            settled: self.settled,
            mask: self.mask,
            vector: self.members.vector,
            records: self.records,
            written: Vec::new(),
        }
    }

    /// Derives each field in dependence order.
    pub(super) fn fields(&mut self) -> Result<()> {
        if self.members.vector {
            self.count_items()?;
        }
        let order: Vec<Tensor> = self.func.defs.iter().map(|def| def.target).collect();
        for tensor in order {
            match self.members.parts.get(&tensor) {
                Some(Part::Field | Part::Product) => self.field(tensor)?,
                Some(Part::Score | Part::Item | Part::Row | Part::After) | None => {}
            }
        }
        if self.members.vector && !self.linked {
            return Err(Refusal::NoCascade);
        }
        self.mask = self.find_mask();
        Ok(())
    }

    fn def(&self, tensor: Tensor) -> Option<usize> {
        self.func.defs.iter().position(|def| def.target == tensor)
    }

    fn part(&self, tensor: Tensor) -> Option<Part> {
        self.members.parts.get(&tensor).copied()
    }

    fn field(&mut self, tensor: Tensor) -> Result<()> {
        let Some((def, reduce)) = self
            .def(tensor)
            .and_then(|def| Some((def, self.func.root_reduce(def)?.clone())))
        else {
            return Err(Refusal::NoCascade);
        };
        let own = self.func.defs[def].indices.to_vec();
        let span = self.func.defs[def].span;
        if reduce.mask.is_some_and(|mask| self.depends(mask)) {
            return because("a mask depends on a reduction of the same items");
        }
        match reduce.op {
            ReduceOp::Max | ReduceOp::Min => self.extreme(tensor, &reduce, own, span),
            ReduceOp::Sum => self.sum(tensor, def, &reduce, own, span),
            ReduceOp::Prod
            | ReduceOp::Any
            | ReduceOp::All
            | ReduceOp::ArgMax
            | ReduceOp::ArgMin => because("this reduction has no merge"),
        }
    }

    fn extreme(
        &mut self,
        tensor: Tensor,
        reduce: &Reduce,
        own: Vec<Index>,
        span: Span,
    ) -> Result<()> {
        if self.depends(reduce.body) {
            return because("a maximum or minimum of items that an earlier one changes");
        }
        let elem = self.func.tensors[tensor].elem;
        if elem != Elem::F32 {
            return because("a maximum or minimum that is not in f32");
        }
        let sides = self.sides(tensor);
        let [a, b] = sides.map(|side| self.load(side, &own));
        let (op, start) = match reduce.op {
            ReduceOp::Min => (BinaryOp::Min, f64::INFINITY),
            _ => (BinaryOp::Max, f64::NEG_INFINITY),
        };
        let merge = self.push(ExprKind::Binary(op, a, b), elem, span);
        self.fields.push(Field {
            tensor,
            sides,
            merge,
            start,
            weights: None,
            shifts: false,
            reduce: reduce.clone(),
            own,
        });
        self.shifted_by.push(BTreeSet::new());
        Ok(())
    }

    fn sum(
        &mut self,
        tensor: Tensor,
        def: usize,
        reduce: &Reduce,
        own: Vec<Index>,
        span: Span,
    ) -> Result<()> {
        if self.func.tensors[tensor].elem != Elem::F32 {
            return because("a sum that is not in f32");
        }
        let body_own: Vec<Index> = own.iter().chain(&reduce.axes).copied().collect();
        let settled = self.settled.clone();
        let weight = match self.weight(reduce.body, &body_own) {
            Err(why) if self.members.vector => {
                self.settled = settled;
                let moment = self.moment(tensor, reduce, &own, span);
                return moment.map_err(|_| why);
            }
            weight => weight?,
        };
        self.linked |= !weight.exponents.is_empty() || !weight.outside.is_empty();
        let (tensor, own) = match weight.outside.is_empty() {
            true => (tensor, own),
            false => self.behind(tensor, def, reduce, &weight, span)?,
        };
        let sides = self.sides(tensor);
        let mut terms = Vec::new();
        let mut shifted_by = BTreeSet::new();
        for (side, of) in [(Side::First, sides[0]), (Side::Later, sides[1])] {
            let value = self.load(of, &own);
            terms.push(match weight.exponents.is_empty() {
                true => value,
                false => {
                    let factor =
                        self.factor(&weight.exponents, side, &own, span, &mut shifted_by)?;
                    self.push(
                        ExprKind::Binary(BinaryOp::Mul, value, factor),
                        Elem::F32,
                        span,
                    )
                }
            });
        }
        let both = ExprKind::Binary(BinaryOp::Add, terms[0], terms[1]);
        let merge = self.push(both, Elem::F32, span);
        let weights = self.weights_of(tensor);
        let now = self.def(tensor);
        let now = now.and_then(|def| self.func.root_reduce(def).cloned());
        self.fields.push(Field {
            tensor,
            sides,
            merge,
            start: 0.0,
            weights,
            shifts: false,
            reduce: now.unwrap_or_else(|| reduce.clone()),
            own,
        });
        self.shifted_by.push(shifted_by);
        Ok(())
    }

    /// The item map that a product over the items sums.
    fn weights_of(&self, tensor: Tensor) -> Option<Tensor> {
        if self.part(tensor) != Some(Part::Product) {
            return None;
        }
        crate::partition::product(self.func, self.def(tensor)?).map(|product| product.a.tensor)
    }

    /// `exp` of how the exponents differ from those of one side; 0 where that side shifts by nothing at all.
    fn factor(
        &mut self,
        exponents: &[Delta],
        side: Side,
        own: &[Index],
        span: Span,
        shifted_by: &mut BTreeSet<Tensor>,
    ) -> Result<Expr> {
        let mut all = None;
        let mut guards = BTreeSet::new();
        for delta in exponents {
            self.guards(delta, &mut guards);
            let one = self.difference(delta, side, own, span)?;
            let Some(one) = one else { continue };
            all = Some(match all {
                None => one,
                Some(before) => self.push(
                    ExprKind::Binary(BinaryOp::Add, before, one),
                    Elem::F32,
                    span,
                ),
            });
        }
        let Some(exponent) = all else {
            return Ok(self.push(ExprKind::Float(1.0), Elem::F32, span));
        };
        let mut factor = self.push(ExprKind::Unary(UnaryOp::Exp, exponent), Elem::F32, span);
        for guard in guards {
            let Some(position) = self.fields.iter().position(|f| f.tensor == guard) else {
                continue;
            };
            self.fields[position].shifts = true;
            let start = self.push(
                ExprKind::Float(self.fields[position].start),
                Elem::F32,
                span,
            );
            let value = self.row(guard, side, own)?;
            let empty = ExprKind::Compare(CmpOp::Eq, value, start);
            let empty = self.push(empty, Elem::Bool, span);
            let zero = self.push(ExprKind::Float(0.0), Elem::F32, span);
            factor = self.push(ExprKind::Select(empty, zero, factor), Elem::F32, span);
            shifted_by.insert(guard);
        }
        Ok(factor)
    }

    /// The extremes that an exponent is shifted by.
    fn guards(&self, delta: &Delta, into: &mut BTreeSet<Tensor>) {
        match delta {
            Delta::Nothing => {}
            Delta::Row(tensor) => {
                let field = self.fields.iter().find(|field| field.tensor == *tensor);
                if field.is_some_and(|field| field.start.is_infinite()) {
                    into.insert(*tensor);
                }
            }
            Delta::Neg(a) | Delta::Times(a, _) | Delta::Over(a, _) => self.guards(a, into),
            Delta::Sum(a, b) | Delta::Difference(a, b) => {
                self.guards(a, into);
                self.guards(b, into);
            }
        }
    }

    /// The exponent of both less that of one side.
    fn difference(
        &mut self,
        delta: &Delta,
        side: Side,
        own: &[Index],
        span: Span,
    ) -> Result<Option<Expr>> {
        let binary = |op, a, b| ExprKind::Binary(op, a, b);
        let kind = match delta {
            Delta::Nothing => return Ok(None),
            Delta::Row(tensor) => {
                let both = self.row(*tensor, Side::Both, own)?;
                let one = self.row(*tensor, side, own)?;
                binary(BinaryOp::Sub, both, one)
            }
            Delta::Neg(a) => match &**a {
                // `-(new - old)` is `old - new`, exactly.
                Delta::Row(tensor) => {
                    let both = self.row(*tensor, Side::Both, own)?;
                    let one = self.row(*tensor, side, own)?;
                    binary(BinaryOp::Sub, one, both)
                }
                a => match self.difference(a, side, own, span)? {
                    None => return Ok(None),
                    Some(a) => ExprKind::Unary(UnaryOp::Neg, a),
                },
            },
            Delta::Sum(a, b) => {
                let a = self.difference(a, side, own, span)?;
                let b = self.difference(b, side, own, span)?;
                match (a, b) {
                    (Some(a), Some(b)) => binary(BinaryOp::Add, a, b),
                    (one, other) => return Ok(one.or(other)),
                }
            }
            Delta::Difference(a, b) => {
                let a = self.difference(a, side, own, span)?;
                match a {
                    None => return self.difference(&Delta::Neg(b.clone()), side, own, span),
                    Some(a) => match self.difference(b, side, own, span)? {
                        None => return Ok(Some(a)),
                        Some(b) => binary(BinaryOp::Sub, a, b),
                    },
                }
            }
            Delta::Times(a, by) | Delta::Over(a, by) => {
                let Some(a) = self.difference(a, side, own, span)? else {
                    return Ok(None);
                };
                let by = self.copy(by.expr, &by.own, own, None)?;
                let op = match delta {
                    Delta::Over(..) => BinaryOp::Div,
                    _ => BinaryOp::Mul,
                };
                binary(op, a, by)
            }
        };
        Ok(Some(self.push(kind, Elem::F32, span)))
    }

    /// A value of the rows, of one side or of both together.
    fn row(&mut self, tensor: Tensor, side: Side, own: &[Index]) -> Result<Expr> {
        let rows = self.members.rows.len();
        if let Some(field) = self.fields.iter().find(|field| field.tensor == tensor) {
            let (sides, merge, from) = (field.sides, field.merge, field.own.clone());
            return match side {
                Side::First => Ok(self.load(sides[0], &own[..rows])),
                Side::Later => Ok(self.load(sides[1], &own[..rows])),
                Side::Both => {
                    let counting = std::mem::replace(&mut self.counting, false);
                    let both = self.copy(merge, &from, own, None);
                    self.counting = counting;
                    both
                }
            };
        }
        let Some(def) = self.def(tensor) else {
            return because("a value that is not there yet");
        };
        let (value, from) = (self.func.defs[def].value, self.own(tensor));
        let counting = std::mem::replace(&mut self.counting, true);
        let copied = self.copy(value, &from, own, Some(side));
        self.counting = counting;
        copied
    }

    fn own(&self, tensor: Tensor) -> Vec<Index> {
        self.def(tensor)
            .map(|def| self.func.defs[def].indices.to_vec())
            .unwrap_or_default()
    }

    // ---- factors ----

    /// The factors of an expression that fields change. `own` are the indices of the definition it stands in, the item
    /// or the column last.
    fn weight(&mut self, e: Expr, own: &[Index]) -> Result<Weight> {
        if !self.depends(e) {
            return Ok(Weight::default());
        }
        let data = self.func.exprs[e].clone();
        if !self.varies(e) {
            return Ok(Weight {
                exponents: Vec::new(),
                outside: vec![(false, foreign(e, own))],
            });
        }
        match data.kind {
            ExprKind::Load { tensor, .. } => {
                let (value, own) = self.item(tensor)?;
                self.weight(value, &own)
            }
            ExprKind::Binary(BinaryOp::Mul, a, b) => {
                let (mut a, b) = (self.weight(a, own)?, self.weight(b, own)?);
                a.exponents.extend(b.exponents);
                a.outside.extend(b.outside);
                Ok(a)
            }
            ExprKind::Binary(BinaryOp::Div, a, b) => {
                let mut a = self.weight(a, own)?;
                if self.varies(b) && self.depends(b) {
                    return because("a divisor that changes with item and reduction");
                }
                if self.depends(b) {
                    a.outside.push((true, foreign(b, own)));
                }
                Ok(a)
            }
            ExprKind::Unary(UnaryOp::Neg, a) => self.weight(a, own),
            ExprKind::Unary(UnaryOp::Exp, a) => Ok(Weight {
                exponents: vec![self.delta(a, own)?],
                outside: Vec::new(),
            }),
            ExprKind::Cast { value, .. } => {
                let weight = self.weight(value, own)?;
                let from = self.func.exprs[value].elem;
                let narrows = data.elem.bytes() < from.bytes();
                if !data.elem.is_float() || (narrows && !self.at_most_one(value)) {
                    return because("a conversion of weights that no maximum keeps small");
                }
                Ok(weight)
            }
            ExprKind::Select(condition, a, b) => self.chosen(condition, (a, b), own),
            ExprKind::Float(_)
            | ExprKind::Int(_)
            | ExprKind::Index(_)
            | ExprKind::Gather { .. }
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Reduce(_) => because(
                "a reduction enters here neither as a factor nor as the shift of an exponential",
            ),
        }
    }

    /// A choice between a factor and zero.
    fn chosen(&mut self, condition: Expr, (a, b): (Expr, Expr), own: &[Index]) -> Result<Weight> {
        let zero = |algebra: &Algebra<'_>, e: Expr| matches!(algebra.func.exprs[e].kind, ExprKind::Float(x) if x == 0.0);
        let (other, when) = match (zero(self, a), zero(self, b)) {
            (true, _) => (b, true),
            (false, true) => (a, false),
            (false, false) => {
                return because("a choice of which no side is zero");
            }
        };
        if self.depends(condition) {
            if self.is_empty(condition) != Some(when) {
                return because("a condition depends on a reduction of the same items");
            }
            // Blocks shift by 0 where they have nothing to shift by.
            self.settled.insert(condition, !when);
        }
        self.weight(other, own)
    }

    /// Whether a condition says that an extreme is (true) or is not (false) that of nothing.
    fn is_empty(&self, condition: Expr) -> Option<bool> {
        let ExprKind::Compare(op, a, b) = self.func.exprs[condition].kind else {
            return None;
        };
        let start = |e: Expr| match self.func.exprs[e].kind {
            ExprKind::Float(x) => Some(x),
            _ => None,
        };
        let field = |e: Expr| match &self.func.exprs[e].kind {
            ExprKind::Load { tensor, .. } => {
                let found = self.fields.iter().find(|field| field.tensor == *tensor);
                found.map(|field| field.start)
            }
            _ => None,
        };
        let of_nothing = match (field(a), start(b), start(a), field(b)) {
            (Some(x), Some(y), ..) | (.., Some(x), Some(y)) => x == y && x.is_infinite(),
            _ => false,
        };
        match (of_nothing, op) {
            (true, CmpOp::Eq) => Some(true),
            (true, CmpOp::Ne) => Some(false),
            _ => None,
        }
    }

    /// Whether a weight is an exponential of nothing above 0, or smaller: shifted by the maximum of its own exponents.
    fn at_most_one(&self, e: Expr) -> bool {
        let data = &self.func.exprs[e];
        match &data.kind {
            ExprKind::Load { tensor, .. } if self.part(*tensor) == Some(Part::Item) => self
                .def(*tensor)
                .is_some_and(|def| self.at_most_one(self.func.defs[def].value)),
            ExprKind::Unary(UnaryOp::Exp, x) => self.not_above_zero(*x),
            // A share of a sum of such exponentials, or by anything that moves behind the sum.
            ExprKind::Binary(BinaryOp::Div, a, b) => self.depends(*b) && self.at_most_one(*a),
            ExprKind::Binary(BinaryOp::Mul, a, b) => {
                let moves = |e: Expr| self.depends(e) && !self.varies(e);
                (moves(*b) && self.at_most_one(*a)) || (moves(*a) && self.at_most_one(*b))
            }
            ExprKind::Select(_, a, b) => {
                let small = |e: Expr| {
                    matches!(self.func.exprs[e].kind, ExprKind::Float(x) if x.abs() <= 1.0)
                        || self.at_most_one(e)
                };
                small(*a) && small(*b)
            }
            ExprKind::Cast { value, .. } => self.at_most_one(*value),
            _ => false,
        }
    }

    /// Whether an exponent is a value less the greatest of all such values, perhaps scaled by a positive constant.
    fn not_above_zero(&self, e: Expr) -> bool {
        match &self.func.exprs[e].kind {
            ExprKind::Binary(BinaryOp::Sub, x, top) => {
                let ExprKind::Load { tensor, .. } = self.func.exprs[*top].kind else {
                    return false;
                };
                let Some(reduce) = self.def(tensor).and_then(|def| self.func.root_reduce(def))
                else {
                    return false;
                };
                reduce.op == ReduceOp::Max && self.same_item(*x, reduce.body)
            }
            ExprKind::Binary(BinaryOp::Mul, a, b) => {
                let positive = |e: Expr| self.is_positive(e);
                (positive(*b) && self.not_above_zero(*a))
                    || (positive(*a) && self.not_above_zero(*b))
            }
            ExprKind::Binary(BinaryOp::Div, a, b) => {
                self.is_positive(*b) && self.not_above_zero(*a)
            }
            ExprKind::Select(_, a, b) => {
                let below = |e: Expr| {
                    matches!(self.func.exprs[e].kind, ExprKind::Float(x) if x <= 0.0)
                        || self.not_above_zero(e)
                };
                below(*a) && below(*b)
            }
            _ => false,
        }
    }

    /// Whether a value is positive by its form.
    fn is_positive(&self, e: Expr) -> bool {
        match &self.func.exprs[e].kind {
            ExprKind::Float(x) => *x > 0.0,
            ExprKind::Int(x) => *x > 0,
            ExprKind::Unary(UnaryOp::Sqrt | UnaryOp::Exp, a) => {
                matches!(self.func.exprs[e].kind, ExprKind::Unary(UnaryOp::Exp, _))
                    || self.is_positive(*a)
            }
            ExprKind::Binary(BinaryOp::Mul | BinaryOp::Div, a, b) => {
                self.is_positive(*a) && self.is_positive(*b)
            }
            ExprKind::Cast { value, .. } => self.is_positive(*value),
            _ => false,
        }
    }

    /// Whether two expressions of items are the same value, each in its own definition.
    fn same_item(&self, a: Expr, b: Expr) -> bool {
        let (x, y) = (&self.func.exprs[a].kind, &self.func.exprs[b].kind);
        let inlined = |kind: &ExprKind| match kind {
            ExprKind::Load { tensor, .. } if self.part(*tensor) == Some(Part::Item) => {
                self.def(*tensor).map(|def| self.func.defs[def].value)
            }
            _ => None,
        };
        let load = |kind: &ExprKind| match kind {
            ExprKind::Load { tensor, .. } => Some(*tensor),
            _ => None,
        };
        if let (Some(x), Some(y)) = (load(x), load(y))
            && x == y
            && matches!(
                self.part(x),
                Some(Part::Item | Part::Score | Part::Field | Part::Row)
            )
        {
            return true;
        }
        if let (ExprKind::Load { border: None, .. }, ExprKind::Load { border: None, .. }) = (x, y)
            && let (Some((t, at)), Some((u, to))) = (self.func.access(a), self.func.access(b))
        {
            let place = |at: &Affine| at.as_index().and_then(|index| self.place(index));
            let same = |(at, to): (&Affine, &Affine)| place(at).is_some() && place(at) == place(to);
            if t == u && self.part(t).is_none() && at.iter().zip(to).all(same) {
                return true;
            }
        }
        match (inlined(x), inlined(y)) {
            (Some(x), _) => return self.same_item(x, b),
            (None, Some(y)) => return self.same_item(a, y),
            (None, None) => {}
        }
        let same = |x: Expr, y: Expr| self.same_item(x, y);
        match (x, y) {
            (ExprKind::Float(x), ExprKind::Float(y)) => x.to_bits() == y.to_bits(),
            (ExprKind::Int(x), ExprKind::Int(y)) => x == y,
            (ExprKind::Index(x), ExprKind::Index(y)) => self.place(*x) == self.place(*y),
            (ExprKind::Unary(p, x), ExprKind::Unary(q, y)) => p == q && same(*x, *y),
            (ExprKind::Binary(p, a, b), ExprKind::Binary(q, c, d)) => {
                p == q && same(*a, *c) && same(*b, *d)
            }
            (ExprKind::Compare(p, a, b), ExprKind::Compare(q, c, d)) => {
                p == q && same(*a, *c) && same(*b, *d)
            }
            (ExprKind::Select(a, b, c), ExprKind::Select(d, e, f)) => {
                same(*a, *d) && same(*b, *e) && same(*c, *f)
            }
            (
                ExprKind::Cast {
                    value: x,
                    round: p,
                    overflow: q,
                },
                ExprKind::Cast {
                    value: y,
                    round: r,
                    overflow: s,
                },
            ) => {
                p == r
                    && q == s
                    && self.func.exprs[a].elem == self.func.exprs[b].elem
                    && same(*x, *y)
            }
            _ => false,
        }
    }

    /// The position of an index in its definition, the item last.
    fn place(&self, index: Index) -> Option<usize> {
        (0..self.func.defs.len()).find_map(|def| {
            let own = self.func.defs[def].indices.iter();
            let axes = self.func.root_reduce(def).map(|reduce| reduce.axes.clone());
            own.chain(axes.iter().flatten()).position(|i| *i == index)
        })
    }

    /// How an exponent changes with the fields.
    fn delta(&mut self, e: Expr, own: &[Index]) -> Result<Delta> {
        if !self.depends(e) {
            return Ok(Delta::Nothing);
        }
        let data = self.func.exprs[e].clone();
        if data.elem != Elem::F32 {
            return because("an exponent that is not in f32");
        }
        let two = |a, b| (Box::new(a), Box::new(b));
        match data.kind {
            ExprKind::Load { tensor, .. } => match self.part(tensor) {
                Some(Part::Field | Part::Row) => Ok(Delta::Row(tensor)),
                _ => {
                    let (value, own) = self.item(tensor)?;
                    self.delta(value, &own)
                }
            },
            ExprKind::Unary(UnaryOp::Neg, a) => Ok(Delta::Neg(Box::new(self.delta(a, own)?))),
            ExprKind::Binary(BinaryOp::Add, a, b) => {
                let (a, b) = two(self.delta(a, own)?, self.delta(b, own)?);
                Ok(Delta::Sum(a, b))
            }
            ExprKind::Binary(BinaryOp::Sub, a, b) => {
                let (a, b) = two(self.delta(a, own)?, self.delta(b, own)?);
                Ok(Delta::Difference(a, b))
            }
            ExprKind::Binary(BinaryOp::Mul, a, b) if self.is_constant(b) => {
                Ok(Delta::Times(Box::new(self.delta(a, own)?), foreign(b, own)))
            }
            ExprKind::Binary(BinaryOp::Mul, a, b) if self.is_constant(a) => {
                Ok(Delta::Times(Box::new(self.delta(b, own)?), foreign(a, own)))
            }
            ExprKind::Binary(BinaryOp::Div, a, b) if self.is_constant(b) => {
                Ok(Delta::Over(Box::new(self.delta(a, own)?), foreign(b, own)))
            }
            ExprKind::Select(condition, a, b) if !self.depends(condition) => {
                let nothing = |e: Expr| matches!(self.func.exprs[e].kind, ExprKind::Float(x) if x == f64::NEG_INFINITY);
                match (nothing(a), nothing(b)) {
                    (true, _) => self.delta(b, own),
                    (false, true) => self.delta(a, own),
                    (false, false) => because("an exponent that is chosen"),
                }
            }
            _ => because("a reduction enters this exponent neither as a sum nor times a constant"),
        }
    }

    /// Whether neither fields nor items change a value.
    fn is_constant(&self, e: Expr) -> bool {
        !self.depends(e) && !self.varies(e)
    }

    fn item(&self, tensor: Tensor) -> Result<(Expr, Vec<Index>)> {
        match (self.part(tensor), self.def(tensor)) {
            (Some(Part::Item), Some(def)) => {
                let def = &self.func.defs[def];
                Ok((def.value, def.indices.to_vec()))
            }
            _ => because("an item that is not made here"),
        }
    }

    /// Whether a value depends on a reduction of the cascade.
    fn depends(&self, e: Expr) -> bool {
        self.any(e, &|kind| match kind {
            ExprKind::Load { tensor, .. } => {
                let part = self.part(*tensor);
                matches!(
                    part,
                    Some(Part::Field | Part::Row | Part::Product | Part::After)
                )
            }
            _ => false,
        })
    }

    /// Whether a value changes with the item.
    fn varies(&self, e: Expr) -> bool {
        let rows = self.members.rows.len();
        self.any(e, &|kind| {
            let scores = matches!(
                kind,
                ExprKind::Load { tensor, .. } if self.part(*tensor) == Some(Part::Score)
            );
            let mut named = BTreeSet::new();
            kind.visit_indices(&mut |index| {
                named.insert(index);
            });
            scores
                || named
                    .iter()
                    .any(|i| self.place(*i).is_none_or(|p| p >= rows))
        })
    }

    /// Whether a node below, item maps looked through, is as asked.
    fn any(&self, root: Expr, wanted: &dyn Fn(&ExprKind) -> bool) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![root];
        while let Some(e) = open.pop() {
            if !seen.insert(e) {
                continue;
            }
            let kind = &self.func.exprs[e].kind;
            if let ExprKind::Load { tensor, .. } = kind
                && self.part(*tensor) == Some(Part::Item)
            {
                if let Some(def) = self.def(*tensor) {
                    open.push(self.func.defs[def].value);
                }
                continue;
            }
            if wanted(kind) {
                return true;
            }
            open.extend(kind.operands());
        }
        false
    }

    // ---- masks ----

    /// The condition under which items count for the extreme that shifts every sum.
    fn find_mask(&self) -> Option<(Expr, bool)> {
        let shift = self.fields.iter().find(|field| field.shifts)?;
        let all = (self.fields.iter().zip(&self.shifted_by))
            .all(|(field, by)| field.tensor == shift.tensor || by.contains(&shift.tensor));
        if !all {
            return None;
        }
        let reduce = self.func.root_reduce(self.def(shift.tensor)?)?;
        let mut body = reduce.body;
        loop {
            let nothing =
                |e: Expr| matches!(self.func.exprs[e].kind, ExprKind::Float(x) if x == shift.start);
            match &self.func.exprs[body].kind {
                ExprKind::Load { tensor, .. } if self.part(*tensor) == Some(Part::Item) => {
                    body = self.func.defs[self.def(*tensor)?].value;
                }
                ExprKind::Select(condition, _, b) if nothing(*b) => {
                    return Some((*condition, true));
                }
                ExprKind::Select(condition, a, _) if nothing(*a) => {
                    return Some((*condition, false));
                }
                _ => return None,
            }
        }
    }

    // ---- moving factors behind the sum ----

    /// Makes a new sum without the factors that no item changes, and the old one that sum with them.
    fn behind(
        &mut self,
        tensor: Tensor,
        def: usize,
        reduce: &Reduce,
        weight: &Weight,
        span: Span,
    ) -> Result<(Tensor, Vec<Index>)> {
        let own = self.func.defs[def].indices.to_vec();
        let axis: Vec<Index> = reduce.axes.to_vec();
        let from: Vec<Index> = own.iter().chain(&axis).copied().collect();
        let fresh: Vec<Index> = from.iter().map(|i| self.fresh(*i)).collect();
        let (indices, axes) = fresh.split_at(own.len());
        let body = self.bare(reduce.body, &from, &fresh, def)?;
        let mask = match reduce.mask {
            None => None,
            Some(mask) => Some(self.copy(mask, &from, &fresh, None)?),
        };
        let sum = Reduce {
            axes: axes.iter().copied().collect(),
            body,
            mask,
            ..reduce.clone()
        };
        let value = self.push(ExprKind::Reduce(Box::new(sum)), Elem::F32, span);
        let target = self.tensor(tensor, "whole");
        let part = self.part(tensor).unwrap_or(Part::Field);
        self.members.parts.insert(target, part);
        let place = self.def(tensor).unwrap_or(def);
        self.func.defs.insert(
            place,
            Def {
                target,
                indices: indices.iter().copied().collect(),
                value,
                span,
            },
        );
        let mut value = self.load(target, &own);
        for (divides, by) in &weight.outside {
            // What stands outside depends on the rows alone, whose indices come first everywhere.
            let by = self.copy(by.expr, &by.own, &own, None)?;
            if self.func.exprs[by].elem != Elem::F32 {
                return because("a factor that is not in f32");
            }
            let op = if *divides {
                BinaryOp::Div
            } else {
                BinaryOp::Mul
            };
            value = self.push(ExprKind::Binary(op, value, by), Elem::F32, span);
        }
        self.func.defs[place + 1].value = value;
        let after = if part == Part::Product {
            Part::After
        } else {
            Part::Row
        };
        self.members.parts.insert(tensor, after);
        Ok((target, indices.to_vec()))
    }

    /// A copy of a sum's body without the factors that no item changes.
    fn bare(&mut self, e: Expr, from: &[Index], to: &[Index], before: usize) -> Result<Expr> {
        if !self.depends(e) {
            return self.copy(e, from, to, None);
        }
        let data = self.func.exprs[e].clone();
        let moves = |algebra: &Algebra<'_>, e: Expr| algebra.depends(e) && !algebra.varies(e);
        let kind = match data.kind {
            ExprKind::Load { tensor, .. } => {
                let (value, own) = self.item(tensor)?;
                let weight = self.weight(value, &own)?;
                if weight.outside.is_empty() {
                    return self.copy(e, from, to, None);
                }
                let fresh: Vec<Index> = own.iter().map(|i| self.fresh(*i)).collect();
                let value = self.bare(value, &own, &fresh, before)?;
                let target = self.tensor(tensor, "bare");
                self.members.parts.insert(target, Part::Item);
                let place = self.def(tensor).map_or(before, |place| place + 1);
                self.func.defs.insert(
                    place,
                    Def {
                        target,
                        indices: fresh.iter().copied().collect(),
                        value,
                        span: data.span,
                    },
                );
                let rows = self.members.rows.len();
                let item = to.last().copied();
                let at: Vec<Index> = to[..rows].iter().copied().chain(item).collect();
                return Ok(self.load(target, &at));
            }
            ExprKind::Binary(BinaryOp::Mul, a, b) if moves(self, a) => {
                return self.bare(b, from, to, before);
            }
            ExprKind::Binary(BinaryOp::Mul | BinaryOp::Div, a, b) if moves(self, b) => {
                return self.bare(a, from, to, before);
            }
            ExprKind::Binary(op, a, b) => {
                let a = self.bare(a, from, to, before)?;
                ExprKind::Binary(op, a, self.bare(b, from, to, before)?)
            }
            ExprKind::Unary(UnaryOp::Neg, a) => {
                ExprKind::Unary(UnaryOp::Neg, self.bare(a, from, to, before)?)
            }
            ExprKind::Cast {
                value,
                round,
                overflow,
            } => ExprKind::Cast {
                value: self.bare(value, from, to, before)?,
                round,
                overflow,
            },
            ExprKind::Select(c, a, b) => {
                let settled = self.settled.get(&c).copied();
                let c = self.copy(c, from, to, None)?;
                self.settled.extend(settled.map(|holds| (c, holds)));
                let a = self.bare(a, from, to, before)?;
                ExprKind::Select(c, a, self.bare(b, from, to, before)?)
            }
            _ => return self.copy(e, from, to, None),
        };
        Ok(self.push(kind, data.elem, data.span))
    }

    // ---- new nodes ----

    /// A copy with the indices of another definition; with a side, tensors of the rows are taken from there.
    fn copy(&mut self, e: Expr, from: &[Index], to: &[Index], side: Option<Side>) -> Result<Expr> {
        self.copied += 1;
        if self.copied > MOST_COPIES {
            return because(
                "what merges so many reductions that follow from each other is too large",
            );
        }
        let data = self.func.exprs[e].clone();
        let map = |i: Index| {
            let found = from.iter().position(|f| *f == i);
            found.and_then(|p| to.get(p)).copied().unwrap_or(i)
        };
        let kind = match data.kind {
            ExprKind::Load { tensor, at, border } => {
                if let Some(side) = side
                    && matches!(self.part(tensor), Some(Part::Field | Part::Row))
                {
                    return self.row(tensor, side, to);
                }
                let border = match border {
                    None => None,
                    Some(border) => Some(self.copy(border, from, to, side)?),
                };
                ExprKind::Load {
                    tensor,
                    at: at.iter().map(|a| renamed(a, &map)).collect(),
                    border,
                }
            }
            ExprKind::Index(i) => ExprKind::Index(map(i)),
            ExprKind::Unary(op, a) => ExprKind::Unary(op, self.copy(a, from, to, side)?),
            ExprKind::Binary(op, a, b) => {
                let a = self.copy(a, from, to, side)?;
                ExprKind::Binary(op, a, self.copy(b, from, to, side)?)
            }
            ExprKind::Compare(op, a, b) => {
                let a = self.copy(a, from, to, side)?;
                ExprKind::Compare(op, a, self.copy(b, from, to, side)?)
            }
            ExprKind::Select(c, a, b) => {
                let c = self.copy(c, from, to, side)?;
                let a = self.copy(a, from, to, side)?;
                ExprKind::Select(c, a, self.copy(b, from, to, side)?)
            }
            kind if self.counting && data.elem == Elem::F32 && self.is_number(&kind) => {
                let Some(items) = self.items else {
                    return Ok(self.push(kind, data.elem, data.span));
                };
                let rows = &to[..self.members.rows.len()];
                return match side {
                    Some(side) => self.row(items, side, rows),
                    None => Ok(self.load(items, rows)),
                };
            }
            ExprKind::Cast {
                value,
                round,
                overflow,
            } => ExprKind::Cast {
                value: self.copy(value, from, to, side)?,
                round,
                overflow,
            },
            ExprKind::Gather { .. } | ExprKind::Reduce(_) => {
                return because("this expression is not copied");
            }
            kind @ (ExprKind::Float(_) | ExprKind::Int(_)) => kind,
        };
        Ok(self.push(kind, data.elem, data.span))
    }

    fn push(&mut self, kind: ExprKind, elem: Elem, span: Span) -> Expr {
        self.func.exprs.push(ExprData { kind, elem, span })
    }

    fn load(&mut self, tensor: Tensor, at: &[Index]) -> Expr {
        let data = &self.func.tensors[tensor];
        let (elem, span) = (data.elem, data.span);
        let kind = ExprKind::Load {
            tensor,
            at: at.iter().map(|i| Affine::index(*i)).collect(),
            border: None,
        };
        self.push(kind, elem, span)
    }

    fn fresh(&mut self, index: Index) -> Index {
        let data = self.func.indices[index].clone();
        self.func.indices.push(data)
    }

    fn tensor(&mut self, like: Tensor, word: &str) -> Tensor {
        let data = self.func.tensors[like].clone();
        self.func.tensors.push(TensorData {
            name: format!("{}.{word}", data.name),
            role: Role::Let,
            ..data
        })
    }

    fn sides(&mut self, tensor: Tensor) -> [Tensor; 2] {
        ["first", "later"].map(|word| self.tensor(tensor, word))
    }
}

fn foreign(expr: Expr, own: &[Index]) -> Foreign {
    Foreign {
        expr,
        own: own.to_vec(),
    }
}

fn renamed(affine: &Affine, map: &dyn Fn(Index) -> Index) -> Affine {
    let atom = |atom: &Atom| match atom {
        Atom::Index(i) => Atom::Index(map(*i)),
        Atom::Div(a, n) => Atom::Div(Box::new(renamed(a, map)), *n),
        Atom::Mod(a, n) => Atom::Mod(Box::new(renamed(a, map)), *n),
        Atom::Clamp(a, lo, hi) => Atom::Clamp(Box::new(renamed(a, map)), *lo, *hi),
    };
    let terms = affine.terms.iter();
    Affine {
        constant: affine.constant,
        terms: terms.map(|(factor, a)| (*factor, atom(a))).collect(),
    }
}

fn because<T>(text: &str) -> Result<T> {
    Err(Refusal::Because(text.to_owned()))
}

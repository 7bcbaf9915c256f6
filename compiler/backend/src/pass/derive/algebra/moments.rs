//! Sums of one or two factors that earlier fields shift: what merges them is a polynomial in the shifts.
//!
//! With `a' = a + da` and `b' = b + db`, where `da` and `db` are the same for all items of a record,
//! `sum a'·b' = sum a·b + da·sum b + db·sum a + n·da·db`. So a record also keeps the number of its items and the sum of each
//! factor: fields of their own, which no definition of the kernel computes. What a record shifts by is free, if it is the
//! right value when all items are there: where a value of the rows has the number of items as a constant (a mean has), a
//! record takes the number of its own, so that moments stay central and nothing cancels. Names and the order of operands
//! play no part.

use diag::Span;
use ir::algo::{
    BinaryOp, CmpOp, Expr, ExprKind, Index, Order, Reduce, ReduceOp, Role, Tensor, TensorData,
};
use isa::types::Elem;

use super::{Algebra, Delta, Field, Part, Result, Side, because};

/// The factors of a sum, and how each changes with the fields.
struct Factors {
    a: (Expr, Delta),
    /// None for a sum of one factor.
    b: Option<(Expr, Delta)>,
}

impl Algebra<'_> {
    /// Replaces the number of items in values of the rows by that of a record, where one of them has it.
    pub(super) fn count_items(&mut self) -> Result<()> {
        let order: Vec<Tensor> = self.func.defs.iter().map(|def| def.target).collect();
        let shifting = |tensor: &&Tensor| {
            let def = self.def(**tensor);
            self.part(**tensor) == Some(Part::Row)
                && def.is_some_and(|def| self.depends(self.func.defs[def].value))
        };
        let rows: Vec<Tensor> = order.iter().filter(shifting).copied().collect();
        let counted: Vec<Tensor> = (rows.into_iter())
            .filter(|row| {
                let def = self.def(*row);
                def.is_some_and(|def| {
                    self.any(self.func.defs[def].value, &|kind| self.is_number(kind))
                })
            })
            .collect();
        let seed = order.iter().find_map(|tensor| {
            let reduce = self.func.root_reduce(self.def(*tensor)?)?.clone();
            (self.part(*tensor) == Some(Part::Field)).then_some((*tensor, reduce))
        });
        let (false, Some((seed, reduce))) = (counted.is_empty(), seed) else {
            return Ok(());
        };
        let plain = Reduce {
            mask: None,
            ..reduce
        };
        let own = self.own(seed);
        self.items = Some(self.number(seed, &plain, &own, self.func.tensors[seed].span));
        for row in counted {
            let (own, def) = (self.own(row), self.def(row));
            if let Some(def) = def {
                self.counting = true;
                let value = self.copy(self.func.defs[def].value, &own, &own, None);
                self.counting = false;
                let value = value?;
                self.records.insert(row, value);
            }
        }
        Ok(())
    }

    /// Whether a constant is the number of items.
    pub(super) fn is_number(&self, kind: &ExprKind) -> bool {
        match kind {
            ExprKind::Float(x) => *x == self.members.items as f64,
            ExprKind::Cast { value, .. } => {
                matches!(self.func.exprs[*value].kind, ExprKind::Int(x) if i128::from(x) == i128::from(self.members.items))
            }
            _ => false,
        }
    }

    /// The field that counts the items of a mask.
    fn number(&mut self, like: Tensor, reduce: &Reduce, own: &[Index], span: Span) -> Tensor {
        if let Some((_, known)) = self.counts.iter().find(|(mask, _)| *mask == reduce.mask) {
            return *known;
        }
        let body = self.push(ExprKind::Float(1.0), Elem::F32, span);
        let tensor = self.made(like, "items");
        self.members.parts.insert(tensor, Part::Field);
        self.plain_sum(tensor, (reduce, body), own, span);
        self.counts.push((reduce.mask, tensor));
        tensor
    }

    /// Derives a sum of shifted factors.
    pub(super) fn moment(
        &mut self,
        tensor: Tensor,
        reduce: &Reduce,
        own: &[Index],
        span: Span,
    ) -> Result<()> {
        let body_own: Vec<Index> = own.iter().chain(&reduce.axes).copied().collect();
        let factors = self.factors(reduce.body, &body_own)?;
        let number = self.number(tensor, reduce, own, span);
        let Factors { a, b } = factors;
        let Some(b) = b else {
            self.plain_sum(tensor, (reduce, reduce.body), own, span);
            self.shift_sum(tensor, own, span, &a.1, number)?;
            return Ok(());
        };
        let same = a.0 == b.0 || self.same_item(a.0, b.0);
        let first = self.first_moment(tensor, (reduce, &a), own, span, number)?;
        let second = match same {
            true => first,
            false => self.first_moment(tensor, (reduce, &b), own, span, number)?,
        };
        let sides = self.sides(tensor);
        let mut terms = Vec::new();
        for (side, of) in [(Side::First, sides[0]), (Side::Later, sides[1])] {
            let mut term = self.load(of, own);
            let da = self.difference(&a.1, side, own, span)?;
            let db = self.difference(&b.1, side, own, span)?;
            let (sum_a, sum_b) = (self.row(first, side, own)?, self.row(second, side, own)?);
            let n = self.row(number, side, own)?;
            match (da, db) {
                (Some(d), Some(_)) if same => {
                    // d·(2·sum + n·d)
                    let twice = self.binary(BinaryOp::Add, sum_a, sum_a, span);
                    let all = self.binary(BinaryOp::Mul, n, d, span);
                    let inner = self.binary(BinaryOp::Add, twice, all, span);
                    let change = self.binary(BinaryOp::Mul, d, inner, span);
                    term = self.binary(BinaryOp::Add, term, change, span);
                }
                (da, db) => {
                    for (d, sum) in [(da, sum_b), (db, sum_a)] {
                        if let Some(d) = d {
                            let change = self.binary(BinaryOp::Mul, d, sum, span);
                            term = self.binary(BinaryOp::Add, term, change, span);
                        }
                    }
                    if let (Some(da), Some(db)) = (da, db) {
                        let all = self.binary(BinaryOp::Mul, n, da, span);
                        let change = self.binary(BinaryOp::Mul, all, db, span);
                        term = self.binary(BinaryOp::Add, term, change, span);
                    }
                }
            }
            terms.push(self.unless_empty(n, term, span));
        }
        let merge = self.binary(BinaryOp::Add, terms[0], terms[1], span);
        self.keep(tensor, sides, merge, reduce, own);
        self.linked = true;
        Ok(())
    }

    /// One factor or two, each an item that fields shift.
    fn factors(&mut self, body: Expr, own: &[Index]) -> Result<Factors> {
        let body = self.inlined(body, own)?;
        if let ExprKind::Binary(BinaryOp::Mul, a, b) = self.func.exprs[body].kind
            && (self.varies(a) || self.depends(a))
            && (self.varies(b) || self.depends(b))
        {
            let (da, db) = (self.delta(a, own)?, self.delta(b, own)?);
            return Ok(Factors {
                a: (a, da),
                b: Some((b, db)),
            });
        }
        let d = self.delta(body, own)?;
        Ok(Factors {
            a: (body, d),
            b: None,
        })
    }

    /// The value of an item map that is a product, at the places of its reader.
    fn inlined(&mut self, e: Expr, own: &[Index]) -> Result<Expr> {
        let ExprKind::Load { tensor, .. } = self.func.exprs[e].kind else {
            return Ok(e);
        };
        if self.part(tensor) != Some(Part::Item) {
            return Ok(e);
        }
        let (value, from) = self.item(tensor)?;
        match self.func.exprs[value].kind {
            ExprKind::Binary(BinaryOp::Mul, ..) => self.copy(value, &from, own, None),
            _ => Ok(e),
        }
    }

    /// The field that sums a factor.
    fn first_moment(
        &mut self,
        like: Tensor,
        (reduce, factor): (&Reduce, &(Expr, Delta)),
        own: &[Index],
        span: Span,
        number: Tensor,
    ) -> Result<Tensor> {
        let tensor = self.made(like, "first_moment");
        self.members.parts.insert(tensor, Part::Field);
        self.plain_sum(tensor, (reduce, factor.0), own, span);
        self.shift_sum(tensor, own, span, &factor.1, number)?;
        Ok(tensor)
    }

    /// A field for a sum that nothing shifts.
    fn plain_sum(
        &mut self,
        tensor: Tensor,
        (reduce, body): (&Reduce, Expr),
        own: &[Index],
        span: Span,
    ) {
        let sides = self.sides(tensor);
        let [first, later] = sides.map(|side| self.load(side, own));
        let merge = self.binary(BinaryOp::Add, first, later, span);
        let sum = Reduce {
            op: ReduceOp::Sum,
            body,
            order: Order::Free,
            exact_product: body == reduce.body && reduce.exact_product,
            ..reduce.clone()
        };
        self.keep(tensor, sides, merge, &sum, own);
    }

    /// Adds to what merges a sum of one factor what a shift changes: the number of items times the shift.
    fn shift_sum(
        &mut self,
        tensor: Tensor,
        own: &[Index],
        span: Span,
        delta: &Delta,
        number: Tensor,
    ) -> Result<()> {
        let Some(sides) = (self.fields.iter().find(|f| f.tensor == tensor)).map(|f| f.sides) else {
            return because("a field that is not there");
        };
        let mut terms = Vec::new();
        for (side, of) in [(Side::First, sides[0]), (Side::Later, sides[1])] {
            let value = self.load(of, own);
            let n = self.row(number, side, own)?;
            terms.push(match self.difference(delta, side, own, span)? {
                None => value,
                Some(d) => {
                    let all = self.binary(BinaryOp::Mul, n, d, span);
                    let term = self.binary(BinaryOp::Add, value, all, span);
                    self.linked = true;
                    self.unless_empty(n, term, span)
                }
            });
        }
        let merge = self.binary(BinaryOp::Add, terms[0], terms[1], span);
        if let Some(field) = self.fields.iter_mut().find(|f| f.tensor == tensor) {
            field.merge = merge;
        }
        Ok(())
    }

    /// 0 where a side has no items: what it shifts by is nothing then.
    fn unless_empty(&mut self, n: Expr, term: Expr, span: Span) -> Expr {
        let zero = self.push(ExprKind::Float(0.0), Elem::F32, span);
        let empty = self.push(ExprKind::Compare(CmpOp::Eq, n, zero), Elem::Bool, span);
        self.push(ExprKind::Select(empty, zero, term), Elem::F32, span)
    }

    fn binary(&mut self, op: BinaryOp, a: Expr, b: Expr, span: Span) -> Expr {
        self.push(ExprKind::Binary(op, a, b), Elem::F32, span)
    }

    fn keep(
        &mut self,
        tensor: Tensor,
        sides: [Tensor; 2],
        merge: Expr,
        reduce: &Reduce,
        own: &[Index],
    ) {
        self.fields.push(Field {
            tensor,
            sides,
            merge,
            start: 0.0,
            weights: None,
            shifts: false,
            reduce: reduce.clone(),
            own: own.to_vec(),
        });
        self.shifted_by.push(std::collections::BTreeSet::new());
    }

    /// A tensor for a field that the kernel does not have.
    fn made(&mut self, like: Tensor, word: &str) -> Tensor {
        let data = self.func.tensors[like].clone();
        self.func.tensors.push(TensorData {
            name: format!("{}.{word}", data.name),
            role: Role::Let,
            elem: Elem::F32,
            ..data
        })
    }
}

//! Reductions that depend on each other, in one walk over the chunks of rows that do not fit.
//!
//! Each chunk gives a record, computed as if the rows had no other items; records are merged into an accumulator as
//! `pass/derive` found. What stands on the accumulator when all chunks are merged is what the definitions say.

use ir::algo::Overflow;
use ir::algo::Round;
use ir::tile::{Arg, Buf, EwOp, Operand};
use isa::types::Elem;

use super::Plan;
use crate::pass::derive::{Cascade, Field, Part};
use crate::tiling::Result;
use crate::tiling::builder::whole;
use crate::tiling::expr::{Emitter, Internal, Kind, Val, float_bits};

impl Plan<'_> {
    /// The cascade of the step, where rows are walked in chunks.
    pub(super) fn cascade(&self) -> Option<&Cascade> {
        let cascade = self.step.cascade.as_deref();
        cascade.filter(|_| !self.one_chunk())
    }

    pub(super) fn is_field(&self, cascade: &Cascade, def: usize) -> bool {
        let target = self.cx.algo.defs[def].target;
        cascade.fields.iter().any(|field| field.tensor == target)
    }

    /// The pass of every field, if a definition is one: after the reductions outside of the cascade.
    pub(super) fn level_in(&self, cascade: &Cascade, def: usize) -> Option<u32> {
        self.is_field(cascade, def).then(|| {
            let fields = cascade.fields.iter();
            let fields = fields.filter_map(|field| self.member(field.tensor));
            let levels = fields.map(|field| self.level_outside(cascade, field));
            levels.max().unwrap_or(0)
        })
    }

    fn level_outside(&self, cascade: &Cascade, def: usize) -> u32 {
        let algo = self.cx.algo;
        let reads = algo.accesses(algo.defs[def].value).into_iter();
        let sources = reads.filter_map(|e| algo.load(e).map(|(tensor, ..)| tensor));
        let level = |tensor| {
            let source = self.member(tensor)?;
            match cascade.parts.get(&tensor) {
                Some(Part::Field) => None,
                Some(_) => Some(self.level_outside(cascade, source)),
                None => {
                    let level = self.level.get(&source).copied().unwrap_or(0);
                    Some(level + u32::from(algo.root_reduce(source).is_some()))
                }
            }
        };
        sources.filter_map(level).max().unwrap_or(0)
    }

    /// Computes every field of a cascade.
    pub(super) fn walk_once(&self, e: &mut Emitter<'_>, cascade: &Cascade) -> Result<()> {
        let state: Vec<Buf> = cascade.fields.iter().map(|f| start(e, f)).collect();
        e.for_loop(0, self.chunks, 1, |e, chunk| -> Result<()> {
            self.enter_chunk(e, chunk);
            let records = self.record(e, cascade)?;
            merge(e, cascade, &state, &records)
        })?;
        for (field, &buf) in cascade.fields.iter().zip(&state) {
            e.internal.insert(field.tensor, row(buf));
        }
        for &tensor in cascade.records.keys() {
            if let Some(def) = self.member(tensor) {
                let value = self.cx.algo.defs[def].value;
                e.internal.insert(tensor, Internal::Map(value));
            }
        }
        Ok(())
    }

    /// The fields of a chunk's items.
    fn record(&self, e: &mut Emitter<'_>, cascade: &Cascade) -> Result<Vec<Val>> {
        for (&tensor, &value) in &cascade.records {
            e.internal.insert(tensor, Internal::Map(value));
        }
        e.settled = cascade.settled.clone();
        let mut records = Vec::new();
        for field in &cascade.fields {
            let val = self.field(e, field)?;
            records.push(val);
            let shift = match field.shifts {
                true => e.or_zero(val, float_bits(field.start, Elem::F32))?,
                false => val,
            };
            let ready = Internal::Ready(shift, Kind::Row);
            e.internal.insert(field.tensor, ready);
        }
        e.settled.clear();
        Ok(records)
    }

    fn field(&self, e: &mut Emitter<'_>, field: &Field) -> Result<Val> {
        let one = matches!(self.cx.algo.exprs[field.reduce.body].kind, ir::algo::ExprKind::Float(x) if x == 1.0);
        if one && field.reduce.mask.is_none() {
            return Ok(items(e));
        }
        let acc = self.start_sum(e, &field.reduce);
        self.accumulate_as(e, Elem::F32, &field.reduce, acc)?;
        Ok(self.finish_sum(e, &field.reduce, acc))
    }
}

/// The number of items of a chunk.
fn items(e: &mut Emitter<'_>) -> Val {
    let count = e.extent.col_count;
    if let Arg::Const(count) = count {
        return Val::Bits(float_bits(count as f64, Elem::F32));
    }
    let count = e.materialise(Kind::Row, Elem::I32, Val::Scalar(count));
    let count = Val::Buf(Kind::Row, count);
    e.convert(count, Elem::I32, Elem::F32, Round::Even, Overflow::Keep)
}

/// An accumulator of nothing.
fn start(e: &mut Emitter<'_>, field: &Field) -> Buf {
    let start = Val::Bits(float_bits(field.start, Elem::F32));
    e.materialise(Kind::Row, Elem::F32, start)
}

fn row(buf: Buf) -> Internal {
    Internal::Ready(Val::Buf(Kind::Row, buf), Kind::Row)
}

/// Merges records into the accumulators.
fn merge(e: &mut Emitter<'_>, cascade: &Cascade, state: &[Buf], records: &[Val]) -> Result<()> {
    for ((field, &buf), &record) in cascade.fields.iter().zip(state).zip(records) {
        e.internal.insert(field.sides[0], row(buf));
        let later = Internal::Ready(record, Kind::Row);
        e.internal.insert(field.sides[1], later);
    }
    let mut merged = Vec::new();
    for field in &cascade.fields {
        let val = e.value(field.merge)?;
        merged.push(e.materialise(Kind::Row, Elem::F32, val));
    }
    for (&from, &to) in merged.iter().zip(state) {
        let dims = e.row_dims();
        e.b.ew(EwOp::Copy, to, Operand::Full(whole(from)), None, dims);
    }
    Ok(())
}

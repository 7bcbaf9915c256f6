//! What the vector unit computes, a row at a time.

use std::cmp::Ordering;

use isa::num::{Overflow, Round, tree_reduce};
use isa::types::Elem;

use super::core::{Core, Extent, of_buf};
use super::cube::zero;
use super::{EvalErrorKind, Fault, Machine};
use crate::algo::data::Data;
use crate::algo::eval::column::{self, Column};
use crate::algo::eval::scalar::{self, Value as Number};
use crate::algo::{BinaryOp, UnaryOp};
use crate::tile::{Arg, EwOp, Operand, RedOp, View};

/// Lanes of an accumulator.
const LANES: usize = 64;
/// Elements of a block of 32 B.
const BLOCK: usize = 8;

impl Core {
    fn read(
        &self,
        machine: &Machine<'_>,
        view: View,
        row: usize,
        cols: usize,
    ) -> Result<Column, Fault> {
        let at = self.row_position(machine, view, row, cols)?;
        self.matrix(view.buf)
            .store
            .read(at, cols)
            .map_err(|e| of_buf(machine, view.buf, e))
    }

    fn write(
        &mut self,
        machine: &Machine<'_>,
        view: View,
        row: usize,
        values: &Column,
    ) -> Result<(), Fault> {
        let at = self.row_position(machine, view, row, values.len())?;
        self.matrix_mut(view.buf).store.write(at, values)
    }

    pub(super) fn ew(
        &mut self,
        machine: &Machine<'_>,
        op: EwOp,
        dst: View,
        operands: [Option<Operand>; 3],
        extent: Extent,
    ) -> Result<(), Fault> {
        let to = machine.func.bufs[dst.buf].elem;
        let elems = self.operand_elems(machine, op, to, operands);
        if let Some(last) = extent.rows.checked_sub(1) {
            self.row_position(machine, dst, last, extent.cols)?;
        }
        // All operands are read before anything is written, so that the destination may be one of them.
        let mut results = Vec::with_capacity(extent.rows);
        for row in 0..extent.rows {
            let mut columns: [Column; 3] = [(); 3].map(|()| Column::Bool(Vec::new()));
            for ((column, operand), elem) in columns.iter_mut().zip(operands).zip(elems) {
                if let Some(operand) = operand {
                    *column = self.operand(machine, operand, elem, row, extent.cols)?;
                }
            }
            results.push(element_wise(op, elems[0], to, &columns)?);
        }
        for (row, result) in results.iter().enumerate() {
            self.write(machine, dst, row, result)?;
        }
        Ok(())
    }

    /// The element types of the operands; immediates take the type that they need.
    fn operand_elems(
        &self,
        machine: &Machine<'_>,
        op: EwOp,
        to: Elem,
        operands: [Option<Operand>; 3],
    ) -> [Elem; 3] {
        let own = operands.map(|operand| {
            operand
                .and_then(Operand::view)
                .map(|view| machine.func.bufs[view.buf].elem)
        });
        let needed = match op {
            EwOp::Cmp(_) => own[0].or(own[1]).unwrap_or(to),
            EwOp::Copy
            | EwOp::Add
            | EwOp::Sub
            | EwOp::Mul
            | EwOp::Div
            | EwOp::Rem
            | EwOp::Max
            | EwOp::Min
            | EwOp::Abs
            | EwOp::Neg
            | EwOp::Exp
            | EwOp::Ln
            | EwOp::Sqrt
            | EwOp::Relu
            | EwOp::Round(_)
            | EwOp::And
            | EwOp::Or
            | EwOp::Xor
            | EwOp::Not
            | EwOp::Shl
            | EwOp::Shr
            | EwOp::Select
            | EwOp::Cast(..)
            | EwOp::Iota => to,
        };
        own.map(|elem| elem.unwrap_or(needed))
    }

    fn operand(
        &self,
        machine: &Machine<'_>,
        operand: Operand,
        elem: Elem,
        row: usize,
        cols: usize,
    ) -> Result<Column, Fault> {
        match operand {
            Operand::Full(view) => self.read(machine, view, row, cols),
            Operand::EachRow(view) => self.read(machine, view, 0, cols),
            Operand::EachCol(view) => Ok(self.read(machine, view, row, 1)?.expanded(cols)),
            Operand::Bits(bits) => Ok(filled(elem, u64::from(bits), cols)),
            Operand::Scalar(value) => Ok(filled(elem, self.arg(Arg::Val(value)) as u64, cols)),
        }
    }

    pub(super) fn spread(
        &mut self,
        machine: &Machine<'_>,
        dst: View,
        src: View,
        rows: usize,
    ) -> Result<(), Fault> {
        if rows == 0 {
            return Ok(());
        }
        let block = usize::try_from(machine.func.bufs[dst.buf].cols).unwrap_or(0);
        let source = self.read(machine, src, 0, rows)?.expanded(block);
        for row in 0..rows {
            self.write(machine, dst, row, &source.part(row * block, block))?;
        }
        Ok(())
    }

    pub(super) fn transpose(
        &mut self,
        machine: &Machine<'_>,
        dst: View,
        src: View,
        extent: Extent,
    ) -> Result<(), Fault> {
        let rows = (0..extent.rows).map(|row| self.read(machine, src, row, extent.cols));
        let rows = rows.collect::<Result<Vec<Column>, Fault>>()?;
        for col in 0..extent.cols {
            self.write(machine, dst, col, &column::across(&rows, col))?;
        }
        Ok(())
    }

    pub(super) fn gather(
        &mut self,
        machine: &Machine<'_>,
        [dst, src, at]: [View; 3],
        extent: Extent,
    ) -> Result<(), Fault> {
        let size = machine.func.bufs[src.buf].elem.bytes() as i64;
        let first = self.row_position(machine, src, 0, 1)?;
        for row in 0..extent.rows {
            let to = self.row_position(machine, dst, row, extent.cols)?;
            let from = self.row_position(machine, at, row, extent.cols)?;
            for col in 0..extent.cols {
                let chosen = |e| of_buf(machine, src.buf, e);
                let offset = (self.matrix(at.buf).store)
                    .read_bits(from + col)
                    .map_err(|e| of_buf(machine, at.buf, e))?;
                let offset = i64::from(offset as u32);
                let place = usize::try_from(offset / size).unwrap_or(usize::MAX);
                let place = match offset % size {
                    0 => first.saturating_add(place),
                    _ => usize::MAX,
                };
                let bits = self
                    .matrix(src.buf)
                    .store
                    .read_bits(place)
                    .map_err(chosen)?;
                self.matrix_mut(dst.buf).store.write_bits(to + col, bits)?;
            }
        }
        Ok(())
    }

    pub(super) fn sort(
        &mut self,
        machine: &Machine<'_>,
        [dst, keys, places]: [View; 3],
        extent: Extent,
    ) -> Result<(), Fault> {
        for row in 0..extent.rows {
            let key_at = self.row_position(machine, keys, row, extent.cols)?;
            let place_at = self.row_position(machine, places, row, extent.cols)?;
            let mut pairs = Vec::with_capacity(extent.cols);
            for col in 0..extent.cols {
                let key = self.matrix(keys.buf).store.read_bits(key_at + col);
                let place = self.matrix(places.buf).store.read_bits(place_at + col);
                let key = key.map_err(|e| of_buf(machine, keys.buf, e))?;
                pairs.push((key, place.map_err(|e| of_buf(machine, places.buf, e))?));
            }
            pairs.sort_by(|a, b| before(a.0, b.0));
            let to = self.row_position(machine, dst, row, 2 * extent.cols)?;
            let store = &mut self.matrix_mut(dst.buf).store;
            for (rank, (key, place)) in pairs.into_iter().enumerate() {
                store.write_bits(to + 2 * rank, key)?;
                store.write_bits(to + 2 * rank + 1, place)?;
            }
        }
        for row in extent.rows..2 * extent.rows {
            let used = self.row_position(machine, dst, row, 2 * extent.cols)?;
            let store = &mut self.matrix_mut(dst.buf).store;
            store.forget(used, 2 * extent.cols);
        }
        Ok(())
    }

    pub(super) fn accumulate(
        &mut self,
        machine: &Machine<'_>,
        op: RedOp,
        acc: View,
        src: View,
        extent: Extent,
    ) -> Result<(), Fault> {
        let elem = machine.func.bufs[acc.buf].elem;
        for row in 0..extent.rows {
            let items = self.read(machine, src, row, extent.cols)?;
            for start in (0..extent.cols).step_by(LANES) {
                let part = items.part(start, LANES.min(extent.cols - start));
                let before = self.read(machine, acc, row, part.len())?;
                let after =
                    column::binary(joining(op), elem, &before, &part, None).map_err(by_zero)?;
                self.write(machine, acc, row, &after)?;
            }
        }
        Ok(())
    }

    pub(super) fn block_reduce(
        &mut self,
        machine: &Machine<'_>,
        op: RedOp,
        [dst, src]: [View; 2],
        extent: Extent,
    ) -> Result<(), Fault> {
        let elem = machine.func.bufs[src.buf].elem;
        let join = |a, b| scalar::binary(joining(op), elem, a, b).unwrap_or(a);
        for row in 0..extent.rows {
            let Column::F32(items) = self.read(machine, src, row, extent.cols)? else {
                continue;
            };
            let blocks = items.chunks(BLOCK).map(|block| {
                let block: Vec<Number> = block.iter().copied().map(Number::F32).collect();
                tree_reduce(&block, join).unwrap_or(zero(elem)).f32()
            });
            let joined = Column::F32(blocks.collect());
            self.write(machine, dst, row, &joined)?;
        }
        Ok(())
    }

    pub(super) fn lanes(
        &mut self,
        machine: &Machine<'_>,
        op: RedOp,
        dst: View,
        acc: View,
        rows: usize,
    ) -> Result<(), Fault> {
        let elem = machine.func.bufs[acc.buf].elem;
        let join = |a, b| scalar::binary(joining(op), elem, a, b).unwrap_or(a);
        let mut joined = Vec::new();
        for row in 0..rows {
            let lanes: Vec<Number> = match self.read(machine, acc, row, LANES)? {
                Column::F32(lanes) => lanes.into_iter().map(Number::F32).collect(),
                Column::Int(lanes) => lanes.into_iter().map(Number::Int).collect(),
                Column::Half(_) | Column::Bool(_) => Vec::new(),
            };
            joined.push(tree_reduce(&lanes, join).unwrap_or(zero(elem)));
        }
        if rows == 0 {
            return Ok(());
        }
        let joined = match elem {
            Elem::F32 => Column::F32(joined.into_iter().map(Number::f32).collect()),
            Elem::F16
            | Elem::Bf16
            | Elem::I64
            | Elem::I32
            | Elem::I16
            | Elem::I8
            | Elem::U8
            | Elem::Bool => Column::Int(joined.into_iter().map(Number::int).collect()),
        };
        self.write(machine, dst, 0, &joined)
    }
}

/// Descending order of keys given by their bits: NaN before all, +0 before -0.
fn before(a: u64, b: u64) -> Ordering {
    let key = |bits: u64| {
        let key = f32::from_bits(bits as u32);
        if key.is_nan() { f32::NAN } else { key }
    };
    key(b).total_cmp(&key(a))
}

/// The same element, given by its bits, in each lane.
fn filled(elem: Elem, bits: u64, lanes: usize) -> Column {
    let data = Data {
        bytes: bits.to_le_bytes().to_vec(),
    };
    Column::filled(elem, Number::load(elem, &data, 0), lanes)
}

const fn joining(op: RedOp) -> BinaryOp {
    match op {
        RedOp::Sum => BinaryOp::Add,
        RedOp::Max => BinaryOp::Max,
        RedOp::Min => BinaryOp::Min,
    }
}

fn by_zero(_: column::DividedByZero) -> Fault {
    (
        EvalErrorKind::Value,
        String::from("integer division by zero"),
    )
}

/// Computes a row: operands of type `from` (of a select the mask's) to elements of type `to`.
fn element_wise(op: EwOp, from: Elem, to: Elem, [a, b, c]: &[Column; 3]) -> Result<Column, Fault> {
    let unary = |op| column::unary(op, to, a);
    let binary = |op| column::binary(op, to, a, b, None).map_err(by_zero);
    Ok(match op {
        EwOp::Copy => a.clone(),
        EwOp::Add => binary(BinaryOp::Add)?,
        EwOp::Sub => binary(BinaryOp::Sub)?,
        EwOp::Mul => binary(BinaryOp::Mul)?,
        EwOp::Div => binary(BinaryOp::Div)?,
        EwOp::Rem => binary(BinaryOp::Rem)?,
        EwOp::Max => binary(BinaryOp::Max)?,
        EwOp::Min => binary(BinaryOp::Min)?,
        EwOp::And => binary(BinaryOp::And)?,
        EwOp::Or => binary(BinaryOp::Or)?,
        EwOp::Xor => binary(BinaryOp::Xor)?,
        EwOp::Shl => binary(BinaryOp::Shl)?,
        EwOp::Shr => binary(BinaryOp::Shr)?,
        EwOp::Abs => unary(UnaryOp::Abs),
        EwOp::Neg => unary(UnaryOp::Neg),
        EwOp::Exp => unary(UnaryOp::Exp),
        EwOp::Ln => unary(UnaryOp::Ln),
        EwOp::Sqrt => unary(UnaryOp::Sqrt),
        EwOp::Round(round) => unary(UnaryOp::Round(round)),
        EwOp::Not if to == Elem::Bool => unary(UnaryOp::Not),
        EwOp::Not => unary(UnaryOp::BitNot),
        EwOp::Relu => {
            let zeros = Column::filled(to, zero(to), a.len());
            column::binary(BinaryOp::Max, to, a, &zeros, None).map_err(by_zero)?
        }
        EwOp::Cmp(op) => column::compare(op, from, a, b),
        EwOp::Select => Column::select(a.bools(), b, c),
        EwOp::Cast(round, overflow) => column::cast(a, from, to, round, overflow),
        EwOp::Iota => {
            let numbers = (0_i64..).take(a.len()).collect();
            let steps = column::cast(
                &Column::Int(numbers),
                Elem::I64,
                to,
                Round::Even,
                Overflow::Saturate,
            );
            column::binary(BinaryOp::Add, to, a, &steps, None).map_err(by_zero)?
        }
    })
}

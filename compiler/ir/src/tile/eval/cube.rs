//! What the cube, its loads and the fixpipe compute.

use isa::num::{self, Overflow, QuantWord, Relu, Round};
use isa::types::Elem;

use super::core::{Core, Extent, Rows, of_buf, of_tensor};
use super::{EvalErrorKind, Fault, Machine};
use crate::algo::BinaryOp;
use crate::algo::eval::column::{self, Column};
use crate::algo::eval::scalar::Value as Number;
use crate::tile::window::Known;
use crate::tile::{Arg, Buf, FixCast, Tensor, View, Window};

impl Core {
    pub(super) fn load_tile(
        &mut self,
        machine: &Machine<'_>,
        dst: Buf,
        src: View,
        extent: Extent,
        transposed: bool,
    ) -> Result<(), Fault> {
        let room = self.matrix(dst).store.count();
        if extent
            .rows
            .checked_mul(extent.cols)
            .is_none_or(|cells| cells > room)
        {
            let name = &machine.func.bufs[dst].name;
            let message = format!(
                "a tile of {}×{} leaves buffer `{name}`",
                extent.rows, extent.cols
            );
            return Err((EvalErrorKind::OutOfBounds, message));
        }
        let mut tile = self.take_out(dst);
        tile.store.forget(0, room);
        // The tile is dense: its rows lie one behind the other, whatever the buffer's pitch.
        tile.tile = i64::try_from(extent.rows)
            .ok()
            .zip(i64::try_from(extent.cols).ok());
        let stored = if transposed {
            Extent {
                rows: extent.cols,
                cols: extent.rows,
            }
        } else {
            extent
        };
        for row in 0..stored.rows {
            let at = self.row_position(machine, src, row, stored.cols)?;
            let source = &self.matrix(src.buf).store;
            if transposed {
                for col in 0..stored.cols {
                    let done = tile
                        .store
                        .copy(col * extent.cols + row, source, at + col, 1);
                    done.map_err(|e| of_buf(machine, src.buf, e))?;
                }
            } else {
                let done = tile.store.copy(row * extent.cols, source, at, stored.cols);
                done.map_err(|e| of_buf(machine, src.buf, e))?;
            }
        }
        self.put_back(dst, tile);
        Ok(())
    }

    pub(super) fn load_window(
        &mut self,
        machine: &Machine<'_>,
        dst: Buf,
        src: View,
        extent: Extent,
        window: &Window,
    ) -> Result<(), Fault> {
        let known = Known {
            image: window.image.map(|arg| self.arg(arg)),
            pad: window.pad.map(|arg| self.arg(arg)),
            from: window.from.map(|arg| self.arg(arg)),
            window: *window,
        };
        let elem = machine.func.bufs[dst].elem;
        let block = (32 / elem.bytes()) as usize;
        let room = self.matrix(dst).store.count();
        if extent
            .rows
            .checked_mul(extent.cols)
            .is_none_or(|cells| cells > room || !extent.cols.is_multiple_of(block))
        {
            let name = &machine.func.bufs[dst].name;
            let message = format!(
                "a tile of {}×{} leaves buffer `{name}`, or is no whole blocks",
                extent.rows, extent.cols
            );
            return Err((EvalErrorKind::OutOfBounds, message));
        }
        let mut tile = self.take_out(dst);
        tile.store.forget(0, room);
        tile.tile = i64::try_from(extent.rows)
            .ok()
            .zip(i64::try_from(extent.cols).ok());
        let zeros = Column::filled(elem, zero(elem), block);
        for row in 0..extent.rows {
            for tap in 0..extent.cols / block {
                let to = row * extent.cols + tap * block;
                let element = known.element(row as i64, tap as i64);
                match element.and_then(|e| usize::try_from(e).ok()) {
                    None => tile.store.write(to, &zeros)?,
                    Some(element) => {
                        let at = self.row_position(machine, src, element, block)?;
                        let source = &self.matrix(src.buf).store;
                        let done = tile.store.copy(to, source, at, block);
                        done.map_err(|e| of_buf(machine, src.buf, e))?;
                    }
                }
            }
        }
        self.put_back(dst, tile);
        Ok(())
    }

    pub(super) fn load_words(
        &mut self,
        machine: &Machine<'_>,
        dst: Buf,
        src: View,
        extent: Extent,
    ) -> Result<(), Fault> {
        if extent.rows == 0 {
            return Ok(());
        }
        let at = self.row_position(machine, src, 0, extent.cols)?;
        let mut words = self.take_out(dst);
        let done = words
            .store
            .copy(0, &self.matrix(src.buf).store, at, extent.cols);
        self.put_back(dst, words);
        done.map_err(|e| of_buf(machine, src.buf, e))
    }

    pub(super) fn mad(
        &mut self,
        machine: &Machine<'_>,
        [c, a, b]: [Buf; 3],
        [m, k, n]: [usize; 3],
        (fresh, hf32): (bool, bool),
    ) -> Result<(), Fault> {
        let mut left = self.tile(machine, a, (m, k))?;
        let mut right = self.tile(machine, b, (k, n))?;
        if hf32 {
            for factor in left.iter_mut().chain(&mut right) {
                *factor = num::round_hf32(*factor, num::Hf32::Even);
            }
        }
        let whole = View {
            buf: c,
            row: Arg::Const(0),
            col: Arg::Const(0),
        };
        let elem = machine.func.bufs[a].elem;
        for row in 0..m {
            let at = self.row_position(machine, whole, row, n)?;
            let sums = &mut self.matrix_mut(c).store;
            let before = if fresh {
                Column::filled(sums.elem, zero(sums.elem), n)
            } else {
                sums.read(at, n).map_err(|e| of_buf(machine, c, e))?
            };
            let after = multiply_row(elem, before, &left[row * k..(row + 1) * k], &right);
            sums.write(at, &after)?;
        }
        Ok(())
    }

    /// The elements of a tile of at least these extents, row by row, widened; integers as exact floats.
    fn tile(
        &self,
        machine: &Machine<'_>,
        buf: Buf,
        (rows, cols): (usize, usize),
    ) -> Result<Vec<f32>, Fault> {
        let matrix = self.matrix(buf);
        let data = &machine.func.bufs[buf];
        let block = (32 / data.elem.bytes()) as usize;
        let (_, col_unit) = if data.space == isa::types::Space::L0a {
            (16, block)
        } else {
            (block, 16)
        };
        let tile = matrix
            .tile
            .and_then(|(r, c)| usize::try_from(r).ok().zip(usize::try_from(c).ok()));
        let (tile_rows, tile_cols) = tile.unwrap_or((0, 0));
        // The fractals of a row of the tile lie one behind the other, so their number must be the same.
        if rows > tile_rows
            || cols > tile_cols
            || cols.div_ceil(col_unit) != tile_cols.div_ceil(col_unit)
        {
            let message = format!(
                "a product takes {rows}×{cols} from buffer `{}`, which holds a tile of {tile_rows}×{tile_cols}",
                data.name
            );
            return Err((EvalErrorKind::OutOfBounds, message));
        }
        let mut elements = Vec::with_capacity(rows.saturating_mul(cols));
        for row in 0..rows {
            let values = matrix
                .store
                .read(row * tile_cols, cols)
                .map_err(|e| of_buf(machine, buf, e))?;
            match &values {
                Column::Int(values) => elements.extend(values.iter().map(|&x| x as f32)),
                Column::F32(_) | Column::Half(_) | Column::Bool(_) => {
                    elements.extend(values.widened(data.elem))
                }
            }
        }
        Ok(elements)
    }

    pub(super) fn drain(
        &mut self,
        machine: &mut Machine<'_>,
        (tensor, rows): (Tensor, Rows),
        src: Buf,
        extent: Extent,
        (cast, relu): (FixCast, bool),
    ) -> Result<(), Fault> {
        let (from, to) = (
            machine.func.bufs[src].elem,
            machine.func.tensors[tensor].elem,
        );
        let words = match cast {
            FixCast::Requant(words) if extent.rows > 0 => {
                let at = self.row_position(machine, words, 0, extent.cols)?;
                let words_of = self.matrix(words.buf).store.read(at, extent.cols);
                Some(words_of.map_err(|e| of_buf(machine, words.buf, e))?)
            }
            FixCast::Requant(_) | FixCast::Plain => None,
        };
        let whole = View {
            buf: src,
            row: Arg::Const(0),
            col: Arg::Const(0),
        };
        for row in 0..extent.rows {
            let at = self.row_position(machine, whole, row, extent.cols)?;
            let sums = self
                .matrix(src)
                .store
                .read(at, extent.cols)
                .map_err(|e| of_buf(machine, src, e))?;
            let mut out = match &words {
                Some(words) => requantised(&sums, words),
                None if from == to => sums,
                None => column::cast(&sums, from, to, Round::Even, Overflow::Saturate),
            };
            if relu {
                let zeros = Column::filled(to, zero(to), extent.cols);
                out = column::binary(BinaryOp::Max, to, &out, &zeros, None).unwrap_or(out);
            }
            let done = machine.tensors[tensor].write(rows.start(row)?, &out);
            done.map_err(|e| of_tensor(machine, tensor, e))?;
        }
        Ok(())
    }
}

/// Zero of a type.
pub(super) fn zero(elem: Elem) -> Number {
    match elem {
        Elem::F32 => Number::F32(0.0),
        Elem::F16 | Elem::Bf16 => Number::Half(0),
        Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => Number::Int(0),
    }
}

/// Adds a row of products to a row of sums, the items ascending: what `num::mac_f16`, `mac_bf16`, `mac_f32` and `mac_i8`
/// do one by one. The products of f16 are exact in f32; a NaN is made canonical at the end, as no later sum undoes it.
fn multiply_row(elem: Elem, sums: Column, left: &[f32], right: &[f32]) -> Column {
    match sums {
        Column::F32(mut sums) => {
            let n = sums.len();
            for (&a, row) in left.iter().zip(right.chunks_exact(n.max(1))) {
                if elem == Elem::Bf16 {
                    sums.iter_mut()
                        .zip(row)
                        .for_each(|(sum, &b)| *sum = num::fma_f32(a, b, *sum));
                } else {
                    sums.iter_mut().zip(row).for_each(|(sum, &b)| *sum += a * b);
                }
            }
            sums.iter_mut()
                .for_each(|sum| *sum = num::canonical_f32(*sum));
            Column::F32(sums)
        }
        Column::Int(sums) => {
            let n = sums.len();
            let mut wrapped: Vec<i32> = sums.iter().map(|&sum| sum as i32).collect();
            for (&a, row) in left.iter().zip(right.chunks_exact(n.max(1))) {
                // A product of bytes is exact in f32.
                wrapped
                    .iter_mut()
                    .zip(row)
                    .for_each(|(sum, &b)| *sum = sum.wrapping_add((a * b) as i32));
            }
            Column::Int(wrapped.into_iter().map(i64::from).collect())
        }
        Column::Half(_) | Column::Bool(_) => sums,
    }
}

fn requantised(sums: &Column, words: &Column) -> Column {
    let pairs = sums.ints().iter().zip(words.ints());
    let narrow = pairs.map(|(&sum, &word)| {
        let word = QuantWord::unpack(word as u64);
        i64::from(num::requant_s32_s8(sum as i32, word, Relu::None))
    });
    Column::Int(narrow.collect())
}

//! The fixpipe: L0C to global memory or L1; what becomes of the elements on the way is in `drain`.

use isa::inst::*;
use isa::num::QuantWord;
use isa::types::Space;

use super::at_most;
use super::drain::{Columns, Drain, Line};
use crate::core::{Core, Halt};
use crate::fault::{FaultKind, Stop};
use crate::report::Path;

type Done = Result<(), Halt>;

/// Bytes of rows that are converted before they go on: what stays in the nearest cache.
const STAGE: usize = 8192;

impl FixUnit for Core<'_> {
    fn fix_l0c_gm(&mut self, i: &FixL0cGm) -> Done {
        let (m, n) = (i.m.get(&self.context), i.n.get(&self.context));
        let limit = if i.nd == Adj::On { 8192 } else { 16383 };
        let m = at_most(
            "m",
            m,
            limit,
            "at most 8192 rows when rows are written, else 16383",
        )?;
        let src = self.address_of(i.src);
        let stride = at_most(
            "dst_stride",
            i.dst_stride.get(&self.context),
            65535,
            "at most 65535",
        )?;
        let Some(drain) = self.drain_of(i.ty, i.quant, i.relu, src, (m, n), i.src_rows)? else {
            return Ok(());
        };
        check_shape(&drain, i.nd, stride)?;
        let dst = self.address_of(i.dst);
        let tile = drain.blocks();
        self.unit_wait(i.unit, &tile, true)?;
        self.check_tile(&drain, i.unit)?;
        let mut line = Line::new(&drain, self.columns(&drain)?);
        let pitch = drain.row_bytes(stride);
        let row_bytes = drain.row_bytes(drain.n);
        let together = match i.nd {
            Adj::On => self.rows_together(&drain, dst, pitch),
            Adj::Off | Adj::Whole => 1,
        };
        let mut rows = std::mem::take(&mut self.scratch);
        rows.clear();
        rows.resize(together * row_bytes, 0);
        for first in (0..drain.m).step_by(together) {
            let some = together.min(drain.m - first);
            let l0c = &self.memories[Space::L0c as usize].bytes;
            for (r, row) in (first..first + some).zip(rows.chunks_exact_mut(row_bytes.max(1))) {
                line.convert(&drain, l0c, r, row);
            }
            match i.nd {
                Adj::On => {
                    let at = dst.wrapping_add((first * pitch) as u64);
                    self.drain_to(at, &rows[..some * row_bytes])?;
                }
                Adj::Off | Adj::Whole => {
                    let width = if i.nd == Adj::Whole { 64 } else { 32 };
                    for (column, block) in rows.chunks(width).enumerate() {
                        let at = column * stride * 32 + first * width;
                        self.drain_to(dst.wrapping_add(at as u64), block)?;
                    }
                }
            }
        }
        self.scratch = rows;
        self.unit_done(i.unit, &tile, false);
        Ok(())
    }

    fn fix_l0c_l1(&mut self, i: &FixL0cL1) -> Done {
        let m = at_most("m", i.m.get(&self.context), 16383, "at most 16383 rows")?;
        let n = i.n.get(&self.context);
        let src = self.address_of(i.src);
        let rows = at_most(
            "dst_rows",
            i.dst_rows.get(&self.context),
            16384,
            "at most 16384 rows",
        )?;
        let Some(drain) = self.drain_of(i.ty, i.quant, i.relu, src, (m, n), i.src_rows)? else {
            return Ok(());
        };
        check_shape(&drain, Adj::Off, 0)?;
        let tile = drain.blocks();
        self.unit_wait(i.unit, &tile, true)?;
        self.check_tile(&drain, i.unit)?;
        let mut line = Line::new(&drain, self.columns(&drain)?);
        let width = drain.row_bytes(drain.n).div_ceil(32);
        let extent = ((width - 1) * rows + drain.m) * 32;
        let dst = self.address_of(i.dst);
        let base = self
            .memory(Space::L1)
            .aligned("dst", dst, extent as u64, 32)?;
        for column in 0..width {
            self.writes("dst", Space::L1, base + column * rows * 32, drain.m * 32)?;
        }
        let mut row = std::mem::take(&mut self.scratch);
        row.clear();
        row.resize(drain.row_bytes(drain.n), 0);
        for r in 0..drain.m {
            line.convert(
                &drain,
                &self.memories[Space::L0c as usize].bytes,
                r,
                &mut row,
            );
            let l1 = self.memory(Space::L1);
            for (column, block) in row.chunks(32).enumerate() {
                let at = base + (column * rows + r) * 32;
                l1.bytes[at..at + block.len()].copy_from_slice(block);
                l1.shadow.set(at, block.len());
            }
        }
        self.scratch = row;
        self.memory(Space::L1).touch(base + extent);
        self.count(Path::L0cL1, drain.m * drain.row_bytes(drain.n));
        self.unit_done(i.unit, &tile, false);
        Ok(())
    }

    fn mov_l1_fb(&mut self, i: &MovL1Fb) -> Done {
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.table_copy(Space::Fb, dst, src, i.len)?)
    }
}

impl Core<'_> {
    /// Reads the operands; none if the tile is empty.
    fn drain_of(
        &self,
        ty: FixSrc,
        quant: QuantMode,
        relu: Relu,
        src: u64,
        (m, n): (usize, u64),
        src_rows: Val<14>,
    ) -> Result<Option<Drain>, Stop> {
        let c = &self.context;
        let n = at_most("n", n, 4095, "at most 4095 columns")?;
        let src_rows = at_most("src_rows", src_rows.get(c), 16384, "at most 16384 rows")?;
        if quant.src().is_some_and(|wanted| wanted != ty) {
            return Err(Box::new(FaultKind::IllegalValue {
                operand: "quant",
                value: quant as i64,
                expected: "a mode that takes the element type of `ty`",
            }));
        }
        if matches!(relu, Relu::Leaky | Relu::Prelu)
            && quant == QuantMode::None
            && ty == FixSrc::S32
        {
            return Err(Box::new(FaultKind::NotModelled {
                what: "a ReLU with a slope on s32 without quantisation",
            }));
        }
        if m == 0 || n == 0 {
            return Ok(None);
        }
        let extent = ((n.div_ceil(16) - 1) * src_rows + m) * 64;
        let align = self.launch.chip.align.l0c;
        let src = self.memories[Space::L0c as usize].aligned("src", src, extent as u64, align)?;
        Ok(Some(Drain {
            ty,
            quant,
            relu,
            src,
            m,
            n,
            src_rows,
        }))
    }

    /// Rows that go to global memory at a time: several where they lie side by side there, all of them inside, and nobody
    /// looks at every access.
    fn rows_together(&self, d: &Drain, dst: u64, pitch: usize) -> usize {
        let len = d.m * pitch;
        let dense = pitch == d.row_bytes(d.n) && !self.is_watched();
        match dense && self.launch.gm.span("dst", dst, len as u64).is_ok() {
            true => (STAGE / pitch.max(1)).clamp(1, d.m),
            false => 1,
        }
    }

    /// Demands values in every element of the tile.
    fn check_tile(&mut self, d: &Drain, unit: UnitFlag) -> Result<(), Stop> {
        let lane = self.lane;
        let known = self.order.known[lane];
        if unit != UnitFlag::Off {
            // The flags speak of this tile alone, so what they tell is forgotten behind it.
            let mut taught = known;
            self.unit_teach(&d.blocks(), &mut taught);
            self.order.known[lane] = taught;
        }
        let checked = self.check_columns(d);
        self.order.known[lane] = known;
        checked
    }

    fn check_columns(&mut self, d: &Drain) -> Result<(), Stop> {
        for column in 0..d.n.div_ceil(16) {
            let at = d.src + column * d.src_rows * 64;
            let columns = (d.n - column * 16).min(16);
            if columns == 16 {
                self.reads("src", Space::L0c, at, d.m * 64, true)?;
                continue;
            }
            for row in 0..d.m {
                self.reads("src", Space::L0c, at + row * 64, columns * 4, true)?;
            }
        }
        Ok(())
    }

    /// The parameters of every column; empty where the modes have none.
    fn columns(&mut self, d: &Drain) -> Result<Columns, Stop> {
        let words = if d.quant.per_tensor() {
            vec![QuantWord::unpack(self.context.spr(Spr::Quant)); d.n]
        } else if d.quant.per_column() {
            let bytes = self.parameters("quant", Spr::Fpc, d.n * 8)?;
            let words = bytes.as_chunks::<8>().0.iter();
            words
                .map(|b| QuantWord::unpack(u64::from_le_bytes(*b)))
                .collect()
        } else {
            Vec::new()
        };
        let slopes = match d.relu {
            Relu::Off | Relu::On => Vec::new(),
            Relu::Leaky => vec![f32::from_bits(self.context.spr(Spr::ReluAlpha) as u32); d.n],
            Relu::Prelu => {
                let bytes = self.parameters("relu", Spr::FpcRelu, d.n * 4)?;
                let slopes = bytes.as_chunks::<4>().0.iter();
                slopes.map(|b| f32::from_le_bytes(*b)).collect()
            }
        };
        Ok(Columns { words, slopes })
    }

    /// Bytes of the fixpipe buffer from the address in a special register on.
    fn parameters(&mut self, operand: &'static str, spr: Spr, len: usize) -> Result<&[u8], Stop> {
        let address = self.context.spr(spr);
        let align = self.launch.chip.align.fb;
        let at = self
            .memory(Space::Fb)
            .aligned(operand, address, len as u64, align)?;
        self.reads(operand, Space::Fb, at, len, true)?;
        Ok(&self.memory(Space::Fb).bytes[at..at + len])
    }

    /// Writes bytes to global memory.
    fn drain_to(&mut self, address: u64, data: &[u8]) -> Result<(), Stop> {
        self.store_gm("dst", address, data)?;
        self.count(Path::L0cGm, data.len());
        Ok(())
    }
}

/// Refuses extents that the form of the output does not have (davinci-facts §3.6).
fn check_shape(d: &Drain, nd: Adj, stride: usize) -> Result<(), Stop> {
    let illegal = |operand, value: usize, expected| {
        Err(Box::new(FaultKind::IllegalValue {
            operand,
            value: value as i64,
            expected,
        }))
    };
    if nd == Adj::Whole && d.quant.dst(d.ty).bytes() != 4 {
        return illegal("nd", d.n, "an output of 32 bits for fractals of 16 columns");
    }
    if nd == Adj::On {
        return match d.quant.is_s4() && !(d.n.is_multiple_of(2) && stride.is_multiple_of(2)) {
            true => illegal("n", d.n, "even counts and strides of half bytes"),
            false => Ok(()),
        };
    }
    match (d.n as u64).is_multiple_of(d.quant.columns(d.ty, nd == Adj::Whole)) {
        true => Ok(()),
        false => illegal(
            "n",
            d.n,
            "a multiple of 16 columns, or of 8 where fractals are split",
        ),
    }
}

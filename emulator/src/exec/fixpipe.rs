//! The fixpipe: L0C to global memory or L1, with cast, quantisation and activation on the way.

use isa::inst::*;
use isa::num::{self, Overflow, QuantColumns, QuantWord, RowRelu};
use isa::types::{Elem, Space};

use super::at_most;
use crate::core::{Core, Halt};
use crate::fault::{FaultKind, Stop};
use crate::report::Path;
use crate::unit::Blocks;

type Done = Result<(), Halt>;

/// A tile of L0C and what becomes of its elements.
#[derive(Copy, Clone, Debug)]
struct Drain {
    ty: FixSrc,
    quant: QuantMode,
    relu: Relu,
    alpha: f32,
    src: usize,
    m: usize,
    n: usize,
    src_rows: usize,
}

impl Drain {
    fn out(&self) -> Elem {
        self.quant.dst(self.ty)
    }

    /// Its rows in L0C.
    fn blocks(&self) -> Blocks {
        Blocks {
            at: self.src,
            rows: self.m,
            column_bytes: self.src_rows * 64,
            columns: self.n.div_ceil(16),
        }
    }
}

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
        let src = self.address_of(i.src.at);
        let stride = at_most(
            "dst_stride",
            i.dst_stride.get(&self.context),
            65535,
            "at most 65535",
        )?;
        let Some(drain) = self.drain_of(i.ty, i.quant, i.relu, src, (m, n), i.src_rows)? else {
            return Ok(());
        };
        self.plain_store()?;
        let dst = self.address_of(i.dst.at);
        let tile = drain.blocks();
        self.unit_wait(i.unit, &tile, true)?;
        self.check_tile(&drain, i.unit)?;
        let mut line = Line::new(&drain, self.quant_words(&drain)?);
        let size = drain.out().bytes() as usize;
        let mut row = std::mem::take(&mut self.scratch);
        row.resize(drain.n * size, 0);
        for r in 0..drain.m {
            line.convert(
                &drain,
                &self.memories[Space::L0c as usize].bytes,
                r,
                &mut row,
            );
            match i.nd {
                Adj::On => self.store("dst", dst.wrapping_add((r * stride * size) as u64), &row)?,
                Adj::Off => {
                    for (column, block) in row.chunks(32).enumerate() {
                        self.store(
                            "dst",
                            dst.wrapping_add((column * stride * 32 + r * 32) as u64),
                            block,
                        )?;
                    }
                }
            }
        }
        self.scratch = row;
        self.unit_done(i.unit, &tile, false);
        Ok(())
    }

    fn fix_l0c_l1(&mut self, i: &FixL0cL1) -> Done {
        let m = at_most("m", i.m.get(&self.context), 16383, "at most 16383 rows")?;
        let n = i.n.get(&self.context);
        let src = self.address_of(i.src.at);
        let rows = at_most(
            "dst_rows",
            i.dst_rows.get(&self.context),
            16384,
            "at most 16384 rows",
        )?;
        let Some(drain) = self.drain_of(i.ty, i.quant, i.relu, src, (m, n), i.src_rows)? else {
            return Ok(());
        };
        let tile = drain.blocks();
        self.unit_wait(i.unit, &tile, true)?;
        self.check_tile(&drain, i.unit)?;
        let mut line = Line::new(&drain, self.quant_words(&drain)?);
        let size = drain.out().bytes() as usize;
        let columns = (drain.n * size).div_ceil(32);
        let extent = ((columns - 1) * rows + drain.m) * 32;
        let dst = self.address_of(i.dst.at);
        let base = self
            .memory(Space::L1)
            .aligned("dst", dst, extent as u64, 32)?;
        for column in 0..columns {
            self.writes("dst", Space::L1, base + column * rows * 32, drain.m * 32)?;
        }
        let mut row = std::mem::take(&mut self.scratch);
        row.resize(drain.n * size, 0);
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
        self.count(Path::L0cL1, drain.m * drain.n * size);
        self.unit_done(i.unit, &tile, false);
        Ok(())
    }

    fn mov_l1_fb(&mut self, i: &MovL1Fb) -> Done {
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
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
        if relu == Relu::Leaky && quant == QuantMode::None && ty == FixSrc::S32 {
            return Err(Box::new(FaultKind::NotModelled {
                what: "a leaky ReLU on s32 without quantisation",
            }));
        }
        if m == 0 || n == 0 {
            return Ok(None);
        }
        let extent = ((n.div_ceil(16) - 1) * src_rows + m) * 64;
        let align = self.launch.chip.align.l0c;
        let src = self.memories[Space::L0c as usize].aligned("src", src, extent as u64, align)?;
        let alpha = f32::from_bits(c.spr(Spr::ReluAlpha) as u32);
        Ok(Some(Drain {
            ty,
            quant,
            relu,
            alpha,
            src,
            m,
            n,
            src_rows,
        }))
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

    /// The quantisation word of every column; empty if the mode has none.
    fn quant_words(&mut self, d: &Drain) -> Result<Vec<QuantWord>, Stop> {
        if d.quant.per_tensor() {
            return Ok(vec![QuantWord::unpack(self.context.spr(Spr::Quant)); d.n]);
        }
        if !d.quant.per_column() {
            return Ok(Vec::new());
        }
        let address = self.context.spr(Spr::Fpc);
        let align = self.launch.chip.align.fb;
        let at = self
            .memory(Space::Fb)
            .aligned("quant", address, d.n as u64 * 8, align)?;
        self.reads("quant", Space::Fb, at, d.n * 8, true)?;
        let bytes = &self.memory(Space::Fb).bytes[at..at + d.n * 8];
        let words = bytes.as_chunks::<8>().0;
        Ok(words
            .iter()
            .map(|b| QuantWord::unpack(u64::from_le_bytes(*b)))
            .collect())
    }

    /// Writes bytes to global memory.
    fn store(&mut self, operand: &'static str, address: u64, data: &[u8]) -> Result<(), Stop> {
        let span = self.launch.gm.span(operand, address, data.len() as u64)?;
        span.region.writable(operand, address, data.len() as u64)?;
        self.gm_writes(operand, address, data.len())?;
        span.region.write(span.offset, data);
        span.region.set(span.offset, data.len());
        self.count(Path::L0cGm, data.len());
        Ok(())
    }
}

/// The activation in the form of the quantising modes.
fn activation(d: &Drain, word: QuantWord) -> num::Relu {
    match d.relu {
        Relu::Off => num::Relu::None,
        Relu::On => num::Relu::Zero,
        Relu::Leaky => num::Relu::Multiplier(num::mul_f32(d.alpha, word.scale)),
    }
}

/// The activation of a float that is not quantised; it comes before the cast, so that one rounding is left.
fn activated(d: &Drain, x: f32) -> f32 {
    match d.relu {
        Relu::Off => x,
        Relu::On => num::max_f32(x, 0.0),
        Relu::Leaky if x < 0.0 => num::mul_f32(x, d.alpha),
        Relu::Leaky => x,
    }
}

/// A row of a tile on its way, and what the mode needs for it.
struct Line {
    words: Vec<u32>,
    floats: Vec<f32>,
    quant: Vec<QuantWord>,
    /// The same taken apart, if a whole row can be converted at once.
    columns: Option<QuantColumns>,
}

impl Line {
    fn new(d: &Drain, quant: Vec<QuantWord>) -> Line {
        Line {
            words: vec![0; d.n],
            floats: vec![0.0; d.n],
            columns: QuantColumns::new(&quant),
            quant,
        }
    }

    /// Converts a row of L0C to bytes of the output type.
    fn convert(&mut self, d: &Drain, l0c: &[u8], r: usize, out: &mut [u8]) {
        for (column, line) in self.words.chunks_mut(16).enumerate() {
            let at = d.src + (column * d.src_rows + r) * 64;
            let bytes = &l0c[at..at + line.len() * 4];
            for (word, b) in line.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *word = u32::from_le_bytes(*b);
            }
        }
        match d.quant {
            QuantMode::None => keep(d, &self.words, out),
            QuantMode::F32F16 | QuantMode::F32Bf16 => self.cast(d, out),
            QuantMode::F32S8
            | QuantMode::F32S8Vec
            | QuantMode::S32S8
            | QuantMode::S32S8Vec
            | QuantMode::S32F16
            | QuantMode::S32F16Vec => match self.columns.take() {
                Some(columns) => {
                    self.quantise(d, &columns, out);
                    self.columns = Some(columns);
                }
                None => self.quantise_singly(d, out),
            },
        }
    }

    /// f32 to a 16-bit float, nearest even and saturating (davinci-facts §3.6).
    fn cast(&mut self, d: &Drain, out: &mut [u8]) {
        for (to, &x) in self.floats.iter_mut().zip(&self.words) {
            *to = activated(d, f32::from_bits(x));
        }
        let halves = out.as_chunks_mut::<2>().0;
        if d.out() == Elem::Bf16 {
            num::f32_to_bf16_slice(halves, &self.floats, Overflow::Saturate);
        } else {
            num::f32_to_f16_slice(halves, &self.floats, Overflow::Saturate);
        }
    }

    fn quantise(&mut self, d: &Drain, columns: &QuantColumns, out: &mut [u8]) {
        let relu = match d.relu {
            Relu::Off => RowRelu::None,
            Relu::On => RowRelu::Zero,
            Relu::Leaky => RowRelu::Leaky(d.alpha),
        };
        match d.ty {
            FixSrc::F32 => columns.scale_f32(&mut self.floats, &self.words, relu),
            FixSrc::S32 => columns.scale_s32(&mut self.floats, &self.words, relu),
        }
        if d.out() == Elem::F16 {
            let halves = out.as_chunks_mut::<2>().0;
            num::f32_to_f16_slice(halves, &self.floats, Overflow::Saturate);
        } else {
            columns.narrow_8(out, &self.floats);
        }
    }

    fn quantise_singly(&self, d: &Drain, out: &mut [u8]) {
        let size = d.out().bytes() as usize;
        let row = self.words.iter().zip(&self.quant);
        for (to, (&x, &word)) in out.chunks_exact_mut(size).zip(row) {
            let relu = activation(d, word);
            match (d.ty, d.out()) {
                (FixSrc::F32, _) => to[0] = num::quant_f32_s8(f32::from_bits(x), word, relu) as u8,
                (FixSrc::S32, Elem::F16) => {
                    let half = num::dequant_s32_f16(x as i32, word, relu);
                    to.copy_from_slice(&half.to_le_bytes());
                }
                (FixSrc::S32, _) => to[0] = num::requant_s32_s8(x as i32, word, relu) as u8,
            }
        }
    }
}

/// Words as they are, activation apart.
fn keep(d: &Drain, row: &[u32], out: &mut [u8]) {
    let words = out.as_chunks_mut::<4>().0;
    for (to, &x) in words.iter_mut().zip(row) {
        let y = match (d.ty, d.relu) {
            (_, Relu::Off) => x,
            (FixSrc::F32, Relu::On | Relu::Leaky) => activated(d, f32::from_bits(x)).to_bits(),
            (FixSrc::S32, Relu::On | Relu::Leaky) => (x as i32).max(0) as u32,
        };
        *to = y.to_le_bytes();
    }
}

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

/// Bytes of rows that are converted before they go on: what stays in the nearest cache.
const STAGE: usize = 8192;

/// A tile of L0C and what becomes of its elements.
#[derive(Copy, Clone, Debug)]
struct Drain {
    ty: FixSrc,
    quant: QuantMode,
    relu: Relu,
    src: usize,
    m: usize,
    n: usize,
    src_rows: usize,
}

impl Drain {
    fn out(&self) -> Elem {
        self.quant.dst(self.ty)
    }

    /// Bytes of so many elements of the output.
    fn row_bytes(&self, elements: usize) -> usize {
        self.quant.row_bytes(self.ty, elements as u64) as usize
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

/// What there is one of for every column: words of the quantising modes, slopes of the activation.
#[derive(Clone, Debug, Default)]
struct Columns {
    words: Vec<QuantWord>,
    slopes: Vec<f32>,
}

impl Columns {
    fn slope(&self, column: usize) -> Option<f32> {
        self.slopes.get(column).copied()
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
        check_shape(&drain, i.nd, stride)?;
        let dst = self.address_of(i.dst.at);
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
        check_shape(&drain, Adj::Off, 0)?;
        let tile = drain.blocks();
        self.unit_wait(i.unit, &tile, true)?;
        self.check_tile(&drain, i.unit)?;
        let mut line = Line::new(&drain, self.columns(&drain)?);
        let width = drain.row_bytes(drain.n).div_ceil(32);
        let extent = ((width - 1) * rows + drain.m) * 32;
        let dst = self.address_of(i.dst.at);
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

/// The activation in the form of the quantising modes. The shift to s16 has no scale.
fn activation(d: &Drain, word: QuantWord, slope: Option<f32>) -> num::Relu {
    let plain = matches!(d.quant, QuantMode::S32S16 | QuantMode::S32S16Vec);
    match (d.relu, slope) {
        (Relu::On, _) => num::Relu::Zero,
        (Relu::Leaky | Relu::Prelu, Some(slope)) if plain => num::Relu::Multiplier(slope),
        (Relu::Leaky | Relu::Prelu, Some(slope)) => {
            num::Relu::Multiplier(num::mul_f32(slope, word.scale))
        }
        (Relu::Off | Relu::Leaky | Relu::Prelu, _) => num::Relu::None,
    }
}

/// The activation of a float that is not quantised; it comes before the cast, so that one rounding is left.
fn activated(d: &Drain, x: f32, slope: Option<f32>) -> f32 {
    match (d.relu, slope) {
        (Relu::On, _) => num::max_f32(x, 0.0),
        (Relu::Leaky | Relu::Prelu, Some(slope)) if x < 0.0 => num::mul_f32(x, slope),
        (Relu::Off | Relu::Leaky | Relu::Prelu, _) => x,
    }
}

/// What becomes of an element besides its activation.
enum Way {
    Keep,
    /// To a 16-bit float.
    Cast,
    Quantise,
}

impl Way {
    const fn of(quant: QuantMode) -> Way {
        match quant {
            QuantMode::None => Way::Keep,
            QuantMode::F32F16 | QuantMode::F32Bf16 => Way::Cast,
            QuantMode::F32S8
            | QuantMode::F32S8Vec
            | QuantMode::S32S8
            | QuantMode::S32S8Vec
            | QuantMode::S32F16
            | QuantMode::S32F16Vec
            | QuantMode::F32S4
            | QuantMode::F32S4Vec
            | QuantMode::S32S4
            | QuantMode::S32S4Vec
            | QuantMode::S32S16
            | QuantMode::S32S16Vec => Way::Quantise,
        }
    }
}

/// A row of a tile on its way, and what the mode needs for it.
struct Line {
    words: Vec<u32>,
    floats: Vec<f32>,
    columns: Columns,
    /// The words of the columns taken apart, if a whole row can be converted at once.
    fast: Option<QuantColumns>,
}

impl Line {
    fn new(d: &Drain, columns: Columns) -> Line {
        let whole = d.relu != Relu::Prelu && !d.quant.is_s4() && d.out() != Elem::I16;
        Line {
            words: Vec::new(),
            floats: Vec::new(),
            fast: QuantColumns::new(&columns.words).filter(|_| whole),
            columns,
        }
    }

    /// Converts a row of L0C to bytes of the output type.
    fn convert(&mut self, d: &Drain, l0c: &[u8], r: usize, out: &mut [u8]) {
        if d.relu == Relu::Off && self.convert_plainly(d, l0c, r, out) {
            return;
        }
        self.words.resize(d.n, 0);
        self.floats.resize(d.n, 0.0);
        for (column, line) in self.words.chunks_mut(16).enumerate() {
            let at = d.src + (column * d.src_rows + r) * 64;
            let bytes = &l0c[at..at + line.len() * 4];
            for (word, b) in line.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *word = u32::from_le_bytes(*b);
            }
        }
        match Way::of(d.quant) {
            Way::Keep => keep(d, &self.words, &self.columns, out),
            Way::Cast => self.cast(d, out),
            Way::Quantise => match self.fast.take() {
                Some(columns) => {
                    self.quantise(d, &columns, out);
                    self.fast = Some(columns);
                }
                None => self.quantise_singly(d, out),
            },
        }
    }

    /// Converts a row that has no activation and no parameters, many columns at a time; false for other modes.
    fn convert_plainly(&mut self, d: &Drain, l0c: &[u8], r: usize, out: &mut [u8]) -> bool {
        let piece = |column: usize, columns: usize| {
            let at = d.src + (column * d.src_rows + r) * 64;
            &l0c[at..at + columns * 4]
        };
        match Way::of(d.quant) {
            Way::Keep => {
                let (whole, rest) = out[..d.n * 4].as_chunks_mut::<64>();
                for (column, to) in whole.iter_mut().enumerate() {
                    if let Some(from) = piece(column, 16).as_array() {
                        *to = *from;
                    }
                }
                if !rest.is_empty() {
                    rest.copy_from_slice(piece(d.n / 16, rest.len() / 4));
                }
            }
            Way::Cast => {
                self.floats.resize(d.n, 0.0);
                for (column, to) in self.floats.chunks_mut(16).enumerate() {
                    let from = piece(column, to.len()).as_chunks::<4>().0;
                    for (to, &from) in to.iter_mut().zip(from) {
                        *to = f32::from_le_bytes(from);
                    }
                }
                self.narrow(d, out);
            }
            Way::Quantise => return false,
        }
        true
    }

    /// f32 to a 16-bit float, nearest even and saturating (davinci-facts §3.6).
    fn cast(&mut self, d: &Drain, out: &mut [u8]) {
        let row = self.floats.iter_mut().zip(&self.words).enumerate();
        for (column, (to, &x)) in row {
            *to = activated(d, f32::from_bits(x), self.columns.slope(column));
        }
        self.narrow(d, out);
    }

    /// Rounds the floats of the row.
    fn narrow(&self, d: &Drain, out: &mut [u8]) {
        let halves = out.as_chunks_mut::<2>().0;
        if d.out() == Elem::Bf16 {
            num::f32_to_bf16_slice(halves, &self.floats, Overflow::Saturate);
        } else {
            num::f32_to_f16_slice(halves, &self.floats, Overflow::Saturate);
        }
    }

    /// A whole row to 8 bits or f16, where every column has the same slope.
    fn quantise(&mut self, d: &Drain, columns: &QuantColumns, out: &mut [u8]) {
        let relu = match (d.relu, self.columns.slope(0)) {
            (Relu::On, _) => RowRelu::Zero,
            (Relu::Leaky, Some(slope)) => RowRelu::Leaky(slope),
            (Relu::Off | Relu::Leaky | Relu::Prelu, _) => RowRelu::None,
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
        if d.quant.is_s4() {
            // Two values share a byte.
            out.fill(0);
        }
        let row = self.words.iter().zip(&self.columns.words).enumerate();
        for (column, (&x, &word)) in row {
            let relu = activation(d, word, self.columns.slope(column));
            put_quantised(d, out, column, quantised(d, x, word, relu));
        }
    }
}

/// The low bits of a quantised element.
fn quantised(d: &Drain, x: u32, word: QuantWord, relu: num::Relu) -> u16 {
    let (float, int) = (f32::from_bits(x), x as i32);
    match (d.ty, d.out(), d.quant.is_s4()) {
        (FixSrc::F32, _, true) => num::quant_f32_s4(float, word, relu) as u16,
        (FixSrc::F32, _, false) => num::quant_f32_s8(float, word, relu) as u16,
        (FixSrc::S32, _, true) => num::requant_s32_s4(int, word, relu) as u16,
        (FixSrc::S32, Elem::F16, false) => num::dequant_s32_f16(int, word, relu),
        (FixSrc::S32, Elem::I16, false) => num::activate_s32_s16(int, word, relu) as u16,
        (FixSrc::S32, _, false) => num::requant_s32_s8(int, word, relu) as u16,
    }
}

/// Writes an element of 4, 8 or 16 bits to its place in a row; the first of two half bytes is the lower.
fn put_quantised(d: &Drain, out: &mut [u8], column: usize, value: u16) {
    let [low, high] = value.to_le_bytes();
    if d.quant.is_s4() {
        out[column / 2] |= (low & 0xf) << (column % 2 * 4);
    } else if d.out().bytes() == 1 {
        out[column] = low;
    } else {
        out[2 * column..2 * column + 2].copy_from_slice(&[low, high]);
    }
}

/// Words as they are, activation apart.
fn keep(d: &Drain, row: &[u32], columns: &Columns, out: &mut [u8]) {
    let words = out.as_chunks_mut::<4>().0;
    for (column, (to, &x)) in words.iter_mut().zip(row).enumerate() {
        let y = match (d.ty, d.relu) {
            (_, Relu::Off) => x,
            (FixSrc::F32, Relu::On | Relu::Leaky | Relu::Prelu) => {
                activated(d, f32::from_bits(x), columns.slope(column)).to_bits()
            }
            (FixSrc::S32, Relu::On | Relu::Leaky | Relu::Prelu) => (x as i32).max(0) as u32,
        };
        *to = y.to_le_bytes();
    }
}

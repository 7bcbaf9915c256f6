//! What the fixpipe makes of a row of L0C: cast, quantisation and activation. Knows no addresses but those in L0C.

use isa::inst::*;
use isa::num::{self, Overflow, QuantColumns, QuantWord, RowRelu};
use isa::types::Elem;

use crate::unit::Blocks;

/// A tile of L0C and what becomes of its elements.
#[derive(Copy, Clone, Debug)]
pub(super) struct Drain {
    pub(super) ty: FixSrc,
    pub(super) quant: QuantMode,
    pub(super) relu: Relu,
    pub(super) src: usize,
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) src_rows: usize,
}

impl Drain {
    pub(super) fn out(&self) -> Elem {
        self.quant.dst(self.ty)
    }

    /// Bytes of so many elements of the output.
    pub(super) fn row_bytes(&self, elements: usize) -> usize {
        self.quant.row_bytes(self.ty, elements as u64) as usize
    }

    /// Its rows in L0C.
    pub(super) fn blocks(&self) -> Blocks {
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
pub(super) struct Columns {
    pub(super) words: Vec<QuantWord>,
    pub(super) slopes: Vec<f32>,
}

impl Columns {
    fn slope(&self, column: usize) -> Option<f32> {
        self.slopes.get(column).copied()
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
pub(super) struct Line {
    words: Vec<u32>,
    floats: Vec<f32>,
    columns: Columns,
    /// The words of the columns taken apart, if a whole row can be converted at once.
    fast: Option<QuantColumns>,
}

impl Line {
    pub(super) fn new(d: &Drain, columns: Columns) -> Line {
        let whole = d.relu != Relu::Prelu && !d.quant.is_s4() && d.out() != Elem::I16;
        Line {
            words: Vec::new(),
            floats: Vec::new(),
            fast: QuantColumns::new(&columns.words).filter(|_| whole),
            columns,
        }
    }

    /// Converts a row of L0C to bytes of the output type.
    pub(super) fn convert(&mut self, d: &Drain, l0c: &[u8], r: usize, out: &mut [u8]) {
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

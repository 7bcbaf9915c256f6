//! Operations whose operands differ in type: fused conversions, mixed multiply-adds, dequantisation, s64 and s4.

use isa::inst::*;
use isa::num::{self, Overflow, QuantWord, Round};
use isa::types::Elem;

use super::lanes::{Walk, Work};
use super::repeat::{Bytes, floats, widened};
use crate::core::Core;
use crate::fault::Stop;

type Done = Result<(), Stop>;

/// What a fused operation computes before it converts.
#[derive(Copy, Clone)]
pub(super) enum Fused {
    Mul,
    AddRelu,
    SubRelu,
}

/// Operands of a fused conversion.
#[derive(Copy, Clone)]
pub(super) struct Conversion {
    pub(super) ty: FuseTy,
    pub(super) dst: Out<Ub>,
    pub(super) a: In<Ub>,
    pub(super) b: In<Ub>,
    pub(super) rep: Rep,
    pub(super) st: St3,
}

impl Core<'_> {
    /// Runs `f` on each repeat of `lanes` lanes; the destination holds its old lanes if `accumulates`.
    pub(super) fn each_mixed<const N: usize>(
        &mut self,
        (lanes, rep): (usize, Rep),
        dst: Walk,
        sources: [Walk; N],
        accumulates: bool,
        mut f: impl FnMut(&mut Bytes, &[Bytes; N]),
    ) -> Done {
        let work = Work::new(self, rep, lanes)?;
        for source in &sources {
            self.check_read(&work, source)?;
        }
        if accumulates {
            self.check_read(&work, &dst)?;
        }
        self.check_write(&work, &dst)?;
        let (mut inputs, mut out) = ([[0; 256]; N], [0; 256]);
        for repeat in 0..work.repeats {
            for (input, source) in inputs.iter_mut().zip(&sources) {
                self.fetch(&work, source, repeat, input);
            }
            if accumulates {
                self.fetch(&work, &dst, repeat, &mut out);
            }
            f(&mut out, &inputs);
            self.store_lanes(&work, &dst, repeat, &out);
        }
        Ok(())
    }

    /// `dst = a * scalar + dst` from f16 to f32: the product of two f16 is exact in f32, so there is one rounding.
    pub(super) fn axpy_mixed(&mut self, i: &Vaxpy) -> Done {
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, 2);
        let d = Walk::new("dst", self.ub(i.dst.at), i.st.dst_blk, i.st.dst_rep, 4);
        let s = num::f16_to_f32(i.scalar.get(&self.context) as u16);
        self.each_mixed((64, i.rep), d, [a], true, |out, [x]| {
            let (x, d) = (widened(x), floats(out));
            let sum = |n: usize| num::fma_f32(x[n], s, d[n]).to_bits();
            put_words(out, (0..64).map(sum));
        })
    }

    /// `dst = a * b + dst` from f16 to f32.
    pub(super) fn mla_mixed(&mut self, i: &Vmla) -> Done {
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, 2);
        let b = Walk::new("b", self.ub(i.b.at), i.st.b_blk, i.st.b_rep, 2);
        let d = Walk::new("dst", self.ub(i.dst.at), i.st.dst_blk, i.st.dst_rep, 4);
        self.each_mixed((64, i.rep), d, [a, b], true, |out, [x, y]| {
            let (x, y, d) = (widened(x), widened(y), floats(out));
            let sum = |n: usize| num::fma_f32(x[n], y[n], d[n]).to_bits();
            put_words(out, (0..64).map(sum));
        })
    }

    /// Computes in the type of the sources, clamps, converts to nearest.
    pub(super) fn fused_conversion(&mut self, op: Fused, o: Conversion) -> Done {
        let (from, to) = (o.ty.src().bytes() as usize, o.ty.dst().bytes() as usize);
        let (float, int) = (self.overflow(), self.int_overflow());
        let a = Walk::new("a", self.ub(o.a.at), o.st.a_blk, o.st.a_rep, from);
        let b = Walk::new("b", self.ub(o.b.at), o.st.b_blk, o.st.b_rep, from);
        let d = Walk::new("dst", self.ub(o.dst.at), o.st.dst_blk, o.st.dst_rep, to);
        let lanes = 256 / from;
        self.each_mixed((lanes, o.rep), d, [a, b], false, |out, [x, y]| match o.ty {
            FuseTy::F16S8 | FuseTy::F16U8 => {
                let (x, y) = (widened(x), widened(y));
                let signed = o.ty == FuseTy::F16S8;
                for (n, to) in out[..lanes].iter_mut().enumerate() {
                    let value = num::f32_to_f16(float_result(op, x[n], y[n]), Round::Even, float);
                    *to = num::f16_to_int(value, Round::Even, int, 8, signed) as u8;
                }
            }
            FuseTy::F32F16 => {
                let (x, y) = (floats(x), floats(y));
                for (n, to) in out.as_chunks_mut::<2>().0[..lanes].iter_mut().enumerate() {
                    let value = float_result(op, x[n], y[n]);
                    *to = num::f32_to_f16(value, Round::Even, float).to_le_bytes();
                }
            }
            FuseTy::S16S8 => {
                let (x, y) = (shorts(x), shorts(y));
                for (n, to) in out[..lanes].iter_mut().enumerate() {
                    let value = int_result(op, x[n], y[n]);
                    *to = num::int_to_int(value.into(), int, 8, true) as u8;
                }
            }
        })
    }

    /// Conversions with the scale in spr `deqscale`.
    pub(super) fn dequantise(&mut self, i: &Vdeq) -> Done {
        let (from, to) = (i.ty.src_bytes() as usize, i.ty.dst_bytes() as usize);
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, from);
        let d = Walk::new("dst", self.ub(i.dst.at), i.st.dst_blk, i.st.dst_rep, to);
        let (spr, overflow) = (self.context.spr(Spr::DeqScale), self.overflow());
        let scale = num::f16_to_f32(spr as u16);
        let word = QuantWord {
            shift_first: false,
            ..QuantWord::unpack(spr)
        };
        let lanes = 256 / from;
        self.each_mixed((lanes, i.rep), d, [a], false, |out, [x]| match i.ty {
            DeqTy::S32F16 => {
                let words = x.as_chunks::<4>().0;
                for (to, from) in out.as_chunks_mut::<2>().0.iter_mut().zip(words) {
                    let wide = i32::from_le_bytes(*from) as f32;
                    let value = num::mul_f32(wide, scale);
                    *to = num::f32_to_f16(value, Round::Even, overflow).to_le_bytes();
                }
            }
            DeqTy::S16B8 => {
                for (to, x) in out.iter_mut().zip(shorts(x)) {
                    *to = num::requant_s32_s8(x.into(), word, num::Relu::None) as u8;
                }
            }
        })
    }

    /// Conversions from or to s64.
    pub(super) fn convert_wide(&mut self, i: &Vconv) -> Done {
        let (from, to) = (i.kind.src.bytes() as usize, i.kind.dst.bytes() as usize);
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, from);
        let d = Walk::new("dst", self.ub(i.dst.at), i.st.dst_blk, i.st.dst_rep, to);
        let (kind, int) = (i.kind, self.int_overflow());
        let lanes = kind.lanes() as usize;
        self.each_mixed((lanes, i.rep), d, [a], false, |out, [x]| {
            for lane in 0..lanes {
                let mut word = [0; 8];
                word[..from].copy_from_slice(&x[lane * from..(lane + 1) * from]);
                let bits = convert_wide(kind, int, u64::from_le_bytes(word));
                out[lane * to..(lane + 1) * to].copy_from_slice(&bits.to_le_bytes()[..to]);
            }
        })
    }

    /// f16 to pairs of s4: a byte of which a lane is on is written whole.
    pub(super) fn convert_s4(&mut self, i: &VconvS4) -> Done {
        let work = Work::new(self, i.rep, 128)?;
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, 2);
        self.check_read(&work, &a)?;
        let (round, int) = (i.round.round(), self.int_overflow());
        let base = self.ub(i.dst.at);
        let mut x = [0; 256];
        for repeat in 0..work.repeats {
            self.fetch(&work, &a, repeat, &mut x);
            let on = work.on(repeat);
            let start = base + (repeat * usize::from(i.st.dst_rep)) as u64;
            let lane = |n: usize| match on >> n & 1 {
                0 => 0,
                _ => {
                    let bits = u16::from_le_bytes([x[2 * n], x[2 * n + 1]]);
                    num::f16_to_int(bits, round, int, 4, true) as u8 & 15
                }
            };
            let bytes: [u8; 64] = std::array::from_fn(|n| lane(2 * n) | lane(2 * n + 1) << 4);
            let written: Vec<usize> = (0..64).filter(|n| on >> (2 * n) & 3 != 0).collect();
            for run in written.chunk_by(|a, b| a + 1 == *b) {
                self.write_ub(
                    "dst",
                    start + run[0] as u64,
                    &bytes[run[0]..][..run.len()],
                    1,
                )?;
            }
        }
        Ok(())
    }
}

pub(super) fn put_words(out: &mut Bytes, values: impl Iterator<Item = u32>) {
    for (to, value) in out.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *to = value.to_le_bytes();
    }
}

fn shorts(bytes: &Bytes) -> [i16; 128] {
    let chunks = bytes.as_chunks::<2>().0;
    std::array::from_fn(|n| i16::from_le_bytes(chunks[n]))
}

fn float_result(op: Fused, x: f32, y: f32) -> f32 {
    match op {
        Fused::Mul => num::mul_f32(x, y),
        Fused::AddRelu => num::max_f32(num::add_f32(x, y), 0.0),
        Fused::SubRelu => num::max_f32(num::sub_f32(x, y), 0.0),
    }
}

fn int_result(op: Fused, x: i16, y: i16) -> i16 {
    match op {
        Fused::Mul => x.wrapping_mul(y),
        Fused::AddRelu => x.wrapping_add(y).max(0),
        Fused::SubRelu => x.wrapping_sub(y).max(0),
    }
}

/// One conversion from or to s64, bits to bits.
fn convert_wide(kind: ConvKind, int: Overflow, bits: u64) -> u64 {
    match (kind.src, kind.dst) {
        (Elem::F32, _) => {
            num::f32_to_int(f32::from_bits(bits as u32), kind.round, int, 64, true) as u64
        }
        (Elem::I64, Elem::F32) => u64::from(num::i64_to_f32(bits as i64, kind.round).to_bits()),
        (Elem::I64, _) => num::int_to_int(bits as i64, int, 32, true) as u64,
        (_, _) => i64::from(bits as i32) as u64,
    }
}

//! The shapes that vector instructions share: one or two sources, repeat by repeat, in each lane type.
//!
//! f16 operations compute in f32 and round once more, which gives what rounding once would (performance.md §2.4); the
//! tests compare with `num`'s own f16 operations.

use isa::inst::*;
use isa::num::{self, Overflow, Round};

use super::lanes::{Walk, Work};
use crate::core::{Core, Halt};
use crate::fault::{FaultKind, Stop};

type Done = Result<(), Halt>;
/// The bytes of one repeat.
pub(super) type Bytes = [u8; 256];

pub(super) fn words(bytes: &Bytes) -> [u32; 64] {
    let chunks = bytes.as_chunks::<4>().0;
    std::array::from_fn(|i| u32::from_le_bytes(chunks[i]))
}

pub(super) fn floats(bytes: &Bytes) -> [f32; 64] {
    words(bytes).map(f32::from_bits)
}

pub(super) fn shorts(bytes: &Bytes) -> [i16; 128] {
    let chunks = bytes.as_chunks::<2>().0;
    std::array::from_fn(|i| i16::from_le_bytes(chunks[i]))
}

pub(super) fn widened(bytes: &Bytes) -> [f32; 128] {
    let mut out = [0.0; 128];
    num::f16_to_f32_slice(&mut out, bytes.as_chunks::<2>().0);
    out
}

pub(super) fn put_words(out: &mut Bytes, values: impl Iterator<Item = u32>) {
    for (to, value) in out.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *to = value.to_le_bytes();
    }
}

pub(super) fn put_shorts(out: &mut Bytes, values: impl Iterator<Item = u16>) {
    for (to, value) in out.as_chunks_mut::<2>().0.iter_mut().zip(values) {
        *to = value.to_le_bytes();
    }
}

/// The fault of an operation on a lane type that it does not have.
pub(super) fn no_such_lanes(ty: VecTy) -> Stop {
    Box::new(FaultKind::IllegalValue {
        operand: "ty",
        value: ty as i64,
        expected: "a lane type that the instruction has",
    })
}

/// Operands of an instruction with one source.
#[derive(Copy, Clone)]
pub(super) struct Two {
    pub(super) dst: Out<Ub>,
    pub(super) a: In<Ub>,
    pub(super) rep: Rep,
    pub(super) st: St2,
}

/// Operands of an instruction with two sources.
#[derive(Copy, Clone)]
pub(super) struct Three {
    pub(super) dst: Out<Ub>,
    pub(super) a: In<Ub>,
    pub(super) b: In<Ub>,
    pub(super) rep: Rep,
    pub(super) st: St3,
}

impl Core<'_> {
    /// What becomes of f16 results that overflow.
    pub(super) fn overflow(&self) -> Overflow {
        match self.context.spr(Spr::Ctrl) & Spr::CTRL_KEEP_INF {
            0 => Overflow::Saturate,
            _ => Overflow::Keep,
        }
    }

    pub(super) fn ub(&self, at: Addr) -> u64 {
        self.address_of(at)
    }

    /// Runs `f` on each repeat of an instruction with one source.
    pub(super) fn each_two(
        &mut self,
        size: usize,
        o: Two,
        mut f: impl FnMut(&mut Bytes, &Bytes),
    ) -> Result<(), Stop> {
        let work = Work::new(self, o.rep, 256 / size)?;
        let a = Walk::new("a", self.ub(o.a.at), o.st.a_blk, o.st.a_rep, size);
        let d = Walk::new("dst", self.ub(o.dst.at), o.st.dst_blk, o.st.dst_rep, size);
        self.check_read(&work, &a)?;
        self.check_write(&work, &d)?;
        let (mut x, mut out) = ([0; 256], [0; 256]);
        for repeat in 0..work.repeats {
            self.fetch(&work, &a, repeat, &mut x);
            f(&mut out, &x);
            self.store_lanes(&work, &d, repeat, &out);
        }
        Ok(())
    }

    /// Runs `f` on each repeat of an instruction with two sources; the first argument holds the destination's old lanes
    /// if `accumulates`.
    pub(super) fn each_three(
        &mut self,
        size: usize,
        o: Three,
        accumulates: bool,
        mut f: impl FnMut(&mut Bytes, &Bytes, &Bytes),
    ) -> Result<(), Stop> {
        let work = Work::new(self, o.rep, 256 / size)?;
        let a = Walk::new("a", self.ub(o.a.at), o.st.a_blk, o.st.a_rep, size);
        let b = Walk::new("b", self.ub(o.b.at), o.st.b_blk, o.st.b_rep, size);
        let d = Walk::new("dst", self.ub(o.dst.at), o.st.dst_blk, o.st.dst_rep, size);
        self.check_read(&work, &a)?;
        self.check_read(&work, &b)?;
        if accumulates {
            self.check_read(&work, &d)?;
        }
        self.check_write(&work, &d)?;
        let (mut x, mut y, mut out) = ([0; 256], [0; 256], [0; 256]);
        for repeat in 0..work.repeats {
            self.fetch(&work, &a, repeat, &mut x);
            self.fetch(&work, &b, repeat, &mut y);
            if accumulates {
                self.fetch(&work, &d, repeat, &mut out);
            }
            f(&mut out, &x, &y);
            self.store_lanes(&work, &d, repeat, &out);
        }
        Ok(())
    }

    /// A float operation of one operand; f16 results round by `overflow`.
    pub(super) fn float_one(
        &mut self,
        ty: VecTy,
        o: Two,
        overflow: Overflow,
        f: impl Fn(f32) -> f32,
    ) -> Done {
        let done = match ty {
            VecTy::F32 => self.each_two(4, o, |out, x| {
                let mut y = [0.0; 64];
                num::apply_slice(&mut y, &floats(x), &f);
                put_words(out, y.iter().map(|y| y.to_bits()));
            }),
            VecTy::F16 => self.each_two(2, o, |out, x| {
                let mut y = [0.0; 128];
                num::apply_slice(&mut y, &widened(x), &f);
                num::f32_to_f16_slice(out.as_chunks_mut::<2>().0, &y, overflow);
            }),
            VecTy::S16 | VecTy::S32 => Err(no_such_lanes(ty)),
        };
        Ok(done?)
    }

    /// A float operation of two operands.
    pub(super) fn float_two(
        &mut self,
        ty: VecTy,
        o: Three,
        overflow: Overflow,
        f: impl Fn(f32, f32) -> f32,
    ) -> Result<(), Stop> {
        match ty {
            VecTy::F32 => self.each_three(4, o, false, |out, x, y| {
                let mut z = [0.0; 64];
                num::apply2_slice(&mut z, &floats(x), &floats(y), &f);
                put_words(out, z.iter().map(|z| z.to_bits()));
            }),
            VecTy::F16 => self.each_three(2, o, false, |out, x, y| {
                let mut z = [0.0; 128];
                num::apply2_slice(&mut z, &widened(x), &widened(y), &f);
                num::f32_to_f16_slice(out.as_chunks_mut::<2>().0, &z, overflow);
            }),
            VecTy::S16 | VecTy::S32 => Err(no_such_lanes(ty)),
        }
    }

    /// An operation of two operands on every lane type; integers wrap.
    pub(super) fn any_two(
        &mut self,
        ty: VecTy,
        o: Three,
        overflow: Overflow,
        float: impl Fn(f32, f32) -> f32,
        int: impl Fn(i32, i32) -> i32,
    ) -> Done {
        let done = match ty {
            VecTy::F32 | VecTy::F16 => self.float_two(ty, o, overflow, float),
            VecTy::S32 => self.each_three(4, o, false, |out, x, y| {
                let (x, y) = (words(x), words(y));
                put_words(
                    out,
                    x.iter()
                        .zip(&y)
                        .map(|(&x, &y)| int(x as i32, y as i32) as u32),
                );
            }),
            VecTy::S16 => self.each_three(2, o, false, |out, x, y| {
                let (x, y) = (shorts(x), shorts(y));
                let pairs = x.iter().zip(&y);
                put_shorts(out, pairs.map(|(&x, &y)| int(x.into(), y.into()) as u16));
            }),
        };
        Ok(done?)
    }

    /// As [`Core::any_two`], the second operand a scalar.
    pub(super) fn any_scalar(
        &mut self,
        ty: VecTy,
        o: Two,
        scalar: u32,
        overflow: Overflow,
        float: impl Fn(f32, f32) -> f32,
        int: impl Fn(i32, i32) -> i32,
    ) -> Done {
        match ty {
            VecTy::F32 | VecTy::F16 => {
                let s = float_scalar(ty, scalar);
                self.float_one(ty, o, overflow, |x| float(x, s))
            }
            VecTy::S16 | VecTy::S32 => self.int_scalar(ty, o, scalar, int),
        }
    }

    pub(super) fn int_scalar(
        &mut self,
        ty: VecTy,
        o: Two,
        scalar: u32,
        int: impl Fn(i32, i32) -> i32,
    ) -> Done {
        let done = match ty {
            VecTy::S32 => self.each_two(4, o, |out, x| {
                put_words(
                    out,
                    words(x)
                        .iter()
                        .map(|&x| int(x as i32, scalar as i32) as u32),
                );
            }),
            VecTy::S16 => self.each_two(2, o, |out, x| {
                let s = i32::from(scalar as i16);
                put_shorts(out, shorts(x).iter().map(|&x| int(x.into(), s) as u16));
            }),
            VecTy::F16 | VecTy::F32 => Err(no_such_lanes(ty)),
        };
        Ok(done?)
    }

    /// An operation on the bits of 16-bit lanes.
    pub(super) fn bitwise(&mut self, o: Three, f: impl Fn(u8, u8) -> u8) -> Done {
        Ok(self.each_three(2, o, false, |out, x, y| {
            for ((to, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *to = f(x, y);
            }
        })?)
    }
}

/// The scalar of a float instruction as f32.
pub(super) fn float_scalar(ty: VecTy, bits: u32) -> f32 {
    match ty {
        VecTy::F16 => num::f16_to_f32(bits as u16),
        VecTy::F32 | VecTy::S16 | VecTy::S32 => f32::from_bits(bits),
    }
}

/// The lanes of a repeat as f32; the second half is empty for 32-bit lanes.
pub(super) fn lane_values(ty: VecTy, x: &Bytes) -> [f32; 128] {
    if ty == VecTy::F16 {
        return widened(x);
    }
    let mut out = [0.0; 128];
    out[..64].copy_from_slice(&floats(x));
    out
}

/// Rounds to the lane type and widens again.
pub(super) fn round_to(ty: VecTy, x: f32, overflow: Overflow) -> f32 {
    match ty {
        VecTy::F16 => num::f16_to_f32(num::f32_to_f16(x, Round::Even, overflow)),
        VecTy::F32 | VecTy::S16 | VecTy::S32 => num::canonical_f32(x),
    }
}

pub(super) fn bits_of(ty: VecTy, x: f32, overflow: Overflow) -> u32 {
    match ty {
        VecTy::F16 => u32::from(num::f32_to_f16(x, Round::Even, overflow)),
        VecTy::F32 | VecTy::S16 | VecTy::S32 => x.to_bits(),
    }
}

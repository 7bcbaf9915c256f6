//! The shapes that vector instructions share: one or two sources, repeat by repeat, in each lane type.
//!
//! f16 operations compute in f32 and round once more, which gives what rounding once would (performance.md §2.4); the
//! tests compare with `num`'s own f16 operations.

use isa::inst::*;
use isa::num::{self, Overflow, Round};
use isa::types::Space;

use super::items::Item;
use super::lanes::{Walk, Work};
use super::rows::{self, InPlace};
use crate::core::{Core, Halt};
use crate::fault::{FaultKind, Stop};

type Done = Result<(), Halt>;
/// The bytes of one repeat.
pub(super) type Bytes = [u8; 256];

#[inline]
pub(super) fn words(bytes: &Bytes) -> [u32; 64] {
    let chunks = bytes.as_chunks::<4>().0;
    std::array::from_fn(|i| u32::from_le_bytes(chunks[i]))
}

#[inline]
pub(super) fn floats(bytes: &Bytes) -> [f32; 64] {
    words(bytes).map(f32::from_bits)
}

pub(super) fn widened(bytes: &Bytes) -> [f32; 128] {
    let mut out = [0.0; 128];
    num::f16_to_f32_slice(&mut out, bytes.as_chunks::<2>().0);
    out
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
        self.local_address(at)
    }

    /// Runs `f` on the lanes of an instruction with one source, one or more whole repeats at a time.
    pub(super) fn lanes_two(
        &mut self,
        size: usize,
        o: Two,
        mut f: impl FnMut(&mut [u8], &[u8]),
    ) -> Result<(), Stop> {
        let work = Work::new(self, o.rep, 256 / size)?;
        let a = Walk::new("a", self.ub(o.a.at), o.st.a_blk, o.st.a_rep, size);
        let d = Walk::new("dst", self.ub(o.dst.at), o.st.dst_blk, o.st.dst_rep, size);
        self.check_read(&work, &a)?;
        self.check_write(&work, &d)?;
        self.run_lanes(&work, &d, [&a], false, |out, [x]| f(out, x));
        Ok(())
    }

    /// Runs `f` on the lanes of an instruction with two sources, one or more whole repeats at a time; the first argument
    /// holds the destination's old lanes if `accumulates`.
    pub(super) fn lanes_three(
        &mut self,
        size: usize,
        o: Three,
        accumulates: bool,
        mut f: impl FnMut(&mut [u8], &[u8], &[u8]),
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
        self.run_lanes(&work, &d, [&a, &b], accumulates, |out, [x, y]| f(out, x, y));
        Ok(())
    }

    /// Applies a function to each item of an instruction with one source.
    fn items_two<T: Item>(&mut self, o: Two, function: impl Fn(T) -> T + Copy) -> Result<(), Stop> {
        let size = size_of::<T>();
        let work = Work::new(self, o.rep, 256 / size)?.fitted(size);
        let a = Walk::new("a", self.ub(o.a.at), o.st.a_blk, o.st.a_rep, size);
        let d = Walk::new("dst", self.ub(o.dst.at), o.st.dst_blk, o.st.dst_rep, size);
        self.check_read(&work, &a)?;
        self.check_write(&work, &d)?;
        match InPlace::of(&work, &d, [&a]) {
            Some(rows) => rows::apply(&mut self.memory(Space::Ub).bytes, rows, function),
            None => self.run_lanes(&work, &d, [&a], false, |out, [x]| {
                num::apply_slice(T::items_mut(out), T::items(x), function);
            }),
        }
        Ok(())
    }

    /// Applies a function to each pair of items of an instruction with two sources.
    fn items_three<T: Item>(
        &mut self,
        o: Three,
        function: impl Fn(T, T) -> T + Copy,
    ) -> Result<(), Stop> {
        let size = size_of::<T>();
        let work = Work::new(self, o.rep, 256 / size)?.fitted(size);
        let a = Walk::new("a", self.ub(o.a.at), o.st.a_blk, o.st.a_rep, size);
        let b = Walk::new("b", self.ub(o.b.at), o.st.b_blk, o.st.b_rep, size);
        let d = Walk::new("dst", self.ub(o.dst.at), o.st.dst_blk, o.st.dst_rep, size);
        self.check_read(&work, &a)?;
        self.check_read(&work, &b)?;
        self.check_write(&work, &d)?;
        match InPlace::of(&work, &d, [&a, &b]) {
            Some(rows) => rows::apply2(&mut self.memory(Space::Ub).bytes, rows, function),
            None => self.run_lanes(&work, &d, [&a, &b], false, |out, [x, y]| {
                num::apply2_slice(T::items_mut(out), T::items(x), T::items(y), function);
            }),
        }
        Ok(())
    }

    /// Applies a function of bits to each pair of lanes of two bytes.
    pub(super) fn half_bits_two(
        &mut self,
        o: Three,
        function: impl Fn(u16, u16) -> u16 + Copy,
    ) -> Result<(), Stop> {
        self.items_three(o, move |x: [u8; 2], y| {
            function(u16::from_le_bytes(x), u16::from_le_bytes(y)).to_le_bytes()
        })
    }

    /// Applies a function to lanes of f32 where they are, which the source's lanes are brought to first.
    pub(super) fn singles_in_place(
        &mut self,
        o: Two,
        f: impl Fn(&mut [[u8; 4]]),
    ) -> Result<(), Stop> {
        let work = Work::new(self, o.rep, 64)?.fitted(4);
        let a = Walk::new("a", self.ub(o.a.at), o.st.a_blk, o.st.a_rep, 4);
        let d = Walk::new("dst", self.ub(o.dst.at), o.st.dst_blk, o.st.dst_rep, 4);
        self.check_read(&work, &a)?;
        self.check_write(&work, &d)?;
        let moved = |out: &mut [u8], x: &[u8]| {
            out.copy_from_slice(x);
            f(words_mut(out));
        };
        let ub = &mut self.memory(Space::Ub).bytes;
        match InPlace::of(&work, &d, [&a]) {
            Some(rows) => match rows.own(ub) {
                Some(lanes) => f(words_mut(lanes)),
                None => rows::each(ub, rows, |out, x| moved(out, x)),
            },
            None => self.run_lanes(&work, &d, [&a], false, |out, [x]| moved(out, x)),
        }
        Ok(())
    }

    /// As [`Core::lanes_two`] on lanes of two bytes, in place where they lie so.
    fn halves_two(&mut self, o: Two, mut f: impl FnMut(&mut [u8], &[u8])) -> Result<(), Stop> {
        let work = Work::new(self, o.rep, 128)?.fitted(2);
        let a = Walk::new("a", self.ub(o.a.at), o.st.a_blk, o.st.a_rep, 2);
        let d = Walk::new("dst", self.ub(o.dst.at), o.st.dst_blk, o.st.dst_rep, 2);
        self.check_read(&work, &a)?;
        self.check_write(&work, &d)?;
        match InPlace::of(&work, &d, [&a]).filter(InPlace::is_apart) {
            Some(rows) => rows::each(&mut self.memory(Space::Ub).bytes, rows, |out, x| f(out, x)),
            None => self.run_lanes(&work, &d, [&a], false, |out, [x]| f(out, x)),
        }
        Ok(())
    }

    /// As [`Core::lanes_three`] on lanes of two bytes, in place where they lie so.
    fn halves_three(
        &mut self,
        o: Three,
        mut f: impl FnMut(&mut [u8], &[u8], &[u8]),
    ) -> Result<(), Stop> {
        let work = Work::new(self, o.rep, 128)?.fitted(2);
        let a = Walk::new("a", self.ub(o.a.at), o.st.a_blk, o.st.a_rep, 2);
        let b = Walk::new("b", self.ub(o.b.at), o.st.b_blk, o.st.b_rep, 2);
        let d = Walk::new("dst", self.ub(o.dst.at), o.st.dst_blk, o.st.dst_rep, 2);
        self.check_read(&work, &a)?;
        self.check_read(&work, &b)?;
        self.check_write(&work, &d)?;
        match InPlace::of(&work, &d, [&a, &b]).filter(InPlace::is_apart) {
            Some(rows) => {
                let ub = &mut self.memory(Space::Ub).bytes;
                rows::each2(ub, rows, |out, x, y| f(out, x, y));
            }
            None => self.run_lanes(&work, &d, [&a, &b], false, |out, [x, y]| f(out, x, y)),
        }
        Ok(())
    }

    /// As [`Core::lanes_two`], each repeat by itself.
    pub(super) fn each_two(
        &mut self,
        size: usize,
        o: Two,
        mut f: impl FnMut(&mut Bytes, &Bytes),
    ) -> Result<(), Stop> {
        self.lanes_two(size, o, |out, x| {
            for (out, x) in repeats_mut(out).iter_mut().zip(repeats(x)) {
                f(out, x);
            }
        })
    }

    /// As [`Core::lanes_three`], each repeat by itself.
    pub(super) fn each_three(
        &mut self,
        size: usize,
        o: Three,
        accumulates: bool,
        mut f: impl FnMut(&mut Bytes, &Bytes, &Bytes),
    ) -> Result<(), Stop> {
        self.lanes_three(size, o, accumulates, |out, x, y| {
            for ((out, x), y) in repeats_mut(out).iter_mut().zip(repeats(x)).zip(repeats(y)) {
                f(out, x, y);
            }
        })
    }

    /// A float operation of one operand; f16 results round by `overflow`.
    pub(super) fn float_one(
        &mut self,
        ty: VecTy,
        o: Two,
        overflow: Overflow,
        f: impl Fn(f32) -> f32 + Copy,
    ) -> Done {
        let done = match ty {
            VecTy::F32 => self.items_two(o, move |x| to_word(f(float(x)))),
            VecTy::F16 => self.halves_two(o, |out, x| {
                num::apply_f16_slice(halves_mut(out), halves(x), overflow, f);
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
        f: impl Fn(f32, f32) -> f32 + Copy,
    ) -> Result<(), Stop> {
        match ty {
            VecTy::F32 => self.items_three(o, move |x, y| to_word(f(float(x), float(y)))),
            VecTy::F16 => self.halves_three(o, |out, x, y| {
                num::apply2_f16_slice(halves_mut(out), halves(x), halves(y), overflow, f);
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
        float: impl Fn(f32, f32) -> f32 + Copy,
        int: impl Fn(i32, i32) -> i32 + Copy,
    ) -> Done {
        let done = match ty {
            VecTy::F32 | VecTy::F16 => self.float_two(ty, o, overflow, float),
            VecTy::S32 => self.items_three(o, move |x, y| {
                int(i32::from_le_bytes(x), i32::from_le_bytes(y)).to_le_bytes()
            }),
            VecTy::S16 => self.items_three(o, move |x, y| to_short(int(short(x), short(y)))),
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
        float: impl Fn(f32, f32) -> f32 + Copy,
        int: impl Fn(i32, i32) -> i32 + Copy,
    ) -> Done {
        match ty {
            VecTy::F32 | VecTy::F16 => {
                let s = float_scalar(ty, scalar);
                self.float_one(ty, o, overflow, move |x| float(x, s))
            }
            VecTy::S16 | VecTy::S32 => self.int_scalar(ty, o, scalar, int),
        }
    }

    pub(super) fn int_scalar(
        &mut self,
        ty: VecTy,
        o: Two,
        scalar: u32,
        int: impl Fn(i32, i32) -> i32 + Copy,
    ) -> Done {
        let done = match ty {
            VecTy::S32 => self.items_two(o, move |x| {
                int(i32::from_le_bytes(x), scalar as i32).to_le_bytes()
            }),
            VecTy::S16 => {
                let s = i32::from(scalar as i16);
                self.items_two(o, move |x| to_short(int(short(x), s)))
            }
            VecTy::F16 | VecTy::F32 => Err(no_such_lanes(ty)),
        };
        Ok(done?)
    }

    /// An operation on the bits of 16-bit lanes.
    pub(super) fn bitwise(&mut self, o: Three, f: impl Fn(u8, u8) -> u8) -> Done {
        Ok(self.lanes_three(2, o, false, |out, x, y| num::apply2_slice(out, x, y, &f))?)
    }
}

fn repeats(bytes: &[u8]) -> &[Bytes] {
    bytes.as_chunks().0
}

fn repeats_mut(bytes: &mut [u8]) -> &mut [Bytes] {
    bytes.as_chunks_mut().0
}

pub(super) fn words_of(bytes: &[u8]) -> &[[u8; 4]] {
    bytes.as_chunks().0
}

pub(super) fn words_mut(bytes: &mut [u8]) -> &mut [[u8; 4]] {
    bytes.as_chunks_mut().0
}

pub(super) fn halves(bytes: &[u8]) -> &[[u8; 2]] {
    bytes.as_chunks().0
}

pub(super) fn halves_mut(bytes: &mut [u8]) -> &mut [[u8; 2]] {
    bytes.as_chunks_mut().0
}

/// The f32 of four bytes.
#[inline]
pub(super) fn float(word: [u8; 4]) -> f32 {
    f32::from_le_bytes(word)
}

/// The four bytes of an f32.
#[inline]
pub(super) fn to_word(x: f32) -> [u8; 4] {
    x.to_le_bytes()
}

#[inline]
fn short(half: [u8; 2]) -> i32 {
    i16::from_le_bytes(half).into()
}

/// The low two bytes.
#[inline]
fn to_short(x: i32) -> [u8; 2] {
    (x as i16).to_le_bytes()
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

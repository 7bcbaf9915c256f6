//! The vector unit: one method a row; lanes and strides are in `lanes`, arithmetic in `isa::num`.
//!
//! f16 operations compute in f32 and round once more, which gives what rounding once would (performance.md §2.4); the
//! tests compare with `num`'s own f16 operations.

use isa::inst::*;
use isa::num::{self, Overflow, Round};
use isa::types::{Elem, Space};

use super::lanes::{Walk, Work};
use super::mte::{Pieces, block_pieces};
use super::scalar::relation;
use crate::core::{Core, Halt};
use crate::fault::{FaultKind, Stop};
use crate::report::Path;

type Done = Result<(), Halt>;
/// The bytes of one repeat.
type Bytes = [u8; 256];

fn words(bytes: &Bytes) -> [u32; 64] {
    let chunks = bytes.as_chunks::<4>().0;
    std::array::from_fn(|i| u32::from_le_bytes(chunks[i]))
}

fn floats(bytes: &Bytes) -> [f32; 64] {
    words(bytes).map(f32::from_bits)
}

fn shorts(bytes: &Bytes) -> [i16; 128] {
    let chunks = bytes.as_chunks::<2>().0;
    std::array::from_fn(|i| i16::from_le_bytes(chunks[i]))
}

fn widened(bytes: &Bytes) -> [f32; 128] {
    let mut out = [0.0; 128];
    num::f16_to_f32_slice(&mut out, bytes.as_chunks::<2>().0);
    out
}

fn put_words(out: &mut Bytes, values: impl Iterator<Item = u32>) {
    for (to, value) in out.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *to = value.to_le_bytes();
    }
}

fn put_shorts(out: &mut Bytes, values: impl Iterator<Item = u16>) {
    for (to, value) in out.as_chunks_mut::<2>().0.iter_mut().zip(values) {
        *to = value.to_le_bytes();
    }
}

/// The fault of an operation on a lane type that it does not have.
fn no_such_lanes(ty: VecTy) -> Stop {
    Box::new(FaultKind::IllegalValue {
        operand: "ty",
        value: ty as i64,
        expected: "a lane type that the instruction has",
    })
}

/// Operands of an instruction with one source.
#[derive(Copy, Clone)]
struct Two {
    dst: Out<Ub>,
    a: In<Ub>,
    rep: Rep,
    st: St2,
}

/// Operands of an instruction with two sources.
#[derive(Copy, Clone)]
struct Three {
    dst: Out<Ub>,
    a: In<Ub>,
    b: In<Ub>,
    rep: Rep,
    st: St3,
}

macro_rules! two {
    ($i:ident) => {
        Two {
            dst: $i.dst,
            a: $i.a,
            rep: $i.rep,
            st: $i.st,
        }
    };
}

macro_rules! three {
    ($i:ident) => {
        Three {
            dst: $i.dst,
            a: $i.a,
            b: $i.b,
            rep: $i.rep,
            st: $i.st,
        }
    };
}

impl Core<'_> {
    /// What becomes of f16 results that overflow.
    fn overflow(&self) -> Overflow {
        match self.context.spr(Spr::Ctrl) & Spr::CTRL_KEEP_INF {
            0 => Overflow::Saturate,
            _ => Overflow::Keep,
        }
    }

    fn ub(&self, at: Addr) -> u64 {
        at.get(&self.context)
    }

    /// Runs `f` on each repeat of an instruction with one source.
    fn each_two(
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
    fn each_three(
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
    fn float_one(&mut self, ty: VecTy, o: Two, overflow: Overflow, f: impl Fn(f32) -> f32) -> Done {
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
    fn float_two(
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
    fn any_two(
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
    fn any_scalar(
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

    fn int_scalar(
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
    fn bitwise(&mut self, o: Three, f: impl Fn(u8, u8) -> u8) -> Done {
        Ok(self.each_three(2, o, false, |out, x, y| {
            for ((to, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *to = f(x, y);
            }
        })?)
    }

    /// Fills or numbers lanes: `value(n)` gives the bits of element `n`, counted over all repeats.
    fn generate(
        &mut self,
        ty: VecTy,
        dst: Out<Ub>,
        rep: Rep,
        st: St1,
        value: impl Fn(usize) -> u32,
    ) -> Done {
        let size = ty.bytes() as usize;
        let work = Work::new(self, rep, 256 / size)?;
        let d = Walk::new("dst", self.ub(dst.at), st.dst_blk, st.dst_rep, size);
        self.check_write(&work, &d)?;
        let mut out = [0; 256];
        for repeat in 0..work.repeats {
            for (lane, to) in out.chunks_exact_mut(size).enumerate() {
                to.copy_from_slice(&value(repeat * work.lanes + lane).to_le_bytes()[..size]);
            }
            self.store_lanes(&work, &d, repeat, &out);
        }
        Ok(())
    }

    /// Compares and writes bits; `holds(x, repeat)` gives those of one repeat.
    fn compare(
        &mut self,
        size: usize,
        dst: Out<Ub>,
        a: Walk,
        b: Option<Walk>,
        rep: Rep,
        holds: impl Fn(&Bytes, &Bytes) -> u128,
    ) -> Done {
        let work = Work::new(self, rep, 256 / size)?;
        self.check_read(&work, &a)?;
        if let Some(b) = &b {
            self.check_read(&work, b)?;
        }
        let base = self.ub(dst.at);
        let bytes = work.lanes / 8;
        self.memory(Space::Ub)
            .aligned("dst", base, (work.repeats * bytes) as u64, 32)?;
        let (mut x, mut y) = ([0; 256], [0; 256]);
        for repeat in 0..work.repeats {
            self.fetch(&work, &a, repeat, &mut x);
            if let Some(b) = &b {
                self.fetch(&work, b, repeat, &mut y);
            }
            let on = work.on(repeat);
            let bits = holds(&x, &y) & on;
            // A tail writes the bytes that its lanes reach; the bits of lanes that are off are zero (we choose).
            let reach = (128 - on.leading_zeros() as usize).div_ceil(8);
            let at = base as usize + repeat * bytes;
            self.writes("dst", Space::Ub, at, reach)?;
            let ub = self.memory(Space::Ub);
            ub.bytes[at..at + reach].copy_from_slice(&bits.to_le_bytes()[..reach]);
            ub.shadow.set(at, reach);
            ub.touch(at + reach);
        }
        Ok(())
    }

    /// Reduces each repeat to `results` elements; `f(x, on)` gives them with a bit for each that exists.
    fn reduce(
        &mut self,
        ty: VecTy,
        o: (Out<Ub>, In<Ub>, Rep, StRed),
        results: usize,
        f: impl Fn(&Bytes, u128) -> ([u32; 64], u64),
    ) -> Done {
        let (dst, a, rep, st) = o;
        let size = ty.bytes() as usize;
        let work = Work::new(self, rep, 256 / size)?;
        let a = Walk::new("a", self.ub(a.at), st.a_blk, st.a_rep, size);
        self.check_read(&work, &a)?;
        let base = self.ub(dst.at);
        let mut x = [0; 256];
        for repeat in 0..work.repeats {
            self.fetch(&work, &a, repeat, &mut x);
            let (values, exist) = f(&x, work.on(repeat));
            let start = base + (repeat * usize::from(st.dst_rep) * size) as u64;
            if exist == 0 {
                continue;
            }
            let at = self.memory(Space::Ub).aligned(
                "dst",
                start,
                (results * size) as u64,
                size as u64,
            )?;
            for n in (0..results).filter(|n| exist >> n & 1 == 1) {
                let at = at + n * size;
                self.writes("dst", Space::Ub, at, size)?;
                let ub = self.memory(Space::Ub);
                ub.bytes[at..at + size].copy_from_slice(&values[n].to_le_bytes()[..size]);
                ub.shadow.set(at, size);
                ub.touch(at + size);
            }
        }
        Ok(())
    }

    /// Reduces groups of `group` lanes by a tree; `neutral` stands for lanes that are off, none leaves them out.
    fn reduce_groups(
        &mut self,
        ty: VecTy,
        o: (Out<Ub>, In<Ub>, Rep, StRed),
        group: usize,
        sum: bool,
        join: impl Fn(f32, f32) -> f32,
    ) -> Done {
        if !ty.is_float() {
            return Err(no_such_lanes(ty).into());
        }
        let lanes = ty.lanes() as usize;
        let results = lanes / group;
        let overflow = if sum { self.overflow() } else { Overflow::Keep };
        self.reduce(ty, o, results, |x, on| {
            let wide = lane_values(ty, x);
            let (mut values, mut exist) = ([0; 64], 0_u64);
            for n in 0..results {
                let mut list = [0.0_f32; 128];
                let mut len = 0;
                let mut any = false;
                for lane in n * group..(n + 1) * group {
                    let is_on = on >> lane & 1 == 1;
                    any |= is_on;
                    if is_on || sum {
                        list[len] = if is_on { wide[lane] } else { 0.0 };
                        len += 1;
                    }
                }
                if !any {
                    continue;
                }
                // Every join rounds in the lane's own type.
                let narrow = |x: f32| round_to(ty, x, overflow);
                let total = num::tree_reduce(&list[..len], |a, b| narrow(join(a, b)));
                values[n] = bits_of(ty, narrow(total.unwrap_or(0.0)), overflow);
                exist |= 1 << n;
            }
            (values, exist)
        })
    }

    fn convert(&mut self, i: &Vconv) -> Result<(), Stop> {
        let (from, to) = (i.kind.src.bytes() as usize, i.kind.dst.bytes() as usize);
        let work = Work::new(self, i.rep, i.kind.lanes() as usize)?;
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, from);
        let d = Walk::new("dst", self.ub(i.dst.at), i.st.dst_blk, i.st.dst_rep, to);
        self.check_read(&work, &a)?;
        self.check_write(&work, &d)?;
        let mode = Mode {
            kind: i.kind,
            float: self.overflow(),
            int: match self.context.spr(Spr::Ctrl) & Spr::CTRL_SATURATE {
                0 => Overflow::Wrap,
                _ => Overflow::Saturate,
            },
        };
        let (mut x, mut out) = ([0; 256], [0; 256]);
        for repeat in 0..work.repeats {
            self.fetch(&work, &a, repeat, &mut x);
            convert_repeat(mode, &x, &mut out, work.lanes);
            self.store_lanes(&work, &d, repeat, &out);
        }
        Ok(())
    }

    /// Copies blocks inside UB, values and shadow.
    fn move_blocks(&mut self, dst: u64, src: u64, pieces: Pieces) -> Result<(), Stop> {
        for n in 0..pieces.count as u64 {
            let (dst, src) = (dst + n * pieces.dst_step, src + n * pieces.src_step);
            let len = pieces.len;
            let from = self.memory(Space::Ub).aligned("src", src, len as u64, 32)?;
            let at = self.memory(Space::Ub).aligned("dst", dst, len as u64, 32)?;
            self.reads("src", Space::Ub, from, len, false)?;
            self.writes("dst", Space::Ub, at, len)?;
            let ub = self.memory(Space::Ub);
            let shadow: Vec<u32> = (0..len / 32)
                .map(|b| ub.shadow.block(from / 32 + b))
                .collect();
            ub.bytes.copy_within(from..from + len, at);
            for (block, bits) in shadow.into_iter().enumerate() {
                ub.shadow.set_block(at / 32 + block, bits);
            }
            ub.touch(at + len);
            self.count(Path::UbUb, len);
        }
        Ok(())
    }
}

/// The scalar of a float instruction as f32.
fn float_scalar(ty: VecTy, bits: u32) -> f32 {
    match ty {
        VecTy::F16 => num::f16_to_f32(bits as u16),
        VecTy::F32 | VecTy::S16 | VecTy::S32 => f32::from_bits(bits),
    }
}

/// The lanes of a repeat as f32; the second half is empty for 32-bit lanes.
fn lane_values(ty: VecTy, x: &Bytes) -> [f32; 128] {
    if ty == VecTy::F16 {
        return widened(x);
    }
    let mut out = [0.0; 128];
    out[..64].copy_from_slice(&floats(x));
    out
}

/// Rounds to the lane type and widens again.
fn round_to(ty: VecTy, x: f32, overflow: Overflow) -> f32 {
    match ty {
        VecTy::F16 => num::f16_to_f32(num::f32_to_f16(x, Round::Even, overflow)),
        VecTy::F32 | VecTy::S16 | VecTy::S32 => num::canonical_f32(x),
    }
}

fn bits_of(ty: VecTy, x: f32, overflow: Overflow) -> u32 {
    match ty {
        VecTy::F16 => u32::from(num::f32_to_f16(x, Round::Even, overflow)),
        VecTy::F32 | VecTy::S16 | VecTy::S32 => x.to_bits(),
    }
}

/// A conversion with the modes in force.
#[derive(Copy, Clone)]
struct Mode {
    kind: ConvKind,
    float: Overflow,
    int: Overflow,
}

/// Converts the lanes of a repeat: the common pairs by slices, the others one by one.
fn convert_repeat(mode: Mode, x: &Bytes, out: &mut Bytes, lanes: usize) {
    let even = mode.kind.round == Round::Even;
    match (mode.kind.src, mode.kind.dst) {
        (Elem::F32, Elem::F16) if even => {
            num::f32_to_f16_slice(out.as_chunks_mut::<2>().0, &floats(x), mode.float);
        }
        (Elem::F32, Elem::Bf16) if even => {
            num::f32_to_bf16_slice(out.as_chunks_mut::<2>().0, &floats(x), mode.float);
        }
        (Elem::F16 | Elem::Bf16, Elem::F32) => {
            let mut y = [0.0; 64];
            let halves = &x.as_chunks::<2>().0[..64];
            match mode.kind.src == Elem::F16 {
                true => num::f16_to_f32_slice(&mut y, halves),
                false => num::bf16_to_f32_slice(&mut y, halves),
            }
            put_words(out, y.iter().map(|y| y.to_bits()));
        }
        (from, to) => {
            let (from, to) = (from.bytes() as usize, to.bytes() as usize);
            for lane in 0..lanes {
                let mut word = [0; 4];
                word[..from].copy_from_slice(&x[lane * from..(lane + 1) * from]);
                let bits = convert_one(mode, u32::from_le_bytes(word));
                out[lane * to..(lane + 1) * to].copy_from_slice(&bits.to_le_bytes()[..to]);
            }
        }
    }
}

/// Converts one element, bits to bits.
fn convert_one(mode: Mode, bits: u32) -> u32 {
    let Mode { kind, float, int } = mode;
    let round = kind.round;
    match kind.src {
        Elem::F32 => from_f32(mode, f32::from_bits(bits)),
        Elem::F16 => match kind.dst {
            Elem::F32 => num::f16_to_f32(bits as u16).to_bits(),
            to => num::f16_to_int(bits as u16, round, int, width(to), to != Elem::U8) as u32,
        },
        Elem::Bf16 => match kind.dst {
            Elem::F32 => num::bf16_to_f32(bits as u16).to_bits(),
            to => num::bf16_to_int(bits as u16, round, int, width(to), to != Elem::U8) as u32,
        },
        from => {
            let value = integer(from, bits);
            match kind.dst {
                Elem::F32 => num::i64_to_f32(value, round).to_bits(),
                Elem::F16 => u32::from(num::i64_to_f16(value, round, float)),
                to if int == Overflow::Wrap => {
                    num::wrap_int(value, width(to), to != Elem::U8) as u32
                }
                to => num::saturate_int(value, width(to), to != Elem::U8) as u32,
            }
        }
    }
}

fn from_f32(mode: Mode, x: f32) -> u32 {
    let round = mode.kind.round;
    match mode.kind.dst {
        Elem::F32 => num::round_to_integral(x, round).to_bits(),
        Elem::F16 => u32::from(num::f32_to_f16(x, round, mode.float)),
        Elem::Bf16 => u32::from(num::f32_to_bf16(x, round, mode.float)),
        to => num::f32_to_int(x, round, mode.int, width(to), to != Elem::U8) as u32,
    }
}

/// Bits of an integer type.
const fn width(elem: Elem) -> u32 {
    elem.bytes() as u32 * 8
}

/// The value of an integer element.
fn integer(elem: Elem, bits: u32) -> i64 {
    match elem {
        Elem::U8 | Elem::Bool => i64::from(bits as u8),
        Elem::I8 => i64::from(bits as i8),
        Elem::I16 => i64::from(bits as i16),
        Elem::I32 | Elem::I64 | Elem::F32 | Elem::F16 | Elem::Bf16 => i64::from(bits as i32),
    }
}

/// The bits of the lanes for which a comparison holds.
fn compare_lanes(ty: VecTy, cond: Cond, x: &Bytes, y: impl Fn(usize) -> u32) -> u128 {
    let size = ty.bytes() as usize;
    let mut bits = 0;
    for lane in 0..256 / size {
        let mut word = [0; 4];
        word[..size].copy_from_slice(&x[lane * size..(lane + 1) * size]);
        let (a, b) = (u32::from_le_bytes(word), y(lane));
        let holds = match ty {
            VecTy::F16 | VecTy::F32 => {
                num::cmp_f32(relation(cond), float_scalar(ty, a), float_scalar(ty, b))
            }
            VecTy::S16 => super::scalar::ordered(cond, &(a as i16), &(b as i16)),
            VecTy::S32 => super::scalar::ordered(cond, &(a as i32), &(b as i32)),
        };
        bits |= u128::from(holds) << lane;
    }
    bits
}

fn lane_bits(ty: VecTy, y: &Bytes, lane: usize) -> u32 {
    let size = ty.bytes() as usize;
    let mut word = [0; 4];
    word[..size].copy_from_slice(&y[lane * size..(lane + 1) * size]);
    u32::from_le_bytes(word)
}

impl VectorUnit for Core<'_> {
    fn vadd(&mut self, i: &Vadd) -> Done {
        self.any_two(
            i.ty,
            three!(i),
            self.overflow(),
            num::add_f32,
            i32::wrapping_add,
        )
    }

    fn vsub(&mut self, i: &Vsub) -> Done {
        self.any_two(
            i.ty,
            three!(i),
            self.overflow(),
            num::sub_f32,
            i32::wrapping_sub,
        )
    }

    fn vmul(&mut self, i: &Vmul) -> Done {
        self.any_two(
            i.ty,
            three!(i),
            self.overflow(),
            num::mul_f32,
            i32::wrapping_mul,
        )
    }

    fn vdiv(&mut self, i: &Vdiv) -> Done {
        Ok(self.float_two(i.ty, three!(i), self.overflow(), num::div_f32)?)
    }

    fn vmax(&mut self, i: &Vmax) -> Done {
        self.any_two(i.ty, three!(i), Overflow::Keep, num::max_f32, Ord::max)
    }

    fn vmin(&mut self, i: &Vmin) -> Done {
        self.any_two(i.ty, three!(i), Overflow::Keep, num::min_f32, Ord::min)
    }

    fn vand(&mut self, i: &Vand) -> Done {
        self.bitwise(three!(i), |a, b| a & b)
    }

    fn vor(&mut self, i: &Vor) -> Done {
        self.bitwise(three!(i), |a, b| a | b)
    }

    fn vnot(&mut self, i: &Vnot) -> Done {
        Ok(self.each_two(2, two!(i), |out, x| *out = x.map(|b| !b))?)
    }

    fn vadds(&mut self, i: &Vadds) -> Done {
        let s = i.scalar.get(&self.context);
        self.any_scalar(
            i.ty,
            two!(i),
            s,
            self.overflow(),
            num::add_f32,
            i32::wrapping_add,
        )
    }

    fn vmuls(&mut self, i: &Vmuls) -> Done {
        let s = i.scalar.get(&self.context);
        self.any_scalar(
            i.ty,
            two!(i),
            s,
            self.overflow(),
            num::mul_f32,
            i32::wrapping_mul,
        )
    }

    fn vmaxs(&mut self, i: &Vmaxs) -> Done {
        let s = i.scalar.get(&self.context);
        self.any_scalar(i.ty, two!(i), s, Overflow::Keep, num::max_f32, Ord::max)
    }

    fn vmins(&mut self, i: &Vmins) -> Done {
        let s = i.scalar.get(&self.context);
        self.any_scalar(i.ty, two!(i), s, Overflow::Keep, num::min_f32, Ord::min)
    }

    fn vshl(&mut self, i: &Vshl) -> Done {
        let bits = i.ty.bytes() as u32 * 8;
        let s = i.scalar.get(&self.context) % bits;
        self.int_scalar(i.ty, two!(i), s, |x, s| x.wrapping_shl(s as u32))
    }

    fn vshr(&mut self, i: &Vshr) -> Done {
        let bits = i.ty.bytes() as u32 * 8;
        let s = i.scalar.get(&self.context) % bits;
        self.int_scalar(i.ty, two!(i), s, |x, s| x.wrapping_shr(s as u32))
    }

    fn vaxpy(&mut self, i: &Vaxpy) -> Done {
        let (ty, overflow) = (i.ty, self.overflow());
        let s = float_scalar(ty, i.scalar.get(&self.context));
        let dst = i.dst.at;
        // The destination's old lanes are the second source.
        let o = Three {
            dst: Out::at(dst),
            a: i.a,
            b: In::at(dst),
            rep: i.rep,
            st: St3 {
                dst_blk: i.st.dst_blk,
                a_blk: i.st.a_blk,
                b_blk: i.st.dst_blk,
                dst_rep: i.st.dst_rep,
                a_rep: i.st.a_rep,
                b_rep: i.st.dst_rep,
            },
        };
        let step = |x: f32, d: f32| num::add_f32(round_to(ty, num::mul_f32(x, s), overflow), d);
        Ok(self.float_two(ty, o, overflow, step)?)
    }

    fn vmla(&mut self, i: &Vmla) -> Done {
        let overflow = self.overflow();
        let o = Three {
            dst: Out::at(i.dst.at),
            a: i.a,
            b: i.b,
            rep: i.rep,
            st: i.st,
        };
        let done = match i.ty {
            VecTy::F32 => self.each_three(4, o, true, |out, x, y| {
                let (x, y, d) = (floats(x), floats(y), floats(out));
                let fused = |n: usize| num::fma_f32(x[n], y[n], d[n]).to_bits();
                put_words(out, (0..64).map(fused));
            }),
            VecTy::F16 => self.each_three(2, o, true, |out, x, y| {
                let (x, y, d) = (widened(x), widened(y), widened(out));
                let mut z = [0.0; 128];
                num::apply2_slice(&mut z, &x, &y, num::mul_f32);
                let mut product = [[0; 2]; 128];
                num::f32_to_f16_slice(&mut product, &z, overflow);
                num::f16_to_f32_slice(&mut z, &product);
                let mut sum = [0.0; 128];
                num::apply2_slice(&mut sum, &z, &d, num::add_f32);
                num::f32_to_f16_slice(out.as_chunks_mut::<2>().0, &sum, overflow);
            }),
            VecTy::S16 | VecTy::S32 => Err(no_such_lanes(i.ty)),
        };
        Ok(done?)
    }

    fn vrelu(&mut self, i: &Vrelu) -> Done {
        self.any_scalar(i.ty, two!(i), 0, Overflow::Keep, num::max_f32, Ord::max)
    }

    fn vlrelu(&mut self, i: &Vlrelu) -> Done {
        let s = float_scalar(i.ty, i.scalar.get(&self.context));
        let leak = |x: f32| {
            if x < 0.0 {
                num::mul_f32(x, s)
            } else {
                num::canonical_f32(x)
            }
        };
        self.float_one(i.ty, two!(i), self.overflow(), leak)
    }

    fn vabs(&mut self, i: &Vabs) -> Done {
        self.float_one(i.ty, two!(i), Overflow::Keep, num::abs_f32)
    }

    fn vexp(&mut self, i: &Vexp) -> Done {
        self.float_one(i.ty, two!(i), self.overflow(), num::exp_f32)
    }

    fn vln(&mut self, i: &Vln) -> Done {
        self.float_one(i.ty, two!(i), self.overflow(), num::ln_f32)
    }

    fn vsqrt(&mut self, i: &Vsqrt) -> Done {
        self.float_one(i.ty, two!(i), self.overflow(), num::sqrt_f32)
    }

    fn vrsqrt(&mut self, i: &Vrsqrt) -> Done {
        self.float_one(i.ty, two!(i), self.overflow(), num::vrsqrt_f32)
    }

    fn vrec(&mut self, i: &Vrec) -> Done {
        self.float_one(i.ty, two!(i), self.overflow(), num::vrec_f32)
    }

    fn vconv(&mut self, i: &Vconv) -> Done {
        Ok(self.convert(i)?)
    }

    fn vcmpv(&mut self, i: &Vcmpv) -> Done {
        let (ty, cond, size) = (i.ty, i.cond, i.ty.bytes() as usize);
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, size);
        let b = Walk::new("b", self.ub(i.b.at), i.st.b_blk, i.st.b_rep, size);
        self.compare(size, i.dst, a, Some(b), i.rep, |x, y| {
            compare_lanes(ty, cond, x, |lane| lane_bits(ty, y, lane))
        })
    }

    fn vcmpvs(&mut self, i: &Vcmpvs) -> Done {
        let (ty, cond, size) = (i.ty, i.cond, i.ty.bytes() as usize);
        let s = i.scalar.get(&self.context);
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, size);
        self.compare(size, i.dst, a, None, i.rep, |x, _| {
            compare_lanes(ty, cond, x, |_| s)
        })
    }

    fn vsel(&mut self, i: &Vsel) -> Done {
        let size = i.ty.bytes() as usize;
        let st = i.st.0;
        let work = Work::new(self, i.rep, 256 / size)?;
        let a = Walk::new("a", self.ub(i.a.at), st.a_blk, st.a_rep, size);
        let b = Walk::new("b", self.ub(i.b.at), st.b_blk, st.b_rep, size);
        let d = Walk::new("dst", self.ub(i.dst.at), st.dst_blk, st.dst_rep, size);
        self.check_read(&work, &a)?;
        self.check_read(&work, &b)?;
        let bytes = work.lanes / 8;
        let base = self.ub(i.mask.at);
        self.memory(Space::Ub).aligned("mask", base, 0, 32)?;
        let (mut x, mut y) = ([0; 256], [0; 256]);
        let mut chosen = Vec::with_capacity(work.repeats);
        for repeat in 0..work.repeats {
            let reach = (128 - work.on(repeat).leading_zeros() as usize).div_ceil(8);
            let at = base + (repeat * bytes) as u64;
            let at = self.memory(Space::Ub).inside("mask", at, reach as u64)?;
            self.reads("mask", Space::Ub, at, reach, true)?;
            let mut bits = [0; 16];
            bits[..reach].copy_from_slice(&self.memory(Space::Ub).bytes[at..at + reach]);
            chosen.push(u128::from_le_bytes(bits));
        }
        self.check_write(&work, &d)?;
        for (repeat, bits) in chosen.into_iter().enumerate() {
            self.fetch(&work, &a, repeat, &mut x);
            self.fetch(&work, &b, repeat, &mut y);
            for lane in (0..work.lanes).filter(|lane| bits >> lane & 1 == 0) {
                let range = lane * size..(lane + 1) * size;
                x[range.clone()].copy_from_slice(&y[range]);
            }
            self.store_lanes(&work, &d, repeat, &x);
        }
        Ok(())
    }

    fn vdup(&mut self, i: &Vdup) -> Done {
        let s = i.scalar.get(&self.context);
        self.generate(i.ty, i.dst, i.rep, i.st, |_| s)
    }

    fn vcopy(&mut self, i: &Vcopy) -> Done {
        Ok(self.each_two(i.ty.bytes() as usize, two!(i), |out, x| *out = *x)?)
    }

    fn vbrcb(&mut self, i: &Vbrcb) -> Done {
        let size = i.ty.bytes() as usize;
        let rep = super::at_most("rep", i.rep.get(&self.context), 255, "at most 255 repeats")?;
        let (dst, src) = (self.ub(i.dst.at), self.ub(i.a.at));
        let from = self
            .memory(Space::Ub)
            .aligned("a", src, (rep * 8 * size) as u64, 32)?;
        self.reads("a", Space::Ub, from, rep * 8 * size, true)?;
        for n in 0..rep * 8 {
            let blocks = n / 8 * usize::from(i.st.dst_rep) + n % 8 * usize::from(i.st.dst_blk);
            let at = self
                .memory(Space::Ub)
                .aligned("dst", dst + (blocks * 32) as u64, 32, 32)?;
            self.writes("dst", Space::Ub, at, 32)?;
            let ub = self.memory(Space::Ub);
            for copy in 0..32 / size {
                ub.bytes
                    .copy_within(from + n * size..from + (n + 1) * size, at + copy * size);
            }
            ub.shadow.set(at, 32);
            ub.touch(at + 32);
        }
        Ok(())
    }

    fn viota(&mut self, i: &Viota) -> Done {
        let (ty, overflow) = (i.ty, self.overflow());
        let s = i.scalar.get(&self.context);
        let base = float_scalar(ty, s);
        self.generate(ty, i.dst, i.rep, i.st, |n| match ty {
            VecTy::S16 | VecTy::S32 => s.wrapping_add(n as u32),
            VecTy::F16 | VecTy::F32 => {
                let n = round_to(ty, num::i64_to_f32(n as i64, Round::Even), overflow);
                bits_of(ty, num::add_f32(base, n), overflow)
            }
        })
    }

    fn vcadd(&mut self, i: &Vcadd) -> Done {
        let lanes = i.ty.lanes() as usize;
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), lanes, true, num::add_f32)
    }

    fn vcmax(&mut self, i: &Vcmax) -> Done {
        let lanes = i.ty.lanes() as usize;
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), lanes, false, num::max_f32)
    }

    fn vcmin(&mut self, i: &Vcmin) -> Done {
        let lanes = i.ty.lanes() as usize;
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), lanes, false, num::min_f32)
    }

    fn vcgadd(&mut self, i: &Vcgadd) -> Done {
        let group = 32 / i.ty.bytes() as usize;
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), group, true, num::add_f32)
    }

    fn vcgmax(&mut self, i: &Vcgmax) -> Done {
        let group = 32 / i.ty.bytes() as usize;
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), group, false, num::max_f32)
    }

    fn vcgmin(&mut self, i: &Vcgmin) -> Done {
        let group = 32 / i.ty.bytes() as usize;
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), group, false, num::min_f32)
    }

    fn vcpadd(&mut self, i: &Vcpadd) -> Done {
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), 2, true, num::add_f32)
    }

    fn mov_ub_ub(&mut self, i: &MovUbUb) -> Done {
        let pieces = block_pieces(self, &i.burst, i.src_gap, i.dst_gap)?;
        let (dst, src) = (self.ub(i.dst.at), self.ub(i.src.at));
        Ok(self.move_blocks(dst, src, pieces)?)
    }
}

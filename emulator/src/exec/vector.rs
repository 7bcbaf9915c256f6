//! The vector unit: one method a row; lanes and strides are in `lanes`, arithmetic in `isa::num`.

use isa::inst::*;
use isa::num::{self, Overflow, Round};
use isa::types::Space;

use super::compare::{compare_lanes, typed_bits};
use super::extremes::Extreme;
use super::fused::relu;
use super::lanes::{Walk, Work};
use super::mixed::{Conversion, Fused};
use super::mte::{Pieces, block_pieces};
use super::repeat::*;
use crate::core::{Core, Halt};
use crate::fault::Stop;
use crate::report::Path;

type Done = Result<(), Halt>;
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

/// Operands of an instruction that reads and writes its destination.
macro_rules! accumulating {
    ($i:ident) => {
        Three {
            dst: Out::at($i.dst.at),
            a: $i.a,
            b: $i.b,
            rep: $i.rep,
            st: $i.st,
        }
    };
}

macro_rules! fused {
    ($i:ident) => {
        Conversion {
            ty: $i.ty,
            dst: $i.dst,
            a: $i.a,
            b: $i.b,
            rep: $i.rep,
            st: $i.st,
        }
    };
}

macro_rules! extreme {
    ($i:ident) => {
        Extreme {
            order: $i.order,
            ty: $i.ty,
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
        let mut lane = 0;
        self.run_lanes(&work, &d, [], false, |out, []| {
            for to in out.chunks_exact_mut(size) {
                to.copy_from_slice(&value(lane).to_le_bytes()[..size]);
                lane += 1;
            }
        });
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

/// Fills a block with copies of an element.
fn fill_block(bytes: &mut [u8], from: usize, size: usize, at: usize) {
    let mut value = [0; 4];
    value[..size].copy_from_slice(&bytes[from..from + size]);
    if size == 2 {
        value.copy_within(..2, 2);
    }
    let (words, _) = bytes[at..at + 32].as_chunks_mut();
    words.fill(value);
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
        if i.ty == VecTy::F16 {
            return Ok(self.half_bits_two(three!(i), num::f16_max)?);
        }
        self.any_two(i.ty, three!(i), Overflow::Keep, num::max_f32, Ord::max)
    }

    fn vmin(&mut self, i: &Vmin) -> Done {
        if i.ty == VecTy::F16 {
            return Ok(self.half_bits_two(three!(i), num::f16_min)?);
        }
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
        self.int_scalar(i.ty.lane(), two!(i), s, |x, s| x.wrapping_shl(s as u32))
    }

    fn vshr(&mut self, i: &Vshr) -> Done {
        let ty = i.ty;
        let s = i.scalar.get(&self.context) % (ty.bytes() as u32 * 8);
        self.int_scalar(ty.lane(), two!(i), s, move |x, s| match ty {
            ShiftTy::S16 | ShiftTy::S32 => x.wrapping_shr(s as u32),
            ShiftTy::U16 => i32::from(x as u16).wrapping_shr(s as u32),
            ShiftTy::U32 => (x as u32).wrapping_shr(s as u32) as i32,
        })
    }

    fn vaxpy(&mut self, i: &Vaxpy) -> Done {
        let overflow = self.overflow();
        let ty = match i.ty {
            FmaTy::F16 => VecTy::F16,
            FmaTy::F32 => VecTy::F32,
            FmaTy::F16F32 => return Ok(self.axpy_mixed(i)?),
        };
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
        let step =
            move |x: f32, d: f32| num::add_f32(round_to(ty, num::mul_f32(x, s), overflow), d);
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
            FmaTy::F32 => self.each_three(4, o, true, |out, x, y| {
                let (x, y, d) = (floats(x), floats(y), floats(out));
                let product = std::array::from_fn::<_, 64, _>(|n| (x[n], y[n]));
                num::apply2_slice(words_mut(out), &product, &d, |(x, y), d| {
                    to_word(num::fma_f32(x, y, d))
                });
            }),
            FmaTy::F16 => self.each_three(2, o, true, |out, x, y| {
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
            FmaTy::F16F32 => self.mla_mixed(i),
        };
        Ok(done?)
    }

    fn vrelu(&mut self, i: &Vrelu) -> Done {
        self.any_scalar(i.ty, two!(i), 0, Overflow::Keep, num::max_f32, Ord::max)
    }

    fn vlrelu(&mut self, i: &Vlrelu) -> Done {
        let s = float_scalar(i.ty, i.scalar.get(&self.context));
        let leak = move |x: f32| {
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
        if i.ty == VecTy::F32 {
            return Ok(self.singles_in_place(two!(i), num::exp_f32_in_place)?);
        }
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
            compare_lanes(ty, cond, x, |lane| typed_bits(ty, y, lane))
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
        let size = i.ty.bytes() as usize;
        let work = Work::new(self, i.rep, 256 / size)?.fitted(size);
        let d = Walk::new("dst", self.ub(i.dst.at), i.st.dst_blk, i.st.dst_rep, size);
        self.check_write(&work, &d)?;
        self.run_lanes(&work, &d, [], false, |out, []| match i.ty {
            VecTy::F16 | VecTy::S16 => halves_mut(out).fill((s as u16).to_le_bytes()),
            VecTy::F32 | VecTy::S32 => words_mut(out).fill(s.to_le_bytes()),
        });
        Ok(())
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
        let blocks =
            |n: usize| n / 8 * usize::from(i.st.dst_rep) + n % 8 * usize::from(i.st.dst_blk);
        let watched = self.is_watched();
        let reach = (0..rep * 8).map(|n| blocks(n) * 32 + 32).max().unwrap_or(0);
        let ub = self.memory(Space::Ub);
        if !watched && let Ok(at) = ub.aligned("dst", dst, reach as u64, 32) {
            ub.touch(at + reach);
            (0..rep * 8).for_each(|n| {
                fill_block(&mut ub.bytes, from + n * size, size, at + blocks(n) * 32)
            });
            return Ok(());
        }
        for n in 0..rep * 8 {
            let at =
                self.memory(Space::Ub)
                    .aligned("dst", dst + (blocks(n) * 32) as u64, 32, 32)?;
            self.writes("dst", Space::Ub, at, 32)?;
            self.holds_values(at, 32);
            fill_block(&mut self.memory(Space::Ub).bytes, from + n * size, size, at);
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
        self.reduce_groups(
            i.ty,
            (i.dst, i.a, i.rep, i.st),
            lanes,
            Some(0.0),
            num::add_f32,
        )
    }

    fn vcmax(&mut self, i: &Vcmax) -> Done {
        let lanes = i.ty.lanes() as usize;
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), lanes, None, num::max_f32)
    }

    fn vcmin(&mut self, i: &Vcmin) -> Done {
        let lanes = i.ty.lanes() as usize;
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), lanes, None, num::min_f32)
    }

    fn vcgadd(&mut self, i: &Vcgadd) -> Done {
        let group = 32 / i.ty.bytes() as usize;
        self.reduce_groups(
            i.ty,
            (i.dst, i.a, i.rep, i.st),
            group,
            Some(0.0),
            num::add_f32,
        )
    }

    fn vcgmax(&mut self, i: &Vcgmax) -> Done {
        let group = 32 / i.ty.bytes() as usize;
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), group, None, num::max_f32)
    }

    fn vcgmin(&mut self, i: &Vcgmin) -> Done {
        let group = 32 / i.ty.bytes() as usize;
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), group, None, num::min_f32)
    }

    fn vcpadd(&mut self, i: &Vcpadd) -> Done {
        self.reduce_groups(i.ty, (i.dst, i.a, i.rep, i.st), 2, Some(0.0), num::add_f32)
    }

    fn mov_ub_ub(&mut self, i: &MovUbUb) -> Done {
        let pieces = block_pieces(self, &i.burst, i.src_gap, i.dst_gap)?;
        let (dst, src) = (self.ub(i.dst.at), self.ub(i.src.at));
        Ok(self.move_blocks(dst, src, pieces)?)
    }

    fn vmadd(&mut self, i: &Vmadd) -> Done {
        Ok(self.multiply_onto(i.ty, accumulating!(i), |x| x)?)
    }

    fn vmaddrelu(&mut self, i: &Vmaddrelu) -> Done {
        Ok(self.multiply_onto(i.ty, accumulating!(i), relu)?)
    }

    fn vaddrelu(&mut self, i: &Vaddrelu) -> Done {
        self.sum_relu(i.ty, three!(i), num::add_f32, i32::wrapping_add)
    }

    fn vsubrelu(&mut self, i: &Vsubrelu) -> Done {
        self.sum_relu(i.ty, three!(i), num::sub_f32, i32::wrapping_sub)
    }

    fn vmulconv(&mut self, i: &Vmulconv) -> Done {
        Ok(self.fused_conversion(Fused::Mul, fused!(i))?)
    }

    fn vaddreluconv(&mut self, i: &Vaddreluconv) -> Done {
        Ok(self.fused_conversion(Fused::AddRelu, fused!(i))?)
    }

    fn vsubreluconv(&mut self, i: &Vsubreluconv) -> Done {
        Ok(self.fused_conversion(Fused::SubRelu, fused!(i))?)
    }

    fn vcmp(&mut self, i: &Vcmp) -> Done {
        Ok(self.compare_to_mask(i)?)
    }

    fn vsetcmp(&mut self, i: &Vsetcmp) -> Done {
        Ok(self.load_cmpmask(i)?)
    }

    fn vgetcmp(&mut self, i: &Vgetcmp) -> Done {
        Ok(self.store_cmpmask(i)?)
    }

    fn vselc(&mut self, i: &Vselc) -> Done {
        Ok(self.select_by_cmpmask(i)?)
    }

    fn vsels(&mut self, i: &Vsels) -> Done {
        Ok(self.select_scalar(i)?)
    }

    fn vcmaxi(&mut self, i: &Vcmaxi) -> Done {
        Ok(self.extreme(extreme!(i), true)?)
    }

    fn vcmini(&mut self, i: &Vcmini) -> Done {
        Ok(self.extreme(extreme!(i), false)?)
    }

    fn vgather(&mut self, i: &Vgather) -> Done {
        Ok(self.gather(i)?)
    }

    fn vgatherb(&mut self, i: &Vgatherb) -> Done {
        Ok(self.gather_blocks(i)?)
    }

    fn vcompress(&mut self, i: &Vcompress) -> Done {
        Ok(self.compress_pattern(i)?)
    }

    fn vcompressm(&mut self, i: &Vcompressm) -> Done {
        Ok(self.compress_mask(i)?)
    }

    fn vsort32(&mut self, i: &Vsort32) -> Done {
        Ok(self.sort32(i)?)
    }

    fn vmrg4(&mut self, i: &Vmrg4) -> Done {
        Ok(self.merge4(i)?)
    }

    fn vtranspose(&mut self, i: &Vtranspose) -> Done {
        Ok(self.transpose_square(i)?)
    }

    fn vnchwconv(&mut self, i: &Vnchwconv) -> Done {
        Ok(self.transpose_blocks(i)?)
    }

    fn vdeq(&mut self, i: &Vdeq) -> Done {
        Ok(self.dequantise(i)?)
    }

    fn vconv_s4(&mut self, i: &VconvS4) -> Done {
        Ok(self.convert_s4(i)?)
    }
}

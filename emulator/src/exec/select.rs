//! CMPMASK: comparisons that write it, selections that read it, its way to memory and back; selection with a scalar.

use isa::inst::*;
use isa::num;
use isa::types::Space;

use super::lanes::{Walk, Work};
use super::repeat::{Bytes, float_scalar};
use super::scalar::{ordered, relation};
use crate::core::Core;
use crate::fault::Stop;

type Done = Result<(), Stop>;

impl Core<'_> {
    /// Compares lanes; the bits of the last repeat stay.
    pub(super) fn compare_to_mask(&mut self, i: &Vcmp) -> Done {
        let (ty, size) = (i.ty, i.ty.bytes() as usize);
        let work = Work::new(self, i.rep, 256 / size)?;
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, size);
        let b = Walk::new("b", self.ub(i.b.at), i.st.b_blk, i.st.b_rep, size);
        self.check_read(&work, &a)?;
        self.check_read(&work, &b)?;
        let Some(last) = work.repeats.checked_sub(1) else {
            return Ok(());
        };
        let (mut x, mut y) = ([0; 256], [0; 256]);
        self.fetch(&work, &a, last, &mut x);
        self.fetch(&work, &b, last, &mut y);
        let bit = |lane: usize| {
            let holds = holds(
                ty,
                i.cond,
                lane_bits(&x, lane, size),
                lane_bits(&y, lane, size),
            );
            u128::from(holds) << lane
        };
        self.vector.cmpmask = (0..work.lanes).map(bit).sum::<u128>() & work.on(last);
        Ok(())
    }

    pub(super) fn load_cmpmask(&mut self, i: &Vsetcmp) -> Done {
        let at = self.ub(i.a.at);
        let at = self.memory(Space::Ub).aligned("a", at, 16, 32)?;
        self.reads("a", Space::Ub, at, 16, true)?;
        let mut bits = [0; 16];
        bits.copy_from_slice(&self.memory(Space::Ub).bytes[at..at + 16]);
        self.vector.cmpmask = u128::from_le_bytes(bits);
        Ok(())
    }

    pub(super) fn store_cmpmask(&mut self, i: &Vgetcmp) -> Done {
        let (at, bits) = (self.ub(i.dst.at), self.vector.cmpmask.to_le_bytes());
        self.write_ub("dst", at, &bits, 32)
    }

    /// Selects by CMPMASK between two sources.
    pub(super) fn select_by_cmpmask(&mut self, i: &Vselc) -> Done {
        let (size, st) = (i.ty.bytes() as usize, i.st);
        let a = Walk::new("a", self.ub(i.a.at), st.a_blk, st.a_rep, size);
        let b = Walk::new("b", self.ub(i.b.at), st.b_blk, st.b_rep, size);
        let d = Walk::new("dst", self.ub(i.dst.at), st.dst_blk, st.dst_rep, size);
        let bits = self.vector.cmpmask;
        self.each_mixed((256 / size, i.rep), d, [a, b], false, |out, [x, y]| {
            *out = *y;
            take(out, x, bits, size);
        })
    }

    /// Selects by bits in UB between a source and a scalar.
    pub(super) fn select_scalar(&mut self, i: &Vsels) -> Done {
        let (size, st) = (i.ty.bytes() as usize, i.st);
        let work = Work::new(self, i.rep, 256 / size)?;
        let a = Walk::new("a", self.ub(i.a.at), st.a_blk, st.a_rep, size);
        let d = Walk::new("dst", self.ub(i.dst.at), st.dst_blk, st.dst_rep, size);
        self.check_read(&work, &a)?;
        let step = work.lanes / 8;
        let chosen = self.mask_bits(&work, self.ub(i.mask.at), step)?;
        self.check_write(&work, &d)?;
        let scalar = self.context.reg(i.scalar.0).to_le_bytes();
        let (mut x, mut out) = ([0; 256], [0; 256]);
        for (repeat, bits) in chosen.into_iter().enumerate() {
            self.fetch(&work, &a, repeat, &mut x);
            for lane in out.chunks_exact_mut(size) {
                lane.copy_from_slice(&scalar[..size]);
            }
            take(&mut out, &x, bits, size);
            self.store_lanes(&work, &d, repeat, &out);
        }
        Ok(())
    }

    /// The mask bits of every repeat, `step` bytes apart; of each as many bytes as its lanes reach.
    pub(super) fn mask_bits(
        &mut self,
        work: &Work,
        base: u64,
        step: usize,
    ) -> Result<Vec<u128>, Stop> {
        self.memory(Space::Ub).aligned("mask", base, 0, 32)?;
        let mut all = Vec::new();
        for repeat in 0..work.repeats {
            let reach = (128 - work.on(repeat).leading_zeros() as usize).div_ceil(8);
            let at = base + (repeat * step) as u64;
            let at = self.memory(Space::Ub).inside("mask", at, reach as u64)?;
            self.reads("mask", Space::Ub, at, reach, true)?;
            let mut bits = [0; 16];
            bits[..reach].copy_from_slice(&self.memory(Space::Ub).bytes[at..at + reach]);
            all.push(u128::from_le_bytes(bits));
        }
        Ok(all)
    }

    /// Writes consecutive bytes of UB.
    pub(super) fn write_ub(
        &mut self,
        operand: &'static str,
        at: u64,
        bytes: &[u8],
        align: u64,
    ) -> Done {
        let at = self
            .memory(Space::Ub)
            .aligned(operand, at, bytes.len() as u64, align)?;
        self.writes(operand, Space::Ub, at, bytes.len())?;
        let ub = self.memory(Space::Ub);
        ub.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.holds_values(at, bytes.len());
        Ok(())
    }

    /// Reads consecutive bytes of UB that hold values.
    pub(super) fn read_ub(
        &mut self,
        operand: &'static str,
        at: u64,
        len: usize,
        align: u64,
    ) -> Result<Vec<u8>, Stop> {
        let at = self
            .memory(Space::Ub)
            .aligned(operand, at, len as u64, align)?;
        self.reads(operand, Space::Ub, at, len, true)?;
        Ok(self.memory(Space::Ub).bytes[at..at + len].to_vec())
    }
}

/// Copies the lanes whose bit is one.
fn take(out: &mut Bytes, from: &Bytes, bits: u128, size: usize) {
    for lane in (0..256 / size).filter(|lane| bits >> lane & 1 == 1) {
        let range = lane * size..(lane + 1) * size;
        out[range.clone()].copy_from_slice(&from[range]);
    }
}

/// The bits of a lane.
pub(super) fn lane_bits(bytes: &Bytes, lane: usize, size: usize) -> u32 {
    let mut word = [0; 4];
    word[..size].copy_from_slice(&bytes[lane * size..(lane + 1) * size]);
    u32::from_le_bytes(word)
}

fn holds(ty: VecTy, cond: Cond, a: u32, b: u32) -> bool {
    match ty {
        VecTy::F16 | VecTy::F32 => {
            num::cmp_f32(relation(cond), float_scalar(ty, a), float_scalar(ty, b))
        }
        VecTy::S16 => ordered(cond, &(a as i16), &(b as i16)),
        VecTy::S32 => ordered(cond, &(a as i32), &(b as i32)),
    }
}

//! Comparisons of lanes, which write a bit a lane.

use isa::inst::*;
use isa::num;
use isa::types::Space;

use super::lanes::{Walk, Work};
use super::repeat::{Bytes, float_scalar};
use super::scalar::{ordered, relation};
use crate::core::{Core, Halt};

type Done = Result<(), Halt>;

impl Core<'_> {
    /// Compares and writes bits; `holds(x, repeat)` gives those of one repeat.
    pub(super) fn compare(
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
}

/// The bits of the lanes for which a comparison holds.
pub(super) fn compare_lanes(ty: VecTy, cond: Cond, x: &Bytes, y: impl Fn(usize) -> u32) -> u128 {
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
            VecTy::S16 => ordered(cond, &(a as i16), &(b as i16)),
            VecTy::S32 => ordered(cond, &(a as i32), &(b as i32)),
        };
        bits |= u128::from(holds) << lane;
    }
    bits
}

pub(super) fn typed_bits(ty: VecTy, y: &Bytes, lane: usize) -> u32 {
    let size = ty.bytes() as usize;
    let mut word = [0; 4];
    word[..size].copy_from_slice(&y[lane * size..(lane + 1) * size]);
    u32::from_le_bytes(word)
}

//! Extremes of a repeat with their places.

use isa::inst::*;
use isa::num;

use super::lanes::{Walk, Work};
use super::repeat::{Bytes, float_scalar};
use super::select::lane_bits;
use crate::core::Core;
use crate::fault::Stop;

/// Operands of an extreme with its place.
#[derive(Copy, Clone)]
pub(super) struct Extreme {
    pub(super) order: IndexOrder,
    pub(super) ty: VecTy,
    pub(super) dst: Out<Ub>,
    pub(super) a: In<Ub>,
    pub(super) rep: Rep,
    pub(super) st: StRed,
}

impl Core<'_> {
    /// The largest lane of each repeat, or the smallest, with its number.
    pub(super) fn extreme(&mut self, o: Extreme, largest: bool) -> Result<(), Stop> {
        let size = o.ty.bytes() as usize;
        let work = Work::new(self, o.rep, 256 / size)?;
        let a = Walk::new("a", self.ub(o.a.at), o.st.a_blk, o.st.a_rep, size);
        self.check_read(&work, &a)?;
        let result = o.order.elements() as usize * size;
        let base = self.ub(o.dst.at);
        let mut x = [0; 256];
        for repeat in 0..work.repeats {
            self.fetch(&work, &a, repeat, &mut x);
            let Some((bits, place)) = find(o.ty, &x, work.on(repeat), largest) else {
                continue;
            };
            let (value, place) = (bits.to_le_bytes(), (place as u32).to_le_bytes());
            let (value, place) = (&value[..size], &place[..size]);
            let words = match o.order {
                IndexOrder::ValueIndex => [value, place].concat(),
                IndexOrder::IndexValue => [place, value].concat(),
                IndexOrder::Index => place.to_vec(),
            };
            let at = base + (repeat * usize::from(o.st.dst_rep) * result) as u64;
            self.write_ub("dst", at, &words, result as u64)?;
        }
        Ok(())
    }
}

/// Bits and number of the first extreme lane that is on; the first NaN if there is one.
fn find(ty: VecTy, x: &Bytes, on: u128, largest: bool) -> Option<(u32, usize)> {
    let size = ty.bytes() as usize;
    let mut best: Option<(i32, u32, usize)> = None;
    for lane in (0..256 / size).filter(|lane| on >> lane & 1 == 1) {
        let bits = lane_bits(x, lane, size);
        let value = float_scalar(ty, bits);
        if value.is_nan() {
            let nan = match ty {
                VecTy::F16 => u32::from(num::F16_NAN),
                VecTy::F32 | VecTy::S16 | VecTy::S32 => num::F32_NAN.to_bits(),
            };
            return Some((nan, lane));
        }
        let rank = match largest {
            true => rank(value),
            false => -1 - rank(value),
        };
        if best.is_none_or(|(highest, _, _)| rank > highest) {
            best = Some((rank, bits, lane));
        }
    }
    best.map(|(_, bits, lane)| (bits, lane))
}

/// Integers in the order of the values, -0 below +0; NaN is above all if it is canonical.
pub(super) fn rank(x: f32) -> i32 {
    let bits = x.to_bits() as i32;
    bits ^ (bits >> 31 & 0x7fff_ffff)
}

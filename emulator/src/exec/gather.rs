//! Gathers by byte offsets and compaction by patterns or masks.

use isa::inst::*;
use isa::types::Space;

use super::at_most;
use super::lanes::{Walk, Work};
use crate::core::Core;
use crate::fault::{FaultKind, Stop};

type Done = Result<(), Stop>;
/// Bytes of an offset.
const OFFSET: usize = 4;
const BLOCK: usize = 32;

impl Core<'_> {
    /// Gathers elements; every value is read before any is written.
    pub(super) fn gather(&mut self, i: &Vgather) -> Done {
        let size = moved(i.size)?;
        let work = Work::new(self, i.rep, 256 / size)?;
        let apart = (work.lanes * OFFSET / BLOCK) as u8;
        let offsets = Walk::new("offsets", self.ub(i.offsets.at), 1, apart, OFFSET);
        let d = Walk::new("dst", self.ub(i.dst.at), i.st.dst_blk, i.st.dst_rep, size);
        self.check_read(&work, &offsets)?;
        let src = self.ub(i.src.at);
        let mut gathered = Vec::with_capacity(work.repeats);
        for repeat in 0..work.repeats {
            let on = work.on(repeat);
            let mut out = [0; 256];
            for lane in (0..work.lanes).filter(|lane| on >> lane & 1 == 1) {
                let offset = self.offset(offsets.at, repeat * work.lanes + lane);
                let value = self.read_ub("src", src + offset, size, size as u64)?;
                out[lane * size..(lane + 1) * size].copy_from_slice(&value);
            }
            gathered.push(out);
        }
        self.check_write(&work, &d)?;
        for (repeat, out) in gathered.iter().enumerate() {
            self.store_lanes(&work, &d, repeat, out);
        }
        Ok(())
    }

    /// The n-th offset of a list that has been checked.
    fn offset(&self, list: usize, n: usize) -> u64 {
        let bytes = &self.memories[Space::Ub as usize].bytes;
        let words = bytes[list..].as_chunks::<OFFSET>().0;
        u64::from(u32::from_le_bytes(words[n]))
    }

    /// Gathers blocks.
    pub(super) fn gather_blocks(&mut self, i: &Vgatherb) -> Done {
        let rep = at_most("rep", i.rep.get(&self.context), 255, "at most 255 repeats")?;
        let (src, dst) = (self.ub(i.src.at), self.ub(i.dst.at));
        let list = self.ub(i.offsets.at);
        let offsets = self.read_ub("offsets", list, rep * 8 * OFFSET, 32)?;
        let mut blocks = Vec::with_capacity(rep * 8);
        for offset in offsets.as_chunks::<OFFSET>().0 {
            let at = src + u64::from(u32::from_le_bytes(*offset));
            blocks.push(self.read_ub("src", at, BLOCK, 32)?);
        }
        for (n, block) in blocks.iter().enumerate() {
            let step = n / 8 * usize::from(i.st.dst_rep) + n % 8 * usize::from(i.st.dst_blk);
            self.write_ub("dst", dst + (step * BLOCK) as u64, block, 32)?;
        }
        Ok(())
    }

    pub(super) fn compress_pattern(&mut self, i: &Vcompress) -> Done {
        let size = moved(i.size)?;
        let work = Work::new(self, i.rep, 256 / size)?;
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, size);
        let bits = vec![pattern(i.pattern.0); work.repeats.min(1)];
        let kept = (pattern(i.pattern.0) & work.all()).count_ones() as usize;
        let most = work.repeats * kept * size;
        self.compress(&work, &a, (self.ub(i.dst.at), most), &bits)
    }

    pub(super) fn compress_mask(&mut self, i: &Vcompressm) -> Done {
        let size = moved(i.size)?;
        let work = Work::new(self, i.rep, 256 / size)?;
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, size);
        let step = usize::from(i.st.mask_rep) * BLOCK;
        let bits = self.mask_bits(&work, self.ub(i.mask.at), step)?;
        let most = work.repeats * work.lanes * size;
        self.compress(&work, &a, (self.ub(i.dst.at), most), &bits)
    }

    /// Writes the lanes that are on and have their bit, side by side; one set of bits serves all repeats.
    fn compress(
        &mut self,
        work: &Work,
        a: &Walk,
        (dst, most): (u64, usize),
        bits: &[u128],
    ) -> Done {
        self.check_read(work, a)?;
        let (mut x, mut kept) = ([0; 256], Vec::new());
        let all_bits = bits.iter().chain(bits.last().into_iter().cycle());
        for (repeat, bits) in (0..work.repeats).zip(all_bits) {
            self.fetch(work, a, repeat, &mut x);
            let keep = bits & work.on(repeat);
            for lane in (0..work.lanes).filter(|lane| keep >> lane & 1 == 1) {
                kept.extend_from_slice(&x[lane * a.size..(lane + 1) * a.size]);
            }
        }
        self.vector.kept = self.leave((kept.len() / a.size) as u64);
        self.write_ub("dst", dst, &kept, 32)?;
        // The room it may take counts as used, whatever the values.
        self.memory(Space::Ub).touch(dst as usize + most);
        Ok(())
    }
}

/// Bytes of an element that may be moved.
fn moved(size: ElemSize) -> Result<usize, Stop> {
    match size {
        ElemSize::B16 | ElemSize::B32 => Ok(size.bytes() as usize),
        ElemSize::B8 => Err(Box::new(FaultKind::IllegalValue {
            operand: "size",
            value: 1,
            expected: "elements of 2 or 4 bytes",
        })),
    }
}

/// The lanes that a pattern keeps.
fn pattern(number: u64) -> u128 {
    const EACH: u128 = u128::MAX;
    match number {
        1 => EACH / 3,
        2 => (EACH / 3) << 1,
        3..=6 => (EACH / 15) << (number - 3),
        _ => EACH,
    }
}

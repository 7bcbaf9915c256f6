//! Transposition of a square, and of sixteen blocks that address registers name.

use isa::effects::address_list;
use isa::inst::*;

use super::at_most;
use crate::core::Core;
use crate::fault::Stop;

type Done = Result<(), Stop>;
const BLOCK: usize = 32;
const HALF: usize = BLOCK / 2;

impl Core<'_> {
    /// 16×16 elements of 16 bits.
    pub(super) fn transpose_square(&mut self, i: &Vtranspose) -> Done {
        let (dst, a) = (self.ub(i.dst.at), self.ub(i.a.at));
        let from = self.read_ub("a", a, 512, 32)?;
        let mut out = [0; 512];
        for (n, to) in out.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let source = 2 * (n % 16 * 16 + n / 16);
            to.copy_from_slice(&from[source..source + 2]);
        }
        self.write_ub("dst", dst, &out, 32)
    }

    /// Sixteen blocks into sixteen blocks, repeat by repeat.
    pub(super) fn transpose_blocks(&mut self, i: &Vnchwconv) -> Done {
        let rep = at_most("rep", i.rep.get(&self.context), 255, "at most 255 repeats")?;
        let limit = "a stride of at most 65535 blocks";
        let dst_rep = at_most("dst_rep", i.dst_rep.get(&self.context), 65_535, limit)?;
        let src_rep = at_most("src_rep", i.src_rep.get(&self.context), 65_535, limit)?;
        at_most("dst", i.dst.0, 6, "a register with one behind it")?;
        at_most("src", i.src.0, 6, "a register with one behind it")?;
        let targets = address_list(i.dst.0, &self.context);
        let sources = address_list(i.src.0, &self.context);
        for repeat in 0..rep {
            let step = |stride: usize| (repeat * stride * BLOCK) as u64;
            let (skip, len) = part(i.size, i.src_half);
            let mut from = [[0; BLOCK]; 16];
            for (block, at) in from.iter_mut().zip(sources) {
                let bytes = self.read_ub("src", at + step(src_rep) + skip, len, 16)?;
                block[..len].copy_from_slice(&bytes);
            }
            let out = transposed(i.size, &from);
            let (skip, len) = part(i.size, i.dst_half);
            for (block, at) in out.iter().zip(targets) {
                self.write_ub("dst", at + step(dst_rep) + skip, &block[..len], 16)?;
            }
        }
        Ok(())
    }
}

/// Where in a block the bytes begin, and how many there are.
const fn part(size: ElemSize, half: Half) -> (u64, usize) {
    match (size, half) {
        (ElemSize::B8, Half::Low) => (0, HALF),
        (ElemSize::B8, Half::High) => (HALF as u64, HALF),
        (ElemSize::B16 | ElemSize::B32, Half::Low | Half::High) => (0, BLOCK),
    }
}

fn transposed(size: ElemSize, from: &[[u8; BLOCK]; 16]) -> [[u8; BLOCK]; 16] {
    let bytes = size.bytes() as usize;
    let mut out = [[0; BLOCK]; 16];
    for (block, to) in out.iter_mut().enumerate() {
        let elements = match size {
            ElemSize::B8 | ElemSize::B16 => 16,
            ElemSize::B32 => 8,
        };
        for k in 0..elements {
            let (source, element) = match size {
                ElemSize::B8 | ElemSize::B16 => (k, block),
                ElemSize::B32 => (k + block % 2 * 8, block / 2),
            };
            let piece = &from[source][element * bytes..(element + 1) * bytes];
            to[k * bytes..(k + 1) * bytes].copy_from_slice(piece);
        }
    }
    out
}

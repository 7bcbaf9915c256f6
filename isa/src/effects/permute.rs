//! Effects of `vmrg4` and `vnchwconv`, whose registers say where their operands lie.

use super::{Collector, Place, Steps};
use crate::inst::{Dir, ElemSize, Half, Inst, Regs, Vmrg4, Vnchwconv};
use crate::types::{BLOCK_BYTES, Space};

/// Bytes of a score and its index.
const PAIR: u64 = 8;

/// Adds the accesses of an instruction; false if it is another.
pub(super) fn collect<R: Regs + ?Sized>(inst: &Inst, to: &mut Collector<'_, R>) -> bool {
    if let Inst::Vmrg4(i) = inst {
        merge(i, to);
        return true;
    }
    if let Inst::Vnchwconv(i) = inst {
        transpose(i, to);
        return true;
    }
    false
}

/// Pairs of each of the four lists of a merge.
pub fn merged_pairs(i: &Vmrg4, regs: &(impl Regs + ?Sized)) -> [u64; 4] {
    let lengths = regs.reg(i.lengths.0);
    [0, 16, 32, 48].map(|shift| lengths >> shift & 0xffff)
}

/// Whole lists are read and written, although a merge that ends with the first list may stop earlier.
fn merge<R: Regs + ?Sized>(i: &Vmrg4, to: &mut Collector<'_, R>) {
    let lengths = merged_pairs(i, to.regs);
    let all = lengths.iter().sum::<u64>() * PAIR;
    let repeats = Steps::new(i.rep.get(to.regs), all);
    let place = |operand, dir, base| Place {
        operand,
        space: Space::Ub,
        dir,
        base,
    };
    let dst = i.dst.at.get(to.regs);
    to.rows(place("dst", Dir::Out, dst), all, repeats);
    let lists = [("a", i.a), ("b", i.b), ("c", i.c), ("d", i.d)];
    for ((name, list), pairs) in lists.into_iter().zip(lengths) {
        let base = list.at.get(to.regs);
        to.rows(place(name, Dir::In, base), pairs * PAIR, repeats);
    }
}

/// The sixteen addresses of a vector address register and the one after it, in bytes.
pub fn address_list(first: u64, regs: &(impl Regs + ?Sized)) -> [u64; 16] {
    let registers = [regs.va(first & 7), regs.va((first + 1) & 7)];
    std::array::from_fn(|n| {
        let number = registers[n / 8] >> (16 * (n % 8)) & 0xffff;
        number as u64 * BLOCK_BYTES
    })
}

fn transpose<R: Regs + ?Sized>(i: &Vnchwconv, to: &mut Collector<'_, R>) {
    let rep = i.rep.get(to.regs);
    let sides = [
        ("dst", Dir::Out, i.dst.0, i.dst_half, i.dst_rep),
        ("src", Dir::In, i.src.0, i.src_half, i.src_rep),
    ];
    for (operand, dir, first, half, stride) in sides {
        let (skip, len) = match (i.size, half) {
            (ElemSize::B8, Half::High) => (BLOCK_BYTES / 2, BLOCK_BYTES / 2),
            (ElemSize::B8, Half::Low) => (0, BLOCK_BYTES / 2),
            (ElemSize::B16 | ElemSize::B32, _) => (0, BLOCK_BYTES),
        };
        let step = stride.get(to.regs).saturating_mul(BLOCK_BYTES);
        for at in address_list(first, to.regs) {
            let place = Place {
                operand,
                space: Space::Ub,
                dir,
                base: at + skip,
            };
            to.rows(place, len, Steps::new(rep, step));
        }
    }
}

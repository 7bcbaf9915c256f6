//! Walks of what moves elements about: extremes with their places, gathers, compaction, sorting, transposition.
//!
//! `vmrg4` and `vnchwconv` are not here: registers say where their operands lie and how long they are.

use super::{BLOCK, VecForm, Walk, lanes, operand};
use crate::inst::*;
use smallvec::smallvec;

/// Bytes of a score and its index.
const PAIR: u64 = 8;
/// Scores that are sorted together.
const SORTED: u64 = 32;

pub(super) fn form(inst: &Inst) -> Option<VecForm> {
    if let Inst::Vcmaxi(Vcmaxi {
        order,
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vcmini(Vcmini {
        order,
        ty,
        dst,
        a,
        rep,
        st,
    }) = *inst
    {
        let elem = order.elements() * ty.bytes();
        let out = Walk::Results {
            elem,
            group: ty.lanes(),
            rep: u64::from(st.dst_rep) * elem,
        };
        let operands = smallvec![
            operand("dst", Dir::Out, dst.at, out),
            operand("a", Dir::In, a.at, lanes(ty.bytes(), st.a_blk, st.a_rep)),
        ];
        return Some(super::form(ty, rep, operands));
    }
    gathering(inst)
        .or_else(|| compacting(inst))
        .or_else(|| whole(inst))
}

fn gathering(inst: &Inst) -> Option<VecForm> {
    if let Inst::Vgather(i) = *inst {
        let ty = moved(i.size);
        let offsets = Walk::Lanes {
            elem: 4,
            blk: BLOCK,
            rep: 4 * ty.lanes(),
        };
        let dst = lanes(ty.bytes(), i.st.dst_blk, i.st.dst_rep);
        let operands = smallvec![
            operand("dst", Dir::Out, i.dst.at, dst),
            operand("offsets", Dir::In, i.offsets.at, offsets),
            operand("src", Dir::In, i.src.at, Walk::Anywhere),
        ];
        return Some(super::form(ty, i.rep, operands));
    }
    if let Inst::Vgatherb(i) = *inst {
        let dst = Walk::Blocks {
            blk: u64::from(i.st.dst_blk) * BLOCK,
            rep: u64::from(i.st.dst_rep) * BLOCK,
        };
        let operands = smallvec![
            operand("dst", Dir::Out, i.dst.at, dst),
            operand("offsets", Dir::In, i.offsets.at, run(BLOCK)),
            operand("src", Dir::In, i.src.at, Walk::Anywhere),
        ];
        return Some(VecForm {
            masked: false,
            ..super::form(VecTy::S32, i.rep, operands)
        });
    }
    None
}

fn compacting(inst: &Inst) -> Option<VecForm> {
    if let Inst::Vcompress(i) = *inst {
        let ty = moved(i.size);
        let kept = ty.lanes() / one_in(i.pattern.0);
        let operands = smallvec![
            operand("dst", Dir::Out, i.dst.at, run(kept * ty.bytes())),
            operand(
                "a",
                Dir::In,
                i.a.at,
                lanes(ty.bytes(), i.st.a_blk, i.st.a_rep)
            ),
        ];
        return Some(super::form(ty, i.rep, operands));
    }
    if let Inst::Vcompressm(i) = *inst {
        let ty = moved(i.size);
        let bits = Walk::BitRows {
            rep: u64::from(i.st.mask_rep) * BLOCK,
        };
        let operands = smallvec![
            operand("dst", Dir::Out, i.dst.at, run(ty.lanes() * ty.bytes())),
            operand(
                "a",
                Dir::In,
                i.a.at,
                lanes(ty.bytes(), i.st.a_blk, i.st.a_rep)
            ),
            operand("mask", Dir::In, i.mask.at, bits),
        ];
        return Some(super::form(ty, i.rep, operands));
    }
    None
}

/// What no mask affects.
fn whole(inst: &Inst) -> Option<VecForm> {
    let (ty, rep, operands) = if let Inst::Vsort32(i) = *inst {
        let operands = smallvec![
            operand("dst", Dir::Out, i.dst.at, run(SORTED * PAIR)),
            operand("a", Dir::In, i.a.at, run(SORTED * i.ty.bytes())),
            operand("index", Dir::In, i.index.at, run(SORTED * 4)),
        ];
        (i.ty, i.rep, operands)
    } else if let Inst::Vtranspose(i) = *inst {
        let operands = smallvec![
            operand("dst", Dir::Out, i.dst.at, run(512)),
            operand("a", Dir::In, i.a.at, run(512)),
        ];
        (VecTy::S16, Val::Imm(1), operands)
    } else {
        return None;
    };
    Some(VecForm {
        masked: false,
        ..super::form(ty, rep, operands)
    })
}

/// Consecutive bytes, repeats side by side.
const fn run(bytes: u64) -> Walk {
    Walk::Run { bytes, rep: bytes }
}

/// One in how many lanes a pattern keeps.
const fn one_in(pattern: u64) -> u64 {
    match pattern {
        1 | 2 => 2,
        3..=6 => 4,
        _ => 1,
    }
}

/// The lane type of elements that are only moved.
const fn moved(size: ElemSize) -> VecTy {
    match size {
        ElemSize::B8 | ElemSize::B16 => VecTy::S16,
        ElemSize::B32 => VecTy::S32,
    }
}

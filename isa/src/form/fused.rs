//! Walks of the fused operations, and of those whose operands differ in type.

use super::{VecForm, VecOperand, Walk, form2, form3, lanes, operand};
use crate::inst::*;
use smallvec::{SmallVec, smallvec};

/// Several operations in one, conversions of another width, comparisons to CMPMASK, the other selections.
pub(super) fn form(inst: &Inst) -> Option<VecForm> {
    accumulating(inst)
        .or_else(|| converting(inst))
        .or_else(|| masks(inst))
}

fn accumulating(inst: &Inst) -> Option<VecForm> {
    if let Inst::Vmadd(Vmadd {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    })
    | Inst::Vmaddrelu(Vmaddrelu {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    }) = *inst
    {
        return Some(form3(ty, (Dir::InOut, dst.at), a, b, rep, st));
    }
    if let Inst::Vaddrelu(Vaddrelu {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    })
    | Inst::Vsubrelu(Vsubrelu {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    }) = *inst
    {
        return Some(form3(ty, (Dir::Out, dst.at), a, b, rep, st));
    }
    if let Inst::Vmla(i) = *inst {
        let sizes = (i.ty.dst_bytes(), i.ty.src_bytes());
        return Some(mixed3((Dir::InOut, i.dst.at), i.a, i.b, i.rep, i.st, sizes));
    }
    if let Inst::Vaxpy(i) = *inst {
        let sizes = (i.ty.dst_bytes(), i.ty.src_bytes());
        return Some(mixed2((Dir::InOut, i.dst.at), i.a, i.rep, i.st, sizes));
    }
    None
}

fn converting(inst: &Inst) -> Option<VecForm> {
    if let Inst::Vmulconv(Vmulconv {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    })
    | Inst::Vaddreluconv(Vaddreluconv {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    })
    | Inst::Vsubreluconv(Vsubreluconv {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    }) = *inst
    {
        let sizes = (ty.dst().bytes(), ty.src().bytes());
        return Some(mixed3((Dir::Out, dst.at), a, b, rep, st, sizes));
    }
    if let Inst::Vdeq(i) = *inst {
        let sizes = (i.ty.dst_bytes(), i.ty.src_bytes());
        return Some(mixed2((Dir::Out, i.dst.at), i.a, i.rep, i.st, sizes));
    }
    if let Inst::VconvS4(i) = *inst {
        let pairs = Walk::Results {
            elem: 1,
            group: 2,
            rep: u64::from(i.st.dst_rep),
        };
        let operands = smallvec![
            operand("dst", Dir::Out, i.dst.at, pairs),
            operand("a", Dir::In, i.a.at, lanes(2, i.st.a_blk, i.st.a_rep)),
        ];
        return Some(wide(2, i.rep, operands));
    }
    None
}

fn masks(inst: &Inst) -> Option<VecForm> {
    if let Inst::Vcmp(i) = *inst {
        let (elem, st) = (i.ty.bytes(), i.st);
        let operands = smallvec![
            operand("a", Dir::In, i.a.at, lanes(elem, st.a_blk, st.a_rep)),
            operand("b", Dir::In, i.b.at, lanes(elem, st.b_blk, st.b_rep)),
        ];
        return Some(super::form(i.ty, i.rep, operands));
    }
    if let Inst::Vsetcmp(i) = *inst {
        return Some(cmpmask("a", Dir::In, i.a.at));
    }
    if let Inst::Vgetcmp(i) = *inst {
        return Some(cmpmask("dst", Dir::Out, i.dst.at));
    }
    if let Inst::Vselc(i) = *inst {
        return Some(form3(i.ty, (Dir::Out, i.dst.at), i.a, i.b, i.rep, i.st));
    }
    if let Inst::Vsels(i) = *inst {
        let mut form = form2(i.ty, (Dir::Out, i.dst.at), i.a, i.rep, i.st);
        form.operands
            .insert(1, operand("mask", Dir::In, i.mask.at, Walk::Bits));
        return Some(form);
    }
    None
}

/// The 16 bytes that CMPMASK comes from or goes to.
fn cmpmask(name: &'static str, dir: Dir, at: Addr) -> VecForm {
    let bytes = Walk::Run { bytes: 16, rep: 16 };
    VecForm {
        masked: false,
        ..wide(2, Val::Imm(1), smallvec![operand(name, dir, at, bytes)])
    }
}

/// A form whose widest lane has that many bytes.
fn wide(lane_bytes: u64, rep: Rep, operands: SmallVec<[VecOperand; 4]>) -> VecForm {
    VecForm {
        lanes: crate::types::REPEAT_BYTES / lane_bytes,
        lane_bytes,
        rep,
        masked: true,
        operands,
    }
}

/// Two sources of one type and a destination of another; `sizes` are the bytes of their lanes, the destination's first.
fn mixed3(dst: (Dir, Addr), a: In<Ub>, b: In<Ub>, rep: Rep, st: St3, sizes: (u64, u64)) -> VecForm {
    let (to, from) = sizes;
    let operands = smallvec![
        operand("dst", dst.0, dst.1, lanes(to, st.dst_blk, st.dst_rep)),
        operand("a", Dir::In, a.at, lanes(from, st.a_blk, st.a_rep)),
        operand("b", Dir::In, b.at, lanes(from, st.b_blk, st.b_rep)),
    ];
    wide(to.max(from), rep, operands)
}

/// As [`mixed3`] with one source.
fn mixed2(dst: (Dir, Addr), a: In<Ub>, rep: Rep, st: St2, sizes: (u64, u64)) -> VecForm {
    let (to, from) = sizes;
    let operands = smallvec![
        operand("dst", dst.0, dst.1, lanes(to, st.dst_blk, st.dst_rep)),
        operand("a", Dir::In, a.at, lanes(from, st.a_blk, st.a_rep)),
    ];
    wide(to.max(from), rep, operands)
}

//! Vector instructions in one shape: how each operand walks through UB.
//!
//! Effects, costs and legality read this instead of two dozen rows. A *repeat* is up to 256 B of lanes; an operand takes
//! its piece of each repeat from places that its [`Walk`] names. Knows no values of lanes.

mod fused;
mod permute;

use crate::inst::*;
use smallvec::{SmallVec, smallvec};

/// One vector instruction, reduced to its walks.
#[derive(Clone, Debug, PartialEq)]
pub struct VecForm {
    /// Lanes of a repeat.
    pub lanes: u64,
    /// Bytes of the widest lane: 2, 4 or 8.
    pub lane_bytes: u64,
    /// Repeat operand.
    pub rep: Rep,
    /// Whether mask and count mode apply.
    pub masked: bool,
    /// Operands in row order.
    pub operands: SmallVec<[VecOperand; 4]>,
}

/// One operand of a vector instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VecOperand {
    /// Name in the row.
    pub name: &'static str,
    /// Read, written or both.
    pub dir: Dir,
    /// Where the first repeat starts.
    pub at: Addr,
    /// How it goes on.
    pub walk: Walk,
}

/// How an operand walks through UB; steps in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Lanes of `elem` bytes in blocks of 32 B, `blk` apart; repeats `rep` apart. The mask applies.
    Lanes {
        /// Bytes of a lane.
        elem: u64,
        /// From one block to the next.
        blk: u64,
        /// From one repeat to the next.
        rep: u64,
    },
    /// One bit a lane, repeats side by side.
    Bits,
    /// One bit a lane, repeats `rep` apart.
    BitRows {
        /// From one repeat to the next.
        rep: u64,
    },
    /// Places that values in memory name, from the operand's address on.
    Anywhere,
    /// `bytes` consecutive bytes a repeat, repeats `rep` apart.
    Run {
        /// Bytes of a repeat.
        bytes: u64,
        /// From one repeat to the next.
        rep: u64,
    },
    /// One element of `elem` bytes for each `group` lanes, side by side; repeats `rep` apart. A result exists if one of its
    /// lanes is on.
    Results {
        /// Bytes of a result.
        elem: u64,
        /// Lanes of a result.
        group: u64,
        /// From one repeat to the next.
        rep: u64,
    },
    /// Eight whole blocks a repeat, `blk` apart; repeats `rep` apart.
    Blocks {
        /// From one block to the next.
        blk: u64,
        /// From one repeat to the next.
        rep: u64,
    },
}

impl VecForm {
    /// How many repeats are processed under the mask or count in force.
    pub fn repeats(&self, regs: &(impl Regs + ?Sized)) -> u64 {
        match regs.lanes() {
            Lanes::Count(count) if self.masked => count.div_ceil(self.lanes),
            Lanes::Count(_) | Lanes::Mask(_, _) => self.rep.get(regs),
        }
    }

    /// The shape of an instruction of the vector unit; `None` for other units and for `mov_ub_ub`.
    pub fn of(inst: &Inst) -> Option<VecForm> {
        binary(inst)
            .or_else(|| unary(inst))
            .or_else(|| special(inst))
            .or_else(|| reduction(inst))
            .or_else(|| fused::form(inst))
            .or_else(|| permute::form(inst))
    }
}

const BLOCK: u64 = crate::types::BLOCK_BYTES;

fn lanes(elem: u64, blk: u8, rep: u8) -> Walk {
    Walk::Lanes {
        elem,
        blk: u64::from(blk) * BLOCK,
        rep: u64::from(rep) * BLOCK,
    }
}

fn operand(name: &'static str, dir: Dir, at: Addr, walk: Walk) -> VecOperand {
    VecOperand {
        name,
        dir,
        at,
        walk,
    }
}

fn form(ty: VecTy, rep: Rep, operands: SmallVec<[VecOperand; 4]>) -> VecForm {
    VecForm {
        lanes: ty.lanes(),
        lane_bytes: ty.bytes(),
        rep,
        masked: true,
        operands,
    }
}

fn form3(ty: VecTy, dst: (Dir, Addr), a: In<Ub>, b: In<Ub>, rep: Rep, st: St3) -> VecForm {
    let elem = ty.bytes();
    let operands = smallvec![
        operand("dst", dst.0, dst.1, lanes(elem, st.dst_blk, st.dst_rep)),
        operand("a", Dir::In, a.at, lanes(elem, st.a_blk, st.a_rep)),
        operand("b", Dir::In, b.at, lanes(elem, st.b_blk, st.b_rep)),
    ];
    form(ty, rep, operands)
}

fn form2(ty: VecTy, dst: (Dir, Addr), a: In<Ub>, rep: Rep, st: St2) -> VecForm {
    let elem = ty.bytes();
    let operands = smallvec![
        operand("dst", dst.0, dst.1, lanes(elem, st.dst_blk, st.dst_rep)),
        operand("a", Dir::In, a.at, lanes(elem, st.a_blk, st.a_rep)),
    ];
    form(ty, rep, operands)
}

/// Two sources, lane by lane.
fn binary(inst: &Inst) -> Option<VecForm> {
    if let Inst::Vadd(Vadd {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    })
    | Inst::Vsub(Vsub {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    })
    | Inst::Vmul(Vmul {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    })
    | Inst::Vdiv(Vdiv {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    })
    | Inst::Vmax(Vmax {
        ty,
        dst,
        a,
        b,
        rep,
        st,
    })
    | Inst::Vmin(Vmin {
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
    if let Inst::Vand(Vand { dst, a, b, rep, st }) | Inst::Vor(Vor { dst, a, b, rep, st }) = *inst {
        return Some(form3(VecTy::S16, (Dir::Out, dst.at), a, b, rep, st));
    }
    None
}

/// One source, lane by lane.
fn unary(inst: &Inst) -> Option<VecForm> {
    if let Inst::Vrelu(Vrelu {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vabs(Vabs {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vexp(Vexp {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vln(Vln {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vsqrt(Vsqrt {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vrsqrt(Vrsqrt {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vrec(Vrec {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vcopy(Vcopy {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vadds(Vadds {
        ty,
        dst,
        a,
        rep,
        st,
        ..
    })
    | Inst::Vmuls(Vmuls {
        ty,
        dst,
        a,
        rep,
        st,
        ..
    })
    | Inst::Vmaxs(Vmaxs {
        ty,
        dst,
        a,
        rep,
        st,
        ..
    })
    | Inst::Vmins(Vmins {
        ty,
        dst,
        a,
        rep,
        st,
        ..
    })
    | Inst::Vlrelu(Vlrelu {
        ty,
        dst,
        a,
        rep,
        st,
        ..
    }) = *inst
    {
        return Some(form2(ty, (Dir::Out, dst.at), a, rep, st));
    }
    if let Inst::Vshl(Vshl {
        ty,
        dst,
        a,
        rep,
        st,
        ..
    })
    | Inst::Vshr(Vshr {
        ty,
        dst,
        a,
        rep,
        st,
        ..
    }) = *inst
    {
        return Some(form2(ty.lane(), (Dir::Out, dst.at), a, rep, st));
    }
    if let Inst::Vnot(Vnot { dst, a, rep, st }) = *inst {
        return Some(form2(VecTy::S16, (Dir::Out, dst.at), a, rep, st));
    }
    None
}

/// Conversions, comparisons, selection and the makers of values.
fn special(inst: &Inst) -> Option<VecForm> {
    if let Inst::Vconv(i) = *inst {
        return Some(conversion(&i));
    }
    if let Inst::Vcmpv(Vcmpv {
        ty,
        dst,
        a,
        b,
        rep,
        st,
        ..
    }) = *inst
    {
        let mut form = form3(ty, (Dir::Out, dst.at), a, b, rep, st);
        form.operands[0].walk = Walk::Bits;
        return Some(form);
    }
    if let Inst::Vcmpvs(Vcmpvs {
        ty,
        dst,
        a,
        rep,
        st,
        ..
    }) = *inst
    {
        let mut form = form2(ty, (Dir::Out, dst.at), a, rep, st);
        form.operands[0].walk = Walk::Bits;
        return Some(form);
    }
    if let Inst::Vsel(Vsel {
        ty,
        dst,
        mask,
        a,
        b,
        rep,
        st,
    }) = *inst
    {
        let mut form = form3(ty, (Dir::Out, dst.at), a, b, rep, st.0);
        form.operands
            .insert(1, operand("mask", Dir::In, mask.at, Walk::Bits));
        return Some(form);
    }
    if let Inst::Vdup(Vdup {
        ty, dst, rep, st, ..
    })
    | Inst::Viota(Viota {
        ty, dst, rep, st, ..
    }) = *inst
    {
        let walk = lanes(ty.bytes(), st.dst_blk, st.dst_rep);
        return Some(form(
            ty,
            rep,
            smallvec![operand("dst", Dir::Out, dst.at, walk)],
        ));
    }
    if let Inst::Vbrcb(i) = *inst {
        return Some(broadcast(&i));
    }
    None
}

fn conversion(i: &Vconv) -> VecForm {
    let (src, dst) = (i.kind.src.bytes(), i.kind.dst.bytes());
    VecForm {
        lanes: i.kind.lanes(),
        lane_bytes: src.max(dst),
        rep: i.rep,
        masked: true,
        operands: smallvec![
            operand(
                "dst",
                Dir::Out,
                i.dst.at,
                lanes(dst, i.st.dst_blk, i.st.dst_rep)
            ),
            operand("a", Dir::In, i.a.at, lanes(src, i.st.a_blk, i.st.a_rep)),
        ],
    }
}

fn broadcast(i: &Vbrcb) -> VecForm {
    let dst = Walk::Blocks {
        blk: u64::from(i.st.dst_blk) * BLOCK,
        rep: u64::from(i.st.dst_rep) * BLOCK,
    };
    let src = Walk::Run {
        bytes: 8 * i.ty.bytes(),
        rep: 8 * i.ty.bytes(),
    };
    let operands = smallvec![
        operand("dst", Dir::Out, i.dst.at, dst),
        operand("a", Dir::In, i.a.at, src)
    ];
    VecForm {
        masked: false,
        ..form(i.ty, i.rep, operands)
    }
}

/// Reductions: one result for all lanes, for each block, or for each pair.
fn reduction(inst: &Inst) -> Option<VecForm> {
    if let Inst::Vcadd(Vcadd {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vcmax(Vcmax {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vcmin(Vcmin {
        ty,
        dst,
        a,
        rep,
        st,
    }) = *inst
    {
        return Some(reduce(ty, dst, a, rep, st, ty.lanes()));
    }
    if let Inst::Vcgadd(Vcgadd {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vcgmax(Vcgmax {
        ty,
        dst,
        a,
        rep,
        st,
    })
    | Inst::Vcgmin(Vcgmin {
        ty,
        dst,
        a,
        rep,
        st,
    }) = *inst
    {
        return Some(reduce(ty, dst, a, rep, st, BLOCK / ty.bytes()));
    }
    if let Inst::Vcpadd(Vcpadd {
        ty,
        dst,
        a,
        rep,
        st,
    }) = *inst
    {
        return Some(reduce(ty, dst, a, rep, st, 2));
    }
    None
}

fn reduce(ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed, group: u64) -> VecForm {
    let elem = ty.bytes();
    let out = Walk::Results {
        elem,
        group,
        rep: u64::from(st.dst_rep) * elem,
    };
    let operands = smallvec![
        operand("dst", Dir::Out, dst.at, out),
        operand("a", Dir::In, a.at, lanes(elem, st.a_blk, st.a_rep)),
    ];
    form(ty, rep, operands)
}

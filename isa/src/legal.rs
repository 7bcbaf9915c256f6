//! Legality of an instruction on a chip: types, limits, alignment, bounds (davinci-facts §7.3, §3, §1.2).
//!
//! [`check`] knows the word alone and judges what is immediate; [`check_values`] knows the registers too and judges
//! everything. Both run the same rules. What depends on history (flags, initialised bytes, tensors in global memory) is
//! the emulator's and the verifier's business.

mod vector;

use crate::chip::Chip;
use crate::effects::{ScalarAccess, block_copy, filled};
use crate::form::{VecForm, Walk};
use crate::img2col::Img2col;
use crate::inst::*;
use crate::nd2nz::Nd2nz;
use crate::object::Object;
use crate::types::{BLOCK_BYTES, CoreKind, Space};
use std::fmt;

/// What an instruction breaks, and with which operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegalError {
    /// Name of the operand in the row; empty if it is the instruction itself.
    pub operand: &'static str,
    /// The rule.
    pub rule: Rule,
}

/// The rules an instruction can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The instruction does not have this type.
    Type,
    /// The value is above its limit.
    Limit {
        /// The value.
        value: u64,
        /// The largest allowed.
        max: u64,
    },
    /// The address is not a multiple of its alignment.
    Misaligned {
        /// The address.
        at: u64,
        /// What it must be a multiple of.
        align: u64,
    },
    /// The instruction reaches beyond the end of a memory.
    OutOfSpace {
        /// The memory.
        space: Space,
        /// Byte after the last that is touched.
        end: u64,
        /// Bytes of the memory.
        size: u64,
    },
    /// A flag goes from one pipe to another, and only `bar` names all of them.
    Pipe,
    /// The fixpipe mode does not take what L0C holds.
    Source,
    /// The special register cannot be written.
    ReadOnly,
    /// A field of a packed register has a value that the instruction does not take.
    Field {
        /// The value.
        value: u64,
        /// What it must be.
        expected: &'static str,
    },
    /// This kind of core does not have the instruction, or a pipe that it names.
    Core(CoreKind),
}

impl fmt::Display for LegalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.operand.is_empty() {
            write!(f, "operand `{}`: ", self.operand)?;
        }
        match self.rule {
            Rule::Type => f.write_str("the instruction does not have this type"),
            Rule::Limit { value, max } => write!(f, "{value} is above the limit of {max}"),
            Rule::Misaligned { at, align } => {
                write!(f, "address {at:#x} is not a multiple of {align}")
            }
            Rule::OutOfSpace { space, end, size } => {
                write!(f, "reaches {end:#x}, but {space} ends at {size:#x}")
            }
            Rule::Pipe => f.write_str(
                "a flag goes from one pipe to another, and only `bar` names all of them",
            ),
            Rule::Source => f.write_str("the mode does not take what L0C holds"),
            Rule::Field { value, expected } => {
                write!(f, "a field holds {value}, and must hold {expected}")
            }
            Rule::ReadOnly => f.write_str("the special register cannot be written"),
            Rule::Core(core) => write!(f, "a {} core has nothing of this name", core.name()),
        }
    }
}

impl std::error::Error for LegalError {}

type Checked = Result<(), LegalError>;

/// Judges an instruction by its immediates.
pub fn check(inst: &Inst, chip: &Chip) -> Checked {
    rules(inst, Known(None), chip)
}

/// Judges an instruction with the registers as they are when it is issued.
pub fn check_values(inst: &Inst, regs: &dyn Regs, chip: &Chip) -> Checked {
    rules(inst, Known(Some(regs)), chip)
}

/// Judges an instruction by the kind of core it is for.
pub fn check_core(inst: &Inst, core: CoreKind) -> Checked {
    if !info(inst.opcode()).runs_on(core) {
        return fail("", Rule::Core(core));
    }
    let absent = |pipe: PipeOp| pipe.pipe().is_some_and(|pipe| !has_pipe(core, pipe));
    let mut named: [Option<(&'static str, PipeOp)>; 2] = [None; 2];
    if let Inst::SetFlag(SetFlag { src, dst, .. }) | Inst::WaitFlag(WaitFlag { src, dst, .. }) =
        *inst
    {
        named = [Some(("src", src)), Some(("dst", dst))];
    } else if let Inst::Bar(Bar { pipe })
    | Inst::Xset(Xset { pipe, .. })
    | Inst::Xwait(Xwait { pipe, .. }) = *inst
    {
        named[0] = Some(("pipe", pipe));
    }
    match named.iter().flatten().find(|(_, pipe)| absent(*pipe)) {
        Some((operand, _)) => fail(operand, Rule::Core(core)),
        None => Ok(()),
    }
}

/// Judges every instruction of an object by its immediates and its core; with the index of each that is refused.
pub fn check_object(object: &Object, chip: &Chip) -> Vec<(CoreKind, usize, LegalError)> {
    let mut refused = Vec::new();
    for core in [CoreKind::Cube, CoreKind::Vector] {
        for (pc, inst) in object.code(core).iter().enumerate() {
            let judged = check_core(inst, core).and_then(|()| check(inst, chip));
            refused.extend(judged.err().map(|error| (core, pc, error)));
        }
    }
    refused
}

/// Register values, or nothing.
#[derive(Clone, Copy)]
struct Known<'a>(Option<&'a dyn Regs>);

impl Known<'_> {
    fn val<const N: u32>(self, value: Val<N>) -> Option<u64> {
        match value {
            Val::Imm(value) => Some(u64::from(value)),
            Val::Reg(reg) => self.0.map(|regs| regs.reg(reg)),
        }
    }

    fn addr(self, at: Addr) -> Option<u64> {
        match at {
            Addr::Imm(at) => Some(u64::from(at)),
            Addr::Reg(reg) => self.0.map(|regs| regs.reg(reg)),
        }
    }

    fn at_most<const N: u32>(self, operand: &'static str, value: Val<N>, max: u64) -> Checked {
        match self.val(value) {
            Some(value) if value > max => fail(operand, Rule::Limit { value, max }),
            Some(_) | None => Ok(()),
        }
    }
}

fn fail(operand: &'static str, rule: Rule) -> Checked {
    Err(LegalError { operand, rule })
}

/// Most bursts of a copy (facts §3.5).
const MAX_BURSTS: u64 = 4095;
/// Longest burst and gap in blocks (facts §3.5).
const MAX_BLOCKS: u64 = 65_535;
/// Longest burst of a `movpad` copy in bytes (facts §3.5).
const MAX_PAD_BYTES: u64 = 2_097_151;
/// Largest extents of `mmad` (facts §3.3).
const MAX_MMAD: u64 = 4095;
/// Most repeats (facts §3.7, §3.4).
const MAX_REPEATS: u64 = 255;
/// Most rows and row strides of `nd2nz` (facts §3.5).
const MAX_ND_ROWS: u64 = 16_384;
/// Most rows of a fixpipe drain to plain rows (facts §3.6).
const MAX_FIX_ROWS: u64 = 8192;
/// Most runs, and longest run and gap, of a fill (we choose: the field of 15 bits).
const MAX_FILL: u64 = 32_767;
/// Last flag of a pair of pipes (facts §2.2).
const MAX_FLAG: u64 = 7;
/// Last cross-core counter that software may use (facts §2.3).
const MAX_CROSS_FLAG: u64 = 10;

fn rules(inst: &Inst, known: Known<'_>, chip: &Chip) -> Checked {
    vector_type(inst)?;
    vector::rules(inst, known, chip)?;
    scalar(inst, known)?;
    copies(inst, known)?;
    cube(inst, known)?;
    fixpipe(inst, known)?;
    if let Some(form) = VecForm::of(inst) {
        known.at_most("rep", form.rep, MAX_REPEATS)?;
        return vector_places(&form, known, chip).and_then(|()| bounds(inst, known, chip));
    }
    if !matches!(inst, Inst::Vmrg4(_)) {
        alignment(inst, known, chip)?;
    }
    bounds(inst, known, chip)
}

/// Which types a vector instruction has (facts §3.7).
fn vector_type(inst: &Inst) -> Checked {
    let (ty, legal) = if let Inst::Vdiv(Vdiv { ty, .. })
    | Inst::Vlrelu(Vlrelu { ty, .. })
    | Inst::Vabs(Vabs { ty, .. })
    | Inst::Vexp(Vexp { ty, .. })
    | Inst::Vln(Vln { ty, .. })
    | Inst::Vsqrt(Vsqrt { ty, .. })
    | Inst::Vrsqrt(Vrsqrt { ty, .. })
    | Inst::Vrec(Vrec { ty, .. })
    | Inst::Vcadd(Vcadd { ty, .. })
    | Inst::Vcmax(Vcmax { ty, .. })
    | Inst::Vcmin(Vcmin { ty, .. })
    | Inst::Vcgadd(Vcgadd { ty, .. })
    | Inst::Vcgmax(Vcgmax { ty, .. })
    | Inst::Vcgmin(Vcgmin { ty, .. })
    | Inst::Vcpadd(Vcpadd { ty, .. }) = *inst
    {
        (ty, &[VecTy::F16, VecTy::F32][..])
    } else if let Inst::Vrelu(Vrelu { ty, .. }) = *inst {
        (ty, &[VecTy::F16, VecTy::F32, VecTy::S32][..])
    } else if let Inst::Vcmpv(Vcmpv { cond, ty, .. }) | Inst::Vcmpvs(Vcmpvs { cond, ty, .. }) =
        *inst
    {
        (ty, compared(cond))
    } else {
        return Ok(());
    };
    if legal.contains(&ty) {
        Ok(())
    } else {
        fail("ty", Rule::Type)
    }
}

/// Floats compare in every way, s32 for equality alone.
const fn compared(cond: Cond) -> &'static [VecTy] {
    match cond {
        Cond::Eq => &[VecTy::F16, VecTy::F32, VecTy::S32],
        Cond::Ne | Cond::Lt | Cond::Le | Cond::Gt | Cond::Ge => &[VecTy::F16, VecTy::F32],
    }
}

fn scalar(inst: &Inst, known: Known<'_>) -> Checked {
    if let Inst::SetFlag(SetFlag { src, dst, id }) | Inst::WaitFlag(WaitFlag { src, dst, id }) =
        *inst
    {
        if src == dst || src == PipeOp::All || dst == PipeOp::All {
            return fail("dst", Rule::Pipe);
        }
        return known.at_most("id", id, MAX_FLAG);
    }
    if let Inst::Xset(Xset { pipe, mode, id }) | Inst::Xwait(Xwait { pipe, mode, id }) = *inst {
        if pipe == PipeOp::All {
            return fail("pipe", Rule::Pipe);
        }
        if mode.0 > 2 {
            return fail(
                "mode",
                Rule::Limit {
                    value: mode.0,
                    max: 2,
                },
            );
        }
        return known.at_most("id", id, MAX_CROSS_FLAG);
    }
    if let Inst::Wrspr(i) = inst
        && !i.spr.is_writable()
    {
        return fail("spr", Rule::ReadOnly);
    }
    if let Some(access) = ScalarAccess::of(inst) {
        let at = known.0.map(|regs| access.address(regs));
        return aligned("base", at, access.size.bytes());
    }
    Ok(())
}

fn copies(inst: &Inst, known: Known<'_>) -> Checked {
    if let Some(copy) = block_copy(inst) {
        known.at_most("burst", copy.burst.count, MAX_BURSTS)?;
        known.at_most("burst", copy.burst.len, MAX_BLOCKS)?;
        known.at_most("src_gap", copy.src_gap, MAX_BLOCKS)?;
        return known.at_most("dst_gap", copy.dst_gap, MAX_BLOCKS);
    }
    if let Inst::MovpadGmUb(i) = inst {
        padded(i.burst, known)?;
        known.at_most("src_gap", i.src_gap, u64::from(u32::MAX))?;
        return known.at_most("dst_gap", i.dst_gap, MAX_BLOCKS);
    }
    if let Inst::MovpadUbGm(i) = inst {
        padded(i.burst, known)?;
        known.at_most("dst_gap", i.dst_gap, u64::from(u32::MAX))?;
        return known.at_most("src_gap", i.src_gap, MAX_BLOCKS);
    }
    if let Inst::Nd2nzGmL1(i) = inst {
        known.at_most("n", i.n, MAX_ND_ROWS)?;
        known.at_most("d", i.d, MAX_BLOCKS)?;
        known.at_most("src_stride", i.src_stride, MAX_BLOCKS)?;
        return known.at_most("dst_rows", i.dst_rows, MAX_ND_ROWS);
    }
    if let Inst::MovpadlrGmUb(i) = inst {
        padded(i.burst, known)?;
        known.at_most("src_gap", i.src_gap, u64::from(u32::MAX))?;
        known.at_most("dst_gap", i.dst_gap, MAX_BLOCKS)?;
        let most = BLOCK_BYTES / i.size.bytes();
        known.at_most("left", i.left, most)?;
        return known.at_most("right", i.right, most);
    }
    packed(inst, known)
}

/// The fields of packed registers, where they are known.
fn packed(inst: &Inst, known: Known<'_>) -> Checked {
    let Some(regs) = known.0 else {
        return Ok(());
    };
    let image = Img2col::of(inst, regs).and_then(|image| image.refused());
    let matrices = Nd2nz::of(inst, regs).and_then(|matrices| matrices.refused());
    match image.or(matrices) {
        Some((operand, value, expected)) => fail(operand, Rule::Field { value, expected }),
        None => Ok(()),
    }
}

fn padded(burst: Burst, known: Known<'_>) -> Checked {
    known.at_most("burst", burst.count, MAX_BURSTS)?;
    known.at_most("burst", burst.len, MAX_PAD_BYTES)
}

fn cube(inst: &Inst, known: Known<'_>) -> Checked {
    if let Inst::Mmad(i) = inst {
        known.at_most("m", i.m, MAX_MMAD)?;
        known.at_most("k", i.k, MAX_MMAD)?;
        known.at_most("n", i.n, MAX_MMAD)?;
        return known.at_most("init", i.init, 2);
    }
    if let Inst::Gemv(i) = inst {
        if matches!(i.ty, MmadTy::S4 | MmadTy::F16F16) {
            return fail("ty", Rule::Type);
        }
        known.at_most("k", i.k, MAX_MMAD)?;
        known.at_most("n", i.n, MAX_MMAD)?;
        return known.at_most("init", i.init, 2);
    }
    if let Some(filled) = filled(inst) {
        let narrow = |size: ElemSize| size == ElemSize::B8;
        let refused = matches!(*inst, Inst::FillL0a(FillL0a { size, .. })
            | Inst::FillL0b(FillL0b { size, .. })
            | Inst::FillL1(FillL1 { size, .. }) if narrow(size));
        if refused {
            return fail("size", Rule::Type);
        }
        let [rep, len, gap] = filled.runs;
        known.at_most("rep", rep, MAX_FILL)?;
        known.at_most("len", len, MAX_FILL)?;
        return known.at_most("gap", gap, MAX_FILL);
    }
    if let Inst::MovL1BtF16(MovL1BtF16 { len, .. }) = *inst {
        return known.at_most("len", len, MAX_REPEATS);
    }
    if let Inst::MovGmL0a(MovGmL0a {
        rep, src_stride, ..
    })
    | Inst::MovGmL0b(MovGmL0b {
        rep, src_stride, ..
    })
    | Inst::Ld2dA(Ld2dA {
        rep, src_stride, ..
    })
    | Inst::Ld2dB(Ld2dB {
        rep, src_stride, ..
    })
    | Inst::Ld2dtA(Ld2dtA {
        rep, src_stride, ..
    })
    | Inst::Ld2dtB(Ld2dtB {
        rep, src_stride, ..
    }) = *inst
    {
        known.at_most("rep", rep, MAX_REPEATS)?;
        return known.at_most("src_stride", src_stride, MAX_BLOCKS);
    }
    Ok(())
}

fn fixpipe(inst: &Inst, known: Known<'_>) -> Checked {
    if let Inst::FixL0cGm(FixL0cGm {
        ty, quant, m, n, ..
    })
    | Inst::FixL0cL1(FixL0cL1 {
        ty, quant, m, n, ..
    }) = *inst
    {
        if quant.src().is_some_and(|src| src != ty) {
            return fail("quant", Rule::Source);
        }
        let nd = if let Inst::FixL0cGm(i) = inst {
            i.nd
        } else {
            Adj::Off
        };
        if nd == Adj::Whole && quant.dst(ty).bytes() != 4 {
            return fail("nd", Rule::Type);
        }
        let unit = match nd {
            Adj::On if quant.is_s4() => 2,
            Adj::On => 1,
            Adj::Off | Adj::Whole => quant.columns(ty, nd == Adj::Whole),
        };
        if let Some(value) = known.val(n).filter(|n| !n.is_multiple_of(unit)) {
            let expected = "whole fractals, or an even count of half bytes";
            return fail("n", Rule::Field { value, expected });
        }
        known.at_most("m", m, MAX_FIX_ROWS)?;
        return known.at_most("n", n, MAX_MMAD);
    }
    Ok(())
}

/// Addresses of instructions that are not of the vector unit's shape.
fn alignment(inst: &Inst, known: Known<'_>, chip: &Chip) -> Checked {
    let result_of_mmad =
        |place: &MemRef| matches!(inst, Inst::Mmad(_) | Inst::Gemv(_)) && place.space == Space::L0c;
    for place in inst.memory() {
        let align = if result_of_mmad(&place) {
            chip.align.l0c_mmad
        } else {
            chip.alignment(place.space)
        };
        aligned(place.operand, known.addr(place.at), align)?;
    }
    Ok(())
}

/// Lanes, bits and blocks start at blocks; results of reductions and the source of a broadcast at elements.
fn vector_places(form: &VecForm, known: Known<'_>, chip: &Chip) -> Checked {
    for operand in &form.operands {
        let align = match operand.walk {
            Walk::Lanes { .. }
            | Walk::Bits
            | Walk::BitRows { .. }
            | Walk::Blocks { .. }
            | Walk::Run { .. } => chip.align.ub,
            Walk::Results { elem, .. } => elem,
            Walk::Anywhere => 1,
        };
        aligned(operand.name, known.addr(operand.at), align)?;
    }
    Ok(())
}

fn aligned(operand: &'static str, at: Option<u64>, align: u64) -> Checked {
    match at {
        Some(at) if align > 1 && !at.is_multiple_of(align) => {
            fail(operand, Rule::Misaligned { at, align })
        }
        Some(_) | None => Ok(()),
    }
}

/// On-chip memories; global memory is judged by whoever knows the tensors.
fn bounds(inst: &Inst, known: Known<'_>, chip: &Chip) -> Checked {
    let effects = match known.0 {
        Some(regs) => inst.effects(regs),
        // Lanes depend on a mode that a word does not show; everything else is in the word if no register is.
        None if inst.registers().reads == 0 && VecForm::of(inst).is_none() => inst.effects(&NoRegs),
        None => return Ok(()),
    };
    let form = VecForm::of(inst);
    let is_anywhere = |operand: &str| {
        let walks = form.iter().flat_map(|form| &form.operands);
        let mut named = walks.filter(|walk| walk.name == operand);
        named.any(|walk| walk.walk == Walk::Anywhere)
    };
    let judged = |access: &&crate::effects::Access| {
        access.space != Space::Gm && !is_anywhere(access.operand)
    };
    for access in effects.iter().filter(judged) {
        let (end, size) = (access.span().1, chip.space_bytes(access.space));
        if end > size {
            return fail(
                access.operand,
                Rule::OutOfSpace {
                    space: access.space,
                    end,
                    size,
                },
            );
        }
    }
    Ok(())
}

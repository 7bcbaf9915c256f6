//! Types and limits of the vector instructions that have variants (davinci-facts §3.7).

use super::{Checked, Known, MAX_BLOCKS, MAX_REPEATS, Rule, aligned, fail};
use crate::chip::Chip;
use crate::effects::merged_pairs;
use crate::inst::*;

/// Most pairs of a list that is merged (ADK MrgSort).
const MAX_PAIRS: u64 = 4095;
/// Bytes of a score and its index, and what lists are aligned to (ADK MrgSort).
const PAIR: u64 = 8;
/// Last vector address register that has one behind it.
const LAST_PAIR_OF_VA: u64 = 6;
const FLOATS: &[VecTy] = &[VecTy::F16, VecTy::F32];
const WITH_S16: &[VecTy] = &[VecTy::F16, VecTy::F32, VecTy::S16];

/// Judges types, then values.
pub(super) fn rules(inst: &Inst, known: Known<'_>, chip: &Chip) -> Checked {
    lane_types(inst)?;
    pairs_of_types(inst)?;
    moved_sizes(inst)?;
    if let Inst::Vmrg4(i) = inst {
        return merge(i, known, chip);
    }
    if let Inst::Vnchwconv(i) = inst {
        return transpose(i, known);
    }
    Ok(())
}

fn has<T: PartialEq>(ty: T, legal: &[T]) -> Checked {
    if legal.contains(&ty) {
        Ok(())
    } else {
        fail("ty", Rule::Type)
    }
}

fn lane_types(inst: &Inst) -> Checked {
    if let Inst::Vmadd(Vmadd { ty, .. })
    | Inst::Vmaddrelu(Vmaddrelu { ty, .. })
    | Inst::Vcmaxi(Vcmaxi { ty, .. })
    | Inst::Vcmini(Vcmini { ty, .. })
    | Inst::Vsort32(Vsort32 { ty, .. })
    | Inst::Vmrg4(Vmrg4 { ty, .. }) = *inst
    {
        return has(ty, FLOATS);
    }
    if let Inst::Vaddrelu(Vaddrelu { ty, .. })
    | Inst::Vsubrelu(Vsubrelu { ty, .. })
    | Inst::Vcmp(Vcmp { ty, .. }) = *inst
    {
        return has(ty, WITH_S16);
    }
    Ok(())
}

fn pairs_of_types(inst: &Inst) -> Checked {
    if let Inst::Vmulconv(Vmulconv { ty, .. }) = *inst {
        return has(ty, &[FuseTy::F16S8, FuseTy::F16U8]);
    }
    if let Inst::Vaddreluconv(Vaddreluconv { ty, .. })
    | Inst::Vsubreluconv(Vsubreluconv { ty, .. }) = *inst
    {
        return has(ty, &[FuseTy::F16S8, FuseTy::F32F16, FuseTy::S16S8]);
    }
    Ok(())
}

fn moved_sizes(inst: &Inst) -> Checked {
    if let Inst::Vgather(Vgather { size, .. })
    | Inst::Vcompress(Vcompress { size, .. })
    | Inst::Vcompressm(Vcompressm { size, .. }) = *inst
        && size == ElemSize::B8
    {
        return fail("size", Rule::Type);
    }
    if let Inst::Vcompress(Vcompress { pattern, .. }) = *inst
        && pattern.0 == 0
    {
        return fail("pattern", Rule::Type);
    }
    Ok(())
}

fn merge(i: &Vmrg4, known: Known<'_>, chip: &Chip) -> Checked {
    known.at_most("rep", i.rep, MAX_REPEATS)?;
    aligned("dst", known.addr(i.dst.at), chip.align.ub)?;
    for (operand, list) in [("a", i.a), ("b", i.b), ("c", i.c), ("d", i.d)] {
        aligned(operand, known.addr(list.at), PAIR)?;
    }
    let Known(Some(regs)) = known else {
        return Ok(());
    };
    match merged_pairs(i, regs).into_iter().find(|&n| n > MAX_PAIRS) {
        Some(value) => fail(
            "lengths",
            Rule::Limit {
                value,
                max: MAX_PAIRS,
            },
        ),
        None => Ok(()),
    }
}

fn transpose(i: &Vnchwconv, known: Known<'_>) -> Checked {
    known.at_most("rep", i.rep, MAX_REPEATS)?;
    known.at_most("dst_rep", i.dst_rep, MAX_BLOCKS)?;
    known.at_most("src_rep", i.src_rep, MAX_BLOCKS)?;
    for (operand, first) in [("dst", i.dst.0), ("src", i.src.0)] {
        if first > LAST_PAIR_OF_VA {
            let (value, max) = (first, LAST_PAIR_OF_VA);
            return fail(operand, Rule::Limit { value, max });
        }
    }
    let halves = [("dst_half", i.dst_half), ("src_half", i.src_half)];
    match halves.iter().find(|(_, half)| *half == Half::High) {
        Some((operand, _)) if i.size != ElemSize::B8 => fail(operand, Rule::Type),
        Some(_) | None => Ok(()),
    }
}

//! What an instruction of a queue moves, counted by its effects and not by doing it.

use isa::effects::Access;
use isa::inst::{Dir, Inst, Regs};
use isa::legal::{LegalError, Rule};
use isa::types::Space;

use crate::core::Core;
use crate::fault::{FaultKind, Stop};
use crate::report::Path;

/// Counts bytes, multiply-adds and peaks of an instruction, and checks that it stays inside the tensors. Gives the way and
/// bytes, and the multiply-adds.
pub(super) fn count(
    core: &mut Core<'_>,
    inst: &Inst,
    regs: &impl Regs,
) -> Result<(Option<(Path, u64)>, u64), Stop> {
    let effects = inst.effects(regs);
    for access in &effects {
        let writes = access.dir != Dir::In;
        if access.space != Space::Gm {
            if writes {
                core.memory(access.space).touch(access.span().1 as usize);
            }
            continue;
        }
        for (start, len) in access.pieces() {
            let span = core.launch.gm.span(access.operand, start, len)?;
            if writes {
                span.region.writable(access.operand, start, len)?;
            }
        }
    }
    let mads = mads(inst, regs);
    core.mads += mads;
    let (Some(to), Some(from)) = (
        effects.iter().find(|access| access.dir == Dir::Out),
        effects.iter().find(|access| access.dir == Dir::In),
    ) else {
        return Ok((None, mads));
    };
    let mut counted = None;
    if let Some(path) = path(inst, from.space, to.space) {
        let moved = if from.space == Space::Gm { from } else { to };
        // A copy of several matrices has an access for each.
        let parts = effects.iter().filter(|part| part.operand == moved.operand);
        let bytes = drained(inst, regs).unwrap_or_else(|| parts.map(Access::bytes).sum());
        core.moved[path as usize] += bytes;
        counted = Some((path, bytes));
    }
    Ok((counted, mads))
}

fn mads(inst: &Inst, regs: &impl Regs) -> u64 {
    if let Inst::Mmad(i) = inst {
        i.m.get(regs) * i.n.get(regs) * i.k.get(regs)
    } else if let Inst::Gemv(i) = inst {
        i.n.get(regs) * i.k.get(regs)
    } else {
        0
    }
}

/// The way that an instruction moves bytes; none if it computes with them.
fn path(inst: &Inst, from: Space, to: Space) -> Option<Path> {
    match (from, to) {
        (Space::Gm, Space::L1) => Some(Path::GmL1),
        (Space::Gm, Space::Ub) => Some(Path::GmUb),
        (Space::Ub, Space::Gm) => Some(Path::UbGm),
        (Space::L1, Space::Gm) => Some(Path::L1Gm),
        (Space::L0c, Space::Gm) => Some(Path::L0cGm),
        (Space::L0c, Space::L1) => Some(Path::L0cL1),
        (Space::Gm, Space::L0a) => Some(Path::GmL0a),
        (Space::Gm, Space::L0b) => Some(Path::GmL0b),
        (Space::L1, Space::L0a) => Some(Path::L1L0a),
        (Space::L1, Space::L0b) => Some(Path::L1L0b),
        (Space::L1, Space::Bt) => Some(Path::L1Bt),
        (Space::L1, Space::Fb) => Some(Path::L1Fb),
        (Space::Ub, Space::Ub) if matches!(inst, Inst::MovUbUb(_)) => Some(Path::UbUb),
        _ => None,
    }
}

/// Bytes of the elements that the fixpipe writes, without the padding of its blocks.
fn drained(inst: &Inst, regs: &impl Regs) -> Option<u64> {
    if let Inst::FixL0cGm(i) = inst {
        Some(i.m.get(regs) * i.quant.row_bytes(i.ty, i.n.get(regs)))
    } else if let Inst::FixL0cL1(i) = inst {
        Some(i.m.get(regs) * i.quant.row_bytes(i.ty, i.n.get(regs)))
    } else {
        None
    }
}

/// An operand that its instruction does not take, as a fault.
pub(super) fn illegal(error: LegalError) -> Stop {
    let operand = error.operand;
    let value = |value: u64, expected| FaultKind::IllegalValue {
        operand,
        value: value as i64,
        expected,
    };
    Box::new(match error.rule {
        Rule::Limit { value: v, .. } => value(v, "a value within the limit of the operand"),
        Rule::OutOfSpace { space, end, size } => FaultKind::OutOfBounds {
            operand,
            space,
            address: end.saturating_sub(1),
            bytes: 1,
            nearest: format!("the {size} bytes of {space}"),
        },
        Rule::Field { value: v, expected } => value(v, expected),
        Rule::Misaligned { at, .. } => value(at, "an aligned address"),
        Rule::Type | Rule::Pipe | Rule::Source | Rule::ReadOnly | Rule::Core(_) => {
            value(0, "a combination that the instruction has")
        }
    })
}

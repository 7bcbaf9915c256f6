//! Flags, barriers and cross-core counters: who may go on, and what it then knows of the others' work.

use isa::inst::{Bar, PipeOp, SetFlag, Val, WaitFlag, Xset, Xwait};
use isa::types::Pipe;

use super::at_most;
use crate::core::{Core, Halt, flag_index};
use crate::fault::{FaultKind, Stop, WaitReason};

/// A flag's pair of pipes and number.
fn flag_of(
    core: &Core<'_>,
    src: PipeOp,
    dst: PipeOp,
    id: Val<3>,
) -> Result<(Pipe, Pipe, u8), Stop> {
    let pipe = |operand, op: PipeOp| {
        op.pipe().ok_or(Box::new(FaultKind::IllegalValue {
            operand,
            value: op as i64,
            expected: "one pipe",
        }))
    };
    let id = at_most("id", id.get(&core.context), 7, "a flag from 0 to 7")?;
    Ok((pipe("src", src)?, pipe("dst", dst)?, id as u8))
}

pub(super) fn set_flag(core: &mut Core<'_>, i: &SetFlag) -> Result<(), Halt> {
    let (src, dst, id) = flag_of(core, i.src, i.dst, i.id)?;
    let index = flag_index(src, dst, usize::from(id));
    let flag = core.flags[index];
    // Set again before the last wait is known to have happened: the machine might see one setting instead of two.
    let maybe_set = flag.set.is_some() || core.order.known[core.lane][dst.index()] < flag.consumed;
    if maybe_set && core.launch.sanitize.flags {
        return Err(Halt::Fault(Box::new(FaultKind::FlagSetTwice {
            src,
            dst,
            id,
        })));
    }
    core.flags[index].set = Some(core.order.completion(core.lane));
    core.wake = true;
    Ok(())
}

pub(super) fn wait_flag(core: &mut Core<'_>, i: &WaitFlag) -> Result<(), Halt> {
    let (src, dst, id) = flag_of(core, i.src, i.dst, i.id)?;
    let lane = core.lane;
    let issued = core.order.issued[lane];
    let flag = &mut core.flags[flag_index(src, dst, usize::from(id))];
    match flag.set.take() {
        None => Err(Halt::Wait(WaitReason::Flag { src, dst, id })),
        Some(known) => {
            flag.consumed = issued;
            core.order.learn(lane, &known);
            Ok(())
        }
    }
}

pub(super) fn bar(core: &mut Core<'_>, i: &Bar) -> Result<(), Halt> {
    let lane = core.lane;
    if i.pipe == PipeOp::All {
        if let Some(pipe) = core.undrained() {
            return Err(Halt::Wait(WaitReason::Drain { pipe }));
        }
        for pipe in Pipe::ALL {
            let done = core.order.completion(pipe.index());
            core.order.learn(lane, &done);
        }
        return Ok(());
    }
    let done = core.order.completion(lane);
    core.order.learn(lane, &done);
    Ok(())
}

pub(super) fn xset(core: &mut Core<'_>, i: &Xset) -> Result<(), Halt> {
    let id = at_most("id", i.id.get(&core.context), 15, "a counter from 0 to 15")?;
    let mode = at_most("mode", i.mode.0, 2, "a mode from 0 to 2")?;
    core.outbox.push((mode as u8, id as u8));
    Ok(())
}

pub(super) fn xwait(core: &mut Core<'_>, i: &Xwait) -> Result<(), Halt> {
    let id = at_most("id", i.id.get(&core.context), 15, "a counter from 0 to 15")?;
    let mode = at_most("mode", i.mode.0, 2, "a mode from 0 to 2")?;
    let quorum = core.quorums[mode];
    let value = core.counters[id];
    if value < quorum {
        let id = id as u8;
        return Err(Halt::Wait(WaitReason::Counter { id, value, quorum }));
    }
    core.counters[id] -= quorum;
    Ok(())
}

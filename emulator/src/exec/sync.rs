//! Flags, barriers and cross-core counters: who may go on, and what it then knows of the others' work.

use isa::inst::{Bar, PipeOp, SetFlag, Val, WaitFlag, Xset, Xwait};
use isa::types::Pipe;

use super::at_most;
use crate::core::{Core, CrossSet, Halt, flag_index};
use crate::cross::{alone, hear, heard_of, is_same};
use crate::fault::{FaultKind, Stop, WaitReason};
use crate::hazard::{Known, STORES};

/// A flag's pair of pipes and number.
fn flag_of(
    core: &Core<'_>,
    src: PipeOp,
    dst: PipeOp,
    id: Val<3>,
) -> Result<(Pipe, Pipe, u8), Stop> {
    let pipe = |operand, op: PipeOp| {
        op.pipe().ok_or_else(|| {
            Box::new(FaultKind::IllegalValue {
                operand,
                value: op as i64,
                expected: "one pipe",
            })
        })
    };
    let id = at_most("id", id.get(&core.context), 7, "a flag from 0 to 7")?;
    Ok((pipe("src", src)?, pipe("dst", dst)?, id as u8))
}

pub(super) fn set_flag(core: &mut Core<'_>, i: &SetFlag) -> Result<(), Halt> {
    let (src, dst, id) = flag_of(core, i.src, i.dst, i.id)?;
    let index = flag_index(src, dst, usize::from(id));
    let lane = core.lane;
    core.wake = true;
    if core.unordered {
        core.flags.at(index).set = Some(Known::default());
        return Ok(());
    }
    let told = core.order.completion(lane);
    let heard = core.heard[lane].clone();
    let knows = core.order.known[lane][dst.index()];
    let flag = core.flags.at(index);
    // Set again before the last wait is known to have happened: the machine might see one setting instead of two.
    let maybe_set = flag.set.is_some() || knows < flag.consumed;
    flag.set = Some(told);
    flag.heard = heard;
    match maybe_set && core.launch.sanitize.flags {
        true => Err(Halt::Fault(Box::new(FaultKind::FlagSetTwice {
            src,
            dst,
            id,
        }))),
        false => Ok(()),
    }
}

pub(super) fn wait_flag(core: &mut Core<'_>, i: &WaitFlag) -> Result<(), Halt> {
    let (src, dst, id) = flag_of(core, i.src, i.dst, i.id)?;
    let lane = core.lane;
    let issued = core.order.issued[lane];
    let flag = core.flags.at(flag_index(src, dst, usize::from(id)));
    match flag.set.take() {
        None => Err(Halt::Wait(WaitReason::Flag { src, dst, id })),
        Some(_) if core.unordered => Ok(()),
        Some(known) => {
            flag.consumed = issued;
            let heard = flag.heard.take();
            hear(&mut core.heard[lane], &heard);
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
        if core.unordered {
            return Ok(());
        }
        for pipe in Pipe::ALL {
            let done = core.order.completion(pipe.index());
            core.order.learn(lane, &done);
            if !is_same(&core.heard[pipe.index()], &core.heard[lane]) {
                let heard = core.heard[pipe.index()].clone();
                hear(&mut core.heard[lane], &heard);
            }
        }
        // The queues are empty: each hears it with its next instruction at the latest.
        for pipe in Pipe::ALL {
            if !is_same(&core.heard[pipe.index()], &core.heard[lane]) {
                core.heard[pipe.index()] = core.heard[lane].clone();
            }
        }
        core.order.stores_done = core.order.issued[STORES];
        return Ok(());
    }
    if !core.unordered {
        let done = core.order.completion(lane);
        core.order.learn(lane, &done);
    }
    Ok(())
}

pub(super) fn xset(core: &mut Core<'_>, i: &Xset) -> Result<(), Halt> {
    let id = at_most("id", i.id.get(&core.context), 15, "a counter from 0 to 15")?;
    let mode = at_most("mode", i.mode.0, 2, "a mode from 0 to 2")?;
    let mut heard = core.heard[core.lane].clone();
    if core.launch.sanitize.hazards {
        let own = alone(core.number, core.order.completion(core.lane));
        hear(&mut heard, &own);
    }
    core.outbox.push(CrossSet {
        mode: mode as u8,
        id: id as u8,
        heard,
    });
    Ok(())
}

pub(super) fn xwait(core: &mut Core<'_>, i: &Xwait) -> Result<(), Halt> {
    let id = at_most("id", i.id.get(&core.context), 15, "a counter from 0 to 15")?;
    let mode = at_most("mode", i.mode.0, 2, "a mode from 0 to 2")?;
    let value = core.counters[id];
    if value == 0 {
        let id = id as u8;
        return Err(Halt::Wait(WaitReason::Counter {
            id,
            value,
            quorum: core.quorums[mode],
        }));
    }
    core.counters[id] -= 1;
    let lane = core.lane;
    if let Some(heard) = core.mail[id].pop_front() {
        // What comes back of this core's own work orders its queues too.
        if let Some(own) = heard_of(&heard, core.number) {
            core.order.learn(lane, own);
        }
        hear(&mut core.heard[lane], &heard);
    }
    Ok(())
}

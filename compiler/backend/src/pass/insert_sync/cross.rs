//! Between cores: channels, and the meeting of all cores between phases.
//!
//! Each channel has one cross-core counter, numbered as the channel: on the consumer it counts filled slots, on the
//! producer free ones. The consumer presets it with all slots free; the producer takes them back at the end of the
//! phase, so that every counter ends at 0.

use diag::{Diagnostic, Span};
use ir::tile::{Block, Chan, Func, Op};
use isa::types::{CoreKind, Pipe};

use super::edits::{Edits, When};
use crate::errors;
use crate::plan::access;

/// Counters that programs may use: davinci-facts §2.3. The two highest are for the meeting of all cores.
pub const COUNTERS: u32 = 11;
/// Channels that have a counter.
const CHANNELS: u32 = COUNTERS - 2;
/// Largest value of a counter: davinci-facts §2.3.
const COUNTER_MAX: u32 = 15;

/// Inserts the waits and sets of every channel operation.
pub(super) fn channels(func: &Func, edits: &mut Edits) -> Result<(), Vec<Diagnostic>> {
    check(func)?;
    for (_, core, root) in access::roots(func) {
        let mut used = Vec::new();
        hand_over(func, core, root, edits, &mut used);
        used.sort_unstable();
        used.dedup();
        for chan in used {
            preset(func, core, root, chan, edits);
        }
    }
    Ok(())
}

fn check(func: &Func) -> Result<(), Vec<Diagnostic>> {
    let mut found = Vec::new();
    if func.chans.len() > CHANNELS as usize {
        let span = func
            .chans
            .values()
            .nth(CHANNELS as usize)
            .map_or(Span::NONE, |chan| func.tensors[chan.tensor].span);
        found.push(errors::too_many_channels(
            func.chans.len(),
            CHANNELS as usize,
            span,
        ));
    }
    for chan in func.chans.values() {
        // Both vector cores add to the counter of a cube core.
        let limit = if chan.from == CoreKind::Cube {
            COUNTER_MAX / 2
        } else {
            COUNTER_MAX
        };
        if chan.depth > limit {
            let span = func.tensors[chan.tensor].span;
            found.push(errors::channel_too_deep(
                &chan.name, chan.depth, limit, span,
            ));
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// The pipe by which a kind of core writes a channel; it reads through MTE2.
fn writer(core: CoreKind) -> Pipe {
    match core {
        CoreKind::Cube => Pipe::Fix,
        CoreKind::Vector => Pipe::Mte3,
    }
}

fn counter(chan: Chan) -> u32 {
    chan.as_u32()
}

fn hand_over(func: &Func, core: CoreKind, block: Block, edits: &mut Edits, used: &mut Vec<Chan>) {
    for (position, &inst) in func.blocks[block].insts.iter().enumerate() {
        let op = &func.insts[inst].op;
        if let Op::Acquire { chan, .. } | Op::Take { chan, .. } = op {
            let pipe = if matches!(op, Op::Take { .. }) {
                Pipe::Mte2
            } else {
                writer(core)
            };
            edits.before(
                block,
                position,
                When::Wait,
                Op::WaitCross {
                    pipe,
                    id: counter(*chan),
                },
            );
            used.push(*chan);
        }
        if let Op::Publish { chan } | Op::Release { chan } = op {
            let pipe = if matches!(op, Op::Release { .. }) {
                Pipe::Mte2
            } else {
                writer(core)
            };
            edits.after(
                block,
                position,
                When::Set,
                Op::SetCross {
                    pipe,
                    id: counter(*chan),
                },
            );
            used.push(*chan);
        }
        for inner in op.blocks() {
            hand_over(func, core, inner, edits, used);
        }
    }
}

fn preset(func: &Func, core: CoreKind, root: Block, chan: Chan, edits: &mut Edits) {
    let id = counter(chan);
    let data = &func.chans[chan];
    for _ in 0..data.depth {
        if data.from == core {
            edits.last(
                func,
                root,
                Op::WaitCross {
                    pipe: writer(core),
                    id,
                },
            );
        } else {
            edits.first(
                root,
                Op::SetCross {
                    pipe: Pipe::Mte2,
                    id,
                },
            );
        }
    }
}

/// All cores meet at the end of every phase but the last, those included that had nothing to do in it.
pub(super) fn meet_between_phases(func: &mut Func) {
    let phases = func.phases.len();
    let cube = func.phases.iter().any(|phase| phase.cube.is_some());
    let vector = func.phases.iter().any(|phase| phase.vector.is_some());
    for number in 0..phases.saturating_sub(1) {
        if cube {
            let block = func.phases[number].cube.unwrap_or_else(|| func.add_block());
            func.phases[number].cube = Some(block);
            func.push(block, Op::SyncAll, Span::NONE);
        }
        if vector {
            let block = func.phases[number]
                .vector
                .unwrap_or_else(|| func.add_block());
            func.phases[number].vector = Some(block);
            func.push(block, Op::SyncAll, Span::NONE);
        }
    }
}

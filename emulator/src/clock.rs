//! When everything happens: all cores' streams together, in integers, without values.
//!
//! A core's scalar unit walks its stream and fills the queues of its pipes; a queue issues in order. What one core does
//! is plain arithmetic on times and runs ahead until it needs something that others decide: a flag, a counter, a place
//! in a queue, or bandwidth. Copies take L2 and global memory in pieces, from one list ordered by time over all cores,
//! so that sharing is fair and the same on every host. Costs come with the events; rates from the chip file.
//!
//! Begin of an instruction: not before its pipe is free, and not before it is ready and `head` has passed, so a pipe that
//! is kept fed never pays its head. Its results are visible `tail` after it ends; flags and barriers wait for that.

mod core;
mod lines;
mod memory;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use isa::chip::Chip;
use isa::types::Pipe;

pub(crate) use self::core::{CoreTime, PipeTime};
pub(crate) use self::memory::MemoryCounts;

use self::core::CoreSim;
use self::memory::Memory;
use crate::fault::CoreId;
use crate::machine::reaches;
use crate::stream::Stream;

/// Fractions of a cycle in the times of copies.
pub(crate) const TICKS: u64 = 1024;

/// One instruction on the time line.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct TraceSpan {
    /// The core that ran it.
    pub core: CoreId,
    /// The pipe that ran it.
    pub pipe: Pipe,
    /// Its number in the section.
    pub pc: u32,
    /// First cycle, counted from the first instruction of the launch.
    pub begin: u64,
    /// The cycle after the last.
    pub end: u64,
}

/// What the clock finds.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    /// Cycles from the first instruction to the last visible result.
    pub(crate) cycles: u64,
    pub(crate) cores: Vec<CoreTime>,
    pub(crate) memory: MemoryCounts,
    pub(crate) trace: Vec<TraceSpan>,
}

/// Something that happens at a time that other cores may depend on.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Post {
    /// In ticks.
    pub(crate) at: u64,
    pub(crate) core: u32,
    pub(crate) what: PostWhat,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PostWhat {
    /// The next piece of the copy that the pipe is doing.
    Piece(Pipe),
    /// A cross-core set arrives at its peers: mode and counter.
    Set(u8, u8),
}

/// Computes the times of a launch; none if the streams cannot run to their ends.
pub(crate) fn run(
    cores: &[(CoreId, &Stream<'_>)],
    extent: (u64, u64),
    chip: &Chip,
    trace: bool,
) -> Option<Timing> {
    let mut memory = Memory::new(chip, extent);
    let mut posts = BinaryHeap::new();
    let mut sims: Vec<CoreSim<'_>> = cores
        .iter()
        .enumerate()
        .map(|(n, (id, stream))| CoreSim::new(n, *id, stream, chip, trace))
        .collect();
    for sim in &mut sims {
        sim.advance();
        collect(sim, &mut posts);
    }
    while let Some(&Reverse(post)) = posts.peek() {
        match post.what {
            PostWhat::Piece(pipe) => {
                let sim = &mut sims[post.core as usize];
                if let Some(at) = sim.transfer(pipe, post.at, &mut memory) {
                    // The next piece takes the place of this one, which is mostly not far from the front.
                    if let Some(mut top) = posts.peek_mut() {
                        top.0.at = at;
                    }
                } else {
                    posts.pop();
                    sim.advance();
                    collect(sim, &mut posts);
                }
            }
            PostWhat::Set(mode, id) => {
                posts.pop();
                let sender = sims[post.core as usize].id;
                for sim in sims.iter_mut().filter(|sim| reaches(sender, mode, sim.id)) {
                    sim.receive(post.core as usize, mode, id, post.at / TICKS);
                    sim.advance();
                    collect(sim, &mut posts);
                }
            }
        }
    }
    finish(sims, memory)
}

/// Moves what a core has posted to the common list.
fn collect(sim: &mut CoreSim<'_>, posts: &mut BinaryHeap<Reverse<Post>>) {
    for post in sim.posts.drain(..) {
        posts.push(Reverse(post));
    }
}

fn finish(sims: Vec<CoreSim<'_>>, memory: Memory) -> Option<Timing> {
    let mut trace = Vec::new();
    let mut cores = Vec::with_capacity(sims.len());
    for sim in sims {
        if !sim.is_finished() {
            return None;
        }
        let (time, spans) = sim.into_time();
        trace.extend(spans);
        cores.push(time);
    }
    Some(Timing {
        cycles: cores.iter().map(|core| core.end).max().unwrap_or(0),
        cores,
        memory: memory.counts,
        trace,
    })
}

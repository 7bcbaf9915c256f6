//! When everything happens: all cores' streams together, in integers, without values.
//!
//! A core's scalar unit walks its stream and fills the queues of its pipes; a queue issues in order. What one core does
//! is plain arithmetic on times and runs ahead until it needs something that others decide: a flag, a counter, a place
//! in a queue, or bandwidth. Copies take L2 and global memory in pieces, from one list ordered by time over all cores,
//! so that sharing is fair and the same on every host. Costs come with the events; rates from the chip file.
//!
//! Begin of an instruction: not before its pipe is free, and not before it is ready and `head` has passed, so a pipe that
//! is kept fed never pays its head. Its results are visible `tail` after it ends; flags and barriers wait for that.

mod agenda;
mod core;
mod lines;
mod memory;
mod record;

use isa::chip::Chip;
use isa::types::Pipe;

pub(crate) use self::core::{CoreTime, PipeTime};
pub(crate) use self::memory::MemoryCounts;
pub use self::record::Resource;
pub(crate) use self::record::{Record, Times};

use self::agenda::{Agenda, Post, PostWhat};
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Timing {
    /// Cycles from the first instruction to the last visible result.
    pub(crate) cycles: u64,
    pub(crate) cores: Vec<CoreTime>,
    pub(crate) memory: MemoryCounts,
    pub(crate) trace: Vec<TraceSpan>,
    /// The times of each core's events; empty unless they are wanted.
    pub(crate) records: Vec<Record>,
}

/// What to keep besides the totals.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    pub(crate) trace: bool,
    pub(crate) record: bool,
}

/// Computes the times of a launch; none if the streams cannot run to their ends.
pub(crate) fn run(
    cores: &[(CoreId, &Stream<'_>)],
    extent: (u64, u64),
    chip: &Chip,
    keep: Keep,
) -> Option<Timing> {
    let mut memory = Memory::new(chip, extent);
    let mut agenda = Agenda::default();
    let mut sims: Vec<CoreSim<'_>> = cores
        .iter()
        .enumerate()
        .map(|(n, (id, stream))| CoreSim::new(n, *id, stream, chip, keep))
        .collect();
    for sim in &mut sims {
        sim.advance();
        collect(sim, &mut agenda);
    }
    while let Some(post) = agenda.first() {
        match post.what {
            PostWhat::Piece(pipe) => {
                let sim = &mut sims[post.core as usize];
                if let Some(at) = sim.transfer(pipe, post.at, &mut memory) {
                    agenda.replace_first(Post { at, ..post });
                } else {
                    agenda.drop_first();
                    sim.advance();
                    collect(sim, &mut agenda);
                }
            }
            PostWhat::Set(mode, id) => {
                agenda.drop_first();
                let sender = sims[post.core as usize].id;
                // Cores come group by group.
                let first = match mode {
                    0 => 0,
                    _ => sims.partition_point(|sim| sim.id.group < sender.group),
                };
                let near = sims[first..].iter_mut();
                let near = near.take_while(|sim| mode == 0 || sim.id.group == sender.group);
                for sim in near.filter(|sim| reaches(sender, mode, sim.id)) {
                    sim.receive(post.core as usize, mode, id, post.at / TICKS);
                    sim.advance();
                    collect(sim, &mut agenda);
                }
            }
        }
    }
    finish(sims, memory)
}

/// Moves what a core has posted to the common list.
fn collect(sim: &mut CoreSim<'_>, agenda: &mut Agenda) {
    for post in sim.posts.drain(..) {
        agenda.add(post);
    }
}

fn finish(sims: Vec<CoreSim<'_>>, memory: Memory) -> Option<Timing> {
    let mut trace = Vec::new();
    let mut records = Vec::with_capacity(sims.len());
    let mut cores = Vec::with_capacity(sims.len());
    for sim in sims {
        if !sim.is_finished() {
            return None;
        }
        let (time, spans, record) = sim.into_time();
        trace.extend(spans);
        records.push(record);
        cores.push(time);
    }
    Some(Timing {
        cycles: cores.iter().map(|core| core.end).max().unwrap_or(0),
        cores,
        memory: memory.counts,
        trace,
        records,
    })
}

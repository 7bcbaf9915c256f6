//! Where a machine is to stop, what it has stopped for, and who wrote which bytes last.

use std::collections::BTreeMap;
use std::sync::Arc;

use isa::object::Object;
use isa::types::{CoreKind, Space};

use super::Machine;
use crate::core::{Core, Seen};
use crate::fault::{CoreId, Fault};

/// Where to stop: before an instruction of any core of a kind, or after an access to a range.
#[derive(Clone, Debug, Default)]
pub struct Stops {
    /// Instructions by section and number.
    pub pcs: Vec<(CoreKind, u32)>,
    /// Ranges of memory.
    pub watches: Vec<Watch>,
}

/// A range of memory that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The core whose memory it is; none for global memory, and for that memory of any core.
    pub core: Option<CoreId>,
    /// The memory.
    pub space: Space,
    /// First address.
    pub start: u64,
    /// The address after the last.
    pub end: u64,
    /// Whether a read stops.
    pub reads: bool,
    /// Whether a write stops.
    pub writes: bool,
}

/// What a machine has stopped for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Every program has ended.
    Ended,
    /// The steps that were allowed have been taken.
    Steps,
    /// A core is about to go on with an instruction.
    Break {
        /// The core.
        core: CoreId,
        /// The instruction.
        pc: u32,
    },
    /// An instruction has accessed a range that is watched.
    Watched {
        /// Which of [`Stops::watches`].
        watch: usize,
        /// The core of the instruction.
        core: CoreId,
        /// The instruction.
        pc: u32,
        /// The operand.
        operand: &'static str,
        /// Whether it writes.
        write: bool,
    },
}

/// Who wrote bytes last.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// First address of the piece.
    pub start: u64,
    /// The address after its last.
    pub end: u64,
    /// The core.
    pub core: CoreId,
    /// The instruction.
    pub pc: u32,
}

/// A memory and whose it is; nobody's for global memory.
type Memory = (Option<CoreId>, Space);

/// The last writers of ranges that do not overlap, by start; of each memory of each core, and of global memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Writers {
    memories: BTreeMap<Memory, Arc<BTreeMap<u64, Writer>>>,
}

impl Writers {
    fn note(&mut self, memory: Memory, new: Writer) {
        let ranges = Arc::make_mut(self.memories.entry(memory).or_default());
        let first = ranges.range(..new.start).next_back();
        let first = first
            .filter(|(_, old)| old.end > new.start)
            .map(|(&at, _)| at);
        let inside = ranges.range(new.start..new.end).map(|(&at, _)| at);
        let touched: Vec<u64> = first.into_iter().chain(inside).collect();
        for at in touched {
            if let Some(old) = ranges.remove(&at) {
                if old.start < new.start {
                    let end = new.start;
                    ranges.insert(old.start, Writer { end, ..old });
                }
                if old.end > new.end {
                    let start = new.end;
                    ranges.insert(start, Writer { start, ..old });
                }
            }
        }
        ranges.insert(new.start, new);
    }

    fn of(&self, memory: Memory, start: u64, end: u64) -> Vec<Writer> {
        let Some(ranges) = self.memories.get(&memory) else {
            return Vec::new();
        };
        let overlapping = ranges.values().filter(|w| w.start < end && w.end > start);
        let cut = overlapping.map(|w| Writer {
            start: w.start.max(start),
            end: w.end.min(end),
            ..*w
        });
        cut.collect()
    }
}

impl Watch {
    fn sees(&self, core: CoreId, seen: &Seen) -> bool {
        let access = &seen.access;
        let here = access.space == self.space
            && (self.space == Space::Gm || self.core.is_none_or(|own| own == core));
        let wanted = self.reads && access.dir.reads() || self.writes && access.dir.writes();
        let touches =
            |(start, len): (u64, u64)| start < self.end && start.saturating_add(len) > self.start;
        here && wanted && access.pieces().any(touches)
    }
}

impl Machine<'_> {
    /// Begins to note who writes what, for [`Machine::last_writers`] and for watches. Costs time and memory.
    pub fn watch_memory(&mut self) {
        self.watches = true;
        self.cores.iter_mut().for_each(Core::watch_accesses);
    }

    /// Runs until one of the stops is reached, every program has ended, or so many steps are taken.
    pub fn run_until(&mut self, stops: &Stops, steps: u64) -> Result<Reached, Fault> {
        if !stops.watches.is_empty() {
            self.watch_memory();
        }
        for _ in 0..steps {
            let Some(core) = self.step()? else {
                return Ok(Reached::Ended);
            };
            if let Some(reached) = self.watched(stops) {
                return Ok(reached);
            }
            if let Some(pc) = self.pc(core)
                && self.went_on
                && stops.pcs.contains(&(core.kind(), pc))
            {
                return Ok(Reached::Break { core, pc });
            }
        }
        Ok(Reached::Steps)
    }

    /// The first access of the last step that is watched.
    fn watched(&self, stops: &Stops) -> Option<Reached> {
        self.last_seen.iter().find_map(|(core, seen)| {
            let watch = stops
                .watches
                .iter()
                .position(|watch| watch.sees(*core, seen))?;
            Some(Reached::Watched {
                watch,
                core: *core,
                pc: seen.pc,
                operand: seen.access.operand,
                write: seen.access.dir.writes() && stops.watches[watch].writes,
            })
        })
    }

    /// Takes what the cores have seen since the last step.
    pub(super) fn take_seen(&mut self) {
        self.last_seen.clear();
        if !self.watches {
            return;
        }
        for core in &mut self.cores {
            let seen = core.seen_accesses.as_mut().map(std::mem::take);
            let seen = seen.into_iter().flatten().map(|seen| (core.id, seen));
            self.last_seen.extend(seen);
        }
        for (core, seen) in &self.last_seen {
            if !seen.access.dir.writes() {
                continue;
            }
            let owner = (seen.access.space != Space::Gm).then_some(*core);
            for (start, len) in seen.access.pieces() {
                let writer = Writer {
                    start,
                    end: start.saturating_add(len),
                    core: *core,
                    pc: seen.pc,
                };
                self.writers.note((owner, seen.access.space), writer);
            }
        }
    }

    /// Who last wrote the bytes of a range, piece by piece, since [`Machine::watch_memory`]. Any core will do for global
    /// memory.
    pub fn last_writers(&self, core: CoreId, space: Space, start: u64, end: u64) -> Vec<Writer> {
        let owner = (space != Space::Gm).then_some(core);
        self.writers.of((owner, space), start, end)
    }
}

/// The first instructions of a source line, in each section that has some.
pub fn pcs_of_line(object: &Object, file: &str, line: u32) -> Vec<(CoreKind, u32)> {
    let kinds = [CoreKind::Cube, CoreKind::Vector].into_iter();
    let pcs = kinds.flat_map(|kind| {
        let rows = object.lines(kind).iter();
        let here = rows.filter(move |row| {
            let name = object.files.get(row.file as usize);
            row.line == line && name.is_some_and(|name| name == file)
        });
        here.map(move |row| (kind, row.pc))
    });
    pcs.collect()
}

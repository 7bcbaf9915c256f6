//! Live ranges: when each buffer holds something, on one line per core kind.
//!
//! Operations are numbered in program order, phase after phase. A generation lives from its `Next` to its last access,
//! extended to the end of every loop that contains an access but not the `Next`.

use std::collections::BTreeMap;

use cranelift_entity::EntityRef;
use ir::tile::{Block, Buf, Func, Inst, Op};
use isa::types::{CoreKind, Pipe};

use super::access::{self, Place};

/// When a buffer is alive in one phase, and who touches it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The phase.
    pub phase: usize,
    /// Number of the first operation.
    pub start: u32,
    /// Number of the last operation, inclusive.
    pub end: u32,
    /// Pipes that touch it, ascending.
    pub pipes: Vec<Pipe>,
    /// Whether DMA fills it once, outside of loops, and the vector unit alone touches it from then on.
    pub handed_over: bool,
}

impl Range {
    /// Whether the vector unit alone touches the buffer, so that its own program order is the order of time.
    pub fn is_vector_only(&self) -> bool {
        self.pipes == [Pipe::V]
    }
}

/// What the planner knows of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// The buffer.
    pub buf: Buf,
    /// The kind of core that has it.
    pub core: CoreKind,
    /// One range per phase that uses it.
    pub ranges: Vec<Range>,
}

impl Life {
    /// Whether two buffers of one space may never share bytes.
    ///
    /// Pipes run ahead of each other, so a buffer that several pipes touch keeps its place for a whole phase; a
    /// temporary of the vector unit alone only while it lives. What DMA has handed over to the vector unit may be followed
    /// by such a temporary, which the unit writes after its last use of it.
    pub fn conflicts(&self, other: &Life) -> bool {
        self.ranges
            .iter()
            .any(|a| other.ranges.iter().any(|b| meet(a, b)))
    }
}

fn meet(a: &Range, b: &Range) -> bool {
    if a.phase != b.phase {
        return false;
    }
    match (a.is_vector_only(), b.is_vector_only()) {
        (true, true) => a.start <= b.end && b.start <= a.end,
        (true, false) if b.handed_over => a.start <= b.end,
        (false, true) if a.handed_over => b.start <= a.end,
        (true | false, true | false) => true,
    }
}

/// The operation that touches a buffer first.
#[derive(Clone, Debug)]
pub(super) struct Birth {
    pub(super) inst: Inst,
    pub(super) clock: u32,
    /// Loops around the latest `Next` of the buffer, if the operation itself stands in as many.
    pub(super) depth: Option<usize>,
    /// The same for all buffers that have been turned.
    pub(super) depth_of: BTreeMap<Buf, Option<usize>>,
}

/// First touches, in the order of declaration, which is that of creation.
pub(super) type Births = BTreeMap<Buf, Birth>;

/// The lives of all buffers that are used, in the order of declaration.
pub fn lives(func: &Func) -> Vec<Life> {
    lives_and_births(func).0
}

/// The lives of all buffers that are used, and the operations that touch each first.
pub(super) fn lives_and_births(func: &Func) -> (Vec<Life>, Births) {
    let mut births = Births::new();
    let mut lives: BTreeMap<usize, Life> = BTreeMap::new();
    let mut clock = 0;
    for (phase, core, root) in access::roots(func) {
        let mut walk = Walk {
            func,
            clock,
            loops: Vec::new(),
            ranges: BTreeMap::new(),
            level: BTreeMap::new(),
            births: std::mem::take(&mut births),
        };
        walk.block(root);
        clock = walk.clock;
        births = std::mem::take(&mut walk.births);
        // What turns and is not touched needs no place.
        let touched = walk
            .ranges
            .into_iter()
            .filter(|(_, held)| !held.pipes.is_empty());
        for (buf, held) in touched {
            let buf = Buf::new(buf);
            let life = lives.entry(buf.index()).or_insert_with(|| Life {
                buf,
                core,
                ranges: Vec::new(),
            });
            life.ranges.push(Range {
                phase,
                start: held.start,
                end: held.end,
                handed_over: held.is_handed_over(),
                pipes: held.pipes,
            });
        }
    }
    (lives.into_values().collect(), births)
}

/// What is known of a buffer in one phase.
#[derive(Default)]
struct Held {
    start: u32,
    end: u32,
    pipes: Vec<Pipe>,
    turns: u32,
    /// DMA touches it inside of a loop, or after the vector unit.
    taken_back: bool,
}

impl Held {
    fn is_handed_over(&self) -> bool {
        self.turns == 1 && !self.taken_back && self.pipes == [Pipe::V, Pipe::Mte2]
    }
}

struct Walk<'f> {
    func: &'f Func,
    clock: u32,
    /// For each open loop the buffers that live to its end.
    loops: Vec<Vec<usize>>,
    ranges: BTreeMap<usize, Held>,
    /// Loop depth of the latest `Next` of each buffer.
    level: BTreeMap<usize, usize>,
    births: Births,
}

impl Walk<'_> {
    fn block(&mut self, block: Block) {
        for &inst in &self.func.blocks[block].insts {
            self.clock = self.clock.saturating_add(1);
            let op = &self.func.insts[inst].op;
            if let Op::Next { buf } = op {
                self.level.insert(buf.index(), self.loops.len());
                self.extend(buf.index(), None).turns += 1;
            }
            for access in access::accesses(self.func, op) {
                if let Place::Buf(buf) = access.place {
                    self.note_birth(buf, inst);
                    self.touch(buf.index(), access.pipe);
                }
            }
            if let Op::For { body, .. } = op {
                self.repeat(*body);
            } else {
                op.blocks().into_iter().for_each(|inner| self.block(inner));
            }
        }
    }

    fn note_birth(&mut self, buf: Buf, inst: Inst) {
        if self.births.contains_key(&buf) {
            return;
        }
        let here = self.loops.len();
        let depth = |level: &usize| (*level == here).then_some(here);
        let of = |(buf, level): (&usize, &usize)| (Buf::new(*buf), depth(level));
        let birth = Birth {
            inst,
            clock: self.clock,
            depth: self.level.get(&buf.index()).and_then(depth),
            depth_of: self.level.iter().map(of).collect(),
        };
        self.births.insert(buf, birth);
    }

    fn repeat(&mut self, body: Block) {
        self.loops.push(Vec::new());
        self.block(body);
        self.clock = self.clock.saturating_add(1);
        for buf in self.loops.pop().unwrap_or_default() {
            self.extend(buf, None);
        }
    }

    fn touch(&mut self, buf: usize, pipe: Pipe) {
        let repeated = !self.loops.is_empty();
        let held = self.extend(buf, Some(pipe));
        held.taken_back |= pipe != Pipe::V && (repeated || held.pipes.contains(&Pipe::V));
        let level = self.level.get(&buf).copied().unwrap_or(0);
        if let Some(pending) = self.loops.get_mut(level)
            && !pending.contains(&buf)
        {
            pending.push(buf);
        }
    }

    fn extend(&mut self, buf: usize, pipe: Option<Pipe>) -> &mut Held {
        let clock = self.clock;
        let held = self.ranges.entry(buf).or_insert_with(|| Held {
            start: clock,
            ..Held::default()
        });
        held.end = clock;
        if let Some(pipe) = pipe
            && let Err(at) = held.pipes.binary_search(&pipe)
        {
            held.pipes.insert(at, pipe);
        }
        held
    }
}

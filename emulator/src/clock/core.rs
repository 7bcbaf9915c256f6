//! One core's time: its scalar unit, its queues, and the copies under way.

use std::collections::{BTreeMap, VecDeque};

use isa::chip::Chip;
use isa::types::Pipe;

use super::memory::{Memory, Piece, Port};
use super::{Post, PostWhat, TICKS, TraceSpan};
use crate::core::Flags;
use crate::fault::CoreId;
use crate::stream::{Event, Stream, Traffic, What};

/// Bytes of a copy that take bandwidth in one piece: the grain at which cores share it (we choose).
const PIECE_BYTES: u64 = 4096;

/// How a pipe spent its time, in cycles.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PipeTime {
    /// Executing, the start after idleness and waits for bandwidth and for blocks of the other side of the unit flag
    /// included.
    pub(crate) busy: u64,
    /// Of those, beyond what the pipe alone would need.
    pub(crate) memory: u64,
    /// Idle because its queue was empty.
    pub(crate) starved: u64,
    /// Idle because of a flag.
    pub(crate) flag: u64,
    /// Idle because of a barrier.
    pub(crate) barrier: u64,
    /// Idle because of another core.
    pub(crate) cross: u64,
}

/// The times of one core.
#[derive(Clone, Debug)]
pub(crate) struct CoreTime {
    pub(crate) end: u64,
    pub(crate) pipes: [PipeTime; 7],
}

/// Why a queue's front is as late as it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Cause {
    Queue,
    Flag,
    Barrier,
    Cross,
}

/// An instruction in a queue.
#[derive(Copy, Clone, Debug)]
struct Item {
    event: usize,
    dispatched: u64,
    /// Instructions that cube and fixpipe had got before: what the unit flag waits for.
    cube: u64,
    fix: u64,
}

/// A copy under way, with all that its pieces ask for in one place.
#[derive(Copy, Clone, Debug)]
struct Transfer {
    event: Event,
    traffic: Traffic,
    begin: u64,
    row: u64,
    offset: u64,
    missed: bool,
    /// Bytes of the latest piece, and the ticks that the pipe alone would need for them.
    alone: (u64, u64),
}

/// One pipe.
#[derive(Clone, Debug)]
struct Queue {
    items: VecDeque<Item>,
    pushed: u64,
    /// When the last instructions left the queue.
    starts: VecDeque<u64>,
    issued: u64,
    finished: u64,
    /// Nothing behind the front begins earlier.
    gate: u64,
    cause: Cause,
    /// Begin of the last work, and end of its occupancy.
    last: u64,
    end: u64,
    /// When everything so far is visible.
    done: u64,
    transfer: Option<Transfer>,
    time: PipeTime,
}

impl Queue {
    fn new() -> Queue {
        Queue {
            items: VecDeque::new(),
            pushed: 0,
            starts: VecDeque::new(),
            issued: 0,
            finished: 0,
            gate: 0,
            cause: Cause::Queue,
            last: 0,
            end: 0,
            done: 0,
            transfer: None,
            time: PipeTime::default(),
        }
    }

    /// When a further instruction may enter; none while that is not known.
    fn slot(&self, depth: u64) -> Option<u64> {
        let Some(before) = self.pushed.checked_sub(depth) else {
            return Some(0);
        };
        let oldest = self.issued - self.starts.len() as u64;
        match before < self.issued {
            true => Some(
                before
                    .checked_sub(oldest)
                    .map_or(0, |at| self.starts[at as usize]),
            ),
            false => None,
        }
    }

    /// Notes that the front has left the queue.
    fn issue(&mut self, at: u64, depth: u64) {
        self.issued += 1;
        self.starts.push_back(at);
        if self.starts.len() as u64 > depth {
            self.starts.pop_front();
        }
    }

    /// Removes the front, which is over.
    fn finish(&mut self) {
        self.items.pop_front();
        self.finished += 1;
    }

    /// Delays the front for a reason.
    fn hold(&mut self, ready: u64, until: u64, cause: Cause) {
        if until > ready {
            self.cause = cause;
        }
        self.gate = ready.max(until);
    }

    /// Lets the front be under way, but no further than its start, until some time.
    fn occupy(&mut self, dispatched: u64, until: u64) {
        let from = self.begin(dispatched, 0);
        self.end = from.max(until);
        self.gate = self.end;
        self.time.busy += self.end - from;
    }

    /// When work that is ready may begin; the idle time before it goes to its cause.
    fn begin(&mut self, dispatched: u64, head: u64) -> u64 {
        let ready = self.gate.max(dispatched);
        let begin = self.end.max(ready + head);
        // What of the head is paid is work already.
        let started = begin - self.end.max(ready);
        let idle = begin - self.end - started;
        self.time.busy += started;
        let cause = if dispatched > self.gate {
            Cause::Queue
        } else {
            self.cause
        };
        match cause {
            Cause::Queue => self.time.starved += idle,
            Cause::Flag => self.time.flag += idle,
            Cause::Barrier => self.time.barrier += idle,
            Cause::Cross => self.time.cross += idle,
        }
        self.gate = begin;
        self.cause = Cause::Queue;
        self.last = begin;
        begin
    }
}

/// One core.
#[derive(Debug)]
pub(super) struct CoreSim<'a> {
    pub(super) id: CoreId,
    pub(super) counters: [VecDeque<u64>; 16],
    /// Sets that wait for those of the other sources, by sender.
    pending: [BTreeMap<usize, VecDeque<u64>>; 16],
    pub(super) posts: Vec<Post>,
    number: usize,
    stream: &'a Stream<'a>,
    chip: &'a Chip,
    depth: u64,
    at: usize,
    gap_taken: bool,
    scalar: u64,
    scalar_time: PipeTime,
    queues: [Queue; 7],
    flags: Flags<VecDeque<u64>>,
    port: Port,
    keep_trace: bool,
    trace: Vec<TraceSpan>,
}

impl<'a> CoreSim<'a> {
    pub(super) fn new(
        number: usize,
        id: CoreId,
        stream: &'a Stream<'a>,
        chip: &'a Chip,
        keep_trace: bool,
    ) -> Self {
        CoreSim {
            id,
            counters: Default::default(),
            pending: Default::default(),
            posts: Vec::new(),
            number,
            stream,
            chip,
            depth: chip.sync.queue_depth.max(1),
            at: 0,
            gap_taken: false,
            scalar: 0,
            scalar_time: PipeTime::default(),
            queues: std::array::from_fn(|_| Queue::new()),
            flags: Flags::default(),
            port: Port::new(chip),
            keep_trace,
            trace: Vec::new(),
        }
    }

    /// Goes on until nothing can without others.
    pub(super) fn advance(&mut self) {
        let mut moving = true;
        while moving {
            moving = false;
            while self.step_scalar() {
                moving = true;
            }
            for pipe in &Pipe::ALL[1..] {
                while self.step_pipe(*pipe) {
                    moving = true;
                }
            }
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.at == self.stream.events.len() && self.queues.iter().all(|q| q.items.is_empty())
    }

    pub(super) fn into_time(self) -> (CoreTime, Vec<TraceSpan>) {
        let mut pipes = [PipeTime::default(); 7];
        for (time, queue) in pipes.iter_mut().zip(&self.queues) {
            *time = queue.time;
        }
        pipes[Pipe::S.index()] = self.scalar_time;
        let end = self
            .queues
            .iter()
            .map(|q| q.done.max(q.gate))
            .max()
            .unwrap_or(0);
        let time = CoreTime {
            end: end.max(self.scalar),
            pipes,
        };
        (time, self.trace)
    }

    /// Takes the scalar unit one event further.
    fn step_scalar(&mut self) -> bool {
        let Some(&event) = self.stream.events.get(self.at) else {
            return false;
        };
        if !self.gap_taken {
            self.scalar += u64::from(event.gap);
            self.scalar_time.busy += u64::from(event.gap);
            self.gap_taken = true;
        }
        let went_on = match event.pipe {
            Pipe::S => self.scalar_event(&event),
            pipe @ (Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix) => {
                self.dispatch(&event, pipe)
            }
        };
        if went_on {
            self.at += 1;
            self.gap_taken = false;
        }
        went_on
    }

    /// Puts an instruction into its queue, at one a cycle.
    fn dispatch(&mut self, event: &Event, pipe: Pipe) -> bool {
        let counts = |pipe: Pipe| self.queues[pipe.index()].pushed;
        let (cube, fix) = (counts(Pipe::M), counts(Pipe::Fix));
        let queue = &mut self.queues[pipe.index()];
        let Some(slot) = queue.slot(self.depth) else {
            return false;
        };
        debug_assert!(event.pipe == pipe, "an event names its queue");
        self.scalar_time.starved += slot.saturating_sub(self.scalar);
        self.scalar = self.scalar.max(slot) + self.chip.scalar.alu;
        self.scalar_time.busy += self.chip.scalar.alu;
        queue.items.push_back(Item {
            event: self.at,
            dispatched: self.scalar,
            cube,
            fix,
        });
        queue.pushed += 1;
        true
    }

    /// An event of the scalar unit itself.
    fn scalar_event(&mut self, event: &Event) -> bool {
        let occ = u64::from(event.occ);
        let from = self.scalar;
        match event.what {
            What::WaitFlag => {
                let Some(at) = self.flags.at(usize::from(event.extra)).pop_front() else {
                    return false;
                };
                self.scalar_time.flag += at.saturating_sub(from);
                self.scalar = from.max(at);
            }
            What::SetFlag => self
                .flags
                .at(usize::from(event.extra))
                .push_back(from + occ),
            What::BarAll => {
                if self.queues.iter().any(|q| q.finished < q.pushed) {
                    return false;
                }
                let drained = self
                    .queues
                    .iter()
                    .map(|q| q.done.max(q.gate))
                    .max()
                    .unwrap_or(0);
                self.scalar_time.barrier += drained.saturating_sub(from);
                self.scalar = from.max(drained);
            }
            What::Xset => self.post_set(event, from),
            What::Xwait => {
                let Some(at) = self.take_counter(event) else {
                    return false;
                };
                self.scalar_time.cross += at.saturating_sub(from);
                self.scalar = from.max(at);
            }
            What::Work
            | What::UnitWork
            | What::Copy
            | What::UnitCopy
            | What::Bar
            | What::Scalar => {}
        }
        self.scalar += occ;
        self.scalar_time.busy += occ;
        true
    }

    /// Takes the front of a queue as far as it goes; false if there is none or it waits.
    fn step_pipe(&mut self, pipe: Pipe) -> bool {
        let queue = &self.queues[pipe.index()];
        let Some(&item) = queue.items.front() else {
            return false;
        };
        if queue.transfer.is_some() {
            return false;
        }
        let event = self.stream.events[item.event];
        let ready = queue.gate.max(item.dispatched);
        let (occ, done) = (u64::from(event.occ), queue.done);
        match event.what {
            What::UnitWork | What::UnitCopy => {
                let Some(at) = self.unit_ready(pipe, &item) else {
                    return false;
                };
                let queue = &mut self.queues[pipe.index()];
                match pipe {
                    // A drain is under way while it waits for the blocks of the cube.
                    Pipe::Fix => queue.occupy(item.dispatched, at),
                    Pipe::S | Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 => {
                        queue.hold(ready, at, Cause::Flag);
                    }
                }
                self.work(pipe, item, &event);
                return true;
            }
            What::Work | What::Copy | What::Scalar => {
                self.work(pipe, item, &event);
                return true;
            }
            What::SetFlag => {
                self.flags
                    .at(usize::from(event.extra))
                    .push_back(ready.max(done) + occ);
                self.queues[pipe.index()].gate = ready;
            }
            What::WaitFlag => {
                let Some(at) = self.flags.at(usize::from(event.extra)).pop_front() else {
                    return false;
                };
                self.queues[pipe.index()].hold(ready, at, Cause::Flag);
                self.queues[pipe.index()].gate += occ;
            }
            What::Bar | What::BarAll => {
                self.queues[pipe.index()].hold(ready, done, Cause::Barrier);
                self.queues[pipe.index()].gate += occ;
            }
            What::Xset => {
                self.post_set(&event, ready.max(done));
                self.queues[pipe.index()].gate = ready;
            }
            What::Xwait => {
                let Some(at) = self.take_counter(&event) else {
                    return false;
                };
                self.queues[pipe.index()].hold(ready, at, Cause::Cross);
                self.queues[pipe.index()].gate += occ;
            }
        }
        let queue = &mut self.queues[pipe.index()];
        queue.issue(queue.gate, self.depth);
        queue.finish();
        true
    }

    /// When the other side of the unit flag has done its first block of what it got before; none while that is not known.
    /// There is a flag a block, so each side follows the other through the tile.
    fn unit_ready(&self, pipe: Pipe, item: &Item) -> Option<u64> {
        let (other, needed) = match pipe {
            Pipe::M => (Pipe::Fix, item.fix),
            Pipe::S | Pipe::V | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix => {
                (Pipe::M, item.cube)
            }
        };
        let queue = &self.queues[other.index()];
        (queue.finished >= needed).then_some(queue.last)
    }

    /// With the unit flag on no side ends before the other has.
    fn unit_end(&self, pipe: Pipe, event: &Event) -> u64 {
        match (event.what, pipe) {
            (What::UnitWork | What::UnitCopy, Pipe::M) => self.queues[Pipe::Fix.index()].end,
            (What::UnitWork | What::UnitCopy, _) => self.queues[Pipe::M.index()].done,
            (
                What::Work
                | What::Copy
                | What::SetFlag
                | What::WaitFlag
                | What::Bar
                | What::BarAll
                | What::Xset
                | What::Xwait
                | What::Scalar,
                _,
            ) => 0,
        }
    }

    /// Begins the work at the front of a queue, and ends it unless it is a copy.
    fn work(&mut self, pipe: Pipe, item: Item, event: &Event) {
        let traffic = self.traffic(event);
        let other_end = self.unit_end(pipe, event);
        let queue = &mut self.queues[pipe.index()];
        let begin = queue.begin(item.dispatched, u64::from(event.head));
        queue.issue(begin, self.depth);
        if let Some(&traffic) = traffic {
            queue.transfer = Some(Transfer {
                event: *event,
                traffic,
                begin,
                row: 0,
                offset: 0,
                missed: false,
                alone: (0, 0),
            });
            self.posts.push(Post {
                at: (begin + u64::from(traffic.setup)) * TICKS,
                core: self.number as u32,
                what: PostWhat::Piece(pipe),
            });
            return;
        }
        let end = begin + u64::from(event.occ);
        queue.end = end.max(other_end);
        queue.time.flag += queue.end - end;
        queue.done = queue.done.max(queue.end + u64::from(event.tail));
        queue.time.busy += u64::from(event.occ);
        queue.finish();
        let ended = queue.end;
        self.note(pipe, event.pc, begin, ended);
    }

    /// What a copy moves; none if it moves nothing.
    fn traffic(&self, event: &Event) -> Option<&'a Traffic> {
        let traffic = match event.what {
            What::Copy | What::UnitCopy => self.stream.traffic.get(event.arg as usize)?,
            What::Work
            | What::UnitWork
            | What::SetFlag
            | What::WaitFlag
            | What::Bar
            | What::BarAll
            | What::Xset
            | What::Xwait
            | What::Scalar => return None,
        };
        (traffic.rows > 0 && traffic.row_bytes > 0).then_some(traffic)
    }

    /// Moves the next piece of a copy; when the one after it comes, none after the last.
    pub(super) fn transfer(&mut self, pipe: Pipe, at: u64, memory: &mut Memory) -> Option<u64> {
        let queue = &mut self.queues[pipe.index()];
        let copy = queue.transfer.as_mut()?;
        let (event, traffic) = (copy.event, copy.traffic);
        let (rows, row_bytes) = (u64::from(traffic.rows), u64::from(traffic.row_bytes));
        let piece = next_piece(copy, rows, row_bytes);
        let served = memory.serve(at, self.number, &traffic, piece);
        let bytes = piece.rows * piece.bytes;
        let port_end = self.port.serve(at, traffic.path, bytes);
        let occ = u64::from(event.occ);
        if bytes != copy.alone.0 {
            let moving = occ - u64::from(traffic.setup).min(occ);
            copy.alone = (bytes, moving * TICKS * bytes / (rows * row_bytes));
        }
        let alone = copy.alone.1;
        let end = served.end.max(port_end).max(at + alone);
        copy.missed |= served.missed;
        copy.offset += piece.bytes;
        if copy.offset >= row_bytes {
            copy.offset = 0;
            copy.row += piece.rows;
        }
        if copy.row < rows {
            return Some(end);
        }
        let copy = *copy;
        let other_end = self.unit_end(pipe, &event);
        let queue = &mut self.queues[pipe.index()];
        queue.transfer = None;
        queue.end = end.div_ceil(TICKS).max(copy.begin + occ).max(other_end);
        let extra = if copy.missed && !traffic.write {
            memory.miss_extra
        } else {
            0
        };
        queue.done = queue.done.max(queue.end + u64::from(event.tail) + extra);
        let took = queue.end - copy.begin;
        queue.time.busy += took;
        queue.time.memory += took - occ;
        queue.finish();
        let ended = queue.end;
        self.note(pipe, event.pc, copy.begin, ended);
        None
    }

    fn note(&mut self, pipe: Pipe, pc: u32, begin: u64, end: u64) {
        if self.keep_trace {
            self.trace.push(TraceSpan {
                core: self.id,
                pipe,
                pc,
                begin,
                end,
            });
        }
    }

    fn post_set(&mut self, event: &Event, at: u64) {
        self.posts.push(Post {
            at: (at + u64::from(event.occ) + u64::from(event.tail)) * TICKS,
            core: self.number as u32,
            what: PostWhat::Set((event.extra / 16) as u8, (event.extra % 16) as u8),
        });
    }

    /// Takes a cross-core set; a counter goes up when every source of the mode has set it once more.
    pub(super) fn receive(&mut self, from: usize, mode: u8, id: u8, at: u64) {
        let sources = self.stream.sources(mode);
        let pending = &mut self.pending[usize::from(id)];
        pending.entry(from).or_default().push_back(at);
        if pending.len() == sources && pending.values().all(|sets| !sets.is_empty()) {
            let last = pending.values_mut().filter_map(VecDeque::pop_front).max();
            self.counters[usize::from(id)].extend(last);
        }
    }

    /// Takes one step of a counter; when it came.
    fn take_counter(&mut self, event: &Event) -> Option<u64> {
        self.counters[usize::from(event.extra % 16)].pop_front()
    }
}

/// The next part of a copy: rows up to the grain, or a part of a long row.
fn next_piece(copy: &Transfer, rows: u64, row_bytes: u64) -> Piece {
    if row_bytes > PIECE_BYTES {
        return Piece {
            row: copy.row,
            rows: 1,
            offset: copy.offset,
            bytes: PIECE_BYTES.min(row_bytes - copy.offset),
        };
    }
    Piece {
        row: copy.row,
        rows: (PIECE_BYTES / row_bytes).min(rows - copy.row),
        offset: 0,
        bytes: row_bytes,
    }
}

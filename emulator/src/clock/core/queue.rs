//! One pipe of a core: what waits in its queue, when its work begins, and where its time goes.

use super::copy::Transfer;

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

/// Why a queue's front is as late as it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Queue,
    Flag,
    Barrier,
    Cross,
}

/// An instruction in a queue.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Item {
    /// Its number in the stream.
    pub(super) event: u32,
    /// Its entry in the list of traffic, if it is a copy.
    pub(super) copy: u32,
    pub(super) dispatched: u64,
    /// Instructions that cube and fixpipe had got before: what the unit flag waits for.
    pub(super) cube: u64,
    pub(super) fix: u64,
}

/// One pipe.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// What waits, by its number in the queue modulo the length.
    items: Vec<Item>,
    /// Number of the front in the order in which instructions came to stand here, and that of the next to come.
    front: u64,
    back: u64,
    pub(super) pushed: u64,
    /// When the latest instructions left the queue, by their numbers modulo the length; as many as it has places at least,
    /// and none before the first.
    starts: Vec<u64>,
    depth: u64,
    pub(super) issued: u64,
    pub(super) finished: u64,
    /// Nothing behind the front begins earlier.
    pub(super) gate: u64,
    pub(super) cause: Cause,
    /// Begin of the last work, and end of its occupancy.
    pub(super) last: u64,
    pub(super) end: u64,
    /// When everything so far is visible.
    pub(super) done: u64,
    pub(super) transfer: Option<Transfer>,
    pub(super) time: PipeTime,
}

impl Queue {
    /// An empty one of so many places.
    pub(super) fn new(depth: u64) -> Queue {
        Queue {
            items: Vec::new(),
            front: 0,
            back: 0,
            pushed: 0,
            starts: Vec::new(),
            depth,
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

    /// Whether nothing stands here.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.front == self.back
    }

    /// The front.
    #[inline]
    pub(super) fn front(&self) -> Option<&Item> {
        match self.is_empty() {
            true => None,
            false => self.items.get(self.front as usize & (self.items.len() - 1)),
        }
    }

    /// Lets an instruction stand here.
    #[inline]
    pub(super) fn push(&mut self, item: Item) {
        if self.back - self.front == self.items.len() as u64 {
            self.grow();
        }
        let place = self.back as usize & (self.items.len() - 1);
        self.items[place] = item;
        self.back += 1;
    }

    #[cold]
    fn grow(&mut self) {
        let length = (2 * self.items.len()).max(16);
        let mut items = vec![Item::default(); length];
        for number in self.front..self.back {
            let old = self.items[number as usize & (self.items.len() - 1)];
            items[number as usize & (length - 1)] = old;
        }
        self.items = items;
    }

    /// When a further instruction may enter; none while that is not known.
    pub(super) fn slot(&self) -> Option<u64> {
        let Some(before) = self.pushed.checked_sub(self.depth) else {
            return Some(0);
        };
        let at = || self.starts[before as usize & (self.starts.len() - 1)];
        (before < self.issued).then(at)
    }

    /// Notes that the front has left the queue.
    #[inline]
    pub(super) fn issue(&mut self, at: u64) {
        if self.starts.is_empty() {
            self.starts = vec![0; self.depth.next_power_of_two() as usize];
        }
        let place = self.issued as usize & (self.starts.len() - 1);
        self.starts[place] = at;
        self.issued += 1;
    }

    /// Removes the front, which is over.
    #[inline]
    pub(super) fn finish(&mut self) {
        self.front += u64::from(!self.is_empty());
        self.finished += 1;
    }

    /// Delays the front for a reason.
    pub(super) fn hold(&mut self, ready: u64, until: u64, cause: Cause) {
        if until > ready {
            self.cause = cause;
        }
        self.gate = ready.max(until);
    }

    /// Lets the front be under way, but no further than its start, until some time.
    pub(super) fn occupy(&mut self, dispatched: u64, until: u64) {
        let from = self.begin(dispatched, 0);
        self.end = from.max(until);
        self.gate = self.end;
        self.time.busy += self.end - from;
    }

    /// When work that is ready may begin; the idle time before it goes to its cause.
    pub(super) fn begin(&mut self, dispatched: u64, head: u64) -> u64 {
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

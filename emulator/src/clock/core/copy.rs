//! Copies under way: in which pieces they take bandwidth, and when they end.

use isa::types::Pipe;

use super::CoreSim;
use crate::clock::TICKS;
use crate::clock::lines::Rows;
use crate::clock::memory::{Memory, PIECE_BYTES, Piece, Taken};
use crate::clock::record::{Resource, Waits, longest};
use crate::stream::{Kind, Traffic, What};

/// A copy under way, with all that its pieces ask for in one place.
#[derive(Copy, Clone, Debug)]
pub(super) struct Transfer {
    kind: Kind,
    traffic: Traffic,
    begin: u64,
    /// The next piece.
    piece: Piece,
    missed: bool,
    /// Rows of a piece; a part of one, if one is more than a piece.
    piece_rows: u64,
    /// How the rows lie in L2's lines, if they lie alike.
    rows: Option<Rows>,
    taken: Taken,
    /// Bytes of the latest piece, and the ticks that the pipe alone would need for them.
    alone: (u64, u64),
    /// Ticks beyond what the pipe alone would need, by what they were spent on; counted for a record.
    waits: Waits,
}

impl Transfer {
    pub(super) fn new(kind: &Kind, traffic: Traffic, begin: u64) -> Transfer {
        Transfer {
            kind: *kind,
            traffic,
            begin,
            piece: Piece {
                row: 0,
                rows: 0,
                offset: 0,
                bytes: 0,
            },
            missed: false,
            piece_rows: (PIECE_BYTES / u64::from(traffic.row_bytes).max(1)).max(1),
            rows: None,
            taken: Taken::default(),
            alone: (0, 0),
            waits: Waits::default(),
        }
    }

    /// Makes the first piece ready.
    #[cold]
    fn start(&mut self, memory: &mut Memory) {
        self.rows = memory.rows(&self.traffic, self.piece_rows);
        self.cut();
    }

    /// Cuts the next piece where the one before it ends: rows up to the grain, or a part of a long row.
    #[inline]
    fn cut(&mut self) {
        let rows = u64::from(self.traffic.rows);
        let row_bytes = u64::from(self.traffic.row_bytes);
        let piece = &mut self.piece;
        if row_bytes > PIECE_BYTES {
            piece.rows = 1;
            piece.bytes = PIECE_BYTES.min(row_bytes - piece.offset);
        } else {
            piece.rows = self.piece_rows.min(rows - piece.row);
            piece.bytes = row_bytes;
        }
    }

    /// Goes on behind a piece; false if it was the last.
    #[inline]
    fn go_on(&mut self) -> bool {
        let row_bytes = u64::from(self.traffic.row_bytes);
        let piece = &mut self.piece;
        piece.offset += piece.bytes;
        if piece.offset >= row_bytes {
            piece.offset = 0;
            piece.row += piece.rows;
        }
        let more = piece.row < u64::from(self.traffic.rows);
        if more {
            self.cut();
        }
        more
    }

    /// Ticks that the pipe alone needs for a piece.
    #[inline]
    fn ticks_alone(&mut self, bytes: u64) -> u64 {
        if bytes != self.alone.0 {
            let (occ, setup) = (u64::from(self.kind.occ), u64::from(self.traffic.setup));
            let all = u64::from(self.traffic.rows) * u64::from(self.traffic.row_bytes);
            self.alone = (bytes, (occ - setup.min(occ)) * TICKS * bytes / all);
        }
        self.alone.1
    }
}

impl<'a> CoreSim<'a> {
    /// What a copy moves; none if it moves nothing.
    pub(super) fn traffic(&self, kind: &Kind, pipe: Pipe) -> Option<&'a Traffic> {
        let traffic = match kind.what {
            What::Copy | What::UnitCopy => {
                let item = self.queues[pipe.index()].front()?;
                self.stream.traffic.get(item.copy as usize)?
            }
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
    pub(in crate::clock) fn transfer(
        &mut self,
        pipe: Pipe,
        at: u64,
        memory: &mut Memory,
    ) -> Option<u64> {
        let copy = self.queues[pipe.index()].transfer.as_mut()?;
        if copy.piece.rows == 0 {
            copy.start(memory);
        }
        let lies = (&copy.traffic, copy.rows.as_mut());
        let served = memory.serve(at, self.number, lies, &copy.piece, &mut copy.taken);
        let bytes = copy.piece.rows * copy.piece.bytes;
        let port_end = self.port.serve(at, copy.traffic.path, bytes);
        let alone = at + copy.ticks_alone(bytes);
        let end = served.end.max(port_end).max(alone);
        if self.record.is_wanted() {
            let resource = if served.end > port_end {
                memory.binding()
            } else {
                Resource::Port
            };
            copy.waits[resource as usize] += end - alone;
        }
        copy.missed |= served.missed;
        if copy.go_on() {
            memory.expect(&copy.traffic, copy.rows.as_ref(), &copy.piece);
            return Some(end);
        }
        self.end_copy(pipe, end, memory.miss_extra);
        None
    }

    /// Ends a copy whose last piece has been moved.
    #[inline(never)]
    fn end_copy(&mut self, pipe: Pipe, end: u64, miss_extra: u64) {
        let Some(copy) = &self.queues[pipe.index()].transfer else {
            return;
        };
        let (kind, begin, waits) = (copy.kind, copy.begin, copy.waits);
        let late = copy.missed && !copy.traffic.write;
        let occ = u64::from(kind.occ);
        let other_end = self.unit_end(pipe, &kind);
        let queue = &mut self.queues[pipe.index()];
        queue.transfer = None;
        queue.end = end.div_ceil(TICKS).max(begin + occ).max(other_end);
        let extra = if late { miss_extra } else { 0 };
        queue.done = queue.done.max(queue.end + u64::from(kind.tail) + extra);
        let took = queue.end - begin;
        queue.time.busy += took;
        queue.time.memory += took - occ;
        let ended = queue.end;
        if let Some(item) = queue.front()
            && let Some(times) = self.record.at(item.event as usize)
        {
            times.end = ended;
            times.done = queue.done;
            times.waited = longest(&waits);
        }
        self.over(pipe);
        self.wake(pipe);
        self.note(pipe, kind.pc, begin, ended);
    }
}

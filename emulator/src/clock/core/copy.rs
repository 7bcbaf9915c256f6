//! Copies under way: in which pieces they take bandwidth, and when they end.

use isa::types::Pipe;

use super::CoreSim;
use crate::clock::TICKS;
use crate::clock::memory::{Memory, Piece};
use crate::clock::record::{Resource, Waits, longest};
use crate::stream::{Kind, Traffic, What};

/// Bytes of a copy that take bandwidth in one piece: the grain at which cores share it (we choose).
const PIECE_BYTES: u64 = 4096;

/// A copy under way, with all that its pieces ask for in one place.
#[derive(Copy, Clone, Debug)]
pub(super) struct Transfer {
    kind: Kind,
    traffic: Traffic,
    begin: u64,
    row: u64,
    offset: u64,
    missed: bool,
    /// Rows of a piece; a part of one, if one is more than a piece.
    piece_rows: u64,
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
            row: 0,
            offset: 0,
            missed: false,
            piece_rows: (PIECE_BYTES / u64::from(traffic.row_bytes).max(1)).max(1),
            alone: (0, 0),
            waits: Waits::default(),
        }
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
        let queue = &mut self.queues[pipe.index()];
        let copy = queue.transfer.as_mut()?;
        let (rows, row_bytes) = (
            u64::from(copy.traffic.rows),
            u64::from(copy.traffic.row_bytes),
        );
        let piece = next_piece(copy, rows, row_bytes);
        let served = memory.serve(at, self.number, &copy.traffic, piece);
        let bytes = piece.rows * piece.bytes;
        let port_end = self.port.serve(at, copy.traffic.path, bytes);
        let occ = u64::from(copy.kind.occ);
        if bytes != copy.alone.0 {
            let moving = occ - u64::from(copy.traffic.setup).min(occ);
            copy.alone = (bytes, moving * TICKS * bytes / (rows * row_bytes));
        }
        let alone = copy.alone.1;
        let end = served.end.max(port_end).max(at + alone);
        if self.record.is_wanted() {
            let resource = if served.end > port_end {
                memory.binding()
            } else {
                Resource::Port
            };
            copy.waits[resource as usize] += end - (at + alone);
        }
        copy.missed |= served.missed;
        copy.offset += piece.bytes;
        if copy.offset >= row_bytes {
            copy.offset = 0;
            copy.row += piece.rows;
        }
        if copy.row < rows {
            memory.expect(&copy.traffic, next_piece(copy, rows, row_bytes));
            return Some(end);
        }
        let copy = *copy;
        let (kind, traffic) = (copy.kind, copy.traffic);
        let other_end = self.unit_end(pipe, &kind);
        let queue = &mut self.queues[pipe.index()];
        queue.transfer = None;
        queue.end = end.div_ceil(TICKS).max(copy.begin + occ).max(other_end);
        let extra = if copy.missed && !traffic.write {
            memory.miss_extra
        } else {
            0
        };
        queue.done = queue.done.max(queue.end + u64::from(kind.tail) + extra);
        let took = queue.end - copy.begin;
        queue.time.busy += took;
        queue.time.memory += took - occ;
        let ended = queue.end;
        if let Some(item) = queue.front()
            && let Some(times) = self.record.at(item.event as usize)
        {
            times.end = ended;
            times.done = queue.done;
            times.waited = longest(&copy.waits);
        }
        self.over(pipe);
        self.wake(pipe);
        self.note(pipe, kind.pc, copy.begin, ended);
        None
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
        rows: copy.piece_rows.min(rows - copy.row),
        offset: 0,
        bytes: row_bytes,
    }
}

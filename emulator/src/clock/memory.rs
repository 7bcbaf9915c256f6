//! L2 and global memory as all cores share them: how long a piece of a copy takes.
//!
//! Bandwidth is served first come, first served. Which sectors are in L2 is for `lines` to know; lines still dirty at the
//! end are not charged (machine.md §6).

use isa::chip::Chip;
use isa::cost::GmPath;

use super::TICKS;
use super::lines::{Lines, Rows, Touched, Visit};
use super::record::{Resource, longest};
use crate::stream::Traffic;

/// Bytes between copies and memory levels.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemoryCounts {
    pub(crate) hbm_read: u64,
    pub(crate) hbm_write: u64,
    pub(crate) l2_bytes: u64,
}

impl MemoryCounts {
    /// Bytes that were in L2 when they were asked for.
    pub(crate) fn l2_hit(self) -> u64 {
        self.l2_bytes - self.hbm_read
    }
}

/// A resource that serves one request after the other.
#[derive(Copy, Clone, Debug)]
struct Server {
    /// When it is free, in ticks.
    free: u64,
    /// Ticks for `unit` bytes.
    ticks: u64,
    unit: u64,
    /// What the latest request took that was served by itself.
    took: Took,
}

impl Server {
    /// A resource of so many MB/s at a clock in MHz.
    fn rate(mbps: u64, clock_mhz: u64) -> Server {
        let unit = mbps.max(1);
        Server {
            free: 0,
            ticks: clock_mhz * TICKS,
            unit,
            took: Took::default(),
        }
    }

    /// When a request of that time and size is done.
    #[inline]
    fn serve(&mut self, at: u64, bytes: u64) -> u64 {
        let mut took = self.took;
        let end = self.serve_again(at, bytes, &mut took);
        self.took = took;
        end
    }

    /// The same; what a request of the size before it took is not reckoned again.
    #[inline]
    fn serve_again(&mut self, at: u64, bytes: u64, took: &mut Took) -> u64 {
        if bytes == 0 {
            return at;
        }
        if bytes != took.bytes {
            *took = Took {
                bytes,
                ticks: bytes * self.ticks / self.unit,
            };
        }
        self.free = self.free.max(at) + took.ticks;
        self.free
    }
}

/// What a request of some size takes.
#[derive(Copy, Clone, Debug, Default)]
struct Took {
    bytes: u64,
    ticks: u64,
}

/// What the latest pieces of a copy took: of L2, of its reads, and of those while others read the same.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Taken {
    l2: Took,
    reads: Took,
    shared: Took,
}

/// The way of one core to global memory, which copies in and copies out share.
#[derive(Debug)]
pub(super) struct Port {
    l1: Server,
    ub: Server,
}

impl Port {
    pub(super) fn new(chip: &Chip) -> Port {
        // So many bytes a cycle.
        let rate = |bytes: u64| Server::rate(bytes, 1);
        Port {
            l1: rate(chip.mte2.l1_port),
            ub: rate(chip.mte2.ub_port),
        }
    }

    /// When a piece of a copy is through.
    pub(super) fn serve(&mut self, at: u64, path: GmPath, bytes: u64) -> u64 {
        match path {
            GmPath::L1 | GmPath::L1Out | GmPath::L0 => self.l1.serve(at, bytes),
            GmPath::Ub | GmPath::UbOut => self.ub.serve(at, bytes),
            // The fixpipe has its own port.
            GmPath::Fix | GmPath::Scalar => at,
        }
    }
}

/// L2, global memory, and the ways to them.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) counts: MemoryCounts,
    reads: Server,
    all: Server,
    hbm: Server,
    fix: Server,
    lines: Lines,
    shared_milli: u64,
    /// Reads of a line by two cores within this many cycles count as at once.
    window: u64,
    pub(crate) miss_extra: u64,
    /// When each shared resource was done with the latest piece; none of those it did not need.
    latest: [u64; Resource::ALL.len()],
}

/// How a piece of a copy went.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Served {
    /// When it is done, in ticks.
    pub(crate) end: u64,
    /// Whether some of it came from global memory.
    pub(crate) missed: bool,
}

impl Memory {
    pub(crate) fn new(chip: &Chip, extent: (u64, u64)) -> Memory {
        let clock = chip.cores.clock_mhz;
        let rate = |mbps| Server::rate(mbps, clock);
        Memory {
            counts: MemoryCounts::default(),
            reads: rate(chip.memory.l2_mbps),
            all: rate(chip.memory.l2_mixed_mbps),
            hbm: rate(chip.memory.hbm_effective_mbps),
            // Bytes a cycle and core, times cores, times MHz is MB/s.
            fix: rate(chip.fix.gm_port_shared * chip.cores.cube * clock),
            lines: Lines::new(chip, extent),
            shared_milli: chip.memory.l2_shared_line_milli,
            window: chip.memory.l2_shared_window,
            miss_extra: chip.memory.l2_miss_extra,
            latest: [0; Resource::ALL.len()],
        }
    }

    /// Moves rows `first..first + count` of a copy, or `count` bytes at `first` of its only row.
    #[inline]
    pub(crate) fn serve(
        &mut self,
        at: u64,
        core: usize,
        (traffic, rows): (&Traffic, Option<&mut Rows>),
        piece: &Piece,
        taken: &mut Taken,
    ) -> Served {
        let visit = Visit::new(at / TICKS, core, self.window);
        let touched = self.lines.touch(traffic, rows, piece, &visit);
        self.count(touched);
        let l2 = self.all.serve_again(at, touched.bytes, &mut taken.l2);
        let mut reads = 0;
        if !traffic.write {
            let slowed = touched.shared * (self.shared_milli - 1000) / 1000;
            let took = match slowed {
                0 => &mut taken.reads,
                _ => &mut taken.shared,
            };
            reads = self.reads.serve_again(at, touched.bytes + slowed, took);
        }
        let mut fix = 0;
        if traffic.path == GmPath::Fix {
            fix = self.fix.serve(at, piece.rows * piece.bytes);
        }
        let hbm = self.hbm.serve(at, touched.fetched + touched.evicted);
        // Each in its place: an array would be read again while it is being written.
        self.latest[Resource::L2 as usize] = l2;
        self.latest[Resource::L2Reads as usize] = reads;
        self.latest[Resource::FixShared as usize] = fix;
        self.latest[Resource::Hbm as usize] = hbm;
        let end = at.max(l2).max(reads).max(fix).max(hbm);
        Served {
            end,
            missed: touched.fetched > 0,
        }
    }

    /// Prepares for a piece that will be served soon.
    #[inline]
    pub(super) fn expect(&self, traffic: &Traffic, rows: Option<&Rows>, piece: &Piece) {
        self.lines.expect(traffic, rows, piece);
    }

    /// How the rows of a copy lie in L2's lines, if they lie alike.
    pub(super) fn rows(&mut self, traffic: &Traffic, piece_rows: u64) -> Option<Rows> {
        self.lines.rows(traffic, piece_rows)
    }

    /// What the latest piece waited for.
    pub(super) fn binding(&self) -> Resource {
        longest(&self.latest).unwrap_or(Resource::L2)
    }

    #[inline]
    fn count(&mut self, touched: Touched) {
        self.counts.l2_bytes += touched.bytes;
        self.counts.hbm_read += touched.fetched;
        self.counts.hbm_write += touched.evicted;
    }
}

/// Bytes of a copy that take bandwidth in one piece: the grain at which cores share it (we choose).
pub(super) const PIECE_BYTES: u64 = 4096;

/// A part of a copy: `rows` rows from `row` on, of each `bytes` bytes from `offset` on.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) row: u64,
    pub(crate) rows: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

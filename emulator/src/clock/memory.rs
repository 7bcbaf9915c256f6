//! L2 and global memory as all cores share them: which sectors are there, and how long a piece of a copy takes.
//!
//! Bandwidth is served first come, first served. L2 is fully associative with a clock hand for its least used line (we
//! choose), written back when a line leaves; lines still dirty at the end are not charged (machine.md §6).

use isa::chip::Chip;
use isa::cost::GmPath;

use super::TICKS;
use crate::stream::Traffic;

/// Bytes between copies and memory levels.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemoryCounts {
    pub(crate) hbm_read: u64,
    pub(crate) hbm_write: u64,
    pub(crate) l2_hit: u64,
    pub(crate) l2_bytes: u64,
}

/// A resource that serves one request after the other.
#[derive(Copy, Clone, Debug)]
struct Server {
    /// When it is free, in ticks.
    free: u64,
    /// Ticks for `bytes_unit` bytes.
    ticks: u64,
    bytes_unit: u64,
}

impl Server {
    /// A resource of so many MB/s at a clock in MHz.
    fn rate(mbps: u64, clock_mhz: u64) -> Server {
        Server {
            free: 0,
            ticks: clock_mhz * TICKS,
            bytes_unit: mbps.max(1),
        }
    }

    /// When a request of that time and size is done.
    fn serve(&mut self, at: u64, bytes: u64) -> u64 {
        if bytes == 0 {
            return at;
        }
        self.free = self.free.max(at) + bytes * self.ticks / self.bytes_unit;
        self.free
    }
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
        }
    }

    /// Moves rows `first..first + count` of a copy, or `count` bytes at `first` of its only row.
    pub(crate) fn serve(
        &mut self,
        at: u64,
        core: usize,
        traffic: &Traffic,
        piece: Piece,
    ) -> Served {
        let mut touched = Touched::default();
        for row in 0..piece.rows {
            let start = traffic.address + (piece.row + row) * traffic.stride + piece.offset;
            self.touch(
                at / TICKS,
                core,
                traffic.write,
                start,
                piece.bytes,
                &mut touched,
            );
        }
        self.count(&touched);
        let mut end = self.all.serve(at, touched.bytes);
        if !traffic.write {
            let slowed = touched.shared * (self.shared_milli - 1000) / 1000;
            end = end.max(self.reads.serve(at, touched.bytes + slowed));
        }
        if traffic.path == GmPath::Fix {
            end = end.max(self.fix.serve(at, piece.rows * piece.bytes));
        }
        end = end.max(self.hbm.serve(at, touched.fetched + touched.evicted));
        Served {
            end,
            missed: touched.fetched > 0,
        }
    }

    fn count(&mut self, touched: &Touched) {
        self.counts.hbm_read += touched.fetched;
        self.counts.hbm_write += touched.evicted;
        self.counts.l2_bytes += touched.bytes;
        self.counts.l2_hit += touched.bytes - touched.fetched;
    }

    /// Looks up the sectors of one contiguous piece.
    fn touch(
        &mut self,
        now: u64,
        core: usize,
        write: bool,
        start: u64,
        bytes: u64,
        out: &mut Touched,
    ) {
        let lines = &mut self.lines;
        let (line, sector, full) = (lines.line_bytes, lines.sector_bytes, lines.full);
        let end = start + bytes;
        let first = start / line;
        let mut index = (first - lines.first) as usize;
        let mut from = first * line;
        // A read that begins inside a sector asks for whole lines, and what it uses only a part of is not kept.
        let whole = !write && !(start - from).is_multiple_of(sector);
        while from < end {
            let (low, high) = (start.max(from) - from, end.min(from + line) - from);
            let part = high - low < line;
            let (mask, size) = match part && !whole {
                false => (full, line),
                true => {
                    let (first, last) = (low / sector, (high - 1) / sector);
                    let mask = ((1_u16 << (last + 1)) - (1 << first)) as u8;
                    (mask, (last + 1 - first) * sector)
                }
            };
            let found = match part && whole {
                true => lines.look(index, mask),
                false => lines.access(index, mask, write),
            };
            out.bytes += size;
            out.fetched += u64::from(found.missing) * sector;
            out.evicted += u64::from(found.evicted) * sector;
            if !write && lines.is_shared(index, now, core, self.window) {
                out.shared += size;
            }
            from += line;
            index += 1;
        }
    }
}

/// A part of a copy: `rows` rows from `row` on, of each `bytes` bytes from `offset` on.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) row: u64,
    pub(crate) rows: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

/// Bytes of whole sectors that a piece touched.
#[derive(Copy, Clone, Debug, Default)]
struct Touched {
    bytes: u64,
    fetched: u64,
    evicted: u64,
    shared: u64,
}

/// What an access found, in sectors.
#[derive(Copy, Clone, Debug, Default)]
struct Found {
    missing: u32,
    evicted: u32,
}

/// The state of a line of the tensors.
#[derive(Copy, Clone, Debug, Default)]
struct Line {
    /// Sectors that are there, and those of them that global memory does not have yet.
    valid: u8,
    dirty: u8,
    /// Since the clock hand came by.
    used: bool,
    /// Who read it last, and one more than when; nobody at zero.
    reader: u8,
    when: u32,
}

/// The state of every line of the tensors.
#[derive(Debug)]
struct Lines {
    line_bytes: u64,
    sector_bytes: u64,
    /// The mask of a whole line.
    full: u8,
    first: u64,
    lines: Vec<Line>,
    /// Lines that are there, in the order of the clock hand.
    ring: Vec<u32>,
    capacity: usize,
    hand: usize,
}

impl Lines {
    fn new(chip: &Chip, extent: (u64, u64)) -> Lines {
        let line_bytes = chip.memory.l2_line.max(1);
        // A mask has eight bits: a line of more sectors is looked up in eighths.
        let sector_bytes = chip.memory.l2_sector.max(line_bytes.div_ceil(8));
        let sectors = line_bytes.div_ceil(sector_bytes);
        let first = extent.0 / line_bytes;
        let count = (extent.1.div_ceil(line_bytes) - first) as usize;
        Lines {
            line_bytes,
            sector_bytes,
            full: ((1_u16 << sectors) - 1) as u8,
            first,
            lines: vec![Line::default(); count],
            ring: Vec::new(),
            capacity: (chip.memory.l2_bytes / line_bytes).max(1) as usize,
            hand: 0,
        }
    }

    /// Reads sectors of a line without keeping it.
    fn look(&self, line: usize, mask: u8) -> Found {
        Found {
            missing: (mask & !self.lines[line].valid).count_ones(),
            evicted: 0,
        }
    }

    /// Brings sectors of a line in, throwing another line out if L2 is full.
    #[inline]
    fn access(&mut self, line: usize, mask: u8, write: bool) -> Found {
        let mut found = Found::default();
        if self.lines[line].valid == 0 {
            found.evicted = self.make_room(line);
        }
        let state = &mut self.lines[line];
        if write {
            state.dirty |= mask;
        } else {
            found.missing = (mask & !state.valid).count_ones();
        }
        state.valid |= mask;
        state.used = true;
        found
    }

    /// Puts a line into the ring; sectors that had to be written back for it.
    #[cold]
    fn make_room(&mut self, line: usize) -> u32 {
        if self.ring.len() < self.capacity {
            self.ring.push(line as u32);
            return 0;
        }
        loop {
            let victim = &mut self.lines[self.ring[self.hand] as usize];
            let slot = self.hand;
            self.hand = (self.hand + 1) % self.capacity;
            if std::mem::take(&mut victim.used) {
                continue;
            }
            victim.valid = 0;
            self.ring[slot] = line as u32;
            return std::mem::take(&mut victim.dirty).count_ones();
        }
    }

    /// Whether another core has read the line just now.
    #[inline]
    fn is_shared(&mut self, line: usize, now: u64, core: usize, window: u64) -> bool {
        let state = &mut self.lines[line];
        let (when, reader) = (state.when, state.reader);
        state.when = (now as u32).wrapping_add(1).max(1);
        state.reader = core as u8;
        let apart = state.when.wrapping_sub(when);
        when != 0 && reader != state.reader && u64::from(apart) < window
    }
}

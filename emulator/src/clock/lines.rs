//! L2 as it looks from a copy: which sectors of which lines are there, and who read a line last.
//!
//! L2 is fully associative with a clock hand for its least used line (we choose), written back when a line leaves. What is
//! read past L2 comes from it if it is there and is not kept ([`isa::types::PAST_L2`]). This is
//! the innermost loop of the clock, so a row is split into its lines once for all rows that lie alike. Knows no times but
//! those it is given, and no bandwidth.

mod columns;
mod each;

use isa::chip::Chip;

pub(super) use self::columns::Rows;
use self::columns::Shapes;
use super::memory::Piece;
use crate::kernel::bring_near;
use crate::stream::Traffic;

/// Bytes of whole sectors that a piece touched, and of those that other cores read at the same time.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Touched {
    pub(super) bytes: u64,
    pub(super) shared: u64,
}

/// What a piece moved between L2 and global memory, in bytes; in sectors while they are counted.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Missed {
    pub(super) fetched: u64,
    pub(super) evicted: u64,
}

/// What is counted of a piece that is looked up line by line.
#[derive(Copy, Clone, Debug, Default)]
struct Count {
    touched: Touched,
    missed: Missed,
}

/// What a row asks of a line; of none if there are no sectors.
#[derive(Copy, Clone, Debug)]
struct Part {
    mask: u8,
    /// Whether what comes is kept.
    keep: bool,
    size: u64,
}

impl Part {
    const NONE: Part = Part {
        mask: 0,
        keep: false,
        size: 0,
    };
}

/// Who reads, and when.
#[derive(Copy, Clone, Debug)]
pub(super) struct Visit {
    /// What the visit leaves in the state of a line: when, and by whom.
    stamp: u64,
    /// States from here on, as many as `at_once` says, are of lines that were read just now.
    earliest: u64,
    at_once: u64,
}

impl Visit {
    /// A visit of a core, to which reads of others within a window of cycles are at once.
    pub(super) fn new(now: u64, core: usize, window: u64) -> Visit {
        let window = window.min(1 << 30);
        // Behind the window, so that no line that was never read seems to have been read just now.
        let when = now + 1 + window;
        Visit {
            stamp: when << WHEN_SHIFT | (core as u64 & 0xff) << READER_SHIFT,
            earliest: (when - window + 1) << WHEN_SHIFT,
            at_once: window << WHEN_SHIFT,
        }
    }

    /// Whether a line of that state was read by another core just now.
    #[inline]
    fn is_shared(self, line: u64) -> bool {
        let just_now = line.wrapping_sub(self.earliest) < self.at_once;
        just_now & ((line ^ self.stamp) & READER != 0)
    }
}

// The state of a line is a word: in its lowest byte the sectors that are there, above them those that global memory does
// not have yet, whether it was used since the clock hand came by, who read it last, and when. The bits between tell lines
// whose state stands with another one's (see `columns`).
const VALID: u64 = 0xff;
const DIRTY: u64 = 0xff << DIRTY_SHIFT;
const DIRTY_SHIFT: u32 = 8;
const USED: u64 = 1 << 16;
const READER: u64 = 0xff << READER_SHIFT;
const READER_SHIFT: u32 = 24;
const WHEN_SHIFT: u32 = 32;

/// A size to divide by, mostly a power of two.
#[derive(Copy, Clone, Debug)]
struct Size {
    bytes: u64,
    shift: Option<u32>,
}

impl Size {
    fn new(bytes: u64) -> Size {
        Size {
            bytes,
            shift: bytes.is_power_of_two().then(|| bytes.trailing_zeros()),
        }
    }

    /// How often it is in a number, and what is left.
    #[inline]
    fn divide(self, number: u64) -> (u64, u64) {
        match self.shift {
            Some(shift) => (number >> shift, number & (self.bytes - 1)),
            None => (number / self.bytes, number % self.bytes),
        }
    }
}

/// The state of every line of the tensors.
#[derive(Debug)]
pub(super) struct Lines {
    line_bytes: Size,
    sector_bytes: Size,
    /// The mask of a whole line.
    full: u8,
    first: u64,
    lines: Vec<u64>,
    /// Lines that are there, in the order of the clock hand.
    ring: Vec<u32>,
    capacity: usize,
    hand: usize,
    shapes: Shapes,
    /// Whether the latest piece found its lines together.
    together: bool,
    /// What the latest pieces missed, until somebody asks.
    missed: Option<Missed>,
}

impl Lines {
    pub(super) fn new(chip: &Chip, extent: (u64, u64)) -> Lines {
        let line_bytes = chip.memory.l2_line.max(1);
        // A mask has eight bits: a line of more sectors is looked up in eighths.
        let sector_bytes = chip.memory.l2_sector.max(line_bytes.div_ceil(8));
        let sectors = line_bytes.div_ceil(sector_bytes);
        let first = extent.0 / line_bytes;
        let count = (extent.1.div_ceil(line_bytes) - first) as usize;
        Lines {
            line_bytes: Size::new(line_bytes),
            sector_bytes: Size::new(sector_bytes),
            full: ((1_u16 << sectors) - 1) as u8,
            first,
            lines: vec![0; count],
            ring: Vec::new(),
            capacity: (chip.memory.l2_bytes / line_bytes).max(1) as usize,
            hand: 0,
            shapes: Shapes::default(),
            together: false,
            missed: None,
        }
    }

    /// Looks up the sectors of the rows of a piece, one row after the other.
    #[inline]
    pub(super) fn touch(
        &mut self,
        traffic: &Traffic,
        rows: Option<Rows>,
        piece: Piece,
        visit: Visit,
    ) -> Touched {
        if let Some(rows) = rows {
            return self.read_column(rows.column(piece), rows.part, visit);
        }
        self.together = false;
        self.touch_rows(traffic, piece, visit)
    }

    /// Brings the states near that a piece will ask for, one of each row; the first one's alone if the piece before it found
    /// its lines together.
    #[inline]
    pub(super) fn expect(&self, traffic: &Traffic, rows: Option<Rows>, piece: Piece) {
        if self.together
            && let Some(rows) = rows
        {
            return bring_near(&self.lines, rows.column(piece).first);
        }
        let start = traffic.address + piece.row * traffic.stride + piece.offset;
        for row in 0..piece.rows {
            let line = self.line_bytes.divide(start + row * traffic.stride).0;
            bring_near(&self.lines, (line - self.first) as usize);
        }
    }

    /// Keeps what was missed until somebody asks for it.
    fn close(&mut self, out: Count) -> Touched {
        let Missed { fetched, evicted } = out.missed;
        if fetched | evicted != 0 {
            self.missed = Some(Missed {
                fetched: fetched * self.sector_bytes.bytes,
                evicted: evicted * self.sector_bytes.bytes,
            });
        }
        out.touched
    }

    /// What the latest piece missed; none if it missed nothing.
    #[inline]
    pub(super) fn missed(&mut self) -> Option<Missed> {
        self.missed.take()
    }

    /// A whole line.
    fn all(&self) -> Part {
        Part {
            mask: self.full,
            keep: true,
            size: self.line_bytes.bytes,
        }
    }

    /// What the bytes from `low` to `high` ask of their line.
    fn part(&self, low: u64, high: u64, whole: bool) -> Part {
        if whole {
            return Part {
                mask: self.full,
                size: self.line_bytes.bytes,
                keep: false,
            };
        }
        let sectors = self.sector_bytes;
        let (first, last) = (sectors.divide(low).0, sectors.divide(high - 1).0);
        Part {
            mask: ((1_u16 << (last + 1)) - (1 << first)) as u8,
            size: (last + 1 - first) * sectors.bytes,
            keep: true,
        }
    }

    /// Reads sectors of a line.
    #[inline]
    fn read(&mut self, index: usize, part: Part, visit: Visit, out: &mut Count) {
        self.part_company(index);
        let line = &mut self.lines[index];
        let before = *line;
        let used = if part.keep { USED } else { 0 };
        *line = before & (VALID | DIRTY | USED) | visit.stamp | used;
        out.touched.shared += if visit.is_shared(before) {
            part.size
        } else {
            0
        };
        let missing = part.mask & !(before as u8);
        if missing != 0 {
            self.fetch(index, missing, part.keep, out);
        }
    }

    /// Brings sectors of a line in, throwing another line out if L2 is full; those of a line that is not kept only pass.
    #[cold]
    #[inline(never)]
    fn fetch(&mut self, index: usize, missing: u8, keep: bool, out: &mut Count) {
        out.missed.fetched += u64::from(missing.count_ones());
        if !keep {
            return;
        }
        let line = &mut self.lines[index];
        let absent = *line & VALID == 0;
        *line |= u64::from(missing);
        if absent {
            out.missed.evicted += u64::from(self.make_room(index));
        }
    }

    /// Puts sectors into a line, throwing another line out if L2 is full.
    #[inline]
    fn write(&mut self, index: usize, mask: u8, out: &mut Count) {
        self.part_company(index);
        let line = &mut self.lines[index];
        let absent = *line & VALID == 0;
        let mask = u64::from(mask);
        *line |= mask | mask << DIRTY_SHIFT | USED;
        if absent {
            out.missed.evicted += u64::from(self.make_room(index));
        }
    }

    /// Puts a line into the ring; sectors that had to be written back for it.
    #[cold]
    fn make_room(&mut self, line: usize) -> u32 {
        if self.ring.len() < self.capacity {
            self.ring.push(line as u32);
            return 0;
        }
        loop {
            let at = self.hand;
            self.part_company(self.ring[at] as usize);
            let victim = &mut self.lines[self.ring[at] as usize];
            self.hand = if at + 1 == self.capacity { 0 } else { at + 1 };
            if *victim & USED != 0 {
                *victim &= !USED;
                continue;
            }
            let dirty = (*victim & DIRTY).count_ones();
            *victim &= !(VALID | DIRTY);
            self.ring[at] = line as u32;
            return dirty;
        }
    }
}

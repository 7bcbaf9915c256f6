//! L2 as it looks from a copy: which sectors of which lines are there, and who read a line last.
//!
//! L2 is fully associative with a clock hand for its least used line (we choose), written back when a line leaves. What is
//! read past L2 comes from it if it is there and is not kept ([`isa::types::PAST_L2`]). This is
//! the innermost loop of the clock, so lines that are asked for together have their state together (`group`), and a row is
//! split into its lines once for all rows that lie alike (`rows`). Knows no times but those it is given, and no bandwidth.

mod group;
mod rows;
#[cfg(test)]
mod tests;

use isa::chip::Chip;

use self::group::Group;
pub(super) use self::rows::Rows;
use crate::kernel::bring_near;

/// What a piece asked of L2, in bytes.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// Those of whole sectors that it touched.
    pub(super) bytes: u64,
    /// Of those, what other cores read at the same time.
    pub(super) shared: u64,
    /// What came from global memory.
    pub(super) fetched: u64,
    /// What was written back to make room.
    pub(super) evicted: u64,
}

/// What is counted of a piece: bytes that it touched, and sectors that moved.
#[derive(Copy, Clone, Debug, Default)]
struct Count {
    bytes: u64,
    shared: u64,
    fetched: u32,
    evicted: u32,
}

/// What a row asks of a line; of none if there are no sectors.
#[derive(Copy, Clone, Debug)]
struct Part {
    mask: u8,
    /// Whether what comes is kept. What a read asks for only because it begins inside a sector is not, and neither is what
    /// is read past L2.
    keep: bool,
    size: u64,
}

impl Part {
    const NONE: Part = Part {
        mask: 0,
        keep: false,
        size: 0,
    };

    /// The same, kept only if `keep` says so.
    fn kept_if(self, keep: bool) -> Part {
        Part {
            keep: self.keep && keep,
            ..self
        }
    }
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
    #[inline]
    pub(super) fn new(now: u64, core: usize, window: u64) -> Visit {
        let window = window.min(1 << 30);
        // Behind the window, so that no line that was never read seems to have been read just now.
        let when = (now + 1 + window).min(u64::from(u32::MAX));
        Visit {
            stamp: when << WHEN_SHIFT | (core as u64 & 0xff) << READER_SHIFT,
            earliest: (when - window + 1) << WHEN_SHIFT,
            at_once: window << WHEN_SHIFT,
        }
    }

    /// Whether lines of that state were read by another core just now.
    #[inline]
    fn is_shared(self, word: u64) -> bool {
        let just_now = word.wrapping_sub(self.earliest) < self.at_once;
        just_now & ((word ^ self.stamp) & READER != 0)
    }
}

// Who read a line last, and when, in the word of its group.
const READER: u64 = 0xff << READER_SHIFT;
const READER_SHIFT: u32 = 24;
const WHEN_SHIFT: u32 = 32;
const STAMP: u64 = !((1 << READER_SHIFT) - 1);

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

/// Where the state of a line stands: the number of its group × 8 + its place there. Zero is that of a line that nobody has
/// asked for.
type Place = u32;

/// The state of every line of the tensors.
#[derive(Debug)]
pub(super) struct Lines {
    line_bytes: Size,
    sector_bytes: Size,
    /// The mask of a whole line.
    full: u8,
    first: u64,
    places: Vec<Place>,
    groups: Vec<Group>,
    /// Lines that are there, in the order of the clock hand, by places that they have or had.
    ring: Vec<Place>,
    capacity: usize,
    hand: usize,
}

/// How many lines ahead of it the clock hand asks for states.
const AHEAD: usize = 24;

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
            places: vec![0; count],
            groups: vec![Group::NOBODY],
            ring: Vec::new(),
            capacity: (chip.memory.l2_bytes / line_bytes).max(1) as usize,
            hand: 0,
        }
    }

    /// What was counted, in bytes.
    #[inline]
    fn bytes(&self, count: Count) -> Touched {
        Touched {
            bytes: count.bytes,
            shared: count.shared,
            fetched: u64::from(count.fetched) * self.sector_bytes.bytes,
            evicted: u64::from(count.evicted) * self.sector_bytes.bytes,
        }
    }

    /// A whole line.
    fn all(&self) -> Part {
        Part {
            mask: self.full,
            keep: true,
            size: self.line_bytes.bytes,
        }
    }

    /// What the bytes from `low` to `high` ask of their line; all of it in a read that is widened.
    fn part(&self, low: u64, high: u64, widened: bool) -> Part {
        if widened {
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

    /// Puts lines into the ring, each throwing another one out if L2 is full; sectors that had to be written back for them.
    #[inline(never)]
    fn make_room(&mut self, lines: &[Place]) -> u32 {
        let free = (self.capacity - self.ring.len()).min(lines.len());
        self.ring.extend_from_slice(&lines[..free]);
        let mut written_back = 0;
        for &line in &lines[free..] {
            let (at, group, lane) = self.unused();
            written_back += self.groups[group].leave(lane);
            self.ring[at] = line;
        }
        written_back
    }

    /// Moves the hand behind the next line that was not used since it came by: its place in the ring, its group, and its
    /// place there.
    #[inline]
    fn unused(&mut self) -> (usize, usize, u32) {
        loop {
            let at = self.hand;
            self.hand = if at + 1 == self.capacity { 0 } else { at + 1 };
            if let Some(ahead) = self.ring.get(at + AHEAD) {
                bring_near(&self.groups, (ahead >> 3) as usize);
            }
            let mut place = self.ring[at];
            if self.groups[(place >> 3) as usize].is_gone() {
                place = self.places[self.groups[(place >> 3) as usize].line(place & 7)];
            }
            let (group, lane) = ((place >> 3) as usize, place & 7);
            if !self.groups[group].forget(lane) {
                return (at, group, lane);
            }
        }
    }
}

//! The on-chip memories of a core: which bytes hold values, and which lane used which footprint last.
//!
//! The rules of order: a lane's read never overtakes its earlier reads and writes are known to be over only after a
//! barrier; a lane's write never overtakes its own earlier reads. Everything else needs an edge. Knows no instructions.

use isa::chip::Chip;
use isa::inst::Dir;
use isa::types::{FRACTAL_BYTES, Space};

use crate::bits::Bits;
use crate::footprint::{Footprints, Id};
use crate::order::{Known, LANES};
use crate::shape::Product;

/// Who used a footprint last, by lane.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    writes: Known,
    reads: Known,
}

/// The other side of a conflict: its lane, its count, whether it writes, and the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clash {
    pub(crate) lane: usize,
    pub(crate) count: u32,
    pub(crate) writes: bool,
    pub(crate) bytes: (u32, u32),
}

/// The on-chip memories of one core.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    tracks: Vec<Track>,
    /// By memory: the last of all uses.
    last: [Track; Space::ALL.len()],
    pub(crate) values: [Bits; Space::ALL.len()],
    /// By footprint: the age at which all its bytes held values.
    full: Vec<u32>,
    /// Counts the times that bytes have lost their values.
    age: u32,
    /// Fractals of L0A and L0B that lie transposed: in elements of so many bytes; 0 for others.
    pub(crate) turned: [Vec<u8>; 2],
}

fn side(space: Space) -> Option<usize> {
    match space {
        Space::L0a => Some(0),
        Space::L0b => Some(1),
        Space::Gm | Space::L1 | Space::L0c | Space::Ub | Space::Bt | Space::Fb => None,
    }
}

impl Local {
    pub(crate) fn new(chip: &Chip, spaces: &[Space]) -> Local {
        let size = |space: Space| match spaces.contains(&space) {
            true => chip.space_bytes(space),
            false => 0,
        };
        let fractals = |space| vec![0; (size(space) / FRACTAL_BYTES) as usize];
        Local {
            tracks: Vec::new(),
            last: [Track::default(); Space::ALL.len()],
            values: Space::ALL.map(|space| Bits::new(size(space))),
            full: Vec::new(),
            age: 1,
            turned: [fractals(Space::L0a), fractals(Space::L0b)],
        }
    }

    /// As at launch.
    pub(crate) fn reset(&mut self) {
        self.tracks.clear();
        self.last = [Track::default(); Space::ALL.len()];
        self.values.iter_mut().for_each(Bits::clear);
        self.full.clear();
        self.age = 1;
        self.turned.iter_mut().for_each(|side| side.fill(0));
    }

    /// Visits all counts.
    pub(crate) fn each_count(&self, mut visit: impl FnMut(&Known)) {
        for track in self.last.iter().chain(&self.tracks) {
            visit(&track.writes);
            visit(&track.reads);
        }
    }

    /// Changes all counts.
    pub(crate) fn each_count_mut(&mut self, change: impl Fn(&mut Known)) {
        for track in self.last.iter_mut().chain(&mut self.tracks) {
            change(&mut track.writes);
            change(&mut track.reads);
        }
    }

    /// Enters a use and finds what it conflicts with. `known` is what its lane knows, `ordered` what else counts as over
    /// for its writes.
    pub(crate) fn touch(
        &mut self,
        footprints: &Footprints,
        (bytes, dir): (Id, Dir),
        (lane, now): (usize, u32),
        known: &Known,
    ) -> Option<Clash> {
        let needed = footprints.all.len();
        if self.tracks.len() < needed {
            self.tracks.resize(needed, Track::default());
            self.full.resize(needed, 0);
        }
        let footprint = footprints.get(bytes);
        let writes = dir != Dir::In;
        let mut readers = *known;
        readers[lane] = now;
        let late = |used: &Known, known: &Known| {
            let mut found = false;
            for l in 0..LANES {
                found |= used[l] > known[l];
            }
            found
        };
        let last = &mut self.last[footprint.space as usize];
        let mut clash = None;
        if late(&last.writes, known) || writes && late(&last.reads, &readers) {
            for &other in &footprint.overlaps {
                let track = &self.tracks[other as usize];
                let mut found = None;
                if late(&track.writes, known) {
                    let late = (0..LANES).find(|&l| {
                        track.writes[l] > known[l] && !(l == lane && track.writes[l] == now)
                    });
                    found = late.map(|l| (l, track.writes[l], true));
                }
                if found.is_none() && writes && late(&track.reads, &readers) {
                    let late = (0..LANES).find(|&l| track.reads[l] > readers[l]);
                    found = late.map(|l| (l, track.reads[l], false));
                }
                if let Some((lane, count, writes)) = found {
                    let common = footprint.common(footprints.get(other));
                    clash = Some(Clash {
                        lane,
                        count,
                        writes,
                        bytes: common.unwrap_or(footprint.span()),
                    });
                    break;
                }
            }
        }
        let track = &mut self.tracks[bytes as usize];
        if writes {
            track.writes[lane] = now;
            last.writes[lane] = now;
        }
        if dir != Dir::Out {
            track.reads[lane] = now;
            last.reads[lane] = now;
        }
        clash
    }

    /// The first byte of a footprint without a value.
    pub(crate) fn hole(&mut self, footprints: &Footprints, bytes: Id) -> Option<u32> {
        self.grow(footprints);
        if self.full[bytes as usize] == self.age {
            return None;
        }
        let footprint = footprints.get(bytes);
        let values = &self.values[footprint.space as usize];
        let hole = footprint
            .pieces
            .iter()
            .find_map(|&(start, end)| values.hole(start, end));
        if hole.is_none() {
            self.full[bytes as usize] = self.age;
        }
        hole
    }

    /// Says that a footprint holds values now.
    pub(crate) fn give(&mut self, footprints: &Footprints, bytes: Id) {
        self.grow(footprints);
        let footprint = footprints.get(bytes);
        if let Some(side) = side(footprint.space) {
            self.turn(side, &footprint.pieces, 0);
        }
        if self.full[bytes as usize] == self.age {
            return;
        }
        self.full[bytes as usize] = self.age;
        let values = &mut self.values[footprint.space as usize];
        for &(start, end) in &footprint.pieces {
            values.put(start, end, true);
        }
    }

    /// Says that single bytes hold values now.
    pub(crate) fn set(&mut self, space: Space, start: u32, end: u32) {
        self.values[space as usize].put(start, end, true);
    }

    /// The first byte of a range without a value.
    pub(crate) fn first_hole(&self, space: Space, start: u32, end: u32) -> Option<u32> {
        self.values[space as usize].hole(start, end)
    }

    /// Notes that the fractals of a footprint do not lie transposed any more.
    pub(crate) fn straighten(&mut self, footprints: &Footprints, bytes: Id) {
        let footprint = footprints.get(bytes);
        if let Some(side) = side(footprint.space) {
            self.turn(side, &footprint.pieces, 0);
        }
    }

    /// Says of one byte whether it holds a value.
    fn put(&mut self, space: Space, byte: u32, set: bool) {
        let values = &mut self.values[space as usize];
        if !set && values.at(byte) {
            self.age += 1;
        }
        values.put(byte, byte + 1, set);
    }

    /// Copies values and the lack of them from one memory to another: destination, source, length.
    pub(crate) fn copy(&mut self, (to, from): (Space, Space), pairs: &[(u32, u32, u32)]) {
        for &(dst, src, len) in pairs {
            if self.values[from as usize].hole(src, src + len).is_none() {
                self.values[to as usize].put(dst, dst + len, true);
                continue;
            }
            for n in 0..len {
                let set = self.values[from as usize].at(src + n);
                self.put(to, dst + n, set);
            }
        }
    }

    /// Takes the values of single bytes away.
    pub(crate) fn lose(&mut self, space: Space, bytes: impl Iterator<Item = u32>) {
        bytes.for_each(|byte| self.put(space, byte, false));
    }

    /// Takes all values of a footprint away.
    pub(crate) fn lose_all(&mut self, footprints: &Footprints, bytes: Id) {
        self.grow(footprints);
        self.age += 1;
        let footprint = footprints.get(bytes);
        for &(start, end) in &footprint.pieces {
            self.values[footprint.space as usize].put(start, end, false);
        }
    }

    /// Notes that the fractals of a footprint lie transposed.
    pub(crate) fn turn_over(&mut self, footprints: &Footprints, bytes: Id, size: u8) {
        let footprint = footprints.get(bytes);
        if let Some(side) = side(footprint.space) {
            self.turn(side, &footprint.pieces, size);
        }
    }

    fn turn(&mut self, side: usize, pieces: &[(u32, u32)], turned: u8) {
        let fractal = FRACTAL_BYTES as u32;
        for &(start, end) in pieces {
            let fractals = (start / fractal) as usize..(end.div_ceil(fractal)) as usize;
            if let Some(there) = self.turned[side].get_mut(fractals) {
                there.fill(turned);
            }
        }
    }

    /// The first byte of the operands of a product that counts and holds no value.
    pub(crate) fn missing(&self, product: &Product) -> Option<(&'static str, Space, u32)> {
        if product.vector {
            let bytes = (product.k * product.bits).div_ceil(8);
            let hole = self.values[Space::L0a as usize].hole(product.a, product.a + bytes);
            if let Some(at) = hole {
                return Some(("a", Space::L0a, at));
            }
        } else if let Some(at) = self.missing_of(product, true) {
            return Some(("a", Space::L0a, at));
        }
        self.missing_of(product, false)
            .map(|at| ("b", Space::L0b, at))
    }

    fn missing_of(&self, product: &Product, left: bool) -> Option<u32> {
        let (space, side) = if left {
            (Space::L0a, 0)
        } else {
            (Space::L0b, 1)
        };
        let values = &self.values[space as usize];
        let fractal = FRACTAL_BYTES as u32;
        for (at, rows, columns) in product.fractals(left) {
            if values.hole(at, at + fractal).is_none() {
                continue;
            }
            let size = self.turned[side].get((at / fractal) as usize).copied();
            let size = u32::from(size.unwrap_or(0));
            let (rows, columns, pitch) = match size {
                0 => (rows, columns, 32),
                _ => (columns, rows, 16 * size),
            };
            if size != 0 && product.bits != size * 8 {
                return values.hole(at, at + fractal);
            }
            let bytes = (columns * product.bits).div_ceil(8);
            let row = |row: u32| values.hole(at + row * pitch, at + row * pitch + bytes);
            let hole = (0..rows).find_map(row);
            if hole.is_some() {
                return hole;
            }
        }
        None
    }

    fn grow(&mut self, footprints: &Footprints) {
        let needed = footprints.all.len();
        if self.tracks.len() < needed {
            self.tracks.resize(needed, Track::default());
            self.full.resize(needed, 0);
        }
    }
}

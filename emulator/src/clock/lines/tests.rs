//! Lines in groups against lines each by itself, one after the other.

use std::collections::BTreeMap;

use isa::chip::Chip;
use isa::cost::GmPath;

use super::{Lines, Touched, Visit};
use crate::clock::memory::Piece;
use crate::stream::Traffic;

const LINE: u64 = 512;
const SECTOR: u64 = 128;
const WINDOW: u64 = 100;

/// Numbers that look random.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// A line as it is described: sectors that are there, those that are newer than global memory, whether it was used since the
/// hand came by, and who read it when.
#[derive(Copy, Clone, Default)]
struct Line {
    there: [bool; 4],
    dirty: [bool; 4],
    used: bool,
    read: Option<(u64, usize)>,
}

/// L2 without any group, sector by sector.
struct Plain {
    lines: BTreeMap<u64, Line>,
    ring: Vec<u64>,
    capacity: usize,
    hand: usize,
}

impl Plain {
    fn touch(&mut self, traffic: &Traffic, piece: Piece, (now, core): (u64, usize)) -> Touched {
        let mut out = Touched::default();
        for row in piece.row..piece.row + piece.rows {
            let start = traffic.address + row * traffic.stride + piece.offset;
            let end = start + piece.bytes;
            let whole = !traffic.write && !start.is_multiple_of(SECTOR);
            for line in start / LINE..=(end - 1) / LINE {
                let complete = start <= line * LINE && (line + 1) * LINE <= end;
                let asked = |sector: u64| {
                    let at = line * LINE + sector * SECTOR;
                    whole && !complete || at < end && start < at + SECTOR
                };
                let sectors: Vec<usize> =
                    (0..4).filter(|&n| asked(n)).map(|n| n as usize).collect();
                let keep = !traffic.past_l2 && (complete || !whole);
                match traffic.write {
                    true => self.write(line, &sectors, &mut out),
                    false => self.read(line, &sectors, keep, (now, core), &mut out),
                }
            }
        }
        out
    }

    fn read(
        &mut self,
        number: u64,
        sectors: &[usize],
        keep: bool,
        (now, core): (u64, usize),
        out: &mut Touched,
    ) {
        let bytes = sectors.len() as u64 * SECTOR;
        let line = self.lines.entry(number).or_default();
        let others = |&(when, who): &(u64, usize)| who != core && now < when + WINDOW;
        out.shared += if line.read.as_ref().is_some_and(others) {
            bytes
        } else {
            0
        };
        out.bytes += bytes;
        line.read = Some((now, core));
        line.used |= keep;
        let absent = line.there == [false; 4];
        for &sector in sectors {
            out.fetched += if line.there[sector] { 0 } else { SECTOR };
            line.there[sector] |= keep;
        }
        if absent && keep {
            self.make_room(number, out);
        }
    }

    fn write(&mut self, number: u64, sectors: &[usize], out: &mut Touched) {
        let line = self.lines.entry(number).or_default();
        let absent = line.there == [false; 4];
        for &sector in sectors {
            (line.there[sector], line.dirty[sector]) = (true, true);
        }
        line.used = true;
        out.bytes += sectors.len() as u64 * SECTOR;
        if absent {
            self.make_room(number, out);
        }
    }

    fn make_room(&mut self, number: u64, out: &mut Touched) {
        if self.ring.len() < self.capacity {
            return self.ring.push(number);
        }
        loop {
            let at = self.hand;
            self.hand = (at + 1) % self.capacity;
            let victim = self.lines.entry(self.ring[at]).or_default();
            if std::mem::take(&mut victim.used) {
                continue;
            }
            let dirty = victim.dirty.iter().filter(|&&dirty| dirty).count() as u64;
            (victim.there, victim.dirty) = ([false; 4], [false; 4]);
            out.evicted += dirty * SECTOR;
            self.ring[at] = number;
            return;
        }
    }
}

/// A copy as kernels make them, mostly one of a few, and one of its pieces.
fn draw(random: &mut Xorshift) -> (Traffic, Piece) {
    let row_bytes = random.one_of(&[32, 128, 512, 512, 512, 640, 640, 700, 1024, 3000]);
    let starts = [0, LINE * 64, LINE * 65, LINE * 128, LINE * 64 + 128, 96];
    let rows = random.one_of(&[8, 8, 8, 6, 3, 1, 12]);
    let dense = u64::from(row_bytes);
    let traffic = Traffic {
        address: random.one_of(&starts),
        stride: random.one_of(&[LINE, 2 * LINE, 4 * LINE, 8 * LINE, 700, 0, dense, dense]),
        rows: rows + 8,
        row_bytes,
        setup: 0,
        path: GmPath::L1,
        write: random.below(20) == 0,
        past_l2: random.below(20) == 0,
    };
    let piece = Piece {
        row: random.one_of(&[0, 0, 0, 8]),
        rows: u64::from(rows),
        offset: 0,
        bytes: u64::from(row_bytes),
    };
    (traffic, piece)
}

#[test]
fn groups_behave_like_lines_by_themselves() {
    for capacity in [30, 100, 260] {
        let mut chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
        (chip.memory.l2_line, chip.memory.l2_sector) = (LINE, SECTOR);
        chip.memory.l2_bytes = LINE * capacity;
        let mut groups = Lines::new(&chip, (0, LINE * 600));
        let mut plain = Plain {
            lines: BTreeMap::new(),
            ring: Vec::new(),
            capacity: capacity as usize,
            hand: 0,
        };
        let mut random = Xorshift(88_172_645_463_325_252 + capacity);
        let copies: Vec<_> = (0..40).map(|_| draw(&mut random)).collect();
        for now in 0..20_000_u64 {
            // The same few copies for a while, then others: groups come about, are met again and taken apart.
            let few = now / 500 % 20;
            let (traffic, piece) = copies[(few + random.below(8)) as usize];
            let (now, core) = (now * 5, random.below(4) as usize);
            let mut rows = groups.rows(&traffic, piece.rows);
            let visit = Visit::new(now, core, WINDOW);
            let one = groups.touch(&traffic, rows.as_mut(), &piece, &visit);
            let other = plain.touch(&traffic, piece, (now, core));
            assert_eq!(one, other, "at {now}: {traffic:?} {piece:?}");
        }
    }
}

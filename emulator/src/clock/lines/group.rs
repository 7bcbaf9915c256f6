//! Lines that are asked for together, again and again: their state stands in one place.
//!
//! A kernel reads a matrix in the same pieces all the time. Up to eight lines of a piece, at equal distances, make a group:
//! a byte a line says which sectors are there, a bit whether the line was used, and once for all it says who read them last.
//! Whoever asks for some of them in another way takes the group apart, so nothing else can tell the difference.

use super::{Count, Lines, Part, Place, STAMP, Visit};

/// Lines of a group at most.
pub(super) const LANES: u64 = 8;
/// How often lines may change their company before each stays alone.
const FIGHTS: u64 = 3;

// The word of a group: a bit a line that was used since the clock hand came by, the number of lines (none if they have gone
// to other groups), how often they changed their company; then who read them last and when (`STAMP`).
const USED: u64 = 0xff;
const COUNT: u64 = 0xf << COUNT_SHIFT;
const COUNT_SHIFT: u32 = 8;
const FOUGHT: u64 = 0xf << FOUGHT_SHIFT;
const FOUGHT_SHIFT: u32 = 12;

/// The state of up to eight lines.
#[derive(Copy, Clone, Debug)]
pub(super) struct Group {
    /// Sectors that are there, a byte a line, and those that global memory does not have yet.
    valid: u64,
    dirty: u64,
    word: u64,
    lie: Lie,
}

/// Where lines lie: the first, and from bit 32 on the lines from one to the next.
type Lie = u64;

/// Lines at equal distances.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    lie: Lie,
    /// Eight at most.
    count: u64,
}

impl Span {
    /// So many lines, so many lines apart.
    #[inline]
    pub(super) fn new(first: u64, step: u32, count: u64) -> Span {
        let step = if count == 1 { 1 } else { step };
        Span {
            lie: first & 0xffff_ffff | u64::from(step) << 32,
            count,
        }
    }

    #[inline]
    fn first(self) -> usize {
        self.lie as u32 as usize
    }

    /// The lines behind these.
    #[inline]
    pub(super) fn behind(self) -> Span {
        Span {
            lie: self.lie + 1,
            ..self
        }
    }

    fn lines(self) -> impl Iterator<Item = usize> {
        let step = (self.lie >> 32) as usize;
        (0..self.count as usize).map(move |n| self.first() + n * step)
    }
}

/// Where the state of a line stands.
#[inline]
fn place(group: usize, lane: u32) -> Place {
    (group as u32) << 3 | lane
}

/// A byte in each of so many places, one at least.
#[inline]
fn bytes(byte: u8, count: u64) -> u64 {
    let all = u64::MAX >> (64 - 8 * count);
    (u64::from(byte) * 0x0101_0101_0101_0101) & all
}

/// Whether one of the first bytes is zero.
#[inline]
fn has_zero(word: u64, count: u64) -> bool {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let set = ((word & LOW) + LOW) | word;
    !set & bytes(0x80, count) != 0
}

impl Group {
    /// The group of the lines that nobody has asked for.
    pub(super) const NOBODY: Group = Group {
        valid: 0,
        dirty: 0,
        word: 0,
        lie: 0,
    };

    fn new(span: Span) -> Group {
        Group {
            word: span.count << COUNT_SHIFT,
            lie: span.lie,
            ..Group::NOBODY
        }
    }

    fn count(&self) -> u64 {
        (self.word & COUNT) >> COUNT_SHIFT
    }

    /// Whether its lines have gone to other groups.
    #[inline]
    pub(super) fn is_gone(&self) -> bool {
        self.word & COUNT == 0
    }

    /// The line in a place.
    pub(super) fn line(&self, lane: u32) -> usize {
        (self.lie as u32 + lane * (self.lie >> 32) as u32) as usize
    }

    /// Lets a line seem unused; whether it was used.
    #[inline]
    pub(super) fn forget(&mut self, lane: u32) -> bool {
        let used = self.word >> lane & 1 != 0;
        self.word &= !(1 << lane);
        used
    }

    /// Lets a line leave L2; sectors that must be written back.
    #[inline]
    pub(super) fn leave(&mut self, lane: u32) -> u32 {
        let sectors = 0xff << (8 * lane);
        self.valid &= !sectors;
        if self.dirty & sectors == 0 {
            return 0;
        }
        let dirty = (self.dirty & sectors).count_ones();
        self.dirty &= !sectors;
        dirty
    }

    /// Notes a visit; bytes that others read at the same time.
    #[inline]
    fn stamp(&mut self, part: &Part, visit: &Visit) -> u64 {
        let shared = visit.is_shared(self.word);
        self.word = self.word & !STAMP | visit.stamp;
        if shared { self.count() * part.size } else { 0 }
    }

    /// Whether something of that part is not there.
    #[inline]
    fn misses(&self, part: &Part) -> bool {
        bytes(part.mask, self.count()) & !self.valid != 0
    }

    /// Uses what is there.
    #[inline]
    fn hit(&mut self, part: &Part) {
        if part.keep {
            self.word |= USED >> (LANES - self.count());
        }
    }
}

impl Lines {
    /// The group of exactly these lines.
    #[inline]
    fn group_of(&self, span: Span) -> Option<usize> {
        let index = (self.places[span.first()] >> 3) as usize;
        self.is_at(span, index).then_some(index)
    }

    /// Whether these lines make that group.
    #[inline]
    fn is_at(&self, span: Span, index: usize) -> bool {
        let group = self.groups.get(index);
        group.is_some_and(|group| group.lie == span.lie && group.count() == span.count)
    }

    /// The group of exactly these lines; first it is looked for where `guess` says, and the next one is expected behind it.
    #[inline]
    fn guessed(&self, span: Span, guess: &mut u32) -> Option<usize> {
        let index = match self.is_at(span, *guess as usize) {
            true => *guess as usize,
            false => self.group_of(span)?,
        };
        *guess = index as u32 + 1;
        Some(index)
    }

    /// Lets lines that nobody has asked for make a group.
    pub(super) fn introduce(&mut self, span: Span) {
        if span.lines().all(|line| self.places.get(line) == Some(&0)) {
            self.add(Group::new(span));
        }
    }

    /// Where the state of a line stands.
    #[inline]
    pub(super) fn whereabouts(&self, line: u64) -> u32 {
        self.places.get(line as usize).map_or(0, |place| place >> 3)
    }

    /// Reads a part of each line.
    #[inline]
    pub(super) fn read(&mut self, span: Span, part: &Part, visit: &Visit, out: &mut Count) {
        self.read_guessed(span, &mut 0, part, visit, out);
    }

    /// As [`Lines::read`]; see [`Lines::guessed`].
    #[inline]
    pub(super) fn read_guessed(
        &mut self,
        span: Span,
        guess: &mut u32,
        part: &Part,
        visit: &Visit,
        out: &mut Count,
    ) {
        if let Some(index) = self.guessed(span, guess) {
            let group = &mut self.groups[index];
            out.shared += group.stamp(part, visit);
            match group.misses(part) {
                false => group.hit(part),
                true => self.fetch(index, part, out),
            }
            return;
        }
        self.read_apart(span, part, visit, out);
    }

    /// Reads a part of each line and one of the line behind it, row by row.
    #[inline]
    pub(super) fn read_pairs(
        &mut self,
        span: Span,
        guess: &mut [u32; 2],
        (one, other): (&Part, &Part),
        visit: &Visit,
        out: &mut Count,
    ) {
        let (a, b) = (
            self.guessed(span, &mut guess[0]),
            self.guessed(span.behind(), &mut guess[1]),
        );
        if let (Some(a), Some(b)) = (a, b) {
            out.shared += self.groups[a].stamp(one, visit) + self.groups[b].stamp(other, visit);
            let misses = self.groups[a].misses(one) | self.groups[b].misses(other);
            if !misses {
                self.groups[a].hit(one);
                self.groups[b].hit(other);
                return;
            }
            for lane in 0..span.count as u32 {
                self.fetch_lane(a, lane, one, out);
                self.fetch_lane(b, lane, other, out);
            }
            return;
        }
        self.read_pairs_apart(span, (one, other), visit, out);
    }

    /// Writes sectors of each line.
    #[inline]
    pub(super) fn write(&mut self, span: Span, mask: u8, out: &mut Count) {
        if let Some(index) = self.group_of(span) {
            return self.put(index, mask, out);
        }
        if let Some(index) = self.settle(span) {
            return self.put(index, mask, out);
        }
        for line in span.lines() {
            let index = (self.places[line] >> 3) as usize;
            self.put(index, mask, out);
        }
        self.join(span);
    }

    /// Brings what a part misses into the lines of a group, each in its turn.
    #[inline(never)]
    fn fetch(&mut self, index: usize, part: &Part, out: &mut Count) {
        let group = &mut self.groups[index];
        let count = group.count();
        // If all of them are there nobody has to leave, and if none of them is nobody is looked at before its turn.
        let none = group.valid == 0;
        if part.keep && (none || !has_zero(group.valid, count)) {
            let wanted = bytes(part.mask, count);
            out.fetched += (wanted & !group.valid).count_ones();
            group.valid |= wanted;
            group.hit(part);
            if none {
                let lines =
                    std::array::from_fn::<_, { LANES as usize }, _>(|n| place(index, n as u32));
                out.evicted += self.make_room(&lines[..count as usize]);
            }
            return;
        }
        for lane in 0..count as u32 {
            self.fetch_lane(index, lane, part, out);
        }
    }

    /// Brings what a part misses into a line; what is not kept only passes.
    #[inline]
    fn fetch_lane(&mut self, index: usize, lane: u32, part: &Part, out: &mut Count) {
        let group = &mut self.groups[index];
        let valid = (group.valid >> (8 * lane)) as u8;
        let missing = part.mask & !valid;
        out.fetched += missing.count_ones();
        if !part.keep {
            return;
        }
        group.valid |= u64::from(missing) << (8 * lane);
        group.word |= 1 << lane;
        if valid == 0 {
            out.evicted += self.make_room(&[place(index, lane)]);
        }
    }

    /// Puts sectors into each line of a group.
    #[inline(never)]
    fn put(&mut self, index: usize, mask: u8, out: &mut Count) {
        for lane in 0..self.groups[index].count() as u32 {
            let group = &mut self.groups[index];
            let absent = (group.valid >> (8 * lane)) as u8 == 0;
            let sectors = u64::from(mask) << (8 * lane);
            group.valid |= sectors;
            group.dirty |= sectors;
            group.word |= 1 << lane;
            if absent {
                out.evicted += self.make_room(&[place(index, lane)]);
            }
        }
    }

    /// Reads lines that are not yet, or not only, in company of each other.
    #[cold]
    #[inline(never)]
    fn read_apart(&mut self, span: Span, part: &Part, visit: &Visit, out: &mut Count) {
        if self.settle(span).is_some() {
            return self.read(span, part, visit, out);
        }
        for line in span.lines() {
            self.read(Span::new(line as u64, 1, 1), part, visit, out);
        }
        self.join(span);
    }

    /// As [`Lines::read_apart`], for two lines a row.
    #[cold]
    #[inline(never)]
    fn read_pairs_apart(
        &mut self,
        span: Span,
        (one, other): (&Part, &Part),
        visit: &Visit,
        out: &mut Count,
    ) {
        if self.settle(span).is_some() && self.settle(span.behind()).is_some() {
            return self.read_pairs(span, &mut [0; 2], (one, other), visit, out);
        }
        for line in span.lines() {
            let single = |line: usize| Span::new(line as u64, 1, 1);
            self.single(line);
            self.single(line + 1);
            self.read(single(line), one, visit, out);
            self.read(single(line + 1), other, visit, out);
        }
        self.join(span);
        self.join(span.behind());
    }

    /// Lets lines have a group of their own if they have one or never had any, else lets each be alone.
    #[cold]
    fn settle(&mut self, span: Span) -> Option<usize> {
        if let Some(index) = self.group_of(span) {
            return Some(index);
        }
        if span.lines().all(|line| self.places[line] == 0) {
            return Some(self.add(Group::new(span)));
        }
        span.lines().for_each(|line| self.single(line));
        self.group_of(span)
    }

    /// Lets a line be alone.
    fn single(&mut self, line: usize) {
        let place = self.places[line];
        if place == 0 {
            self.add(Group::new(Span::new(line as u64, 1, 1)));
        } else if self.groups[(place >> 3) as usize].count() > 1 {
            self.take_apart((place >> 3) as usize);
        }
    }

    /// Adds a group, where its lines are from now on.
    fn add(&mut self, group: Group) -> usize {
        let index = self.groups.len();
        self.groups.push(group);
        for lane in 0..group.count() as u32 {
            self.places[group.line(lane)] = place(index, lane);
        }
        index
    }

    /// Lets every line of a group be alone.
    fn take_apart(&mut self, index: usize) {
        let group = self.groups[index];
        self.groups[index].word &= !COUNT;
        let fought = (group.word & FOUGHT) + (1 << FOUGHT_SHIFT);
        for lane in 0..group.count() as u32 {
            let span = Span::new(group.line(lane) as u64, 1, 1);
            let byte = |bytes: u64| bytes >> (8 * lane) & 0xff;
            let word = group.word & STAMP | group.word >> lane & 1 | fought.min(FOUGHT);
            let alone = Group::new(span);
            self.add(Group {
                valid: byte(group.valid),
                dirty: byte(group.dirty),
                word: alone.word | word,
                ..alone
            });
        }
    }

    /// Lets lines that are alone and were read together last make a group, unless that has come to nothing too often.
    fn join(&mut self, span: Span) {
        let alone = |line: usize| self.groups[(self.places[line] >> 3) as usize];
        let stamp = alone(span.first()).word & STAMP;
        let mut together = Group::new(span);
        together.word |= stamp;
        for (line, lane) in span.lines().zip(0_u32..) {
            let group = alone(line);
            let fought = group.word & FOUGHT;
            if group.word & STAMP != stamp || fought >= FIGHTS << FOUGHT_SHIFT || group.count() != 1
            {
                return;
            }
            together.valid |= group.valid << (8 * lane);
            together.dirty |= group.dirty << (8 * lane);
            together.word = together.word & !FOUGHT | fought.max(together.word & FOUGHT);
            together.word |= (group.word & 1) << lane;
        }
        for line in span.lines() {
            let index = (self.places[line] >> 3) as usize;
            self.groups[index].word &= !COUNT;
        }
        self.add(together);
    }
}

//! Whole repeats of operations that treat every lane alike, where they are: the fast way of `lanes`.
//!
//! A repeat's lanes lie side by side, or one block serves all of them; the destination's are those of a source or apart
//! from all. Then nothing is brought side by side first, one repeat after the other is done in place, and a later one
//! sees what an earlier one wrote, as it must. Everything else is left to `lanes`.

use isa::num::{self, Loops};

use super::items::{BLOCK, Item, ROW};
use super::lanes::{Walk, Work};

/// Where the rows of an operand lie.
#[derive(Copy, Clone, Debug)]
struct Rows {
    at: usize,
    /// Bytes from one repeat to the next.
    step: usize,
    /// Whether one block serves every lane.
    block: bool,
}

impl Rows {
    fn of(walk: &Walk, work: &Work) -> Option<Rows> {
        (walk.row(work) == ROW && walk.blk <= 1).then_some(Rows {
            at: walk.at,
            step: walk.rep * BLOCK,
            block: walk.blk == 0,
        })
    }

    fn len(self) -> usize {
        if self.block { BLOCK } else { ROW }
    }

    /// Whether its rows are those of another operand.
    fn is(self, other: Rows) -> bool {
        (self.at, self.step, self.block) == (other.at, other.step, other.block)
    }

    /// Whether no row of its meets the row of another operand in the same repeat.
    fn is_apart(self, other: Rows, repeats: usize) -> bool {
        let end = |rows: Rows, repeat: usize| rows.at + rows.step * repeat + rows.len();
        let last = repeats.saturating_sub(1);
        // With the same step the distance stays; otherwise all rows of one are before all of the other.
        let last = if self.step == other.step { 0 } else { last };
        end(self, last) <= other.at || end(other, last) <= self.at
    }
}

/// How a source lies to the destination.
#[derive(Copy, Clone, Debug)]
enum Source {
    /// The destination's own lanes.
    Own,
    Apart(Rows),
}

/// The rows of an instruction, if it may be done in place.
#[derive(Copy, Clone, Debug)]
pub(super) struct InPlace<const N: usize> {
    repeats: usize,
    dst: Rows,
    sources: [Source; N],
}

impl<const N: usize> InPlace<N> {
    /// The rows of operands whose accesses have been checked; none if they lie otherwise, or lanes are off.
    pub(super) fn of(work: &Work, dst: &Walk, sources: [&Walk; N]) -> Option<InPlace<N>> {
        let dst = Rows::of(dst, work).filter(|dst| !dst.block && work.whole() == work.repeats)?;
        let mut rows = [dst; N];
        for (rows, walk) in rows.iter_mut().zip(sources) {
            *rows = Rows::of(walk, work)?;
        }
        InPlace::relate(work.repeats, dst, rows)
    }

    /// How sources lie to the destination; none if one meets it in another way than the whole of it.
    fn relate(repeats: usize, dst: Rows, rows: [Rows; N]) -> Option<InPlace<N>> {
        let kind = |rows: Rows| match rows.is(dst) {
            true => Some(Source::Own),
            false => rows.is_apart(dst, repeats).then_some(Source::Apart(rows)),
        };
        let mut sources = [Source::Own; N];
        for (source, rows) in sources.iter_mut().zip(rows) {
            *source = kind(rows)?;
        }
        Some(InPlace {
            repeats,
            dst,
            sources,
        })
    }

    /// The bytes of all its lanes, if they lie side by side and every source is the destination itself.
    pub(super) fn own<'b>(&self, bytes: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let own = self
            .sources
            .iter()
            .all(|source| matches!(source, Source::Own));
        let dense = self.dst.step == ROW || self.repeats == 1;
        let range = self.dst.at..self.dst.at + self.repeats * ROW;
        bytes.get_mut(range).filter(|_| own && dense)
    }

    /// Whether its repeats are apart, so that nobody gains by taking them together.
    pub(super) fn is_apart(&self) -> bool {
        self.dst.step != ROW
    }
}

/// Applies a function to the items of one source.
pub(super) fn apply<T: Item>(bytes: &mut [u8], rows: InPlace<1>, function: impl Fn(T) -> T + Copy) {
    num::run_widest(One {
        bytes,
        rows,
        function,
        item: std::marker::PhantomData,
    });
}

/// Applies a function to the items of two sources.
pub(super) fn apply2<T: Item>(
    bytes: &mut [u8],
    rows: InPlace<2>,
    function: impl Fn(T, T) -> T + Copy,
) {
    num::run_widest(Two {
        bytes,
        rows,
        function,
        item: std::marker::PhantomData,
    });
}

/// Calls `f(out, x)` on each row; `out` holds anything.
pub(super) fn each(
    bytes: &mut [u8],
    rows: InPlace<1>,
    mut f: impl FnMut(&mut [u8; ROW], &[u8; ROW]),
) {
    let mut fill = [0; ROW];
    for repeat in 0..rows.repeats {
        let Some((out, others)) = cut(bytes, rows.dst, repeat) else {
            return;
        };
        let [source] = rows.sources;
        if let Some(x) = source.row(out, &others, repeat, &mut fill) {
            f(out, x);
        }
    }
}

/// Calls `f(out, x, y)` on each row; `out` holds anything.
pub(super) fn each2(
    bytes: &mut [u8],
    rows: InPlace<2>,
    mut f: impl FnMut(&mut [u8; ROW], &[u8; ROW], &[u8; ROW]),
) {
    let (mut fill_left, mut fill_right) = ([0; ROW], [0; ROW]);
    for repeat in 0..rows.repeats {
        let Some((out, others)) = cut(bytes, rows.dst, repeat) else {
            return;
        };
        let [left, right] = rows.sources;
        let x = left.row(out, &others, repeat, &mut fill_left);
        let y = right.row(out, &others, repeat, &mut fill_right);
        if let (Some(x), Some(y)) = (x, y) {
            f(out, x, y);
        }
    }
}

impl Source {
    /// Its row of a repeat, a copy if that is the destination's own.
    fn row<'f>(
        self,
        out: &[u8; ROW],
        others: &Others<'f>,
        repeat: usize,
        fill: &'f mut [u8; ROW],
    ) -> Option<&'f [u8; ROW]> {
        match self {
            Source::Own => {
                *fill = *out;
                Some(fill)
            }
            Source::Apart(rows) => others.row(rows, repeat, fill),
        }
    }
}

struct One<'a, T, F> {
    bytes: &'a mut [u8],
    rows: InPlace<1>,
    function: F,
    item: std::marker::PhantomData<T>,
}

struct Two<'a, T, F> {
    bytes: &'a mut [u8],
    rows: InPlace<2>,
    function: F,
    item: std::marker::PhantomData<T>,
}

impl<T: Item, F: Fn(T) -> T + Copy> Loops for One<'_, T, F> {
    #[inline(always)]
    fn run(self) {
        let InPlace {
            repeats,
            dst,
            sources: [source],
        } = self.rows;
        // What the function holds is on the stack here, where no item can be.
        let function = self.function;
        let mut fill = [0; ROW];
        for repeat in 0..repeats {
            let Some((out, others)) = cut(self.bytes, dst, repeat) else {
                return;
            };
            match source {
                Source::Own => change(T::row_mut(out), function),
                Source::Apart(x) => {
                    let Some(x) = others.row(x, repeat, &mut fill) else {
                        return;
                    };
                    put(T::row_mut(out), T::row(x), function);
                }
            }
        }
    }
}

impl<T: Item, F: Fn(T, T) -> T + Copy> Loops for Two<'_, T, F> {
    #[inline(always)]
    fn run(self) {
        let InPlace {
            repeats,
            dst,
            sources: [left, right],
        } = self.rows;
        let function = self.function;
        let (mut fill_left, mut fill_right) = ([0; ROW], [0; ROW]);
        for repeat in 0..repeats {
            let Some((out, others)) = cut(self.bytes, dst, repeat) else {
                return;
            };
            match (left, right) {
                (Source::Own, Source::Own) => {
                    change(T::row_mut(out), |x| function(x, x));
                }
                (Source::Own, Source::Apart(y)) => {
                    if let Some(y) = others.block(y, repeat) {
                        change_by(T::lines_mut(out), T::line(y), function);
                        continue;
                    }
                    let Some(y) = others.row(y, repeat, &mut fill_right) else {
                        return;
                    };
                    change2(T::row_mut(out), T::row(y), function);
                }
                (Source::Apart(x), Source::Own) => {
                    let Some(x) = others.row(x, repeat, &mut fill_left) else {
                        return;
                    };
                    change2(T::row_mut(out), T::row(x), |y, x| function(x, y));
                }
                (Source::Apart(x), Source::Apart(y)) => {
                    let x = others.row(x, repeat, &mut fill_left);
                    if let (Some(x), Some(y)) = (x, others.block(y, repeat)) {
                        put_by(T::lines_mut(out), T::lines(x), T::line(y), function);
                        continue;
                    }
                    let y = others.row(y, repeat, &mut fill_right);
                    let (Some(x), Some(y)) = (x, y) else {
                        return;
                    };
                    put2(T::row_mut(out), T::row(x), T::row(y), function);
                }
            }
        }
    }
}

/// What is beside a row.
struct Others<'a> {
    below: &'a [u8],
    above: &'a [u8],
    /// Where what is above begins.
    end: usize,
}

/// Cuts the destination's row of a repeat out of memory; none beyond its end.
#[inline(always)]
fn cut(bytes: &mut [u8], dst: Rows, repeat: usize) -> Option<(&mut [u8; ROW], Others<'_>)> {
    let at = dst.at + repeat * dst.step;
    let (below, rest) = bytes.split_at_mut_checked(at)?;
    let (out, above) = rest.split_first_chunk_mut()?;
    let end = at + ROW;
    Some((out, Others { below, above, end }))
}

impl<'a> Others<'a> {
    /// The block of a source that serves every lane; none of another source.
    #[inline(always)]
    fn block(&self, rows: Rows, repeat: usize) -> Option<&'a [u8; BLOCK]> {
        if !rows.block {
            return None;
        }
        let at = rows.at + repeat * rows.step;
        match at.checked_sub(self.end) {
            None => self.below.get(at..)?.first_chunk(),
            Some(at) => self.above.get(at..)?.first_chunk(),
        }
    }

    /// The row of a source; `fill` is room for the copies of a block.
    #[inline(always)]
    fn row<'f>(&self, rows: Rows, repeat: usize, fill: &'f mut [u8; ROW]) -> Option<&'f [u8; ROW]>
    where
        'a: 'f,
    {
        let at = rows.at + repeat * rows.step;
        let from = match at.checked_sub(self.end) {
            None => self.below.get(at..)?,
            Some(at) => self.above.get(at..)?,
        };
        if !rows.block {
            return from.first_chunk();
        }
        let block: &[u8; BLOCK] = from.first_chunk()?;
        if repeat == 0 || rows.step > 0 {
            fill.as_chunks_mut().0.fill(*block);
        }
        Some(fill)
    }
}

#[inline(always)]
fn change<T: Copy, R: AsMut<[T]>>(out: &mut R, function: impl Fn(T) -> T + Copy) {
    for item in out.as_mut() {
        *item = function(*item);
    }
}

// The others' rows are taken whole before the first item is written: that they lie apart is more than a compiler sees, and
// where rows of one buffer take turns it would go item by item.

#[inline(always)]
fn change2<T: Copy, R: AsMut<[T]> + AsRef<[T]> + Copy>(
    out: &mut R,
    other: &R,
    function: impl Fn(T, T) -> T,
) {
    let other = *other;
    for (item, &y) in out.as_mut().iter_mut().zip(other.as_ref()) {
        *item = function(*item, y);
    }
}

/// One line is the second operand of every line.
#[inline(always)]
fn change_by<T: Copy, L: AsMut<[T]> + AsRef<[T]> + Copy>(
    out: &mut [L],
    other: L,
    function: impl Fn(T, T) -> T,
) {
    for line in out {
        for (item, &y) in line.as_mut().iter_mut().zip(other.as_ref()) {
            *item = function(*item, y);
        }
    }
}

/// One line is the second operand of every line.
#[inline(always)]
fn put_by<T: Copy, L: AsMut<[T]> + AsRef<[T]> + Copy>(
    out: &mut [L],
    x: &[L],
    other: L,
    function: impl Fn(T, T) -> T,
) {
    for (line, x) in out.iter_mut().zip(x) {
        let x = *x;
        let sources = x.as_ref().iter().zip(other.as_ref());
        for (item, (&x, &y)) in line.as_mut().iter_mut().zip(sources) {
            *item = function(x, y);
        }
    }
}

#[inline(always)]
fn put<T: Copy, R: AsMut<[T]> + AsRef<[T]> + Copy>(
    out: &mut R,
    x: &R,
    function: impl Fn(T) -> T + Copy,
) {
    let x = *x;
    for (item, &x) in out.as_mut().iter_mut().zip(x.as_ref()) {
        *item = function(x);
    }
}

#[inline(always)]
fn put2<T: Copy, R: AsMut<[T]> + AsRef<[T]> + Copy>(
    out: &mut R,
    x: &R,
    y: &R,
    function: impl Fn(T, T) -> T,
) {
    let (x, y) = (*x, *y);
    let sources = x.as_ref().iter().zip(y.as_ref());
    for (item, (&x, &y)) in out.as_mut().iter_mut().zip(sources) {
        *item = function(x, y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One repeat after the other, each read before it is written.
    fn plainly(bytes: &mut [u8], repeats: usize, dst: Rows, sources: [Rows; 2]) {
        for repeat in 0..repeats {
            let items = sources.map(|rows| {
                let at = rows.at + repeat * rows.step;
                let row: [u8; ROW] = std::array::from_fn(|n| bytes[at + n % rows.len()]);
                row
            });
            let at = dst.at + repeat * dst.step;
            for n in 0..ROW {
                bytes[at + n] = items[0][n].wrapping_mul(3).wrapping_add(items[1][n]);
            }
        }
    }

    fn each_byte<const SIZE: usize>(x: [u8; SIZE], y: [u8; SIZE]) -> [u8; SIZE] {
        std::array::from_fn(|n| x[n].wrapping_mul(3).wrapping_add(y[n]))
    }

    #[test]
    fn in_place_is_as_if_each_repeat_were_done_alone() {
        let layouts = [0, 32, 256, 288, 512, 1024, 3072].into_iter();
        let layouts = layouts.flat_map(|at| [0, 32, 256, 512].map(|step| (at, step)));
        let rows = |(at, step), block| Rows { at, step, block };
        let sources = layouts
            .clone()
            .flat_map(|l| [rows(l, false), rows(l, true)]);
        let sources: Vec<Rows> = sources.collect();
        let mut start: Vec<u8> = (0..8192_u32).map(|n| (n * n / 7 + n) as u8).collect();
        // Blocks that repeat one item.
        start[..64].fill(7);
        let mut done = 0;
        for dst in layouts.map(|l| rows(l, false)) {
            for &x in &sources {
                for &y in &sources {
                    let Some(place) = InPlace::relate(4, dst, [x, y]) else {
                        continue;
                    };
                    let mut expected = start.clone();
                    plainly(&mut expected, 4, dst, [x, y]);
                    let (mut words, mut halves) = (start.clone(), start.clone());
                    apply2(&mut words, place, each_byte::<4>);
                    assert_eq!(words, expected, "{dst:?} {x:?} {y:?}");
                    each2(&mut halves, place, |out, x, y| {
                        let pairs = x.iter().zip(y);
                        out.iter_mut()
                            .zip(pairs)
                            .for_each(|(out, (&x, &y))| [*out] = each_byte([x], [y]));
                    });
                    assert_eq!(halves, expected, "{dst:?} {x:?} {y:?}");
                    done += 1;
                }
            }
        }
        assert!(done > 1000, "{done} layouts");
    }
}

//! Whole repeats of operations that treat every lane alike, where they are: the fast way of `lanes`.
//!
//! A repeat's lanes lie side by side, or one block serves all of them; the destination's are those of a source or apart
//! from all. Then nothing is brought side by side first, one repeat after the other is done in place, and a later one
//! sees what an earlier one wrote, as it must. Everything else is left to `lanes`.

use isa::num::{self, Loops};

use super::lanes::{Walk, Work};

/// Bytes of a repeat.
const ROW: usize = 256;
const BLOCK: usize = 32;

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
        let repeats = work.repeats;
        let dst = Rows::of(dst, work).filter(|dst| !dst.block && work.whole() == repeats)?;
        let mut kinds = [Source::Own; N];
        for (kind, walk) in kinds.iter_mut().zip(sources) {
            let rows = Rows::of(walk, work)?;
            if rows.is(dst) {
                continue;
            }
            if !rows.is_apart(dst, repeats) {
                return None;
            }
            *kind = Source::Apart(rows);
        }
        Some(InPlace {
            repeats,
            dst,
            sources: kinds,
        })
    }

    /// Whether its repeats are apart, so that nobody gains by taking them together.
    pub(super) fn is_apart(&self) -> bool {
        self.dst.step != ROW
    }
}

/// An item of a row: four bytes or two.
pub(super) trait Item: Copy {
    /// A row of such items.
    type Row: AsRef<[Self]> + AsMut<[Self]> + Copy;
    /// The items of a row.
    fn row(bytes: &[u8; ROW]) -> &Self::Row;
    /// The items of a row, to change them.
    fn row_mut(bytes: &mut [u8; ROW]) -> &mut Self::Row;
    /// The items of any bytes.
    fn items(bytes: &[u8]) -> &[Self];
    /// The items of any bytes, to change them.
    fn items_mut(bytes: &mut [u8]) -> &mut [Self];
}

/// Declares the items of one size.
macro_rules! item {
    ($size:literal, $count:literal) => {
        impl Item for [u8; $size] {
            type Row = [[u8; $size]; $count];

            #[inline(always)]
            fn row(bytes: &[u8; ROW]) -> &Self::Row {
                bytes.as_chunks().0.first_chunk().expect("a whole row")
            }

            #[inline(always)]
            fn row_mut(bytes: &mut [u8; ROW]) -> &mut Self::Row {
                let row = bytes.as_chunks_mut().0.first_chunk_mut();
                row.expect("a whole row")
            }

            fn items(bytes: &[u8]) -> &[Self] {
                bytes.as_chunks().0
            }

            fn items_mut(bytes: &mut [u8]) -> &mut [Self] {
                bytes.as_chunks_mut().0
            }
        }
    };
}

item!(4, 64);
item!(2, 128);

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

#[inline(always)]
fn change2<T: Copy, R: AsMut<[T]> + AsRef<[T]>>(
    out: &mut R,
    other: &R,
    function: impl Fn(T, T) -> T,
) {
    for (item, &y) in out.as_mut().iter_mut().zip(other.as_ref()) {
        *item = function(*item, y);
    }
}

#[inline(always)]
fn put<T: Copy, R: AsMut<[T]> + AsRef<[T]>>(out: &mut R, x: &R, function: impl Fn(T) -> T + Copy) {
    for (item, &x) in out.as_mut().iter_mut().zip(x.as_ref()) {
        *item = function(x);
    }
}

#[inline(always)]
fn put2<T: Copy, R: AsMut<[T]> + AsRef<[T]>>(
    out: &mut R,
    x: &R,
    y: &R,
    function: impl Fn(T, T) -> T,
) {
    let sources = x.as_ref().iter().zip(y.as_ref());
    for (item, (&x, &y)) in out.as_mut().iter_mut().zip(sources) {
        *item = function(x, y);
    }
}

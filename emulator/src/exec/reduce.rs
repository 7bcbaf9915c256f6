//! Reductions inside an instruction: whole repeats, blocks and pairs, by trees of adjacent lanes.

use isa::inst::*;
use isa::num::{self, Loops, Overflow};
use isa::types::Space;

use super::lanes::{Walk, Work};
use super::repeat::*;
use crate::core::{Core, Halt};
use crate::fault::Stop;

type Done = Result<(), Halt>;

impl Core<'_> {
    /// Reduces each repeat to `results` elements; `f(x, on, out)` writes them side by side and gives a bit for each that
    /// exists.
    pub(super) fn reduce(
        &mut self,
        ty: VecTy,
        o: (Out<Ub>, In<Ub>, Rep, StRed),
        results: usize,
        f: impl Fn(&Bytes, u128, &mut [u8]) -> u64,
    ) -> Done {
        let (dst, a, rep, st) = o;
        let size = ty.bytes() as usize;
        let work = Work::new(self, rep, 256 / size)?;
        let a = Walk::new("a", self.ub(a.at), st.a_blk, st.a_rep, size);
        self.check_read(&work, &a)?;
        let base = self.ub(dst.at);
        let (row, step) = (results * size, usize::from(st.dst_rep) * size);
        let (mut x, mut out) = ([0; 256], [0; 128]);
        for repeat in 0..work.repeats {
            self.fetch(&work, &a, repeat, &mut x);
            let exist = f(&x, work.on(repeat), &mut out[..row]);
            if exist == 0 {
                continue;
            }
            let start = base + (repeat * step) as u64;
            let ub = self.memory(Space::Ub);
            let at = ub.aligned("dst", start, row as u64, size as u64)?;
            self.put_results(at, size, &out[..row], exist)?;
        }
        Ok(())
    }

    /// Reduces whole repeats of f32 to one element each, or their blocks to eight; false, and nothing is done, if lanes are off, their blocks are
    /// apart, or somebody looks at every access.
    fn reduce_rows(
        &mut self,
        (dst, a, rep, st): (Out<Ub>, In<Ub>, Rep, StRed),
        results: usize,
        join: &impl Fn(f32, f32) -> f32,
    ) -> Result<bool, Stop> {
        let work = Work::new(self, rep, 64)?;
        let a = Walk::new("a", self.ub(a.at), st.a_blk, st.a_rep, 4);
        let (base, step) = (self.ub(dst.at), usize::from(st.dst_rep) * 4);
        if self.is_watched() || work.repeats == 0 || work.whole() < work.repeats || a.blk != 1 {
            return Ok(false);
        }
        self.check_read(&work, &a)?;
        let reach = (work.repeats - 1) * step + 4 * results;
        let ub = self.memory(Space::Ub);
        let Ok(at) = ub.aligned("dst", base, reach as u64, 4) else {
            return Ok(false);
        };
        ub.touch(at + reach);
        num::run_widest(RowSums {
            bytes: &mut ub.bytes,
            repeats: work.repeats,
            from: (a.at, a.rep * 32),
            to: (at, step),
            results,
            join,
        });
        Ok(true)
    }

    /// Writes the results that exist.
    fn put_results(&mut self, at: usize, size: usize, out: &[u8], exist: u64) -> Result<(), Stop> {
        let mut left = exist;
        while left != 0 {
            let first = left.trailing_zeros();
            let count = (left >> first).trailing_ones();
            left &= u64::MAX.checked_shl(first + count).unwrap_or(0);
            let (from, to) = (first as usize * size, (first + count) as usize * size);
            self.writes("dst", Space::Ub, at + from, to - from)?;
            self.holds_values(at + from, to - from);
            self.memory(Space::Ub).bytes[at + from..at + to].copy_from_slice(&out[from..to]);
        }
        Ok(())
    }

    /// Reduces groups of `group` lanes by a tree; `neutral` stands for lanes that are off, none leaves them out.
    pub(super) fn reduce_groups(
        &mut self,
        ty: VecTy,
        o: (Out<Ub>, In<Ub>, Rep, StRed),
        group: usize,
        neutral: Option<f32>,
        join: impl Fn(f32, f32) -> f32,
    ) -> Done {
        if !ty.is_float() {
            return Err(no_such_lanes(ty).into());
        }
        if ty == VecTy::F32 && matches!(group, 8 | 64) {
            let results = 64 / group;
            let done = match neutral {
                // Only the last sum says which NaN it is.
                Some(_) => self.reduce_rows(o, results, &|a, b| a + b)?,
                None => self.reduce_rows(o, results, &join)?,
            };
            if done {
                return Ok(());
            }
        }
        let results = ty.lanes() as usize / group;
        let overflow = match neutral {
            Some(_) => self.overflow(),
            None => Overflow::Keep,
        };
        let tree = Tree {
            ty,
            group,
            overflow,
        };
        self.reduce(ty, o, results, |x, on, out| {
            let mut lanes = lane_values(ty, x);
            let all = tree.whole_groups(on);
            let (mut any, mut values) = (all, [0.0; 64]);
            let is_off = |lane: usize| on >> lane & 1 == 0;
            if all.count_ones() as usize == results {
                tree.reduce(&mut lanes, &mut values[..results], &join);
            } else if let Some(neutral) = neutral {
                any = tree.started_groups(on);
                let off = lanes.iter_mut().enumerate().filter(|(n, _)| is_off(*n));
                off.for_each(|(_, x)| *x = neutral);
                tree.reduce(&mut lanes, &mut values[..results], &join);
            } else {
                any = tree.started_groups(on);
                for (n, value) in values.iter_mut().take(results).enumerate() {
                    *value = tree.reduce_partly(&lanes, on, n, &join);
                }
            }
            tree.put(&values[..results], out);
            any
        })
    }
}

/// Rows of 64 f32, each reduced to one or to eight: where the first of either is, and bytes from one to the next.
struct RowSums<'a, F> {
    bytes: &'a mut [u8],
    repeats: usize,
    from: (usize, usize),
    to: (usize, usize),
    results: usize,
    join: F,
}

impl<F: Fn(f32, f32) -> f32> Loops for RowSums<'_, F> {
    #[inline(always)]
    fn run(self) {
        for repeat in 0..self.repeats {
            let from = self.from.0 + repeat * self.from.1;
            let to = self.to.0 + repeat * self.to.1;
            let row = self.bytes.get(from..).and_then(<[u8]>::first_chunk);
            let Some(row) = row.map(floats) else {
                return;
            };
            let join = &self.join;
            let lanes: [f32; 32] = halved(row, join);
            let lanes: [f32; 16] = halved(lanes, join);
            let lanes: [f32; 8] = halved(lanes, join);
            if self.results == 8 {
                if let Some(out) = self.bytes.get_mut(to..to + 32) {
                    let words = lanes.map(|x| to_word(num::canonical_f32(x)));
                    out.copy_from_slice(words.as_flattened());
                }
                continue;
            }
            let lanes: [f32; 4] = halved(lanes, join);
            let lanes: [f32; 2] = halved(lanes, join);
            let [total] = halved(lanes, join);
            if let Some(out) = self.bytes.get_mut(to..to + 4) {
                out.copy_from_slice(&to_word(num::canonical_f32(total)));
            }
        }
    }
}

/// Joins neighbours.
#[inline(always)]
fn halved<const N: usize, const M: usize>(
    lanes: [f32; N],
    join: &impl Fn(f32, f32) -> f32,
) -> [f32; M] {
    let mut next = [0.0; M];
    for (next, [a, b]) in next.iter_mut().zip(lanes.as_chunks::<2>().0) {
        *next = join(*a, *b);
    }
    next
}

/// A reduction of groups of lanes in pairs, where every join rounds in the lane's own type.
#[derive(Copy, Clone, Debug)]
struct Tree {
    ty: VecTy,
    /// Lanes of a result.
    group: usize,
    overflow: Overflow,
}

impl Tree {
    /// A bit for each group whose lanes satisfy `holds`.
    fn groups(self, holds: impl Fn(usize) -> bool) -> u64 {
        let groups = 0..self.ty.lanes() as usize / self.group;
        groups.fold(0, |bits, n| bits | u64::from(holds(n * self.group)) << n)
    }

    fn lanes_of_a_group(self) -> u128 {
        u128::MAX >> (128 - self.group)
    }

    /// The groups that have every lane on.
    fn whole_groups(self, on: u128) -> u64 {
        let lanes = self.lanes_of_a_group();
        self.groups(|first| on >> first & lanes == lanes)
    }

    /// The groups that have a lane on.
    fn started_groups(self, on: u128) -> u64 {
        let lanes = self.lanes_of_a_group();
        self.groups(|first| on >> first & lanes != 0)
    }

    /// Reduces every group, all of them a level at a time.
    fn reduce(self, lanes: &mut [f32; 128], out: &mut [f32], join: &impl Fn(f32, f32) -> f32) {
        let mut width = self.ty.lanes() as usize;
        let mut next = [0.0; 64];
        while width > out.len() {
            let pairs = lanes[..width].as_chunks::<2>().0;
            width /= 2;
            num::apply_slice(&mut next[..width], pairs, |[a, b]| join(a, b));
            self.round(&mut next[..width]);
            lanes[..width].copy_from_slice(&next[..width]);
        }
        out.copy_from_slice(&lanes[..width]);
    }

    /// Rounds joined values to the lane type.
    fn round(self, values: &mut [f32]) {
        if self.ty == VecTy::F16 {
            let mut narrow = [0_u16; 64];
            num::f32_to_f16_slice(&mut narrow, values, self.overflow);
            num::f16_to_f32_slice(values, &narrow);
        }
    }

    /// Reduces the lanes of one group that are on; anything if there are none.
    fn reduce_partly(
        self,
        lanes: &[f32; 128],
        on: u128,
        group: usize,
        join: &impl Fn(f32, f32) -> f32,
    ) -> f32 {
        let (mut list, mut len) = ([0.0; 128], 0);
        let first = group * self.group;
        for (n, &x) in lanes[first..first + self.group].iter().enumerate() {
            if on >> (first + n) & 1 == 1 {
                list[len] = x;
                len += 1;
            }
        }
        let narrow = |x: f32| round_to(self.ty, x, self.overflow);
        let total = num::tree_reduce(&list[..len], |a, b| narrow(join(a, b)));
        narrow(total.unwrap_or(0.0))
    }

    /// Writes results as memory has them.
    fn put(self, values: &[f32], out: &mut [u8]) {
        match self.ty {
            VecTy::F16 => num::f32_to_f16_slice(halves_mut(out), values, self.overflow),
            VecTy::F32 | VecTy::S16 | VecTy::S32 => {
                num::apply_slice(words_mut(out), values, |x| to_word(num::canonical_f32(x)));
            }
        }
    }
}

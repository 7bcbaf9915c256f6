//! Sorting of 32 scores with their indices, and merging of up to four sorted lists.

use isa::effects::merged_pairs;
use isa::inst::*;
use isa::types::Space;

use super::at_most;
use super::extremes::rank;
use super::repeat::{float_scalar, no_such_lanes};
use crate::core::Core;
use crate::fault::{FaultKind, Stop};

type Done = Result<(), Stop>;
/// Scores that are sorted together.
const SORTED: usize = 32;
/// Bytes of a score and its index.
const PAIR: usize = 8;

impl Core<'_> {
    /// Sorts 32 scores a repeat, descending; equal ones keep their order.
    pub(super) fn sort32(&mut self, i: &Vsort32) -> Done {
        if !i.ty.is_float() {
            return Err(no_such_lanes(i.ty));
        }
        let size = i.ty.bytes() as usize;
        let rep = at_most("rep", i.rep.get(&self.context), 255, "at most 255 repeats")?;
        let (dst, a, index) = (self.ub(i.dst.at), self.ub(i.a.at), self.ub(i.index.at));
        for repeat in 0..rep {
            let step = |bytes: usize| (repeat * SORTED * bytes) as u64;
            let scores = self.read_ub("a", a + step(size), SORTED * size, 32)?;
            let indices = self.read_ub("index", index + step(4), SORTED * 4, 32)?;
            let mut pairs: Vec<[u8; PAIR]> = scores
                .chunks_exact(size)
                .zip(indices.as_chunks::<4>().0)
                .map(|(score, index)| pair(score, index))
                .collect();
            pairs.sort_by_key(|pair| std::cmp::Reverse(key(i.ty, pair)));
            self.write_ub("dst", dst + step(PAIR), pairs.as_flattened(), 32)?;
        }
        Ok(())
    }

    /// Merges the lists of each repeat and leaves how many pairs of each it took.
    pub(super) fn merge4(&mut self, i: &Vmrg4) -> Done {
        if !i.ty.is_float() {
            return Err(no_such_lanes(i.ty));
        }
        let rep = at_most("rep", i.rep.get(&self.context), 255, "at most 255 repeats")?;
        let lengths = merged_pairs(i, &self.context);
        for length in lengths {
            at_most("lengths", length, 4095, "at most 4095 pairs in a list")?;
        }
        let lists = [i.a, i.b, i.c, i.d].map(|list| self.ub(list.at));
        if rep > 1 {
            check_repeated(i, lists, lengths)?;
        }
        let dst = self.ub(i.dst.at);
        let all = lengths.iter().sum::<u64>() * PAIR as u64;
        for repeat in 0..rep as u64 {
            let mut sources: [Vec<u8>; 4] = Default::default();
            let names = ["a", "b", "c", "d"];
            for (n, source) in sources.iter_mut().enumerate() {
                if lengths[n] > 0 {
                    let at = lists[n] + repeat * all;
                    *source = self.read_ub(names[n], at, lengths[n] as usize * PAIR, 8)?;
                }
            }
            let (merged, taken) = merge(i.ty, i.end, &sources);
            self.write_ub("dst", dst + repeat * all, merged.as_flattened(), 32)?;
            let counts = taken.iter().rev().fold(0, |word, &n| word << 16 | n as u64);
            self.vector.merged = self.leave(counts);
        }
        // The room it may take counts as used, wherever it ends.
        let most = (dst + rep as u64 * all) as usize;
        self.memory(Space::Ub).touch(most);
        Ok(())
    }
}

/// With more than one repeat the four lists are of one length, adjacent, and merged whole.
fn check_repeated(i: &Vmrg4, lists: [u64; 4], lengths: [u64; 4]) -> Done {
    let bytes = lengths[0] * PAIR as u64;
    let adjacent = lists.windows(2).all(|pair| pair[1] == pair[0] + bytes);
    let equal = lengths.iter().all(|&length| length == lengths[0]);
    if adjacent && equal && i.end == MergeEnd::All {
        return Ok(());
    }
    Err(Box::new(FaultKind::IllegalValue {
        operand: "rep",
        value: 2,
        expected: "1, unless four adjacent lists of one length are merged to the end of all",
    }))
}

fn pair(score: &[u8], index: &[u8; 4]) -> [u8; PAIR] {
    let mut pair = [0; PAIR];
    pair[..score.len()].copy_from_slice(score);
    pair[4..].copy_from_slice(index);
    pair
}

/// Where a pair stands; a NaN, whatever its sign, above every number.
fn key(ty: VecTy, pair: &[u8; PAIR]) -> i32 {
    let [a, b, c, d, ..] = *pair;
    let score = float_scalar(ty, u32::from_le_bytes([a, b, c, d]));
    rank(isa::num::canonical_f32(score))
}

/// The merged pairs, and how many each list gave.
fn merge(ty: VecTy, end: MergeEnd, sources: &[Vec<u8>; 4]) -> (Vec<[u8; PAIR]>, [usize; 4]) {
    let lists = sources.each_ref().map(|list| list.as_chunks::<PAIR>().0);
    let (mut merged, mut taken) = (Vec::new(), [0; 4]);
    loop {
        let mut first: Option<(i32, usize)> = None;
        for (n, list) in lists.iter().enumerate() {
            if let Some(pair) = list.get(taken[n]) {
                let key = key(ty, pair);
                if first.is_none_or(|(highest, _)| key > highest) {
                    first = Some((key, n));
                }
            }
        }
        let Some((_, n)) = first else {
            return (merged, taken);
        };
        merged.push(lists[n][taken[n]]);
        taken[n] += 1;
        if end == MergeEnd::First && taken[n] == lists[n].len() {
            return (merged, taken);
        }
    }
}

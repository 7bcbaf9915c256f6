//! Sorting: 32 keys a repeat, then four sorted lists at a time; and elements gathered by offsets.
//!
//! A pass of merges goes from one half of the destination to the other; the first pass begins where the last one ends in
//! the first half.

use ir::tile::{Arg, View};
use isa::inst::{self, Addr, ElemSize, In, MergeEnd, Out, PipeOp, Rep, VecTy, XIn};
use isa::types::{Elem, REPEAT_BYTES};

use super::code::Num;
use super::vector::{Shape, st1};
use super::{Done, Sel};

/// Keys that one repeat sorts.
const SORTED: i64 = 32;
/// Lists that one merge takes.
const LISTS: i64 = 4;
/// Bytes of a key with its place.
const PAIR: i64 = 8;
const WORD: i64 = 4;
const MAX_REPEATS: i64 = 255;

impl Sel<'_> {
    pub(super) fn gather(&mut self, [dst, src, at]: [View; 3], extents: [Arg; 2]) -> Done {
        let extents = self.nums(extents)?;
        let bytes = self.func.bufs[dst.buf].elem.bytes();
        let size =
            ElemSize::from_bytes(bytes).ok_or_else(|| self.missing("a gather of this type"))?;
        let base = self.view_addr(src)?;
        let src = self.addr(base)?;
        let places = [self.full(dst)?, self.full(at)?];
        let shape = Shape {
            lanes: REPEAT_BYTES as i64 / bytes as i64,
            tails: true,
            by_columns: false,
        };
        let rows = self.func.bufs[dst.buf].rows;
        self.matrix(&places, shape, extents, rows, &|sel, at, rep, strides| {
            sel.push(inst::Vgather {
                size,
                dst: Out::at(at[0]),
                offsets: In::at(at[1]),
                src: In::at(src),
                rep,
                st: st1(strides),
            });
            Ok(())
        })
    }

    pub(super) fn sort(&mut self, [dst, keys, places]: [View; 3], extents: [Arg; 2]) -> Done {
        let [Num::Const(rows), Num::Const(cols)] = self.nums(extents)? else {
            return Err(self.missing("a sort of unknown extent"));
        };
        if rows < 1 || self.func.bufs[keys.buf].elem != Elem::F32 {
            return Ok(());
        }
        let (keys, places) = (self.view_addr(keys)?, self.view_addr(places)?);
        let first = self.view_addr(dst)?;
        let second = self.sum(first, Num::Const(rows * cols * PAIR))?;
        let mut halves = [first, second];
        let mut length = SORTED;
        while length < cols {
            length *= LISTS;
            halves.swap(0, 1);
        }
        self.sort_pieces(halves[0], [keys, places], rows * cols / SORTED)?;
        let mut length = SORTED;
        while length < cols {
            self.push(inst::Bar { pipe: PipeOp::V });
            self.merge_pass(halves, [rows, cols], length)?;
            length *= LISTS;
            halves.swap(0, 1);
        }
        Ok(())
    }

    /// Pairs in lists of 32.
    fn sort_pieces(&mut self, to: Num, [keys, places]: [Num; 2], pieces: i64) -> Done {
        let mut done = 0;
        while done < pieces {
            let rep = (pieces - done).min(MAX_REPEATS);
            let mark = self.homes.mark();
            let [dst, a, index] = [
                self.behind(to, done * SORTED * PAIR)?,
                self.behind(keys, done * SORTED * WORD)?,
                self.behind(places, done * SORTED * WORD)?,
            ];
            let rep: Rep = self.val(Num::Const(rep))?;
            self.push(inst::Vsort32 {
                ty: VecTy::F32,
                dst: Out::at(dst),
                a: In::at(a),
                index: In::at(index),
                rep,
            });
            self.homes.cut(mark);
            done += MAX_REPEATS;
        }
        Ok(())
    }

    /// Lists of `length` pairs become lists of four times as many.
    fn merge_pass(&mut self, [from, to]: [Num; 2], [rows, cols]: [i64; 2], length: i64) -> Done {
        let merged = LISTS * length;
        if cols % merged == 0 {
            return self.merge_groups([from, to], 0, rows * cols / merged, length);
        }
        for row in 0..rows {
            let (start, groups) = (row * cols, cols / merged);
            self.merge_groups([from, to], start, groups, length)?;
            let rest = start + groups * merged;
            let left = cols - groups * merged;
            let lengths = [0, 1, 2, 3].map(|n| (left - n * length).clamp(0, length));
            self.merge([from, to], rest, lengths, 1)?;
        }
        Ok(())
    }

    /// Groups of four lists, side by side from pair `start` on.
    fn merge_groups(&mut self, ends: [Num; 2], start: i64, groups: i64, length: i64) -> Done {
        let mut done = 0;
        while done < groups {
            let rep = (groups - done).min(MAX_REPEATS);
            let first = start + done * LISTS * length;
            self.merge(ends, first, [length; 4], rep)?;
            done += MAX_REPEATS;
        }
        Ok(())
    }

    fn merge(&mut self, [from, to]: [Num; 2], start: i64, lengths: [i64; 4], rep: i64) -> Done {
        let mark = self.homes.mark();
        let dst = self.behind(to, start * PAIR)?;
        let mut lists = [Addr::Imm(0); 4];
        let mut at = start;
        for (list, length) in lists.iter_mut().zip(lengths) {
            *list = self.behind(from, at * PAIR)?;
            at += length;
        }
        let word = (lengths.iter().rev()).fold(0, |word, length| word << 16 | length);
        let lengths = self.in_reg(Num::Const(word))?;
        let rep: Rep = self.val(Num::Const(rep))?;
        let [a, b, c, d] = lists.map(In::at);
        self.push(inst::Vmrg4 {
            ty: VecTy::F32,
            end: MergeEnd::All,
            dst: Out::at(dst),
            a,
            b,
            c,
            d,
            lengths: XIn(lengths),
            rep,
        });
        self.homes.cut(mark);
        Ok(())
    }

    fn behind(&mut self, at: Num, bytes: i64) -> Result<Addr, diag::Diagnostic> {
        let at = self.sum(at, Num::Const(bytes))?;
        self.addr(at)
    }
}

//! Transposition: 16 rows by a repeat for each block of their columns.
//!
//! The blocks of a repeat are named by vector address registers, eight block numbers of 16 bits each: for a matrix whose
//! rows lie `pitch` blocks apart those are the number of the first block in each field plus constants.

use diag::Diagnostic;
use ir::tile::{Arg, View};
use isa::inst::{self, ElemSize, Half, Reg, Rep, UImm, XIn, XOut, XVal};
use isa::types::BLOCK_BYTES;

use super::code::Num;
use super::{Done, Sel};

/// Rows of a repeat's source, and blocks of its operands.
const SIDE: i64 = 16;
/// Blocks that one vector address register names, and half of them, which one word holds.
const WORD_BLOCKS: i64 = 4;
/// A block number in each field of a word.
const EACH_FIELD: i64 = 0x0001_0001_0001_0001;
/// Vector address registers of the operands: the first of two.
const DST_REGISTER: u64 = 0;
const SRC_REGISTER: u64 = 2;
/// Repeats of one instruction.
const MAX_REPEATS: i64 = 255;
const BLOCK: i64 = BLOCK_BYTES as i64;

impl Sel<'_> {
    pub(super) fn transpose(&mut self, dst: View, src: View, extents: [Arg; 2]) -> Done {
        let [Num::Const(rows), Num::Const(cols)] = self.nums(extents)? else {
            return Err(self.missing("a transposition of unknown extent"));
        };
        let bytes = self.func.bufs[dst.buf].elem.bytes();
        let size = ElemSize::from_bytes(bytes)
            .ok_or_else(|| self.missing("a transposition of this type"))?;
        let bytes = bytes as i64;
        let pitches = [dst, src].map(|view| self.func.bufs[view.buf].cols * bytes / BLOCK);
        let per_block = BLOCK / bytes;
        // Where a block of the result lies among the rows of the destination: rows of words are two blocks wide.
        let wide = SIDE / per_block;
        let to_words = self.words(dst, &|block| block / wide * pitches[0] + block % wide)?;
        let from_words = self.words(src, &|block| block * pitches[1])?;
        let steps = [per_block * pitches[0], 1];
        let groups = rows / SIDE;
        let all = [to_words, from_words];
        let moves = [
            self.xval(Num::Const(wide * EACH_FIELD))?,
            self.xval(Num::Const(SIDE * pitches[1] * EACH_FIELD))?,
        ];
        self.counted(Num::Const(groups), |sel| {
            sel.repeats(size, cols / per_block, steps, &all)?;
            if groups > 1 {
                for (words, by) in all.iter().zip(moves) {
                    words.iter().for_each(|&word| sel.step(word, by));
                }
            }
            Ok(())
        })
    }

    /// The number of the first block of a view.
    fn first_block(&mut self, view: View) -> Result<Num, Diagnostic> {
        let at = self.view_addr(view)?;
        Ok(match at {
            Num::Const(at) => Num::Const(at / BLOCK),
            Num::Reg(at) => {
                let dst = self.temporary()?;
                self.push(inst::Shr {
                    dst: XOut(dst),
                    a: XVal::Reg(at),
                    b: XVal::Imm(BLOCK.trailing_zeros() as i32),
                });
                Num::Reg(dst)
            }
        })
    }

    /// The numbers of 16 blocks, `offset` behind the first one of a view, in four registers.
    fn words(&mut self, view: View, offset: &dyn Fn(i64) -> i64) -> Result<[Reg; 4], Diagnostic> {
        let mut words = [self.temporary()?; 4];
        for word in &mut words[1..] {
            *word = self.temporary()?;
        }
        let mark = self.homes.mark();
        let first = self.first_block(view)?;
        let base = self.scaled(first, EACH_FIELD, Num::Const(0))?;
        for (number, &word) in (0i64..).zip(&words) {
            let field = |field: i64| offset(number * WORD_BLOCKS + field) << (16 * field);
            let fields = (0..WORD_BLOCKS).map(field).sum();
            let mark = self.homes.mark();
            match base {
                Num::Const(base) => self.set(word, Num::Const(base + fields)),
                Num::Reg(base) => {
                    let b = self.xval(Num::Const(fields))?;
                    self.push(inst::Add {
                        dst: XOut(word),
                        a: XVal::Reg(base),
                        b,
                    });
                }
            }
            self.homes.cut(mark);
        }
        self.homes.cut(mark);
        Ok(words)
    }

    /// 16 rows: a repeat for each block of columns.
    fn repeats(
        &mut self,
        size: ElemSize,
        repeats: i64,
        [to_step, from_step]: [i64; 2],
        [to, from]: &[[Reg; 4]; 2],
    ) -> Done {
        let mut done = 0;
        while done < repeats {
            let piece = (repeats - done).min(MAX_REPEATS);
            for (words, register, step) in
                [(to, DST_REGISTER, to_step), (from, SRC_REGISTER, from_step)]
            {
                let mark = self.homes.mark();
                let mut moved = *words;
                if done > 0 {
                    for word in &mut moved {
                        let sum =
                            self.sum(Num::Reg(*word), Num::Const(done * step * EACH_FIELD))?;
                        *word = self.in_reg(sum)?;
                    }
                }
                self.name_blocks(register, moved);
                self.homes.cut(mark);
            }
            let (dst_rep, src_rep) = (
                self.val(Num::Const(to_step))?,
                self.val(Num::Const(from_step))?,
            );
            let rep: Rep = self.val(Num::Const(piece))?;
            self.push(inst::Vnchwconv {
                size,
                dst_half: Half::Low,
                src_half: Half::Low,
                dst: UImm(DST_REGISTER),
                src: UImm(SRC_REGISTER),
                rep,
                dst_rep,
                src_rep,
            });
            done += piece;
        }
        Ok(())
    }

    fn name_blocks(&mut self, register: u64, [a, b, c, d]: [Reg; 4]) {
        for (number, lo, hi) in [(register, a, b), (register + 1, c, d)] {
            self.push(inst::Vseta {
                va: UImm(number),
                lo: XIn(lo),
                hi: XIn(hi),
            });
        }
    }
}

//! Bursts of copies and strides of vector instructions.

use super::{
    BitReader, BitWriter, Cursor, Operand, OperandKind, TextCx, TextError, TextErrorKind, Unfit,
    Val, Visitor,
};
use std::fmt::Write as _;

/// `count` pieces of `len` units each; the unit is the instruction's (blocks of 32 B, or bytes for the `movpad` forms).
///
/// A register may hold a count up to 4095 and a length up to the limit of the instruction, 65535 blocks or 2,097,151 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// How many.
    pub count: Val<12>,
    /// How long each is.
    pub len: Val<16>,
}

impl Operand for Burst {
    const BITS: u32 = <Val<12>>::BITS + <Val<16>>::BITS;
    const KIND: OperandKind = OperandKind::Burst;

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        self.count.encode(word)?;
        self.len.encode(word)
    }

    fn decode(word: &mut BitReader) -> Option<Burst> {
        Some(Burst {
            count: Val::decode(word)?,
            len: Val::decode(word)?,
        })
    }

    fn print(&self, out: &mut String, cx: TextCx) {
        out.push_str("burst(");
        self.count.print(out, cx);
        out.push_str(", ");
        self.len.print(out, cx);
        out.push(')');
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Burst, TextError> {
        open(cursor, "burst", "`burst(count, length)`")?;
        let count = Val::parse(cursor)?;
        cursor.expect(',', "`,` and the length of a burst")?;
        let len = Val::parse(cursor)?;
        cursor.expect(')', "`)`")?;
        Ok(Burst { count, len })
    }

    fn visit(&self, name: &'static str, visitor: &mut dyn Visitor) {
        self.count.visit(name, visitor);
        self.len.visit(name, visitor);
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> Burst {
        Burst {
            count: Val::sample(next),
            len: Val::sample(next),
        }
    }
}

macro_rules! strides {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty, $bits:literal;)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name { $($(#[$field_doc])* pub $field: $ty,)* }

            impl Operand for $name {
                const BITS: u32 = 0 $(+ $bits)*;
                const KIND: OperandKind = OperandKind::Strides(&[$(stringify!($field)),*]);

                fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
                    $(word.put(u64::from(self.$field), $bits)?;)*
                    Ok(())
                }

                fn decode(word: &mut BitReader) -> Option<$name> {
                    Some($name { $($field: word.take($bits) as $ty,)* })
                }

                fn print(&self, out: &mut String, _cx: TextCx) {
                    print_list(&[$(u32::from(self.$field)),*], out);
                }

                fn parse(cursor: &mut Cursor<'_>) -> Result<$name, TextError> {
                    let mut list = List::open(cursor)?;
                    let strides = $name { $($field: list.next(cursor, $bits)? as $ty,)* };
                    cursor.expect(')', "`)`")?;
                    Ok(strides)
                }

                fn sample(next: &mut dyn FnMut() -> u64) -> $name {
                    $name { $($field: (next() >> (64 - $bits)) as $ty,)* }
                }
            }
        )*
    };
}

strides! {
    /// Strides of one operand, in blocks of 32 B.
    St1 {
        /// Between the blocks of a repeat of the destination.
        dst_blk: u8, 8;
        /// Between the repeats of the destination.
        dst_rep: u8, 8;
    }
    /// Strides of a destination and a source, in blocks of 32 B.
    St2 {
        /// Between the blocks of a repeat of the destination.
        dst_blk: u8, 8;
        /// Between the blocks of a repeat of the source.
        a_blk: u8, 8;
        /// Between the repeats of the destination.
        dst_rep: u8, 8;
        /// Between the repeats of the source.
        a_rep: u8, 8;
    }
    /// Strides of a destination and two sources, in blocks of 32 B.
    St3 {
        /// Between the blocks of a repeat of the destination.
        dst_blk: u8, 8;
        /// Between the blocks of a repeat of the first source.
        a_blk: u8, 8;
        /// Between the blocks of a repeat of the second source.
        b_blk: u8, 8;
        /// Between the repeats of the destination.
        dst_rep: u8, 8;
        /// Between the repeats of the first source.
        a_rep: u8, 8;
        /// Between the repeats of the second source.
        b_rep: u8, 8;
    }
    /// Strides of two sources, in blocks of 32 B.
    StCmp {
        /// Between the blocks of a repeat of the first source.
        a_blk: u8, 8;
        /// Between the blocks of a repeat of the second source.
        b_blk: u8, 8;
        /// Between the repeats of the first source.
        a_rep: u8, 8;
        /// Between the repeats of the second source.
        b_rep: u8, 8;
    }
    /// Strides of a source alone, in blocks of 32 B.
    StSrc {
        /// Between the blocks of a repeat of the source.
        a_blk: u8, 8;
        /// Between the repeats of the source.
        a_rep: u8, 8;
    }
    /// Strides of a source and of a mask of bits, in blocks of 32 B.
    StMask {
        /// Between the blocks of a repeat of the source.
        a_blk: u8, 8;
        /// Between the repeats of the source.
        a_rep: u8, 8;
        /// Between the repeats of the mask; 0 uses the same bits for each.
        mask_rep: u8, 8;
    }
    /// Strides of a reduction: destination in elements, source in blocks of 32 B.
    StRed {
        /// Between the results of two repeats, in elements of the destination.
        dst_rep: u16, 16;
        /// Between the blocks of a repeat of the source.
        a_blk: u8, 8;
        /// Between the repeats of the source.
        a_rep: u8, 8;
    }
}

impl St1 {
    /// Consecutive repeats of 256 B.
    pub const FLAT: St1 = St1 {
        dst_blk: 1,
        dst_rep: 8,
    };
}

impl St2 {
    /// Consecutive repeats of 256 B on both sides.
    pub const FLAT: St2 = St2 {
        dst_blk: 1,
        a_blk: 1,
        dst_rep: 8,
        a_rep: 8,
    };
}

impl St3 {
    /// Consecutive repeats of 256 B everywhere.
    pub const FLAT: St3 = St3 {
        dst_blk: 1,
        a_blk: 1,
        b_blk: 1,
        dst_rep: 8,
        a_rep: 8,
        b_rep: 8,
    };
}

impl StRed {
    /// Consecutive repeats of 256 B, results side by side where a repeat has eight.
    pub const FLAT8: StRed = StRed {
        dst_rep: 8,
        a_blk: 1,
        a_rep: 8,
    };
    /// Consecutive repeats of 256 B, results side by side where a repeat has one.
    pub const FLAT: StRed = StRed {
        dst_rep: 1,
        a_blk: 1,
        a_rep: 8,
    };
}

/// The strides of `vsel`, whose four addresses leave its word 3 bits for each block stride: 0 to 7 (we choose).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StSel(pub St3);

impl StSel {
    /// Consecutive repeats of 256 B everywhere.
    pub const FLAT: StSel = StSel(St3::FLAT);
    const BLK: u32 = 3;
}

impl Operand for StSel {
    const BITS: u32 = 3 * StSel::BLK + 3 * 8;
    const KIND: OperandKind = <St3 as Operand>::KIND;

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        let StSel(st) = self;
        for stride in [st.dst_blk, st.a_blk, st.b_blk] {
            word.put(u64::from(stride), StSel::BLK)?;
        }
        for stride in [st.dst_rep, st.a_rep, st.b_rep] {
            word.put(u64::from(stride), 8)?;
        }
        Ok(())
    }

    fn decode(word: &mut BitReader) -> Option<StSel> {
        let [dst_blk, a_blk, b_blk] = [(); 3].map(|()| word.take(StSel::BLK) as u8);
        let [dst_rep, a_rep, b_rep] = [(); 3].map(|()| word.take(8) as u8);
        Some(StSel(St3 {
            dst_blk,
            a_blk,
            b_blk,
            dst_rep,
            a_rep,
            b_rep,
        }))
    }

    fn print(&self, out: &mut String, cx: TextCx) {
        self.0.print(out, cx);
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<StSel, TextError> {
        let mut list = List::open(cursor)?;
        let [dst_blk, a_blk, b_blk] = list.three(cursor, StSel::BLK)?;
        let [dst_rep, a_rep, b_rep] = list.three(cursor, 8)?;
        cursor.expect(')', "`)`")?;
        Ok(StSel(St3 {
            dst_blk,
            a_blk,
            b_blk,
            dst_rep,
            a_rep,
            b_rep,
        }))
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> StSel {
        let st = St3::sample(next);
        StSel(St3 {
            dst_blk: st.dst_blk % 8,
            a_blk: st.a_blk % 8,
            b_blk: st.b_blk % 8,
            ..st
        })
    }
}

fn print_list(values: &[u32], out: &mut String) {
    out.push_str("st(");
    for (i, value) in values.iter().enumerate() {
        let _ = write!(out, "{}{value}", if i == 0 { "" } else { "," });
    }
    out.push(')');
}

fn open(cursor: &mut Cursor<'_>, name: &str, what: &'static str) -> Result<(), TextError> {
    let (word, span) = cursor.word();
    if word != name {
        return Err(TextError::new(TextErrorKind::Expected(what), span));
    }
    cursor.expect('(', "`(`")
}

/// A list `st(…)` that is being read.
struct List {
    first: bool,
}

impl List {
    fn open(cursor: &mut Cursor<'_>) -> Result<List, TextError> {
        open(cursor, "st", "strides, `st(…)`")?;
        Ok(List { first: true })
    }

    fn next(&mut self, cursor: &mut Cursor<'_>, bits: u32) -> Result<u32, TextError> {
        if !std::mem::take(&mut self.first) {
            cursor.expect(',', "`,` and one more stride")?;
        }
        Ok(cursor.number(0, (1 << bits) - 1)? as u32)
    }

    fn three(&mut self, cursor: &mut Cursor<'_>, bits: u32) -> Result<[u8; 3], TextError> {
        Ok([
            self.next(cursor, bits)? as u8,
            self.next(cursor, bits)? as u8,
            self.next(cursor, bits)? as u8,
        ])
    }
}

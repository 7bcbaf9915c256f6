//! The conversions of `vconv`: source type, destination type, rounding (davinci-facts §3.8).
//!
//! The integer ones round nothing and print no rounding letter; neither do those that are exact. Overflow follows CTRL.

use super::{
    BitReader, BitWriter, Cursor, Operand, OperandKind, TextCx, TextError, TextErrorKind, Unfit,
    Visitor,
};
use crate::num::Round;
use crate::types::Elem;

/// One conversion the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvKind {
    /// Element type read.
    pub src: Elem,
    /// Element type written.
    pub dst: Elem,
    /// Rounding; `Even` where the conversion needs none.
    pub round: Round,
}

const NEAR: &[Round] = &[Round::Even];
const FIVE: &[Round] = &[
    Round::Even,
    Round::Floor,
    Round::Ceil,
    Round::Away,
    Round::Trunc,
];
const SIX: &[Round] = &[
    Round::Even,
    Round::Floor,
    Round::Ceil,
    Round::Away,
    Round::Trunc,
    Round::Odd,
];

/// Type pairs in encoding order, with their roundings. New ones go to the end.
const PAIRS: &[(Elem, Elem, &[Round])] = &[
    (Elem::F32, Elem::F32, FIVE),
    (Elem::F32, Elem::F16, SIX),
    (Elem::F32, Elem::Bf16, FIVE),
    (Elem::F32, Elem::I32, FIVE),
    (Elem::F32, Elem::I16, FIVE),
    (Elem::F16, Elem::F32, NEAR),
    (Elem::F16, Elem::I32, FIVE),
    (Elem::F16, Elem::I16, FIVE),
    (Elem::F16, Elem::I8, FIVE),
    (Elem::F16, Elem::U8, FIVE),
    (Elem::U8, Elem::F16, NEAR),
    (Elem::I8, Elem::F16, NEAR),
    (Elem::I16, Elem::F16, FIVE),
    (Elem::I16, Elem::F32, NEAR),
    (Elem::I16, Elem::I8, NEAR),
    (Elem::I16, Elem::U8, NEAR),
    (Elem::I32, Elem::F32, FIVE),
    (Elem::I32, Elem::I16, NEAR),
    (Elem::Bf16, Elem::F32, NEAR),
    (Elem::Bf16, Elem::I32, FIVE),
    (Elem::F32, Elem::I64, FIVE),
    (Elem::I32, Elem::I64, NEAR),
    (Elem::I64, Elem::I32, NEAR),
    (Elem::I64, Elem::F32, FIVE),
];

impl ConvKind {
    /// Every conversion, in encoding order.
    pub fn all() -> impl Iterator<Item = ConvKind> {
        let kinds = |&(src, dst, rounds): &(Elem, Elem, &'static [Round])| {
            rounds
                .iter()
                .map(move |&round| ConvKind { src, dst, round })
        };
        PAIRS.iter().flat_map(kinds)
    }

    /// The conversion between two types with a rounding, if the machine has it.
    pub fn new(src: Elem, dst: Elem, round: Round) -> Option<ConvKind> {
        let kind = ConvKind { src, dst, round };
        kind.index().map(|_| kind)
    }

    /// The conversion between two types whose result is always exact or an integer truncation, if the machine has it.
    pub fn exact(src: Elem, dst: Elem) -> Option<ConvKind> {
        ConvKind::new(src, dst, Round::Even).filter(|kind| !kind.rounds())
    }

    /// Whether the rounding matters and is written.
    pub fn rounds(self) -> bool {
        PAIRS
            .iter()
            .any(|&(src, dst, rounds)| (src, dst) == (self.src, self.dst) && rounds.len() > 1)
    }

    /// Elements a repeat covers: 256 B of the wider type.
    pub const fn lanes(self) -> u64 {
        let (src, dst) = (self.src.bytes(), self.dst.bytes());
        256 / if src > dst { src } else { dst }
    }

    fn index(self) -> Option<u64> {
        ConvKind::all()
            .position(|kind| kind == self)
            .map(|n| n as u64)
    }
}

/// Letters of the roundings, as the vendor's mnemonics have them.
pub(crate) const fn round_letter(round: Round) -> &'static str {
    match round {
        Round::Even => "r",
        Round::Away => "a",
        Round::Floor => "f",
        Round::Ceil => "c",
        Round::Trunc => "z",
        Round::Odd => "o",
    }
}

const ROUNDS: [Round; 6] = [
    Round::Even,
    Round::Away,
    Round::Floor,
    Round::Ceil,
    Round::Trunc,
    Round::Odd,
];
const LETTERS: &[&str] = &["r", "a", "f", "c", "z", "o"];

/// Machine names of the element types that conversions know.
const ELEMS: [(Elem, &str); 8] = [
    (Elem::F32, "f32"),
    (Elem::F16, "f16"),
    (Elem::Bf16, "bf16"),
    (Elem::I64, "s64"),
    (Elem::I32, "s32"),
    (Elem::I16, "s16"),
    (Elem::I8, "s8"),
    (Elem::U8, "u8"),
];
const ELEM_WORDS: &[&str] = &["f32", "f16", "bf16", "s64", "s32", "s16", "s8", "u8"];

fn elem_word(elem: Elem) -> &'static str {
    ELEMS
        .iter()
        .find(|(e, _)| *e == elem)
        .map_or("none", |(_, word)| word)
}

fn parse_elem(cursor: &mut Cursor<'_>) -> Result<Elem, TextError> {
    let (word, span) = cursor.suffix();
    let found = ELEMS.iter().find(|(_, name)| *name == word);
    found.map(|(elem, _)| *elem).ok_or(TextError::new(
        TextErrorKind::ExpectedWord(ELEM_WORDS),
        span,
    ))
}

fn parse_round(cursor: &mut Cursor<'_>) -> Result<Round, TextError> {
    let (word, span) = cursor.suffix();
    let found = ROUNDS
        .into_iter()
        .find(|round| round_letter(*round) == word);
    found.ok_or(TextError::new(TextErrorKind::ExpectedWord(LETTERS), span))
}

impl Operand for ConvKind {
    const BITS: u32 = 7;
    const SUFFIX: bool = true;
    const KIND: OperandKind = OperandKind::Conversion;

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        word.put(self.index().ok_or(Unfit::Conversion)?, Self::BITS)
    }

    fn decode(word: &mut BitReader) -> Option<ConvKind> {
        ConvKind::all().nth(word.take(Self::BITS) as usize)
    }

    fn print(&self, out: &mut String, _cx: TextCx) {
        out.push_str(elem_word(self.src));
        out.push('.');
        out.push_str(elem_word(self.dst));
        if self.rounds() {
            out.push('.');
            out.push_str(round_letter(self.round));
        }
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<ConvKind, TextError> {
        let span = cursor.suffix_span();
        let (src, dst) = (parse_elem(cursor)?, parse_elem(cursor)?);
        let plain = ConvKind {
            src,
            dst,
            round: Round::Even,
        };
        let round = if plain.rounds() {
            parse_round(cursor)?
        } else {
            Round::Even
        };
        ConvKind::new(src, dst, round).ok_or(TextError::new(TextErrorKind::UnknownConversion, span))
    }

    fn visit(&self, _name: &'static str, visitor: &mut dyn Visitor) {
        visitor.word("src", elem_word(self.src));
        visitor.word("dst", elem_word(self.dst));
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> ConvKind {
        let count = ConvKind::all().count() as u64;
        let first = ConvKind {
            src: Elem::F32,
            dst: Elem::F32,
            round: Round::Even,
        };
        ConvKind::all()
            .nth((next() % count) as usize)
            .unwrap_or(first)
    }
}

//! Words of vector instructions whose operands differ in type, or that have variants (davinci-facts §3.7, §3.8).

use super::{
    BitReader, BitWriter, Cursor, Operand, OperandKind, TextCx, TextError, TextErrorKind, Unfit,
    VecTy, Visitor,
};
use crate::num::Round;
use crate::types::Elem;

words! {
    /// Lane types of `vaxpy` and `vmla`: source, and destination where it differs.
    FmaTy bits 2 suffix true {
        /// binary16 throughout.
        F16 "f16",
        /// binary32 throughout.
        F32 "f32",
        /// binary16 sources, binary32 destination.
        F16F32 "f16f32",
    }
    /// Lane type of a shift.
    ShiftTy bits 2 suffix true {
        /// Unsigned 16-bit: shifts right logically.
        U16 "u16",
        /// Unsigned 32-bit: shifts right logically.
        U32 "u32",
        /// Signed 16-bit: shifts right arithmetically.
        S16 "s16",
        /// Signed 32-bit: shifts right arithmetically.
        S32 "s32",
    }
    /// Lane types of an operation that converts its result: source, then destination.
    FuseTy bits 2 suffix true {
        /// binary16 to signed 8-bit.
        F16S8 "f16s8",
        /// binary16 to unsigned 8-bit.
        F16U8 "f16u8",
        /// binary32 to binary16.
        F32F16 "f32f16",
        /// Signed 16-bit to signed 8-bit.
        S16S8 "s16s8",
    }
    /// What a maximum or minimum with its place writes.
    IndexOrder bits 2 suffix true {
        /// The value, then the place.
        ValueIndex "vi",
        /// The place, then the value.
        IndexValue "iv",
        /// The place alone.
        Index "i",
    }
    /// Half of each block of 32 B that 8-bit elements use.
    Half bits 1 suffix true {
        /// The first 16 bytes.
        Low "low",
        /// The last 16 bytes.
        High "high",
    }
    /// When a merge ends.
    MergeEnd bits 1 suffix true {
        /// When every list is exhausted.
        All "all",
        /// When the first list is exhausted.
        First "first",
    }
    /// Types of a conversion with the scale in spr `deqscale`.
    DeqTy bits 1 suffix true {
        /// Signed 32-bit to binary16.
        S32F16 "s32f16",
        /// Signed 16-bit to 8-bit, signed or not as the word says.
        S16B8 "s16b8",
    }
    /// A rounding, by the letter of the vendor's mnemonics.
    RoundWord bits 3 suffix true {
        /// To nearest, ties to even.
        Even "r",
        /// To nearest, ties away from zero.
        Away "a",
        /// Toward minus infinity.
        Floor "f",
        /// Toward plus infinity.
        Ceil "c",
        /// Toward zero.
        Trunc "z",
    }
}

impl FmaTy {
    /// Bytes of a lane of the sources.
    pub const fn src_bytes(self) -> u64 {
        match self {
            FmaTy::F16 | FmaTy::F16F32 => 2,
            FmaTy::F32 => 4,
        }
    }

    /// Bytes of a lane of the destination.
    pub const fn dst_bytes(self) -> u64 {
        match self {
            FmaTy::F16 => 2,
            FmaTy::F32 | FmaTy::F16F32 => 4,
        }
    }
}

impl ShiftTy {
    /// Bytes of a lane.
    pub const fn bytes(self) -> u64 {
        match self {
            ShiftTy::U16 | ShiftTy::S16 => 2,
            ShiftTy::U32 | ShiftTy::S32 => 4,
        }
    }

    /// The lane type of that width for what is only moved or shifted.
    pub const fn lane(self) -> VecTy {
        match self {
            ShiftTy::U16 | ShiftTy::S16 => VecTy::S16,
            ShiftTy::U32 | ShiftTy::S32 => VecTy::S32,
        }
    }
}

impl From<VecTy> for ShiftTy {
    /// The shift of such lanes; floats are shifted as bits.
    fn from(ty: VecTy) -> ShiftTy {
        match ty {
            VecTy::F16 => ShiftTy::U16,
            VecTy::F32 => ShiftTy::U32,
            VecTy::S16 => ShiftTy::S16,
            VecTy::S32 => ShiftTy::S32,
        }
    }
}

impl FuseTy {
    /// Element type of the sources.
    pub const fn src(self) -> Elem {
        match self {
            FuseTy::F16S8 | FuseTy::F16U8 => Elem::F16,
            FuseTy::F32F16 => Elem::F32,
            FuseTy::S16S8 => Elem::I16,
        }
    }

    /// Element type of the destination.
    pub const fn dst(self) -> Elem {
        match self {
            FuseTy::F16S8 | FuseTy::S16S8 => Elem::I8,
            FuseTy::F16U8 => Elem::U8,
            FuseTy::F32F16 => Elem::F16,
        }
    }
}

impl DeqTy {
    /// Bytes of a lane of the source.
    pub const fn src_bytes(self) -> u64 {
        match self {
            DeqTy::S32F16 => 4,
            DeqTy::S16B8 => 2,
        }
    }

    /// Bytes of a lane of the destination.
    pub const fn dst_bytes(self) -> u64 {
        self.src_bytes() / 2
    }
}

impl IndexOrder {
    /// Elements of a result.
    pub const fn elements(self) -> u64 {
        match self {
            IndexOrder::ValueIndex | IndexOrder::IndexValue => 2,
            IndexOrder::Index => 1,
        }
    }
}

impl RoundWord {
    /// The rounding.
    pub const fn round(self) -> Round {
        match self {
            RoundWord::Even => Round::Even,
            RoundWord::Away => Round::Away,
            RoundWord::Floor => Round::Floor,
            RoundWord::Ceil => Round::Ceil,
            RoundWord::Trunc => Round::Trunc,
        }
    }
}

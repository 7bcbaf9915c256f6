//! Operands that are one word of a short list.

use super::{
    BitReader, BitWriter, Cursor, Operand, OperandKind, TextCx, TextError, TextErrorKind, Unfit,
    Visitor,
};
use crate::num::Round;
use crate::types::{BLOCK_BYTES, Elem, Pipe};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident bits $bits:literal suffix $suffix:literal {
        $($(#[$word_doc:meta])* $variant:ident $text:literal,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum $name { $($(#[$word_doc])* $variant,)* }

            impl $name {
                /// Every value, in encoding order.
                pub const ALL: &[$name] = &[$($name::$variant),*];
                const WORDS: &[&str] = &[$($text),*];

                /// The word in assembly.
                pub const fn name(self) -> &'static str {
                    match self { $($name::$variant => $text,)* }
                }
            }

            impl Operand for $name {
                const BITS: u32 = $bits;
                const SUFFIX: bool = $suffix;
                const KIND: OperandKind = OperandKind::Word($name::WORDS);

                fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
                    word.put(*self as u64, $bits)
                }

                fn decode(word: &mut BitReader) -> Option<$name> {
                    $name::ALL.get(word.take($bits) as usize).copied()
                }

                fn print(&self, out: &mut String, _cx: TextCx) {
                    out.push_str(self.name());
                }

                fn parse(cursor: &mut Cursor<'_>) -> Result<$name, TextError> {
                    let (word, span) = if $suffix { cursor.suffix() } else { cursor.word() };
                    let found = $name::ALL.iter().copied().find(|value| value.name() == word);
                    found.ok_or(TextError::new(TextErrorKind::ExpectedWord($name::WORDS), span))
                }

                fn visit(&self, name: &'static str, visitor: &mut dyn Visitor) {
                    visitor.word(name, self.name());
                }

                fn sample(next: &mut dyn FnMut() -> u64) -> $name {
                    $name::ALL[(next() % $name::ALL.len() as u64) as usize]
                }
            }
        )*
    };
}

words! {
    /// A comparison.
    Cond bits 3 suffix true {
        /// Equal.
        Eq "eq",
        /// Not equal; true if either is NaN.
        Ne "ne",
        /// Less.
        Lt "lt",
        /// Less or equal.
        Le "le",
        /// Greater.
        Gt "gt",
        /// Greater or equal.
        Ge "ge",
    }
    /// How a scalar comparison reads its registers.
    ScalarTy bits 2 suffix true {
        /// Signed 64-bit.
        S64 "s64",
        /// Unsigned 64-bit.
        U64 "u64",
        /// binary32 in the low half.
        F32 "f32",
    }
    /// Which value of a bit is meant.
    BitKind bits 1 suffix true {
        /// 0.
        Zeros "zeros",
        /// 1.
        Ones "ones",
    }
    /// Stores that are waited for.
    StoreKind bits 2 suffix true {
        /// Those to global memory.
        Ddr "ddr",
        /// Those to UB.
        Ub "ub",
        /// The earlier ones, before later ones.
        Seq "seq",
    }
    /// A conversion of the scalar unit: types and rounding.
    ScalarConv bits 4 suffix true {
        /// f32 to s32, to nearest even.
        F32S32Even "f32s32r",
        /// f32 to s32, to nearest, ties away from zero.
        F32S32Away "f32s32a",
        /// f32 to s32, down.
        F32S32Floor "f32s32f",
        /// f32 to s32, up.
        F32S32Ceil "f32s32c",
        /// f32 to s32, toward zero.
        F32S32Trunc "f32s32z",
        /// s32 to f32, to nearest even.
        S32F32Even "s32f32r",
        /// s32 to f32, to nearest, ties away from zero.
        S32F32Away "s32f32a",
        /// s32 to f32, down.
        S32F32Floor "s32f32f",
        /// s32 to f32, up.
        S32F32Ceil "s32f32c",
        /// s32 to f32, toward zero.
        S32F32Trunc "s32f32z",
        /// f32 to f16, to nearest even.
        F32F16 "f32f16",
        /// f32 to f16, to odd.
        F32F16Odd "f32f16o",
        /// f16 to f32.
        F16F32 "f16f32",
    }
    /// Width of a scalar load or store.
    MemSize bits 2 suffix true {
        /// 1 byte.
        B8 "b8",
        /// 2 bytes.
        B16 "b16",
        /// 4 bytes.
        B32 "b32",
        /// 8 bytes.
        B64 "b64",
    }
    /// Memory of a scalar load or store.
    ScalarMem bits 1 suffix true {
        /// Global memory, through the data cache.
        Gm "gm",
        /// Unified buffer.
        Ub "ub",
    }
    /// A special register.
    Spr bits 5 suffix false {
        /// Mode bits; see [`Spr::CTRL_KEEP_INF`], [`Spr::CTRL_SATURATE`], [`Spr::CTRL_COUNT`], [`Spr::CTRL_CAST`].
        Ctrl "ctrl",
        /// Number of this block: the cube core, or the group of a vector core. Read only.
        BlockId "blockid",
        /// Number of blocks launched. Read only.
        BlockNum "blocknum",
        /// Number of this vector core in its group, 0 or 1; 0 on a cube core. Read only.
        SubBlockId "subblockid",
        /// Global address of the parameter block. Read only.
        ParaBase "para_base",
        /// Pad value of `movpad_gm_ub`.
        PadVal "padval",
        /// Quantisation word of the scalar fixpipe modes.
        Quant "quant",
        /// Fixpipe buffer address of the per-column quantisation words.
        Fpc "fpc",
        /// Slope of the leaky ReLU of the fixpipe: binary32 in the low half.
        ReluAlpha "relu_alpha",
        /// Atomic mode of stores to global memory; see [`Spr::ATOMIC_OP`].
        Atomic "atomic",
        /// Image of `ld3d`: width 15:0, height 31:16, padding left 39:32, right 47:40, top 55:48, bottom 63:56.
        Fmatrix "fmatrix",
        /// As `fmatrix`, for the loads that ask for this one.
        FmatrixB "fmatrix_b",
        /// Pad value of `ld3d`: an element in the low bits.
        Padding "padding",
        /// Repeats of `ld3d`: fractals from one to the next 15:0, count 23:16 (0 counts as 1), along the columns 24.
        L3dRpt "l3d_rpt",
        /// Fixpipe buffer address of the per-column slopes of the PReLU.
        FpcRelu "fpc_relu",
        /// Scale of `vdeq`: binary16 in the low bits for s32f16, a quantisation word for s16b8.
        DeqScale "deqscale",
        /// Elements that the last `vcompress` kept. Read only; order the read behind the vector unit by a flag.
        RsvdCnt "rsvd_cnt",
        /// Pairs that the last `vmrg4` took from its lists, 16 bits each, the first lowest. Read only, as `rsvd_cnt`.
        MrgCnt "mrg_cnt",
    }
    /// A pipe, or all of them where an instruction says so.
    PipeOp bits 3 suffix false {
        /// Scalar unit.
        S "s",
        /// Vector unit.
        V "v",
        /// Cube unit.
        M "m",
        /// L1 to L0.
        Mte1 "mte1",
        /// Global memory to on-chip.
        Mte2 "mte2",
        /// On-chip to global memory.
        Mte3 "mte3",
        /// Fixpipe.
        Fix "fix",
        /// Every pipe; only in `bar`.
        All "all",
    }
    /// Width of an element that is only moved.
    ElemSize bits 2 suffix true {
        /// 1 byte.
        B8 "b8",
        /// 2 bytes.
        B16 "b16",
        /// 4 bytes.
        B32 "b32",
    }
    /// Width of an element of a transposing load.
    SquareSize bits 2 suffix true {
        /// 1 byte.
        B8 "b8",
        /// 2 bytes.
        B16 "b16",
        /// 4 bytes.
        B32 "b32",
        /// Half a byte, the even element in the low half.
        B4 "b4",
    }
    /// Operand type of the cube; f16, bf16 and f32 accumulate in f32, integers in s32.
    MmadTy bits 3 suffix true {
        /// binary16.
        F16 "f16",
        /// bfloat16.
        Bf16 "bf16",
        /// binary32.
        F32 "f32",
        /// Signed 8-bit.
        S8 "s8",
        /// Unsigned 8-bit.
        U8 "u8",
        /// Unsigned 8-bit by signed 8-bit.
        U8S8 "u8s8",
        /// Signed 4-bit, two a byte, the even one in the low half.
        S4 "s4",
        /// binary16, accumulated in binary16.
        F16F16 "f16f16",
    }
    /// Unit flag of the cube and the fixpipe (davinci-facts §3.3).
    UnitFlag bits 2 suffix false {
        /// Off.
        Off "unit_off",
        /// On; leaves the flags of the blocks for a following instruction.
        Keep "unit_keep",
        /// On; the last `mmad` sets the flags, a `fix` clears them.
        Last "unit_last",
    }
    /// What the fixpipe makes of an element.
    QuantMode bits 4 suffix true {
        /// Keeps it.
        None "none",
        /// f32 to f16.
        F32F16 "f32f16",
        /// f32 to bf16.
        F32Bf16 "f32bf16",
        /// f32 to s8, one word for all columns.
        F32S8 "f32s8",
        /// f32 to s8, a word per column.
        F32S8Vec "f32s8v",
        /// s32 to f16, one word for all columns.
        S32F16 "s32f16",
        /// s32 to f16, a word per column.
        S32F16Vec "s32f16v",
        /// s32 to s8, one word for all columns.
        S32S8 "s32s8",
        /// s32 to s8, a word per column.
        S32S8Vec "s32s8v",
        /// f32 to s4, one word for all columns.
        F32S4 "f32s4",
        /// f32 to s4, a word per column.
        F32S4Vec "f32s4v",
        /// s32 to s4, one word for all columns.
        S32S4 "s32s4",
        /// s32 to s4, a word per column.
        S32S4Vec "s32s4v",
        /// s32 to s16 by a shift, one word for all columns.
        S32S16 "s32s16",
        /// s32 to s16 by a shift, a word per column.
        S32S16Vec "s32s16v",
    }
    /// Element type that the fixpipe finds in L0C.
    FixSrc bits 1 suffix true {
        /// binary32.
        F32 "f32",
        /// Signed 32-bit.
        S32 "s32",
    }
    /// Activation of the fixpipe.
    Relu bits 2 suffix true {
        /// None.
        Off "norelu",
        /// max(x, 0).
        On "relu",
        /// Negative values times spr `relu_alpha`.
        Leaky "lrelu",
        /// Negative values times a binary32 per column, in the fixpipe buffer at spr `fpc_relu`.
        Prelu "prelu",
    }
    /// Whether the fixpipe turns NZ fractals into plain rows.
    Adj bits 2 suffix true {
        /// Writes NZ fractals of the output type.
        Off "nz",
        /// Writes rows.
        On "nd",
        /// Writes 32-bit elements in fractals of 16 columns, as L0C has them.
        Whole "nz16",
    }
    /// Lane type of a vector instruction; where lanes are only moved, any type of the width stands for it.
    VecTy bits 2 suffix true {
        /// binary16.
        F16 "f16",
        /// binary32.
        F32 "f32",
        /// Signed 16-bit.
        S16 "s16",
        /// Signed 32-bit.
        S32 "s32",
    }
}

impl ScalarConv {
    /// How it rounds; to nearest even where it is exact.
    pub const fn round(self) -> Round {
        match self {
            ScalarConv::F32S32Even
            | ScalarConv::S32F32Even
            | ScalarConv::F32F16
            | ScalarConv::F16F32 => Round::Even,
            ScalarConv::F32S32Away | ScalarConv::S32F32Away => Round::Away,
            ScalarConv::F32S32Floor | ScalarConv::S32F32Floor => Round::Floor,
            ScalarConv::F32S32Ceil | ScalarConv::S32F32Ceil => Round::Ceil,
            ScalarConv::F32S32Trunc | ScalarConv::S32F32Trunc => Round::Trunc,
            ScalarConv::F32F16Odd => Round::Odd,
        }
    }
}

impl MemSize {
    /// Bytes moved.
    pub const fn bytes(self) -> u64 {
        1 << self as u32
    }
}

impl ElemSize {
    /// Bytes of an element.
    pub const fn bytes(self) -> u64 {
        1 << self as u32
    }

    /// The width of that many bytes, if the machine moves it.
    pub fn from_bytes(bytes: u64) -> Option<ElemSize> {
        ElemSize::ALL
            .iter()
            .copied()
            .find(|size| size.bytes() == bytes)
    }
}

impl SquareSize {
    /// Fractals that one repeat turns.
    pub const fn fractals(self) -> u64 {
        match self {
            SquareSize::B16 => 1,
            SquareSize::B8 | SquareSize::B32 => 2,
            SquareSize::B4 => 4,
        }
    }
}

impl VecTy {
    /// Bytes of a lane.
    pub const fn bytes(self) -> u64 {
        match self {
            VecTy::F16 | VecTy::S16 => 2,
            VecTy::F32 | VecTy::S32 => 4,
        }
    }

    /// Lanes of a repeat of 256 B.
    pub const fn lanes(self) -> u64 {
        256 / self.bytes()
    }

    /// Whether arithmetic on it is floating point.
    pub const fn is_float(self) -> bool {
        matches!(self, VecTy::F16 | VecTy::F32)
    }

    /// The element type.
    pub const fn elem(self) -> Elem {
        match self {
            VecTy::F16 => Elem::F16,
            VecTy::F32 => Elem::F32,
            VecTy::S16 => Elem::I16,
            VecTy::S32 => Elem::I32,
        }
    }
}

impl MmadTy {
    /// Bits of an operand element.
    pub const fn bits(self) -> u64 {
        match self {
            MmadTy::S4 => 4,
            MmadTy::S8 | MmadTy::U8 | MmadTy::U8S8 => 8,
            MmadTy::F16 | MmadTy::F16F16 | MmadTy::Bf16 => 16,
            MmadTy::F32 => 32,
        }
    }

    /// K extent of one fractal of 512 B (davinci-facts §1.4).
    pub const fn k0(self) -> u64 {
        8 * BLOCK_BYTES / self.bits()
    }

    /// Fractals along k, which CTRL pads for f32.
    pub const fn k_fractals(self, k: u64, ctrl: u64) -> u64 {
        match self {
            MmadTy::F32 if ctrl & Spr::CTRL_K_ALIGN != 0 => 2 * k.div_ceil(2 * self.k0()),
            MmadTy::F32
            | MmadTy::F16
            | MmadTy::F16F16
            | MmadTy::Bf16
            | MmadTy::S8
            | MmadTy::U8
            | MmadTy::U8S8
            | MmadTy::S4 => k.div_ceil(self.k0()),
        }
    }

    /// The element type of the left operand; that of the bytes where two elements share one.
    pub const fn elem(self) -> Elem {
        match self {
            MmadTy::F16 | MmadTy::F16F16 => Elem::F16,
            MmadTy::Bf16 => Elem::Bf16,
            MmadTy::F32 => Elem::F32,
            MmadTy::S8 | MmadTy::S4 => Elem::I8,
            MmadTy::U8 | MmadTy::U8S8 => Elem::U8,
        }
    }
}

impl QuantMode {
    /// The element type it expects in L0C; `None` takes either.
    pub const fn src(self) -> Option<FixSrc> {
        match self {
            QuantMode::None => None,
            QuantMode::F32F16
            | QuantMode::F32Bf16
            | QuantMode::F32S8
            | QuantMode::F32S8Vec
            | QuantMode::F32S4
            | QuantMode::F32S4Vec => Some(FixSrc::F32),
            QuantMode::S32F16
            | QuantMode::S32F16Vec
            | QuantMode::S32S8
            | QuantMode::S32S8Vec
            | QuantMode::S32S4
            | QuantMode::S32S4Vec
            | QuantMode::S32S16
            | QuantMode::S32S16Vec => Some(FixSrc::S32),
        }
    }

    /// The element type it writes when L0C holds `src`; that of the bytes where two elements share one.
    pub const fn dst(self, src: FixSrc) -> Elem {
        match (self, src) {
            (QuantMode::None, FixSrc::F32) => Elem::F32,
            (QuantMode::None, FixSrc::S32) => Elem::I32,
            (QuantMode::F32F16 | QuantMode::S32F16 | QuantMode::S32F16Vec, _) => Elem::F16,
            (QuantMode::F32Bf16, _) => Elem::Bf16,
            (QuantMode::S32S16 | QuantMode::S32S16Vec, _) => Elem::I16,
            (
                QuantMode::F32S8
                | QuantMode::F32S8Vec
                | QuantMode::S32S8
                | QuantMode::S32S8Vec
                | QuantMode::F32S4
                | QuantMode::F32S4Vec
                | QuantMode::S32S4
                | QuantMode::S32S4Vec,
                _,
            ) => Elem::I8,
        }
    }

    /// Whether it writes two elements a byte.
    pub const fn is_s4(self) -> bool {
        matches!(
            self,
            QuantMode::F32S4 | QuantMode::F32S4Vec | QuantMode::S32S4 | QuantMode::S32S4Vec
        )
    }

    /// Bytes of so many elements in a row.
    pub const fn row_bytes(self, src: FixSrc, elements: u64) -> u64 {
        if self.is_s4() {
            return elements.div_ceil(2);
        }
        elements.saturating_mul(self.dst(src).bytes())
    }

    /// What the columns must be a multiple of where fractals are written: 16, or 8 where those of 32 bits are split.
    pub const fn columns(self, src: FixSrc, whole: bool) -> u64 {
        if self.dst(src).bytes() == 4 && !whole {
            8
        } else {
            16
        }
    }

    /// Whether it takes one quantisation word per column from the fixpipe buffer.
    pub const fn per_column(self) -> bool {
        matches!(
            self,
            QuantMode::F32S8Vec
                | QuantMode::S32F16Vec
                | QuantMode::S32S8Vec
                | QuantMode::F32S4Vec
                | QuantMode::S32S4Vec
                | QuantMode::S32S16Vec
        )
    }

    /// Whether it takes its quantisation word from spr `quant`.
    pub const fn per_tensor(self) -> bool {
        matches!(
            self,
            QuantMode::F32S8
                | QuantMode::S32F16
                | QuantMode::S32S8
                | QuantMode::F32S4
                | QuantMode::S32S4
                | QuantMode::S32S16
        )
    }
}

impl PipeOp {
    /// The pipe; `None` for all.
    pub const fn pipe(self) -> Option<Pipe> {
        match self {
            PipeOp::S => Some(Pipe::S),
            PipeOp::V => Some(Pipe::V),
            PipeOp::M => Some(Pipe::M),
            PipeOp::Mte1 => Some(Pipe::Mte1),
            PipeOp::Mte2 => Some(Pipe::Mte2),
            PipeOp::Mte3 => Some(Pipe::Mte3),
            PipeOp::Fix => Some(Pipe::Fix),
            PipeOp::All => None,
        }
    }
}

impl From<Pipe> for PipeOp {
    fn from(pipe: Pipe) -> PipeOp {
        match pipe {
            Pipe::S => PipeOp::S,
            Pipe::V => PipeOp::V,
            Pipe::M => PipeOp::M,
            Pipe::Mte1 => PipeOp::Mte1,
            Pipe::Mte2 => PipeOp::Mte2,
            Pipe::Mte3 => PipeOp::Mte3,
            Pipe::Fix => PipeOp::Fix,
        }
    }
}

impl Spr {
    /// How many there are.
    pub const COUNT: usize = Spr::ALL.len();
    /// CTRL\[45\]: `mmad` on f32 pads k to 16 (we choose the bit).
    pub const CTRL_K_ALIGN: u64 = 1 << 45;
    /// CTRL\[46\]: `mmad` on f32 rounds its operands first, HF32 (we choose the bit).
    pub const CTRL_HF32: u64 = 1 << 46;
    /// CTRL\[47\]: HF32 rounds ties to zero instead of to even (we choose the bit).
    pub const CTRL_HF32_ZERO: u64 = 1 << 47;
    /// CTRL\[48\]: 0 saturates f16 and bf16 results and makes NaN zero, 1 keeps infinities and NaN (davinci-facts §3.9).
    pub const CTRL_KEEP_INF: u64 = 1 << 48;
    /// CTRL\[53\]: integer conversions that overflow truncate (0) or saturate (1).
    pub const CTRL_SATURATE: u64 = 1 << 53;
    /// CTRL\[56\]: vector instructions process the lanes of a mask (0) or a count of elements (1). `vsetmask` and
    /// `vsetcount` set it too; when it changes, the low word of the mask becomes the count and the other way round.
    pub const CTRL_COUNT: u64 = 1 << 56;
    /// CTRL\[59\]: with CTRL\[60\], conversions to integers that overflow saturate (0) or truncate (1).
    pub const CTRL_CAST_TRUNCATE: u64 = 1 << 59;
    /// CTRL\[60\]: conversions to integers obey CTRL\[59\] instead of CTRL\[53\].
    pub const CTRL_CAST: u64 = 1 << 60;
    /// CTRL at launch: f16 saturates and integer conversions saturate.
    pub const CTRL_RESET: u64 = Spr::CTRL_SATURATE;
    /// Atomic mode, bits 1:0: 0 plain store, 1 add, 2 max, 3 min (we choose the field).
    pub const ATOMIC_OP: u64 = 0b11;
    /// Atomic mode, bits 6:4: element type 0 f32, 1 f16, 2 bf16, 3 s32, 4 s16, 5 s8 (we choose the field).
    pub const ATOMIC_TY: u64 = 0b111 << 4;

    /// Position in a register file.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether a program may write it.
    pub const fn is_writable(self) -> bool {
        match self {
            Spr::Ctrl
            | Spr::PadVal
            | Spr::Quant
            | Spr::Fpc
            | Spr::ReluAlpha
            | Spr::Atomic
            | Spr::Fmatrix
            | Spr::FmatrixB
            | Spr::Padding
            | Spr::L3dRpt
            | Spr::FpcRelu
            | Spr::DeqScale => true,
            Spr::BlockId
            | Spr::BlockNum
            | Spr::SubBlockId
            | Spr::ParaBase
            | Spr::RsvdCnt
            | Spr::MrgCnt => false,
        }
    }
}

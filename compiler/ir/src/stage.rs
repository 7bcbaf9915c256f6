//! How far a tile function has come, what each stage forbids, and which vector operations the machine has.
//!
//! The table is what passes may rely on; `tile::verify` checks it. Machine facts are davinci-facts §3.7 and §3.8; what
//! an operation becomes is the selector's business.

use isa::types::Elem;

use crate::algo::CmpOp;
use crate::tile::{EwOp, Stage};

/// A row of the stage table.
#[derive(Debug)]
pub struct StageInfo {
    /// The stage.
    pub stage: Stage,
    /// Name in the tile form.
    pub name: &'static str,
    /// What a function in this stage may no longer, or not yet, hold.
    pub forbids: &'static str,
}

/// Every stage in order. Each keeps what the earlier ones demand, except where its row says otherwise.
pub const STAGES: [StageInfo; 4] = [
    StageInfo {
        stage: Stage::Tiled,
        name: "tiled",
        forbids: "addresses of buffers; flags, barriers and cross-core counters",
    },
    StageInfo {
        stage: Stage::Legal,
        name: "legal",
        forbids: "vector operations that the machine lacks for their element types; addresses; synchronisation",
    },
    StageInfo {
        stage: Stage::Placed,
        name: "placed",
        forbids: "buffers without an address, misaligned or beyond their space; synchronisation",
    },
    StageInfo {
        stage: Stage::Synced,
        name: "synced",
        forbids: "buffers without an address, misaligned or beyond their space",
    },
];

/// The row of a stage.
pub const fn info(stage: Stage) -> &'static StageInfo {
    match stage {
        Stage::Tiled => &STAGES[0],
        Stage::Legal => &STAGES[1],
        Stage::Placed => &STAGES[2],
        Stage::Synced => &STAGES[3],
    }
}

/// The stage of that name, if there is one.
pub fn from_name(name: &str) -> Option<Stage> {
    STAGES
        .iter()
        .find(|info| info.name == name)
        .map(|info| info.stage)
}

/// Whether the machine has an element-wise operation on elements of `src` (the first operand; of a select the chosen
/// one) with a result of `dst`. `Neg` counts as a product by -1, bitwise operations work on 16-bit lanes whatever the
/// type, and selections and copies move bits.
pub const fn machine_has(op: EwOp, dst: Elem, src: Elem) -> bool {
    match op {
        EwOp::Copy => !matches!(src, Elem::I64),
        EwOp::Add | EwOp::Sub | EwOp::Mul | EwOp::Max | EwOp::Min | EwOp::Neg => {
            matches!(src, Elem::F16 | Elem::F32 | Elem::I16 | Elem::I32)
        }
        EwOp::Div | EwOp::Abs | EwOp::Exp | EwOp::Ln | EwOp::Sqrt => {
            matches!(src, Elem::F16 | Elem::F32)
        }
        EwOp::Relu => matches!(src, Elem::F16 | Elem::F32 | Elem::I32),
        EwOp::Round(round) => matches!(src, Elem::F32) && !matches!(round, isa::num::Round::Odd),
        EwOp::And | EwOp::Or | EwOp::Not => {
            matches!(
                src,
                Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool
            )
        }
        EwOp::Rem | EwOp::Xor => false,
        EwOp::Shl | EwOp::Shr => matches!(src, Elem::I16 | Elem::I32),
        EwOp::Cmp(CmpOp::Eq) => matches!(src, Elem::F16 | Elem::F32 | Elem::I32),
        EwOp::Cmp(CmpOp::Ne | CmpOp::Lt | CmpOp::Le | CmpOp::Gt | CmpOp::Ge) => {
            matches!(src, Elem::F16 | Elem::F32)
        }
        EwOp::Select => matches!(
            dst,
            Elem::F16 | Elem::F32 | Elem::Bf16 | Elem::I16 | Elem::I32
        ),
        EwOp::Cast(..) => machine_converts(src, dst),
        EwOp::Iota => matches!(dst, Elem::F16 | Elem::F32 | Elem::I16 | Elem::I32),
    }
}

/// Whether one `vconv` goes from `src` to `dst` (davinci-facts §3.8, without the forms that need a scale).
pub const fn machine_converts(src: Elem, dst: Elem) -> bool {
    match src {
        Elem::F32 => matches!(
            dst,
            Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::I64 | Elem::I32 | Elem::I16
        ),
        Elem::F16 => matches!(dst, Elem::F32 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8),
        Elem::Bf16 => matches!(dst, Elem::F32 | Elem::I32),
        Elem::I64 => matches!(dst, Elem::I32 | Elem::F32),
        Elem::I32 => matches!(dst, Elem::F32 | Elem::I64 | Elem::I16),
        Elem::I16 => matches!(dst, Elem::F16 | Elem::F32 | Elem::I8 | Elem::U8),
        Elem::I8 | Elem::U8 => matches!(dst, Elem::F16),
        Elem::Bool => false,
    }
}

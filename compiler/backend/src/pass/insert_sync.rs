//! `insert_sync`: Placed → Synced. Makes the order of pipes and cores explicit.
//!
//! ```text
//! before   next a
//!          load a[0, 0], x[v1] ...
//!          exp y[0, 0], a[0, 0] ...
//! after    next a
//!          wait_flag v -> mte2, 0 + slot a
//!          load a[0, 0], x[v1] ...
//!          set_flag mte2 -> v, 0 + slot a
//!          wait_flag mte2 -> v, 0 + slot a
//!          exp y[0, 0], a[0, 0] ...
//!          set_flag v -> mte2, 0 + slot a
//! ```
//!
//! With [`Sync::Barriers`] every operation is followed by a barrier on all pipes: obviously correct and slow. With
//! [`Sync::Flags`] pipes run ahead of each other as far as the copies of the buffers allow:
//!
//! - [`edges`]: which flags one place needs in one block, and which follow from others;
//! - [`flags`]: all places of a phase, the merging of flags and their ids;
//! - [`same_pipe`]: barriers between dependent operations of one pipe;
//! - [`cross`]: channels and the meeting of all cores.
//!
//! Why no program stops: a flag is always set at an earlier point of the sequential program than the wait for it, and
//! within one gap between operations sets stand before waits. Why no flag is set twice: the reverse flag of the same
//! place lies between two sets. Presets at the start of a phase and waits at its end make loops need no peeling, and
//! leave every flag clear.

mod cross;
mod edges;
mod edits;
mod flags;
mod same_pipe;

use crate::Level;
use diag::Diagnostic;
use ir::tile::{Func, Op, Stage};

use crate::plan::access;
use edits::{Edits, When};

pub use cross::COUNTERS;

/// How pipes are ordered.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sync {
    /// A barrier on all pipes after every operation: `-O0`.
    Barriers,
    /// Flags where pipes meet, barriers where one pipe depends on itself: `-O1`.
    Flags,
}

impl From<Level> for Sync {
    fn from(level: Level) -> Sync {
        match level {
            Level::O0 => Sync::Barriers,
            Level::O1 | Level::O3 => Sync::Flags,
        }
    }
}

/// Inserts flags, barriers and cross-core operations.
pub fn run(func: &mut Func, sync: Sync) -> Result<(), Vec<Diagnostic>> {
    let mut edits = Edits::default();
    cross::channels(func, &mut edits)?;
    match sync {
        Sync::Barriers => barriers(func, &mut edits),
        Sync::Flags => {
            for (_, _, root) in access::roots(func) {
                flags::order_pipes(func, root, &mut edits);
                same_pipe::order_within(func, root, &mut edits);
            }
        }
    }
    edits.apply(func);
    same_pipe::spare_large_products(func);
    cross::meet_between_phases(func);
    func.stage = Stage::Synced;
    Ok(())
}

/// One barrier on all pipes after every operation that any pipe runs.
fn barriers(func: &Func, edits: &mut Edits) {
    for (block, data) in func.blocks.iter() {
        for (position, &inst) in data.insts.iter().enumerate() {
            if access::pipe_of(func, &func.insts[inst].op).is_some() {
                edits.after(block, position, When::Barrier, Op::Barrier { pipe: None });
            }
        }
    }
}

//! `place_buffers`: Legal → Placed. Gives every buffer that is used an address in its space.
//!
//! ```text
//! before   buf A1 f16[64, 64] in L1 as NZ depth 2
//! after    buf A1 f16[64, 64] in L1 as NZ depth 2 at 0x0
//! ```
//!
//! Buffers that no phase touches keep address 0 and take no room. The decisions are in [`crate::plan`].

use diag::Diagnostic;
use ir::tile::{Func, Stage};
use isa::chip::Chip;

use crate::Level;
use crate::errors;
use crate::plan::{plan, plan_apart};

/// Places the buffers of a function, or says what is alive where the space ends.
pub fn run(func: &mut Func, chip: &Chip, level: Level) -> Result<(), Vec<Diagnostic>> {
    let plan = match level {
        Level::O0 => plan(func, chip),
        Level::O1 | Level::O3 => plan_apart(func, chip),
    };
    let plan = plan.map_err(|overflow| vec![errors::capacity(func, &overflow)])?;
    for (buf, data) in func.bufs.iter_mut() {
        data.addr = Some(plan.addr.get(&buf).copied().unwrap_or(0));
    }
    func.stage = Stage::Placed;
    Ok(())
}

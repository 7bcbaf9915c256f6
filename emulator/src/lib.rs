//! Executes objects on a modelled chip: one run gives values, cycles and hazards.
//!
//! Invariant: two independent halves. `exec` says what an instruction *does* and knows no cycles; `clock` says *when* and
//! knows no values; between them passes one stream of events a core. Arithmetic is [`isa::num`]'s, cycles are
//! [`isa::cost`]'s and the chip file's; nothing here repeats either. Reads no files, prints nothing, keeps no global
//! state, and gives the same bits and the same cycles for any number of host threads.
//!
//! Start with [`run()`]: it takes a finished object, the bytes of its inputs in the order of its parameters, a chip and
//! options, and gives every tensor back with a [`Report`], or the first [`Fault`].

mod access;
mod clock;
mod core;
mod cross;
mod exec;
mod fault;
mod gm;
mod gm_hazard;
mod hazard;
mod kernel;
mod l0;
mod machine;
mod memory;
mod options;
mod price;
mod report;
mod room;
mod run;
mod schedule;
mod setup;
mod stream;
mod timing;
mod trace;
mod unit;

pub use clock::TraceSpan;
pub use core::Origin;
pub use fault::{
    CoreId, Fault, FaultKind, NotFinite, OtherAccess, Place, Sanitizer, Wait, WaitReason,
};
pub use machine::Machine;
pub use options::{Options, Sanitize};
pub use report::{Bound, BoundKind, Path, PipeReport, Report};
pub use run::{Outcome, run};
pub use schedule::Schedule;
pub use setup::Setup;
pub use trace::chrome_json;

//! Executes objects on a modelled chip: one run gives values, cycles and hazards.
//!
//! Invariant: two independent halves. `exec` says what an instruction *does* and knows no cycles; `clock` says *when* and
//! knows no values; between them passes one stream of events a core. Arithmetic is [`isa::num`]'s, cycles are
//! [`isa::cost`]'s and the chip file's; nothing here repeats either. Reads no files, prints nothing, keeps no global
//! state, and gives the same bits and the same cycles for any number of host threads.
//!
//! Start with [`run()`]: it takes a finished object, the bytes of its inputs in the order of its parameters, a chip and
//! options, and gives every tensor back with a [`Report`], or the first [`Fault`].
//!
//! # Embedding
//!
//! [`run()`] is a [`Setup`] and a [`Machine`], and so is a debugger: the setup holds the program and the arguments, the
//! machine goes step by step, stops where it is told to, shows registers and memories, knows who wrote what, and goes back
//! to copies of itself.
//!
//! ```
//! use emulator::{Options, Reached, Setup, Stops, Watch};
//! use isa::types::{CoreKind, Space};
//!
//! let object = isa::asm::assemble(
//!     ".chip 910b2
//!     .kernel twice
//!     .cores vector 1
//!     .param in a f32 [8]
//!     .param out y f32 [8]
//!     .aiv
//!     rdspr x0, subblockid
//!     bcc.ne x0, 0, done
//!     rdspr x0, para_base
//!     ld.b64.gm x1, x0, 0
//!     ld.b64.gm x2, x0, 8
//!     mov_gm_ub ub+0x0, gm+x1, burst(1, 1), 0, 0
//!     bar all
//!     li x3, 255
//!     vsetmask x3, x4
//!     vadd.f32 ub+0x20, ub+0x0, ub+0x0, 1, st(1,1,1,8,8,8)
//!     bar all
//!     mov_ub_gm gm+x2, ub+0x20, burst(1, 1), 0, 0
//! done:
//!     end",
//! )
//! .map_err(|e| format!("{e:?}"))?;
//! let chip = isa::chip::Chip::builtin(&object.chip).ok_or("a built-in chip")?;
//! let ones: Vec<u8> = [1.0_f32; 8].iter().flat_map(|x| x.to_le_bytes()).collect();
//! let inputs = [Some(ones), None];
//!
//! let mut setup = Setup::new(&object, &inputs, &chip, &Options::default())?;
//! let mut machine = setup.machine();
//! let core = machine.cores().next().ok_or("a core")?;
//!
//! // Stop before an instruction, and keep a copy of the machine.
//! let add = Stops { pcs: vec![(CoreKind::Vector, 9)], ..Stops::default() };
//! assert_eq!(machine.run_until(&add, 1000)?, Reached::Break { core, pc: 9 });
//! let before = machine.checkpoint(None);
//!
//! // Stop at the write of a range, and look at it.
//! let watch = Watch { core: None, space: Space::Ub, start: 0x20, end: 0x40, reads: false, writes: true };
//! let write = Stops { watches: vec![watch], ..Stops::default() };
//! assert!(matches!(machine.run_until(&write, 1000)?, Reached::Watched { pc: 9, .. }));
//! let sum = machine.read(core, Space::Ub, 0x20, 4).ok_or("in UB")?;
//! assert_eq!(sum.bytes, 2.0_f32.to_le_bytes());
//! assert_eq!(machine.last_writers(core, Space::Ub, 0x20, 0x24)[0].pc, 9);
//!
//! // Go back, change what is added, and run to the end.
//! machine.restore(&before);
//! machine.write(core, Space::Ub, 0, &5.0_f32.to_le_bytes());
//! let outcome = machine.finish()?;
//! assert_eq!(outcome.tensors[1][..4], 10.0_f32.to_le_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod ahead;
mod aligned;
mod cached;
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
mod profile;
mod report;
mod room;
mod run;
mod schedule;
mod setup;
mod stream;
mod timing;
mod trace;
mod unit;

pub use clock::{Resource, TraceSpan};
pub use core::Origin;
pub use fault::{
    CoreId, Fault, FaultKind, Hidden, NotFinite, OtherAccess, Place, Sanitizer, Wait, WaitReason,
};
pub use machine::{Bytes, Checkpoint, Machine, Reached, Stops, Tensor, Watch, Writer, pcs_of_line};
pub use options::{Options, Pulse, Sanitize};
pub use profile::{
    Change, Class, InstProfile, Passing, PipeProfile, Profile, Roof, Scalar, Step, WhatIf,
    roofline, what_if,
};
pub use report::{Bound, BoundKind, Path, PipeReport, Report};
pub use run::{Outcome, run};
pub use schedule::Schedule;
pub use setup::Setup;
pub use trace::chrome_json;

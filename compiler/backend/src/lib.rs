//! From the algorithm IR to a finished object: tiling, buffer planning, synchronisation, selection, emission.
//!
//! Never sees an AST. Pure: the same function, chip and options give the same bytes. Start with [`compile`]; a function
//! in tile form enters at [`lower()`]. The way is drawn in the ARCHITECTURE page at the root.

pub mod emit;
pub mod errors;
mod lower;
mod partition;
pub mod pass;
pub mod pipeline;
pub mod plan;
pub mod schedule;
pub mod select;
mod tiling;

use diag::{Diagnostic, codes};
use ir::{algo, tile::Func};
use isa::chip::Chip;
use isa::object::Object;

pub use emit::Resolver;
pub use lower::{Lowered, lower};
pub use schedule::space::StepSpace;
pub use schedule::{Knob, Schedule, Values};
use tiling::Passes;
pub use tiling::{Tiled, derived_text, remarks, tile};

/// How hard the compiler tries.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// One small tile at a time, a barrier after each stage.
    O0,
    /// Tiles by rule, several buffers, minimal flags.
    O1,
    /// As `O1`, for a schedule that was searched.
    O3,
}

impl Level {
    /// The name on the command line, without the `-O`.
    pub const fn name(self) -> &'static str {
        match self {
            Level::O0 => "0",
            Level::O1 => "1",
            Level::O3 => "3",
        }
    }
}

/// How a kernel is compiled.
#[derive(Copy, Clone, Debug)]
pub struct Options {
    /// Optimisation level.
    pub level: Level,
    /// Verify the tile form after every pass; a violation is a defect of the compiler.
    pub verify_each: bool,
}

/// A compiled kernel with every level it went through.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Every decision; printed in the syntax of a schedule.
    pub schedule: Schedule,
    /// The tile form as the tiler wrote it.
    pub tiled: Func,
    /// What came of it.
    pub lowered: Lowered,
}

impl Compiled {
    /// The finished object.
    pub const fn object(&self) -> &Object {
        &self.lowered.object
    }
}

/// Compiles a kernel with bound sizes for a chip. `resolve` says where a span stands in the source.
///
/// # Errors
/// What fits no buffer at any size (E0501), what is not compiled yet (E0502), and what the machine has no registers or
/// counters for (E0505).
pub fn compile(
    func: &algo::Func,
    chip: &Chip,
    options: Options,
    resolve: Resolver<'_>,
) -> Result<Compiled, Vec<Diagnostic>> {
    compile_as(func, chip, options, None, resolve)
}

/// Compiles a kernel with decisions besides those that are written for it: what `wanted` leaves open is chosen by rule,
/// a step that it does not know likewise.
///
/// # Errors
/// As for [`compile`], and what is wanted and cannot be.
pub fn compile_as(
    func: &algo::Func,
    chip: &Chip,
    options: Options,
    wanted: Option<&Schedule>,
    resolve: Resolver<'_>,
) -> Result<Compiled, Vec<Diagnostic>> {
    let once = |func: &algo::Func| compile_once(func, chip, options, wanted, resolve);
    let first = once(func);
    let again = |found: &[Diagnostic]| found.iter().any(|d| d.code == codes::E0505);
    match first {
        // Sizes that live through the program may have taken the registers.
        Err(found) if !func.symbols.is_empty() && again(&found) => {
            let mut near = func.clone();
            near.symbols.near = true;
            once(&near).map_err(|_| found)
        }
        first => first,
    }
}

/// Tiles a kernel with decisions as [`compile_as`] takes them, and goes no further.
///
/// # Errors
/// As for [`compile_as`].
pub fn tile_as(
    func: &algo::Func,
    chip: &Chip,
    level: Level,
    wanted: Option<&Schedule>,
) -> Result<Tiled, Vec<Diagnostic>> {
    with_passes_or_without(&|passes| {
        let task = tiling::Task {
            chip,
            level,
            passes,
            wanted,
        };
        tiling::tile_as(func, &task)
    })
}

/// What can be decided about each step of a kernel beside what `wanted`, or the source, says.
///
/// # Errors
/// As for [`compile`].
pub fn space(
    func: &algo::Func,
    chip: &Chip,
    wanted: Option<&Schedule>,
) -> Result<Vec<StepSpace>, Vec<Diagnostic>> {
    let task = |passes| tiling::Task {
        chip,
        level: Level::O3,
        passes,
        wanted,
    };
    let space = |passes| tiling::space(func, &task(passes));
    space(Passes::Across)
        .or_else(|_| space(Passes::Within))
        .or_else(|_| space(Passes::None))
}

fn compile_once(
    func: &algo::Func,
    chip: &Chip,
    options: Options,
    wanted: Option<&Schedule>,
    resolve: Resolver<'_>,
) -> Result<Compiled, Vec<Diagnostic>> {
    let compiled = |passes| {
        let task = tiling::Task {
            chip,
            level: options.level,
            passes,
            wanted,
        };
        let Tiled {
            func: tiled,
            schedule,
        } = tiling::tile_as(func, &task)?;
        let lowered = lower(tiled.clone(), chip, options, resolve)?;
        Ok(Compiled {
            schedule,
            tiled,
            lowered,
        })
    };
    with_passes_or_without(&compiled)
}

/// What is too much for one pass over several reductions is computed one after the other; what was decided is not
/// decided otherwise.
fn with_passes_or_without<T>(
    made: &dyn Fn(Passes) -> Result<T, Vec<Diagnostic>>,
) -> Result<T, Vec<Diagnostic>> {
    let less = |passes| {
        move |found: Vec<Diagnostic>| match found.iter().any(about_schedule) {
            true => Err(found),
            false => made(passes),
        }
    };
    made(Passes::Across)
        .or_else(less(Passes::Within))
        .or_else(less(Passes::None))
}

/// Whether a finding is about what was decided.
fn about_schedule(found: &Diagnostic) -> bool {
    found.code.as_str().starts_with("E04")
}

//! The language server: answers of the front end in the words of the protocol.
//!
//! [`serve`] reads messages until the client says `exit`. Positions and JSON are at home here and nowhere else: what a name
//! means, what type it has, how a file is laid out comes from [`frontend::ide`] as plain data with byte spans. What needs
//! the back end or the emulator (cycles of a kernel, its tile form, a run) comes through [`Toolchain`], which the driver
//! implements, and is computed on a thread of its own: a keystroke never waits for it.
//!
//! `transport.rs` cuts bytes into messages, `server.rs` is the loop, `document.rs` a text and what is known of it, `features/` one file a feature.

mod document;
mod features;
mod position;
mod server;
mod transport;

use std::path::Path;

pub use server::{End, serve};
pub use transport::{Threads, connect};

/// What the server asks of the rest of the toolchain. Takes texts as they are in the editor.
pub trait Toolchain: Send + Sync {
    /// The modelled time of a kernel of a `.vn` text: at the sizes of the source, else at its first `//! shape:` line.
    fn cost(&self, source: &Source<'_>, kernel: &str) -> Cost;

    /// What the lines of a kernel cost, those of other texts left out.
    fn lines(&self, source: &Source<'_>, kernel: &str) -> Vec<LineCost>;

    /// A level of a text's kernel.
    fn show(&self, source: &Source<'_>, kernel: &str, level: Level) -> Result<String, String>;

    /// Runs a kernel with drawn arguments; gives the report of `vinci run`.
    fn run(&self, source: &Source<'_>, kernel: &str) -> Result<String, String>;

    /// A folder where texts of the library may be laid down for editors to open.
    fn library_folder(&self) -> Option<std::path::PathBuf>;

    /// What is wrong with a `.tile` or `.vasm` text; its spans are of file 0.
    fn findings(&self, source: &Source<'_>) -> Vec<diag::Diagnostic>;
}

/// A text on its way to the toolchain.
#[derive(Copy, Clone, Debug)]
pub struct Source<'a> {
    /// Where it is kept; neighbours are found beside it.
    pub path: &'a Path,
    /// What the editor shows.
    pub text: &'a str,
    /// The chip, if the client's configuration names one.
    pub target: Option<&'a str>,
    /// Sizes that the client's configuration assumes, as `M=128`; those that a kernel has not are for others.
    pub sizes: &'a [String],
}

/// Levels that can be shown beside a source.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// Tile form.
    Tile,
    /// Assembly.
    Assembly,
    /// The decisions that were taken, as a schedule, and why.
    Schedule,
    /// The decisions alone, as a schedule that can stand in the source.
    Decisions,
}

/// The modelled time of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The kernel's name.
    pub kernel: String,
    /// Sizes it was taken at: `M=64 K=64`.
    pub sizes: String,
    /// Cycles, or why there are none.
    pub cycles: Result<Cycles, String>,
}

/// A number of cycles and what bounds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cycles {
    /// Cycles, the launch included.
    pub cycles: u64,
    /// The resource that binds.
    pub bound: String,
    /// The share of the bound that is reached, from 0 to 1.
    pub reached: f64,
    /// The memories of a core that are used, with their sizes: `UB 148/192 KiB`.
    pub memory: String,
}

/// What a line costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineCost {
    /// The line of the text, from 1.
    pub line: u32,
    /// Cycles of the kernel's critical path that are this line's.
    pub path: u64,
    /// Cycles that the kernel takes, the launch included.
    pub cycles: u64,
    /// The pipes that work for it, with the cycles of all cores together; the busiest first.
    pub busy: Vec<(String, u64)>,
    /// The instructions, with how often each was executed; the most frequent first.
    pub instructions: Vec<(String, u64)>,
}

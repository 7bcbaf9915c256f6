//! The command lines `vincic` and `vinci` as functions, so that tests call them without a process.
//!
//! The only crate that opens files, reads the environment or knows a terminal; everything it drives is pure. Nothing
//! here computes a kernel's meaning or time.
//!
//! Start with [`vinci`] and [`vincic`], then `session.rs` (one command's sources, options and outputs) and `cmd/` (one
//! file a command).

mod args;
mod arguments;
mod arrays;
mod assembly;
pub mod build;
mod cache;
mod cmd;
mod command_line;
mod defect;
mod difference;
mod emulation;
mod errors;
mod expect;
mod files;
mod host;
pub mod kernel;
mod launch;
mod laws;
mod lints;
mod measure;
mod output;
mod paths;
mod progress;
mod reference;
mod report;
mod session;
mod settings;
mod study;
mod table;
pub mod tile;
mod verification;
mod version;

pub use cmd::lsp::Commands as EditorCommands;
pub use command_line::{vinci, vincic};
pub use host::{Host, Status, run_main};
pub use settings::Settings;

//! Buffer planning: live ranges, addresses, and the report of both.
//!
//! [`plan`] is pure and cheap, so that a tiler may call it to try sizes. Start there.

pub mod access;
mod assign;
mod clash;
mod live;
mod report;
mod reuse;

pub use assign::{Overflow, Plan, plan, plan_apart};
pub use live::{Life, Range, lives};
pub use report::report;

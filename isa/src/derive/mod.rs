//! `instructions!`: the rows of `table.rs` fanned out to the macros beside this file, each of which derives one view.
//!
//! Every macro has the one row pattern, no conditions, and forwards to traits of `operand`. None is exported.

#[macro_use]
mod inst;
#[macro_use]
mod codec;
#[macro_use]
mod text;
#[macro_use]
mod effect;
#[macro_use]
mod units;
#[macro_use]
mod info;

macro_rules! instructions {
    ($($rows:tt)*) => {
        derive_inst! { $($rows)* }
        derive_codec! { $($rows)* }
        derive_text! { $($rows)* }
        derive_effect! { $($rows)* }
        derive_units! { $($rows)* }
        derive_info! { $($rows)* }
    };
}

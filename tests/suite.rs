//! The one test target: a test for each data file (written by `build.rs`) and the house rules.

mod harness;

include!(concat!(env!("OUT_DIR"), "/cases.rs"));

//! What a run says about itself: the same facts as text for people and as JSON for programs. Computes nothing new.

mod json;
mod text;

pub(crate) use json::json;
pub(crate) use text::text;

use crate::reference::Comparison;
use crate::verification::Verdict;
use isa::object::KernelMeta;

/// Everything a report tells.
pub(crate) struct Facts<'a> {
    /// What ran.
    pub(crate) kernel: &'a KernelMeta,
    /// The chip's name.
    pub(crate) chip: &'a str,
    /// The chip file's version and hash.
    pub(crate) chip_version: &'a str,
    /// What it cost.
    pub(crate) cost: &'a emulator::Report,
    /// How the results compare; none if nothing was compared.
    pub(crate) check: Option<&'a [Comparison]>,
    /// Whether the sanitizers were on; a run that they stop has no report.
    pub(crate) sanitized: bool,
    /// The first results that are no finite numbers, a line each.
    pub(crate) origins: &'a [String],
    /// What the verifier says of the object.
    pub(crate) verdict: &'a Verdict,
    /// Whether values were left out.
    pub(crate) timing_only: bool,
    /// Seconds that the emulator took on this host.
    pub(crate) host_seconds: f64,
}

impl Facts<'_> {
    /// Useful operations of the cube that this host emulates in a second, in 10^9: a multiply-add is two.
    fn host_gflops(&self) -> f64 {
        2.0 * self.kernel.mads as f64 / self.host_seconds.max(1e-9) / 1e9
    }

    /// `O1`; empty for an object that does not say.
    fn level(&self) -> String {
        match self.kernel.opt.as_str() {
            "" => String::new(),
            level => format!("O{level}"),
        }
    }
}

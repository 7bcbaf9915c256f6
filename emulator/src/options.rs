//! What a caller may ask of a run.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::schedule::Schedule;

/// Which mistakes a run looks for. Addresses and operand values are always checked, because nothing can go on without.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Sanitize {
    /// Reads of bytes that nothing has written, and outputs left unwritten.
    pub uninit: bool,
    /// Accesses that nothing orders.
    pub hazards: bool,
    /// Flags set twice, flags and counters left over at the end.
    pub flags: bool,
    /// Where the first NaN comes from: reported in [`crate::Outcome::origins`], no mistake by itself.
    pub nan: bool,
    /// Where the first overflow comes from.
    pub inf: bool,
    /// Whether a NaN or an overflow that is looked for stops the run.
    pub stop: bool,
}

impl Sanitize {
    /// Every mistake. A NaN may be meant, so its origin has to be asked for.
    pub const ALL: Sanitize = Sanitize {
        uninit: true,
        hazards: true,
        flags: true,
        nan: false,
        inf: false,
        stop: false,
    };
    /// Nothing that can be left out.
    pub const NONE: Sanitize = Sanitize {
        uninit: false,
        hazards: false,
        flags: false,
        nan: false,
        inf: false,
        stop: false,
    };

    /// Whether origins are looked for.
    pub(crate) const fn origins(self) -> bool {
        self.nan || self.inf
    }

    /// What either of two looks for.
    pub fn and(self, other: Sanitize) -> Sanitize {
        Sanitize {
            uninit: self.uninit || other.uninit,
            hazards: self.hazards || other.hazards,
            flags: self.flags || other.flags,
            nan: self.nan || other.nan,
            inf: self.inf || other.inf,
            stop: self.stop || other.stop,
        }
    }
}

/// Options of a run.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Host threads; 0 takes as many as the host offers. Results do not depend on it.
    pub threads: usize,
    /// What to look for.
    pub sanitize: Sanitize,
    /// Most instructions that one core may execute.
    pub max_steps: u64,
    /// Whether to keep the time of every instruction, for [`crate::Outcome::trace`].
    pub trace: bool,
    /// Whether to find out where the cycles went, for [`crate::Outcome::profile`].
    pub profile: bool,
    /// Leaves out the values: queues' instructions are priced and not executed, and inputs may be left out. Gives the same
    /// cycles. If a value in memory decides a branch, an address or an extent, the run is a full one if all inputs are
    /// there, and else a fault; [`crate::Outcome::timing_only`] says which it was.
    pub timing_only: bool,
    /// Leaves out the times: what a run gives and finds is the same, but the report has no cycles and no traffic beyond L2,
    /// and there is neither trace nor profile. For who runs many programs for their values.
    pub values_only: bool,
    /// In which of the allowed orders to execute. The cycles are the same for all.
    pub schedule: Schedule,
    /// Where to count what has been executed, for who may not wait for the end.
    pub pulse: Option<Pulse>,
}

/// A count of the instructions that all cores have executed so far, some thousands at a time.
#[derive(Copy, Clone)]
pub struct Pulse(pub &'static AtomicU64);

impl Pulse {
    /// Instructions of a core between two beats; a power of two.
    const BEAT: u64 = 1 << 12;

    /// Counts the instructions of a core that had executed so many before, and has executed so many now.
    #[inline]
    pub(crate) fn beat(pulse: Option<Pulse>, before: u64, now: u64) {
        let beats = now / Pulse::BEAT - before / Pulse::BEAT;
        if beats > 0
            && let Some(Pulse(count)) = pulse
        {
            count.fetch_add(beats * Pulse::BEAT, Ordering::Relaxed);
        }
    }
}

impl PartialEq for Pulse {
    fn eq(&self, other: &Pulse) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Pulse {}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pulse")
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            threads: 0,
            sanitize: Sanitize::ALL,
            max_steps: 1 << 27,
            trace: false,
            profile: false,
            timing_only: false,
            values_only: false,
            schedule: Schedule::InOrder,
            pulse: None,
        }
    }
}

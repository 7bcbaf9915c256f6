//! When the flags of a core were set, as its clock needs it: mostly once before each wait.

use std::collections::{BTreeMap, VecDeque};

use crate::core::FLAG_COUNT;

/// No time.
const NEVER: u64 = u64::MAX;

/// The flags of one core.
#[derive(Debug)]
pub(super) struct Flags {
    /// When each was set, if nobody has taken that yet.
    times: Vec<u64>,
    /// Of those that were set again before: when.
    later: BTreeMap<usize, VecDeque<u64>>,
}

impl Flags {
    pub(super) fn new() -> Flags {
        Flags {
            times: vec![NEVER; FLAG_COUNT],
            later: BTreeMap::new(),
        }
    }

    /// Sets a flag.
    #[inline]
    pub(super) fn set(&mut self, flag: usize, at: u64) {
        match self.times[flag] {
            NEVER => self.times[flag] = at,
            _ => self.later.entry(flag).or_default().push_back(at),
        }
    }

    /// Takes the earliest setting of a flag; when it was.
    #[inline]
    pub(super) fn take(&mut self, flag: usize) -> Option<u64> {
        let at = std::mem::replace(&mut self.times[flag], NEVER);
        if !self.later.is_empty()
            && let Some(next) = self.later.get_mut(&flag).and_then(VecDeque::pop_front)
        {
            self.times[flag] = next;
        }
        (at != NEVER).then_some(at)
    }
}

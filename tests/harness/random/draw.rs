//! Choices from a seed.

use ir::algo::data::Random;

/// A source of choices.
pub(crate) struct Draw(Random);

impl Draw {
    /// Choices of a seed.
    pub(crate) fn new(seed: u64) -> Draw {
        Draw(Random::new(seed))
    }

    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.between(0, limit as i64 - 1) as usize
    }

    /// A number between two, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.between(low, high)
    }

    /// True so many times in a hundred.
    pub(crate) fn chance(&mut self, percent: i64) -> bool {
        self.0.between(0, 99) < percent
    }

    /// One of some.
    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// One of some by weight.
    pub(crate) fn weighted<T: Copy>(&mut self, all: &[(u32, T)]) -> T {
        let total: u32 = all.iter().map(|(weight, _)| weight).sum();
        let mut at = self.below(total as usize) as u32;
        for &(weight, what) in all {
            if at < weight {
                return what;
            }
            at -= weight;
        }
        all[0].1
    }

    /// The numbers below a limit in some order.
    pub(crate) fn order(&mut self, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            all.swap(at, self.below(at + 1));
        }
        all
    }
}

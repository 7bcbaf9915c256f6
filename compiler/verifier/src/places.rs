//! Which instruction each piece of work of a lane was, by its count, with the rounds of loops that were not followed.

/// The instructions of a lane's work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pcs: Vec<u32>,
    /// Counts behind which rounds were left out: the count, the work of a round, and of all that were left out.
    gaps: Vec<(u32, u32, u32)>,
}

impl Places {
    pub(crate) fn clear(&mut self) {
        self.pcs.clear();
        self.gaps.clear();
    }

    pub(crate) fn push(&mut self, pc: u32) {
        self.pcs.push(pc);
    }

    /// The instruction of the last work that was followed.
    pub(crate) fn last(&self) -> Option<u32> {
        self.pcs.last().copied()
    }

    /// Behind this count so many rounds go as the last one.
    pub(crate) fn skip(&mut self, at: u32, round: u32, rounds: u32) {
        self.gaps.push((at, round, round * rounds));
    }

    /// The instruction of the work with this count.
    pub(crate) fn of(&self, count: u32) -> Option<u32> {
        let mut count = count;
        for &(at, round, left_out) in self.gaps.iter().rev() {
            if count > at + left_out {
                count -= left_out;
            } else if count > at {
                count = at - round + 1 + (count - at - 1) % round;
            }
        }
        self.pcs.get(count.checked_sub(1)? as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_were_left_out_repeat_the_last_one() {
        let mut places = Places::default();
        [7, 8, 9].into_iter().for_each(|pc| places.push(pc));
        places.skip(3, 2, 3);
        places.push(10);
        let all: Vec<u32> = (1..=10).filter_map(|count| places.of(count)).collect();
        assert_eq!(all, [7, 8, 9, 8, 9, 8, 9, 8, 9, 10]);
        assert_eq!(places.of(11), None);
    }
}

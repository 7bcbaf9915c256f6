//! The order in which a launch runs: as dispatched, or any other that flags, barriers and queues allow.
//!
//! An adversarial run takes one action at a time: a core and a lane that may go on, an instruction of it. What a seed
//! decides: which lanes run ahead (consumers, producers, or by lot), which cores, how long results stay unseen
//! (`core::late`) and how long cross-core sets travel. All on one host thread, so a seed gives the same run everywhere.
//! Knows no instructions.

use isa::types::Pipe;

use crate::hazard::LANES;

/// In which of the allowed orders a run executes. Times do not depend on it: they are those of the machine's own order,
/// which the stream of dispatches gives.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// Each instruction as soon as its queue and its flags let it.
    #[default]
    InOrder,
    /// One of the other allowed orders, chosen to break results that rely on luck. A program without unordered
    /// accesses gives the same bits for every seed.
    Adversarial(u64),
}

/// A sequence of numbers that a seed decides: SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.below(last + 1);
            list.swap(last, other);
        }
    }
}

/// Lanes from the end of the data's way to its beginning, the scalar unit first, so that queues are full.
const CONSUMERS_FIRST: [Pipe; 7] = [
    Pipe::S,
    Pipe::Mte3,
    Pipe::Fix,
    Pipe::V,
    Pipe::M,
    Pipe::Mte1,
    Pipe::Mte2,
];

/// Which lanes of a core come first.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Taste {
    /// Those that use results, so that they come too early if nothing holds them.
    Consumers,
    /// Those that make results, so that they overwrite what is still in use.
    Producers,
    /// By lot, drawn anew from time to time.
    Lot,
}

/// Chooses the next action of an adversarial run.
#[derive(Clone, Debug)]
pub(crate) struct Adversary {
    pub(crate) random: Random,
    taste: Taste,
    /// Lanes of each core, first choice first.
    order: Vec<[usize; LANES - 1]>,
    /// Lanes of each core that may have become able to go on, one bit each.
    awake: Vec<u8>,
    /// Cores, first choice first.
    cores: Vec<usize>,
    /// Once in how many actions a core gives way to one drawn by lot; never, if 0.
    slice: usize,
    current: usize,
    /// Once in how many actions a set arrives without need.
    delay: usize,
}

impl Adversary {
    pub(crate) fn new(seed: u64, cores: usize) -> Adversary {
        let mut random = Random::new(seed);
        let taste = [Taste::Consumers, Taste::Producers, Taste::Lot][random.below(3)];
        let mut order = vec![lanes(taste); cores];
        if taste == Taste::Lot {
            order.iter_mut().for_each(|lanes| random.shuffle(lanes));
        }
        let mut places: Vec<usize> = (0..cores).collect();
        random.shuffle(&mut places);
        Adversary {
            slice: [0, 1, 8, 64][random.below(4)],
            delay: [2, 16, 256][random.below(3)],
            taste,
            order,
            awake: vec![0x7f; cores],
            current: places.first().copied().unwrap_or(0),
            cores: places,
            random,
        }
    }

    /// The next core and lane to try among those that have work; none if all that have it are asleep.
    pub(crate) fn choose(&mut self, work: impl Fn(usize) -> u8) -> Option<(usize, usize)> {
        let core = self.choose_core(&work)?;
        let able = self.awake[core] & work(core);
        if self.taste == Taste::Lot && self.random.once_in(32) {
            self.random.shuffle(&mut self.order[core]);
        }
        let lanes = self.order[core].into_iter();
        let mut able = lanes.filter(|lane| able >> lane & 1 == 1);
        let first = able.next()?;
        let lane = match self.random.once_in(8) {
            true => able.next_back().unwrap_or(first),
            false => first,
        };
        Some((core, lane))
    }

    fn choose_core(&mut self, work: impl Fn(usize) -> u8) -> Option<usize> {
        let gives_way = self.slice > 0 && self.random.once_in(self.slice);
        if gives_way || self.awake[self.current] & work(self.current) == 0 {
            let turn = match self.slice {
                0 => 0,
                _ => self.random.below(self.cores.len()),
            };
            let (before, after) = self.cores.split_at(turn);
            let able = |core: &usize| self.awake[*core] & work(*core) != 0;
            self.current = after.iter().chain(before).copied().find(able)?;
        }
        Some(self.current)
    }

    /// The core that it prefers for now.
    pub(crate) fn current(&self) -> usize {
        self.current
    }

    /// A lane could not go on.
    pub(crate) fn sleeps(&mut self, core: usize, lane: usize) {
        self.awake[core] &= !(1 << lane);
    }

    /// Something happened that the lanes of a core may have waited for.
    pub(crate) fn wakes(&mut self, core: usize) {
        self.awake[core] = 0x7f;
    }

    /// Whether a set arrives now although nobody is stuck.
    pub(crate) fn delivers(&mut self) -> bool {
        let delay = self.delay;
        self.random.once_in(delay)
    }
}

fn lanes(taste: Taste) -> [usize; LANES - 1] {
    let mut lanes = CONSUMERS_FIRST.map(Pipe::index);
    if taste == Taste::Producers {
        lanes[1..].reverse();
    }
    lanes
}

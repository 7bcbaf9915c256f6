//! Flags and counters as a core keeps them, what its blocked queues wait for, and what must hold at its end.

use std::collections::VecDeque;
use std::sync::Arc;

use isa::types::Pipe;

use super::Core;
use crate::cross::Heard;
use crate::fault::{Fault, FaultKind, Wait, WaitReason};
use crate::hazard::Known;

/// Flags of a pair of pipes.
const FLAGS: usize = 8;

/// Flags of a core.
pub(crate) const FLAG_COUNT: usize = Pipe::ALL.len() * Pipe::ALL.len() * FLAGS;

/// A flag of a pair of pipes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flag {
    /// What its setting tells, while it is set.
    pub(crate) set: Option<Known>,
    /// What its setting tells of other cores.
    pub(crate) heard: Heard,
    /// Count of the wait that last consumed it, in the waiting lane.
    pub(crate) consumed: u32,
}

/// A cross-core set on its way.
#[derive(Clone, Debug)]
pub(crate) struct CrossSet {
    pub(crate) mode: u8,
    pub(crate) id: u8,
    pub(crate) heard: Heard,
}

/// Sets of a counter that wait for those of other sources.
#[derive(Clone, Debug)]
pub(crate) struct Waiting<T> {
    /// Invariant: sorted by core, no core twice.
    from: Vec<Source<T>>,
    /// Sources of which one waits.
    sources: usize,
}

/// The sets of one source that wait: hardly ever more than one.
#[derive(Clone, Debug)]
struct Source<T> {
    core: usize,
    first: Option<T>,
    /// Empty if there is no first one.
    more: VecDeque<T>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Waiting<T> {
        Waiting {
            from: Vec::new(),
            sources: 0,
        }
    }
}

impl<T> Source<T> {
    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }
}

impl<T> Waiting<T> {
    /// Adds a set; how many of its source wait now.
    pub(crate) fn add(&mut self, from: usize, set: T) -> usize {
        let at = self.from.partition_point(|source| source.core < from);
        if self.from.get(at).is_none_or(|source| source.core != from) {
            let none = Source {
                core: from,
                first: None,
                more: VecDeque::new(),
            };
            self.from.insert(at, none);
        }
        let own = &mut self.from[at];
        match own.first {
            Some(_) => own.more.push_back(set),
            None => {
                own.first = Some(set);
                self.sources += 1;
            }
        }
        own.len()
    }

    /// Sources of which a set waits.
    pub(crate) fn sources(&self) -> usize {
        self.sources
    }

    /// Takes one set of every source.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = T> {
        self.from.iter_mut().filter_map(|own| {
            // A source that set in another mode may have none.
            let set = own.first.take()?;
            own.first = own.more.pop_front();
            self.sources -= usize::from(own.first.is_none());
            Some(set)
        })
    }

    fn len(&self) -> usize {
        self.from.iter().map(Source::len).sum()
    }
}

/// The sets that met last and what they tell together: they meet in every core that they reach.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meeting {
    sets: Vec<Heard>,
    told: Heard,
}

impl Meeting {
    /// What sets tell together.
    fn of(&mut self, sets: Vec<Heard>) -> Heard {
        let same = |(a, b): (&Heard, &Heard)| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let known = sets.len() == self.sets.len() && sets.iter().zip(&self.sets).all(same);
        if !known {
            self.told = None;
            for set in &sets {
                crate::cross::hear(&mut self.told, set);
            }
            self.sets = sets;
        }
        self.told.clone()
    }
}

/// Index of a flag.
pub(crate) fn flag_index(src: Pipe, dst: Pipe, id: usize) -> usize {
    (src.index() * Pipe::ALL.len() + dst.index()) * FLAGS + id
}

/// The pipe that waits for a flag.
pub(crate) fn flag_waiter(flag: usize) -> Pipe {
    Pipe::ALL[flag / FLAGS % Pipe::ALL.len()]
}

/// Something for each flag, made when it is first used: most pairs of pipes use none.
#[derive(Clone, Debug)]
pub(crate) struct Flags<T> {
    pairs: Vec<Option<Box<[T; FLAGS]>>>,
}

impl<T> Default for Flags<T> {
    fn default() -> Flags<T> {
        let none = std::iter::repeat_with(|| None);
        Flags {
            pairs: none.take(Pipe::ALL.len() * Pipe::ALL.len()).collect(),
        }
    }
}

impl<T: Default> Flags<T> {
    /// What belongs to a flag.
    pub(crate) fn at(&mut self, index: usize) -> &mut T {
        let pair = self.pairs[index / FLAGS].get_or_insert_default();
        &mut pair[index % FLAGS]
    }

    /// What belongs to a flag that has been used.
    fn get(&self, index: usize) -> Option<&T> {
        let pair = self.pairs[index / FLAGS].as_ref()?;
        Some(&pair[index % FLAGS])
    }
}

impl Flags<Flag> {
    /// Whether a flag is set.
    pub(super) fn is_set(&self, index: usize) -> bool {
        self.get(index).is_some_and(|flag| flag.set.is_some())
    }
}

impl Core<'_> {
    /// The flags that are set.
    pub(crate) fn set_flags(&self) -> Vec<(Pipe, Pipe, u8)> {
        let pairs = Pipe::ALL
            .into_iter()
            .flat_map(|src| Pipe::ALL.map(|dst| (src, dst)));
        let flags = pairs.flat_map(|(src, dst)| (0..FLAGS).map(move |id| (src, dst, id)));
        let set = flags.filter(|&(src, dst, id)| self.flags.is_set(flag_index(src, dst, id)));
        set.map(|(src, dst, id)| (src, dst, id as u8)).collect()
    }

    /// What every blocked queue of this core waits for.
    pub(crate) fn waits(&mut self) -> Vec<Wait> {
        let mut waits = Vec::new();
        if let (false, Some(reason)) = (self.ended, self.blocked_on) {
            waits.push(Wait {
                core: self.id,
                pipe: Pipe::S,
                pc: self.next as u32,
                reason,
            });
        }
        for pipe in Pipe::ALL {
            let Some(pc) = self.queues[pipe.index()].front().map(|p| p.pc) else {
                continue;
            };
            if let Some(reason) = self.head_reason(pipe, pc) {
                waits.push(Wait {
                    core: self.id,
                    pipe,
                    pc,
                    reason,
                });
            }
        }
        waits
    }

    /// What the blocked head of a queue waits for, found by trying it once more.
    fn head_reason(&mut self, pipe: Pipe, pc: u32) -> Option<WaitReason> {
        let mut head = self.queues[pipe.index()].pop_front()?;
        let program = self.program;
        std::mem::swap(&mut self.context, &mut head.context);
        let outcome = self.execute(pc as usize, &program.code[pc as usize], pipe.index());
        std::mem::swap(&mut self.context, &mut head.context);
        outcome.ok().flatten()
    }

    /// The first queue that still holds work.
    pub(crate) fn undrained(&self) -> Option<Pipe> {
        Pipe::ALL
            .into_iter()
            .find(|p| !self.queues[p.index()].is_empty())
    }

    /// Checks what must hold when the program has ended.
    pub(crate) fn check_end(&self) -> Result<(), Fault> {
        if !self.launch.sanitize.flags {
            return Ok(());
        }
        let leak = |kind| Fault {
            kind,
            place: self.place(self.next.saturating_sub(1)),
        };
        for src in Pipe::ALL {
            for dst in Pipe::ALL {
                for id in 0..FLAGS {
                    let flag = self.flags.get(flag_index(src, dst, id));
                    if flag.is_some_and(|flag| flag.set.is_some()) {
                        return Err(leak(FaultKind::FlagLeaked {
                            src,
                            dst,
                            id: id as u8,
                        }));
                    }
                }
            }
        }
        if let Some(address) = self.unit.first_set() {
            return Err(leak(FaultKind::UnitFlagLeaked { address }));
        }
        for (id, &value) in self.counters.iter().enumerate() {
            let value = value + self.pending[id].len() as u32;
            if value != 0 {
                return Err(leak(FaultKind::CounterLeaked {
                    id: id as u8,
                    value,
                }));
            }
        }
        Ok(())
    }

    /// Takes a cross-core set. A counter goes up by one when every source of the mode has set it once more. False if
    /// the four bits of the counter are exceeded.
    pub(crate) fn receive(&mut self, from: usize, set: &CrossSet, meeting: &mut Meeting) -> bool {
        let counter = usize::from(set.id);
        let sources = self.quorums[usize::from(set.mode).min(2)] as usize;
        let pending = &mut self.pending[counter];
        if pending.add(from, set.heard.clone()) > 15 {
            return false;
        }
        if pending.sources() == sources {
            self.mail[counter].push_back(meeting.of(pending.take().collect()));
            self.counters[counter] += 1;
        }
        self.version += 1;
        self.counters[counter] <= 15
    }
}

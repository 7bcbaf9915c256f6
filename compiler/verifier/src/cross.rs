//! What cores tell each other: sets of cross-core counters, and what is known of another core's work.
//!
//! A counter goes up by one when every core that names it as a peer has set it once more, and a wait takes one. So the
//! nth wait follows the nth set of each source, in any order of events, and knows what they knew. Knows no memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use isa::types::CoreKind;

use crate::order::{Known, join};
use crate::refusal::{CoreName, Place, Reason};

/// Counters of a core.
pub(crate) const COUNTERS: usize = 16;
/// The most that a counter holds.
const MOST: usize = 15;
/// Waits before a period that it may ask for.
const FEW: usize = 4;

/// What is known of other cores' work, by the number of the core; none where nothing is.
pub(crate) type Heard = Option<Arc<Vec<Known>>>;

/// What is known of one core.
pub(crate) fn heard_of(heard: &Heard, core: u32) -> Option<&Known> {
    heard.as_ref()?.get(core as usize)
}

/// Knowledge of one core alone.
pub(crate) fn alone(core: u32, known: Known) -> Heard {
    let mut all = vec![Known::default(); core as usize + 1];
    all[core as usize] = known;
    Some(Arc::new(all))
}

/// Adds what another state knows. States that come to know the same share it.
pub(crate) fn hear(mine: &mut Heard, theirs: &Heard) {
    let Some(other) = theirs else {
        return;
    };
    match mine {
        None => *mine = Some(Arc::clone(other)),
        Some(known) if Arc::ptr_eq(known, other) || covers(known, other) => {}
        Some(known) if covers(other, known) => *known = Arc::clone(other),
        Some(known) => {
            let known = Arc::make_mut(known);
            if known.len() < other.len() {
                known.resize(other.len(), Known::default());
            }
            for (mine, theirs) in known.iter_mut().zip(other.iter()) {
                join(mine, theirs);
            }
        }
    }
}

/// Whether two states are one, so that neither tells the other anything.
pub(crate) fn is_same(one: &Heard, other: &Heard) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Whether one state knows all that another does.
fn covers(all: &[Known], some: &[Known]) -> bool {
    // Without a way out inside: this is compared at once.
    let less =
        |(a, b): (&Known, &Known)| a.iter().zip(b).fold(false, |less, (a, b)| less | (a < b));
    all.len() >= some.len() && !all.iter().zip(some).any(less)
}

/// A set on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) mode: u8,
    pub(crate) id: usize,
    pub(crate) told: Heard,
    /// The instruction that set it.
    pub(crate) by: Place,
}

/// The sets that met last and what they tell together: they meet in every core that they reach.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    sets: Vec<Heard>,
    told: Heard,
}

impl Meeting {
    /// What sets tell together.
    fn of(&mut self, sets: Vec<Heard>) -> Heard {
        let same = |(a, b): (&Heard, &Heard)| is_same(a, b);
        let known = sets.len() == self.sets.len() && sets.iter().zip(&self.sets).all(same);
        if !known {
            self.told = None;
            for set in &sets {
                hear(&mut self.told, set);
            }
            self.sets = sets;
        }
        self.told.clone()
    }
}

/// One counter of a core.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    /// What each step up tells.
    mail: VecDeque<Heard>,
    /// Sets that wait for those of other sources, and how many more there were than waits, by source.
    sets: BTreeMap<u32, (VecDeque<Heard>, usize)>,
    /// Sources of which a set waits.
    ready: usize,
    /// The mode that all sets have.
    mode: Option<u8>,
    /// The lane that waits, and the counts of its last [`MOST`] waits.
    waits: Option<(usize, VecDeque<u32>)>,
    /// How many of them a period that is watched regards, and whether some set of it needs one before those.
    regarded: usize,
    pub(crate) early: bool,
    /// What cannot be proved, unless something worse comes to light.
    pub(crate) doubt: Option<Reason>,
    /// The last set.
    pub(crate) by: Option<Place>,
}

impl Counter {
    /// Takes one, if there is one: what it tells.
    pub(crate) fn take(&mut self, lane: usize, count: u32) -> Result<Option<Heard>, Reason> {
        let waits = self.waits.get_or_insert((lane, VecDeque::new()));
        if waits.0 != lane {
            self.doubt = Some(Reason::Unknown("a counter that two pipes wait for"));
        }
        let told = self.mail.pop_front();
        if told.is_some() {
            if waits.1.len() == MOST {
                waits.1.pop_front();
            }
            waits.1.push_back(count);
            self.regarded = MOST.min(self.regarded + 1);
            for (_, ahead) in self.sets.values_mut() {
                *ahead = ahead.saturating_sub(1);
            }
        }
        Ok(told)
    }

    /// Takes a set from a source, of which there are so many in all.
    ///
    /// The counter holds four bits in every order of events if each source knows, when it sets, that all waits but the
    /// last fifteen of those it has fed are over.
    pub(crate) fn receive(
        &mut self,
        owner: u32,
        from: u32,
        sources: usize,
        sent: &Sent,
        meeting: &mut Meeting,
    ) -> Result<(), Reason> {
        if *self.mode.get_or_insert(sent.mode) != sent.mode {
            self.doubt = Some(Reason::Unknown("a counter that is set in two modes"));
        }
        self.by = Some(sent.by);
        let (pending, ahead) = self.sets.entry(from).or_default();
        *ahead += 1;
        if *ahead > MOST {
            return Err(Reason::CounterOverflow(sent.id as u8));
        }
        // The wait that has to be over is that many back from the last.
        let back = MOST + 1 - *ahead;
        let over = |lane: usize, wait: u32| {
            heard_of(&sent.told, owner).is_some_and(|counts| counts[lane] >= wait)
        };
        let (lane, waits) = match &self.waits {
            Some((lane, waits)) => (*lane, waits.len()),
            None => (0, 0),
        };
        let at = |place: usize| self.waits.as_ref().and_then(|(_, all)| all.get(place));
        match waits.checked_sub(back) {
            Some(place) if !at(place).is_some_and(|&wait| over(lane, wait)) => {
                return Err(Reason::CounterOverflow(sent.id as u8));
            }
            Some(_) | None => {}
        }
        if back > self.regarded {
            let first = waits.checked_sub(self.regarded).and_then(at);
            self.early |= !first.is_some_and(|&wait| over(lane, wait));
        }
        pending.push_back(sent.told.clone());
        self.ready += usize::from(pending.len() == 1);
        if self.ready >= sources {
            let mut met = Vec::with_capacity(sources);
            for (sets, _) in self.sets.values_mut() {
                if let Some(set) = sets.pop_front() {
                    met.push(set);
                    self.ready -= usize::from(sets.is_empty());
                }
            }
            self.mail.push_back(meeting.of(met));
        }
        Ok(())
    }

    /// All of it that is no count and no knowledge, as numbers.
    pub(crate) fn describe(&self, into: &mut Vec<u64>) {
        let mode = self.mode.map_or(u64::MAX, u64::from);
        let lane = self.waits.as_ref().map_or(u64::MAX, |waits| waits.0 as u64);
        let numbers = [self.mail.len() as u64, self.ready as u64, mode, lane];
        into.extend(numbers);
        into.push(u64::from(self.doubt.is_some()));
        for (&from, (sets, ahead)) in &self.sets {
            into.extend([u64::from(from), sets.len() as u64, *ahead as u64]);
        }
        into.push(u64::MAX);
    }

    /// Begins to regard a few of the last waits.
    ///
    /// Of a set it has to be known that all waits but the last fifteen are over, which asks for a wait that may lie far
    /// before a period, or for none if there were no fifteen yet. If each set of the period knows of a later wait, one of
    /// the last few before the period or one in it, each set of further periods does, and so of the one asked for.
    ///
    /// A period `inside` of another one that is being followed does not forget what spoke against that one.
    pub(crate) fn regard(&mut self, inside: bool) {
        let waits = self.waits.as_ref().map_or(0, |(_, waits)| waits.len());
        self.regarded = waits.min(FEW);
        self.early &= inside;
    }

    /// The lane that waits, and its last waits, at most as many as are regarded at the start.
    pub(crate) fn last_waits(&self) -> (usize, Vec<u32>) {
        match &self.waits {
            Some((lane, waits)) => {
                let first = waits.len().saturating_sub(FEW);
                (*lane, waits.range(first..).copied().collect())
            }
            None => (0, Vec::new()),
        }
    }

    /// Moves the last waits, as many as are known to go on evenly, to some periods later. Those before them came before
    /// the first of these, so it stands for them.
    pub(crate) fn shift_waits(&mut self, evenly: usize, later: impl Fn(usize, u32) -> u32) {
        let Some((lane, waits)) = &mut self.waits else {
            return;
        };
        if waits.back().is_none_or(|&last| later(*lane, last) == last) {
            return;
        }
        let more = waits.len().saturating_sub(evenly);
        waits.drain(..more);
        waits
            .iter_mut()
            .for_each(|wait| *wait = later(*lane, *wait));
        if let Some(&first) = waits.front() {
            while waits.len() < MOST {
                waits.push_front(first);
            }
        }
    }

    /// Visits what steps and sets tell, in one order.
    pub(crate) fn each_heard(&self, visit: &mut impl FnMut(&Heard)) {
        self.mail.iter().for_each(&mut *visit);
        for (sets, _) in self.sets.values() {
            sets.iter().for_each(&mut *visit);
        }
    }

    /// Changes what steps and sets tell.
    pub(crate) fn each_heard_mut(&mut self, change: &mut impl FnMut(&mut Heard)) {
        self.mail.iter_mut().for_each(&mut *change);
        for (sets, _) in self.sets.values_mut() {
            sets.iter_mut().for_each(&mut *change);
        }
    }

    /// Whether it is as at launch.
    pub(crate) fn is_clear(&self) -> bool {
        self.mail.is_empty() && self.sets.values().all(|(sets, _)| sets.is_empty())
    }
}

/// Whether a set of a core goes to another.
pub(crate) fn reaches(sender: CoreName, mode: u8, receiver: CoreName) -> bool {
    let group = sender.group == receiver.group;
    match mode {
        0 => sender.kind() == receiver.kind(),
        1 => group && sender.kind() == CoreKind::Vector && receiver.kind() == CoreKind::Vector,
        _ => group && sender.kind() != receiver.kind(),
    }
}

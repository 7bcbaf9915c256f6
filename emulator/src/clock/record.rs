//! When each event of a core happened, kept for profiles: the clock writes it, and never reads it.

/// What a copy waited for beyond its own time.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// The core's own port, which copies in and out share.
    Port,
    /// L2's reads, those of lines that several cores read at once counted more.
    L2Reads,
    /// L2's reads and writes together.
    L2,
    /// Global memory behind L2.
    Hbm,
    /// The way of all cores' fixpipes to L2.
    FixShared,
}

impl Resource {
    /// Every resource, in the order of reports.
    pub const ALL: [Resource; 5] = [
        Resource::Port,
        Resource::L2Reads,
        Resource::L2,
        Resource::Hbm,
        Resource::FixShared,
    ];

    /// Its word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Resource::Port => "port",
            Resource::L2Reads => "l2 reads",
            Resource::L2 => "l2",
            Resource::Hbm => "hbm",
            Resource::FixShared => "fixpipes",
        }
    }
}

/// Ticks by resource.
pub(crate) type Waits = [u64; Resource::ALL.len()];

/// When an event happened, in cycles.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Times {
    /// When its pipe's queue got it; the scalar unit's time after an event of its own.
    pub(crate) dispatched: u64,
    /// When its work began; for what only orders, when what is behind it may go on.
    pub(crate) begin: u64,
    /// When its work ended.
    pub(crate) end: u64,
    /// When all results of its pipe so far were visible; for a set, when it was seen.
    pub(crate) done: u64,
    /// What it waited for most.
    pub(crate) waited: Option<Resource>,
}

/// The times of a core's events, by their number; empty unless somebody wants them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) times: Vec<Times>,
}

impl Record {
    /// A record for so many events.
    pub(crate) fn new(events: usize, wanted: bool) -> Record {
        Record {
            times: vec![Times::default(); if wanted { events } else { 0 }],
        }
    }

    /// What is known of an event, to be filled in; none if nobody wants it.
    #[inline]
    pub(crate) fn at(&mut self, event: usize) -> Option<&mut Times> {
        self.times.get_mut(event)
    }

    /// Whether anybody wants it.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        !self.times.is_empty()
    }
}

/// The resource with the longest wait; none if nothing was waited for.
pub(crate) fn longest(waits: &Waits) -> Option<Resource> {
    let all = Resource::ALL.into_iter().zip(waits);
    let longer = |best: (Option<Resource>, u64), (resource, &ticks)| match ticks > best.1 {
        true => (Some(resource), ticks),
        false => best,
    };
    all.fold((None, 0), longer).0
}

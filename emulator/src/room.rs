//! Where the memories of a core live: fresh ones, or those of a core that has ended.
//!
//! A launch has more cores than the host has threads, and each fills the same buffers. Handing them on keeps them in the
//! host's caches and spares it from mapping new ones. What a core gets is as good as fresh: what its predecessor wrote is
//! zero again and without values. Knows no instructions.

use std::sync::Mutex;

use isa::inst;
use isa::types::{CoreKind, Space};

use crate::core::{Core, Spare};
use crate::hazard::Track;
use crate::l0::Packed;
use crate::memory::Local;
use crate::price::Prices;
use crate::stream::Lists;

/// The memories of one core, and what is kept beside them.
#[derive(Debug)]
pub(crate) struct Room {
    memories: [Local; 8],
    tracks: Vec<Track>,
    l0a: Packed,
    l0b: Packed,
    scratch: Vec<u8>,
    prices: Prices,
    lists: Option<Lists>,
    spare: Spare,
}

impl Room {
    /// A room for a core of that kind; `size` gives the bytes of a memory, `watched` says whether anybody asks which of
    /// them hold values.
    fn new(kind: CoreKind, watched: bool, size: impl Fn(Space) -> usize) -> Room {
        let size = |space: Space| match inst::has_space(kind, space) && space != Space::Gm {
            true => size(space),
            false => 0,
        };
        Room {
            memories: Space::ALL.map(|space| Local::new(space, size(space), watched)),
            tracks: Space::ALL.map(|space| Track::new(size(space))).into(),
            l0a: Packed::new(size(Space::L0a)),
            l0b: Packed::new(size(Space::L0b)),
            scratch: Vec::new(),
            prices: Prices::default(),
            lists: None,
            spare: Spare::new(),
        }
    }

    /// Forgets what the last core did.
    fn clear(&mut self) {
        self.memories.iter_mut().for_each(Local::clear);
        self.tracks.iter_mut().for_each(Track::clear);
        self.l0a.clear();
        self.l0b.clear();
    }
}

/// Rooms that nobody uses, for each kind of core.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    cube: Mutex<Vec<Room>>,
    vector: Mutex<Vec<Room>>,
}

impl Rooms {
    fn of(&self, kind: CoreKind) -> std::sync::MutexGuard<'_, Vec<Room>> {
        let rooms = match kind {
            CoreKind::Cube => &self.cube,
            CoreKind::Vector => &self.vector,
        };
        // A thread that panicked while it held the list has not left it half changed.
        rooms
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Gives a core a room, if it has none.
    pub(crate) fn open(&self, core: &mut Core<'_>) {
        if core.has_room {
            return;
        }
        let free = self.of(core.kind()).pop();
        core.furnish(free);
    }

    /// Takes the room of a core that has ended. How much of each memory it used stays known.
    pub(crate) fn close(&self, core: &mut Core<'_>) {
        let mut room = core.vacate();
        room.clear();
        self.of(core.kind()).push(room);
    }
}

impl Core<'_> {
    /// Moves into a room: that one, or a fresh one.
    pub(crate) fn furnish(&mut self, room: Option<Room>) {
        let chip = self.launch.chip;
        let size = |space| chip.space_bytes(space) as usize;
        let room =
            room.unwrap_or_else(|| Room::new(self.kind(), self.launch.sanitize.uninit, size));
        self.memories = room.memories;
        self.tracks = room.tracks;
        self.l0a = room.l0a;
        self.l0b = room.l0b;
        self.scratch = room.scratch;
        self.stream.prices = room.prices;
        if let Some(lists) = room.lists {
            self.stream.begin_with(lists);
        }
        self.spare = room.spare;
        self.has_room = true;
    }

    /// Whether a core that will go on has not used its room yet, so that any other one serves as well. Reads leave a
    /// trace where they are looked at.
    pub(crate) fn left_no_trace(&self) -> bool {
        let untouched = self.memories.iter().all(|memory| memory.peak == 0);
        untouched && !self.ended && !self.launch.sanitize.hazards
    }

    /// Moves out.
    fn vacate(&mut self) -> Room {
        let none = |memory: &Local| Local {
            peak: memory.peak,
            ..Local::new(memory.space, 0, false)
        };
        let none = self.memories.each_ref().map(none);
        self.has_room = false;
        Room {
            memories: std::mem::replace(&mut self.memories, none),
            tracks: std::mem::take(&mut self.tracks),
            l0a: std::mem::replace(&mut self.l0a, Packed::new(0)),
            l0b: std::mem::replace(&mut self.l0b, Packed::new(0)),
            scratch: std::mem::take(&mut self.scratch),
            prices: std::mem::take(&mut self.stream.prices),
            lists: match self.ended && self.timed {
                true => self.stream.hand_on(),
                false => None,
            },
            spare: std::mem::take(&mut self.spare),
        }
    }
}

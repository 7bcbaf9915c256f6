//! One core: its registers, memories and queues, and what a launch gives it.
//!
//! Start reading in `core/issue.rs`, which runs the program. What instructions do is in `exec`; when they do it is in
//! `clock`, which reads the stream of events written here.

mod context;
mod issue;
mod late;
mod origin;
mod seen;
mod waits;

use std::collections::VecDeque;

use isa::chip::Chip;
use isa::cost::Cost;
use isa::effects::ScalarAccess;
use isa::inst::{Executor, Inst, Spr, XVal};
use isa::types::{CoreKind, Pipe, Space};

use crate::cached::Cached;
use crate::cross::{Heard, Logged};
use crate::exec::VectorState;
use crate::fault::{CoreId, Stop, WaitReason};
use crate::gm::Global;
use crate::gm_hazard::Pages;
use crate::hazard::{LANES, Order, Track};
use crate::l0::Packed;
use crate::memory::Local;
use crate::options::{Pulse, Sanitize};
use crate::price::{self, Named};
use crate::report::Path;
use crate::schedule::Schedule;
use crate::stream::{self, Kind, Stream};
use crate::unit::UnitFlags;

pub(crate) use self::context::{Context, LoopFrame};
pub(crate) use self::issue::call;
pub use self::origin::Origin;
pub(crate) use self::seen::Seen;
pub(crate) use self::waits::{
    CrossSet, FLAG_COUNT, Flag, Flags, Meeting, Waiting, flag_index, flag_waiter,
};

use self::context::initial_context;
use self::issue::Pending;
use self::late::Late;

/// Why an executor method stops.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It cannot go on yet.
    Wait(WaitReason),
    /// It cannot go on at all.
    Fault(Stop),
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Halt {
        Halt::Fault(stop)
    }
}

/// Room for registers: boxes that go to the queues and back, and are not copied.
pub(crate) type Spare = Vec<Box<Context>>;

/// The decoded program of one kind of core.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) code: Vec<Inst>,
    /// Queue of each instruction.
    pub(crate) queues: Vec<Pipe>,
    /// What the price of each instruction depends on, if it is remembered.
    pub(crate) named: Vec<Named>,
    /// The cost of each instruction that no register decides.
    pub(crate) fixed: Vec<Option<Cost>>,
    /// The kind of event of each instruction that no register decides.
    pub(crate) kinds: Vec<Option<Kind>>,
    /// Whether such an instruction is the scalar unit's and nothing but a pause in the stream.
    pauses: Vec<bool>,
    /// Whether it may store atomically.
    pub(crate) atomic: bool,
    /// Whether it may tell other groups of cores to go on.
    pub(crate) joins_groups: bool,
}

impl Program {
    pub(crate) fn new(code: Vec<Inst>, chip: &Chip) -> Program {
        let queues = code.iter().map(Inst::queue).collect();
        let fixed: Vec<_> = code.iter().map(|inst| price::fixed(inst, chip)).collect();
        let costs = code.iter().zip(&fixed).zip(0..);
        let kinds = costs.map(|((inst, cost), pc)| Kind::fixed(inst, cost.as_ref(), pc));
        let kinds = kinds.collect();
        let pauses = code.iter().map(is_pause).collect();
        let named = code.iter().map(price::named).collect();
        let atomic = code.iter().any(sets_atomic);
        let joins = |inst: &Inst| matches!(inst, Inst::Xset(i) if i.mode.0 == 0);
        Program {
            atomic,
            joins_groups: code.iter().any(joins),
            code,
            queues,
            named,
            fixed,
            kinds,
            pauses,
        }
    }

    /// Cycles of an instruction that only keeps the scalar unit busy, where no register decides them.
    #[inline]
    pub(crate) fn cycles(&self, at: usize) -> Option<u32> {
        match self.pauses[at] {
            true => self.fixed[at].map(|cost| cost.occ),
            false => None,
        }
    }
}

/// Whether an instruction keeps the scalar unit busy and does nothing else that takes time.
fn is_pause(inst: &Inst) -> bool {
    let other =
        matches!(inst, Inst::Dcci(_) | Inst::DcciLine(_)) || ScalarAccess::of(inst).is_some();
    inst.queue() == Pipe::S && inst.pipe() == Pipe::S && !other && !stream::is_sign(inst)
}

/// Whether an instruction may turn an atomic mode on.
fn sets_atomic(inst: &Inst) -> bool {
    matches!(inst, Inst::Wrspr(i) if i.spr == Spr::Atomic && i.src != XVal::Imm(0))
}

/// What every core of a launch shares and none changes.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) gm: &'a Global<'a>,
    pub(crate) chip: &'a Chip,
    pub(crate) sanitize: Sanitize,
    pub(crate) max_steps: u64,
    pub(crate) pulse: Option<Pulse>,
    pub(crate) groups: u32,
    /// Whether more than one core runs.
    pub(crate) many: bool,
    pub(crate) para_base: u64,
    pub(crate) schedule: Schedule,
}

/// Whether a core has more to do.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits for other cores.
    Blocked,
    /// Its program has ended and its queues are empty.
    Ended,
}

/// One core.
#[derive(Clone, Debug)]
pub(crate) struct Core<'a> {
    pub(crate) id: CoreId,
    pub(crate) launch: Launch<'a>,
    pub(crate) program: &'a Program,
    pub(crate) context: Box<Context>,
    /// Whether it has memories; see [`Core::furnish`]. Without values it needs none.
    pub(crate) has_room: bool,
    pub(crate) memories: [Local; 8],
    pub(crate) tracks: Vec<Track>,
    pub(crate) pages: Pages,
    /// What the data cache may hold, if somebody looks for what it hides.
    pub(crate) cached: Cached,
    pub(crate) vector: VectorState,
    pub(crate) l0a: Packed,
    pub(crate) l0b: Packed,
    pub(crate) unit: UnitFlags,
    pub(crate) order: Order,
    pub(crate) flags: Flags<Flag>,
    pub(crate) counters: [u32; 16],
    /// Instructions given to queues so far; each is recorded.
    pub(crate) recorded: u64,
    /// Position among the cores of the launch.
    pub(crate) number: usize,
    /// What each lane knows of other cores.
    pub(crate) heard: [Heard; LANES],
    /// Accesses since the last round that another core might meet.
    pub(crate) log: Vec<Logged>,
    /// What the sets behind each step of a counter tell.
    pub(crate) mail: [VecDeque<Heard>; 16],
    /// Sets of each counter that wait for those of the other sources.
    pub(crate) pending: [Waiting<Heard>; 16],
    /// Cross-core sets since the last round.
    pub(crate) outbox: Vec<CrossSet>,
    pub(crate) loops: Vec<LoopFrame>,
    pub(crate) calls: Vec<usize>,
    pub(crate) stream: Stream<'a>,
    /// Whether its stream is written, which times are computed from.
    pub(crate) timed: bool,
    pub(crate) scratch: Vec<u8>,
    /// How many sets a wait of each mode takes.
    pub(crate) quorums: [u32; 3],
    /// Bytes moved each way.
    pub(crate) moved: [u64; Path::ALL.len()],
    /// Where the scalar unit goes next.
    pub(crate) next: usize,
    pub(crate) ended: bool,
    /// Lane and number of the instruction that runs now.
    pub(crate) lane: usize,
    pub(crate) pc: u32,
    queues: [VecDeque<Pending>; 7],
    /// Room for the registers of waiting instructions.
    pub(crate) spare: Spare,
    waiting: usize,
    pub(crate) wake: bool,
    blocked_on: Option<WaitReason>,
    pub(crate) steps: u64,
    /// Instructions that each queue has got, and those it has done.
    pub(crate) executed: [u64; 7],
    pub(crate) done: [u64; 7],
    pub(crate) mads: u64,
    /// Counts what changes the core, so that unchanged copies are known.
    pub(crate) version: u64,
    /// Whether the last round did anything.
    pub(crate) progressed: bool,
    queue_depth: usize,
    /// What an adversarial run keeps back.
    pub(crate) late: Option<Box<Late>>,
    /// Whether an instruction is executed and nothing else.
    plain: bool,
    /// Whether nobody asks what is ordered before what, so that knowledge of it is not passed on.
    pub(crate) unordered: bool,
    /// What was accessed since somebody last looked, if anybody looks.
    pub(crate) seen_accesses: Option<Vec<Seen>>,
    /// The first results that are no finite numbers, one of each sort.
    pub(crate) origins: Vec<Origin>,
}

impl Executor for Core<'_> {
    type Stop = Halt;
}

impl<'a> Core<'a> {
    /// A core at the start of its program, without memories.
    pub(crate) fn new(
        number: usize,
        id: CoreId,
        program: &'a Program,
        launch: Launch<'a>,
    ) -> Core<'a> {
        Core {
            id,
            launch,
            program,
            context: Box::new(initial_context(id, &launch)),
            has_room: false,
            vector: VectorState::default(),
            l0a: Packed::new(0),
            l0b: Packed::new(0),
            unit: UnitFlags::new(match id.kind() {
                CoreKind::Cube => launch.chip.space_bytes(Space::L0c) as usize,
                CoreKind::Vector => 0,
            }),
            memories: Space::ALL.map(|space| Local::new(space, 0, false)),
            tracks: Vec::new(),
            pages: Pages::default(),
            cached: Cached::default(),
            order: Order::new(launch.sanitize.hazards),
            flags: Flags::default(),
            counters: [0; 16],
            recorded: 0,
            number,
            heard: Default::default(),
            log: Vec::new(),
            mail: Default::default(),
            pending: Default::default(),
            outbox: Vec::new(),
            loops: Vec::new(),
            calls: Vec::new(),
            stream: Stream::new(launch.chip, quorums(id.kind(), &launch), program),
            timed: true,
            quorums: quorums(id.kind(), &launch),
            moved: [0; Path::ALL.len()],
            scratch: Vec::new(),
            next: 0,
            ended: false,
            lane: 0,
            pc: 0,
            queues: Default::default(),
            spare: Spare::new(),
            waiting: 0,
            wake: false,
            blocked_on: None,
            steps: 0,
            executed: [0; 7],
            done: [0; 7],
            mads: 0,
            version: 0,
            progressed: false,
            queue_depth: launch.chip.sync.queue_depth as usize,
            plain: launch.schedule == Schedule::InOrder && !launch.sanitize.origins(),
            unordered: launch.schedule == Schedule::InOrder
                && !launch.sanitize.hazards
                && !launch.sanitize.flags,
            seen_accesses: None,
            origins: Vec::new(),
            late: match launch.schedule {
                Schedule::InOrder => None,
                Schedule::Adversarial(seed) => {
                    Some(Box::new(Late::new(seed.wrapping_add(number as u64))))
                }
            },
        }
    }

    pub(crate) fn kind(&self) -> CoreKind {
        self.id.kind()
    }

    /// Whether somebody looks at every access of a program.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.launch.sanitize.uninit || self.launch.sanitize.hazards
    }

    /// A memory of this core.
    #[inline]
    pub(crate) fn memory(&mut self, space: Space) -> &mut Local {
        &mut self.memories[space as usize]
    }

    /// Two memories of this core at once.
    #[inline]
    pub(crate) fn two(&mut self, a: Space, b: Space) -> (&mut Local, &mut Local) {
        let [a, b] = self
            .memories
            .get_disjoint_mut([a as usize, b as usize])
            .expect("callers name two spaces");
        (a, b)
    }
}

/// The peers that a set of each mode names as sources.
fn quorums(kind: CoreKind, launch: &Launch<'_>) -> [u32; 3] {
    let pair = launch.chip.cores.vectors_per_cube as u32;
    match kind {
        CoreKind::Cube => [launch.groups, pair, pair],
        CoreKind::Vector => [launch.groups * pair, pair, 1],
    }
}

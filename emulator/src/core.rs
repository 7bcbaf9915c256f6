//! One core: its registers, memories and queues, and the loop that runs its program in queue order.
//!
//! The scalar unit executes in program order and hands the other instructions to their queues. An instruction runs at
//! once when its queue is empty and its flag is set; otherwise it waits there with the registers of its dispatch, and
//! every flag that is set wakes the queues. A program without unordered conflicts cannot tell this from any other order
//! that the machine might choose. What instructions do is in `exec`; when they do it is in `clock`, which reads the
//! stream of events written here.

use std::collections::{BTreeMap, VecDeque};

use isa::chip::Chip;
use isa::inst::{self, AllUnits, Executor, Inst, Lanes, Reg, Regs, Spr};
use isa::types::{CoreKind, Pipe, Space};

use crate::cross::{Heard, Logged, hear};
use crate::fault::{CoreId, Fault, FaultKind, Place, Stop, Wait, WaitReason};
use crate::gm::Global;
use crate::gm_hazard::Pages;
use crate::hazard::{Known, LANES, Order, STORES, Track};
use crate::l0::Packed;
use crate::memory::Local;
use crate::options::Sanitize;
use crate::report::Path;
use crate::stream::Stream;

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

/// The decoded program of one kind of core.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) code: Vec<Inst>,
    /// Queue of each instruction.
    pub(crate) queues: Vec<Pipe>,
}

impl Program {
    pub(crate) fn new(code: Vec<Inst>) -> Program {
        let queues = code.iter().map(Inst::queue).collect();
        Program { code, queues }
    }
}

/// The registers that operands are read from.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) x: [u64; 32],
    pub(crate) spr: [u64; Spr::COUNT],
    pub(crate) lanes: Lanes,
}

impl Regs for Context {
    #[inline]
    fn reg(&self, reg: Reg) -> u64 {
        self.x[reg.index()]
    }

    #[inline]
    fn spr(&self, spr: Spr) -> u64 {
        self.spr[spr.index()]
    }

    #[inline]
    fn lanes(&self) -> Lanes {
        self.lanes
    }
}

/// An instruction that waits in its queue.
#[derive(Debug)]
struct Pending {
    pc: u32,
    context: Box<Context>,
    /// What the scalar unit knew when it dispatched.
    known: Known,
    heard: Heard,
    /// Instructions that each queue had got before.
    seen: [u64; 7],
}

/// A hardware loop in progress.
#[derive(Copy, Clone, Debug)]
pub(crate) struct LoopFrame {
    pub(crate) body: usize,
    pub(crate) end: usize,
    pub(crate) left: i64,
}

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

/// One in so many of a core's steps may be a queued instruction when it reaches its limit: with the default limit, 50 MB
/// of events a core.
const RECORDED_SHARE: u64 = 64;

/// What every core of a launch shares and none changes.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) gm: &'a Global<'a>,
    pub(crate) chip: &'a Chip,
    pub(crate) sanitize: Sanitize,
    pub(crate) max_steps: u64,
    pub(crate) groups: u32,
    /// Whether more than one core runs.
    pub(crate) many: bool,
    pub(crate) para_base: u64,
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
#[derive(Debug)]
pub(crate) struct Core<'a> {
    pub(crate) id: CoreId,
    pub(crate) launch: Launch<'a>,
    pub(crate) program: &'a Program,
    pub(crate) context: Context,
    pub(crate) memories: [Local; 8],
    pub(crate) tracks: Vec<Track>,
    pub(crate) pages: Pages,
    pub(crate) l0a: Packed,
    pub(crate) l0b: Packed,
    pub(crate) order: Order,
    pub(crate) flags: Vec<Flag>,
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
    /// Sets of each counter that wait for those of the other sources, by sender.
    pub(crate) pending: [BTreeMap<usize, VecDeque<Heard>>; 16],
    /// Cross-core sets since the last round.
    pub(crate) outbox: Vec<CrossSet>,
    pub(crate) loops: Vec<LoopFrame>,
    pub(crate) calls: Vec<usize>,
    pub(crate) stream: Stream,
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
    waiting: usize,
    pub(crate) wake: bool,
    blocked_on: Option<WaitReason>,
    pub(crate) steps: u64,
    /// Instructions that each queue has got, and those it has done.
    pub(crate) executed: [u64; 7],
    pub(crate) done: [u64; 7],
    /// What the queues had got when the instruction that runs now was dispatched.
    pub(crate) seen: [u64; 7],
    pub(crate) mads: u64,
    /// Whether the last round did anything.
    pub(crate) progressed: bool,
    queue_depth: usize,
}

impl Executor for Core<'_> {
    type Stop = Halt;
}

/// A cross-core set on its way.
#[derive(Clone, Debug)]
pub(crate) struct CrossSet {
    pub(crate) mode: u8,
    pub(crate) id: u8,
    pub(crate) heard: Heard,
}

/// Index of a flag.
pub(crate) fn flag_index(src: Pipe, dst: Pipe, id: usize) -> usize {
    (src.index() * 7 + dst.index()) * 8 + id
}

impl<'a> Core<'a> {
    pub(crate) fn new(
        number: usize,
        id: CoreId,
        program: &'a Program,
        launch: Launch<'a>,
    ) -> Core<'a> {
        let kind = id.kind();
        let size = |space: Space| match inst::has_space(kind, space) && space != Space::Gm {
            true => launch.chip.space_bytes(space) as usize,
            false => 0,
        };
        let memories = Space::ALL.map(|space| Local::new(space, size(space)));
        let tracks = Space::ALL.map(|space| Track::new(size(space)));
        Core {
            id,
            launch,
            program,
            context: initial_context(id, &launch),
            l0a: Packed::new(size(Space::L0a)),
            l0b: Packed::new(size(Space::L0b)),
            memories,
            tracks: tracks.into(),
            pages: Pages::default(),
            order: Order::new(),
            flags: vec![Flag::default(); 7 * 7 * 8],
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
            stream: Stream::new(launch.chip, quorums(id.kind(), &launch)),
            quorums: quorums(id.kind(), &launch),
            moved: [0; Path::ALL.len()],
            scratch: Vec::new(),
            next: 0,
            ended: false,
            lane: 0,
            pc: 0,
            queues: Default::default(),
            waiting: 0,
            wake: false,
            blocked_on: None,
            steps: 0,
            executed: [0; 7],
            done: [0; 7],
            seen: [0; 7],
            mads: 0,
            progressed: false,
            queue_depth: launch.chip.sync.queue_depth as usize,
        }
    }

    pub(crate) fn kind(&self) -> CoreKind {
        self.id.kind()
    }

    /// Runs until the program ends or waits for another core.
    pub(crate) fn run(&mut self) -> Result<State, Fault> {
        self.progressed = false;
        self.drain()?;
        while !self.ended {
            if !self.step()? {
                return Ok(State::Blocked);
            }
        }
        self.drain()?;
        Ok(match self.waiting {
            0 => State::Ended,
            _ => State::Blocked,
        })
    }

    /// Stops a core that gives more instructions to its queues than are recorded for their time.
    fn check_record(&self, at: usize) -> Result<(), Fault> {
        let limit = self.launch.max_steps.div_ceil(RECORDED_SHARE);
        if self.recorded < limit {
            return Ok(());
        }
        Err(self.fault_at(
            at,
            FaultKind::QueueLimit {
                instructions: limit,
            },
        ))
    }

    /// Takes the scalar unit one instruction further; false if it cannot.
    fn step(&mut self) -> Result<bool, Fault> {
        let at = self.next;
        let program = self.program;
        let Some(inst) = program.code.get(at) else {
            return Err(self.fault_at(
                at,
                FaultKind::BadControlFlow {
                    what: "the program runs past its last instruction",
                },
            ));
        };
        if self.steps >= self.launch.max_steps {
            let steps = self.launch.max_steps;
            return Err(self.fault_at(at, FaultKind::StepLimit { steps }));
        }
        let queue = program.queues[at];
        let went_on = match queue {
            Pipe::S => self.scalar(at, inst)?,
            pipe @ (Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix) => {
                self.check_record(at)?;
                let went_on = self.dispatch(at, inst, pipe)?;
                self.recorded += u64::from(went_on);
                went_on
            }
        };
        if went_on {
            self.steps += 1;
            self.executed[queue.index()] += 1;
            self.progressed = true;
            self.blocked_on = None;
            if self.wake {
                self.drain()?;
            }
        }
        Ok(went_on)
    }

    /// Executes an instruction of the scalar unit itself.
    fn scalar(&mut self, at: usize, inst: &Inst) -> Result<bool, Fault> {
        self.next = at + 1;
        // The event has the operands of before, and belongs before those of the instructions behind.
        let event = self.stream.prepare(inst, &self.context);
        match self.execute(at, inst, Pipe::S.index())? {
            None => {
                self.stream.commit(event, at as u32);
                Ok(true)
            }
            Some(reason) => {
                self.next = at;
                self.blocked_on = Some(reason);
                Ok(false)
            }
        }
    }

    /// Hands an instruction to its queue, where it runs at once if nothing holds it.
    fn dispatch(&mut self, at: usize, inst: &Inst, pipe: Pipe) -> Result<bool, Fault> {
        let lane = pipe.index();
        if self.queues[lane].len() >= self.queue_depth {
            self.blocked_on = Some(WaitReason::Full { pipe });
            return Ok(false);
        }
        let event = self.stream.prepare(inst, &self.context);
        self.stream.commit(event, at as u32);
        self.next = at + 1;
        let known = self.dispatch_knowledge();
        self.seen = self.executed;
        if self.queues[lane].is_empty() {
            self.order.learn(lane, &known);
            self.hear_scalar(lane);
            if self.execute(at, inst, lane)?.is_none() {
                return Ok(true);
            }
        }
        let pending = Pending {
            pc: at as u32,
            context: Box::new(self.context.clone()),
            known,
            heard: self.heard[Pipe::S.index()].clone(),
            seen: self.executed,
        };
        self.queues[lane].push_back(pending);
        self.waiting += 1;
        Ok(true)
    }

    /// Tells a lane what the scalar unit has heard of other cores.
    pub(crate) fn hear_scalar(&mut self, lane: usize) {
        if self.heard[Pipe::S.index()].is_some() {
            let heard = self.heard[Pipe::S.index()].clone();
            hear(&mut self.heard[lane], &heard);
        }
    }

    /// What a queue may rely on when it gets an instruction: all that the scalar unit knows, and its own reads.
    fn dispatch_knowledge(&self) -> Known {
        let scalar = Pipe::S.index();
        let mut known = self.order.known[scalar];
        known[scalar] = self.order.issued[scalar];
        known[STORES] = self.order.stores_done;
        known
    }

    /// Runs queued instructions until every queue is empty or blocked.
    fn drain(&mut self) -> Result<(), Fault> {
        self.wake = false;
        let mut moving = self.waiting > 0;
        while moving {
            moving = false;
            for lane in 1..self.queues.len() {
                while self.run_head(lane)? {
                    moving = true;
                    self.progressed = true;
                }
            }
        }
        self.wake = false;
        Ok(())
    }

    /// Runs the instruction at the head of a queue; false if there is none or it waits.
    fn run_head(&mut self, lane: usize) -> Result<bool, Fault> {
        let Some(mut head) = self.queues[lane].pop_front() else {
            return Ok(false);
        };
        std::mem::swap(&mut self.context, &mut head.context);
        self.order.learn(lane, &head.known);
        hear(&mut self.heard[lane], &head.heard);
        self.seen = head.seen;
        let program = self.program;
        let at = head.pc as usize;
        let outcome = self.execute(at, &program.code[at], lane);
        std::mem::swap(&mut self.context, &mut head.context);
        match outcome? {
            None => {
                self.waiting -= 1;
                Ok(true)
            }
            Some(_) => {
                self.queues[lane].push_front(head);
                Ok(false)
            }
        }
    }

    /// Executes an instruction in a lane; what it waits for, if it does.
    fn execute(
        &mut self,
        at: usize,
        inst: &Inst,
        lane: usize,
    ) -> Result<Option<WaitReason>, Fault> {
        self.lane = lane;
        self.pc = at as u32;
        self.order.begin(lane, self.pc);
        match call(inst, self) {
            Ok(()) => {
                self.done[lane] += 1;
                Ok(None)
            }
            Err(Halt::Wait(reason)) => Ok(Some(reason)),
            Err(Halt::Fault(kind)) => Err(self.fault_at(at, *kind)),
        }
    }

    /// An instruction of this core as a place.
    fn place(&self, at: usize) -> Option<Place> {
        let inst = self.program.code.get(at);
        Some(Place {
            core: self.id,
            pc: at as u32,
            text: inst.map_or(String::new(), Inst::to_string),
        })
    }

    fn fault_at(&self, at: usize, kind: FaultKind) -> Fault {
        Fault {
            kind,
            place: self.place(at),
        }
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
                for id in 0..8 {
                    if self.flags[flag_index(src, dst, id)].set.is_some() {
                        return Err(leak(FaultKind::FlagLeaked {
                            src,
                            dst,
                            id: id as u8,
                        }));
                    }
                }
            }
        }
        for (id, &value) in self.counters.iter().enumerate() {
            let waiting: usize = self.pending[id].values().map(VecDeque::len).sum();
            let value = value + waiting as u32;
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
    pub(crate) fn receive(&mut self, from: usize, mode: u8, id: u8, heard: Heard) -> bool {
        let counter = usize::from(id);
        let sources = self.quorums[usize::from(mode).min(2)] as usize;
        let pending = &mut self.pending[counter];
        let own = pending.entry(from).or_default();
        own.push_back(heard);
        if own.len() > 15 {
            return false;
        }
        if pending.len() == sources && pending.values().all(|sets| !sets.is_empty()) {
            let mut told = None;
            for set in pending.values_mut().filter_map(VecDeque::pop_front) {
                crate::cross::hear(&mut told, &set);
            }
            self.mail[counter].push_back(told);
            self.counters[counter] += 1;
        }
        self.counters[counter] <= 15
    }

    /// A memory of this core.
    pub(crate) fn memory(&mut self, space: Space) -> &mut Local {
        &mut self.memories[space as usize]
    }

    /// Two memories of this core at once.
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

/// Dispatches to the executor methods.
fn call<U: AllUnits>(inst: &Inst, unit: &mut U) -> Result<(), U::Stop> {
    inst::execute(inst, unit)
}

fn initial_context(id: CoreId, launch: &Launch<'_>) -> Context {
    let mut spr = [0; Spr::COUNT];
    spr[Spr::Ctrl.index()] = Spr::CTRL_RESET;
    spr[Spr::BlockId.index()] = u64::from(id.group);
    spr[Spr::BlockNum.index()] = u64::from(launch.groups);
    spr[Spr::SubBlockId.index()] = u64::from(id.vector.unwrap_or(0));
    spr[Spr::ParaBase.index()] = launch.para_base;
    Context {
        x: [0; 32],
        spr,
        lanes: Lanes::ALL,
    }
}

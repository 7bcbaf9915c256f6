//! What a core asked of its pipes, in program order: the only thing that passes from meaning to time.
//!
//! Written while values are computed and read by `clock`. An event names its kind, which holds the cost that [`isa::cost`]
//! gave for the operands at dispatch; loops repeat a few kinds, so an event is eight bytes. The scalar cycles before it are
//! folded into it, so that a stream has one event for every instruction of a queue and none for scalar arithmetic.

use isa::chip::Chip;
use isa::cost::{self, Cost, GmPath};
use isa::effects::ScalarAccess;
use isa::inst::{Dir, Inst, Opcode, PipeOp, Regs, ScalarMem, UnitFlag, Val};
use isa::types::{Pipe, Space};

use crate::core::{Program, flag_index};
use crate::price::{Asked, Prices};

/// What kind of event it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// An instruction without traffic in global memory.
    Work,
    /// As `Work`, with the unit flag on.
    UnitWork,
    /// A copy: the next entry in the list of traffic is its own.
    Copy,
    /// As `Copy`, with the unit flag on.
    UnitCopy,
    /// `extra` is the flag.
    SetFlag,
    /// `extra` is the flag.
    WaitFlag,
    /// A barrier of one pipe.
    Bar,
    /// A barrier of all pipes.
    BarAll,
    /// `extra` is mode × 16 + counter.
    Xset,
    /// `extra` is mode × 16 + counter.
    Xwait,
    /// Scalar cycles alone: too many for one event, or those before the end.
    Scalar,
}

/// What events have in common that the same instruction gives for the same price.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) occ: u32,
    pub(crate) pc: u32,
    pub(crate) head: u16,
    pub(crate) tail: u16,
    pub(crate) extra: u16,
    pub(crate) what: What,
    pub(crate) pipe: Pipe,
}

impl Kind {
    fn new(cost: &Cost, what: What, pipe: Pipe, extra: u16, pc: u32) -> Kind {
        let short = |cycles: u32| cycles.min(u32::from(u16::MAX)) as u16;
        Kind {
            occ: cost.occ,
            pc,
            head: short(cost.head),
            tail: short(cost.tail),
            extra,
            what,
            pipe,
        }
    }

    /// What an instruction gives whatever its operands are; none if they decide, or if it concerns the data cache.
    pub(crate) fn fixed(inst: &Inst, cost: Option<&Cost>, pc: u32) -> Option<Kind> {
        let cost = cost?;
        let asked = Asked::default();
        let (what, extra) = classify(inst, &asked, cost);
        let cached = matches!(inst, Inst::Dcci(_) | Inst::DcciLine(_));
        let decided = !cached && !asked.was_asked() && cost.gm.is_none();
        decided.then(|| Kind::new(cost, what, inst.queue(), extra, pc))
    }
}

/// One event; 8 bytes.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Event {
    /// Its entry in the list of kinds.
    pub(crate) kind: u32,
    /// Cycles of the scalar unit before it.
    pub(crate) gap: u32,
}

/// Events that a stream which has ended may keep room for.
const SPARE_EVENTS: usize = 1 << 12;

/// Copies that a stream has room for at first.
const TRAFFIC: usize = 32;

/// Kinds of one instruction that are looked through before a new one is listed.
const WAYS: usize = 4;

/// The global side of a copy: `rows` pieces of `row_bytes`, `stride` bytes apart.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Traffic {
    pub(crate) address: u64,
    pub(crate) stride: u64,
    pub(crate) rows: u32,
    pub(crate) row_bytes: u32,
    /// Cycles before the first byte moves.
    pub(crate) setup: u32,
    pub(crate) path: GmPath,
    pub(crate) write: bool,
    /// Whether what is read is not kept in L2.
    pub(crate) past_l2: bool,
}

/// The stream of one core.
#[derive(Clone, Debug)]
pub(crate) struct Stream<'c> {
    pub(crate) events: Vec<Event>,
    pub(crate) kinds: Vec<Kind>,
    /// What the copies move, in their order.
    pub(crate) traffic: Vec<Traffic>,
    /// The latest kinds of each instruction; empty until the first event, as most streams of values alone stay.
    latest: Vec<[u32; WAYS]>,
    /// Instructions of the program.
    length: usize,
    gap: u32,
    /// How many sets a wait of each mode takes.
    quorums: [u32; 3],
    chip: &'c Chip,
    cache: DataCache,
    /// What the vector unit's instructions cost, as far as it is remembered.
    pub(crate) prices: Prices,
}

/// An event that waits for its instruction to go on.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Prepared {
    kind: Kind,
    traffic: Option<Traffic>,
}

/// An event that has been written, to write its like again.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Written {
    kind: u32,
    traffic: Option<Traffic>,
}

/// Kinds that one stream has listed and that the next of the same program may find.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    kinds: Vec<Kind>,
    latest: Vec<[u32; WAYS]>,
}

/// Kinds that are handed on at most: more of them hardly come again.
const HANDED_ON: usize = 1 << 10;

/// How far a stream has come: events, copies, and scalar cycles since the last event.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) events: usize,
    pub(crate) traffic: usize,
    pub(crate) gap: u32,
}

impl<'c> Stream<'c> {
    /// The stream of a core that runs a program.
    pub(crate) fn new(chip: &'c Chip, quorums: [u32; 3], program: &Program) -> Stream<'c> {
        Stream {
            events: Vec::new(),
            kinds: Vec::new(),
            traffic: Vec::new(),
            latest: Vec::new(),
            length: program.code.len(),
            gap: 0,
            quorums,
            cache: DataCache::new(chip),
            chip,
            prices: Prices::default(),
        }
    }

    /// Begins with the kinds of an earlier stream of the same program.
    pub(crate) fn begin_with(&mut self, lists: Lists) {
        if self.events.is_empty() && self.kinds.is_empty() && !lists.latest.is_empty() {
            self.reserve();
            self.kinds = lists.kinds;
            self.latest = lists.latest;
        }
    }

    /// The kinds that a stream which has come to its end hands on; none if they are too many.
    pub(crate) fn hand_on(&mut self) -> Option<Lists> {
        let latest = std::mem::take(&mut self.latest);
        (self.kinds.len() <= HANDED_ON).then(|| Lists {
            kinds: self.kinds.clone(),
            latest,
        })
    }

    /// The kind of an event.
    #[inline]
    pub(crate) fn kind(&self, event: u32) -> &Kind {
        &self.kinds[self.events[event as usize].kind as usize]
    }

    /// How many cores have to set a counter of a mode for one step.
    pub(crate) fn sources(&self, mode: u8) -> usize {
        self.quorums[usize::from(mode).min(2)] as usize
    }

    /// Writes the event of an instruction with the registers as they are.
    #[inline]
    pub(crate) fn record(&mut self, program: &Program, at: usize, regs: &impl Regs) {
        match (&program.kinds[at], &program.named[at]) {
            (Some(kind), _) if kind.what != What::Scalar => {
                self.push(*kind);
            }
            // Work of the vector unit, which moves nothing in global memory.
            (None, Some(named)) if program.fixed[at].is_none() => {
                let inst = &program.code[at];
                let cost = self.prices.of(at as u32, inst, named, regs, self.chip);
                let pipe = program.queues[at];
                self.push(Kind::new(&cost, What::Work, pipe, 0, at as u32));
            }
            (Some(_) | None, _) => {
                let event = self.prepare(program, at, regs);
                self.commit(event);
            }
        }
    }

    /// Prices an instruction of a program with the registers as they are.
    // Inlined, so that its parts are not put together to be taken apart at once.
    #[inline(always)]
    pub(crate) fn prepare(&mut self, program: &Program, at: usize, regs: &impl Regs) -> Prepared {
        if let Some(kind) = program.kinds[at] {
            return Prepared {
                kind,
                traffic: None,
            };
        }
        let inst = &program.code[at];
        let mut cost = match (&program.fixed[at], &program.named[at]) {
            (Some(cost), _) => *cost,
            (None, Some(named)) => self.prices.of(at as u32, inst, named, regs, self.chip),
            (None, None) => cost::cost(inst, regs, self.chip),
        };
        let (mut what, extra) = classify(inst, regs, &cost);
        let mut traffic = None;
        if cost.gm.is_some() {
            if what == What::Copy || what == What::UnitCopy {
                traffic = global_side(inst, regs, &cost);
            } else {
                self.scalar_memory(inst, regs, &mut cost);
            }
        }
        if traffic.is_none() {
            what = what.without_traffic();
        }
        if inst.opcode() == Opcode::Dcci {
            self.cache.clear();
        }
        if let Inst::DcciLine(i) = inst {
            let base = regs.reg(i.base.0);
            self.cache.forget(base.wrapping_add_signed(i.offset.0));
        }
        Prepared {
            kind: Kind::new(&cost, what, program.queues[at], extra, at as u32),
            traffic,
        }
    }

    /// A load that misses the data cache takes longer.
    fn scalar_memory(&mut self, inst: &Inst, regs: &impl Regs, cost: &mut Cost) {
        if let Some(access) = ScalarAccess::of(inst)
            && access.dir == Dir::In
            && access.mem == ScalarMem::Gm
        {
            let address = access.address(regs);
            if !self.cache.hit(address) {
                cost.occ = self.chip.scalar.load_miss.min(u64::from(u32::MAX)) as u32;
            }
        }
    }

    /// Lets the scalar unit be busy.
    #[inline]
    pub(crate) fn pass(&mut self, cycles: u32, pc: u32) {
        match self.gap.checked_add(cycles) {
            Some(gap) => self.gap = gap,
            None => {
                let cost = Cost {
                    occ: cycles,
                    ..Cost::default()
                };
                self.push(Kind::new(&cost, What::Scalar, Pipe::S, 0, pc));
                self.gap = cycles;
            }
        }
    }

    /// Writes the event; none is written for cycles of the scalar unit alone.
    #[inline]
    pub(crate) fn commit(&mut self, event: Prepared) -> Option<Written> {
        let Prepared { kind, traffic } = event;
        if kind.what == What::Scalar {
            self.pass(kind.occ, kind.pc);
            return None;
        }
        self.traffic.extend(traffic);
        let kind = self.push(kind);
        Some(Written { kind, traffic })
    }

    /// Writes an event like an earlier one, its copy moved by so many bytes.
    #[inline]
    pub(crate) fn again(&mut self, event: &Written, by: u64) {
        if let Some(mut traffic) = event.traffic {
            traffic.address = traffic.address.wrapping_add(by);
            self.traffic.push(traffic);
        }
        self.again_kind(event);
    }

    /// Writes an event like an earlier one that was no copy.
    #[inline]
    pub(crate) fn again_kind(&mut self, event: &Written) {
        let gap = std::mem::take(&mut self.gap);
        let kind = event.kind;
        self.events.push(Event { kind, gap });
    }

    /// How far it has come.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            events: self.events.len(),
            traffic: self.traffic.len(),
            gap: self.gap,
        }
    }

    /// Writes events and copies as they were written before, and lets the scalar unit be busy behind them; false, and
    /// nothing is written, if it has been so for too long.
    #[inline]
    pub(crate) fn again_all(&mut self, events: &[Event], traffic: &[Traffic], gap: u32) -> bool {
        let Some(pause) = self
            .gap
            .checked_add(events.first().map_or(gap, |first| first.gap))
        else {
            return false;
        };
        self.gap = pause;
        if !events.is_empty() {
            let first = self.events.len();
            self.events.extend_from_slice(events);
            self.events[first].gap = pause;
            self.gap = gap;
        }
        self.traffic.extend_from_slice(traffic);
        true
    }

    /// Writes an event of a kind; the entry of the kind.
    #[inline]
    fn push(&mut self, kind: Kind) -> u32 {
        let known = self.latest.get(kind.pc as usize).and_then(|ways| {
            let mut ways = ways.iter().copied();
            ways.find(|&way| self.kinds.get(way as usize) == Some(&kind))
        });
        let entry = known.unwrap_or_else(|| self.list(kind));
        let gap = std::mem::take(&mut self.gap);
        self.events.push(Event { kind: entry, gap });
        entry
    }

    /// Lists a kind, which forgets one of the same instruction.
    #[cold]
    fn list(&mut self, kind: Kind) -> u32 {
        if self.latest.is_empty() {
            self.make_room();
        }
        let entry = self.kinds.len() as u32;
        self.kinds.push(kind);
        if let Some(ways) = self.latest.get_mut(kind.pc as usize) {
            let [a, b, c, _] = *ways;
            *ways = [entry, a, b, c];
        }
        entry
    }

    /// Makes room for what a program asks for that goes through each of its loops twice.
    fn reserve(&mut self) {
        self.events.reserve(2 * self.length);
        self.traffic.reserve(TRAFFIC);
    }

    fn make_room(&mut self) {
        self.reserve();
        self.kinds.reserve(self.length);
        self.latest = vec![[u32::MAX; WAYS]; self.length];
    }

    /// Ends the stream with the scalar cycles that are left.
    pub(crate) fn finish(&mut self) {
        let entry = self.kinds.len() as u32;
        let kind = Kind::new(&Cost::default(), What::Scalar, Pipe::S, 0, 0);
        self.kinds.push(kind);
        let gap = std::mem::take(&mut self.gap);
        self.events.push(Event { kind: entry, gap });
        if self.events.capacity() - self.events.len() > SPARE_EVENTS {
            self.events.shrink_to_fit();
        }
        self.latest = Vec::new();
    }
}

impl What {
    /// The kind of event of a copy that touches nothing in global memory.
    fn without_traffic(self) -> What {
        match self {
            What::Copy => What::Work,
            What::UnitCopy => What::UnitWork,
            What::Work
            | What::UnitWork
            | What::SetFlag
            | What::WaitFlag
            | What::Bar
            | What::BarAll
            | What::Xset
            | What::Xwait
            | What::Scalar => self,
        }
    }
}

/// Whether an instruction has an event of its own whatever pipe runs it.
pub(crate) fn is_sign(inst: &Inst) -> bool {
    matches!(
        inst,
        Inst::SetFlag(_) | Inst::WaitFlag(_) | Inst::Bar(_) | Inst::Xset(_) | Inst::Xwait(_)
    )
}

/// The kind of event of an instruction and what goes with it.
#[inline]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an instruction without a rule of its own is work of its pipe"
)]
fn classify(inst: &Inst, regs: &impl Regs, cost: &Cost) -> (What, u16) {
    let plain = match (inst.pipe(), cost.gm) {
        (Pipe::S, _) => What::Scalar,
        (_, Some(_)) => What::Copy,
        (_, None) => What::Work,
    };
    match inst {
        Inst::SetFlag(i) => (What::SetFlag, flag(i.src, i.dst, i.id, regs)),
        Inst::WaitFlag(i) => (What::WaitFlag, flag(i.src, i.dst, i.id, regs)),
        Inst::Bar(i) if i.pipe == PipeOp::All => (What::BarAll, 0),
        Inst::Bar(_) => (What::Bar, 0),
        Inst::Xset(i) => (What::Xset, (i.mode.0 * 16 + i.id.get(regs) % 16) as u16),
        Inst::Xwait(i) => (What::Xwait, (i.mode.0 * 16 + i.id.get(regs) % 16) as u16),
        Inst::Mmad(i) if i.unit != UnitFlag::Off => (What::UnitWork, 0),
        Inst::Gemv(i) if i.unit != UnitFlag::Off => (What::UnitWork, 0),
        Inst::FixL0cGm(i) if i.unit != UnitFlag::Off => (What::UnitCopy, 0),
        Inst::FixL0cL1(i) if i.unit != UnitFlag::Off => (What::UnitWork, 0),
        _ => (plain, 0),
    }
}

fn flag(src: PipeOp, dst: PipeOp, id: Val<3>, regs: &impl Regs) -> u16 {
    // A pipe that is not one is a fault of the instruction; the event is never read then.
    let pipe = |op: PipeOp| op.pipe().unwrap_or(Pipe::S);
    flag_index(pipe(src), pipe(dst), (id.get(regs) % 8) as usize) as u16
}

/// Where a copy goes in global memory.
fn global_side(inst: &Inst, regs: &impl Regs, cost: &Cost) -> Option<Traffic> {
    let gm = cost.gm?;
    let effects = inst.effects(regs);
    let access = effects.iter().find(|access| access.space == Space::Gm)?;
    // Columns of fractals come as two repetitions; the pieces of the inner one are then a row.
    let inner_reach = access
        .inner
        .step
        .saturating_mul(access.inner.count - 1)
        .saturating_add(access.len);
    let fits = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    Some(Traffic {
        address: access.base,
        stride: access.outer.step,
        rows: fits(access.outer.count),
        row_bytes: fits(inner_reach),
        setup: gm.setup,
        path: gm.path,
        write: gm.write,
        past_l2: inst
            .memory()
            .iter()
            .any(|place| place.space == Space::Gm && place.at.is_past_l2(regs)),
    })
}

/// The scalar data cache: which lines are there, by address alone; direct mapped (we choose).
#[derive(Clone, Debug)]
struct DataCache {
    /// Empty until the first access.
    lines: Vec<u64>,
    count: usize,
    line_bytes: u64,
}

impl DataCache {
    fn new(chip: &Chip) -> DataCache {
        let line_bytes = chip.scalar.cache_line.max(1);
        DataCache {
            lines: Vec::new(),
            count: (chip.scalar.cache_bytes / line_bytes).max(1) as usize,
            line_bytes,
        }
    }

    /// Whether the line of an address is there; it is afterwards.
    fn hit(&mut self, address: u64) -> bool {
        self.lines.resize(self.count, u64::MAX);
        let (line, slot) = self.place(address);
        std::mem::replace(&mut self.lines[slot], line) == line
    }

    /// The line of an address, and where it is kept.
    fn place(&self, address: u64) -> (u64, usize) {
        let line = address / self.line_bytes;
        (line, (line % self.count as u64) as usize)
    }

    fn clear(&mut self) {
        self.lines.fill(u64::MAX);
    }

    /// Drops the line of an address.
    fn forget(&mut self, address: u64) {
        let (line, slot) = self.place(address);
        if let Some(held) = self.lines.get_mut(slot).filter(|held| **held == line) {
            *held = u64::MAX;
        }
    }
}

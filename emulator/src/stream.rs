//! What a core asked of its pipes, in program order: the only thing that passes from meaning to time.
//!
//! Written while values are computed and read by `clock`. An event holds the cost that [`isa::cost`] gave for the
//! operands at dispatch; the scalar cycles before it are folded into it, so that a stream has one event for every
//! instruction of a queue and none for scalar arithmetic.

use isa::chip::Chip;
use isa::cost::{self, Cost, GmPath};
use isa::effects::ScalarAccess;
use isa::inst::{Dir, Inst, Opcode, PipeOp, Regs, ScalarMem, UnitFlag, Val};
use isa::types::{Pipe, Space};

use crate::core::{Program, flag_index};
use crate::price::Prices;

/// What kind of event it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// An instruction without traffic in global memory.
    Work,
    /// As `Work`, with the unit flag on.
    UnitWork,
    /// A copy; `arg` is its entry in the list of traffic.
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

/// One event; 24 bytes.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Event {
    /// Cycles of the scalar unit before it.
    pub(crate) gap: u32,
    pub(crate) occ: u32,
    pub(crate) arg: u32,
    pub(crate) pc: u32,
    pub(crate) head: u16,
    pub(crate) tail: u16,
    pub(crate) extra: u16,
    pub(crate) what: What,
    pub(crate) pipe: Pipe,
}

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
}

/// The stream of one core.
#[derive(Clone, Debug)]
pub(crate) struct Stream<'c> {
    pub(crate) events: Vec<Event>,
    pub(crate) traffic: Vec<Traffic>,
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
    cost: Cost,
    what: What,
    pipe: Pipe,
    extra: u16,
    traffic: Option<Traffic>,
}

impl Prepared {
    /// Moves the global side of a copy.
    #[inline]
    pub(crate) fn move_traffic(&mut self, by: u64) {
        if let Some(traffic) = &mut self.traffic {
            traffic.address = traffic.address.wrapping_add(by);
        }
    }
}

impl<'c> Stream<'c> {
    pub(crate) fn new(chip: &'c Chip, quorums: [u32; 3]) -> Stream<'c> {
        Stream {
            events: Vec::new(),
            traffic: Vec::new(),
            gap: 0,
            quorums,
            cache: DataCache::new(chip),
            chip,
            prices: Prices::default(),
        }
    }

    /// How many cores have to set a counter of a mode for one step.
    pub(crate) fn sources(&self, mode: u8) -> usize {
        self.quorums[usize::from(mode).min(2)] as usize
    }

    /// Prices an instruction of a program with the registers as they are.
    #[inline]
    pub(crate) fn prepare(&mut self, program: &Program, at: usize, regs: &impl Regs) -> Prepared {
        let inst = &program.code[at];
        let mut cost = match (&program.fixed[at], &program.named[at]) {
            (Some(cost), _) => *cost,
            (None, Some(named)) => self.prices.of(at as u32, inst, named, regs, self.chip),
            (None, None) => cost::cost(inst, regs, self.chip),
        };
        let (what, extra) = classify(inst, regs, &cost);
        let mut traffic = None;
        if cost.gm.is_some() {
            match what {
                What::Copy | What::UnitCopy => traffic = global_side(inst, regs, &cost),
                What::Work
                | What::UnitWork
                | What::SetFlag
                | What::WaitFlag
                | What::Bar
                | What::BarAll
                | What::Xset
                | What::Xwait
                | What::Scalar => self.scalar_memory(inst, regs, &mut cost),
            }
        }
        if inst.opcode() == Opcode::Dcci {
            self.cache.clear();
        }
        if let Inst::DcciLine(i) = inst {
            let base = regs.reg(i.base.0);
            self.cache.forget(base.wrapping_add_signed(i.offset.0));
        }
        Prepared {
            cost,
            what,
            pipe: program.queues[at],
            extra,
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
                self.push(cost, What::Scalar, Pipe::S, 0, 0, pc);
                self.gap = cycles;
            }
        }
    }

    /// Writes the event.
    #[inline]
    pub(crate) fn commit(&mut self, event: Prepared, pc: u32) {
        let Prepared {
            cost,
            what,
            pipe,
            extra,
            traffic,
        } = event;
        if what == What::Scalar {
            return self.pass(cost.occ, pc);
        }
        let mut arg = match what {
            What::Xwait
            | What::Work
            | What::UnitWork
            | What::Copy
            | What::UnitCopy
            | What::SetFlag
            | What::WaitFlag
            | What::Bar
            | What::BarAll
            | What::Xset
            | What::Scalar => 0,
        };
        if let Some(traffic) = traffic {
            arg = self.traffic.len() as u32;
            self.traffic.push(traffic);
        }
        self.push(cost, what, pipe, extra, arg, pc);
    }

    fn push(&mut self, cost: Cost, what: What, pipe: Pipe, extra: u16, arg: u32, pc: u32) {
        let short = |cycles: u32| cycles.min(u32::from(u16::MAX)) as u16;
        self.events.push(Event {
            gap: std::mem::take(&mut self.gap),
            occ: cost.occ,
            arg,
            pc,
            head: short(cost.head),
            tail: short(cost.tail),
            extra,
            what,
            pipe,
        });
    }

    /// Ends the stream with the scalar cycles that are left.
    pub(crate) fn finish(&mut self) {
        self.push(Cost::default(), What::Scalar, Pipe::S, 0, 0, 0);
        self.events.shrink_to_fit();
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
    })
}

/// The scalar data cache: which lines are there, by address alone; direct mapped (we choose).
#[derive(Clone, Debug)]
struct DataCache {
    lines: Vec<u64>,
    line_bytes: u64,
}

impl DataCache {
    fn new(chip: &Chip) -> DataCache {
        let line_bytes = chip.scalar.cache_line.max(1);
        DataCache {
            lines: vec![u64::MAX; (chip.scalar.cache_bytes / line_bytes).max(1) as usize],
            line_bytes,
        }
    }

    /// Whether the line of an address is there; it is afterwards.
    fn hit(&mut self, address: u64) -> bool {
        let line = address / self.line_bytes;
        let slot = (line % self.lines.len() as u64) as usize;
        std::mem::replace(&mut self.lines[slot], line) == line
    }

    fn clear(&mut self) {
        self.lines.fill(u64::MAX);
    }

    /// Drops the line of an address.
    fn forget(&mut self, address: u64) {
        let line = address / self.line_bytes;
        let slot = (line % self.lines.len() as u64) as usize;
        if self.lines[slot] == line {
            self.lines[slot] = u64::MAX;
        }
    }
}

//! Cycles without values: only the scalar units execute, what they give to queues is priced and recorded.
//!
//! No memory has bytes here, so a register that is loaded from one is *unknown*, and so is what is computed from it. The
//! cycles depend on an unknown value only where a branch, a loop or the price of an instruction asks for one; there the
//! run becomes a full one if all inputs are at hand, and a fault otherwise. The parameter block and given inputs are
//! known. What a full run would find wrong stays unfound, except what would make the streams senseless: operands out of
//! their limits and accesses outside every memory.

mod block;
mod memo;
mod tally;
mod turns;
mod unknown;

use isa::chip::Chip;
use isa::effects::ScalarAccess;
use isa::inst::{Dir, Inst, Registers, Regs, ScalarMem};
use isa::legal;
use isa::object::{Object, ParamDir};
use isa::types::{CoreKind, Pipe};

use self::block::{Block, blocks};
use self::memo::Memo;
use self::turns::Turns;
use self::unknown::{Unknown, Watch};
use crate::core::{Context, Core, Halt, Program, call};
use crate::fault::{Fault, FaultKind, Stop};
use crate::machine::share_out;
use crate::options::{Options, Pulse, Sanitize};
use crate::price::Prices;
use crate::report::report;
use crate::run::{self, Outcome};
use crate::setup::Setup;
use crate::stream::Lists;

/// Runs a kernel without values, or with them if that cannot tell its cycles.
pub(crate) fn run(
    object: &Object,
    inputs: &[Option<Vec<u8>>],
    chip: &Chip,
    options: &Options,
) -> Result<Outcome, Fault> {
    let outcome = without_values(object, inputs, chip, options);
    let complete = || {
        let mut params = object.kernel.params.iter().zip(inputs);
        params.all(|(param, input)| param.dir != ParamDir::In || input.is_some())
    };
    match outcome {
        Err(fault) if !fault.kind.is_limit() && complete() => {
            let full = Options {
                timing_only: false,
                ..*options
            };
            run::run(object, inputs, chip, &full)
        }
        outcome => outcome,
    }
}

fn without_values(
    object: &Object,
    inputs: &[Option<Vec<u8>>],
    chip: &Chip,
    options: &Options,
) -> Result<Outcome, Fault> {
    let options = Options {
        sanitize: Sanitize::NONE,
        ..*options
    };
    let setup = Setup::prepare(object, inputs, chip, &options, false)?;
    let mut cores = setup.cores();
    record(&mut cores, options.threads)?;
    let timing = run::time(&mut cores, &setup.gm, chip, &options)?;
    Ok(Outcome {
        report: report(&object.kernel, &cores, &timing, chip),
        profile: run::profiled(&cores, &timing, &options),
        trace: timing.trace,
        tensors: Vec::new(),
        origins: Vec::new(),
        timing_only: true,
    })
}

/// Runs every core to its end; none waits for another, because nobody reads what others compute.
fn record(cores: &mut [Core<'_>], threads: usize) -> Result<(), Fault> {
    let kinds = [CoreKind::Cube, CoreKind::Vector];
    let maps = kinds.map(|kind| {
        let first = cores.iter().find(|core| core.kind() == kind);
        first.map(|core| Map::new(core.program))
    });
    let walk = |cores: &mut [Core<'_>]| {
        // What one core has learnt the next one knows.
        let mut learnt: [Learnt; 2] = Default::default();
        cores.iter_mut().try_for_each(|core| {
            let kind = usize::from(core.kind() == CoreKind::Vector);
            match &maps[kind] {
                Some(map) => learnt[kind].walk(core, map),
                None => Ok(()),
            }
        })
    };
    let together = match threads {
        1 => cores.len(),
        _ => cores.len().div_ceil(PARTS),
    };
    let parts = cores.chunks_mut(together.max(1)).collect();
    share_out(parts, threads, walk).into_iter().collect()
}

/// Parts that the cores of a launch are shared out in to host threads.
const PARTS: usize = 8;

/// What one core leaves to the next that runs the same program.
#[derive(Default)]
struct Learnt {
    prices: Prices,
    lists: Lists,
    memo: Memo,
}

impl Learnt {
    /// Runs a core to its end.
    fn walk(&mut self, core: &mut Core<'_>, map: &Map) -> Result<(), Fault> {
        std::mem::swap(&mut core.stream.prices, &mut self.prices);
        core.stream.begin_with(std::mem::take(&mut self.lists));
        self.memo.begin(map.plans.len());
        Walk::new(core, map, &mut self.memo).run()?;
        std::mem::swap(&mut core.stream.prices, &mut self.prices);
        match core.stream.hand_on() {
            Some(lists) => self.lists = lists,
            // What is remembered names kinds of this stream.
            None => self.memo = Memo::default(),
        }
        Ok(())
    }
}

/// What is known of a program beforehand.
struct Map {
    /// By instruction.
    plans: Vec<Plan>,
    blocks: Vec<Block>,
}

impl Map {
    fn new(program: &Program) -> Map {
        let code = program.code.iter().enumerate();
        Map {
            plans: code
                .map(|(at, inst)| Plan::new(inst, program.cycles(at)))
                .collect(),
            blocks: blocks(&program.code, |at| program.cycles(at)),
        }
    }
}

/// One core on its way through its program.
struct Walk<'a, 'b> {
    core: &'a mut Core<'b>,
    map: &'a Map,
    unknown: Unknown,
    memo: &'a mut Memo,
    turns: Turns,
    /// Instructions that were executed in blocks.
    in_blocks: u64,
}

/// What is known of an instruction whatever its operands are.
#[derive(Copy, Clone, Debug)]
struct Plan {
    registers: Registers,
    /// Cycles of the scalar unit, where nothing decides them.
    cycles: Option<u32>,
    /// Whether it reads or writes memory itself.
    memory: bool,
    /// Whether it orders others and does nothing else.
    orders: bool,
}

impl Plan {
    fn new(inst: &Inst, cycles: Option<u32>) -> Plan {
        Plan {
            registers: inst.registers(),
            cycles,
            memory: ScalarAccess::of(inst).is_some(),
            orders: is_order(inst),
        }
    }
}

impl<'a, 'b> Walk<'a, 'b> {
    fn new(core: &'a mut Core<'b>, map: &'a Map, memo: &'a mut Memo) -> Walk<'a, 'b> {
        let code = &core.program.code;
        Walk {
            map,
            unknown: Unknown::NONE,
            memo,
            turns: Turns::new(code),
            in_blocks: 0,
            core,
        }
    }

    fn run(mut self) -> Result<(), Fault> {
        while !self.core.ended {
            match self.block() {
                Some(block) => self.run_block(block)?,
                None if self.repeat_loop() => {}
                None => self.step()?,
            }
            if self.turns.has_ended(self.core.next) {
                let state = self.memo.state();
                self.turns.learn(self.core, state, self.in_blocks);
            }
        }
        self.core.executed[Pipe::S.index()] += self.in_blocks;
        Ok(())
    }

    /// The run of scalar arithmetic that comes next, if all that it needs is known.
    #[inline]
    fn block(&self) -> Option<Block> {
        let block = *self.map.blocks.get(self.core.next)?;
        let fits = self.core.steps + u64::from(block.len) <= self.core.launch.max_steps;
        let known = self.unknown.x & block.registers.reads == 0;
        (block.len > 0 && fits && known).then_some(block)
    }

    /// Does again what the loop that begins here has done before, if it has.
    #[inline]
    fn repeat_loop(&mut self) -> bool {
        if self.unknown != Unknown::NONE {
            self.turns.spoil();
            return false;
        }
        let state = self.memo.state();
        let left = self.turns.repeat(self.core, state, self.in_blocks);
        left.map(|state| self.memo.set_state(state)).is_some()
    }

    fn run_block(&mut self, block: Block) -> Result<(), Fault> {
        let (first, len) = (self.core.next, block.len as usize);
        let program = self.core.program;
        self.core.lane = Pipe::S.index();
        for (inst, at) in program.code[first..first + len].iter().zip(first..) {
            if let Err(Halt::Fault(kind)) = call(inst, self.core) {
                return Err(self.core.fault_at(at, *kind));
            }
        }
        self.core.next = first + len;
        let before = self.core.steps;
        self.core.steps += u64::from(block.len);
        Pulse::beat(self.core.launch.pulse, before, self.core.steps);
        self.in_blocks += u64::from(block.len);
        self.core.stream.pass(block.cycles, first as u32);
        self.unknown.set(block.registers.writes, false);
        Ok(())
    }

    fn step(&mut self) -> Result<(), Fault> {
        let at = self.core.next;
        let program = self.core.program;
        let Some(inst) = program.code.get(at) else {
            let what = "the program runs past its last instruction";
            return Err(self.core.fault_at(at, FaultKind::BadControlFlow { what }));
        };
        if self.core.steps >= self.core.launch.max_steps {
            let steps = self.core.launch.max_steps;
            return Err(self.core.fault_at(at, FaultKind::StepLimit { steps }));
        }
        self.core.next = at + 1;
        let queue = program.queues[at];
        let done = match queue {
            Pipe::S => self.scalar(at, inst),
            Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix => {
                self.core.check_record(at)?;
                self.core.recorded += 1;
                self.price(at, inst)
            }
        };
        done.map_err(|kind| self.core.fault_at(at, *kind))?;
        self.core.steps += 1;
        Pulse::beat(self.core.launch.pulse, self.core.steps - 1, self.core.steps);
        self.core.executed[queue.index()] += 1;
        Ok(())
    }

    /// Prices an instruction that names memory or waits in a queue, and counts what it would move.
    fn price(&mut self, at: usize, inst: &Inst) -> Result<(), Stop> {
        let Unknown { x, spr, lanes } = self.unknown;
        if x & self.map.plans[at].registers.reads == 0 && spr == 0 && !lanes {
            if self.core.program.queues[at] != Pipe::S && self.memo.repeat(self.core, at) {
                return Ok(());
            }
            self.turns.spoil();
            let context = *self.core.context;
            return self.record(at, inst, &context);
        }
        self.turns.spoil();
        let context = *self.core.context;
        let watch = Watch::new(&context, self.unknown);
        let done = self.record(at, inst, &watch);
        match watch.was_asked() {
            true => Err(needs_values("an address or an extent")),
            false => done,
        }
    }

    fn record(&mut self, at: usize, inst: &Inst, regs: &impl Regs) -> Result<(), Stop> {
        legal::check_values(inst, regs, self.core.launch.chip).map_err(tally::illegal)?;
        let (moved, mads) = tally::count(self.core, inst, regs)?;
        let event = self.core.stream.prepare(self.core.program, at, regs);
        if let Some(event) = self.core.stream.commit(event)
            && self.unknown == Unknown::NONE
            && inst.queue() != Pipe::S
        {
            self.memo.learn(self.core, at, event, moved, mads);
        }
        Ok(())
    }

    /// Executes an instruction of the scalar unit as far as its operands are known.
    fn scalar(&mut self, at: usize, inst: &Inst) -> Result<(), Stop> {
        let Plan {
            registers,
            cycles,
            memory,
            orders,
        } = self.map.plans[at];
        if memory {
            return self.memory(at, inst);
        }
        let unknown = self.unknown.x & registers.reads != 0;
        // The event has the operands of before.
        let stream = &mut self.core.stream;
        match cycles {
            Some(cycles) => stream.pass(cycles, at as u32),
            None => {
                let event = stream.prepare(self.core.program, at, &self.core.context);
                stream.commit(event);
            }
        }
        if orders {
            // Who waits for whom is the clock's to find out.
        } else if unknown
            && matches!(
                inst,
                Inst::Bcc(_) | Inst::Loop(_) | Inst::Jmpr(_) | Inst::Callr(_)
            )
        {
            return Err(needs_values("where the program goes on"));
        } else {
            let before = special(inst, &self.core.context);
            if !unknown {
                self.execute(at, inst)?;
            }
            self.pass_on(inst, registers.writes, unknown);
            // Loops write what a special register holds already.
            if before.is_none() || before != special(inst, &self.core.context) {
                self.note_state(inst);
            }
        }
        Ok(())
    }

    /// Notes that an instruction has written special registers or lanes, if it has.
    fn note_state(&mut self, inst: &Inst) {
        if let Inst::Wrspr(_) | Inst::Vsetmask(_) | Inst::Vsetcount(_) = inst {
            self.memo.written(&self.core.context);
        }
    }

    /// Notes what an instruction makes of unknown operands.
    fn pass_on(&mut self, inst: &Inst, writes: u32, unknown: bool) {
        if let Inst::Wrspr(i) = inst {
            let bit = 1 << i.spr.index();
            self.unknown.spr = self.unknown.spr & !bit | if unknown { bit } else { 0 };
        } else if let Inst::Vsetmask(_) | Inst::Vsetcount(_) = inst {
            self.unknown.lanes = unknown;
        } else if let Inst::Rdspr(i) = inst {
            let unknown = self.unknown.spr >> i.spr.index() & 1 != 0;
            self.unknown.set(writes, unknown);
        } else {
            self.unknown.set(writes, unknown);
        }
    }

    /// Prices a load or a store, and loads the word if it is known. Nobody reads what is stored.
    fn memory(&mut self, at: usize, inst: &Inst) -> Result<(), Stop> {
        self.price(at, inst)?;
        let Some(access) = ScalarAccess::of(inst) else {
            return Ok(());
        };
        let known = access.dir == Dir::In && self.is_known(&access)?;
        if known {
            self.execute(at, inst)?;
        } else if access.step != 0 {
            let address = &mut self.core.context.x[access.base.index()];
            *address = address.wrapping_add_signed(access.step);
        }
        // The address was known, and so is the next; a load into its own address leaves what it has loaded.
        let loaded = if let Inst::LdPost(i) = inst {
            1 << i.dst.0.index()
        } else {
            inst.registers().writes
        };
        self.unknown.set(loaded, access.dir == Dir::In && !known);
        Ok(())
    }

    /// Whether the bytes of a load are there.
    fn is_known(&self, load: &ScalarAccess) -> Result<bool, Stop> {
        let address = load.address(&self.core.context);
        let (gm, bytes) = (self.core.launch.gm, load.size.bytes());
        Ok(load.mem == ScalarMem::Gm && gm.span("base", address, bytes)?.region.has_bytes())
    }

    fn execute(&mut self, at: usize, inst: &Inst) -> Result<(), Stop> {
        self.core.lane = Pipe::S.index();
        self.core.pc = at as u32;
        match call(inst, self.core) {
            Ok(()) | Err(Halt::Wait(_)) => Ok(()),
            Err(Halt::Fault(stop)) => Err(stop),
        }
    }
}

/// What the special register holds that an instruction writes.
fn special(inst: &Inst, context: &Context) -> Option<u64> {
    if let Inst::Wrspr(i) = inst {
        return Some(context.spr(i.spr));
    }
    None
}

/// Whether an instruction orders others and does nothing else.
fn is_order(inst: &Inst) -> bool {
    matches!(
        inst,
        Inst::SetFlag(_) | Inst::WaitFlag(_) | Inst::Bar(_) | Inst::Xset(_) | Inst::Xwait(_)
    )
}

fn needs_values(what: &'static str) -> Stop {
    Box::new(FaultKind::NeedsValues { what })
}

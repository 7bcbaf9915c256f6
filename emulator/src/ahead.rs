//! The time of a launch beside its values: what cores ask of their pipes, found by their scalar units alone.
//!
//! Time follows from the streams of the cores, and most programs decide these without looking at what the other units
//! compute. On several host threads one of them then walks through the scalar programs and computes times while the others
//! compute values, which record nothing. A program that does look, by a load of what may change or at a count of the
//! vector unit, is given up, and everything runs again in the usual way. Knows no values and no cycles of its own.

use isa::effects::ScalarAccess;
use isa::inst::{Dir, Inst, ScalarMem, Spr};
use isa::types::{CoreKind, Pipe};

use crate::clock::Timing;
use crate::core::{Core, Halt, call};
use crate::price::Prices;
use crate::run;
use crate::setup::Setup;
use crate::stream::{self, Traffic};

/// The times of a launch in the making: core by core, so that whoever computes them may stop and go on later.
pub(crate) struct Ahead<'s> {
    setup: &'s Setup<'s>,
    cores: Vec<Core<'s>>,
    /// Cores that have come to their ends.
    ended: usize,
    prices: [Prices; 2],
}

/// How far the times of a launch have come.
pub(crate) enum Progress {
    Known(Timing),
    /// There is more to do.
    Begun,
    /// A scalar unit looks at what others compute, or a program does not come to its end.
    GivenUp,
}

impl<'s> Ahead<'s> {
    pub(crate) fn new(setup: &'s Setup<'s>) -> Ahead<'s> {
        Ahead {
            setup,
            cores: setup.cores(),
            ended: 0,
            prices: Default::default(),
        }
    }

    /// Goes on until times are known, or it is no longer worth while.
    pub(crate) fn advance(&mut self, worth_while: impl Fn() -> bool) -> Progress {
        for core in &mut self.cores[self.ended..] {
            if !worth_while() {
                return Progress::Begun;
            }
            let prices = match core.kind() {
                CoreKind::Cube => &mut self.prices[0],
                CoreKind::Vector => &mut self.prices[1],
            };
            std::mem::swap(&mut core.stream.prices, prices);
            while !core.ended {
                if step(core).is_none() {
                    return Progress::GivenUp;
                }
            }
            std::mem::swap(&mut core.stream.prices, prices);
            self.ended += 1;
        }
        match worth_while() {
            true => self.times().map_or(Progress::GivenUp, Progress::Known),
            false => Progress::Begun,
        }
    }

    fn times(&mut self) -> Option<Timing> {
        let extent = self.setup.gm.extent();
        let mut traffic = self.cores.iter().flat_map(|core| &core.stream.traffic);
        if !traffic.all(|traffic| is_inside(traffic, extent)) {
            return None;
        }
        let Setup {
            gm, chip, options, ..
        } = self.setup;
        run::time(&mut self.cores, gm, chip, options).ok()
    }
}

/// The times of a launch; none if a scalar unit looks at what others compute, or a program does not come to its end.
pub(crate) fn time(setup: &Setup<'_>) -> Option<Timing> {
    match Ahead::new(setup).advance(|| true) {
        Progress::Known(timing) => Some(timing),
        Progress::Begun | Progress::GivenUp => None,
    }
}

/// Whether a copy stays where memory is: nobody has executed it, and what goes elsewhere has no time.
fn is_inside(traffic: &Traffic, (first, end): (u64, u64)) -> bool {
    let rows = u64::from(traffic.rows).saturating_sub(1);
    let beyond = rows
        .checked_mul(traffic.stride)
        .and_then(|last| last.checked_add(traffic.address))
        .and_then(|last| last.checked_add(u64::from(traffic.row_bytes)));
    traffic.address >= first && beyond.is_some_and(|beyond| beyond <= end)
}

/// Takes the scalar unit one instruction further.
fn step(core: &mut Core<'_>) -> Option<()> {
    let (at, program) = (core.next, core.program);
    let inst = program.code.get(at)?;
    if core.steps >= core.launch.max_steps {
        return None;
    }
    core.steps += 1;
    core.next = at + 1;
    if program.queues[at] == Pipe::S {
        return scalar(core, at, inst);
    }
    core.check_record(at).ok()?;
    core.recorded += 1;
    core.stream.record(program, at, &core.context);
    Some(())
}

/// Executes an instruction of the scalar unit, as a core does that waits for nobody.
fn scalar(core: &mut Core<'_>, at: usize, inst: &Inst) -> Option<()> {
    if !is_known(core, inst) {
        return None;
    }
    match core.program.cycles(at) {
        Some(cycles) => core.stream.pass(cycles, at as u32),
        None => {
            let event = core.stream.prepare(core.program, at, &core.context);
            core.stream.commit(event);
        }
    }
    if stream::is_sign(inst) {
        // Who waits for whom is the clock's to find out.
        return Some(());
    }
    if let Some(store) = ScalarAccess::of(inst).filter(|access| access.dir == Dir::Out) {
        // Nobody here reads what is stored.
        let base = &mut core.context.x[store.base.index()];
        *base = base.wrapping_add_signed(store.step);
        return Some(());
    }
    core.lane = Pipe::S.index();
    core.pc = at as u32;
    match call(inst, core) {
        Ok(()) | Err(Halt::Wait(_)) => Some(()),
        Err(Halt::Fault(_)) => None,
    }
}

/// Whether an instruction needs nothing that may change while the program runs.
fn is_known(core: &Core<'_>, inst: &Inst) -> bool {
    if let Inst::Rdspr(i) = inst {
        return i.spr != Spr::RsvdCnt && i.spr != Spr::MrgCnt;
    }
    let Some(access) = ScalarAccess::of(inst).filter(|access| access.dir == Dir::In) else {
        return true;
    };
    let address = access.address(&core.context);
    let span = core.launch.gm.span("base", address, access.size.bytes());
    let constant = span.is_ok_and(|span| span.region.is_full());
    access.mem == ScalarMem::Gm && constant
}

//! `vinci debug`: a prompt at the emulated machine.
//!
//! Lines come from an editor on a terminal and from standard input otherwise, where they are repeated, so that a transcript
//! reads like a session (`lines.rs`). `command.rs` says what a line means, `place.rs` what an address is, `stops.rs` where a run
//! stops, `show.rs` how things look; here is what the commands do. The machine itself is the emulator's.

mod command;
mod lines;
mod place;
mod show;
mod stops;

use clap::Args;
use emulator::{Checkpoint, CoreId, Fault, Machine, Reached, Setup, Stops};
use isa::object::Object;

use self::command::{Command, parse};
use self::lines::Lines;
use super::run::{Run, prepare};
use crate::args::{Execution, Subject};
use crate::emulation;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;

/// `vinci debug`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Debug {
    #[command(flatten)]
    pub(crate) subject: Subject,
    #[command(flatten)]
    pub(crate) execution: Execution,
}

const PROMPT: &str = "(vinci) ";
/// Steps between two copies of the machine, at first.
const SPACING: u64 = 4096;
/// Copies that are kept; when there are more, every other one is dropped.
const COPIES: usize = 16;

/// What a session at the prompt has.
struct Debugger<'m, 's> {
    machine: &'m mut Machine<'s>,
    object: &'s Object,
    stops: Stops,
    /// The core that is looked at.
    core: CoreId,
    copies: Vec<Checkpoint<'s>>,
    spacing: u64,
    /// What the last step did wrong; only going back leads away from it.
    fault: Option<Fault>,
}

/// Runs the prompt on a file.
pub(crate) fn run(args: &Debug, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let mut settings = Settings::read(&args.subject.compile, session)?;
    let job = prepare(&Run::of(args.subject.clone()), &mut settings, session)?;
    let options = emulator::Options {
        threads: 1,
        ..emulation::options(&args.execution)?
    };
    let inputs = job.bytes();
    session.read_line_files(&job.object);
    let wrong = |fault: Fault, session: &Session<'_, '_>| -> Stop {
        crate::errors::fault::fault(&fault, &job.object, &session.sources).into()
    };
    let setup = Setup::new(&job.object, &inputs, &settings.chip, &options);
    let mut setup = setup.map_err(|fault| wrong(fault, session))?;
    let mut machine = setup.machine();
    machine.watch_memory();
    let Some(core) = machine.cores().next() else {
        return session.host.print("nothing runs: the object has no code\n");
    };
    let mut debugger = Debugger {
        copies: vec![machine.checkpoint(None)],
        machine: &mut machine,
        object: &job.object,
        stops: Stops::default(),
        core,
        spacing: SPACING,
        fault: None,
    };
    let greeting = debugger.here(session);
    session.host.print(&greeting)?;
    debugger.serve(session)
}

impl Debugger<'_, '_> {
    /// Takes lines until one says to stop, or there are no more.
    fn serve(&mut self, session: &mut Session<'_, '_>) -> Result<(), Stop> {
        let mut lines = Lines::new(session.host);
        let mut last = String::new();
        while let Some(line) = lines.next(session.host)? {
            let line = match line.trim() {
                "" => last.clone(),
                line => line.to_owned(),
            };
            let answer = match parse(&line) {
                Ok(Command::Quit) => return Ok(()),
                Ok(command) => self.answer(command, session),
                Err(wrong) => Err(wrong),
            };
            last = line;
            let text = answer.unwrap_or_else(|wrong| format!("error: {wrong}\n"));
            session.host.print(&text)?;
        }
        Ok(())
    }

    /// Does what a command says.
    fn answer(&mut self, command: Command, session: &Session<'_, '_>) -> Result<String, String> {
        match command {
            Command::Nothing | Command::Quit => Ok(String::new()),
            Command::Help => Ok(command::HELP.to_owned()),
            Command::Step(steps) => self.go(&Stops::default(), steps, session),
            Command::Next => self.next(session),
            Command::Continue => {
                let stops = self.stops.clone();
                self.go(&stops, u64::MAX, session)
            }
            Command::Back(steps) => self.back(steps, session),
            Command::Break(at) => self.add_break(&at),
            Command::Watch(text, reads, writes) => {
                let watch = place::range(self.machine, self.core, &text)?.watch(reads, writes);
                self.stops.watches.push(watch);
                Ok(self.stops_text())
            }
            Command::Delete(number) => self.delete(number),
            Command::Stops => Ok(self.stops_text()),
            Command::Core(text) => self.choose(&text, session),
            Command::Print(text) => show::values(
                self.machine,
                &place::tensor(self.machine, self.core, &text)?,
            ),
            Command::Who(text) => {
                let range = place::range(self.machine, self.core, &text)?;
                Ok(show::writers(self.machine, self.object, &range))
            }
            Command::Registers => Ok(show::registers(self.machine, self.core)),
            Command::List(pc) => {
                let pc = pc.or_else(|| self.machine.pc(self.core)).unwrap_or(0);
                Ok(show::listing(
                    self.object,
                    self.core.kind(),
                    pc,
                    &session.sources,
                ))
            }
            Command::Info => Ok(show::info(self.machine, self.object, self.core)),
        }
    }

    /// Runs on, keeping copies of the machine on the way.
    fn go(
        &mut self,
        stops: &Stops,
        steps: u64,
        session: &Session<'_, '_>,
    ) -> Result<String, String> {
        if self.fault.is_some() {
            return Err("the run has stopped at a fault; `back` leads away from it".to_owned());
        }
        let reached = self.advance(stops, steps);
        Ok(self.arrived(reached, stops, session))
    }

    fn advance(&mut self, stops: &Stops, steps: u64) -> Result<Reached, Fault> {
        let mut left = steps;
        loop {
            let now = self.machine.steps();
            let next = self.copies.last().map_or(0, Checkpoint::steps) + self.spacing;
            if now >= next {
                self.copy();
                continue;
            }
            let stretch = left.min(next - now);
            let reached = self.machine.run_until(stops, stretch)?;
            left -= stretch;
            if reached != Reached::Steps || left == 0 {
                return Ok(reached);
            }
        }
    }

    /// Keeps a copy of the machine; of too many, every other one goes, and the next come more rarely.
    fn copy(&mut self) {
        let copy = self.machine.checkpoint(self.copies.last());
        self.copies.push(copy);
        if self.copies.len() > COPIES {
            let mut number = 0;
            self.copies.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.spacing *= 2;
        }
    }

    /// What is said where a run has stopped.
    fn arrived(
        &mut self,
        reached: Result<Reached, Fault>,
        stops: &Stops,
        session: &Session<'_, '_>,
    ) -> String {
        match reached {
            Ok(Reached::Ended) => format!(
                "every program has ended, after {} steps\n{}",
                self.machine.steps(),
                self.check()
            ),
            Ok(Reached::Steps) => {
                self.follow();
                self.here(session)
            }
            Ok(Reached::Break { core, pc }) => {
                self.core = core;
                format!("stops before instruction {pc}\n{}", self.here(session))
            }
            Ok(Reached::Watched {
                watch,
                core,
                pc,
                operand,
                write,
            }) => {
                self.core = core;
                let verb = if write { "writes" } else { "reads" };
                let range = stops.watches.get(watch).map_or(String::new(), show::range);
                let text = show::instruction(self.object, core.kind(), pc);
                format!(
                    "`{operand}` of {pc}: `{text}` {verb} {range}\n{}",
                    self.here(session)
                )
            }
            Err(fault) => {
                if let Some(place) = &fault.place {
                    self.core = place.core;
                }
                let found = crate::errors::fault::fault(&fault, self.object, &session.sources);
                self.fault = Some(fault);
                diag::render_text(&[found], &session.sources, false)
            }
        }
    }

    /// What the end of the programs leaves to be found.
    fn check(&self) -> String {
        match self.machine.check_end() {
            Ok(()) => String::new(),
            Err(fault) => format!("but: {fault}\n"),
        }
    }

    /// Looks at the core whose turn it is.
    fn follow(&mut self) {
        if let Some(turn) = self.machine.turn() {
            self.core = turn;
        }
    }

    /// Where the core stands.
    fn here(&self, session: &Session<'_, '_>) -> String {
        show::here(self.machine, self.object, self.core, &session.sources)
    }

    /// Runs until the core is behind its instruction, over what that calls or repeats.
    fn next(&mut self, session: &Session<'_, '_>) -> Result<String, String> {
        let core = self.core;
        let Some(pc) = self.machine.pc(core) else {
            return self.go(&Stops::default(), 1, session);
        };
        let behind = Stops {
            pcs: vec![(core.kind(), pc + 1)],
            ..self.stops.clone()
        };
        if self.fault.is_some() {
            return self.go(&behind, 1, session);
        }
        loop {
            let reached = self.advance(&behind, u64::MAX);
            match reached {
                Ok(Reached::Break {
                    core: other,
                    pc: at,
                }) if other != core && at == pc + 1 => {}
                Ok(_) | Err(_) => return Ok(self.arrived(reached, &behind, session)),
            }
        }
    }

    /// Goes back to the last copy that is old enough, and from there on again.
    fn back(&mut self, steps: u64, session: &Session<'_, '_>) -> Result<String, String> {
        let now = self.machine.steps();
        // A step that ended in a fault has not been counted.
        let undone = u64::from(self.fault.is_some());
        let target = now.saturating_sub(steps.saturating_sub(undone));
        let at = self.copies.iter().rposition(|copy| copy.steps() <= target);
        let at = at.ok_or("there is nothing to go back to")?;
        self.copies.truncate(at + 1);
        self.machine.restore(&self.copies[at]);
        self.fault = None;
        let again = target - self.machine.steps();
        let reached = match again {
            0 => Ok(Reached::Steps),
            _ => self.machine.run_until(&Stops::default(), again),
        };
        Ok(self.arrived(reached, &Stops::default(), session))
    }

    /// Looks at a core, by its number in the list or its name; lists them if nothing is said.
    fn choose(&mut self, text: &str, session: &Session<'_, '_>) -> Result<String, String> {
        let cores: Vec<CoreId> = self.machine.cores().collect();
        if !text.is_empty() {
            let by_number = text
                .parse()
                .ok()
                .and_then(|at: usize| cores.get(at).copied());
            let named = |core: &CoreId| core.to_string() == text;
            let found = by_number.or_else(|| cores.iter().copied().find(named));
            self.core = found.ok_or_else(|| format!("no core `{text}` runs"))?;
            return Ok(self.here(session));
        }
        Ok(show::cores(self.machine, &cores, self.core))
    }
}

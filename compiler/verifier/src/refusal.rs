//! Why an object is refused: the closed list, and where.
//!
//! Plain data with the instruction numbers of both sides; the driver turns it into a diagnostic with source places. Knows
//! nothing of how it was found.

use std::fmt;

use isa::legal::LegalError;
use isa::types::{CoreKind, Pipe, Space};

/// A core of the launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CoreName {
    /// Which group.
    pub group: u32,
    /// Which vector core of the group; none for the cube core.
    pub vector: Option<u8>,
}

impl CoreName {
    /// The kind of core, which says whose program it runs.
    pub const fn kind(self) -> CoreKind {
        match self.vector {
            None => CoreKind::Cube,
            Some(_) => CoreKind::Vector,
        }
    }
}

impl fmt::Display for CoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vector {
            None => write!(f, "cube core {}", self.group),
            Some(v) => write!(f, "vector core {}.{v}", self.group),
        }
    }
}

/// An instruction of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The core.
    pub core: CoreName,
    /// The number of the instruction in its program.
    pub pc: u32,
    /// The queue that runs it.
    pub pipe: Pipe,
}

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It reads.
    Reads,
    /// It writes.
    Writes,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verb::Reads => "reads",
            Verb::Writes => "writes",
        })
    }
}

/// A queue that never goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The instruction at its head.
    pub place: Place,
    /// What it waits for.
    pub on: WaitsFor,
}

/// What a queue waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// A flag.
    Flag(Pipe, Pipe, u8),
    /// A cross-core counter.
    Counter(u8),
    /// All queues to be empty; this one is not.
    Drain(Pipe),
    /// A place in a full queue.
    Full(Pipe),
    /// The unit flag of this byte of L0C to be set, or cleared.
    Unit(u64, bool),
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitsFor::Flag(src, dst, id) => write!(f, "flag {src} -> {dst} #{id}"),
            WaitsFor::Counter(id) => write!(f, "cross-core counter {id}"),
            WaitsFor::Drain(pipe) => write!(f, "{pipe} to drain"),
            WaitsFor::Full(pipe) => write!(f, "a place in the full queue of {pipe}"),
            WaitsFor::Unit(at, set) => {
                let turn = if *set { "set" } else { "cleared" };
                write!(f, "the unit flag of l0c+{at:#x} to be {turn}")
            }
        }
    }
}

/// What a data cache may hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cached {
    /// A line that a scalar load reads may have come before what it waited for since.
    OldLine,
    /// A scalar store that others may read or write over.
    Store,
}

/// What is wrong, or cannot be shown to be right.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Two accesses to the same bytes, at least one a write, that nothing orders.
    Race {
        /// Operand of the access at the place of the refusal.
        operand: &'static str,
        /// What it does.
        verb: Verb,
        /// Memory that both touch.
        space: Space,
        /// First byte that both touch, and the byte after the last of that piece.
        bytes: (u64, u64),
        /// The tensor, in global memory.
        tensor: Option<String>,
        /// What the other access does.
        other: Verb,
    },
    /// A result of the vector unit is read from a special register without order.
    UnorderedResult,
    /// The data cache of a scalar unit may hide what is there: a `dcci` is missing.
    Cached(Cached),
    /// A byte is used that nothing has written.
    Uninitialised {
        /// Operand that reads.
        operand: &'static str,
        /// Its memory.
        space: Space,
        /// The first such byte.
        address: u64,
        /// The tensor, in global memory.
        tensor: Option<String>,
    },
    /// An access outside every tensor.
    OutOfBounds {
        /// Operand.
        operand: &'static str,
        /// First byte.
        address: u64,
        /// Bytes from the first to the last.
        bytes: u64,
        /// The nearest tensor before it.
        nearest: String,
    },
    /// An input is written.
    ReadOnly {
        /// Operand.
        operand: &'static str,
        /// The input.
        tensor: String,
    },
    /// An operand value or a combination that the machine does not take.
    Illegal(LegalError),
    /// Something about the object as a whole.
    Object(String),
    /// A scalar division by zero.
    DivisionByZero,
    /// A `trap` is reached.
    Trap(u16),
    /// A jump, loop or return that leads nowhere.
    ControlFlow(&'static str),
    /// A flag is set although its last setting may not have been taken.
    FlagSetTwice(Pipe, Pipe, u8),
    /// A flag is still set at the end.
    FlagLeaked(Pipe, Pipe, u8),
    /// The unit flag of this byte of L0C is still set at the end.
    UnitFlagLeaked(u64),
    /// A counter is not zero at the end.
    CounterLeaked(u8),
    /// A counter may pass 15.
    CounterOverflow(u8),
    /// Queues that never go on, those of a circle first, each waiting for the next.
    Deadlock {
        /// The queues.
        stuck: Vec<Stuck>,
        /// How many form the circle.
        circle: usize,
    },
    /// A result is not written completely.
    OutputUnwritten {
        /// The tensor.
        tensor: String,
        /// First element without a value.
        element: u64,
    },
    /// A step does not do what is claimed of it.
    Claimed(String),
    /// The verifier cannot tell.
    Unknown(&'static str),
    /// More work than the verifier takes on.
    TooLong(u64),
}

/// The class of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Something unordered.
    Race,
    /// Something without a value.
    Uninitialised,
    /// Outside a memory or a tensor.
    Bounds,
    /// Against the rules of an instruction or of control flow.
    Legality,
    /// Flags and counters.
    Flags,
    /// No way on.
    Deadlock,
    /// Not known.
    Unknown,
}

impl Class {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Race => "race",
            Class::Uninitialised => "uninitialised",
            Class::Bounds => "bounds",
            Class::Legality => "legality",
            Class::Flags => "flags",
            Class::Deadlock => "deadlock",
            Class::Unknown => "unknown",
        }
    }
}

impl Reason {
    /// Its class.
    pub const fn class(&self) -> Class {
        match self {
            Reason::Race { .. } | Reason::UnorderedResult | Reason::Cached(_) => Class::Race,
            Reason::Uninitialised { .. } | Reason::OutputUnwritten { .. } => Class::Uninitialised,
            Reason::OutOfBounds { .. } | Reason::ReadOnly { .. } | Reason::Claimed(_) => {
                Class::Bounds
            }
            Reason::Illegal(_)
            | Reason::Object(_)
            | Reason::DivisionByZero
            | Reason::Trap(_)
            | Reason::ControlFlow(_) => Class::Legality,
            Reason::FlagSetTwice(..)
            | Reason::FlagLeaked(..)
            | Reason::UnitFlagLeaked(_)
            | Reason::CounterLeaked(_)
            | Reason::CounterOverflow(_) => Class::Flags,
            Reason::Deadlock { .. } => Class::Deadlock,
            Reason::Unknown(_) | Reason::TooLong(_) => Class::Unknown,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |tensor: &Option<String>| match tensor {
            Some(name) => format!(" of `{name}`"),
            None => String::new(),
        };
        match self {
            Reason::Race {
                operand,
                verb,
                space,
                bytes,
                tensor,
                other,
            } => write!(
                f,
                "`{operand}` {verb} bytes {:#x} to {:#x} of {space}{}, another instruction {other} them, and nothing orders the two",
                bytes.0,
                bytes.1,
                named(tensor)
            ),
            Reason::UnorderedResult => {
                f.write_str("a special register is read that v writes, and nothing orders the two")
            }
            Reason::Cached(Cached::OldLine) => f.write_str(
                "a scalar load may find an old line in the data cache, and no `dcci` has dropped it since the scalar unit waited",
            ),
            Reason::Cached(Cached::Store) => f.write_str(
                "a scalar store may be in the data cache still, because no `dcci` has written it back",
            ),
            Reason::Uninitialised {
                operand,
                space,
                address,
                tensor,
            } => write!(
                f,
                "`{operand}` reads byte {address:#x} of {space}{}, which nothing has written",
                named(tensor)
            ),
            Reason::OutOfBounds {
                operand,
                address,
                bytes,
                nearest,
            } => write!(
                f,
                "`{operand}` reaches {bytes} bytes from {address:#x} of gm, outside {nearest}"
            ),
            Reason::ReadOnly { operand, tensor } => {
                write!(f, "`{operand}` writes `{tensor}`, which is an input")
            }
            Reason::Illegal(error) => write!(f, "{error}"),
            Reason::Object(text) => f.write_str(text),
            Reason::DivisionByZero => f.write_str("division by zero"),
            Reason::Trap(code) => write!(f, "trap {code} is reached"),
            Reason::ControlFlow(what) => f.write_str(what),
            Reason::FlagSetTwice(src, dst, id) => write!(
                f,
                "flag {src} -> {dst} #{id} is set although its last setting may not have been waited for"
            ),
            Reason::FlagLeaked(src, dst, id) => {
                write!(f, "flag {src} -> {dst} #{id} is still set at the end")
            }
            Reason::UnitFlagLeaked(at) => {
                write!(f, "the unit flag of l0c+{at:#x} is still set at the end")
            }
            Reason::CounterLeaked(id) => {
                write!(f, "cross-core counter {id} is not zero at the end")
            }
            Reason::CounterOverflow(id) => write!(f, "cross-core counter {id} may pass 15"),
            Reason::Deadlock { stuck, circle } => {
                match circle {
                    0 => f.write_str("deadlock")?,
                    1 => f.write_str("deadlock of a queue with itself")?,
                    _ => write!(f, "deadlock in a circle of {circle}")?,
                }
                for (n, queue) in stuck.iter().enumerate().take((*circle).max(4)) {
                    let joint = if n == 0 { ": " } else { "; " };
                    let Place { core, pc, pipe } = queue.place;
                    write!(
                        f,
                        "{joint}{pipe} of {core} at instruction {pc} waits for {}",
                        queue.on
                    )?;
                }
                Ok(())
            }
            Reason::OutputUnwritten { tensor, element } => {
                write!(
                    f,
                    "result `{tensor}` gets no value from element {element} on"
                )
            }
            Reason::Claimed(what) => f.write_str(what),
            Reason::Unknown(what) => write!(f, "cannot be proved: {what}"),
            Reason::TooLong(steps) => write!(f, "cannot be proved in {steps} steps"),
        }
    }
}

/// An object that is not proved.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The instruction to blame; none where there is none.
    pub place: Option<Place>,
    /// The other side of a conflict.
    pub other: Option<Place>,
    /// Where the mistake may be, if that is a third place.
    pub hint: Option<Box<Hint>>,
}

/// Where a mistake may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hint {
    /// The instruction.
    pub place: Place,
    /// What about it.
    pub what: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if let Some(place) = &self.place {
            write!(f, ", at instruction {} of {}", place.pc, place.core)?;
        }
        if let Some(other) = &self.other {
            write!(
                f,
                " (the other: instruction {} of {})",
                other.pc, other.core
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

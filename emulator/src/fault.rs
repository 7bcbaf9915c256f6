//! The closed list of faults: what a program can do wrong, and where it did.
//!
//! A fault is plain data with the place as core, section and instruction number; the driver turns it into a diagnostic
//! through the object's line table. Nothing here knows how a fault is found.

use std::fmt;

use isa::types::{CoreKind, Pipe, Space};

/// A core of the launch: a cube core of a group, or one of its two vector cores.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId {
    /// Which group: the block number of the launch.
    pub group: u32,
    /// Which of the group's cores: none for the cube core, 0 or 1 for a vector core.
    pub vector: Option<u8>,
}

impl CoreId {
    /// The kind of core, which is also the section it runs.
    pub const fn kind(self) -> CoreKind {
        match self.vector {
            None => CoreKind::Cube,
            Some(_) => CoreKind::Vector,
        }
    }
}

impl fmt::Display for CoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vector {
            None => write!(f, "cube core {}", self.group),
            Some(v) => write!(f, "vector core {}.{v}", self.group),
        }
    }
}

/// Where a fault happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The core that ran the instruction.
    pub core: CoreId,
    /// Number of the instruction in the section of the core's kind.
    pub pc: u32,
    /// The instruction in assembly form.
    pub text: String,
}

/// Something that an object, run on these inputs, did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happened.
    pub kind: FaultKind,
    /// Where; none when no instruction is to blame (a bad input, an output left unwritten).
    pub place: Option<Place>,
}

/// Every kind of fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// An instruction used a byte that nothing has written.
    Uninitialised {
        /// Operand of the instruction.
        operand: &'static str,
        /// Memory that was read.
        space: Space,
        /// First byte without a value.
        address: u64,
    },
    /// An instruction reached outside a buffer or outside every tensor.
    OutOfBounds {
        /// Operand of the instruction.
        operand: &'static str,
        /// Memory that was addressed.
        space: Space,
        /// First byte of the access.
        address: u64,
        /// Length of the access.
        bytes: u64,
        /// What lies nearest: a tensor's name, or the size of the buffer.
        nearest: String,
    },
    /// An address without the alignment that the memory demands.
    Misaligned {
        /// Operand of the instruction.
        operand: &'static str,
        /// Memory that was addressed.
        space: Space,
        /// The address.
        address: u64,
        /// The alignment it should have.
        align: u64,
    },
    /// Two accesses to the same bytes, at least one a write, that nothing orders.
    Unordered {
        /// Operand of the later access.
        operand: &'static str,
        /// Memory that both touch.
        space: Space,
        /// First byte in conflict.
        address: u64,
        /// Pipe of the later access.
        pipe: Pipe,
        /// Whether the later access writes.
        write: bool,
        /// The earlier access.
        other: Box<OtherAccess>,
    },
    /// The scalar unit read a result of the vector unit that nothing orders before it.
    UnorderedResult {
        /// The special register that holds it.
        spr: &'static str,
        /// Number of the vector instruction, when it is still known.
        pc: Option<u32>,
    },
    /// The data cache of a scalar unit hides bytes that a later access, in order, should see: a `dcci` is missing.
    Cached {
        /// Operand of the later access.
        operand: &'static str,
        /// First byte in global memory that is hidden.
        address: u64,
        /// Pipe of the later access.
        pipe: Pipe,
        /// What is hidden.
        hidden: Hidden,
        /// The write that is not seen.
        other: Box<OtherAccess>,
    },
    /// A flag was set although it may still be set.
    FlagSetTwice {
        /// Pipe that sets.
        src: Pipe,
        /// Pipe that waits.
        dst: Pipe,
        /// Number of the flag.
        id: u8,
    },
    /// A flag was still set when the program ended.
    FlagLeaked {
        /// Pipe that sets.
        src: Pipe,
        /// Pipe that waits.
        dst: Pipe,
        /// Number of the flag.
        id: u8,
    },
    /// A block of L0C was filled for the fixpipe, which had not taken it when the program ended.
    UnitFlagLeaked {
        /// First byte of the block in L0C.
        address: u64,
    },
    /// A cross-core counter was not zero when the program ended.
    CounterLeaked {
        /// Number of the counter.
        id: u8,
        /// Its value.
        value: u32,
    },
    /// A cross-core counter passed 15.
    CounterOverflow {
        /// The core that owns the counter.
        owner: CoreId,
        /// Number of the counter.
        id: u8,
    },
    /// Nothing can run, and not every program has ended.
    Deadlock {
        /// What each blocked queue waits for; those that wait for each other in a circle first, each for the next.
        waits: Vec<Wait>,
        /// How many of them form the circle; none if they wait for what has ended.
        cycle: usize,
    },
    /// A result is no finite number although no operand was one, and the run was to stop at that.
    NotFinite {
        /// What it is.
        what: NotFinite,
        /// Operand that was written.
        operand: &'static str,
        /// Its memory.
        space: Space,
        /// Address of the element.
        address: u64,
    },
    /// An operand value that the instruction does not take.
    IllegalValue {
        /// Operand of the instruction.
        operand: &'static str,
        /// The value.
        value: i64,
        /// What it should be.
        expected: &'static str,
    },
    /// The instruction does not exist on this kind of core.
    WrongCore {
        /// Pipe that the core lacks.
        pipe: Pipe,
    },
    /// A combination of operands that the model does not define.
    NotModelled {
        /// What it is.
        what: &'static str,
    },
    /// A scalar division by zero.
    DivisionByZero,
    /// A control transfer outside the section, or an unbalanced loop, call or return.
    BadControlFlow {
        /// What it is.
        what: &'static str,
    },
    /// More instructions than the options allow.
    StepLimit {
        /// The limit.
        steps: u64,
    },
    /// The core gives more instructions to its queues than are recorded.
    QueueLimit {
        /// The limit.
        instructions: u64,
    },
    /// A `trap` instruction.
    Trap {
        /// Its code.
        code: u16,
    },
    /// An output tensor was not written completely.
    OutputUnwritten {
        /// Name of the tensor.
        tensor: String,
        /// First element without a value.
        element: u64,
    },
    /// The inputs do not fit the kernel.
    BadInput {
        /// What is wrong.
        what: String,
    },
    /// A run without values came to where one decides.
    NeedsValues {
        /// What it decides.
        what: &'static str,
    },
    /// The object cannot be run on this chip.
    BadObject {
        /// What is wrong.
        what: String,
    },
}

/// What a result is that is no finite number.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum NotFinite {
    /// Not a number.
    Nan,
    /// Too large for its type: an infinity, or the largest f16 where f16 saturates.
    Overflow,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotFinite::Nan => "NaN",
            NotFinite::Overflow => "overflow",
        })
    }
}

/// What a data cache hides.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// The scalar unit loads from a line that came before the bytes were written to global memory.
    OldLine,
    /// A store of the scalar unit is in a line that nothing has written back.
    Store {
        /// Whether the later access writes.
        write: bool,
    },
}

/// What looks for a mistake.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sanitizer {
    /// Values used before they are written, results left unwritten.
    Uninitialised,
    /// Accesses outside buffers and tensors.
    Bounds,
    /// Addresses that are not multiples of what they should be.
    Alignment,
    /// Unordered accesses of the pipes of one core.
    RaceInCore,
    /// Unordered accesses of several cores.
    RaceBetweenCores,
    /// Bytes that the data cache of a scalar unit hides.
    DataCache,
    /// Flags and counters set twice, left over or passed beyond their bits.
    FlagMisuse,
    /// Queues that wait for ever.
    Deadlock,
    /// The first results that are no finite numbers.
    NanOrigin,
}

impl Sanitizer {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Sanitizer::Uninitialised => "uninitialised read",
            Sanitizer::Bounds => "bounds",
            Sanitizer::Alignment => "alignment",
            Sanitizer::RaceInCore => "race inside a core",
            Sanitizer::RaceBetweenCores => "race between cores",
            Sanitizer::DataCache => "data cache",
            Sanitizer::FlagMisuse => "flag misuse",
            Sanitizer::Deadlock => "deadlock",
            Sanitizer::NanOrigin => "NaN origin",
        }
    }
}

impl Fault {
    /// Which sanitizer found it; none for what no sanitizer looks for.
    pub fn sanitizer(&self) -> Option<Sanitizer> {
        match &self.kind {
            FaultKind::Uninitialised { .. } | FaultKind::OutputUnwritten { .. } => {
                Some(Sanitizer::Uninitialised)
            }
            FaultKind::OutOfBounds { .. } => Some(Sanitizer::Bounds),
            FaultKind::Misaligned { .. } => Some(Sanitizer::Alignment),
            FaultKind::Unordered { other, .. } => match &self.place {
                Some(place) if place.core != other.core => Some(Sanitizer::RaceBetweenCores),
                Some(_) | None => Some(Sanitizer::RaceInCore),
            },
            FaultKind::UnorderedResult { .. } => Some(Sanitizer::RaceInCore),
            FaultKind::Cached { .. } => Some(Sanitizer::DataCache),
            FaultKind::FlagSetTwice { .. }
            | FaultKind::FlagLeaked { .. }
            | FaultKind::UnitFlagLeaked { .. }
            | FaultKind::CounterLeaked { .. }
            | FaultKind::CounterOverflow { .. } => Some(Sanitizer::FlagMisuse),
            FaultKind::Deadlock { .. } => Some(Sanitizer::Deadlock),
            FaultKind::NotFinite { .. } => Some(Sanitizer::NanOrigin),
            FaultKind::IllegalValue { .. }
            | FaultKind::WrongCore { .. }
            | FaultKind::NotModelled { .. }
            | FaultKind::DivisionByZero
            | FaultKind::BadControlFlow { .. }
            | FaultKind::StepLimit { .. }
            | FaultKind::QueueLimit { .. }
            | FaultKind::Trap { .. }
            | FaultKind::BadInput { .. }
            | FaultKind::NeedsValues { .. }
            | FaultKind::BadObject { .. } => None,
        }
    }
}

/// The access that a later one conflicts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherAccess {
    /// Its core.
    pub core: CoreId,
    /// Its pipe.
    pub pipe: Pipe,
    /// Whether it writes.
    pub write: bool,
    /// Its instruction number, when it is still known.
    pub pc: Option<u32>,
}

/// A queue that cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Its core.
    pub core: CoreId,
    /// Its pipe.
    pub pipe: Pipe,
    /// Number of the instruction at its head.
    pub pc: u32,
    /// What it waits for.
    pub reason: WaitReason,
}

/// What a blocked queue waits for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// A flag that `src` has to set.
    Flag {
        /// Pipe that sets.
        src: Pipe,
        /// Pipe that waits.
        dst: Pipe,
        /// Number of the flag.
        id: u8,
    },
    /// A cross-core counter that other cores have to raise.
    Counter {
        /// Number of the counter.
        id: u8,
        /// Its value.
        value: u32,
        /// How many cores have to set it for one step.
        quorum: u32,
    },
    /// The scalar unit waits until a queue has drained.
    Drain {
        /// The queue.
        pipe: Pipe,
    },
    /// Cube or fixpipe waits for a unit flag of L0C.
    Unit {
        /// First byte of the block.
        address: u64,
        /// Whether it waits for 1.
        set: bool,
    },
    /// The scalar unit waits for a place in a full queue.
    Full {
        /// The queue.
        pipe: Pipe,
    },
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitReason::Flag { src, dst, id } => {
                write!(f, "flag {src} -> {dst} #{id}, which only {src} can set")
            }
            WaitReason::Counter { id, quorum, .. } => {
                write!(
                    f,
                    "cross-core counter {id}, which takes a set from each of {quorum}"
                )
            }
            WaitReason::Drain { pipe } => write!(f, "{pipe} to drain"),
            WaitReason::Unit { address, set } => {
                let (turn, who) = if *set {
                    ("set", "m")
                } else {
                    ("cleared", "fix")
                };
                write!(
                    f,
                    "the unit flag of l0c+{address:#x} to be {turn}, which only {who} can do"
                )
            }
            WaitReason::Full { pipe } => write!(f, "a place in the full queue of {pipe}"),
        }
    }
}

impl FaultKind {
    /// Whether another run of the same would only take as long to stop for the same reason.
    pub(crate) const fn is_limit(&self) -> bool {
        matches!(
            self,
            FaultKind::StepLimit { .. } | FaultKind::QueueLimit { .. }
        )
    }

    /// The diagnostic code of this kind; the registry has a page for each.
    pub const fn code(&self) -> &'static str {
        match self {
            FaultKind::Uninitialised { .. } | FaultKind::OutputUnwritten { .. } => "F0001",
            FaultKind::OutOfBounds { .. } => "F0002",
            FaultKind::Misaligned { .. } => "F0003",
            FaultKind::FlagSetTwice { .. }
            | FaultKind::FlagLeaked { .. }
            | FaultKind::UnitFlagLeaked { .. }
            | FaultKind::CounterLeaked { .. }
            | FaultKind::CounterOverflow { .. } => "F0004",
            FaultKind::Deadlock { .. } => "F0005",
            FaultKind::NotModelled { .. } => "F0006",
            FaultKind::BadObject { .. } => "E0603",
            FaultKind::StepLimit { .. } | FaultKind::QueueLimit { .. } => "F0008",
            FaultKind::DivisionByZero => "F0009",
            FaultKind::BadInput { .. } | FaultKind::NeedsValues { .. } => "E0705",
            FaultKind::IllegalValue { .. }
            | FaultKind::BadControlFlow { .. }
            | FaultKind::WrongCore { .. }
            | FaultKind::Trap { .. } => "F0011",
            FaultKind::Unordered { .. } | FaultKind::UnorderedResult { .. } => "F0010",
            FaultKind::NotFinite { .. } => "F0012",
            FaultKind::Cached { .. } => "F0013",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Uninitialised {
                operand,
                space,
                address,
            } => write!(
                f,
                "`{operand}` reads {space}+{address:#x}, which nothing has written"
            ),
            FaultKind::OutOfBounds {
                operand,
                space,
                address,
                bytes,
                nearest,
            } => write!(
                f,
                "`{operand}` reaches {bytes} bytes at {space}+{address:#x}, outside {nearest}"
            ),
            FaultKind::Misaligned {
                operand,
                space,
                address,
                align,
            } => write!(
                f,
                "`{operand}` is at {space}+{address:#x}, which is not a multiple of {align}"
            ),
            FaultKind::Unordered {
                operand,
                space,
                address,
                pipe,
                write,
                other,
            } => {
                let verb = |w: bool| if w { "writes" } else { "reads" };
                write!(
                    f,
                    "`{operand}` {} {space}+{address:#x} on {pipe}, but {} of {} {} it and nothing orders the two",
                    verb(*write),
                    other.pipe,
                    other.core,
                    verb(other.write)
                )?;
                match other.pc {
                    Some(pc) => write!(f, " (instruction {pc})"),
                    None => Ok(()),
                }
            }
            FaultKind::UnorderedResult { spr, pc } => {
                write!(
                    f,
                    "`{spr}` is read, but v writes it and nothing orders the two"
                )?;
                match pc {
                    Some(pc) => write!(f, " (instruction {pc})"),
                    None => Ok(()),
                }
            }
            FaultKind::Cached {
                operand,
                address,
                pipe,
                hidden,
                other,
            } => {
                let access = match hidden {
                    Hidden::OldLine => "loads an old value of",
                    Hidden::Store { write: true } => "writes",
                    Hidden::Store { write: false } => "reads",
                };
                write!(f, "`{operand}` {access} gm+{address:#x} on {pipe}: ")?;
                match hidden {
                    Hidden::OldLine => write!(
                        f,
                        "the data cache has had its line since before {} of {} wrote it, and no `dcci` has dropped that",
                        other.pipe, other.core
                    )?,
                    Hidden::Store { .. } => write!(
                        f,
                        "a store of {} of {} to it is in the data cache still, because no `dcci` has written it back",
                        other.pipe, other.core
                    )?,
                }
                match other.pc {
                    Some(pc) => write!(f, " (instruction {pc})"),
                    None => Ok(()),
                }
            }
            FaultKind::FlagSetTwice { src, dst, id } => write!(
                f,
                "flag {src} -> {dst} #{id} is set although its last setting may not have been waited for"
            ),
            FaultKind::FlagLeaked { src, dst, id } => write!(
                f,
                "flag {src} -> {dst} #{id} is still set at the end of the program"
            ),
            FaultKind::UnitFlagLeaked { address } => write!(
                f,
                "the unit flag of l0c+{address:#x} is still set at the end of the program"
            ),
            FaultKind::CounterLeaked { id, value } => write!(
                f,
                "cross-core counter {id} is still {value} at the end of the program"
            ),
            FaultKind::CounterOverflow { owner, id } => {
                write!(f, "cross-core counter {id} of {owner} passes 15")
            }
            FaultKind::NotFinite {
                what,
                operand,
                space,
                address,
            } => write!(
                f,
                "`{operand}` gets the first {what} at {space}+{address:#x}; no operand had one"
            ),
            FaultKind::Deadlock { waits, cycle } => {
                match cycle {
                    0 => write!(f, "deadlock")?,
                    1 => write!(f, "deadlock of a queue with itself")?,
                    _ => write!(f, "deadlock in a circle of {cycle}")?,
                }
                for (n, wait) in waits.iter().enumerate() {
                    let joint = if n == 0 { ": " } else { "; " };
                    write!(
                        f,
                        "{joint}{} of {} at instruction {} waits for {}",
                        wait.pipe, wait.core, wait.pc, wait.reason
                    )?;
                }
                Ok(())
            }
            FaultKind::IllegalValue {
                operand,
                value,
                expected,
            } => write!(f, "`{operand}` is {value}, expected {expected}"),
            FaultKind::WrongCore { pipe } => write!(f, "this core has no pipe {pipe}"),
            FaultKind::NotModelled { what } => write!(f, "not modelled: {what}"),
            FaultKind::DivisionByZero => write!(f, "division by zero"),
            FaultKind::BadControlFlow { what } => write!(f, "{what}"),
            FaultKind::QueueLimit { instructions } => {
                write!(f, "more than {instructions} instructions for queues")
            }
            FaultKind::StepLimit { steps } => write!(f, "more than {steps} instructions"),
            FaultKind::Trap { code } => write!(f, "trap {code}"),
            FaultKind::OutputUnwritten { tensor, element } => {
                write!(
                    f,
                    "output `{tensor}` has no value from element {element} on"
                )
            }
            FaultKind::NeedsValues { what } => write!(
                f,
                "a value in memory decides {what}, so the cycles cannot be told without values and all inputs"
            ),
            FaultKind::BadInput { what } | FaultKind::BadObject { what } => f.write_str(what),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match &self.place {
            Some(p) => write!(f, ", at `{}` (instruction {} of {})", p.text, p.pc, p.core),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// What stops an executor method: a fault still without its place.
pub(crate) type Stop = Box<FaultKind>;

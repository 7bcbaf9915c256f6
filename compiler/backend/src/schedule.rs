//! Decisions as data: what is left open about a kernel once it is cut into steps, and what was chosen.
//!
//! A tiler describes each step as a list of [`Slot`]s: a [`Knob`] and the place in the schedule language where its value
//! stands. What is given binds the tiler, what is not is filled in by its rule; what it ends with is a [`Schedule`]. The
//! same decisions give the same object. Knows neither trees nor how a value is chosen. Text is written in `print`, what
//! was written in a source is understood in `resolve`.

mod print;
pub(crate) mod resolve;
pub mod space;

use std::collections::BTreeMap;

use diag::Span;
use isa::types::Space;

/// One thing that is decided about a step.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Knob {
    /// Rows of a block of the result.
    #[default]
    Rows,
    /// Columns of a block of the result; items of a block of a pass.
    Cols,
    /// Elements from one row to the next in buffers.
    Pitch,
    /// Copies of what a block stores.
    OutDepth,
    /// Elements of the reduction in a packet in L1; items of one that are computed together in UB.
    Packet,
    /// Copies of a packet in L1.
    PacketDepth,
    /// Elements of the reduction in a step in L0.
    Step,
    /// Copies of a step in L0.
    StepDepth,
    /// Accumulators in L0C.
    AccDepth,
    /// Rows that a vector core computes with at a time.
    Strip,
    /// Copies of what vector cores load and store.
    StripDepth,
    /// Items whose scores go through L0 at a time.
    Scores,
    /// Items whose products with their weights go through L0 at a time.
    Weights,
    /// Where what follows a product is computed: 0 on its way out, by the fixpipe; 1 by the vector cores.
    Epilogue,
    /// Elements from one row of a product's left factor to the next, as the cube reads it: more than its own are those
    /// of a copy.
    LeftPitch,
    /// The same of the right factor.
    RightPitch,
    /// The order of blocks: 0 is row by row; of another number so many blocks beside each other share rows, and the next
    /// so many are one block further down.
    Order,
}

impl Knob {
    /// Every knob.
    pub const ALL: [Knob; 17] = [
        Knob::Rows,
        Knob::Cols,
        Knob::Pitch,
        Knob::OutDepth,
        Knob::Packet,
        Knob::PacketDepth,
        Knob::Step,
        Knob::StepDepth,
        Knob::AccDepth,
        Knob::Strip,
        Knob::StripDepth,
        Knob::Scores,
        Knob::Weights,
        Knob::Epilogue,
        Knob::LeftPitch,
        Knob::RightPitch,
        Knob::Order,
    ];

    /// A word for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Knob::Rows => "rows",
            Knob::Cols => "columns",
            Knob::Pitch => "pitch",
            Knob::OutDepth => "result depth",
            Knob::Packet => "packet",
            Knob::PacketDepth => "packet depth",
            Knob::Step => "step",
            Knob::StepDepth => "step depth",
            Knob::AccDepth => "accumulator depth",
            Knob::Strip => "strip",
            Knob::StripDepth => "strip depth",
            Knob::Scores => "scores",
            Knob::Weights => "weights",
            Knob::Epilogue => "epilogue",
            Knob::LeftPitch => "pitch of the left factor",
            Knob::RightPitch => "pitch of the right factor",
            Knob::Order => "order of blocks",
        }
    }

    /// Values next to one, which a search tries: twice and half as much, one more and one less, or the other one.
    /// What is decided beside it says how far a packet's next size is.
    pub fn near(self, value: i64, beside: &Values) -> Vec<i64> {
        match self {
            Knob::OutDepth
            | Knob::PacketDepth
            | Knob::StepDepth
            | Knob::AccDepth
            | Knob::StripDepth => [value + 1, value - 1]
                .into_iter()
                .filter(|v| *v >= 1)
                .collect(),
            Knob::Rows | Knob::Cols | Knob::Step | Knob::Strip | Knob::Scores | Knob::Weights => {
                let half = (value % 2 == 0 && value > 1).then_some(value / 2);
                [Some(2 * value), half].into_iter().flatten().collect()
            }
            // A packet of a step more or less, too.
            Knob::Packet => {
                let step = beside.get(&Knob::Step).copied().unwrap_or(STEP);
                [value - step, value + step, 2 * value, value / 2]
                    .into_iter()
                    .filter(|v| *v > 0)
                    .collect()
            }
            Knob::Epilogue => vec![1 - value],
            Knob::Order => vec![i64::from(value == 0)],
            Knob::Pitch | Knob::LeftPitch | Knob::RightPitch => Vec::new(),
        }
    }

    /// Decisions that follow from this one, and are the rule's again when it changes.
    pub const fn frees(self) -> &'static [Knob] {
        match self {
            Knob::Cols => &[Knob::Pitch],
            Knob::Rows | Knob::Epilogue => &[Knob::Strip],
            Knob::Pitch
            | Knob::LeftPitch
            | Knob::RightPitch
            | Knob::Order
            | Knob::OutDepth
            | Knob::Packet
            | Knob::PacketDepth
            | Knob::Step
            | Knob::StepDepth
            | Knob::AccDepth
            | Knob::Strip
            | Knob::StripDepth
            | Knob::Scores
            | Knob::Weights => &[],
        }
    }
}

/// The order of blocks that goes down strips of so many rows of blocks, column by column: the value of
/// [`Knob::Order`] for `swizzle(rows)`.
pub const fn swizzle(rows: i64) -> i64 {
    -rows
}

/// The order of blocks `swizzle(?)`: in strips, of whatever height the rule finds best.
pub const ANY_SWIZZLE: i64 = i64::MIN;

/// Elements of the reduction that a step in L0 usually has.
const STEP: i64 = 64;

/// Values by knob.
pub type Values = BTreeMap<Knob, i64>;

/// The complete decisions about one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSchedule {
    /// The definition that names the step.
    pub name: String,
    /// What was decided.
    pub values: Values,
    /// Where the values stand in the language, in the order of printing.
    pub(crate) slots: Vec<Slot>,
}

/// Every decision about a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The kernel.
    pub kernel: String,
    /// The chip.
    pub target: String,
    /// Cores, if not all of the chip's.
    pub cores: Option<u32>,
    /// Definitions that are in memory although one pass could compute them together.
    pub keep: Vec<String>,
    /// The steps in the order in which they run.
    pub steps: Vec<StepSchedule>,
    /// Remarks, as comments.
    pub(crate) remarks: Vec<String>,
}

impl Schedule {
    /// The values of a step.
    pub fn step(&self, name: &str) -> Option<&StepSchedule> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Decides one thing about a step, as if it had been written.
    pub fn set(&mut self, step: &str, knob: Knob, value: i64) {
        match self.steps.iter_mut().find(|known| known.name == step) {
            Some(known) => {
                known.values.insert(knob, value);
            }
            None => self.steps.push(StepSchedule {
                name: step.to_owned(),
                values: [(knob, value)].into(),
                slots: Vec::new(),
            }),
        }
    }
}

/// An index as the language names it: the index of the first of these definitions, or of any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Definitions that have it.
    pub(crate) defs: Vec<String>,
    /// Its name.
    pub(crate) index: String,
}

/// Where in the language the value of a knob stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `grid a.i: VALUE`
    Grid(Axis),
    /// `stream a.i: VALUE in a.i: OUTER place … depth …`
    Stream {
        axis: Axis,
        inside: Option<Knob>,
        places: Vec<(Vec<String>, Space)>,
        depth: Option<Knob>,
    },
    /// `place a in l0c depth VALUE`
    Depth { names: Vec<String>, space: Space },
    /// `pad a to VALUE`
    Pad(Vec<String>),
    /// `engine a, b = fixpipe` or `= vector`
    Epilogue(Vec<String>),
    /// `engine a, b = ENGINE`, which nothing else can be.
    Engine {
        names: Vec<String>,
        engine: &'static str,
    },
    /// Stands in another slot.
    Elsewhere,
}

/// A knob and where its value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) knob: Option<Knob>,
    pub(crate) form: Form,
}

impl Slot {
    pub(crate) fn new(knob: Knob, form: Form) -> Slot {
        Slot {
            knob: Some(knob),
            form,
        }
    }

    /// What the step's engine is, as something to be checked.
    pub(crate) fn engine(names: Vec<String>, engine: &'static str) -> Slot {
        Slot {
            knob: None,
            form: Form::Engine { names, engine },
        }
    }
}

/// What is given about a step, each value with the place where it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) values: Values,
    pub(crate) spans: BTreeMap<Knob, Span>,
}

impl Given {
    /// Whether values contradict nothing that is given.
    pub(crate) fn allows(&self, values: &Values) -> bool {
        let same = |(knob, value): (&Knob, &i64)| values.get(knob).is_none_or(|v| v == value);
        self.values.iter().all(same)
    }

    /// Where a value was written, if one of these was.
    pub(crate) fn place(&self, knobs: &[Knob]) -> Option<Span> {
        knobs.iter().find_map(|knob| self.spans.get(knob)).copied()
    }
}

//! The instructions: everything the table derives, under one name.
//!
//! [`Inst`] is one instruction, with a struct per row; [`INFO`] is the table as data; [`execute`] dispatches to the
//! executor traits, one a pipe, which the emulator implements.

pub use crate::codec::{DecodeError, EncodeError};
pub use crate::operand::*;
pub use crate::table::*;

use crate::types::{CoreKind, Pipe, Space};
use smallvec::SmallVec;
use std::fmt;

/// What an executor does when an instruction cannot go on: its fault, or an event it returns to its loop.
pub trait Executor {
    /// Why execution stops.
    type Stop;
}

/// One row of the table as data.
#[derive(Clone, Copy, Debug)]
pub struct InstInfo {
    /// Its opcode.
    pub opcode: Opcode,
    /// Its name in assembly.
    pub mnemonic: &'static str,
    /// The pipe that executes it.
    pub pipe: Pipe,
    /// The executor trait that owes it a method.
    pub unit: &'static str,
    /// Its documentation: the first line is the summary. Lines keep the blank that follows `///`.
    pub doc: &'static str,
    /// Its operands in row order.
    pub operands: &'static [OperandInfo],
}

/// One operand of a row as data.
#[derive(Clone, Copy, Debug)]
pub struct OperandInfo {
    /// Its name.
    pub name: &'static str,
    /// Its Rust type as the row has it.
    pub ty: &'static str,
    /// What it is.
    pub kind: OperandKind,
    /// Bits it takes in the word.
    pub bits: u32,
    /// Whether it is written as a suffix of the mnemonic.
    pub suffix: bool,
}

impl InstInfo {
    /// The first line of the documentation, without the row numbers of the facts page.
    pub fn summary(&self) -> &'static str {
        let line = self.doc.lines().next().unwrap_or("").trim();
        line.rfind(" (row").map_or(line, |end| &line[..end])
    }

    /// Bits of the word that are used, opcode included.
    pub fn bits(&self) -> u32 {
        8 + self
            .operands
            .iter()
            .map(|operand| operand.bits)
            .sum::<u32>()
    }

    /// Whether that kind of core executes it.
    pub fn runs_on(&self, core: CoreKind) -> bool {
        let vector_state = matches!(
            self.opcode,
            Opcode::Vsetmask | Opcode::Vsetcount | Opcode::Vseta
        );
        match self.pipe {
            Pipe::S => !vector_state || core == CoreKind::Vector,
            Pipe::V => core == CoreKind::Vector,
            Pipe::M | Pipe::Mte1 | Pipe::Fix => core == CoreKind::Cube,
            Pipe::Mte2 | Pipe::Mte3 => self.operands.iter().all(|operand| operand.is_on(core)),
        }
    }
}

impl OperandInfo {
    /// Whether that kind of core has the memory it names.
    fn is_on(&self, core: CoreKind) -> bool {
        if let OperandKind::Memory(space, _) = self.kind {
            has_space(core, space)
        } else {
            true
        }
    }
}

/// Whether that kind of core has the memory space (davinci-facts §1.2).
pub const fn has_space(core: CoreKind, space: Space) -> bool {
    match space {
        Space::Gm => true,
        Space::Ub => matches!(core, CoreKind::Vector),
        Space::L1 | Space::L0a | Space::L0b | Space::L0c | Space::Bt | Space::Fb => {
            matches!(core, CoreKind::Cube)
        }
    }
}

/// Whether that kind of core has the pipe (davinci-facts §1.2).
pub const fn has_pipe(core: CoreKind, pipe: Pipe) -> bool {
    match pipe {
        Pipe::S | Pipe::Mte2 | Pipe::Mte3 => true,
        Pipe::V => matches!(core, CoreKind::Vector),
        Pipe::M | Pipe::Mte1 | Pipe::Fix => matches!(core, CoreKind::Cube),
    }
}

/// Row of each opcode value in [`INFO`]; 255 where there is none.
const ROW_OF: [u8; 256] = {
    let mut rows = [u8::MAX; 256];
    let mut row = 0;
    while row < Opcode::ALL.len() {
        rows[Opcode::ALL[row] as usize] = row as u8;
        row += 1;
    }
    rows
};

/// The row of an opcode.
pub fn info(opcode: Opcode) -> &'static InstInfo {
    &INFO[usize::from(ROW_OF[opcode as usize])]
}

/// The identifier of a row without the mark that makes a keyword one.
pub(crate) const fn plain_name(identifier: &str) -> &str {
    if let [b'r', b'#', ..] = identifier.as_bytes() {
        identifier.split_at(2).1
    } else {
        identifier
    }
}

impl Opcode {
    /// The opcode of that value, if there is one.
    pub fn from_code(code: u8) -> Option<Opcode> {
        Opcode::ALL
            .get(usize::from(ROW_OF[usize::from(code)]))
            .copied()
    }

    /// The opcode of that mnemonic, if there is one.
    pub fn from_mnemonic(mnemonic: &str) -> Option<Opcode> {
        INFO.iter()
            .find(|info| info.mnemonic == mnemonic)
            .map(|info| info.opcode)
    }

    /// Its name in assembly.
    pub fn mnemonic(self) -> &'static str {
        info(self).mnemonic
    }
}

/// The registers of an instruction, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// Those it reads.
    pub reads: u32,
    /// Those it writes.
    pub writes: u32,
}

impl Visitor for Registers {
    fn reads(&mut self, reg: Reg) {
        self.reads |= 1 << reg.index();
    }

    fn writes(&mut self, reg: Reg) {
        self.writes |= 1 << reg.index();
    }
}

/// The places in memory of an instruction, in row order.
pub type MemRefs = SmallVec<[MemRef; 4]>;

struct Places(MemRefs);

impl Visitor for Places {
    fn memory(&mut self, memory: MemRef) {
        self.0.push(memory);
    }
}

struct Target(Option<Label>);

impl Visitor for Target {
    fn label(&mut self, label: Label) {
        self.0 = Some(label);
    }
}

impl Inst {
    /// The general registers it reads and writes.
    pub fn registers(&self) -> Registers {
        let mut registers = Registers::default();
        self.visit(&mut registers);
        registers
    }

    /// The places in memory it names, in row order.
    pub fn memory(&self) -> MemRefs {
        let mut places = Places(MemRefs::new());
        self.visit(&mut places);
        places.0
    }

    /// The label it names.
    pub fn label(&self) -> Option<Label> {
        let mut target = Target(None);
        self.visit(&mut target);
        target.0
    }

    /// Its mnemonic.
    pub fn mnemonic(&self) -> &'static str {
        self.opcode().mnemonic()
    }

    /// The queue it waits in: the pipe it names for flags, barriers and cross-core flags, else [`Inst::pipe`].
    ///
    /// `bar all` stays with the scalar unit.
    pub fn queue(&self) -> Pipe {
        let named = if let Inst::SetFlag(i) = self {
            i.src.pipe()
        } else if let Inst::WaitFlag(i) = self {
            i.dst.pipe()
        } else if let Inst::Bar(i) = self {
            i.pipe.pipe()
        } else if let Inst::Xset(i) = self {
            i.pipe.pipe()
        } else if let Inst::Xwait(i) = self {
            i.pipe.pipe()
        } else {
            None
        };
        named.unwrap_or(self.pipe())
    }
}

impl fmt::Display for Inst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.print(&mut text, TextCx::default());
        f.write_str(&text)
    }
}

/// Reads the text of one instruction; `labels` gives the index of a label's name.
pub fn parse_inst(text: &str, labels: &dyn Fn(&str) -> Option<u32>) -> Result<Inst, TextError> {
    let (mnemonic, span, mut cursor) = Cursor::new(text, labels);
    let unknown = TextErrorKind::UnknownMnemonic(mnemonic.to_owned());
    let opcode = Opcode::from_mnemonic(mnemonic).ok_or(TextError {
        kind: unknown,
        span,
    })?;
    Inst::parse(opcode, &mut cursor)
}

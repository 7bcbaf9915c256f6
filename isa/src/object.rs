//! Objects: a kernel's two programs, what a launch needs to know about it, and where each instruction came from.
//!
//! An object is a little-endian ELF64 file (`e_machine` 0x1029, we choose), written and read by [`Object::write`] and
//! [`Object::read`]; it is a function of its contents alone, byte for byte. Sections:
//!
//! | section | holds |
//! |---|---|
//! | `.text.aic`, `.text.aiv` | instruction words of the cube program and of the vector program |
//! | `.vinci.kernel` | chip, parameters, sizes, cores, work: TOML |
//! | `.vinci.lines.aic`, `.vinci.lines.aiv` | [`LineRow`]s with exact byte spans, six 32-bit numbers each |
//! | `.vinci.claims` | which buffers there are on chip and which bytes each step uses: [`Claims`]; absent if nothing is claimed |
//! | `.vinci.certificate` | what was proved of it: text; absent if nothing was |
//! | `.debug_*` | the same places as DWARF 5, for tools that know no Vinci |
//!
//! # Launch convention (we choose)
//!
//! At launch spr `para_base` holds the global address of the parameter block: an array of 8-byte words, one per entry of
//! [`KernelMeta::params`] in order, each the global address of that tensor (512 B aligned), then the value of each of [`Launch::sizes`]. Spr `blockid` is the number of
//! the cube core on a cube core, and of its group on a vector core; `subblockid` is 0 or 1 on the vector cores of a group
//! and 0 on cube cores; `blocknum` is the number of groups launched. General registers start as zero, every vector lane
//! is on, `ctrl` is [`crate::inst::Spr::CTRL_RESET`], CMPMASK and the vector address registers are zero, and all flags and
//! counters are clear, which they must be again at `end`.
//!
//! Knows no source text and no compiler.

pub mod claims;
mod debug;
mod elf;
pub mod formula;
mod launch;
mod meta;

pub use claims::Claims;
pub use launch::{Launch, LaunchError};

use crate::codec::{DecodeError, EncodeError};
use crate::inst::{Inst, MmadTy, info};
use crate::types::{CoreKind, Elem};
use std::fmt;

/// The machine number of the ELF header: not assigned to anybody (we choose).
pub const ELF_MACHINE: u16 = 0x1029;
/// Most instructions of one program: a label has 24 bits.
pub const MAX_CODE: usize = 1 << 24;

/// A finished kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Name of the chip it was made for.
    pub chip: String,
    /// [`crate::chip::Chip::version_stamp`] of that chip.
    pub chip_version: String,
    /// What a launch needs to know.
    pub kernel: KernelMeta,
    /// Program of the cube cores; empty if none runs.
    pub aic: Vec<Inst>,
    /// Program of the vector cores; empty if none runs.
    pub aiv: Vec<Inst>,
    /// Source files that lines refer to.
    pub files: Vec<String>,
    /// Where the cube program came from, by ascending `pc`.
    pub lines_aic: Vec<LineRow>,
    /// Where the vector program came from, by ascending `pc`.
    pub lines_aiv: Vec<LineRow>,
    /// What its maker says of buffers and steps; empty if nothing is said. Assembly has no words for it.
    pub claims: Claims,
    /// What a verifier has proved of it, as text; empty if none has.
    pub certificate: String,
}

/// What a launch, a report and a check need to know about a kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelMeta {
    /// Its name.
    pub name: String,
    /// Tensors in the order of the parameter block.
    pub params: Vec<ParamMeta>,
    /// Size variables and their values; 0 for one that the launch gives.
    pub sizes: Vec<(String, u64)>,
    /// The sizes that the launch gives, and what depends on them.
    pub launch: Launch,
    /// Cube cores that run.
    pub cube_cores: u32,
    /// Vector cores that run.
    pub vector_cores: u32,
    /// Useful multiply-adds of the cube.
    pub mads: u64,
    /// Operand type of those multiply-adds.
    pub mad_ty: Option<MmadTy>,
    /// Useful element operations of the vector cores.
    pub vector_ops: u64,
    /// Bytes that every implementation must move through global memory: inputs once, outputs once.
    pub compulsory_bytes: u64,
    /// Optimisation level and options, for reports.
    pub opt: String,
}

/// One tensor of the parameter block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamMeta {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub elem: Elem,
    /// Its extents, outermost first; none for a scalar.
    pub shape: Vec<u64>,
    /// Whether the kernel reads it, writes it, or uses it as workspace.
    pub dir: ParamDir,
}

impl ParamMeta {
    /// Bytes of the tensor; `None` if they are beyond 64 bits.
    pub fn bytes(&self) -> Option<u64> {
        self.shape
            .iter()
            .try_fold(self.elem.bytes(), |bytes, &extent| {
                bytes.checked_mul(extent)
            })
    }
}

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParamDir {
    /// An argument.
    In,
    /// A result.
    Out,
    /// Workspace: undefined before and after.
    Work,
}

impl ParamDir {
    /// Every one.
    pub const ALL: [ParamDir; 3] = [ParamDir::In, ParamDir::Out, ParamDir::Work];

    /// The word in assembly and metadata.
    pub const fn name(self) -> &'static str {
        match self {
            ParamDir::In => "in",
            ParamDir::Out => "out",
            ParamDir::Work => "work",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<ParamDir> {
        ParamDir::ALL.into_iter().find(|dir| dir.name() == name)
    }
}

/// Where the instructions from `pc` on came from, up to the next row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// Index of the instruction in its program.
    pub pc: u32,
    /// Index into [`Object::files`].
    pub file: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in bytes.
    pub col: u32,
    /// First byte of the construct in the file.
    pub byte_start: u32,
    /// Byte after its last.
    pub byte_end: u32,
}

/// Why an object cannot be written or a file is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectError {
    /// It is no ELF file, or a damaged one; the message is the reader's.
    Elf(String),
    /// It is an ELF file for another machine.
    Machine(u16),
    /// This section is missing.
    MissingSection(&'static str),
    /// The size of this section is no multiple of its entries'.
    SectionSize(&'static str),
    /// A program is longer than labels reach.
    TooLong(CoreKind),
    /// An instruction has no word.
    Encode(CoreKind, usize, EncodeError),
    /// A word is no instruction.
    Decode(CoreKind, usize, DecodeError),
    /// This kind of core has no such instruction.
    Core(CoreKind, usize),
    /// A jump of this instruction leaves its program.
    Label(CoreKind, usize),
    /// The metadata is no TOML, or a key is missing or wrong.
    Meta(String),
    /// A row of the line table points nowhere or is out of order.
    Line(CoreKind, usize),
    /// A text has a character that its section cannot hold.
    Text(&'static str),
    /// The line table cannot be written.
    Debug(String),
    /// Claims are damaged, out of order, or name what there is not.
    Claims,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectError::Elf(message) => write!(f, "not a readable ELF file: {message}"),
            ObjectError::Machine(machine) => write!(
                f,
                "an ELF file for machine {machine:#x}, not {ELF_MACHINE:#x}"
            ),
            ObjectError::MissingSection(name) => write!(f, "section `{name}` is missing"),
            ObjectError::SectionSize(name) => write!(f, "section `{name}` has an odd size"),
            ObjectError::TooLong(core) => {
                write!(f, "the {} program is longer than labels reach", core.name())
            }
            ObjectError::Encode(core, pc, e) => {
                write!(f, "instruction {pc} of the {} program: {e}", core.name())
            }
            ObjectError::Decode(core, pc, e) => {
                write!(f, "word {pc} of the {} program: {e}", core.name())
            }
            ObjectError::Core(core, pc) => write!(
                f,
                "instruction {pc} of the {} program is none of such a core",
                core.name()
            ),
            ObjectError::Label(core, pc) => {
                write!(
                    f,
                    "instruction {pc} of the {} program jumps out of it",
                    core.name()
                )
            }
            ObjectError::Meta(message) => write!(f, "kernel metadata: {message}"),
            ObjectError::Line(core, row) => {
                write!(
                    f,
                    "row {row} of the {} line table points nowhere or is out of order",
                    core.name()
                )
            }
            ObjectError::Text(what) => write!(f, "{what} holds a character that an object cannot"),
            ObjectError::Debug(message) => write!(f, "line table: {message}"),
            ObjectError::Claims => f.write_str("what is claimed of buffers and steps is damaged"),
        }
    }
}

impl std::error::Error for ObjectError {}

impl Object {
    /// The bytes of the ELF file.
    pub fn write(&self) -> Result<Vec<u8>, ObjectError> {
        self.check()?;
        elf::write(self)
    }

    /// Reads an ELF file.
    pub fn read(bytes: &[u8]) -> Result<Object, ObjectError> {
        let object = elf::read(bytes)?;
        object.check()?;
        Ok(object)
    }

    /// The program of a kind of core.
    pub fn code(&self, core: CoreKind) -> &[Inst] {
        match core {
            CoreKind::Cube => &self.aic,
            CoreKind::Vector => &self.aiv,
        }
    }

    /// The line table of a kind of core.
    pub fn lines(&self, core: CoreKind) -> &[LineRow] {
        match core {
            CoreKind::Cube => &self.lines_aic,
            CoreKind::Vector => &self.lines_aiv,
        }
    }

    /// Where an instruction came from.
    pub fn line_of(&self, core: CoreKind, pc: u32) -> Option<&LineRow> {
        let rows = self.lines(core);
        let after = rows.partition_point(|row| row.pc <= pc);
        after.checked_sub(1).map(|row| &rows[row])
    }

    /// Checks what the container and its users rely on.
    fn check(&self) -> Result<(), ObjectError> {
        for core in [CoreKind::Cube, CoreKind::Vector] {
            self.check_code(core)?;
            self.check_lines(core)?;
        }
        let launch = &self.kernel.launch;
        if !launch.is_empty() && launch.shapes.len() != self.kernel.params.len() {
            return Err(ObjectError::Meta(
                "a parameter without a shape for the launch".to_owned(),
            ));
        }
        if let Some(text) = launch.flaw() {
            return Err(ObjectError::Meta(format!(
                "`{text}` is no formula over the sizes"
            )));
        }
        if self.files.iter().any(|file| file.contains('\0')) {
            return Err(ObjectError::Text("a file name"));
        }
        let lengths = [self.aic.len(), self.aiv.len()];
        match self.claims.are_sound(lengths, self.kernel.params.len()) {
            true => Ok(()),
            false => Err(ObjectError::Claims),
        }
    }

    fn check_code(&self, core: CoreKind) -> Result<(), ObjectError> {
        let code = self.code(core);
        if code.len() >= MAX_CODE {
            return Err(ObjectError::TooLong(core));
        }
        let foreign = |inst: &Inst| !info(inst.opcode()).runs_on(core);
        if let Some(pc) = code.iter().position(foreign) {
            return Err(ObjectError::Core(core, pc));
        }
        let strays = |inst: &Inst| {
            inst.label()
                .is_some_and(|label| label.0 as usize >= code.len())
        };
        match code.iter().position(strays) {
            Some(pc) => Err(ObjectError::Label(core, pc)),
            None => Ok(()),
        }
    }

    fn check_lines(&self, core: CoreKind) -> Result<(), ObjectError> {
        let rows = self.lines(core);
        let inside = |row: &LineRow| {
            (row.pc as usize) < self.code(core).len()
                && (row.file as usize) < self.files.len()
                && row.byte_start <= row.byte_end
        };
        let ascends = |i: usize| i == 0 || rows[i - 1].pc < rows[i].pc;
        match (0..rows.len()).find(|&i| !inside(&rows[i]) || !ascends(i)) {
            Some(row) => Err(ObjectError::Line(core, row)),
            None => Ok(()),
        }
    }
}

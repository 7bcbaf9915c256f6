//! Chips: core counts, memory sizes, rates and latencies, read from TOML.
//!
//! Every number that depends on a chip lives in a chip file, with its source and confidence beside it; code has none.
//! The built-in files are compiled in, and a file may extend another. Knows no instruction's meaning. Start with
//! [`Chip::builtin`] and [`Chip::from_toml`].
//!
//! All numbers are integers: cycles, bytes, bytes per cycle, MHz, MB/s (10^6 bytes a second), and thousandths where a
//! name says `milli`.

mod ops;
mod peak;
mod read;

pub use ops::{VecCost, VecCosts};
pub use peak::Peak;
pub use read::ChipError;

use std::sync::OnceLock;

use crate::types::{CoreKind, Space};

/// The built-in chip files, by name.
const BUILTIN: &[(&str, &str)] = &[
    ("910b1", include_str!("../chips/910b1.toml")),
    ("910b2", include_str!("../chips/910b2.toml")),
    ("910b3", include_str!("../chips/910b3.toml")),
    ("910b4", include_str!("../chips/910b4.toml")),
    ("910c", include_str!("../chips/910c.toml")),
    ("910c-1850", include_str!("../chips/910c-1850.toml")),
];

/// One value of a chip file and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced {
    /// `section.key`.
    pub key: String,
    /// The value as written.
    pub value: String,
    /// Document and place.
    pub source: String,
    /// D documented, Dm documented measurement, I inferred, W we choose, P press (davinci-facts, head).
    pub confidence: String,
}

macro_rules! sections {
    ($($(#[$doc:meta])* $section:ident: $name:ident { $($(#[$key_doc:meta])* $key:ident,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name { $($(#[$key_doc])* pub $key: u64,)* }
        )*

        /// A modelled chip.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Chip {
            /// Name of the target.
            pub name: String,
            /// One line on what it is.
            pub title: String,
            /// Architecture: `c220`.
            pub architecture: String,
            /// Version of the chip file.
            pub version: String,
            /// Every value with its source, in the order of the sections.
            pub sources: Vec<Sourced>,
            /// Costs of the vector instructions.
            pub vector_ops: VecCosts,
            $($(#[$doc])* pub $section: $name,)*
        }

        impl Chip {
            /// Reads every section of a resolved file.
            fn from_file(file: &mut read::File) -> Result<Chip, ChipError> {
                Ok(Chip {
                    name: file.text("name")?,
                    title: file.text("title")?,
                    architecture: file.text("architecture")?,
                    version: file.text("version")?,
                    $($section: $name { $($key: file.number(stringify!($section), stringify!($key))?,)* },)*
                    vector_ops: file.vector_ops()?,
                    sources: file.finish()?,
                })
            }
        }
    };
}

sections! {
    /// Cores and clock.
    cores: Cores {
        /// Cube cores.
        cube,
        /// Vector cores.
        vector,
        /// Vector cores in the group of a cube core.
        vectors_per_cube,
        /// Clock of all cores in MHz.
        clock_mhz,
    }
    /// Sizes of the on-chip memories of one core in bytes.
    spaces: Spaces {
        /// L1.
        l1,
        /// L0A.
        l0a,
        /// L0B.
        l0b,
        /// L0C.
        l0c,
        /// UB of one vector core.
        ub,
        /// Bias table.
        bt,
        /// Fixpipe parameter buffer.
        fb,
        /// Bytes at the end of L1 that programs must leave alone.
        l1_reserved,
        /// Bytes at the end of UB that programs must leave alone.
        ub_reserved,
    }
    /// Address alignment in bytes.
    align: Align {
        /// L1.
        l1,
        /// L0A.
        l0a,
        /// L0B.
        l0b,
        /// L0C as source of the fixpipe.
        l0c,
        /// L0C as result of `mmad`.
        l0c_mmad,
        /// UB.
        ub,
        /// Bias table.
        bt,
        /// Fixpipe parameter buffer.
        fb,
        /// Tensors in global memory.
        gm_tensor,
    }
    /// Global memory and L2, shared by all cores.
    memory: Memory {
        /// Bytes of global memory.
        gm_bytes,
        /// Nominal bandwidth of global memory in MB/s: what utilisation is measured against.
        hbm_mbps,
        /// Bandwidth of global memory that is reached, in MB/s.
        hbm_effective_mbps,
        /// Bytes of L2.
        l2_bytes,
        /// Bytes of an L2 line.
        l2_line,
        /// Bytes of an L2 sector.
        l2_sector,
        /// Bandwidth of reads that hit L2, all cores together, in MB/s.
        l2_mbps,
        /// Bandwidth of reads and writes together, in MB/s.
        l2_mixed_mbps,
        /// What a read counts at L2, in thousandths, if another core has just read the line.
        l2_shared_line_milli,
        /// Cycles that two reads of a line may be apart to count as at once.
        l2_shared_window,
        /// Cycles that a miss adds to a copy's latency.
        l2_miss_extra,
    }
    /// The cube unit.
    cube: Cube {
        /// Multiply-adds a cycle over m and n: 16 × 16.
        mn,
        /// K extent a cycle for f16 and bf16.
        k_f16,
        /// K extent a cycle for s8.
        k_s8,
        /// K extent a cycle for f32.
        k_f32,
        /// K extent a cycle for f32 in HF32 mode.
        k_hf32,
        /// K extent a cycle for s4.
        k_s4,
        /// Cycles of every `mmad` besides its fractals.
        fixed,
        /// Cycles before the first fractal after idleness.
        head,
        /// Cycles from the end of occupancy to visible results.
        tail,
        /// Dependent `mmad`s of fewer fractal pairs (m/16 × n/16) than this need a barrier between them.
        barrier_fractals,
    }
    /// L1 to L0.
    mte1: Mte1Rates {
        /// Cycles a fractal of 512 B to L0A.
        l0a_fractal,
        /// Cycles a fractal of 512 B to L0B.
        l0b_fractal,
        /// Cycles of every load besides its fractals.
        fixed,
        /// Fewest cycles of a load.
        floor,
        /// Cycles before the first fractal after idleness.
        head,
        /// Bytes a cycle to the bias table.
        bt_port,
        /// Cycles before the first fractal of `ld3d` after idleness.
        ld3d_head,
        /// Fewest bytes a cycle of `ld3d` to L0A.
        ld3d_l0a_least,
        /// Fewest bytes a cycle of `ld3d` to L0B.
        ld3d_l0b_least,
        /// Bytes a cycle of fills.
        fill_port,
    }
    /// Global memory to on-chip.
    mte2: Mte2Rates {
        /// Fewest cycles from one copy to the next.
        issue,
        /// Cycles a burst, at least.
        burst,
        /// Bytes a cycle to L1.
        l1_port,
        /// Latency of a copy to L1 that hits L2.
        l1_latency,
        /// Bytes a cycle of `nd2nz_gm_l1`.
        nd2nz_port,
        /// Thousandths of a cycle a row of `nd2nz_gm_l1`.
        nd2nz_row_milli,
        /// Cycles of every `nd2nz_gm_l1` besides its bytes and the latency.
        nd2nz_fixed,
        /// Bytes a cycle to UB.
        ub_port,
        /// Latency of a copy to UB that hits L2.
        ub_latency,
        /// Bytes a cycle to L0A or L0B.
        l0_port,
        /// Latency of a copy to L0A or L0B that hits L2.
        l0_latency,
    }
    /// On-chip to global memory.
    mte3: Mte3Rates {
        /// Fewest cycles from one copy to the next.
        issue,
        /// Cycles a burst, at least.
        burst,
        /// Bytes a cycle from UB.
        ub_port,
        /// Latency of a copy from UB.
        ub_latency,
        /// Bytes a cycle from L1.
        l1_port,
        /// Latency of a copy from L1.
        l1_latency,
    }
    /// The fixpipe.
    fix: FixRates {
        /// Destination bytes a cycle to global memory, one core alone.
        gm_port,
        /// Destination bytes a cycle to global memory and core, when all cores drain at once.
        gm_port_shared,
        /// Latency to global memory.
        gm_latency,
        /// Fewest cycles of a drain to global memory.
        gm_floor,
        /// Elements a cycle to L1.
        l1_elements,
        /// Destination bytes a cycle to L1.
        l1_port,
        /// Cycles of every drain to L1 besides its elements.
        l1_fixed,
        /// Cycles before the first element to L1 after idleness.
        l1_head,
        /// Bytes a cycle to the fixpipe buffer.
        fb_port,
        /// Cycles of every copy to the fixpipe buffer besides its bytes.
        fb_fixed,
    }
    /// The vector unit; see also `vector_ops`.
    vector: Vector {
        /// Floating operations a cycle of one vector core on f16, a multiply-add counted as two.
        flops_f16,
        /// The same on f32.
        flops_f32,
        /// Bytes a cycle of copies inside UB.
        copy_port,
        /// Thousandths of a cycle that a repeat loses when its reads meet the writes of the one before in a bank.
        clash_milli,
        /// Cycles between two repeats of which the second reads what the first writes.
        dependent,
        /// Cycles that count mode adds to an instruction.
        count_mode,
        /// Cycles a repeat of a conversion from or to s64.
        s64_repeat,
        /// Cycles of every `vgather` besides its repeats.
        gather_fixed,
        /// Pairs a cycle of `vmrg4`.
        merge_pairs,
        /// Cycles of every `vmrg4` besides its pairs.
        merge_fixed,
    }
    /// The scalar unit.
    scalar: Scalar {
        /// Moves, additions, logic, comparisons.
        alu,
        /// Multiplications.
        mul,
        /// Divisions.
        div,
        /// Floating-point arithmetic.
        float,
        /// Loads that hit the data cache, and loads from UB.
        load_hit,
        /// Loads that miss the data cache.
        load_miss,
        /// Stores.
        store,
        /// Taken and untaken branches, calls and returns.
        branch,
        /// Start and end of a hardware loop.
        hardware_loop,
        /// Cleaning the data cache.
        clean,
        /// Bytes of the data cache.
        cache_bytes,
        /// Bytes of a line of the data cache.
        cache_line,
    }
    /// Queues and synchronisation.
    sync: Sync {
        /// Instructions a pipe's queue holds.
        queue_depth,
        /// Setting or waiting for a flag.
        flag,
        /// A barrier of one pipe, besides the drain.
        barrier,
        /// A barrier of all pipes, besides the drain.
        barrier_all,
        /// Latency of a cross-core flag.
        cross_core,
    }
    /// Start of a kernel.
    launch: Launch {
        /// Nanoseconds from launch to the first instruction and back.
        ns,
    }
}

impl Chip {
    /// Names of the built-in chips.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// Name of the chip that is meant when nothing is said.
    pub const DEFAULT: &'static str = "910b2";

    /// Text of a built-in chip file.
    pub fn builtin_text(name: &str) -> Option<&'static str> {
        BUILTIN
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, text)| *text)
    }

    /// The built-in chip of that name. A file is read when its chip is first asked for, and once.
    pub fn builtin(name: &str) -> Option<Chip> {
        static READ: [OnceLock<Option<Chip>>; BUILTIN.len()] =
            [const { OnceLock::new() }; BUILTIN.len()];
        let at = BUILTIN.iter().position(|(known, _)| *known == name)?;
        READ[at]
            .get_or_init(|| Chip::from_toml(BUILTIN[at].1, &|_| None).ok())
            .clone()
    }

    /// Reads a chip file. `base` finds the text of the file that it extends, before the built-in ones are asked.
    pub fn from_toml(text: &str, base: &dyn Fn(&str) -> Option<String>) -> Result<Chip, ChipError> {
        Chip::from_file(&mut read::File::resolve(text, base)?)
    }

    /// Hash over every value that counts, sources and titles left out.
    pub fn hash(&self) -> u64 {
        let mut hash = Fnv::new();
        hash.line("architecture", &self.architecture);
        for value in &self.sources {
            hash.line(&value.key, &value.value);
        }
        hash.0
    }

    /// Name, version and hash: what every printed cycle count carries, for example `910b2 v1 #1a2b3c4d`.
    pub fn stamp(&self) -> String {
        format!("{} v{} #{:08x}", self.name, self.version, self.hash() >> 32)
    }

    /// Version and hash, as objects record them.
    pub fn version_stamp(&self) -> String {
        format!("v{} #{:08x}", self.version, self.hash() >> 32)
    }

    /// Bytes of a memory space of one core, or of global memory.
    pub const fn space_bytes(&self, space: Space) -> u64 {
        match space {
            Space::Gm => self.memory.gm_bytes,
            Space::L1 => self.spaces.l1,
            Space::L0a => self.spaces.l0a,
            Space::L0b => self.spaces.l0b,
            Space::L0c => self.spaces.l0c,
            Space::Ub => self.spaces.ub,
            Space::Bt => self.spaces.bt,
            Space::Fb => self.spaces.fb,
        }
    }

    /// Bytes of a memory space that a program may use.
    pub const fn usable_bytes(&self, space: Space) -> u64 {
        let reserved = match space {
            Space::L1 => self.spaces.l1_reserved,
            Space::Ub => self.spaces.ub_reserved,
            Space::Gm | Space::L0a | Space::L0b | Space::L0c | Space::Bt | Space::Fb => 0,
        };
        self.space_bytes(space).saturating_sub(reserved)
    }

    /// Alignment of addresses in a memory space; 1 in global memory.
    pub const fn alignment(&self, space: Space) -> u64 {
        match space {
            Space::Gm => 1,
            Space::L1 => self.align.l1,
            Space::L0a => self.align.l0a,
            Space::L0b => self.align.l0b,
            Space::L0c => self.align.l0c,
            Space::Ub => self.align.ub,
            Space::Bt => self.align.bt,
            Space::Fb => self.align.fb,
        }
    }

    /// Cores of a kind.
    pub const fn core_count(&self, kind: CoreKind) -> u64 {
        match kind {
            CoreKind::Cube => self.cores.cube,
            CoreKind::Vector => self.cores.vector,
        }
    }

    /// Cycles of the launch.
    pub const fn launch_cycles(&self) -> u64 {
        self.launch.ns * self.cores.clock_mhz / 1000
    }
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    fn line(&mut self, key: &str, value: &str) {
        for byte in key
            .bytes()
            .chain([b'='])
            .chain(value.bytes())
            .chain([b'\n'])
        {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

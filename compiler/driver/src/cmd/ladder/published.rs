//! Ladders that a vendor published, to be read beside ours. Nothing is decided by them.

use std::fmt::Write as _;

use ir::algo::Func;
use isa::chip::Chip;
use isa::types::Elem;
use serde_json::{Value, json};

/// A published ladder.
pub(super) struct Published {
    /// Multiply-adds of the product.
    mads: u64,
    /// Cubes and clock in MHz of the part.
    cubes: u64,
    clock_mhz: u64,
    /// What was measured, where.
    title: &'static str,
    source: &'static str,
    /// How it differs from a product of two matrices by rows.
    note: &'static str,
    /// The parameter that lies by columns, and the time of the first rung on all cores in microseconds.
    pub(super) first: Option<(usize, f64)>,
    /// What was done, microseconds if they are given, and utilisation of the device in percent.
    rungs: &'static [(&'static str, Option<f64>, f64)],
}

/// Every ladder that is known.
const LADDERS: &[Published] = &[
    Published {
        mads: 4096 * 5120 * 4096,
        cubes: 20,
        clock_mhz: 1850,
        title: "f16, 4096×5120×4096, 20 cores of an A2 part at 1.85 GHz",
        source: "CANN documentation, best_practices_10_0041",
        note: "its b lies by columns, as that of `gemm_nt`, so that a block of 64 columns has rows of 512 bytes, not of 128",
        first: Some((1, 2532.5)),
        rungs: &[
            ("before: 4 cores", None, 4.7),
            ("20 cores, 64×64×256 blocks, pipelined", Some(2532.5), 22.4),
            (
                "128×256×64 blocks, packets of 8 and 4 steps",
                Some(710.5),
                79.8,
            ),
        ],
    },
    Published {
        mads: 8192 * 8192 * 8192,
        cubes: 24,
        clock_mhz: 1850,
        title: "f16, 8192×8192×8192, 24 cores of a 910B1",
        source: "asc-devkit, best_practices, matmul_high_performance",
        note: "",
        first: None,
        rungs: &[
            ("one core", None, 0.4),
            ("one core, pipelined", None, 1.2),
            ("24 cores, no packets", Some(12283.8), 24.1),
            ("all steps, unit flag", Some(4012.4), 75.3),
        ],
    },
];

/// The ladder of a kernel: one lone product of that size in f16, on such a part.
pub(super) fn of(func: &Func, chip: &Chip) -> Option<&'static Published> {
    let f16 = func
        .params
        .iter()
        .all(|&param| func.tensors[param].elem == Elem::F16);
    let sizes = func.sizes.iter();
    let mads: u64 = sizes.map(|(_, size)| size.unsigned_abs()).product();
    let fits = |ladder: &&Published| {
        ladder.mads == mads
            && ladder.cubes == chip.cores.cube
            && ladder.clock_mhz == chip.cores.clock_mhz
    };
    LADDERS
        .iter()
        .filter(|_| f16 && func.params.len() == 2)
        .find(fits)
}

impl Published {
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "the vendor's own ladder ({}; {}):\n",
            self.title, self.source
        );
        for (what, time, share) in self.rungs {
            let time = time.map_or(String::new(), |time| format!("{time:.1} µs, "));
            let _ = writeln!(text, "  {what}: {time}{share} % of the device");
        }
        if !self.note.is_empty() {
            let _ = writeln!(text, "  {}", self.note);
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let rungs = self.rungs.iter();
        let rungs: Vec<Value> = rungs
            .map(|(what, time, share)| json!({ "what": what, "us": time, "percent": share }))
            .collect();
        json!({ "title": self.title, "source": self.source, "note": self.note, "rungs": rungs })
    }
}

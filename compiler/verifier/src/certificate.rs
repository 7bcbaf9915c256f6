//! The certificate of an object: what was proved of it, as text that its section holds.
//!
//! It names the programs by a digest, so that it says nothing of an object that was changed afterwards. Whoever does not
//! trust it verifies again: that takes a millisecond.

use std::fmt::Write as _;

use isa::object::Object;
use isa::types::CoreKind;

use crate::{Induction, Proof};

const HEAD: &str = "vinci certificate 1";

/// The certificate of a proof.
pub fn certificate(object: &Object, proof: &Proof) -> String {
    let sizes = object.kernel.sizes.iter();
    let sizes: Vec<String> = sizes.map(|(name, size)| format!("{name}={size}")).collect();
    let mut text = format!("{HEAD}\n");
    let mut row = |key: &str, value: &str| {
        // Writing to a string never fails.
        let _ = writeln!(text, "{key:<10} {value}");
    };
    row("kernel", &object.kernel.name);
    row("chip", &format!("{} {}", object.chip, object.chip_version));
    row("programs", &digest(object));
    row(
        "proved",
        "order on chip, between queues, cores and groups; flags, counters, progress; values; bounds, alignment, legality",
    );
    row("cores", &cores(proof));
    row("sizes", &sizes.join(" "));
    row(
        "followed",
        &format!(
            "{} instructions, {} sets of on-chip bytes",
            proof.steps, proof.footprints
        ),
    );
    row("rounds", &rounds(proof));
    for loop_ in &proof.inductions {
        row("induction", &induction(loop_));
    }
    row("claims", &claims(proof));
    row(
        "assumes",
        "tensors lie apart, each at a multiple of 512 bytes; inputs hold values",
    );
    for assumption in &proof.assumptions {
        row("assumes", assumption);
    }
    text
}

/// How many cores, and which of them were followed.
fn cores(proof: &Proof) -> String {
    match proof.copied {
        0 => proof.cores.to_string(),
        copied => format!(
            "{}; {copied} of them do as others do, along the number of the group",
            proof.cores
        ),
    }
}

/// What of the loops and the launch was followed as it is, and what was not.
fn rounds(proof: &Proof) -> String {
    let rest = match proof.inductions.is_empty() {
        true => "every loop was followed from its first round to its last",
        false => "followed from the first to the last but for these",
    };
    format!("{rest}; the sizes and launch parameters are these numbers")
}

/// What was claimed of the programs, and holds.
fn claims(proof: &Proof) -> String {
    match proof.claimed {
        (_, 0) => {
            "none were given: which buffers there are and what uses them is not said".to_owned()
        }
        (buffers, steps) => format!(
            "{buffers} buffers, {steps} steps: each uses those that it names, of them every byte that it says, and no others"
        ),
    }
}

/// Which rounds of a loop were proved from others.
fn induction(of: &Induction) -> String {
    let section = match of.kind {
        CoreKind::Cube => "aic",
        CoreKind::Vector => "aiv",
    };
    let every = match of.period {
        1 => "each as the one before".to_owned(),
        period => format!("each as the one {period} before"),
    };
    format!(
        "the loop that ends at instruction {} of {section}: {} rounds, {every}",
        of.end, of.rounds
    )
}

/// Whether the certificate in an object is one of its programs as they are.
pub fn is_certified(object: &Object) -> bool {
    let mut lines = object.certificate.lines();
    let programs = format!("{:<10} {}", "programs", digest(object));
    lines.next() == Some(HEAD) && lines.any(|line| line == programs)
}

/// How many lines say what is assumed of data.
pub fn assumptions(text: &str) -> usize {
    let lines = text.lines().filter(|line| line.starts_with("assumes"));
    lines.count().saturating_sub(1)
}

/// A number for the programs, the chip and the tensors.
fn digest(object: &Object) -> String {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    for code in [&object.aic, &object.aiv] {
        hash.add(&(code.len() as u64).to_le_bytes());
        for inst in code {
            hash.add(&inst.encode().unwrap_or_default());
        }
    }
    hash.add(object.chip.as_bytes());
    hash.add(object.chip_version.as_bytes());
    let kernel = &object.kernel;
    hash.add(&kernel.cube_cores.to_le_bytes());
    hash.add(&kernel.vector_cores.to_le_bytes());
    for param in &kernel.params {
        hash.add(param.dir.name().as_bytes());
        hash.add(param.elem.name().as_bytes());
        for extent in &param.shape {
            hash.add(&extent.to_le_bytes());
        }
    }
    if !object.claims.is_empty() {
        hash.add(&object.claims.bytes());
    }
    for word in kernel.launch_words() {
        hash.add(&word.to_le_bytes());
    }
    format!("{:016x}", hash.0)
}

/// The hash of Fowler, Noll and Vo, 64 bits: against mishaps, not against malice.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

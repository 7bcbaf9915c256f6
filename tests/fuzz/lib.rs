//! What the fuzzers feed: one function a target, which panics when a promise is broken and returns otherwise.
//!
//! Promises: bytes that decode encode to themselves and print as text that reads back; text that assembles prints as text
//! that assembles to the same bytes; an object that reads writes and reads again as the same; a program of any words ends
//! in an outcome or a fault, within bounds of time and memory, and ends the same way a second time. `cargo test` runs each
//! target over its corpus; `run` beside this file grows the corpus with libFuzzer. Reads no files itself.

use std::sync::LazyLock;

use emulator::{Options, Sanitize, Schedule};
use isa::asm::{assemble as read_text, disassemble};
use isa::chip::Chip;
use isa::codec::WORD_BYTES;
use isa::inst::{Inst, parse_inst};
use isa::object::{KernelMeta, Object, ParamDir, ParamMeta};
use isa::types::Elem;

/// The chip of fuzzed programs; read once, because reading it takes longer than running most of them.
static CHIP: LazyLock<Chip> = LazyLock::new(|| Chip::builtin("910b2").expect("a built-in chip"));
/// Instructions that one core of a fuzzed program may execute.
const MAX_STEPS: u64 = 2000;
/// Bytes of each of the two tensors of a fuzzed program.
const TENSOR_BYTES: u64 = 16384;
/// Bytes before the words in the input of [`emulate`]: groups, instructions of the cube program (two), options.
pub const HEADER: usize = 4;

/// What is fed with any bytes.
pub type Target = fn(&[u8]);

/// A target by its name, as the folders of the corpus and the fuzzers are called.
pub const TARGETS: [(&str, Target); 4] = [
    ("decode", decode),
    ("assemble", assemble),
    ("object", object),
    ("emulate", emulate),
];

/// Every sixteen bytes are a word: if it decodes, it encodes to itself, and its text reads back.
pub fn decode(data: &[u8]) {
    for word in data.as_chunks::<WORD_BYTES>().0 {
        let Ok(inst) = Inst::decode(word) else {
            continue;
        };
        assert_eq!(inst.encode().as_ref(), Ok(word), "{inst:?}");
        let text = inst.to_string();
        let label = |name: &str| name.strip_prefix('L').and_then(|n| n.parse().ok());
        match parse_inst(&text, &label) {
            Ok(again) => assert_eq!(again, inst, "{text}"),
            Err(error) => panic!("`{text}`: {error:?}"),
        }
        let _ = (inst.registers(), inst.memory(), inst.label(), inst.queue());
    }
}

/// Text: if it assembles, its listing assembles to the same object.
pub fn assemble(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(object) = read_text(text) else { return };
    let listing = disassemble(&object, chip_of(&object));
    match read_text(&listing) {
        Ok(again) => assert_eq!(again.write(), object.write(), "{listing}"),
        Err(errors) => panic!("{errors:?} in the listing\n{listing}"),
    }
}

/// An object file: if it reads, what is written reads as the same object.
pub fn object(data: &[u8]) {
    let Ok(object) = Object::read(data) else {
        return;
    };
    let listing = disassemble(&object, chip_of(&object));
    assert!(!listing.is_empty());
    if let Ok(bytes) = object.write() {
        assert_eq!(Object::read(&bytes).as_ref(), Ok(&object));
    }
}

/// The chip that a listing names cycles of.
fn chip_of(object: &Object) -> Option<&'static Chip> {
    (object.chip == CHIP.name).then_some(&*CHIP)
}

/// A program of any words: it ends, the same way at any number of threads; and if nothing is found in it, it gives the
/// same bits in any order that the machine allows, and the same cycles without values.
pub fn emulate(data: &[u8]) {
    let Some((object, sanitize)) = program(data) else {
        return;
    };
    let input: Vec<u8> = (0..TENSOR_BYTES).map(|i| (i * 7 % 251) as u8).collect();
    let inputs = [Some(input), None];
    let run = |change: &dyn Fn(&mut Options)| {
        let mut options = Options {
            threads: 1,
            sanitize,
            max_steps: MAX_STEPS,
            ..Options::default()
        };
        change(&mut options);
        match emulator::run(&object, &inputs, &CHIP, &options) {
            Ok(outcome) => Ok((outcome.tensors, outcome.report.cycles)),
            Err(fault) => Err(fault.to_string()),
        }
    };
    let first = run(&|_| ());
    if object.kernel.cube_cores > 1 {
        assert_eq!(first, run(&|options| options.threads = 2));
    }
    if let Ok((tensors, cycles)) = first
        && sanitize == Sanitize::ALL
    {
        let seed = u64::from(data[3] / 4);
        match run(&|options| options.schedule = Schedule::Adversarial(seed)) {
            Ok((other, _)) => assert_eq!(other, tensors, "schedule {seed}"),
            Err(fault) => panic!("schedule {seed}: {fault}"),
        }
        if let Ok((_, other)) = run(&|options| options.timing_only = true) {
            assert_eq!(other, cycles, "without values");
        }
    }
}

/// The program of an input of [`emulate`]: a header, the words of the cube program, those of the vector program. Words
/// that are no instruction are left out, so that most of what a mutation breaks still runs.
fn program(data: &[u8]) -> Option<(Object, Sanitize)> {
    let (header, words) = data.split_at_checked(HEADER)?;
    let all: Vec<Inst> = words
        .as_chunks::<WORD_BYTES>()
        .0
        .iter()
        .filter_map(|word| Inst::decode(word).ok())
        .collect();
    let split = usize::from(u16::from_le_bytes([header[1], header[2]])).min(all.len());
    let (aic, aiv) = all.split_at(split);
    let groups = u32::from(header[0] % 3) + 1;
    let kernel = KernelMeta {
        name: "fuzzed".to_owned(),
        params: vec![tensor("a", ParamDir::In), tensor("y", ParamDir::Out)],
        cube_cores: groups,
        vector_cores: 2 * groups,
        ..KernelMeta::default()
    };
    let object = Object {
        chip: "910b2".to_owned(),
        chip_version: String::new(),
        kernel,
        aic: aic.to_vec(),
        aiv: aiv.to_vec(),
        files: Vec::new(),
        lines_aic: Vec::new(),
        lines_aiv: Vec::new(),
        claims: isa::object::Claims::default(),
        certificate: String::new(),
    };
    let sanitize = match header[3] % 4 {
        0 => Sanitize::NONE,
        1 => Sanitize {
            uninit: false,
            ..Sanitize::ALL
        },
        2 | 3.. => Sanitize::ALL,
    };
    Some((object, sanitize))
}

fn tensor(name: &str, dir: ParamDir) -> ParamMeta {
    ParamMeta {
        name: name.to_owned(),
        elem: Elem::U8,
        shape: vec![TENSOR_BYTES],
        dir,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// The inputs that once found something, and the smallest that cover much.
    #[test]
    fn the_corpus_keeps_the_promises() {
        for (name, target) in super::TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("corpus")
                .join(name);
            let mut files: Vec<_> = fs::read_dir(&folder)
                .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
                .map(|entry| entry.expect("a folder that reads").path())
                .collect();
            files.sort();
            assert!(!files.is_empty(), "{name} has a corpus");
            for file in files {
                target(&fs::read(&file).expect("a file that reads"));
            }
        }
    }
}

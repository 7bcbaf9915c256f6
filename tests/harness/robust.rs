//! No input of any bytes makes a panic: every form of file, cut, flipped, doubled and joined, through the commands.

use std::fs;
use std::path::Path;

use driver::Status;
use ir::algo::data::Random;

use super::case::root;
use super::cli::fresh_folder;
use super::command;

/// Mutants of each input.
const MUTANTS: usize = 60;

#[test]
fn mutated_inputs_make_no_panic() {
    let folder = fresh_folder(Path::new("robust"));
    for (name, bytes) in seeds(&folder) {
        let mut random = Random::new(bytes.len() as u64);
        for _ in 0..MUTANTS {
            let mutant = mutate(&bytes, &mut random);
            fs::write(folder.join(&name), &mutant).expect("the folder is ours");
            let words = command_for(&name);
            let ran = command::run(&folder, &words, b"");
            if ran.status == Status::Defect {
                let kept = folder.join(format!("panics_{name}"));
                fs::write(&kept, &mutant).expect("the folder is ours");
                panic!("{words:?} with {}: {}", kept.display(), ran.err);
            }
        }
    }
}

/// Lines for the debugger's prompt, with numbers that are too large, too small and none.
const LINES: [&str; 24] = [
    "step 7",
    "next",
    "continue",
    "back 3",
    "back 4294967295",
    "break 3",
    "break line 9",
    "break line a:9",
    "break aic 0",
    "watch ub+0x0 64 rw",
    "watch y 0..4",
    "stops",
    "delete 1",
    "core 1",
    "core",
    "info",
    "regs",
    "print ub+0x100 f32 [8,8]",
    "print y",
    "print gm+0xffffffffffffffff i64 [0]",
    "who y 3",
    "who l1+0 18446744073709551615",
    "list 4294967295",
    "print ub+0 f16 99999999999999999999",
];

#[test]
fn mutated_lines_at_the_prompt_make_no_panic() {
    let folder = fresh_folder(Path::new("prompt"));
    let program = root().join("tests/broken/add/original.vasm");
    fs::copy(program, folder.join("add.vasm")).expect("is there");
    let mut random = Random::new(1);
    for _ in 0..MUTANTS {
        let mut lines = Vec::new();
        for _ in 0..20 {
            let line = LINES[random.between(0, LINES.len() as i64 - 1) as usize];
            let line = match random.between(0, 1) {
                0 => line.as_bytes().to_vec(),
                _ => mutate(line.as_bytes(), &mut random),
            };
            lines.extend_from_slice(&line);
            lines.push(b'\n');
        }
        let ran = command::run(&folder, &["vinci", "debug", "add.vasm"], &lines);
        let said = String::from_utf8_lossy(&lines);
        assert!(ran.status != Status::Defect, "{said}\n{}", ran.err);
    }
}

/// A small file of each form, the later ones made from the first.
fn seeds(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fs::copy(
        root().join("stdlib/kernels/softmax.vn"),
        folder.join("softmax.vn"),
    )
    .expect("is there");
    let emit = "--emit=tile=softmax.tile,asm=softmax.vasm,obj=softmax.vo";
    let words = ["vincic", "softmax.vn", "-D", "R=3", "-D", "C=70", emit];
    command::run(folder, &words, b"").expect_done();
    let array = root().join("tests/data/gemm_bias_gelu_1x1x1/a.npy");
    fs::copy(array, folder.join("a.npy")).expect("is there");
    fs::copy(
        root().join("stdlib/kernels/gemm.vn"),
        folder.join("gemm.vn"),
    )
    .expect("is there");
    let names = [
        "softmax.vn",
        "softmax.tile",
        "softmax.vasm",
        "softmax.vo",
        "a.npy",
    ];
    let read = |name: &str| fs::read(folder.join(name)).expect("was just made");
    names
        .iter()
        .map(|name| ((*name).to_owned(), read(name)))
        .collect()
}

/// A command that reads the file; sizes are small, so that a mutant which still runs is quick.
fn command_for(name: &str) -> Vec<String> {
    let words: Vec<&str> = match name {
        "a.npy" => vec!["vinci", "run", "gemm.vn", "-D", "N=2", "--arg", "a=a.npy"],
        "softmax.vn" => vec!["vincic", name, "-D", "R=3", "-D", "C=70", "-o", "out.vo"],
        "softmax.vo" => vec!["vinci", "dis", name],
        _ => vec!["vincic", name, "-o", "out.vo"],
    };
    words.into_iter().map(str::to_owned).collect()
}

fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut mutant = bytes.to_vec();
    for _ in 0..=random.between(0, 3) {
        let end = mutant.len().max(1) as i64 - 1;
        let (a, b) = (
            random.between(0, end) as usize,
            random.between(0, end) as usize,
        );
        let (a, b) = (a.min(b), a.max(b));
        match random.between(0, 5) {
            0 => mutant.truncate(a),
            1 => drop(mutant.drain(a..b.min(a + 40))),
            2 => {
                let piece = mutant[a..b.min(a + 40)].to_vec();
                let at = random.between(0, end) as usize;
                mutant.splice(at..at, piece);
            }
            3 if a < mutant.len() => mutant[a] ^= 1 << random.between(0, 7),
            4 if a < mutant.len() => mutant[a] = random.next() as u8,
            _ => mutant.extend_from_slice(b"9999999999999999999"),
        }
    }
    mutant
}

/// Sources that are mutated with every `cargo test`; `benches/mutated_sources.rs` mutates a million.
const SOURCES: u64 = 200;

#[test]
fn mutated_sources_make_no_panic() {
    let corpus = super::mutants::corpus(&root());
    let folder = root().join("target/mutated_sources");
    for seed in 0..SOURCES {
        let fate = super::mutants::feed(&corpus, seed, &folder);
        assert!(
            fate != super::mutants::Fate::Panicked,
            "{}/{seed}.*",
            folder.display()
        );
    }
}

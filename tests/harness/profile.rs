//! Profiles of kernels: every cycle of a pipe is in one class, the critical path is as long as the run and has a reason
//! for each piece, what lies on it has no slack, and nobody is slower with more of anything.

use std::collections::BTreeMap;
use std::fs;

use backend::Level;
use diag::SourceMap;
use driver::kernel::Values;
use driver::{Settings, build, kernel};
use emulator::{Options, Outcome, Passing};
use isa::chip::Chip;
use isa::object::Object;
use isa::types::Pipe;

use super::case::root;
use super::kernel::shown;

/// Kernels of every sort: the cube alone, the vector unit alone, both, several phases.
const KERNELS: [(&str, &str); 8] = [
    ("add", "R=70 C=1000"),
    ("softmax", "R=100 C=300"),
    ("layernorm", ""),
    ("gemm", "M=300 K=500 N=700"),
    ("gemm_bias_gelu", "M=200 K=300 N=400"),
    ("gemm_split_k", ""),
    ("attention", ""),
    ("conv2d", ""),
];

fn compiled(name: &str, sizes: &str, level: Level) -> Object {
    let path = format!("stdlib/kernels/{name}.vn");
    let text = fs::read_to_string(root().join(&path)).expect("a kernel of the library");
    let mut sources = SourceMap::new();
    let file = sources.add(path, text);
    let loaded = shown(kernel::load(file, &mut sources, &mut Vec::new()), &sources);
    let mut values = Values::read(sizes.split_whitespace()).expect("sizes are well formed");
    if sizes.is_empty() {
        let lines = loaded.lines("test").expect("right lines");
        values = lines.last().expect("a test line").clone();
    }
    let info = loaded.choose(None).expect("one kernel");
    let func = shown(loaded.bind(&info, &values, &BTreeMap::new()), &sources);
    let chip = Chip::builtin(Chip::DEFAULT).expect("built in");
    let compiled = build::compile(&func, &Settings::new(chip, level), &sources);
    shown(compiled, &sources).lowered.object
}

fn profiled(object: &Object, chip: &Chip) -> Outcome {
    let options = Options {
        threads: 1,
        timing_only: true,
        profile: true,
        ..Options::default()
    };
    let inputs = vec![None; object.kernel.params.len()];
    emulator::run(object, &inputs, chip, &options).unwrap_or_else(|fault| panic!("{fault}"))
}

#[test]
fn every_cycle_has_one_class_and_the_path_is_the_run() {
    let chip = Chip::builtin(Chip::DEFAULT).expect("built in");
    for (name, sizes) in KERNELS {
        for level in [Level::O0, Level::O1] {
            let object = compiled(name, sizes, level);
            let outcome = profiled(&object, &chip);
            let profile = outcome.profile.expect("it was asked for");
            let who = format!("{name} at -O{}", level.name());
            let cycles = outcome.report.cycles - outcome.report.launch_cycles;
            assert_eq!(profile.cycles, cycles, "{who}");
            for pipe in &profile.pipes {
                let sum: u64 = pipe.classes.values().sum();
                assert_eq!(sum, pipe.cores * cycles, "{who}: {:?}", pipe.pipe);
            }
            let mut at = 0;
            for step in &profile.path {
                assert_eq!(step.begin, at, "{who}: the path has no gap");
                assert_ne!(step.what, Passing::Unknown, "{who}: {step:?}");
                at = step.end;
            }
            assert_eq!(at, cycles, "{who}: the path is as long as the run");
            for step in &profile.path {
                let inst = &profile.insts[&(step.core.kind(), step.pc)];
                let work = matches!(step.what, Passing::Work | Passing::Memory(_));
                if work && step.pipe != Pipe::S {
                    assert_eq!(inst.slack, 0, "{who}: {step:?} {inst:?}");
                }
            }
        }
    }
}

#[test]
fn more_of_anything_makes_nobody_slower() {
    let chip = Chip::builtin(Chip::DEFAULT).expect("built in");
    for (name, sizes) in KERNELS {
        let object = compiled(name, sizes, Level::O1);
        let inputs = vec![None; object.kernel.params.len()];
        let options = Options {
            threads: 1,
            ..Options::default()
        };
        let own = profiled(&object, &chip).report;
        assert!(own.bound.cycles <= own.cycles, "{name}: below its bound");
        let found = emulator::what_if(&object, &inputs, &chip, &options);
        for what in found.unwrap_or_else(|fault| panic!("{fault}")) {
            let change = what.change;
            assert!(
                what.cycles <= own.cycles,
                "{name}: {} {} takes {} instead of {}",
                change.resource,
                change.how,
                what.cycles,
                own.cycles
            );
        }
    }
}

#[test]
fn the_page_is_whole_and_needs_nothing_else() {
    let folder = super::cli::fresh_folder(&super::case::here().join("harness/profile.rs"));
    let kernel = root().join("stdlib/kernels/gemm_bias_gelu.vn");
    let kernel = kernel.to_string_lossy();
    let words = [
        "vinci",
        "profile",
        &kernel,
        "--what-if",
        "never",
        "--html",
        "page.html",
        "--trace",
        "trace.json",
        "-D",
        "M=70",
        "-D",
        "K=130",
        "-D",
        "N=45",
    ];
    super::command::run(&folder, &words, b"").expect_done();
    let page = fs::read_to_string(folder.join("page.html")).expect("it was written");
    assert_eq!(unclosed(&page), Vec::<String>::new(), "every element ends");
    for outside in ["http://", "https://", " src=", "@import", "fetch("] {
        assert!(!page.contains(outside), "the page asks for `{outside}`");
    }
    let (_, rest) = page
        .split_once("<script id=\"data\" type=\"application/json\">")
        .expect("the data is there");
    let (data, _) = rest.split_once("</script>").expect("the data ends");
    let data: serde_json::Value = serde_json::from_str(data).expect("the data is JSON");
    let rows = data["timeline"]["rows"].as_array().expect("rows");
    assert!(rows.iter().any(|row| row["pipe"] == "M"), "the cube ran");
    assert!(
        rows.iter().any(|row| row["pipe"] == "V"),
        "the vector unit ran"
    );
    let spaces = data["memory"].as_array().expect("a memory map");
    assert!(
        spaces.iter().any(|space| space["space"] == "l0c"),
        "{spaces:?}"
    );
    let text = data["sources"][0]["text"]
        .as_str()
        .expect("the source is shown");
    assert!(text.contains("gemm_bias_gelu"), "{text}");
    let trace = fs::read_to_string(folder.join("trace.json")).expect("it was written");
    let trace: serde_json::Value = serde_json::from_str(&trace).expect("the trace is JSON");
    assert!(
        trace["traceEvents"]
            .as_array()
            .is_some_and(|events| events.len() > 100)
    );
}

/// The elements that a page opens and does not close, its script and data left out.
fn unclosed(page: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[..end];
        let name = tag.split_whitespace().next().unwrap_or_default();
        rest = &rest[end + 1..];
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "elements nest");
        } else if !name.starts_with('!') && name != "meta" {
            open.push(name.to_owned());
        }
        if name == "script" {
            let end = rest.find("</script>").expect("a script ends");
            rest = &rest[end..];
        }
    }
    open
}

#[test]
fn a_ladder_goes_up_and_a_schedule_has_neighbours() {
    let print = |words: &[&str]| -> serde_json::Value {
        let sizes = ["-D", "M=256,N=320,K=512", "--report", "json"];
        let words: Vec<&str> = words.iter().copied().chain(sizes).collect();
        let ran = super::command::run(&root(), &words, b"").expect_done();
        serde_json::from_slice(&ran.out).expect("JSON")
    };
    let ladder = print(&["vinci", "ladder", "stdlib/kernels/gemm.vn"]);
    let rungs = ladder["rungs"].as_array().expect("rungs");
    let cycles = rungs.iter().filter_map(|rung| rung["cycles"].as_u64());
    let cycles: Vec<u64> = cycles.collect();
    assert!(cycles.len() >= 4, "{ladder}");
    assert!(cycles.first() > cycles.last(), "{ladder}");
    let why = print(&["vinci", "explain-schedule", "stdlib/kernels/gemm.vn"]);
    let tried = why["steps"][0]["tried"].as_array().expect("a step");
    let made = tried.iter().filter(|near| near["cycles"].is_u64());
    let not = tried.iter().filter(|near| near["why_not"].is_string());
    assert!(made.count() > 3 && not.count() > 0, "{why}");
}

//! `cargo bench -p tests --bench search [-- NAME]`: what `-O3` finds for kernels of the library, how fast, and what it
//! tried. With a name all candidates of that kernel are listed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use backend::Level;
use diag::SourceMap;
use driver::{Settings, build, kernel};
use isa::chip::Chip;
use search::{Explanation, Outcome};

/// Kernel, chip, sizes.
const ROWS: &[(&str, &str, &str)] = &[
    ("gemm", "910b2", "M=1024 K=1024 N=1024"),
    ("gemm", "910c-1850", "M=1536 K=1536 N=1536"),
    ("gemm", "910c-1850", "M=4096 K=5120 N=4096"),
    ("gemm", "910c-1850", "M=6144 K=6144 N=6144"),
    ("gemm", "910b1", "M=8192 K=8192 N=8192"),
    ("gemm", "910c-1850", "M=20 K=6144 N=16384"),
    ("gemm_bias_gelu", "910b2", "M=4096 K=4096 N=4096"),
    ("attention", "910b2", "H=24 S=1024 T=1024 D=128"),
    ("softmax", "910b2", "R=8192 C=8192"),
    ("layernorm", "910b2", "R=8192 D=8192"),
    ("rmsnorm", "910b2", "R=8192 D=8192"),
    ("add", "910b2", "R=8192 C=8192"),
];

#[expect(
    clippy::print_stdout,
    reason = "the figures are what the command is for"
)]
fn main() {
    let wanted = env::args().skip(1).find(|arg| !arg.starts_with('-'));
    println!(
        "kernel, sizes, chip: cycles of -O1, of -O3; seconds; candidates priced, planned, timed, timed closely; planned each second"
    );
    for (name, chip, sizes) in ROWS {
        if wanted.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        match search(name, chip, sizes) {
            Ok((found, seconds)) => {
                let shown = |cycles: Option<u64>| cycles.map_or("-".to_owned(), |c| c.to_string());
                println!(
                    "{name} {sizes} {chip}: {} {}; {seconds:.2} s; {} {} {} {}; {:.0}",
                    shown(found.default_cycles),
                    shown(found.cycles),
                    found.priced,
                    found.planned,
                    found.timed,
                    found.confirmed.len(),
                    found.planned as f64 / seconds
                );
                if wanted.is_some() {
                    list(&found);
                }
            }
            Err(why) => println!("{name} {sizes} {chip}: {why}"),
        }
    }
}

fn search(name: &str, chip: &str, sizes: &str) -> Result<(Explanation, f64), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../stdlib/kernels")
        .join(format!("{name}.vn"));
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let mut sources = SourceMap::new();
    let file = sources.add(name, text.as_str());
    let shown = |found: Vec<diag::Diagnostic>| format!("{found:?}");
    let loaded = kernel::load(file, &mut sources, &mut Vec::new()).map_err(shown)?;
    let info = loaded.choose(None).map_err(|found| shown(vec![found]))?;
    let values = kernel::Values::read(sizes.split_whitespace()).map_err(|e| format!("{e:?}"))?;
    let func = loaded
        .bind(&info, &values, &BTreeMap::new())
        .map_err(shown)?;
    let chip = Chip::builtin(chip).ok_or("no such chip")?;
    let settings = Settings::new(chip, Level::O3);
    let start = Instant::now();
    let found = search::search(&build::search_task(&func, &settings), &|_| None).map_err(shown)?;
    Ok((found.explanation, start.elapsed().as_secs_f64()))
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what the command is for"
)]
fn list(found: &Explanation) {
    for known in &found.confirmed {
        println!("  closely {} ({} reckoned)", known.cycles, known.reckoned);
    }
    for step in &found.steps {
        println!("  {}: {:?}", step.name, step.chosen);
        println!("    lacks {:?}", step.lacking(&step.chosen));
        for tried in &step.tried {
            let values: Vec<String> = (tried.values.iter())
                .map(|(knob, value)| format!("{} {value}", knob.name()))
                .collect();
            let outcome = match &tried.outcome {
                Outcome::Timed(cycles) => cycles.to_string(),
                Outcome::Refused(why) => why.clone(),
            };
            println!(
                "    {outcome:>9} ({:?}) {}",
                tried.reckoned,
                values.join(", ")
            );
        }
    }
}

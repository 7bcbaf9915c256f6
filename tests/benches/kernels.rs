//! `cargo bench -p tests --bench kernels [-- WORDS]`: the kernels with published figures, at their shapes, beside them.
//!
//! A word picks the rows whose kernel or number holds it; `--write` puts the table into the README; `--level=1` takes
//! another level than the best; `compile` measures how long compiling takes instead. Cycles are the model's, without
//! values, and the same on every host.

#[path = "../harness/command.rs"]
#[expect(dead_code, reason = "the test target uses the rest")]
mod command;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use backend::Level;
use diag::SourceMap;
use driver::{Settings, build, kernel};
use isa::chip::Chip;
use serde_json::Value;

/// Lines of the README between which the table stands.
const MARKS: [&str; 2] = ["<!-- kernels: begin -->", "<!-- kernels: end -->"];

/// What is compared with the published figure.
#[derive(Copy, Clone)]
enum Measure {
    /// Useful multiply-adds over the peak of all cubes, launch included, in percent.
    Cube,
    /// The same over another peak, in 10^12 operations a second.
    Peak(f64),
    /// Busy share of the cubes without the launch, in percent.
    CubeBusy,
    /// Bytes that must move over the bandwidth of memory that is reached, launch included, in percent.
    Memory,
    /// Microseconds.
    Time,
}

/// A kernel at a shape.
struct Row {
    number: &'static str,
    file: &'static str,
    sizes: &'static str,
    target: &'static str,
    measure: Measure,
    /// As it is written in the source.
    published: &'static str,
    source: &'static str,
    /// What the measure is to reach.
    goal: f64,
}

const A2_20: &str = "tests/calibration/chips/a2-20.toml";
const LADDERS: &str = "asc-devkit best_practices";
const PTO: &str = "PTO-ISA gemm_performance";
const TABLE_10: &str = "arXiv 2506.12708, table 10";
const OWN: &str = "stdlib/kernels";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("1", "gemm", "M=4096 K=4096 N=5120", A2_20, Measure::Cube, "22.4 → 79.8 %", "CANN best_practices_10_0041", 90.0),
    row("2", "gemm", "M=8192 K=8192 N=8192", "910b1", Measure::Cube, "75.3 %", LADDERS, 83.0),
    row("3", "gemm_f32", "M=6144 K=6144 N=6144", "910c-1850", Measure::Cube, "84.7 %", PTO, 85.0),
    row("4", "gemm", "M=1536 K=1536 N=1536", "910c-1850", Measure::Cube, "51.4 %", PTO, 58.0),
    row("5", "gemm", "M=20 K=6144 N=16384", A2_20, Measure::Time, "139.6 µs", LADDERS, 143.0),
    row("6a", "gemm_i8_grouped", "G=4 M=7168 K=4096 N=4096", "910c", Measure::Peak(752.0), "79.4 %", TABLE_10, 79.4),
    row("6b", "gemm_i8_grouped", "G=4 M=2048 K=4096 N=7168", "910c", Measure::Peak(752.0), "77.4 %", TABLE_10, 77.4),
    row("6c", "gemm_i8_grouped", "G=4 M=7168 K=8192 N=4096", "910c", Measure::Peak(752.0), "82.7 %", TABLE_10, 82.7),
    row("6d", "gemm_i8_grouped", "G=4 M=2048 K=8192 N=7168", "910c", Measure::Peak(752.0), "81.1 %", TABLE_10, 81.1),
    row("6e", "gemm_i8_grouped", "G=8 M=7168 K=4096 N=4096", "910c", Measure::Peak(752.0), "79.6 %", TABLE_10, 79.6),
    row("6f", "gemm_i8_grouped", "G=8 M=2048 K=4096 N=7168", "910c", Measure::Peak(752.0), "77.9 %", TABLE_10, 77.9),
    row("7", "gemm_bias_gelu", "M=4096 K=4096 N=4096", "910b2", Measure::Cube, "–", "", 80.0),
    row("8a", "attention", "H=24 S=8192 T=8192 D=128", "910b2", Measure::Cube, "48 %", "PTO-ISA flash_atten", 54.0),
    row("8b", "attention", "H=24 S=1024 T=1024 D=128", "910b2", Measure::Cube, "11 %", "PTO-ISA flash_atten", 25.0),
    row("9", "mla_decode_bf16", "B=32 H=128 L=512 R=64 T=8192", "910c", Measure::Cube, "69.5 %; 86.8 %", "CloudMatrix384; AMLA", 80.0),
    row("10", "attention_grouped", "N=256 G=4 S=1 T=8192 D=128", "910b2", Measure::Memory, "84.1 %", "CloudMatrix384", 88.0),
    row("11", "add", "R=8192 C=8192", "910b2", Measure::Time, "184.5 µs", "asc-devkit add_high_performance", 188.0),
    row("12a", "softmax", "R=8192 C=8192", "910b2", Measure::Memory, "–", "", 90.0),
    row("12b", "layernorm", "R=8192 D=8192", "910b2", Measure::Memory, "–", "", 90.0),
    row("12c", "rmsnorm", "R=8192 D=8192", "910b2", Measure::Memory, "–", "", 90.0),
    row("13", "conv2d", "B=6 H=32 W=32 C=512 O=6144 KH=3 KW=3 S=1 P=1 D=1", "910c-1850", Measure::CubeBusy, "91.3 %", "PTO-ISA conv2d_forward", 91.0),
    row("14", "gemv", "M=8192 K=8192", "910b2", Measure::Memory, "–", "", 88.0),
];

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
const fn row(
    number: &'static str,
    file: &'static str,
    sizes: &'static str,
    target: &'static str,
    measure: Measure,
    published: &'static str,
    source: &'static str,
    goal: f64,
) -> Row {
    Row {
        number,
        file,
        sizes,
        target,
        measure,
        published,
        source,
        goal,
    }
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    if words.iter().any(|word| *word == "compile") {
        print!("{}", compile_times());
        return;
    }
    let level = args.iter().find_map(|arg| arg.strip_prefix("--level="));
    let wanted = |row: &&Row| {
        let named = |word: &&String| {
            let letters = word.starts_with(|c: char| c.is_alphabetic());
            row.number == word.as_str() || letters && row.file.contains(word.as_str())
        };
        words.is_empty() || words.iter().any(named)
    };
    println!("{HEAD}");
    let mut lines = Vec::new();
    for row in ROWS.iter().filter(wanted) {
        let line = row.line(level.unwrap_or("3"));
        println!("{line}");
        lines.push(line);
    }
    if args.iter().any(|arg| arg == "--write") {
        write(&format!("{HEAD}\n{}\n", lines.join("\n")));
    }
}

const HEAD: &str = "\
| # | kernel | shape | target | cycles | µs | reached | goal | published | source | cube utilization | busy | binds | of that speed | at least | by | of that speed |\n\
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";

impl Row {
    /// The row of the table, or why there is none.
    fn line(&self, level: &str) -> String {
        let name = target_name(self.target);
        let head = format!(
            "| {} | {} | {} | {name} |",
            self.number, self.file, self.sizes
        );
        let report = match self.report(level) {
            Ok(report) => report,
            Err(why) => return format!("{head} – | – | {why} | | | | | | | | | | |"),
        };
        let number = |path: &str| report.pointer(path).and_then(Value::as_f64).unwrap_or(0.0);
        let cycles = number("/cycles");
        let reached = self.reached(&report);
        let good = match self.measure {
            Measure::Time => reached <= self.goal,
            Measure::Cube | Measure::Peak(_) | Measure::CubeBusy | Measure::Memory => {
                reached >= self.goal
            }
        };
        let unit = match self.measure {
            Measure::Time => "µs",
            Measure::Cube => "% cube",
            Measure::Peak(_) => "% of 752",
            Measure::CubeBusy => "% cube busy",
            Measure::Memory => "% of memory",
        };
        let bound = number("/bound/cycles") + number("/launch_cycles");
        let by = report.pointer("/bound/resource").and_then(Value::as_str);
        let mut line = head;
        let _ = write!(
            line,
            " {} | {:.1} | {}{reached:.1} {unit}{} | {} | {} | {} | {:.1} % | {} | {} | {} | {} | {:.1} % |",
            grouped(cycles as u64),
            number("/seconds") * 1e6,
            if good { "**" } else { "" },
            if good { "**" } else { "" },
            self.goal,
            self.published,
            self.source,
            100.0 * number("/utilization/cube"),
            busy(&report),
            binding(&report),
            grouped(bound as u64),
            by.unwrap_or("–"),
            100.0 * bound / cycles.max(1.0),
        );
        line
    }

    /// What `vinci profile` says of the kernel.
    fn report(&self, level: &str) -> Result<Value, String> {
        let library = format!("{OWN}/{}.vn", self.file);
        let file = match root().join(&library).exists() {
            true => library,
            false => format!("tests/benches/kernels/{}.vn", self.file),
        };
        let level = format!("-O{level}");
        let mut words = vec!["vinci", "profile", &file, &level, "--target", self.target];
        words.extend(["--what-if", "never", "--report", "json"]);
        for size in self.sizes.split_whitespace() {
            words.extend(["-D", size]);
        }
        let ran = command::run(&root(), &words, b"");
        match serde_json::from_slice(&ran.out) {
            Ok(report) => Ok(report),
            Err(_) => Err(ran.err.lines().next().unwrap_or("no report").to_owned()),
        }
    }

    fn reached(&self, report: &Value) -> f64 {
        let number = |path: &str| report.pointer(path).and_then(Value::as_f64).unwrap_or(0.0);
        let chip = chip(self.target);
        match self.measure {
            Measure::Cube => 100.0 * number("/utilization/cube"),
            Measure::Peak(tera) => {
                let mads = roof(report, "cube", "amount");
                100.0 * 2.0 * mads / number("/seconds").max(1e-12) / (tera * 1e12)
            }
            Measure::CubeBusy => {
                let cycles = number("/cycles") - number("/launch_cycles");
                100.0 * roof(report, "pipe m", "cycles") / cycles.max(1.0)
            }
            Measure::Memory => {
                let nominal = chip.memory.hbm_mbps as f64;
                let share = number("/utilization/hbm") * nominal;
                100.0 * share / chip.memory.hbm_effective_mbps as f64
            }
            Measure::Time => number("/seconds") * 1e6,
        }
    }
}

/// A number of a row of the roofline; 0 if there is no such row.
fn roof(report: &Value, resource: &str, key: &str) -> f64 {
    let rows = report["roofline"].as_array();
    let found = rows.and_then(|rows| rows.iter().find(|row| row["resource"] == resource));
    found.and_then(|row| row[key].as_f64()).unwrap_or(0.0)
}

/// The share of the run in which each pipe works, launch included, the busiest first.
fn busy(report: &Value) -> String {
    let rows = report["roofline"].as_array();
    let pipes = rows.into_iter().flatten().filter_map(|row| {
        let pipe = row["resource"].as_str()?.strip_prefix("pipe ")?;
        Some((row["reached"].as_f64()?, pipe.to_uppercase()))
    });
    let mut pipes: Vec<(f64, String)> = pipes.collect();
    pipes.sort_by(|a, b| b.0.total_cmp(&a.0));
    let shares = pipes.iter();
    let shares = shares.map(|(share, pipe)| format!("{pipe} {:.0}", 100.0 * share));
    shares.collect::<Vec<_>>().join(", ") + " %"
}

/// The resource that takes longest with what this schedule asks of it, and how near the run without its launch comes to
/// that time.
fn binding(report: &Value) -> String {
    let rows = report["roofline"].as_array();
    let roofs = rows.into_iter().flatten().filter_map(|row| {
        Some((
            row["cycles"].as_f64()?,
            row["resource"].as_str()?.to_owned(),
        ))
    });
    let most = roofs.max_by(|a, b| a.0.total_cmp(&b.0));
    let number = |key: &str| report[key].as_f64().unwrap_or(0.0);
    let cycles = number("cycles") - number("launch_cycles");
    most.map_or("– | –".to_owned(), |(roof, resource)| {
        format!("{resource} | {:.1} %", 100.0 * roof / cycles.max(1.0))
    })
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("the package is in a folder")
        .to_path_buf()
}

fn target_name(target: &str) -> String {
    let stem = Path::new(target).file_stem().unwrap_or_default();
    match target.ends_with(".toml") {
        true => stem.to_string_lossy().into_owned(),
        false => target.to_owned(),
    }
}

fn chip(target: &str) -> Chip {
    Chip::builtin(target).unwrap_or_else(|| {
        let text = std::fs::read_to_string(root().join(target)).expect("a chip file");
        Chip::from_toml(&text, &|_| None).expect("a right chip file")
    })
}

/// `12 345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Puts the table between its marks in the README.
fn write(table: &str) {
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).expect("the README is there");
    let [begin, end] = MARKS;
    let (before, rest) = readme.split_once(begin).expect("the README has the marks");
    let (_, after) = rest.split_once(end).expect("the README has both marks");
    let text = format!("{before}{begin}\n{table}{end}{after}");
    std::fs::write(&path, text).expect("the README can be written");
}

/// How long compiling takes: every kernel of the library in this process, and a command from cold.
fn compile_times() -> String {
    let mut times: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for (path, text) in stdlib::SOURCES {
        let name = path.trim_start_matches("kernels/").trim_end_matches(".vn");
        let best = |certified| best_of(5, || compiled(name, text, certified));
        if let (Some(object), Some(certified)) = (best(false), best(true)) {
            times.insert(name, [certified * 1e3, object * 1e3]);
        }
    }
    let sorted = |which: usize| {
        let mut sorted: Vec<f64> = times.values().map(|time| time[which]).collect();
        sorted.sort_by(f64::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        (median, sorted.last().copied().unwrap_or(0.0))
    };
    let ((median, most), (objects, _)) = (sorted(0), sorted(1));
    let mut text = format!(
        "source to proved object at -O1, best of 5: {} kernels, median {median:.2} ms ({objects:.2} without the proof), most {most:.2} ms\n",
        times.len(),
    );
    for name in ["gemm", "attention", "conv2d", "softmax", "mla_decode"] {
        if let Some([certified, object]) = times.get(name) {
            let _ = writeln!(
                text,
                "  {name:<12} {certified:.2} ms, {object:.2} without the proof"
            );
        }
    }
    text.push_str(&cold());
    text
}

/// The command from cold, if it has been built for this profile: time, and what it has in memory at most.
fn cold() -> String {
    let exe = std::env::current_exe().expect("this process has a file");
    // The bench is in `release/deps`, the command beside that folder.
    let Some(command) = exe.ancestors().nth(2).map(|folder| folder.join("vincic")) else {
        return String::new();
    };
    let object = std::env::temp_dir().join("vinci-bench.vo");
    let run = || {
        let mut command = Command::new(&command);
        command
            .args(["-O1", "stdlib/kernels/gemm.vn", "-o"])
            .arg(&object);
        let status = command.current_dir(root()).status().ok();
        status.filter(|status| status.success()).map(drop)
    };
    match best_of(20, run) {
        Some(seconds) => format!(
            "vincic gemm.vn from cold, best of 20: {:.1} ms, {}\n",
            seconds * 1e3,
            memory(&command, &object).unwrap_or_else(|| "GNU time is not there".to_owned())
        ),
        None => format!(
            "{} is not built: cargo build --release -p driver\n",
            command.display()
        ),
    }
}

/// What a command has in memory at most, as GNU time says.
fn memory(vincic: &Path, object: &Path) -> Option<String> {
    let mut command = Command::new("/usr/bin/time");
    command.args(["-f", "%M"]).arg(vincic);
    command
        .args(["-O1", "stdlib/kernels/gemm.vn", "-o"])
        .arg(object);
    let ran = command.current_dir(root()).output().ok()?;
    let said = String::from_utf8(ran.stderr).ok()?;
    let kib: f64 = said.trim().parse().ok()?;
    Some(format!("{:.1} MiB", kib / 1024.0))
}

/// The shortest of so many runs, in seconds; none if one fails.
fn best_of(runs: u32, run: impl Fn() -> Option<()>) -> Option<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Some(best)
}

/// Instructions that a build lets the verifier follow if nobody asks for it.
const PROVED: u64 = 1 << 21;

/// Compiles a file of the library at the sizes of its first line, and proves the object if that is wanted; none if it has
/// no kernel.
fn compiled(name: &str, text: &str, certified: bool) -> Option<()> {
    let mut sources = SourceMap::new();
    let file = sources.add(format!("{name}.vn"), text);
    let loaded = kernel::load(file, &mut sources, &mut Vec::new()).ok()?;
    let info = loaded.choose(None).ok()?;
    let func = loaded
        .bind(&info, &Default::default(), &BTreeMap::new())
        .ok()?;
    let settings = Settings::new(Chip::builtin(Chip::DEFAULT)?, Level::O1);
    let mut compiled = build::compile(&func, &settings, &sources).ok()?;
    let object = &mut compiled.lowered.object;
    if certified {
        // One that is too long to prove goes without, as in a build.
        object.certificate = match verifier::verify_within(object, &settings.chip, PROVED) {
            Ok(proof) => verifier::certificate(object, &proof),
            Err(_) => String::new(),
        };
    }
    object.write().ok().map(drop)
}

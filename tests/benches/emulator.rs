//! How fast the emulator is, beside numpy on the same machine in the same call: `cargo bench --bench emulator`.
//!
//! Kernels are compiled before the clock starts. Every figure is the best of several calls, and the rounds of all
//! columns alternate, so that a ratio compares like with like on a machine that is not quiet. Words after `--`: parts to
//! run (`jobs`, `timing`, `large`, `memory`, `start`), all of them if none is given. `VINCI_PYTHON` names a python3 with
//! numpy; without one the ratios are left out.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints its table"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use diag::SourceMap;
use driver::{Settings, build, kernel, tile};
use emulator::{Options, Outcome, Sanitize};
use ir::algo::data::draw;
use isa::chip::Chip;
use isa::object::{Object, ParamDir};

/// Where a job's code comes from.
#[derive(Copy, Clone)]
enum Source {
    /// A kernel of the library and its sizes.
    Kernel(&'static str, &'static str),
    /// A tile form of the tests.
    Tile(&'static str),
}

/// One row of the table.
struct Job {
    name: &'static str,
    source: Source,
    /// Operations of the whole job, a multiply-add being two; none where a rate says nothing.
    operations: Option<f64>,
    /// The job of `emulator.py` to compare with.
    peer: &'static str,
}

const JOBS: &[Job] = &[
    Job {
        name: "gemm f16 1024^3",
        source: Source::Kernel("gemm", "M=1024 K=1024 N=1024"),
        operations: Some(2.0 * 1024.0 * 1024.0 * 1024.0),
        peer: "gemm",
    },
    Job {
        name: "gemm i8 1024^3",
        source: Source::Kernel("gemm_i8", "M=1024 K=1024 N=1024"),
        operations: Some(2.0 * 1024.0 * 1024.0 * 1024.0),
        peer: "gemm",
    },
    Job {
        name: "softmax f16 1024x1024",
        source: Source::Kernel("softmax", "R=1024 C=1024 T=f16"),
        operations: None,
        peer: "softmax",
    },
    Job {
        name: "attention f16 S=1024 D=64",
        source: Source::Tile("tile/attention.tile"),
        operations: Some(4.0 * 1024.0 * 1024.0 * 64.0),
        peer: "attention",
    },
    Job {
        name: "the same, as a stream",
        source: Source::Tile("tile/attention_stream.tile"),
        operations: Some(4.0 * 1024.0 * 1024.0 * 64.0),
        peer: "attention",
    },
];

const LARGE: Source = Source::Kernel("gemm", "M=8192 K=8192 N=8192");
const LARGE_OPERATIONS: f64 = 2.0 * 8192.0 * 8192.0 * 8192.0;
/// Rounds over the columns of a row, and calls in each.
const ROUNDS: usize = 6;
const CALLS: usize = 3;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, rest @ ..] = &words[..]
        && mode == "child"
    {
        return child(rest);
    }
    let parts: Vec<&String> = words.iter().filter(|word| *word != "--bench").collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|word| *word == part);
    println!("{}", host());
    let mut peer = Peer::start();
    if wanted("jobs") {
        jobs(&mut peer);
    }
    if wanted("timing") {
        timing();
    }
    if wanted("start") {
        start();
    }
    if wanted("memory") {
        memory();
    }
    if wanted("large") {
        large();
    }
}

/// The processor and what is compared with.
fn host() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |m| m.trim_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("host: {model}, {cores} cores")
}

/// A job made ready: its code and arguments.
struct Ready {
    object: Object,
    inputs: Vec<Option<Vec<u8>>>,
    chip: Chip,
}

impl Ready {
    fn run(&self, options: &Options) -> Outcome {
        emulator::run(&self.object, &self.inputs, &self.chip, options)
            .unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Seconds of the fastest of some calls.
    fn best(&self, options: &Options) -> f64 {
        let call = |_| {
            let start = Instant::now();
            let outcome = self.run(options);
            let seconds = start.elapsed().as_secs_f64();
            drop(outcome);
            seconds
        };
        (0..CALLS).map(call).fold(f64::INFINITY, f64::min)
    }
}

/// Compiles a job and draws its arguments; none if its file is not there.
fn ready(source: Source, values: bool) -> Option<Ready> {
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    let settings = Settings::new(chip.clone(), backend::Level::O1);
    let mut sources = SourceMap::new();
    let shown = |found: Vec<diag::Diagnostic>, sources: &SourceMap| -> ! {
        panic!("{}", diag::render_text(&found, sources, false))
    };
    let object = match source {
        Source::Kernel(name, sizes) => {
            let text = std::fs::read_to_string(path(&format!("../stdlib/kernels/{name}.vn")))
                .expect("the kernels of the library are there");
            let file = sources.add(name, text.as_str());
            let loaded = kernel::load(file, &mut sources, &mut Vec::new())
                .unwrap_or_else(|found| shown(found, &sources));
            let info = loaded.choose(None).expect("one kernel a file");
            let Ok(sizes) = kernel::Values::read(sizes.split(' ')) else {
                panic!("the sizes of `{name}` are no sizes");
            };
            let func = loaded.bind(&info, &sizes, &BTreeMap::new());
            let func = func.unwrap_or_else(|found| shown(found, &sources));
            let built = build::compile(&func, &settings, &sources);
            built
                .unwrap_or_else(|found| shown(found, &sources))
                .lowered
                .object
        }
        Source::Tile(name) => {
            let text = std::fs::read_to_string(path(name)).ok()?;
            let file = sources.add(name, text.as_str());
            let func = tile::load(file, &sources).unwrap_or_else(|found| shown(found, &sources));
            let built = build::lower(func, &settings, &sources);
            built.unwrap_or_else(|found| shown(found, &sources)).object
        }
    };
    let params = object.kernel.params.iter();
    let inputs = params.map(|param| {
        let shape: Vec<i64> = param.shape.iter().map(|&extent| extent as i64).collect();
        let drawn = values && param.dir == ParamDir::In;
        drawn.then(|| draw(param.elem, &shape, 0, &param.name).bytes)
    });
    Some(Ready {
        inputs: inputs.collect(),
        object,
        chip,
    })
}

fn path(relative: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn options(threads: usize, sanitize: Sanitize) -> Options {
    Options {
        threads,
        sanitize,
        ..Options::default()
    }
}

/// Values and cycles beside numpy.
fn jobs(peer: &mut Peer) {
    println!(
        "\nvalues and cycles; GFLOP/s and its ratio to numpy's f32, one thread; 2 threads against 1, no sanitizers"
    );
    println!(
        "{:<26} {:>9} {:>8} {:>7} | {:>9} {:>8} {:>7} | {:>9} {:>8} | {:>9}",
        "job",
        "off ms",
        "GFLOP/s",
        "ratio",
        "all ms",
        "GFLOP/s",
        "ratio",
        "numpy ms",
        "GFLOP/s",
        "2 threads"
    );
    for job in JOBS {
        let Some(ready) = ready(job.source, true) else {
            println!("{:<26} skipped: its file is not there", job.name);
            continue;
        };
        let mut best = [f64::INFINITY; 4];
        let mut note = |column: usize, seconds: f64| best[column] = best[column].min(seconds);
        for _ in 0..ROUNDS {
            note(0, ready.best(&options(1, Sanitize::NONE)));
            note(1, peer.seconds(job.peer).unwrap_or(f64::INFINITY));
            note(2, ready.best(&options(1, Sanitize::ALL)));
            note(3, ready.best(&options(2, Sanitize::NONE)));
        }
        let [off, numpy, all, two] = best;
        let rate = |seconds: f64| match job.operations {
            Some(operations) if seconds.is_finite() => {
                format!("{:.1}", operations / seconds / 1e9)
            }
            Some(_) | None => "-".to_owned(),
        };
        let ratio = |seconds: f64| match numpy.is_finite() {
            true => format!("{:.2}", numpy / seconds),
            false => "-".to_owned(),
        };
        let ms = |seconds: f64| match seconds.is_finite() {
            true => format!("{:.2}", seconds * 1e3),
            false => "-".to_owned(),
        };
        println!(
            "{:<26} {:>9} {:>8} {:>7} | {:>9} {:>8} {:>7} | {:>9} {:>8} | {:>9}",
            job.name,
            ms(off),
            rate(off),
            ratio(off),
            ms(all),
            rate(all),
            ratio(all),
            ms(numpy),
            rate(numpy),
            format!("{:.2}x", off / two)
        );
    }
    match peer.seconds("attention_torch") {
        Ok(seconds) => println!("torch f32 attention, one thread: {:.2} ms", seconds * 1e3),
        Err(why) => println!("torch f32 attention: {why}"),
    }
}

/// Cycles without values.
fn timing() {
    println!("\ncycles without values, gemm f16 8192^3 on 24 cores");
    let ready = ready(LARGE, false).expect("a kernel of the library");
    for threads in [1, 2] {
        let timed = Options {
            timing_only: true,
            ..options(threads, Sanitize::NONE)
        };
        let seconds = (0..2).map(|_| ready.best(&timed));
        let seconds = seconds.fold(f64::INFINITY, f64::min);
        let report = ready.run(&timed).report;
        println!(
            "{threads} thread(s): {:.3} s, {} instructions, {:.1} M instructions/s, {:.0} M core-cycles/s",
            seconds,
            report.instructions,
            report.instructions as f64 / seconds / 1e6,
            (report.cycles - report.launch_cycles) as f64 * 24.0 / seconds / 1e6
        );
    }
}

/// Values and cycles of a large product on two threads, in a process of its own.
fn large() {
    println!("\ngemm f16 8192^3 on 24 cores, values and cycles, 2 threads, no sanitizers");
    print!("{}", in_child(&["large"]));
}

/// Memory beyond the data, in processes of their own.
fn memory() {
    println!("\npeak memory, no sanitizers, one thread");
    for (at, job) in JOBS.iter().enumerate() {
        print!(
            "{:<26} {}",
            job.name,
            in_child(&["memory", &at.to_string()])
        );
    }
}

/// From nothing to the end of a small run.
fn start() {
    let call = || {
        let start = Instant::now();
        let _ = in_child(&["start"]);
        start.elapsed().as_secs_f64()
    };
    let best = (0..10).map(|_| call()).fold(f64::INFINITY, f64::min);
    println!(
        "\nstart-up: a process that compiles and runs relu of 64 elements: {:.1} ms",
        best * 1e3
    );
}

fn in_child(words: &[&str]) -> String {
    let program = std::env::current_exe().expect("this program has a path");
    let ran = Command::new(program).arg("child").args(words).output();
    let ran = ran.expect("this program can be run again");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

fn child(words: &[String]) {
    match words.first().map(String::as_str) {
        Some("memory") => {
            let job = words
                .get(1)
                .and_then(|at| JOBS.get(at.parse::<usize>().ok()?));
            match job.and_then(|job| ready(job.source, true)) {
                Some(ready) => println!("{}", held(&ready, 1)),
                None => println!("skipped: its file is not there"),
            }
        }
        Some("large") => {
            let ready = ready(LARGE, true).expect("a kernel of the library");
            let start = Instant::now();
            let text = held(&ready, 2);
            let seconds = start.elapsed().as_secs_f64();
            let rate = LARGE_OPERATIONS / seconds / 1e9;
            println!("{seconds:.1} s, {rate:.1} GFLOP/s, {text}");
        }
        Some("repeat") => repeat(&words[1..]),
        Some("start") => {
            let ready = ready(Source::Kernel("relu", "R=1 C=64"), true);
            ready
                .expect("a kernel of the library")
                .run(&options(1, Sanitize::ALL));
        }
        Some(_) | None => eprintln!("a part that this bench does not have"),
    }
}

/// `child repeat JOB CALLS WAY`: the calls alone, for a profiler. A way is `off`, `all` or `timing`.
fn repeat(words: &[String]) {
    let [job, calls, way] = words else {
        return eprintln!("repeat JOB CALLS WAY");
    };
    let job = job.parse::<usize>().ok().and_then(|at| JOBS.get(at));
    let source = job.map_or(LARGE, |job| job.source);
    let sanitize = match way.as_str() {
        "all" => Sanitize::ALL,
        _ => Sanitize::NONE,
    };
    let chosen = Options {
        timing_only: way == "timing",
        ..options(1, sanitize)
    };
    let ready = ready(source, way != "timing").expect("the job's file is there");
    for _ in 0..calls.parse().unwrap_or(1) {
        let start = Instant::now();
        drop(ready.run(&chosen));
        println!("{:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    }
}

/// Runs a job and tells the process's peak beside the bytes of its tensors.
fn held(ready: &Ready, threads: usize) -> String {
    let params = ready.object.kernel.params.iter();
    let data: u64 = params.filter_map(isa::object::ParamMeta::bytes).sum();
    drop(ready.run(&options(threads, Sanitize::NONE)));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| {
        let value = line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?;
        value.trim().parse::<u64>().ok()
    });
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    match peak {
        Some(peak) => format!(
            "peak {:.1} MiB, data {:.1} MiB, beyond the data {:.1} MiB",
            mib(peak << 10),
            mib(data),
            mib((peak << 10).saturating_sub(data))
        ),
        None => "peak memory: skipped, this system does not tell it".to_owned(),
    }
}

/// A python that runs `emulator.py`.
struct Peer(Option<Pipes>);

struct Pipes {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it, or says what is skipped without it.
    fn start() -> Peer {
        let python = std::env::var("VINCI_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut peer = Peer(Peer::spawn(&python));
        match peer.ask("who") {
            Ok(who) => println!("beside: {who}"),
            Err(why) => {
                println!(
                    "skipped: ratios to numpy, because {why} ({python}); VINCI_PYTHON names another"
                );
                peer.0 = None;
            }
        }
        peer
    }

    fn spawn(python: &str) -> Option<Pipes> {
        let mut child = Command::new(python)
            .arg(path("benches/emulator.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (input, output) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        Some(Pipes {
            child,
            input,
            output,
        })
    }

    fn ask(&mut self, word: &str) -> Result<String, String> {
        let pipes = self.0.as_mut().ok_or("there is no python3 with numpy")?;
        let mut answer = String::new();
        let asked = writeln!(pipes.input, "{word}").and_then(|()| pipes.input.flush());
        let heard = asked.and_then(|()| pipes.output.read_line(&mut answer));
        match (heard, answer.trim()) {
            (Err(_) | Ok(0), _) => Err("there is no python3 with numpy".to_owned()),
            (Ok(_), answer) if answer.starts_with("skipped") => Err(answer.to_owned()),
            (Ok(_), answer) => Ok(answer.to_owned()),
        }
    }

    fn seconds(&mut self, job: &str) -> Result<f64, String> {
        let answer = self.ask(job)?;
        answer.parse().map_err(|_| format!("skipped: {answer}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(pipes) = self.0.take() {
            drop(pipes.input);
            let mut child = pipes.child;
            // It ends when its input does; how it ended says nothing.
            let _ = child.wait();
        }
    }
}

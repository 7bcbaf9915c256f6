//! `cargo bench -p tests --bench certificates [-- O0 O1 O3 WORDS]`: every kernel of the library over all its sizes, those of
//! the documentation and those that only tests read, is proved as a build proves it: which are not, how long that takes
//! beside compilation, and how many bytes of the object say what is claimed. A word picks files that hold it.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use backend::Level;
use diag::SourceMap;
use driver::{Settings, build, kernel};
use ir::algo::Func;
use isa::chip::Chip;
use isa::object::{Claims, Object};

/// Instructions that a build lets the verifier follow.
const STEPS: u64 = 1 << 21;
/// What verification may take beyond compilation.
const BEYOND: Duration = Duration::from_millis(50);

/// One object.
struct Row {
    name: String,
    compile: Duration,
    prove: Duration,
    /// The same without claims.
    unclaimed: Duration,
    /// Why it has no certificate.
    refused: Option<String>,
    /// Steps that claims are of.
    steps: usize,
    bytes: usize,
    /// Of those the ones of claims.
    claims: usize,
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn main() {
    let given: Vec<String> = env::args().skip(1).filter(|it| it != "--bench").collect();
    let levels = [("O0", Level::O0), ("O1", Level::O1), ("O3", Level::O3)];
    let named = |text: &String| levels.iter().any(|level| level.0 == text);
    let words: Vec<&String> = given.iter().filter(|text| !named(text)).collect();
    let chosen = |level: &&(&str, Level)| {
        !given.iter().any(named) || given.iter().any(|text| text == level.0)
    };
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    for (title, level) in levels.iter().filter(chosen) {
        for (sizes, what) in [
            ("test", "sizes of tests"),
            ("shape", "sizes of the documentation"),
        ] {
            let mut rows = Vec::new();
            for (name, text) in stdlib::SOURCES {
                if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
                    rows.extend(file((name, text), sizes, *level, &chip));
                }
            }
            println!("{}", report(&format!("{title}, {what}"), &mut rows));
        }
    }
}

/// Every kernel of a file over the sizes that these lines of it give.
fn file((name, text): (&str, &str), sizes: &str, level: Level, chip: &Chip) -> Vec<Row> {
    let mut sources = SourceMap::new();
    let file = sources.add(name, text);
    let loaded = kernel::load(file, &mut sources, &mut Vec::new()).expect("the library is right");
    let lines = |key: &str| loaded.lines(key).expect("the library's lines are right");
    let mut rows = Vec::new();
    for info in loaded.kernels() {
        for values in &lines(sizes) {
            if let Ok(func) = loaded.bind(&info, values, &BTreeMap::new()) {
                rows.extend(row(&func, level, chip, &sources));
            }
        }
    }
    rows
}

fn row(func: &Func, level: Level, chip: &Chip, sources: &SourceMap) -> Option<Row> {
    let settings = Settings::new(chip.clone(), level);
    let start = Instant::now();
    let compiled = build::compile(func, &settings, sources).ok()?;
    let object = compiled.lowered.object;
    let compile = start.elapsed();
    let bytes = |object: &Object| object.write().map_or(0, |bytes| bytes.len());
    let bare = Object {
        claims: Claims::default(),
        ..object.clone()
    };
    let read = Object::read(&object.write().expect("an object that can be written"));
    let read = read.expect("an object that can be read");
    let timed = |object: &Object| {
        let start = Instant::now();
        let proved = verifier::verify_within(object, chip, STEPS);
        (start.elapsed(), proved)
    };
    let (first, proved) = timed(&read);
    // Of few, since the machine does other things too.
    let best = |object: &Object| (0..2).map(|_| timed(object).0).fold(first, Duration::min);
    let prove = best(&read);
    Some(Row {
        name: format!("{} {:?}", func.name, func.sizes),
        compile,
        prove,
        unclaimed: best(&bare),
        refused: proved.err().map(|refusal| refusal.to_string()),
        steps: read.claims.aic.len() + read.claims.aiv.len(),
        bytes: bytes(&object),
        claims: bytes(&object).saturating_sub(bytes(&bare)),
    })
}

fn report(title: &str, rows: &mut [Row]) -> String {
    rows.sort_by_key(|row| row.prove);
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let sum = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    let late = |row: &&Row| row.prove > row.compile + BEYOND;
    let median = rows
        .get(rows.len() / 2)
        .map_or(0.0, |row| millis(row.prove));
    let most = rows.last();
    let mut text = format!(
        "-{title}: {} objects, {} certified; proof {median:.2} ms in the median, {:.1} ms at most ({}), {} beyond compilation + 50 ms; {:.0} ms in all, {:.0} without claims; {} of them with claims, which are {:.1} % of the bytes",
        rows.len(),
        rows.iter().filter(|row| row.refused.is_none()).count(),
        most.map_or(0.0, |row| millis(row.prove)),
        most.map_or("", |row| &row.name),
        rows.iter().filter(late).count(),
        millis(rows.iter().map(|row| row.prove).sum()),
        millis(rows.iter().map(|row| row.unclaimed).sum()),
        rows.iter().filter(|row| row.steps > 0).count(),
        100.0 * sum(|row| row.claims) as f64 / sum(|row| row.bytes).max(1) as f64,
    );
    for row in rows.iter().filter(late) {
        let times = (millis(row.compile), millis(row.prove));
        text += &format!(
            "\n  late: {}: {:.1} ms, proof {:.1} ms",
            row.name, times.0, times.1
        );
    }
    for row in rows.iter() {
        if let Some(refused) = &row.refused {
            text += &format!("\n  refused: {}: {refused}", row.name);
        }
    }
    text
}

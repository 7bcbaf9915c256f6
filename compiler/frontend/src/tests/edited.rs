//! Following edits gives what reading the whole text gives: findings, facts, names.

use std::sync::LazyLock;

use diag::SourceMap;

use crate::ide::{Findings, Names};
use crate::program::{Library, Program};

static LIBRARY: LazyLock<Library> =
    LazyLock::new(|| Library::new(stdlib::PRELUDE, stdlib::SOURCES));

/// What may be written over a few characters.
const PIECES: [&str; 20] = [
    "",
    "",
    "x",
    "x",
    "[",
    "]",
    "é",
    "\n",
    "sum(k) ",
    "let ",
    ";",
    "m",
    "k",
    " + ",
    "as f16",
    "twice(",
    "// ",
    "exp(",
    "assert 1 == 2; ",
    "attend",
];

/// Kernels that name a function, a monoid, constants, an open list; one is scheduled, one has a name that is there twice.
fn text() -> String {
    let own = "fn twice(x: f32) -> f32 { LIMIT * x }\nconst LIMIT: f32 = 2.0;\n\
        kernel same<M>(x: f32[M]) -> y: f32[M] { y[m] = twice(x[m]) + LIMIT; }\n\
        kernel same<M>(x: f32[M]) -> y: f32[M] { let z[m] = x[m]; y[m] = z[m]; }\n\
        schedule gemm for 910b2 { grid m: 128; }\n\
        const LEAST: f32 = 1.0;\nassert LEAST < LIMIT;\n\
        fn each<..B>(x: f32[..B]) -> y: f32[..B] { y[..b] = x[..b] + 1.0; }\n\
        kernel around<M>(x: f32[M]) -> y: f32[M] { let a[m] = b[m]; let b[m] = a[m]; y[m] = a[m]; }\n";
    let files = ["gemm.vn", "softmax.vn", "attention_split_kv.vn", "rope.vn"];
    let read = |name: &str| {
        let found = stdlib::SOURCES
            .iter()
            .find(|(path, _)| path.ends_with(name));
        let (_, text) = found.expect("the library has it");
        let lines = text.split_inclusive('\n').enumerate();
        let kept = lines.filter(|(at, line)| !line.starts_with("//") || at % 6 == 0);
        kept.map(|(_, line)| line).collect::<String>()
    };
    files.map(read).concat() + own
}

struct Known {
    sources: SourceMap,
    program: Program<'static>,
    found: Findings,
    names: Names,
}

impl Known {
    fn fresh(text: &str) -> Known {
        let mut sources = SourceMap::new();
        let file = sources.add("main.vn", text);
        let program = Program::read(file, &mut sources, &LIBRARY, &|_| None);
        let found = program.check_again(text, None);
        let names = program.names();
        Known {
            sources,
            program,
            found,
            names,
        }
    }

    /// Whether the edit was followed.
    fn follow(mut self, text: &str) -> Result<Known, ()> {
        let edited = self.program.follow(&mut self.sources, text).ok_or(())?;
        self.found = self.program.check_edited(text, self.found, &edited);
        self.names = self.program.names_edited(self.names, &edited);
        Ok(self)
    }

    fn shown(&self) -> [String; 4] {
        [
            format!("{:#?}", self.program.diagnostics),
            format!("{:#?}", self.found.diagnostics),
            format!("{:?}", self.found.facts()),
            format!("{:?}", self.names),
        ]
    }
}

/// A small generator with a fixed seed.
fn draw(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % below.max(1) as u64).expect("below a size")
}

#[test]
fn edits_leave_what_a_fresh_look_finds() {
    let good = text();
    let mut now = good.clone();
    let mut known = Known::fresh(&now);
    let mut state = 88_172_645_463_325_252;
    let (mut followed, edits) = (0, 240);
    for number in 0..edits {
        if number % 4 == 0 {
            now.clone_from(&good);
            known = Known::fresh(&now);
        }
        let marks: Vec<usize> = now.char_indices().map(|(at, _)| at).collect();
        let start = draw(&mut state, marks.len());
        let end = (start + draw(&mut state, 3)).min(marks.len() - 1);
        let piece = PIECES[draw(&mut state, PIECES.len())];
        now.replace_range(marks[start]..marks[end], piece);
        let fresh = Known::fresh(&now);
        match known.follow(&now) {
            Ok(again) => {
                followed += 1;
                for (again, fresh) in again.shown().iter().zip(fresh.shown()) {
                    assert!(
                        *again == fresh,
                        "edit {number}, `{piece}` at {start}:\n{again}\n{fresh}\n{now}"
                    );
                }
                known = again;
            }
            Err(()) => known = fresh,
        }
    }
    assert!(followed * 3 > edits, "{followed} of {edits}");
}

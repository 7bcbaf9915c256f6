//! `vinci fix`: applies the fixes that are what was meant, and only those.
//!
//! A fix may show the next mistake, so the file is checked again until nothing changes. A round that would leave more
//! errors than it found is not kept.

use clap::Args;
use diag::{Applicability, Diagnostic, Edit, FileId, apply};

use crate::difference;
use crate::host::Stop;
use crate::session::Session;

/// Rounds after which a file is left as it is.
const ROUNDS: usize = 16;

/// `vinci fix`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Fix {
    /// `.vn` files, folders of such, or `-` for a text from standard input
    #[arg(value_name = "FILE|FOLDER", required = true)]
    pub(crate) files: Vec<String>,
    /// Writes nothing, shows what would change, and ends with status 1 if anything would
    #[arg(long)]
    pub(crate) check: bool,
}

/// Mends each file, and shows what is left to the user.
pub(crate) fn run(args: &Fix, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let mut left = Vec::new();
    let mut different = false;
    for path in &super::fmt::kernels(&args.files, session)? {
        let before = session.read_text(path)?;
        let before = session.sources.text(before).to_owned();
        let mended = mend(path, &before, session);
        if args.check {
            different |= difference::show(path, "fixed", (&before, &mended.text), session)?;
        } else if path == "-" {
            session.host.print(&mended.text)?;
        } else if mended.text != before {
            session.write(path, mended.text.as_bytes())?;
            let fixes = if mended.fixes == 1 { "fix" } else { "fixes" };
            session
                .host
                .complain(&format!("fixed `{path}`: {} {fixes}\n", mended.fixes));
        }
        left.extend(mended.left);
    }
    let errors: Vec<Diagnostic> = left
        .iter()
        .filter(|found| found.is_error())
        .cloned()
        .collect();
    session.warnings = left.into_iter().filter(|found| !found.is_error()).collect();
    if !errors.is_empty() {
        return Err(Stop::Findings(errors));
    }
    if different { Err(Stop::Said) } else { Ok(()) }
}

/// A file after its fixes.
struct Mended {
    text: String,
    fixes: usize,
    /// What no fix mends, about the text as it is now.
    left: Vec<Diagnostic>,
}

fn mend(path: &str, before: &str, session: &mut Session<'_, '_>) -> Mended {
    let mut best = findings(path, before.to_owned(), session);
    let mut fixes = 0;
    for _ in 0..ROUNDS {
        let edits = edits(best.file, &best.found);
        let Some((text, applied)) = apply(session.sources.text(best.file), &edits) else {
            break;
        };
        let next = findings(path, text, session);
        if next.errors() > best.errors() {
            break;
        }
        fixes += applied;
        best = next;
    }
    Mended {
        text: session.sources.text(best.file).to_owned(),
        fixes,
        left: best.found,
    }
}

/// A text and what was found in it.
struct Checked {
    file: FileId,
    found: Vec<Diagnostic>,
}

impl Checked {
    fn errors(&self) -> usize {
        self.found.iter().filter(|found| found.is_error()).count()
    }
}

fn findings(path: &str, text: String, session: &mut Session<'_, '_>) -> Checked {
    let name = if path == "-" { "<stdin>" } else { path };
    let file = session.sources.add(name, text);
    let kept = std::mem::take(&mut session.warnings);
    let mut found = match session.check_kernel(path, file) {
        Ok(_) => Vec::new(),
        Err(found) => found,
    };
    found.extend(std::mem::replace(&mut session.warnings, kept));
    Checked { file, found }
}

/// The edits of every fix that may be made unasked, fix by fix.
fn edits(file: FileId, found: &[Diagnostic]) -> Vec<Vec<Edit>> {
    let fixes = found.iter().filter_map(|found| found.fix.as_deref());
    let sure = fixes.filter(|fix| fix.applicability == Applicability::MachineApplicable);
    let here = sure.filter(|fix| fix.edits.iter().all(|(span, _)| span.file == file));
    here.map(|fix| fix.edits.clone()).collect()
}

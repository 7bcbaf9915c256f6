//! What a command would change in a file, as people read changes.

use similar::TextDiff;

use crate::host::Stop;
use crate::session::Session;

/// Lines around a difference that are shown.
const CONTEXT: usize = 2;

/// Prints what would change, with the word for what was done to the text; gives whether anything would.
pub(crate) fn show(
    path: &str,
    done: &str,
    (before, after): (&str, &str),
    session: &mut Session<'_, '_>,
) -> Result<bool, Stop> {
    if before == after {
        return Ok(false);
    }
    let diff = TextDiff::from_lines(before, after);
    let text = diff
        .unified_diff()
        .context_radius(CONTEXT)
        .header(path, &format!("{path} ({done})"))
        .to_string();
    session.host.print(&text)?;
    Ok(true)
}

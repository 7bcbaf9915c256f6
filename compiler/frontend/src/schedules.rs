//! Schedules: from the tree to decisions with numbers, for known sizes.
//!
//! Says which schedules of a kernel hold (`when`), evaluates sizes, and refuses verbs that no back end obeys. What a name
//! or a size means for the steps of a kernel is the back end's to say.

mod convert;
mod eval;

use diag::{Diagnostic, Span};
use ir::algo::Func;
use ir::schedule::Schedule;
use syntax::ast::{Decision, DecisionKind, File, Schedule as Tree, StreamClause};

use self::eval::Sizes;

/// The schedules of a bound kernel whose conditions hold, in the order of the text.
///
/// # Errors
/// Sizes that cannot be evaluated, and conditions on sizes that the launch gives.
pub fn schedules(file: &File, func: &Func) -> Result<Vec<Schedule>, Vec<Diagnostic>> {
    let sizes = Sizes::new(file, func);
    let items = file.items.iter();
    let all = items.filter_map(|item| Some((item.schedule()?, item.span)));
    let own = all.filter(|(tree, _)| tree.kernel.text == func.name);
    let mut all = Vec::new();
    let mut wrong = Vec::new();
    for (tree, span) in own {
        match holds(tree, &sizes).and_then(|holds| match holds {
            true => convert::schedule(tree, span, &sizes).map(Some),
            false => Ok(None),
        }) {
            Ok(schedule) => all.extend(schedule),
            Err(found) => wrong.push(*found),
        }
    }
    match wrong.is_empty() {
        true => Ok(all),
        false => Err(wrong),
    }
}

fn holds(tree: &Tree, sizes: &Sizes<'_>) -> Result<bool, Box<Diagnostic>> {
    tree.condition
        .map_or(Ok(true), |condition| sizes.truth(condition))
}

/// What of a schedule no back end obeys: the word and its place.
pub(crate) fn not_applied(decision: &Decision) -> Option<(&'static str, Span)> {
    let word = match &decision.kind {
        DecisionKind::Pack { .. } => "pack",
        DecisionKind::Recompute(_) => "recompute",
        DecisionKind::Unroll(_) => "unroll",
        DecisionKind::SkipWhere(_) => "skip",
        DecisionKind::Workspace(_) => "workspace",
        DecisionKind::Split { across, .. } if across.text != "cores" => "split across chips",
        DecisionKind::Stream { clauses, .. }
            if clauses.iter().any(|c| matches!(c, StreamClause::Skew(_))) =>
        {
            "skew"
        }
        DecisionKind::Error
        | DecisionKind::Grid { .. }
        | DecisionKind::Stream { .. }
        | DecisionKind::Place { .. }
        | DecisionKind::Engine { .. }
        | DecisionKind::Fuse { .. }
        | DecisionKind::Keep(_)
        | DecisionKind::Split { .. }
        | DecisionKind::Pad { .. }
        | DecisionKind::Expect(_) => return None,
    };
    Some((word, decision.span))
}

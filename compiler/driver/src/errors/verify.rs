//! Refusals of the verifier as findings: both instructions, both places in the source, the bytes, and the edge that is missing.

use diag::codes::{E0801, E0802, E0803, E0804, E0805, E0806, E0807};
use diag::{Code, Diagnostic, SourceMap};
use isa::object::Object;
use verifier::{Class, Place, Reason, Refusal};

use super::fault::span_of;

/// An object is not proved.
pub(crate) fn refused(refusal: &Refusal, object: &Object, sources: &SourceMap) -> Diagnostic {
    let mut found = Diagnostic::new(code(refusal.reason.class()), refusal.reason.to_string());
    let span = |place: &Place| span_of(object, place.core.kind(), place.pc, sources);
    if let Some(place) = &refusal.place {
        found = found.primary(span(place), label(&refusal.reason));
    }
    let stands_still = matches!(refusal.reason, Reason::Deadlock { .. });
    let other = refusal.other.filter(|other| !span(other).is_none());
    if let Some(other) = other.filter(|_| !stands_still) {
        found = found.label(span(&other), "the other instruction");
    }
    if let Reason::Deadlock { stuck, circle } = &refusal.reason {
        for queue in stuck.iter().take((*circle).max(1)).skip(1) {
            let at = span(&queue.place);
            if !at.is_none() {
                found = found.label(at, format!("{} waits here", queue.place.pipe));
            }
        }
    }
    if let Some(hint) = &refusal.hint {
        let at = span(&hint.place);
        if !at.is_none() {
            found = found.label(at, hint.what);
        }
        let (what, place) = (hint.what, instruction(&hint.place, object));
        found = found.note(format!("{place}: {what}"));
    }
    for place in refusal.place.iter().chain(&refusal.other) {
        found = found.note(instruction(place, object));
    }
    match missing(refusal) {
        Some(help) => found.help(help),
        None => found,
    }
}

/// `instruction 12 on v of vector core 0.0: `vadd …``.
fn instruction(place: &Place, object: &Object) -> String {
    let inst = object.code(place.core.kind()).get(place.pc as usize);
    let text = inst.map_or(String::new(), ToString::to_string);
    let Place { core, pc, pipe } = place;
    format!("instruction {pc} on {pipe} of {core}: `{text}`")
}

fn code(class: Class) -> Code {
    match class {
        Class::Race => E0801,
        Class::Uninitialised => E0802,
        Class::Bounds => E0803,
        Class::Legality => E0804,
        Class::Flags => E0805,
        Class::Deadlock => E0806,
        Class::Unknown => E0807,
    }
}

fn label(reason: &Reason) -> &'static str {
    match reason {
        Reason::Race { .. } => "nothing puts this behind the other",
        Reason::UnorderedResult => "read too early",
        Reason::Cached(_) => "needs a `dcci` before it",
        Reason::Uninitialised { .. } => "uses it",
        Reason::OutOfBounds { .. } => "reaches beyond",
        Reason::ReadOnly { .. } => "writes it",
        Reason::Claimed(_) => "uses other bytes than its step is claimed to",
        Reason::Illegal(_)
        | Reason::Object(_)
        | Reason::DivisionByZero
        | Reason::Trap(_)
        | Reason::ControlFlow(_) => "comes to this",
        Reason::FlagSetTwice(..) => "sets it again",
        Reason::FlagLeaked(..) | Reason::UnitFlagLeaked(_) => "set here and not waited for",
        Reason::CounterLeaked(_) => "not as often as it is set",
        Reason::CounterOverflow(_) => "set once too often",
        Reason::Deadlock { .. } => "waits for ever",
        Reason::OutputUnwritten { .. } => "",
        Reason::Unknown(_) | Reason::TooLong(_) => "here",
    }
}

/// The edge that would put one before the other.
fn missing(refusal: &Refusal) -> Option<String> {
    let (Reason::Race { .. }, Some(later), Some(earlier)) =
        (&refusal.reason, &refusal.place, &refusal.other)
    else {
        return None;
    };
    let (from, to) = (earlier.pipe, later.pipe);
    Some(if earlier.core != later.core {
        format!(
            "missing: `xset {from}, …` behind instruction {} of {}, and an `xwait` for it on {to} before instruction {} of {}",
            earlier.pc, earlier.core, later.pc, later.core
        )
    } else if earlier.pc == later.pc && from == to {
        format!(
            "missing: `bar {to}` between instruction {} and itself, a round later",
            earlier.pc
        )
    } else if from == to {
        format!(
            "missing: `bar {to}` between instructions {} and {}",
            earlier.pc, later.pc
        )
    } else {
        format!(
            "missing: `set_flag {from}, {to}, …` behind instruction {}, and its `wait_flag` before instruction {}",
            earlier.pc, later.pc
        )
    })
}

/// How to see it happen.
pub(crate) fn replay(found: Diagnostic, command: &str, outcome: &str) -> Diagnostic {
    found.note(format!("`{command}` shows it: {outcome}"))
}

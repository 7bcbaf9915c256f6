//! Faults of the emulator as findings: the code, the instruction, and the kernel's source through the line table.

use diag::codes::F0006;
use diag::{Code, Diagnostic, FileId, SourceMap, Span};
use emulator::{Fault, FaultKind};
use isa::object::Object;
use isa::types::CoreKind;

/// A program did something wrong.
pub(crate) fn fault(fault: &Fault, object: &Object, sources: &SourceMap) -> Diagnostic {
    let mut found = Diagnostic::new(code(&fault.kind), fault.kind.to_string());
    if let Some(place) = &fault.place {
        let span = span_of(object, place.core.kind(), place.pc, sources);
        let mut label = "while running this";
        if is_index_check(&fault.kind, &place.text, span, sources) {
            found = Diagnostic::new(
                code(&fault.kind),
                "an index that data gives is out of range",
            );
            label = "no element of the tensor";
        }
        found = found.primary(span, label).note(format!(
            "instruction {} of {}: `{}`",
            place.pc, place.core, place.text
        ));
        found = with_other(found, &fault.kind, object, sources);
    }
    with_waits(found, &fault.kind, object, sources)
}

/// Whether a fault is that of an index of a gather or scatter. Compiled code proves such an index by the quotient of 1
/// by whether it is in range, and divides scalars by what may be zero nowhere else.
fn is_index_check(kind: &FaultKind, text: &str, span: Span, sources: &SourceMap) -> bool {
    let compiled = !span.is_none() && sources.name(span.file).ends_with(".vn");
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let quotient_of_one = words.next() == Some("div") && words.nth(1) == Some("1");
    matches!(kind, FaultKind::DivisionByZero) && compiled && quotient_of_one
}

/// The code that the emulator's own exhaustive match gives; one without a page would be "not modelled".
fn code(kind: &FaultKind) -> Code {
    Code::lookup(kind.code()).unwrap_or(F0006)
}

/// The access that the faulting one conflicts with.
fn with_other(
    found: Diagnostic,
    kind: &FaultKind,
    object: &Object,
    sources: &SourceMap,
) -> Diagnostic {
    let (FaultKind::Unordered { other, .. } | FaultKind::Cached { other, .. }) = kind else {
        return found;
    };
    let Some(pc) = other.pc else { return found };
    let span = span_of(object, other.core.kind(), pc, sources);
    if span.is_none() {
        found
    } else {
        found.label(span, "the other access")
    }
}

/// The queues of a deadlock, each at its source.
fn with_waits(
    found: Diagnostic,
    kind: &FaultKind,
    object: &Object,
    sources: &SourceMap,
) -> Diagnostic {
    let FaultKind::Deadlock { waits, .. } = kind else {
        return found;
    };
    waits.iter().fold(found, |found, wait| {
        let span = span_of(object, wait.core.kind(), wait.pc, sources);
        let text = format!("{} of {} waits here", wait.pipe, wait.core);
        match (span.is_none(), found.span().is_none()) {
            (true, _) => found,
            (false, true) => found.primary(span, text),
            (false, false) => found.label(span, text),
        }
    })
}

/// Where an instruction came from, if its source is at hand.
pub(super) fn span_of(object: &Object, core: CoreKind, pc: u32, sources: &SourceMap) -> Span {
    let place = object.line_of(core, pc).and_then(|row| {
        let name = object.files.get(row.file as usize)?;
        let (file, source) = sources.iter().find(|(_, source)| source.name == *name)?;
        let inside = row.byte_end as usize <= source.text.len();
        inside.then(|| span(file, row.byte_start, row.byte_end))
    });
    place.unwrap_or(Span::NONE)
}

fn span(file: FileId, start: u32, end: u32) -> Span {
    Span { file, start, end }
}

//! What is wrong with a document, pushed or pulled.

use std::hash::{DefaultHasher, Hash, Hasher};

use diag::{Applicability, Diagnostic, NoteKind, Severity, SourceMap};
use lsp_types::{
    CodeDescription, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag,
    DocumentDiagnosticParams, DocumentDiagnosticReport, DocumentDiagnosticReportResult,
    FullDocumentDiagnosticReport, Location, NumberOrString, RelatedFullDocumentDiagnosticReport,
    RelatedUnchangedDocumentDiagnosticReport, UnchangedDocumentDiagnosticReport, Uri,
    WorkspaceDiagnosticParams, WorkspaceDiagnosticReport, WorkspaceDiagnosticReportResult,
    WorkspaceDocumentDiagnosticReport, WorkspaceFullDocumentDiagnosticReport,
    WorkspaceUnchangedDocumentDiagnosticReport,
};
use serde_json::{Value, json};

use crate::document::{Document, Form, MAIN};
use crate::server::dispatch::Refused;
use crate::server::state::{State, uri_of};

/// The findings in a document, as the protocol has them.
pub(crate) fn of(state: &State, document: &Document) -> Vec<lsp_types::Diagnostic> {
    let found = findings(state, document);
    let sources = (document.form == Form::Kernel).then(|| &state.analysis(document).sources);
    found
        .iter()
        .map(|one| converted(state, document, sources, one))
        .collect()
}

/// The findings in a document.
pub(crate) fn findings(state: &State, document: &Document) -> Vec<Diagnostic> {
    match document.form {
        Form::Kernel => state.analysis(document).diagnostics.clone(),
        Form::Tile | Form::Assembly => state.toolchain.findings(&state.source(document)),
    }
}

fn converted(
    state: &State,
    document: &Document,
    sources: Option<&SourceMap>,
    found: &Diagnostic,
) -> lsp_types::Diagnostic {
    let code = found.code.to_string();
    let mut message = found.message.clone();
    let label = &found.primary_label().text;
    if !label.is_empty() {
        message = format!("{message}: {label}");
    }
    for note in &found.notes {
        let word = match note.kind {
            NoteKind::Note => "note",
            NoteKind::Help => "help",
        };
        message = format!("{message}\n{word}: {}", note.text);
    }
    lsp_types::Diagnostic {
        range: if found.span().is_none() {
            lsp_types::Range::default()
        } else {
            document.range(found.span())
        },
        severity: Some(match found.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Remark => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(code.clone())),
        source: Some("vinci".to_owned()),
        related_information: Some(related(state, document, sources, found))
            .filter(|all| state.abilities.related && !all.is_empty()),
        code_description: page(state, &code).map(|href| CodeDescription { href }),
        message,
        tags: tag(&code).filter(|_| state.abilities.tags),
        data: fix_of(found).filter(|_| state.abilities.data),
    }
}

/// What mends it, for a client that shows so before it asks for actions.
fn fix_of(found: &Diagnostic) -> Option<Value> {
    let fix = found.fix.as_ref()?;
    let sure = fix.applicability == Applicability::MachineApplicable;
    Some(json!({ "fix": fix.message, "sure": sure }))
}

/// What nothing uses, and what changes nothing.
const USELESS: [&str; 6] = ["W0002", "W0003", "W0004", "W0005", "W0008", "W0009"];

fn tag(code: &str) -> Option<Vec<DiagnosticTag>> {
    USELESS
        .contains(&code)
        .then(|| vec![DiagnosticTag::UNNECESSARY])
}

/// The page of a code as a file, for clients that open it.
fn page(state: &State, code: &str) -> Option<lsp_types::Uri> {
    if !state.abilities.code_pages {
        return None;
    }
    let text = diag::explain(diag::Code::lookup(code)?);
    let path = state
        .toolchain
        .library_folder()?
        .join("explain")
        .join(format!("{code}.md"));
    super::navigate::laid_down(&path, text)?;
    uri_of(&path)
}

/// The other places that a finding names.
fn related(
    state: &State,
    document: &Document,
    sources: Option<&SourceMap>,
    found: &Diagnostic,
) -> Vec<DiagnosticRelatedInformation> {
    let others = found.labels().iter().skip(1);
    let place = |label: &diag::Label| {
        let location = location(state, document, sources, label.span)?;
        Some(DiagnosticRelatedInformation {
            location,
            message: label.text.clone(),
        })
    };
    others.filter_map(place).collect()
}

/// Where a span of a document's analysis is.
pub(crate) fn location(
    state: &State,
    document: &Document,
    sources: Option<&SourceMap>,
    span: diag::Span,
) -> Option<Location> {
    if span.file == MAIN {
        return Some(Location {
            uri: document.uri.clone(),
            range: document.range(span),
        });
    }
    let file = sources?.get(span.file)?;
    let lines = crate::position::Lines::new(&file.text, document.lines.encoding());
    let path = super::navigate::path_of_source(state, document, &file.name, &file.text)?;
    Some(Location {
        uri: uri_of(&path)?,
        range: lines.range(&file.text, span.range()),
    })
}

/// The findings for a client that asks.
pub(crate) fn pull(
    state: &mut State,
    params: DocumentDiagnosticParams,
) -> Result<DocumentDiagnosticReportResult, Refused> {
    let items = match state.document(&params.text_document.uri) {
        Some(document) => of(state, document),
        None => Vec::new(),
    };
    let report = match report(items, params.previous_result_id.as_deref()) {
        Ok(report) => DocumentDiagnosticReport::Full(RelatedFullDocumentDiagnosticReport {
            related_documents: None,
            full_document_diagnostic_report: report,
        }),
        Err(report) => {
            DocumentDiagnosticReport::Unchanged(RelatedUnchangedDocumentDiagnosticReport {
                related_documents: None,
                unchanged_document_diagnostic_report: report,
            })
        }
    };
    Ok(DocumentDiagnosticReportResult::Report(report))
}

/// The findings in all open documents, for a client that asks.
pub(crate) fn pull_all(
    state: &mut State,
    params: WorkspaceDiagnosticParams,
) -> Result<WorkspaceDiagnosticReportResult, Refused> {
    let known = |uri: &Uri| {
        let mut ids = params.previous_result_ids.iter();
        ids.find(|id| id.uri == *uri).map(|id| id.value.as_str())
    };
    let one = |document: &Document| {
        let (uri, version) = (document.uri.clone(), Some(document.version.into()));
        match report(of(state, document), known(&document.uri)) {
            Ok(report) => {
                WorkspaceDocumentDiagnosticReport::Full(WorkspaceFullDocumentDiagnosticReport {
                    uri,
                    version,
                    full_document_diagnostic_report: report,
                })
            }
            Err(report) => WorkspaceDocumentDiagnosticReport::Unchanged(
                WorkspaceUnchangedDocumentDiagnosticReport {
                    uri,
                    version,
                    unchanged_document_diagnostic_report: report,
                },
            ),
        }
    };
    let items = state.documents.values().map(one).collect();
    Ok(WorkspaceDiagnosticReportResult::Report(
        WorkspaceDiagnosticReport { items },
    ))
}

/// Findings under a name that says what they are; if the client has those of that name, nothing more.
fn report(
    items: Vec<lsp_types::Diagnostic>,
    known: Option<&str>,
) -> Result<FullDocumentDiagnosticReport, UnchangedDocumentDiagnosticReport> {
    let mut hasher = DefaultHasher::new();
    // What is sent is what is compared.
    serde_json::to_string(&items)
        .unwrap_or_default()
        .hash(&mut hasher);
    let result_id = format!("{:016x}", hasher.finish());
    if known == Some(result_id.as_str()) {
        return Err(UnchangedDocumentDiagnosticReport { result_id });
    }
    Ok(FullDocumentDiagnosticReport {
        result_id: Some(result_id),
        items,
    })
}

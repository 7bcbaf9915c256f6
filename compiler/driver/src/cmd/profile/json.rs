//! The profile as one JSON object, schema 1: keys are only ever added.

use serde_json::{Map, Value, json};

use super::{Facts, lines};

/// The report with a line break at its end.
pub(super) fn json(facts: &Facts<'_>) -> String {
    value(facts).to_string() + "\n"
}

/// Everything but the time line.
pub(super) fn value(facts: &Facts<'_>) -> Value {
    let (kernel, report) = (&facts.object.kernel, &facts.outcome.report);
    let sizes = kernel.sizes.iter();
    let sizes: Map<String, Value> = sizes.map(|(n, size)| (n.clone(), (*size).into())).collect();
    let (binds, any) = facts.binding();
    json!({
        "schema": 1,
        "kernel": kernel.name,
        "target": { "name": facts.chip.name, "version": facts.chip.version_stamp() },
        "opt": kernel.opt,
        "sizes": sizes,
        "cycles": report.cycles,
        "launch_cycles": report.launch_cycles,
        "seconds": report.seconds(),
        "utilization": {
            "cube": report.cube_utilization(),
            "vector": report.vector_utilization(),
            "hbm": report.hbm_utilization(),
            "l2": report.l2_utilization(),
        },
        "bound": any.map(|roof| json!({ "resource": roof.resource, "cycles": roof.cycles })),
        "binding": binds.map(|roof| json!({ "resource": roof.resource, "cycles": roof.cycles })),
        "roofline": roofline(facts),
        "pipes": pipes(facts),
        "traffic": traffic(facts),
        "critical_path": path(facts),
        "instructions": instructions(facts),
        "lines": source_lines(facts),
        "what_if": what_if(facts),
        "events": facts.profile.events,
        "complete": !facts.profile.is_partial(),
    })
}

fn roofline(facts: &Facts<'_>) -> Vec<Value> {
    let roofs = facts.roofs.iter();
    let value = |roof: &emulator::Roof| {
        json!({
            "resource": roof.resource,
            "unit": roof.unit,
            "amount": roof.amount,
            "cycles": roof.cycles,
            "reached": facts.share(roof.cycles),
            "compulsory": roof.compulsory,
        })
    };
    roofs.map(value).collect()
}

fn pipes(facts: &Facts<'_>) -> Vec<Value> {
    let pipes = facts.profile.pipes.iter();
    let value = |pipe: &emulator::PipeProfile| {
        let classes = pipe.classes.iter();
        let classes: Map<String, Value> = classes
            .map(|(class, cycles)| (class.name(), (*cycles).into()))
            .collect();
        json!({
            "core": lines::core(pipe.kind),
            "pipe": pipe.pipe.name().to_uppercase(),
            "cores": pipe.cores,
            "cycles": classes,
        })
    };
    pipes.map(value).collect()
}

fn traffic(facts: &Facts<'_>) -> Map<String, Value> {
    let report = &facts.outcome.report;
    let ways = report
        .traffic
        .iter()
        .map(|(path, bytes)| (path.name(), *bytes));
    let shared = [
        ("hbm_read", report.hbm_read),
        ("hbm_write", report.hbm_write),
        ("l2_hit", report.l2_hit),
        ("compulsory", facts.object.kernel.compulsory_bytes),
    ];
    ways.chain(shared)
        .map(|(name, bytes)| (name.to_owned(), bytes.into()))
        .collect()
}

fn path(facts: &Facts<'_>) -> Value {
    let parts = facts.profile.passing().into_iter();
    let parts: Vec<Value> = parts
        .map(|(what, pipe, cycles)| {
            json!({ "what": what.name(), "pipe": pipe.name().to_uppercase(), "cycles": cycles })
        })
        .collect();
    json!({ "cycles": facts.profile.cycles, "steps": facts.profile.path.len(), "parts": parts })
}

fn instructions(facts: &Facts<'_>) -> Vec<Value> {
    let insts = facts.profile.insts.iter();
    insts
        .map(|(&(kind, pc), inst)| {
            let code = facts.object.code(kind).get(pc as usize);
            let line = facts.object.line_of(kind, pc);
            json!({
                "core": lines::core(kind),
                "pc": pc,
                "text": code.map(ToString::to_string),
                "pipe": lines::pipe(facts.object, kind, pc).name().to_uppercase(),
                "line": line.map(|row| row.line),
                "count": inst.count,
                "busy": inst.busy,
                "memory": inst.memory,
                "path": inst.path,
                "slack": inst.slack,
            })
        })
        .collect()
}

fn source_lines(facts: &Facts<'_>) -> Vec<Value> {
    let mut values = Vec::new();
    for source in &facts.sources {
        for line in &source.lines {
            let busy = line.busy.iter();
            let busy: Map<String, Value> = busy
                .map(|(pipe, cycles)| (pipe.name().to_uppercase(), (*cycles).into()))
                .collect();
            values.push(json!({
                "file": source.name,
                "line": line.number,
                "path": line.path,
                "slack": line.slack,
                "count": line.count,
                "busy": busy,
            }));
        }
    }
    values
}

fn what_if(facts: &Facts<'_>) -> Vec<Value> {
    let rows = facts.what_if.iter();
    rows.map(|what| {
        json!({
            "resource": what.change.resource,
            "how": what.change.how,
            "meaning": what.change.meaning,
            "cycles": what.cycles,
        })
    })
    .collect()
}

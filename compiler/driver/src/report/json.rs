//! The report as one JSON object, schema 1: keys are only ever added.

use std::collections::BTreeMap;

use emulator::PipeReport;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Facts;
use crate::reference::Comparison;
use crate::verification::Verdict;

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    kernel: &'a str,
    target: Value,
    opt: String,
    sizes: Map<String, Value>,
    cycles: u64,
    launch_cycles: u64,
    seconds: f64,
    cores: Value,
    utilization: Value,
    bound: Value,
    pipes: Map<String, Value>,
    traffic: Map<String, Value>,
    peak_bytes: Map<String, Value>,
    check: Option<Value>,
    verify: Value,
    hazards: Vec<Value>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    origins: &'a [String],
    emulator: Value,
}

/// The report with a line break at its end.
pub(crate) fn json(facts: &Facts<'_>) -> String {
    let cost = facts.cost;
    let report = Report {
        schema: 1,
        kernel: &facts.kernel.name,
        target: json!({ "name": facts.chip, "version": facts.chip_version }),
        opt: facts.level(),
        sizes: counts(
            facts
                .kernel
                .sizes
                .iter()
                .map(|(name, size)| (name.as_str(), *size)),
        ),
        cycles: cost.cycles,
        launch_cycles: cost.launch_cycles,
        seconds: cost.seconds(),
        cores: json!({ "cube": cost.cube_cores, "vector": cost.vector_cores }),
        utilization: json!({
            "cube": cost.cube_utilization(),
            "vector": cost.vector_utilization(),
            "hbm": cost.hbm_utilization(),
            "l2": cost.l2_utilization(),
        }),
        bound: json!({
            "kind": cost.bound.kind.name(),
            "cycles": cost.bound.cycles,
            "fraction": cost.bound_fraction(),
        }),
        pipes: cost
            .pipes
            .iter()
            .map(|pipe| pipe_entry(facts, pipe))
            .collect(),
        traffic: traffic(facts),
        peak_bytes: counts(
            cost.peak_bytes
                .iter()
                .map(|(space, bytes)| (space.name(), *bytes)),
        ),
        check: facts.check.map(check),
        verify: verify(facts),
        // What a sanitizer finds stops the run, so a report that exists has nothing to list.
        hazards: Vec::new(),
        origins: facts.origins,
        emulator: json!({
            "instructions": cost.instructions,
            "timing_only": facts.timing_only,
            "host_seconds": facts.host_seconds,
            "gflops": facts.host_gflops(),
        }),
    };
    let mut text = serde_json::to_string(&report).expect("strings and numbers always serialise");
    text.push('\n');
    text
}

fn counts<'a>(entries: impl Iterator<Item = (&'a str, u64)>) -> Map<String, Value> {
    entries
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect()
}

fn pipe_entry(facts: &Facts<'_>, pipe: &PipeReport) -> (String, Value) {
    let share = |cycles: u64| facts.cost.pipe_share(pipe, cycles);
    let entry = json!({
        "busy": share(pipe.busy),
        "stall": {
            "memory": share(pipe.stall_memory),
            "starved": share(pipe.stall_starved),
            "flag": share(pipe.stall_flag),
            "barrier": share(pipe.stall_barrier),
            "cross": share(pipe.stall_cross),
        },
        "instructions": pipe.instructions,
    });
    (pipe.pipe.name().to_uppercase(), entry)
}

fn traffic(facts: &Facts<'_>) -> Map<String, Value> {
    let cost = facts.cost;
    let ways = cost
        .traffic
        .iter()
        .map(|(path, bytes)| (path.name(), *bytes));
    let shared = [
        ("hbm_read", cost.hbm_read),
        ("hbm_write", cost.hbm_write),
        ("l2_hit", cost.l2_hit),
        ("compulsory", facts.kernel.compulsory_bytes),
    ];
    counts(ways.chain(shared))
}

fn check(comparisons: &[Comparison]) -> Value {
    let outputs: BTreeMap<&str, Value> = comparisons
        .iter()
        .map(|c| (c.name.as_str(), output(c)))
        .collect();
    json!({ "ok": comparisons.iter().all(|c| c.ok), "outputs": outputs })
}

fn output(comparison: &Comparison) -> Value {
    let deviation = &comparison.deviation;
    json!({
        "ok": comparison.ok,
        "max_abs": finite(deviation.max_abs),
        "max_rel": finite(deviation.max_rel),
        "allowed": finite(comparison.allowed),
        "checked": deviation.checked,
        "outside": deviation.outside,
        "bit_exact": comparison.exact,
        "bits_different": comparison.different,
    })
}

/// JSON has no infinity: a bound that promises nothing is null.
fn finite(value: f64) -> Value {
    if value.is_finite() {
        value.into()
    } else {
        Value::Null
    }
}

/// What the verifier says of the object; where it was not asked, the sanitizers' answer stands here and says so.
fn verify(facts: &Facts<'_>) -> Value {
    match facts.verdict {
        Verdict::Proved(proof) => json!({
            "ok": true,
            "by": "verifier",
            "steps": proof.steps,
            "assumptions": proof.assumptions,
        }),
        Verdict::Refused(refusal) => json!({
            "ok": false,
            "by": "verifier",
            "class": refusal.reason.class().name(),
            "refusal": refusal.to_string(),
        }),
        Verdict::Left(_) if facts.sanitized => json!({ "ok": true, "by": "sanitizers" }),
        Verdict::Left(why) => json!({ "ok": null, "by": format!("nothing: {why}") }),
    }
}

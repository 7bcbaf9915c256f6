//! Cascades as text: the accumulators with what merges them, and remarks on those that are none.

use ir::algo::{Def, Func, print};

use super::{Cascade, Derived, Remark};

/// What was derived, in the manner of a monoid's declaration; nothing if there was nothing to derive.
pub(crate) fn text(func: &Func, derived: &Derived) -> String {
    let mut text = String::new();
    for cascade in &derived.cascades {
        text.push_str(&monoid(func, cascade));
    }
    for found in &derived.remarks {
        text.push_str(&remark(func, found));
        text.push('\n');
    }
    text
}

/// Why a cascade is not made in one pass.
pub(crate) fn remark(func: &Func, remark: &Remark) -> String {
    let seed = &func.tensors[remark.seed].name;
    format!(
        "// remark: `{seed}` and what follows is not one pass: {}",
        remark.text
    )
}

/// The accumulator of each row, and the accumulator of two blocks of items together.
fn monoid(func: &Func, cascade: &Cascade) -> String {
    let mut merge = Func {
        defs: Vec::new(),
        params: cascade
            .fields
            .iter()
            .flat_map(|field| field.sides)
            .collect(),
        results: cascade.fields.iter().map(|field| field.tensor).collect(),
        ..func.clone()
    };
    let known = match cascade.written.as_slice() {
        [] => "derived: blocks".to_owned(),
        names => format!("merged as `{}` says: blocks", names.join("` and `")),
    };
    let mut text = format!(
        "// {known} of {} items, whose records are merged\nmonoid {{\n",
        func.symbols.show(cascade.items)
    );
    for field in &cascade.fields {
        let data = &func.tensors[field.tensor];
        let start = match field.start {
            x if x == f64::NEG_INFINITY => "-inf",
            x if x == f64::INFINITY => "inf",
            _ => "0",
        };
        let shape = data.shape.get(cascade.rows.len()..).unwrap_or(&[]);
        let shape: Vec<String> = shape.iter().map(|n| func.symbols.show(*n)).collect();
        let shape = match shape.as_slice() {
            [] => String::new(),
            extents => format!("[{}]", extents.join(", ")),
        };
        text.push_str(&format!(
            "    {}: {}{shape} = {start};\n",
            data.name, data.elem
        ));
        merge.defs.push(Def {
            target: field.tensor,
            indices: field.own.iter().copied().collect(),
            value: field.merge,
            span: data.span,
        });
    }
    text.push_str("    merge(first, later) {\n");
    let printed = print::print(&merge);
    let lines: Vec<&str> = printed.lines().collect();
    for line in lines.iter().skip(1).take(lines.len().saturating_sub(2)) {
        text.push_str(&format!("    {line}\n"));
    }
    text.push_str("    }\n}\n");
    text
}

//! The time line of a run as text for Chrome's and Perfetto's viewers.

use std::fmt::Write as _;

use isa::object::Object;
use isa::types::Pipe;

use crate::clock::TraceSpan;

/// Writes spans in Chrome's JSON form: a process a core, a thread a pipe, one event an instruction, one microsecond a
/// cycle.
pub fn chrome_json(spans: &[TraceSpan], object: &Object) -> String {
    let mut out = String::from("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
    let mut cores: Vec<_> = spans.iter().map(|span| span.core).collect();
    cores.sort_unstable();
    cores.dedup();
    let mut comma = "";
    for (number, core) in cores.iter().enumerate() {
        let _ = write!(
            out,
            "{comma}\n{{\"ph\":\"M\",\"pid\":{number},\"name\":\"process_name\",\"args\":{{\"name\":\"{core}\"}}}}"
        );
        comma = ",";
        for pipe in Pipe::ALL {
            let _ = write!(
                out,
                ",\n{{\"ph\":\"M\",\"pid\":{number},\"tid\":{},\"name\":\"thread_name\",\"args\":{{\"name\":\"{pipe}\"}}}}",
                pipe.index()
            );
        }
    }
    for span in spans {
        let number = cores.binary_search(&span.core).unwrap_or(0);
        let name = object
            .code(span.core.kind())
            .get(span.pc as usize)
            .map_or("?", |inst| inst.mnemonic());
        let _ = write!(
            out,
            "{comma}\n{{\"ph\":\"X\",\"pid\":{number},\"tid\":{},\"name\":\"{name}\",\"ts\":{},\"dur\":{},\"args\":{{\"pc\":{}}}}}",
            span.pipe.index(),
            span.begin,
            span.end - span.begin,
            span.pc
        );
        comma = ",";
    }
    out.push_str("\n]}\n");
    out
}

//! Cores that exchange data through global memory: ordered by counters, or found out.

use emulator::{Fault, FaultKind, Outcome};
use isa::object::ParamDir;
use isa::types::{Elem, Space};

use crate::common::*;

/// The first vector core copies the input to the workspace; the second copies that to the output. The texts come behind
/// the first core's store, before the second core's load, behind its store, and at the first core's end.
fn relay(sent: &str, before: &str, after: &str, last: &str) -> Result<Outcome, Fault> {
    let params = vec![
        param("a", Elem::F32, &[16], ParamDir::In),
        param("w", Elem::F32, &[16], ParamDir::Work),
        param("y", Elem::F32, &[16], ParamDir::Out),
    ];
    let copy = |from, to| {
        format!(
            "mov_gm_ub ub+0, gm+{from}, burst(1, 2), 0, 0
             set_flag mte2, mte3, 0
             wait_flag mte2, mte3, 0
             mov_ub_gm gm+{to}, ub+0, burst(1, 2), 0, 0\n"
        )
    };
    let text = format!(
        "rdspr x1, para_base
         ld.b64.gm x2, x1, 0
         ld.b64.gm x3, x1, 8
         ld.b64.gm x4, x1, 16
         rdspr x1, subblockid
         bcc.ne x1, 0, second
         {}{sent}\n{last}
         end
         second:
         {before}
         {}{after}
         end",
        copy("x2", "x3"),
        copy("x3", "x4")
    );
    let input: Vec<f32> = (0..16).map(|n| n as f32).collect();
    try_run(
        &object(params, "", &text, 1),
        &[Some(bytes_f32(&input)), None, None],
    )
}

const SEND: &str = "xset mte3, 1, 2\nxwait mte3, 1, 2";
const RECEIVE: &str = "xset mte2, 1, 2\nxwait mte2, 1, 2";
const OVERWRITE: &str = "mov_ub_gm gm+x3, ub+0, burst(1, 2), 0, 0";

#[test]
fn a_hand_over_brings_the_values() {
    let outcome = relay(SEND, RECEIVE, "", "").unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(to_f32(&outcome.tensors[2])[15], 15.0);
}

#[test]
fn a_read_that_does_not_wait_is_found() {
    let fault = relay("", "", "", "").expect_err("nothing orders the cores");
    let FaultKind::Unordered {
        space,
        write,
        other,
        ..
    } = &fault.kind
    else {
        panic!("{fault}");
    };
    assert_eq!(
        (*space, *write, other.write, other.core.vector),
        (Space::Gm, false, true, Some(0))
    );
    assert_eq!(fault.place.expect("a place").core.vector, Some(1));
}

#[test]
fn a_wait_of_the_wrong_queue_does_not_help() {
    // The set follows MTE2, which has nothing to do with the store.
    let sent = "xset mte2, 1, 2\nxwait mte3, 1, 2";
    let fault = relay(sent, RECEIVE, "", "").expect_err("the store may still be on its way");
    assert_eq!(fault.kind.code(), "F0010");
}

#[test]
fn a_workspace_is_not_reused_before_its_reader_is_done() {
    let fault = relay(SEND, RECEIVE, "", &format!("bar mte3\n{OVERWRITE}")).err();
    assert_eq!(
        fault.expect("the reader may still be reading").kind.code(),
        "F0010"
    );
    let back = format!("xset mte3, 1, 3\nxwait mte3, 1, 3\nbar mte3\n{OVERWRITE}");
    let done =
        "set_flag mte2, mte3, 1\nwait_flag mte2, mte3, 1\nxset mte3, 1, 3\nxwait mte3, 1, 3\n";
    let outcome = relay(SEND, RECEIVE, done, &back);
    assert!(outcome.is_ok(), "{}", outcome.expect_err("an error"));
}

#[test]
fn cores_that_write_the_same_bytes_are_found() {
    let params = vec![param("y", Elem::F32, &[8], ParamDir::Out)];
    let text = "rdspr x1, para_base
        ld.b64.gm x2, x1, 0
        vdup.f32 ub+0, 0, 1, st(1, 8)
        set_flag v, mte3, 0
        wait_flag v, mte3, 0
        mov_ub_gm gm+x2, ub+0, burst(1, 1), 0, 0
        end";
    let fault = try_run(&object(params, "", text, 1), &[None]).expect_err("both cores write");
    assert_eq!(fault.kind.code(), "F0010");
}

#[test]
fn instructions_of_the_other_kind_of_core_are_refused() {
    let fault = try_run(
        &object(vec![], "nop\nvdup.f32 ub+0, 0, 1, st(1, 8)\nend", "", 1),
        &[],
    );
    assert_eq!(
        fault
            .expect_err("a cube core has no vector unit")
            .kind
            .code(),
        "F0011"
    );
    let fault = try_run(&object(vec![], "", "set_flag m, v, 0\nend", 1), &[]);
    assert_eq!(
        fault.expect_err("a vector core has no cube").kind.code(),
        "F0011"
    );
}

//! Atomic stores of several cores: the sums of floats come about in the order of the cores, at any number of threads.

use emulator::{Options, run};
use isa::object::ParamDir;
use isa::types::Elem;

use crate::common::{chip, object, param, to_f32};

/// Core 0 zeroes the tensor; then it adds 2^24 and every other core 1, which is lost only if it comes later.
const SUM: &str = "
    rdspr x0, para_base
    ld.b64.gm x1, x0, 0
    rdspr x2, blockid
    rdspr x3, subblockid
    shl x4, x2, 1
    add x4, x4, x3
    vdup.f32 ub+0x0, 0x3f800000, 1, st(1,8)
    bcc.ne x4, 0, go
    bar v
    vdup.f32 ub+0x0, 0x0, 1, st(1,8)
    set_flag v, mte3, 0
    wait_flag v, mte3, 0
    mov_ub_gm gm+x1, ub+0x0, burst(1, 1), 0, 0
    bar all
    vdup.f32 ub+0x0, 0x4b800000, 1, st(1,8)
go:
    xset mte3, 0, 0
    xwait mte3, 0, 0
    set_flag v, mte3, 0
    wait_flag v, mte3, 0
    wrspr atomic, 1
    mov_ub_gm gm+x1, ub+0x0, burst(1, 1), 0, 0
    end";

#[test]
fn sums_have_one_order_at_any_number_of_threads() {
    let kernel = object(
        vec![param("y", Elem::F32, &[8], ParamDir::Out)],
        "",
        SUM,
        12,
    );
    for threads in [1, 2, 4] {
        let options = Options {
            threads,
            ..Options::default()
        };
        let outcome = run(&kernel, &[None], &chip(), &options).expect("a run");
        assert_eq!(
            to_f32(&outcome.tensors[0]),
            [16_777_216.0; 8],
            "{threads} threads"
        );
    }
}

//! The scalar unit: results leave through stores to global memory.

use isa::object::ParamDir;
use isa::types::Elem;

use crate::common::*;

/// Runs a program that leaves its results in x10, x11, …, and gives them.
fn results<const N: usize>(text: &str) -> [i64; N] {
    let stores: String = (0..N)
        .map(|n| format!("st.b64.gm x31, {}, x{}\n", n * 8, n + 10))
        .collect();
    let text = format!(
        "{text}
         rdspr x31, para_base
         ld.b64.gm x31, x31, 0
         {stores}
         dsb
         end"
    );
    let params = vec![param("y", Elem::I64, &[N as u64], ParamDir::Out)];
    let outcome = try_run(&object(params, &text, "", 1), &[None]).unwrap_or_else(|f| panic!("{f}"));
    let words = outcome.tensors[0].as_chunks::<8>().0;
    std::array::from_fn(|n| i64::from_le_bytes(words[n]))
}

#[test]
fn arithmetic_wraps_and_truncates() {
    let text = "li x1, 9223372036854775807\nli x2, -7
        add x10, x1, 1
        sub x11, x2, x1
        mul x12, x2, 6
        madd x13, x2, 6, 100
        div x14, x2, 2
        rem x15, x2, 2
        shl x16, x2, 65
        shr x17, x2, 60
        sar x18, x2, 1
        min x19, x2, 3
        max x20, x2, 3
        and x21, x2, 0xff
        or x22, x2, 1
        xor x23, x2, x2";
    assert_eq!(
        results(text),
        [
            i64::MIN,
            (-7_i64).wrapping_sub(i64::MAX),
            -42,
            58,
            -3,
            -1,
            -14,
            15,
            -4,
            -7,
            3,
            249,
            -7,
            0
        ]
    );
}

#[test]
fn comparisons_and_floats() {
    let text = "li x1, -1\nli x2, 1
        cmp.lt.s64 x10, x1, x2
        cmp.lt.u64 x11, x1, x2
        li x3, 0x3fc00000\nli x4, 0xc0000000\nli x5, 0x7fc00000
        cmp.gt.f32 x12, x3, x4
        cmp.ne.f32 x13, x5, x5
        sel x14, x10, 5, 6
        sel x15, x11, 5, 6
        fadd x16, x3, x4
        fsub x17, x3, x4
        fmul x18, x3, x4
        mov x19, x1";
    let bits = |x: f32| i64::from(x.to_bits());
    assert_eq!(
        results(text),
        [1, 0, 1, 1, 5, 6, bits(-0.5), bits(3.5), bits(-3.0), -1]
    );
}

#[test]
fn loops_calls_and_branches() {
    let text = "loop 3, outer
        add x10, x10, 1
        loop 4, inner
        add x11, x11, 1
        inner:
        endloop
        loop 0, skipped
        add x12, x12, 1
        skipped:
        endloop
        outer:
        endloop
        call sub
        call sub
        jmp over
        sub:
        add x13, x13, 5
        ret
        over:
        bcc.ge x13, 10, done
        li x13, 0
        done:
        rdspr x14, blocknum
        rdspr x15, blockid";
    assert_eq!(results(text), [3, 12, 0, 10, 1, 0]);
}

#[test]
fn loads_and_stores_of_every_size() {
    let params = vec![
        param("a", Elem::U8, &[64], ParamDir::In),
        param("y", Elem::U8, &[16], ParamDir::Out),
    ];
    let text = "rdspr x1, subblockid\nbcc.ne x1, 0, done
        rdspr x1, para_base
        ld.b64.gm x2, x1, 0
        ld.b64.gm x3, x1, 8
        ld.b8.gm x4, x2, 1
        ld.b16.gm x5, x2, 2
        ld.b32.gm x6, x2, 4
        st.b8.ub x20, 0, x4
        st.b16.ub x20, 2, x5
        st.b8.ub x20, 1, x4
        st.b32.ub x20, 4, x6
        ld.b64.ub x7, x20, 0
        st.b64.gm x3, 0, x7
        st.b32.gm x3, 8, x6
        st.b32.gm x3, 12, x6
        done:
        end";
    let input: Vec<u8> = (0..64).map(|n| n + 0x80).collect();
    let outcome = try_run(&object(params, "", text, 1), &[Some(input), None]);
    let y = outcome.unwrap_or_else(|f| panic!("{f}")).tensors.remove(1);
    assert_eq!(y[..8], [0x81, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87]);
    assert_eq!(y[8..], [0x84, 0x85, 0x86, 0x87, 0x84, 0x85, 0x86, 0x87]);
}

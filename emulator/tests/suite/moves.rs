//! Copies: bursts, gaps, padding, and the report's count of them.

use emulator::Path;
use isa::object::ParamDir;
use isa::types::{Elem, Space};

use crate::common::*;

fn numbers(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n * 7 + n / 251) as u8).collect()
}

const ORDER: &str = "set_flag mte2, mte3, 0\nwait_flag mte2, mte3, 0\n";

/// Copies in with one instruction and out with another, on one vector core.
fn through(load: &str, store: &str, input: &[u8], output: usize) -> Vec<u8> {
    let params = vec![
        param("a", Elem::U8, &[input.len() as u64], ParamDir::In),
        param("y", Elem::U8, &[output as u64], ParamDir::Out),
    ];
    let text = format!(
        "rdspr x1, subblockid\nbcc.ne x1, 0, done
         rdspr x1, para_base\nld.b64.gm x2, x1, 0\nld.b64.gm x3, x1, 8
         {load}\n{ORDER}{store}
         done:
         end"
    );
    let outcome = try_run(&object(params, "", &text, 1), &[Some(input.to_vec()), None]);
    let mut outcome = outcome.unwrap_or_else(|f| panic!("{load}: {f}"));
    let moved = |path| {
        outcome
            .report
            .traffic
            .iter()
            .find(|(p, _)| *p == path)
            .map(|(_, b)| *b)
    };
    assert_eq!(moved(Path::UbGm), Some(output as u64));
    outcome.tensors.remove(1)
}

#[test]
fn blocks_with_gaps() {
    let input = numbers(32 * 12);
    // Three bursts of two blocks, two blocks apart; packed in UB.
    let load = "mov_gm_ub ub+0, gm+x2, burst(3, 2), 2, 0";
    let y = through(
        load,
        "mov_ub_gm gm+x3, ub+0, burst(1, 6), 0, 0",
        &input,
        192,
    );
    let expected: Vec<u8> = [0, 4, 8]
        .iter()
        .flat_map(|b| input[b * 32..b * 32 + 64].to_vec())
        .collect();
    assert_eq!(y, expected);
    // Spread in UB, packed on the way out.
    let load = "mov_gm_ub ub+0, gm+x2, burst(3, 2), 2, 1";
    let y = through(
        load,
        "mov_ub_gm gm+x3, ub+0, burst(3, 2), 1, 0",
        &input,
        192,
    );
    assert_eq!(y, expected);
}

#[test]
fn bytes_with_padding() {
    let input = numbers(3 * 50);
    // Rows of 42 bytes with 8 between them; each fills 64 in UB, a block apart.
    let load = "li x9, 0xabcd\nwrspr padval, x9\nmovpad_gm_ub.b16 ub+0, gm+x2, burst(3, 42), 8, 1";
    let y = through(
        load,
        "movpad_ub_gm gm+x3, ub+0, burst(3, 42), 1, 0",
        &input,
        126,
    );
    let expected: Vec<u8> = (0..3)
        .flat_map(|r| input[r * 50..r * 50 + 42].to_vec())
        .collect();
    assert_eq!(y, expected);
    let y = through(load, "mov_ub_gm gm+x3, ub+0, burst(1, 2), 0, 0", &input, 64);
    assert_eq!(y[..42], input[..42]);
    let pad: Vec<u8> = [0xcd, 0xab].repeat(11);
    assert_eq!(y[42..], pad);
}

#[test]
fn rows_become_fractals_and_go_back() {
    // 20 rows of 40 bytes become two columns of 32 padded rows; the second is filled with zeros.
    let params = vec![
        param("a", Elem::U8, &[20, 40], ParamDir::In),
        param("y", Elem::U8, &[2, 20, 32], ParamDir::Out),
    ];
    let text = "rdspr x1, para_base\nld.b64.gm x2, x1, 0\nld.b64.gm x3, x1, 8
        nd2nz_gm_l1.b8 l1+0, gm+x2, 20, 40, 40, 32
        set_flag mte2, mte3, 0
        wait_flag mte2, mte3, 0
        mov_l1_gm gm+x3, l1+0, burst(2, 20), 12, 0
        end";
    let input = numbers(800);
    let outcome = try_run(&object(params, text, "", 1), &[Some(input.clone()), None]);
    let outcome = outcome.unwrap_or_else(|f| panic!("{f}"));
    for (at, &byte) in outcome.tensors[1].iter().enumerate() {
        let (column, row, within) = (at / 640, at % 640 / 32, at % 32);
        let c = column * 32 + within;
        let expected = if c < 40 { input[row * 40 + c] } else { 0 };
        assert_eq!(byte, expected, "row {row} column {c}");
    }
    let peak = outcome
        .report
        .peak_bytes
        .iter()
        .find(|(space, _)| *space == Space::L1);
    assert_eq!(peak, Some(&(Space::L1, 1024 + 640)));
}

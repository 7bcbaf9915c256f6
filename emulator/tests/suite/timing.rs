//! The clock against published single-instruction figures (davinci-facts §9.3), and its own rules.

use emulator::{Fault, Options, Outcome, Sanitize, TraceSpan, run};
use isa::object::{Object, ParamDir};
use isa::types::{Elem, Pipe};

use crate::common::*;

/// Runs without sanitizers, because only times matter, and keeps the time line.
fn timed(object: &Object, inputs: &[Option<Vec<u8>>]) -> Outcome {
    let options = Options {
        threads: 1,
        sanitize: Sanitize::NONE,
        trace: true,
        ..Options::default()
    };
    run(object, inputs, &chip(), &options).unwrap_or_else(|f| panic!("{f}"))
}

fn spans(outcome: &Outcome, pipe: Pipe) -> Vec<TraceSpan> {
    outcome
        .trace
        .iter()
        .copied()
        .filter(|span| span.pipe == pipe)
        .collect()
}

/// Cycles from the first instruction of a pipe to the drain behind the last.
fn drained(text: &str, vector: bool) -> u64 {
    let with = |text: &str| {
        let text = format!("{text}\nbar all\nend");
        let object = match vector {
            true => object(vec![], "", &text, 1),
            false => object(vec![], &text, "", 1),
        };
        timed(&object, &[]).report
    };
    let (full, empty) = (with(text), with(""));
    full.cycles - empty.cycles
}

fn assert_near(measured: u64, published: u64, percent: u64) {
    let off = measured.abs_diff(published);
    assert!(
        off * 100 <= published * percent,
        "{measured} cycles, published {published}"
    );
}

#[test]
fn looped_mmads_of_128_by_256() {
    let one = "mmad.f16 l0c+0, l0a+0, l0b+0, 128, 64, 256, 0, bt+0, unit_off\n";
    assert_near(drained(&one.repeat(8), false), 4217, 3);
}

#[test]
fn looped_mmads_of_128_by_128() {
    let one = "mmad.f16 l0c+0, l0a+0, l0b+0, 128, 64, 128, 0, bt+0, unit_off\n";
    assert_near(drained(&one.repeat(8), false), 2172, 5);
}

#[test]
fn adds_meet_the_banks_of_ub() {
    let add = |dst, a, b| {
        let text = format!("vadd.f32 ub+{dst}, ub+{a}, ub+{b}, 64, st(1, 1, 1, 8, 8, 8)");
        drained(&text, true)
    };
    let bank = 0x10000;
    // Reads of different groups, then of one group.
    assert_near(add(2 * bank, 0, bank + 256), 86, 8);
    assert_near(add(2 * bank, 0, bank), 150, 8);
}

#[test]
fn a_load_to_l0b_of_16_kib() {
    assert_near(drained("ld2d_b l0b+0, l1+0, 32, 1, 0", false), 28 + 129, 3);
}

#[test]
fn a_copy_of_32_kib_that_hits_l2() {
    let copy = "mov_gm_l1 l1+0, gm+x2, burst(1, 1024), 0, 0\n";
    let text =
        format!("rdspr x1, para_base\nld.b64.gm x2, x1, 0\n{copy}bar all\n{copy}bar all\nend");
    let params = vec![param("a", Elem::F32, &[8192], ParamDir::In)];
    let outcome = timed(&object(params, &text, "", 1), &[Some(vec![0; 32768])]);
    let copies = spans(&outcome, Pipe::Mte2);
    let cold = copies[0].end - copies[0].begin;
    let hit = copies[1].end - copies[1].begin;
    // The span has no latency in it.
    assert_near(hit + 170, 383, 10);
    assert!(cold >= hit);
    assert_eq!(outcome.report.hbm_read, 32768);
}

#[test]
fn a_fed_queue_pays_its_head_once() {
    let load = "ld2d_a l0a+0, l1+0, 16, 1, 0\n";
    let (one, four) = (drained(load, false), drained(&load.repeat(4), false));
    let occupancy = 2 * 16 + 1;
    assert_eq!(four - one, 3 * occupancy);
}

#[test]
fn flags_and_queues_order_times() {
    let text = "ld2d_a l0a+0, l1+0, 16, 1, 0
        set_flag mte1, m, 0
        wait_flag mte1, m, 0
        mmad.f16 l0c+0, l0a+0, l0b+0, 16, 256, 16, 1, bt+0, unit_off
        set_flag m, s, 0
        wait_flag m, s, 0
        ld2d_a l0a+0, l1+0, 16, 1, 0
        end";
    let outcome = timed(&object(vec![], text, "", 1), &[]);
    let (loads, cube) = (spans(&outcome, Pipe::Mte1), spans(&outcome, Pipe::M));
    assert!(loads[0].end <= cube[0].begin && cube[0].end <= loads[1].begin);
    assert!(outcome.report.cycles > outcome.report.launch_cycles + cube[0].end);
}

#[test]
fn a_full_queue_stalls_the_scalar_unit() {
    let mmad = "mmad.f16 l0c+0, l0a+0, l0b+0, 128, 64, 256, 0, bt+0, unit_off\n";
    let text = format!("{}end", mmad.repeat(40));
    let report = timed(&object(vec![], &text, "", 1), &[]).report;
    let scalar = report
        .pipes
        .iter()
        .find(|p| p.pipe == Pipe::S)
        .expect("every core has one");
    assert!(scalar.stall_starved > 526 * 6);
}

#[test]
fn cores_share_global_memory() {
    // Every core reads its own megabyte in copies of 64 KiB.
    let text = |cores: u64| {
        let params = vec![param("a", Elem::F32, &[cores << 18], ParamDir::In)];
        let text = "rdspr x1, para_base
            ld.b64.gm x2, x1, 0
            rdspr x3, blockid
            shl x3, x3, 20
            add x2, x2, x3
            loop 16, last
            mov_gm_l1 l1+0, gm+x2, burst(1, 2048), 0, 0
            add x2, x2, 0x10000
            last:
            endloop
            end";
        let object = object(params, text, "", cores as u32);
        timed(&object, &[Some(vec![0; (cores << 20) as usize])]).report
    };
    let (one, all) = (text(1), text(24));
    let (one, all) = (
        one.cycles - one.launch_cycles,
        all.cycles - all.launch_cycles,
    );
    // Alone the port binds, together global memory: 1.52 TB/s at 1.8 GHz is 844 bytes a cycle.
    assert_near(one, (1 << 20) / 150, 10);
    assert_near(all, (24 << 20) / 844, 5);
}

#[test]
fn a_hand_over_costs_the_latency_of_the_flag() {
    let aic = "xset fix, 2, 3\nend";
    let aiv = "xwait mte2, 2, 3\nmov_gm_ub ub+0, gm+x2, burst(0, 1), 0, 0\nend";
    let both = timed(&object(vec![], aic, aiv, 1), &[]).report;
    assert!(both.cycles - both.launch_cycles >= 220);
    let mte2 = both
        .pipes
        .iter()
        .find(|p| p.pipe == Pipe::Mte2)
        .expect("every core has one");
    assert!(mte2.stall_cross >= 2 * 200, "{}", mte2.stall_cross);
}

#[test]
fn the_time_line_is_written_for_viewers() {
    let text = "ld2d_a l0a+0, l1+0, 16, 1, 0\nend";
    let object = object(vec![], text, "", 1);
    let outcome = timed(&object, &[]);
    let json = emulator::chrome_json(&outcome.trace, &object);
    assert!(json.contains(r#""name":"ld2d_a""#) && json.contains(r#""name":"cube core 0""#));
    assert!(json.contains(r#""dur":33"#), "{json}");
    assert_eq!(json.matches('{').count(), json.matches('}').count());
}

/// Tenths of a microsecond behind the launch that all cores of a 910B1 need for an eighth of the published 302 MB, each
/// core reading its own part by `copy` of `step` bytes.
fn stream(vector: bool, step: u64, copy: &str) -> u64 {
    let cores = if vector { 48 } else { 24 };
    let bytes = 48 * 48 * 131_072 / 8;
    let part = bytes / cores;
    let text = format!(
        "rdspr x1, para_base
         ld.b64.gm x2, x1, 0
         rdspr x3, blockid
         rdspr x4, subblockid
         madd x3, x3, {}, x4
         madd x2, x3, {part}, x2
         loop {}, last
         {copy}
         add x2, x2, {step}
         last:
         endloop
         end",
        cores / 24,
        part / step,
    );
    let params = vec![param("a", Elem::U8, &[bytes], ParamDir::In)];
    let kernel = match vector {
        true => object(params, "", &text, 24),
        false => object(params, &text, "", 24),
    };
    let chip = isa::chip::Chip::builtin("910b1").expect("a built-in chip");
    let options = Options {
        threads: 1,
        sanitize: Sanitize::NONE,
        ..Options::default()
    };
    let input = [Some(vec![0; bytes as usize])];
    let report = run(&kernel, &input, &chip, &options)
        .unwrap_or_else(|f| panic!("{f}"))
        .report;
    assert_eq!(report.hbm_read, bytes);
    (report.cycles - report.launch_cycles) * 10_000 / (report.clock_mhz * 1000)
}

/// An eighth of a published time, in tenths of a microsecond, less the launch of 7 µs.
const fn eighth(published: u64) -> u64 {
    (published - 70) / 8
}

#[test]
fn streams_through_all_cores() {
    // Rows 6, 7 and 8 of the facts.
    let large = stream(true, 131_072, "mov_gm_ub ub+0, gm+x2, burst(1, 4096), 0, 0");
    assert_near(large, eighth(2027), 5);
    let small = stream(true, 128, "mov_gm_ub ub+0, gm+x2, burst(1, 4), 0, 0");
    assert_near(small, eighth(5480), 10);
    let wide = stream(
        false,
        32_768,
        "nd2nz_gm_l1.b16 l1+0, gm+x2, 64, 256, 256, 64",
    );
    assert_near(wide, eighth(2145), 10);
    let narrow = stream(false, 8192, "nd2nz_gm_l1.b16 l1+0, gm+x2, 64, 64, 64, 64");
    assert_near(narrow, eighth(2835), 10);
}

#[test]
fn times_beside_values_are_those_behind_them() {
    // Trips of the loop that the scalar unit knows, that it also stores, and that it reads back, which only values tell.
    let store = "li x6, 3\nst.b64.ub x7, 0, x6";
    let load = format!("{store}\nld.b64.ub x6, x7, 0");
    for trips in ["li x6, 3", store, &load] {
        let text = format!(
            "rdspr x1, para_base
             ld.b64.gm x2, x1, 0
             ld.b64.gm x3, x1, 8
             rdspr x4, blockid
             rdspr x5, subblockid
             madd x4, x4, 2, x5
             madd x3, x4, 128, x3
             li x7, 4096
             {trips}
             loop x6, last
             mov_gm_ub ub+0, gm+x2, burst(1, 4), 0, 0
             set_flag mte2, mte3, 0
             wait_flag mte2, mte3, 0
             mov_ub_gm gm+x3, ub+0, burst(1, 4), 0, 0
             set_flag mte3, mte2, 0
             wait_flag mte3, mte2, 0
             last:
             endloop
             end"
        );
        let params = vec![
            param("a", Elem::U8, &[128], ParamDir::In),
            param("y", Elem::U8, &[8, 128], ParamDir::Out),
        ];
        let kernel = object(params, "", &text, 4);
        let inputs = [Some((0..128).collect()), None];
        let with = |threads| {
            let options = Options {
                threads,
                sanitize: Sanitize::NONE,
                trace: true,
                ..Options::default()
            };
            let outcome = run(&kernel, &inputs, &chip(), &options);
            let outcome = outcome.unwrap_or_else(|f| panic!("{f}"));
            (outcome.report, outcome.trace, outcome.tensors)
        };
        let alone = with(1);
        assert_eq!(alone.2[1], (0..128).collect::<Vec<u8>>().repeat(8));
        assert_eq!(with(2), alone, "{trips}");
        assert_eq!(with(4), alone, "{trips}");
    }
}

#[test]
fn what_is_only_computed_with_need_not_be_known() {
    let text = "
        rdspr x0, para_base
        ld.b64.gm x1, x0, 0
        ld.b32.gm x6, x1, 0
        li x7, 64
        vmuls.f32 ub+0x2000, ub+x7, x6, 8, st(1,1,8,8)
        vdup.f32 ub+0x4000, x6, 8, st(1,8)
        end";
    let scale = || vec![param("scale", Elem::F32, &[1], ParamDir::In)];
    let object = object(scale(), "", text, 1);
    let full = timed(&object, &[Some(2.0_f32.to_le_bytes().to_vec())]);
    let options = Options {
        timing_only: true,
        trace: true,
        ..Options::default()
    };
    let bare = run(&object, &[None], &chip(), &options).unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(bare.report, full.report);
    assert_eq!(bare.trace, full.trace);
}

/// One vector core's program with the address of `a` in x1 and the same past L2 in x2, that of `w` in x3 and past L2 in x4,
/// and that of `y` in x5.
fn two_ways(text: &str) -> Result<Outcome, Fault> {
    let text = format!(
        "rdspr x0, subblockid
        bcc.ne x0, 0, done
        rdspr x0, para_base
        ld.b64.gm x1, x0, 0
        ld.b64.gm x3, x0, 8
        ld.b64.gm x5, x0, 16
        li x6, 140737488355328
        add x2, x1, x6
        add x4, x3, x6
        {text}
        done:
        end"
    );
    let params = vec![
        param("a", Elem::F32, &[128], ParamDir::In),
        param("w", Elem::F32, &[128], ParamDir::Work),
        param("y", Elem::F32, &[128], ParamDir::Out),
    ];
    let values: Vec<f32> = (0..128_u8).map(f32::from).collect();
    let inputs = [Some(bytes_f32(&values)), None, None];
    try_run(&object(params, "", &text, 1), &inputs)
}

/// Bytes that came from memory; the result is what `a` was.
fn fetched(text: &str) -> u64 {
    let outcome = two_ways(text).unwrap_or_else(|f| panic!("{f}"));
    let y = to_f32(&outcome.tensors[2]);
    assert!((0..128_u8).map(f32::from).eq(y));
    outcome.report.hbm_read
}

#[test]
fn both_ways_to_memory_in_one_kernel() {
    let read = |reg: &str| format!("mov_gm_ub ub+0x0, gm+{reg}, burst(1, 16), 0, 0\nbar all\n");
    let bytes = |regs: &[&str]| {
        let reads: String = regs.iter().map(|reg| read(reg)).collect();
        fetched(&format!(
            "{reads}mov_ub_gm gm+x5, ub+0x0, burst(1, 16), 0, 0"
        ))
    };
    assert_eq!(bytes(&["x1", "x1"]), 512);
    // What L2 has comes from there whichever way it is asked for; what came past it must come again.
    assert_eq!(bytes(&["x1", "x2"]), 512);
    assert_eq!(bytes(&["x2", "x2"]), 1024);
    assert_eq!(bytes(&["x2", "x1", "x2"]), 1024);
}

#[test]
fn what_was_written_is_read_past_l2() {
    let text = "mov_gm_ub ub+0x0, gm+x1, burst(1, 16), 0, 0
        bar all
        mov_ub_gm gm+x3, ub+0x0, burst(1, 16), 0, 0
        bar all
        mov_gm_ub ub+0x400, gm+x4, burst(1, 16), 0, 0
        bar all
        mov_ub_gm gm+x5, ub+0x400, burst(1, 16), 0, 0";
    // The written line is in L2 alone, and comes from there.
    assert_eq!(fetched(text), 512);
}

#[test]
fn a_write_that_nobody_waits_for_is_a_race_past_l2_too() {
    let text = "vdup.f32 ub+0x0, 0x0, 2, st(1,8)
        bar all
        mov_ub_gm gm+x3, ub+0x0, burst(1, 16), 0, 0
        mov_gm_ub ub+0x400, gm+x4, burst(1, 16), 0, 0";
    let fault = two_ways(text).expect_err("the copies are in different queues");
    assert_eq!(fault.kind.code(), "F0010", "{fault}");
}

#[test]
fn loops_that_come_again_are_timed_like_those_that_run() {
    // An inner loop whose count, flags, fractal and scale follow from outer ones: some of its walks come again.
    let text = "li x1, 0
         set_flag m, mte1, 0
         set_flag m, mte1, 1
         loop 9, outer
         and x2, x1, 3
         li x3, 0
         wrspr fmatrix, x2
         loop x2, inner
         xor x4, x4, 1
         wait_flag m, mte1, x4
         shl x5, x4, 14
         shl x6, x3, 9
         ld2d_a l0a+x5, l1+x6, 4, 1, 0
         li x7, 5
         add x7, x7, x3
         wrspr fmatrix, x7
         set_flag mte1, m, x4
         wait_flag mte1, m, x4
         mmad.f16 l0c+0, l0a+x5, l0b+0, 16, 16, 64, x3, bt+0, unit_off
         set_flag m, mte1, x4
         add x3, x3, 1
         inner:
         endloop
         add x1, x1, 1
         outer:
         endloop
         wait_flag m, mte1, 0
         wait_flag m, mte1, 1
         end";
    let kernel = object(vec![], text, "", 2);
    let with = |timing_only| {
        let options = Options {
            threads: 1,
            sanitize: Sanitize::NONE,
            trace: true,
            timing_only,
            ..Options::default()
        };
        let outcome = run(&kernel, &[], &chip(), &options);
        let outcome = outcome.unwrap_or_else(|f| panic!("{f}"));
        (outcome.report, outcome.trace)
    };
    let (timed, ran) = (with(true), with(false));
    assert_eq!(timed, ran);
}

//! Completeness against the rows of the facts page (davinci-facts §10): every row of the modelled generation has its
//! instructions and modes, and every instruction belongs to the rows its documentation names.
//!
//! A form is a mnemonic, or a mnemonic and words of its text behind dots: `mmad.s8` holds if some instruction that the
//! machine's rules on types allow is written with that word.

use crate::common::Xorshift;
use isa::chip::Chip;
use isa::inst::{INFO, Inst, InstInfo, Opcode};
use isa::legal::{Rule, check};
use std::collections::BTreeSet;

/// Rows of other generations (davinci-facts §10, last lines).
const ELSEWHERE: &[(u32, &str)] = &[
    (36, "950: MX and FP8 products"),
    (45, "950: transposed source"),
    (52, "910A and 950: UB to L1"),
    (56, "910A and 950: L0C to UB"),
    (103, "950: scatter"),
];

/// Every row of this generation with the forms that realise it.
const ROWS: &[(u32, &str)] = &[
    (1, "li"),
    (2, "mov"),
    (3, "add sub"),
    (4, "mul madd"),
    (5, "div rem udiv urem"),
    (6, "and or xor not"),
    (7, "shl shr sar"),
    (8, "min max abs neg"),
    (
        9,
        "cmp.eq.s64 cmp.ne.s64 cmp.lt.s64 cmp.gt.s64 cmp.ge.s64 cmp.le.s64",
    ),
    (
        9,
        "cmp.eq.u64 cmp.ne.u64 cmp.lt.u64 cmp.gt.u64 cmp.ge.u64 cmp.le.u64",
    ),
    (
        9,
        "cmp.eq.f32 cmp.ne.f32 cmp.lt.f32 cmp.gt.f32 cmp.ge.f32 cmp.le.f32",
    ),
    (10, "sel"),
    (
        11,
        "clz popc.ones popc.zeros ffs.ones ffs.zeros bset.ones bset.zeros",
    ),
    (12, "fadd fsub fmul fmax fmin fdiv fsqrt"),
    (
        13,
        "cvt.f32s32r cvt.f32s32a cvt.f32s32f cvt.f32s32c cvt.f32s32z",
    ),
    (
        13,
        "cvt.s32f32r cvt.s32f32a cvt.s32f32f cvt.s32f32c cvt.s32f32z",
    ),
    (13, "cvt.f32f16 cvt.f32f16o cvt.f16f32"),
    (
        14,
        "ld.b8.gm ld.b16.gm ld.b32.gm ld.b64.gm ld.b8.ub ld.b16.ub ld.b32.ub ld.b64.ub",
    ),
    (
        14,
        "lds.b8.gm lds.b16.gm lds.b32.gm lds.b64.gm lds.b8.ub lds.b16.ub lds.b32.ub lds.b64.ub",
    ),
    (
        14,
        "ld_post.b8.gm ld_post.b16.gm ld_post.b32.gm ld_post.b64.gm ld_post.b8.ub ld_post.b64.ub",
    ),
    (
        15,
        "st.b8.gm st.b16.gm st.b32.gm st.b64.gm st.b8.ub st.b16.ub st.b32.ub st.b64.ub",
    ),
    (
        16,
        "rdspr.ctrl rdspr.blockid wrspr.ctrl wrspr.atomic wrspr.fpc wrspr.fmatrix",
    ),
    (17, "jmp jmpr"),
    (18, "bcc.eq bcc.ne bcc.lt bcc.le bcc.gt bcc.ge"),
    (19, "loop endloop"),
    (20, "call callr ret"),
    (21, "end trap nop"),
    (22, "set_flag"),
    (23, "wait_flag"),
    (24, "bar.v bar.m bar.mte1 bar.mte2 bar.mte3 bar.fix bar.all"),
    (25, "xset"),
    (26, "xwait"),
    (
        27,
        "dsb dsb_kind.ddr dsb_kind.ub dsb_kind.seq dcci dcci_line",
    ),
    (28, "mmad.f16 mmad.unit_off mmad.unit_keep mmad.unit_last"),
    (29, "mmad.bf16"),
    (30, "mmad.f32"),
    (31, "mmad.f32 wrspr.ctrl"),
    (32, "mmad.s8 mmad.u8 mmad.u8s8"),
    (33, "mmad.s4"),
    (34, "mmad.f16f16"),
    (35, "gemv.f16 gemv.bf16 gemv.f32 gemv.s8 gemv.u8 gemv.u8s8"),
    (37, "ld2d_a"),
    (38, "ld2d_b"),
    (
        39,
        "ld2dt_a.b4 ld2dt_a.b8 ld2dt_a.b16 ld2dt_a.b32 ld2dt_b.b4 ld2dt_b.b8 ld2dt_b.b16 ld2dt_b.b32",
    ),
    (
        40,
        "ld3d_a.b8 ld3d_a.b16 ld3d_a.b32 ld3d_b.b8 ld3d_b.b16 ld3d_b.b32",
    ),
    (
        40,
        "wrspr.fmatrix wrspr.fmatrix_b wrspr.padding wrspr.l3d_rpt",
    ),
    (41, "fill_l0a fill_l0b fill_l1"),
    (42, "mov_l1_bt mov_l1_bt_f16"),
    (43, "mov_gm_l1"),
    (44, "nd2nz_gm_l1.b8 nd2nz_gm_l1.b16 nd2nz_gm_l1.b32"),
    (44, "nd2nzx_gm_l1.b8 nd2nzx_gm_l1.b16 nd2nzx_gm_l1.b32"),
    (46, "mov_gm_ub"),
    (47, "movpad_gm_ub.b8 movpad_gm_ub.b16 movpad_gm_ub.b32"),
    (
        47,
        "movpadlr_gm_ub.b8 movpadlr_gm_ub.b16 movpadlr_gm_ub.b32",
    ),
    (48, "mov_gm_l0a mov_gm_l0b"),
    (49, "mov_ub_gm wrspr.atomic"),
    (50, "movpad_ub_gm"),
    (51, "mov_l1_gm"),
    (53, "mov_ub_ub"),
    (54, "fix_l0c_gm.nd fix_l0c_gm.nz fix_l0c_gm.nz16"),
    (
        54,
        "fix_l0c_gm.norelu fix_l0c_gm.relu fix_l0c_gm.lrelu fix_l0c_gm.prelu",
    ),
    (
        54,
        "fix_l0c_gm.unit_off fix_l0c_gm.unit_keep fix_l0c_gm.unit_last",
    ),
    (
        55,
        "fix_l0c_l1.none fix_l0c_l1.f32f16 fix_l0c_l1.f32bf16 fix_l0c_l1.prelu",
    ),
    (57, "mov_l1_fb"),
    (
        58,
        "fix_l0c_gm.none fix_l0c_gm.f32f16 fix_l0c_gm.f32bf16 fix_l0c_gm.s32f16 fix_l0c_gm.s32f16v",
    ),
    (
        58,
        "fix_l0c_gm.f32s8 fix_l0c_gm.f32s8v fix_l0c_gm.s32s8 fix_l0c_gm.s32s8v",
    ),
    (
        58,
        "fix_l0c_gm.f32s4 fix_l0c_gm.f32s4v fix_l0c_gm.s32s4 fix_l0c_gm.s32s4v",
    ),
    (58, "fix_l0c_gm.s32s16 fix_l0c_gm.s32s16v"),
    (59, "vadd.f16 vadd.f32 vadd.s16 vadd.s32"),
    (60, "vsub.f16 vsub.f32 vsub.s16 vsub.s32"),
    (61, "vmul.f16 vmul.f32 vmul.s16 vmul.s32"),
    (62, "vdiv.f16 vdiv.f32"),
    (
        63,
        "vmax.f16 vmax.f32 vmax.s16 vmax.s32 vmin.f16 vmin.f32 vmin.s16 vmin.s32",
    ),
    (64, "vand vor"),
    (65, "vnot"),
    (66, "vadds.f16 vadds.f32 vadds.s16 vadds.s32"),
    (67, "vmuls.f16 vmuls.f32 vmuls.s16 vmuls.s32"),
    (68, "vmaxs.f16 vmaxs.f32 vmaxs.s16 vmaxs.s32"),
    (69, "vmins.f16 vmins.f32 vmins.s16 vmins.s32"),
    (
        70,
        "vshl.s16 vshl.u16 vshl.s32 vshl.u32 vshr.s16 vshr.u16 vshr.s32 vshr.u32",
    ),
    (71, "vaxpy.f16 vaxpy.f32 vaxpy.f16f32"),
    (72, "vmla.f16 vmla.f32 vmla.f16f32"),
    (73, "vmadd.f16 vmadd.f32"),
    (
        74,
        "vaddrelu.f16 vaddrelu.f32 vaddrelu.s16 vsubrelu.f16 vsubrelu.f32 vsubrelu.s16",
    ),
    (75, "vmaddrelu.f16 vmaddrelu.f32"),
    (76, "vmulconv.f16s8 vmulconv.f16u8"),
    (
        76,
        "vaddreluconv.f16s8 vaddreluconv.f32f16 vaddreluconv.s16s8",
    ),
    (
        76,
        "vsubreluconv.f16s8 vsubreluconv.f32f16 vsubreluconv.s16s8",
    ),
    (77, "vrelu.f16 vrelu.f32 vrelu.s32"),
    (78, "vlrelu.f16 vlrelu.f32"),
    (79, "vabs.f16 vabs.f32"),
    (80, "vexp.f16 vexp.f32"),
    (81, "vln.f16 vln.f32"),
    (82, "vsqrt.f16 vsqrt.f32"),
    (83, "vrsqrt.f16 vrsqrt.f32"),
    (84, "vrec.f16 vrec.f32"),
    (
        85,
        "vconv.f32.f32.r vconv.f32.f32.f vconv.f32.f32.c vconv.f32.f32.a vconv.f32.f32.z",
    ),
    (
        85,
        "vconv.f32.f16.r vconv.f32.f16.f vconv.f32.f16.c vconv.f32.f16.a vconv.f32.f16.z vconv.f32.f16.o",
    ),
    (
        85,
        "vconv.f32.bf16.r vconv.f32.bf16.f vconv.f32.bf16.c vconv.f32.bf16.a vconv.f32.bf16.z",
    ),
    (
        85,
        "vconv.f32.s64.r vconv.f32.s64.f vconv.f32.s64.c vconv.f32.s64.a vconv.f32.s64.z",
    ),
    (
        85,
        "vconv.f32.s32.r vconv.f32.s32.f vconv.f32.s32.c vconv.f32.s32.a vconv.f32.s32.z",
    ),
    (
        85,
        "vconv.f32.s16.r vconv.f32.s16.f vconv.f32.s16.c vconv.f32.s16.a vconv.f32.s16.z",
    ),
    (
        85,
        "vconv.f16.s32.r vconv.f16.s32.f vconv.f16.s32.c vconv.f16.s32.a vconv.f16.s32.z",
    ),
    (
        85,
        "vconv.f16.s16.r vconv.f16.s16.f vconv.f16.s16.c vconv.f16.s16.a vconv.f16.s16.z",
    ),
    (
        85,
        "vconv.f16.s8.r vconv.f16.s8.f vconv.f16.s8.c vconv.f16.s8.a vconv.f16.s8.z",
    ),
    (
        85,
        "vconv.f16.u8.r vconv.f16.u8.f vconv.f16.u8.c vconv.f16.u8.a vconv.f16.u8.z",
    ),
    (85, "vconv_s4.r vconv_s4.f vconv_s4.c vconv_s4.a vconv_s4.z"),
    (
        85,
        "vconv.f16.f32 vconv.u8.f16 vconv.s8.f16 vconv.s16.f32 vconv.s16.s8 vconv.s16.u8 vconv.bf16.f32",
    ),
    (
        85,
        "vconv.s16.f16.r vconv.s16.f16.f vconv.s16.f16.c vconv.s16.f16.a vconv.s16.f16.z",
    ),
    (
        85,
        "vconv.s32.f32.r vconv.s32.f32.f vconv.s32.f32.c vconv.s32.f32.a vconv.s32.f32.z",
    ),
    (85, "vconv.s32.s64 vconv.s32.s16 vconv.s64.s32"),
    (
        85,
        "vconv.s64.f32.r vconv.s64.f32.f vconv.s64.f32.c vconv.s64.f32.a vconv.s64.f32.z",
    ),
    (
        85,
        "vconv.bf16.s32.r vconv.bf16.s32.f vconv.bf16.s32.c vconv.bf16.s32.a vconv.bf16.s32.z",
    ),
    (85, "vdeq.s32f16 vdeq.s16b8 wrspr.deqscale"),
    (
        86,
        "vcmp.ne.f16 vcmp.eq.f16 vcmp.gt.f16 vcmp.ge.f16 vcmp.lt.f16 vcmp.le.f16",
    ),
    (
        86,
        "vcmp.ne.f32 vcmp.eq.f32 vcmp.gt.f32 vcmp.ge.f32 vcmp.lt.f32 vcmp.le.f32",
    ),
    (
        86,
        "vcmp.ne.s16 vcmp.eq.s16 vcmp.gt.s16 vcmp.ge.s16 vcmp.lt.s16 vcmp.le.s16",
    ),
    (86, "vsetcmp vgetcmp"),
    (
        87,
        "vcmpv.ne.f16 vcmpv.eq.f16 vcmpv.gt.f16 vcmpv.ge.f16 vcmpv.lt.f16 vcmpv.le.f16",
    ),
    (
        87,
        "vcmpv.ne.f32 vcmpv.eq.f32 vcmpv.gt.f32 vcmpv.ge.f32 vcmpv.lt.f32 vcmpv.le.f32",
    ),
    (87, "vcmpv.eq.s32"),
    (
        88,
        "vcmpvs.ne.f16 vcmpvs.eq.f16 vcmpvs.gt.f16 vcmpvs.ge.f16 vcmpvs.lt.f16 vcmpvs.le.f16",
    ),
    (
        88,
        "vcmpvs.ne.f32 vcmpvs.eq.f32 vcmpvs.gt.f32 vcmpvs.ge.f32 vcmpvs.lt.f32 vcmpvs.le.f32",
    ),
    (88, "vcmpvs.eq.s32"),
    (
        89,
        "vsel.f16 vsel.f32 vselc.f16 vselc.f32 vsels.f16 vsels.f32",
    ),
    (90, "vdup.s16 vdup.s32"),
    (91, "vcopy.s16 vcopy.s32"),
    (92, "vbrcb.s16 vbrcb.s32"),
    (93, "viota.f16 viota.f32 viota.s16 viota.s32"),
    (94, "vcadd.f16 vcadd.f32"),
    (95, "vcmax.f16 vcmax.f32 vcmin.f16 vcmin.f32"),
    (95, "vcmaxi.vi.f16 vcmaxi.vi.f32"),
    (95, "vcmaxi.iv.f16 vcmaxi.iv.f32"),
    (95, "vcmaxi.i.f16 vcmaxi.i.f32"),
    (95, "vcmini.vi.f16 vcmini.vi.f32"),
    (95, "vcmini.iv.f16 vcmini.iv.f32"),
    (95, "vcmini.i.f16 vcmini.i.f32"),
    (96, "vcgadd.f16 vcgadd.f32"),
    (97, "vcgmax.f16 vcgmax.f32 vcgmin.f16 vcgmin.f32"),
    (98, "vcpadd.f16 vcpadd.f32"),
    (99, "vtranspose"),
    (
        100,
        "vnchwconv.b8 vnchwconv.b16 vnchwconv.b32 vnchwconv.high",
    ),
    (101, "vgather.b16 vgather.b32"),
    (102, "vgatherb"),
    (
        104,
        "vcompress.b16 vcompress.b32 vcompressm.b16 vcompressm.b32 rdspr.rsvd_cnt",
    ),
    (105, "vsort32.f16 vsort32.f32"),
    (
        106,
        "vmrg4.f16.all vmrg4.f16.first vmrg4.f32.all vmrg4.f32.first rdspr.mrg_cnt",
    ),
    (107, "vsetmask vsetcount"),
    (108, "vseta"),
];

/// Every form with its row.
fn forms() -> impl Iterator<Item = (u32, &'static str)> {
    ROWS.iter()
        .flat_map(|&(row, forms)| forms.split_whitespace().map(move |form| (row, form)))
}

fn mnemonic(form: &str) -> &str {
    form.split('.').next().unwrap_or(form)
}

/// Whether some instruction of the right types is written like that.
fn exists(form: &str, chip: &Chip) -> bool {
    let Some(opcode) = Opcode::from_mnemonic(mnemonic(form)) else {
        return false;
    };
    let wanted: Vec<&str> = form.split('.').skip(1).collect();
    let mut rng = Xorshift(1);
    (0..20_000).any(|_| {
        let inst = Inst::sample(opcode, &mut || rng.next());
        let text = inst.to_string();
        let words: Vec<&str> = text
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .collect();
        let refused = check(&inst, chip).err().map(|error| error.rule);
        wanted.iter().all(|word| words.contains(word))
            && !matches!(refused, Some(Rule::Type | Rule::Source))
    })
}

/// The rows that the documentation of an instruction names: `(row 8)`, `(rows 28-32)`, `(rows 3, 5)`.
fn said(info: &InstInfo) -> BTreeSet<u32> {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let lists = info.doc.split("(row").skip(1);
    lists
        .filter_map(|rest| rest.split(')').next())
        .flat_map(|list| list.trim_start_matches('s').split(','))
        .filter_map(|part| match part.split_once('-') {
            Some((first, last)) => Some(number(first)?..=number(last)?),
            None => number(part).map(|row| row..=row),
        })
        .flatten()
        .collect()
}

#[test]
fn every_row_is_listed() {
    let listed: BTreeSet<u32> = ROWS.iter().chain(ELSEWHERE).map(|(row, _)| *row).collect();
    assert_eq!(listed, (1..=108).collect());
    let twice = ELSEWHERE
        .iter()
        .any(|(row, _)| ROWS.iter().any(|(other, _)| other == row));
    assert!(!twice, "a row is of this generation or of another");
}

#[test]
fn every_form_of_every_row_exists() {
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip");
    for (row, form) in forms() {
        assert!(exists(form, &chip), "row {row}: there is no `{form}`");
    }
}

#[test]
fn every_instruction_belongs_to_the_rows_it_names() {
    for info in INFO {
        let rows = forms().filter(|(_, form)| mnemonic(form) == info.mnemonic);
        let rows: BTreeSet<u32> = rows.map(|(row, _)| row).collect();
        assert!(!rows.is_empty(), "`{}` is of no row", info.mnemonic);
        let said = said(info);
        assert!(
            said.is_subset(&rows) && !said.is_empty(),
            "`{}` says {said:?} and realises {rows:?}",
            info.mnemonic
        );
    }
}

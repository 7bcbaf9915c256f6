#!/usr/bin/env python3
"""Writes the GEMM programs of the calibration suite: `python3 tests/calibration/gemm.py` renews `gemm/*.vasm`.

The programs are what is tested; this script only spares writing loops by hand. Every program is a whole GEMM: each core
walks its share tile by tile, m before n, and k in packets. Packets come into two buffers in L1 (or one), blocks into two
halves of L0A and L0B, and every hand-over is a flag.
"""

import dataclasses
import pathlib

HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass
class Gemm:
    """A GEMM as a vendor published it."""

    name: str
    title: str
    chip: str
    m: int
    n: int
    k: int
    cores: int
    cores_m: int  # cores side by side in m; the others stand in n
    share_m: int  # rows of one core in one pass
    share_n: int
    passes: int = 1  # times a core walks a share, `m / passes` rows further on
    bm: int = 128
    bn: int = 256
    bk: int = 64
    pa: int = 4  # k-blocks of A in a packet, a multiple of those of B
    pb: int = 4
    out: str = "f32"
    columns: bool = True  # B is stored by columns, n by k
    depth: int = 2  # packets of each operand that L1 holds
    ahead: bool = False  # a packet is asked for while the one before is used, not when it is needed
    unit: bool = False

    def text(self) -> str:
        return "\n".join(self.head() + self.setup() + self.walk() + self.fetches()) + "\n"

    def head(self) -> list[str]:
        b = f"[{self.n},{self.k}]" if self.columns else f"[{self.k},{self.n}]"
        return [
            f"// {self.title}",
            "// Written by gemm.py.",
            f".chip {self.chip}",
            f".kernel {self.name}",
            f".cores cube {self.cores}",
            f".work mads {self.m * self.n * self.k}",
            f".param in a f16 [{self.m},{self.k}]",
            f".param in b f16 {b}",
            f".param out c {self.out} [{self.m},{self.n}]",
            "",
            ".aic",
        ]

    @property
    def a_bytes(self) -> int:
        return self.bm * self.bk * self.pa * 2

    @property
    def b_bytes(self) -> int:
        return self.bn * self.bk * self.pb * 2

    @property
    def out_bytes(self) -> int:
        return {"f32": 4, "f16": 2}[self.out]

    @property
    def a_copies(self) -> int:
        """Copies of A a tile."""
        return self.k // (self.bk * self.pa)

    @property
    def b_copies(self) -> int:
        return self.k // (self.bk * self.pb)

    @property
    def m_tiles(self) -> int:
        return self.share_m // self.bm

    def setup(self) -> list[str]:
        b_step = self.share_n * (self.k if self.columns else 1) * 2
        reverse = self.reverse_flags()
        return [
            "    rdspr x0, para_base",
            "    ld.b64.gm x1, x0, 0",
            "    ld.b64.gm x2, x0, 8",
            "    ld.b64.gm x3, x0, 16",
            "    rdspr x16, blockid",
            f"    rem x17, x16, {self.cores_m}",
            f"    div x18, x16, {self.cores_m}",
            f"    madd x1, x17, {self.share_m * self.k * 2}, x1",
            f"    madd x2, x18, {b_step}, x2",
            f"    madd x3, x17, {self.share_m * self.n * self.out_bytes}, x3",
            f"    madd x3, x18, {self.share_n * self.out_bytes}, x3",
            f"    li x24, {self.n}",
            f"    madd x24, x18, {-self.share_n}, x24",
            f"    min x24, x24, {self.share_n}",
            f"    div x24, x24, {self.bn}",
            "    li x10, 0",
            "    li x11, 2",
            "    li x12, 0",
            "    li x13, 2",
            "    li x14, 0",
            *self.matrices(),
            *[f"    set_flag {flag}" for flag in reverse],
        ]

    def reverse_flags(self) -> list[str]:
        """What says that a buffer is free; set once before, and waited for once behind."""
        flags = [f"mte1, mte2, {n}" for n in ([0, 1, 2, 3] if self.depth == 2 else [0, 2])]
        flags += ["m, mte1, 0", "m, mte1, 1"]
        flags += [] if self.ahead else ["m, mte2, 7"]
        return flags + ([] if self.unit else ["fix, m, 7"])

    def walk(self) -> list[str]:
        tile_row = self.bm * self.n * self.out_bytes
        steps = self.a_copies - (1 if self.unit else 0)
        last = self.step(True) if self.unit else []
        return [
            f"    loop {self.passes}, passes",
            f"    mul x8, x24, {self.m_tiles * self.a_copies}",
            f"    mul x9, x24, {self.m_tiles * self.b_copies}",
            "    mov x4, x1",
            "    mov x5, x2",
            "    mov x20, x2",
            f"    li x6, {self.a_copies}",
            f"    li x7, {self.b_copies}",
            f"    li x21, {self.m_tiles}",
            f"    li x23, {self.m_tiles}",
            "    mov x29, x3",
            *(["    call fetch_a", "    call fetch_b"] if self.ahead else []),
            "    loop x24, columns",
            "    mov x25, x29",
            f"    loop {self.m_tiles}, rows",
            "    li x15, 1",
            *([] if self.ahead else ["    wait_flag m, mte2, 7"]),
            *([] if self.unit else ["    wait_flag fix, m, 7"]),
            f"    loop {steps}, packets",
            *self.step(False),
            "packets:",
            "    endloop",
            *last,
            *([] if self.ahead else ["    set_flag m, mte2, 7"]),
            *self.drain(),
            f"    add x25, x25, {tile_row}",
            "rows:",
            "    endloop",
            f"    add x29, x29, {self.bn * self.out_bytes}",
            "columns:",
            "    endloop",
            f"    add x1, x1, {self.m // self.passes * self.k * 2}",
            f"    add x3, x3, {self.m // self.passes * self.n * self.out_bytes}",
            "passes:",
            "    endloop",
            *[f"    wait_flag {flag}" for flag in self.reverse_flags()],
            "    end",
        ]

    def drain(self) -> list[str]:
        quant = "f32f16" if self.out == "f16" else "none"
        unit = "unit_last" if self.unit else "unit_off"
        fix = (
            f"    fix_l0c_gm.f32.{quant}.norelu.nd {unit}, gm+x25, l0c+0x0, "
            f"{self.bm}, {self.bn}, {self.bm}, {self.n}"
        )
        if self.unit:
            return [fix]
        return ["    set_flag m, fix, 7", "    wait_flag m, fix, 7", fix, "    set_flag fix, m, 7"]

    def step(self, last: bool) -> list[str]:
        """One packet of A with its packets of B."""
        lines = []
        packets = self.pa // self.pb
        for part in range(packets):
            lines += self.fetch(part)
            for block in range(self.pb):
                lines += self.block(part, block, packets, last)
        return lines

    def fetch(self, part: int) -> list[str]:
        if not self.ahead:
            return (["    call fetch_a"] if part == 0 else []) + ["    call fetch_b"]
        return ["    call fetch_b"] + (["    call fetch_a"] if part == 0 else [])

    def block(self, part: int, block: int, packets: int, last: bool) -> list[str]:
        lines = []
        toggle = self.depth == 2
        first_a, last_a = part == 0 and block == 0, part == packets - 1 and block == self.pb - 1
        if first_a:
            lines += [f"    mul x16, x12, {self.a_bytes}", "    wait_flag mte2, mte1, x12"]
        if block == 0:
            base = self.depth * self.a_bytes - 2 * self.b_bytes
            lines += [f"    li x17, {base}", f"    madd x17, x13, {self.b_bytes}, x17"]
            lines += ["    wait_flag mte2, mte1, x13"]
        lines += ["    shl x30, x14, 15", "    wait_flag m, mte1, x14"]
        lines += self.load_a(part * self.pb + block)
        lines += self.load_b(block)
        if last_a:
            lines += ["    set_flag mte1, mte2, x12"]
            lines += ["    xor x12, x12, 1"] if toggle else []
        if block == self.pb - 1:
            lines += ["    set_flag mte1, mte2, x13"]
            lines += ["    xor x13, x13, 1"] if toggle else []
        unit = "unit_off"
        if self.unit:
            unit = "unit_last" if last and last_a else "unit_keep"
        lines += [
            "    set_flag mte1, m, x14",
            "    wait_flag mte1, m, x14",
            f"    mmad.f16 l0c+0x0, l0a+x30, l0b+x30, {self.bm}, {self.bk}, {self.bn}, x15, bt+0, {unit}",
            "    set_flag m, mte1, x14",
            "    xor x14, x14, 1",
        ]
        return lines + (["    li x15, 0"] if first_a else [])

    def load_a(self, block: int) -> list[str]:
        part = self.bk | self.bm << 16 | block * self.bk << 32
        return [f"    li x18, {part}", "    ld3d_a.b16 l0a+x30, l1+x16, x18, x28"]

    def load_b(self, block: int) -> list[str]:
        if self.columns:
            return [
                f"    ld2d_b l0b+x30, l1+x17, {self.bn * self.bk // 256}, 1, 0",
                f"    add x17, x17, {self.bn * self.bk * 2}",
            ]
        part = self.bn | self.bk << 16 | block * self.bk << 48
        return [f"    li x18, {part}", "    ld3d_b.b16 l0b+x30, l1+x17, x18, x27"]

    def matrices(self) -> list[str]:
        """What the loads to L0 are told of the packets in L1: images of one row, windows of one element."""
        window = 1 | 1 << 6 | 1 << 12 | 1 << 20 | 1 << 28 | 1 << 36
        lines = [
            f"    li x28, {window | self.bk * self.pa << 48}",
            f"    li x18, {self.bm | 1 << 16}",
            "    wrspr fmatrix, x18",
        ]
        if self.columns:
            return lines
        turned = window | 1 << 46 | 1 << 47 | self.bn << 48
        return lines + [
            f"    li x27, {turned}",
            f"    li x18, {self.bk * self.pb | 1 << 16}",
            "    wrspr fmatrix_b, x18",
        ]

    def fetches(self) -> list[str]:
        toggle = self.depth == 2
        if self.columns:
            copy_b = f"{self.bn}, {self.bk * self.pb}, {self.k}, {self.bn}"
            next_b, panel_b = self.bk * self.pb * 2, self.bn * self.k * 2
        else:
            copy_b = f"{self.bk * self.pb}, {self.bn}, {self.n}, {self.bk * self.pb}"
            next_b, panel_b = self.bk * self.pb * self.n * 2, self.bn * 2
        return [
            "",
            "// The next packet of A.",
            "fetch_a:",
            "    bcc.eq x8, 0, done_a",
            "    sub x8, x8, 1",
            "    wait_flag mte1, mte2, x10",
            f"    mul x18, x10, {self.a_bytes}",
            f"    nd2nz_gm_l1.b16 l1+x18, gm+x4, {self.bm}, {self.bk * self.pa}, {self.k}, {self.bm}",
            "    set_flag mte2, mte1, x10",
            *(["    xor x10, x10, 1"] if toggle else []),
            f"    add x4, x4, {self.bk * self.pa * 2}",
            "    sub x6, x6, 1",
            "    bcc.ne x6, 0, done_a",
            f"    li x6, {self.a_copies}",
            f"    add x4, x4, {(self.bm - 1) * self.k * 2}",
            "    sub x21, x21, 1",
            "    bcc.ne x21, 0, done_a",
            f"    li x21, {self.m_tiles}",
            "    mov x4, x1",
            "done_a:",
            "    ret",
            "",
            "// The next packet of B.",
            "fetch_b:",
            "    bcc.eq x9, 0, done_b",
            "    sub x9, x9, 1",
            "    wait_flag mte1, mte2, x11",
            f"    li x18, {self.depth * self.a_bytes - 2 * self.b_bytes}",
            f"    madd x18, x11, {self.b_bytes}, x18",
            f"    nd2nz_gm_l1.b16 l1+x18, gm+x5, {copy_b}",
            "    set_flag mte2, mte1, x11",
            *(["    xor x11, x11, 1"] if toggle else []),
            f"    add x5, x5, {next_b}",
            "    sub x7, x7, 1",
            "    bcc.ne x7, 0, done_b",
            f"    li x7, {self.b_copies}",
            "    mov x5, x20",
            "    sub x23, x23, 1",
            "    bcc.ne x23, 0, done_b",
            f"    li x23, {self.m_tiles}",
            f"    add x20, x20, {panel_b}",
            "    mov x5, x20",
            "done_b:",
            "    ret",
        ]


def pto(size: int, share_m: int, share_n: int) -> Gemm:
    return Gemm(
        f"pto_{size}",
        f"PTO-ISA gemm_performance, {size} cubed, f16 to f32.",
        "910c-1850",
        size,
        size,
        size,
        24,
        size // share_m,
        share_m,
        share_n,
        columns=False,
        ahead=True,
    )


def ladder(name: str, title: str, **more) -> Gemm:
    wide = dict(share_m=2048, out="f16")
    wide.update(more)
    return Gemm(name, title, "910b1", 8192, 8192, 8192, 24, 4, share_n=1536, **wide)


def a2(name: str, title: str, **more) -> Gemm:
    return Gemm(name, title, "a2-20", 4096, 5120, 4096, 20, 4, 1024, 1024, **more)


PROFILES = [
    pto(1536, 384, 256),
    pto(3072, 768, 512),
    pto(6144, 1536, 1024),
    ladder("ladder_plain", "asc-devkit ladder, 4 by 6 cores, no packets.", pa=1, pb=1, depth=1, unit=True),
    ladder("ladder_unit", "asc-devkit ladder, all steps.", pa=8, pb=4, unit=True, share_m=1024, passes=2),
    ladder("ladder_no_unit", "asc-devkit ladder, all steps but the unit flag.", pa=8, pb=4, share_m=1024, passes=2),
    Gemm(
        "ladder_64",
        "asc-devkit ladder, the first step: one core, blocks of 64 cubed; a part of the shape, whose pace is the whole's.",
        "910b1",
        256,
        256,
        8192,
        1,
        1,
        256,
        256,
        bm=64,
        bn=64,
        pa=1,
        pb=1,
        depth=1,
        unit=True,
        out="f16",
    ),
    a2("a2_small", "CANN best practices 10_0041, small blocks.", bm=64, bn=64, bk=256, pa=1, pb=1, unit=True),
    a2("a2_packets", "CANN best practices 10_0041, packets.", pa=8, pb=4),
]

if __name__ == "__main__":
    for gemm in PROFILES:
        (HERE / "gemm" / f"{gemm.name}.vasm").write_text(gemm.text())

//! Tile form text → tile IR: names become entities, words become operations.
//!
//! What it gives is well formed as far as names, words and counts of operands go; [`ir::tile::verify()`] checks the rest
//! and needs a target's capacities. Everything wrong is E0605, several in one go; a statement costs one diagnostic at
//! most. Printing what was loaded gives the canonical text of what was read.
//!
//! A form may be written with or without extents, offsets and generations; where they are left out (`cores`,
//! `written`), they follow from declarations, and printing shows them.

mod channels;
mod cores;
mod extents;
mod names;
mod parts;
mod scalars;
mod stmt;
mod survey;
mod symbolic;
mod whole;
mod written;
mod wrong;

use std::collections::{BTreeMap, BTreeSet};

use diag::{Diagnostic, FileId, Span};
use ir::stage;
use ir::tile::names::role_from_name;
use ir::tile::{
    Block, Buf, BufData, Chan, ChanData, Func, Phase, Tensor, TensorData, TensorRole, Value,
};
use isa::types::{CoreKind, Layout, Space};
use syntax::ast::Name;
use syntax::parse_tile;
use syntax::tile_ast::{BufDecl, Int, TileFunc, TileItem, TileParam, TileStmt, Work};

use self::names::error;

/// Reads the one function of a `.tile` text.
pub fn load(file: FileId, text: &str) -> Result<Func, Vec<Diagnostic>> {
    let parsed = parse_tile(file, text);
    let mut loader = Loader {
        diagnostics: parsed.diagnostics,
        ..Loader::default()
    };
    match parsed.file.funcs.as_slice() {
        [] => {
            if loader.diagnostics.is_empty() {
                let span = Span::new(file, 0..0);
                loader.problem(span, "there is no `tile` function", "expected here");
            }
        }
        [func, rest @ ..] => {
            if let Some(second) = rest.first() {
                loader.problem(
                    second.span,
                    "a file in tile form holds one function",
                    "the second one",
                );
            }
            loader.func(func);
        }
    }
    if loader.diagnostics.is_empty() {
        return Ok(loader.func);
    }
    diag::sort(&mut loader.diagnostics);
    Err(loader.diagnostics)
}

#[derive(Clone, Default)]
struct Loader {
    func: Func,
    diagnostics: Vec<Diagnostic>,
    tensors: BTreeMap<String, Tensor>,
    bufs: BTreeMap<String, Buf>,
    chans: BTreeMap<String, Chan>,
    /// The visible values, and their names with the innermost last.
    values: BTreeMap<String, Value>,
    scope: Vec<String>,
    /// The blocks that are being read, the innermost last.
    open: Vec<Block>,
    /// How many blocks surround the definition of a value.
    levels: BTreeMap<Value, usize>,
    /// What was computed in the open blocks.
    computed: Vec<scalars::Computed>,
    /// What is known of values by their names.
    ranges: extents::Ranges,
    /// What buffers hold, where it is not all of them.
    extents: BTreeMap<Buf, [extents::Extent; 2]>,
    /// The kind of core of the block, in a loop over cores.
    kind: Option<CoreKind>,
    /// The index that the two vector cores of a group share.
    split: Option<String>,
    /// Buffers of the block that start their generations by themselves.
    filled: BTreeSet<String>,
    /// Tensors that anything is stored to.
    stored: BTreeSet<String>,
    /// Who sends over a channel, and over which anything is received.
    senders: BTreeMap<String, CoreKind>,
    receivers: BTreeSet<String>,
    /// Channels about which something was said.
    broken: BTreeSet<String>,
    /// What a channel carries: as it was sent in this look at the phase, and in the one before.
    sent: BTreeMap<Chan, [extents::Extent; 2]>,
    received: BTreeMap<Chan, [extents::Extent; 2]>,
}

impl Loader {
    fn func(&mut self, func: &TileFunc) {
        self.header(func);
        self.sizes(func);
        self.stored = survey::stored(func);
        self.find_senders(func);
        for param in &func.params {
            self.param(param);
        }
        if func.groups.is_none() {
            self.func.groups = self.groups_of(func);
        }
        if !func
            .items
            .iter()
            .any(|item| matches!(item, TileItem::Does(_)))
        {
            self.func.work.compulsory_bytes = self.argument_bytes();
        }
        // Declarations may stand anywhere among the items.
        for item in &func.items {
            self.declaration(item);
        }
        for item in &func.items {
            if let TileItem::Phase { blocks, span } = item {
                self.phase(blocks, *span);
            } else if let TileItem::Cores(cores) = item {
                self.dealt(cores);
            }
        }
    }

    /// Arguments read once and results written once.
    fn argument_bytes(&self) -> u64 {
        let arguments = self.func.tensors.values();
        let arguments = arguments.filter(|tensor| tensor.role != TensorRole::Work);
        let bytes = arguments.map(|tensor| {
            let count = tensor.shape.iter().try_fold(1u64, |n, extent| {
                n.checked_mul(u64::try_from(*extent).ok()?)
            });
            count.and_then(|count| count.checked_mul(tensor.elem.bytes()))
        });
        bytes.fold(0, |sum, bytes| {
            sum.saturating_add(bytes.unwrap_or(u64::MAX))
        })
    }

    fn header(&mut self, func: &TileFunc) {
        self.func.name = self.new_name(&func.name);
        self.func.target.clone_from(&func.target.text);
        if let Some(stage) = &func.stage {
            let names = stage::STAGES.iter().map(|info| info.name);
            self.func.stage = self
                .word(stage, "stage", stage::from_name, names)
                .unwrap_or_default();
        }
        self.func.groups = func
            .groups
            .map_or(Some(1), |groups| self.small(groups))
            .unwrap_or(1);
    }

    fn param(&mut self, param: &TileParam) {
        let roles = ["in", "out", "work"];
        let role = match &param.role {
            Some(role) => self.word(role, "role", role_from_name, roles.into_iter()),
            None if self.stored.contains(&param.name.text) => Some(TensorRole::Out),
            None => Some(TensorRole::In),
        };
        let elem = self.elem(&param.elem);
        let shape = param
            .shape
            .iter()
            .map(|extent| self.tensor_extent(extent))
            .collect::<Option<_>>();
        let (Some(role), Some(elem), Some(shape)) = (role, elem, shape) else {
            return;
        };
        let name = self.new_name(&param.name);
        let tensor = self.func.tensors.push(TensorData {
            name: name.clone(),
            elem,
            shape,
            role,
            span: param.name.span,
        });
        if self.tensors.insert(name, tensor).is_some() {
            self.twice("tensor", &param.name);
        }
    }

    fn declaration(&mut self, item: &TileItem) {
        match item {
            TileItem::Does(work) => work.iter().for_each(|work| self.work(work)),
            TileItem::Chan {
                name,
                ring,
                depth,
                from,
            } => {
                let _ = self.chan_decl(name, ring, *depth, from);
            }
            TileItem::Buf(decl) => {
                let _ = self.buf_decl(decl);
            }
            TileItem::Slots {
                name,
                elem,
                shape,
                depth,
                span,
            } => {
                if self.slots((name, elem), shape, *depth, *span).is_none() {
                    self.broken.insert(name.text.clone());
                }
            }
            TileItem::Launch { what, name, value } => self.launch_fact(what, name, *value),
            TileItem::Sizes(_) | TileItem::Phase { .. } | TileItem::Cores(_) | TileItem::Error => {}
        }
    }

    fn work(&mut self, work: &Work) {
        let Ok(amount) = u64::try_from(work.amount.value) else {
            return self.out_of_range(work.amount);
        };
        match work.what.text.as_str() {
            "mads" => {
                self.func.work.mads = amount;
                self.func.work.mad_elem = work.elem.as_ref().and_then(|elem| self.elem(elem));
            }
            "vector_ops" => self.func.work.vector_ops = amount,
            "bytes" => self.func.work.compulsory_bytes = amount,
            _ => {
                let _: Option<()> = self.word(
                    &work.what,
                    "work",
                    |_| None,
                    ["mads", "vector_ops", "bytes"].into_iter(),
                );
            }
        }
    }

    fn chan_decl(&mut self, name: &Name, ring: &Name, depth: Int, from: &Name) -> Option<()> {
        let data = ChanData {
            name: self.new_name(name),
            tensor: self.tensor(ring)?,
            depth: self.small(depth)?,
            from: self.core_kind(from)?,
        };
        let chan = self.func.chans.push(data);
        if self.chans.insert(name.text.clone(), chan).is_some() {
            self.twice("channel", name);
        }
        Some(())
    }

    fn buf_decl(&mut self, decl: &BufDecl) -> Option<()> {
        let one = Int {
            value: 1,
            span: decl.span,
        };
        let (depth, rows, cols) = match decl.extents.as_slice() {
            [shape] if shape.len() == 2 => (one, shape[0], shape[1]),
            [copies, shape] if copies.len() == 1 && shape.len() == 2 => {
                (copies[0], shape[0], shape[1])
            }
            _ => {
                let message = format!("buffer `{}` is no matrix", decl.name.text);
                let error = error(decl.span, message, "its extents are `[rows, cols]`");
                self.diagnostics
                    .push(error.help("copies stand before them: `f16[2][128, 64]`"));
                return None;
            }
        };
        let spaces = Space::ALL.into_iter().map(Space::name);
        let data = BufData {
            name: self.new_name(&decl.name),
            elem: self.elem(&decl.elem)?,
            space: self.word(&decl.space, "space", Space::from_name, spaces)?,
            layout: self.word(
                &decl.layout,
                "layout",
                Layout::from_name,
                ["ND", "NZ", "zZ", "nZ"].into_iter(),
            )?,
            depth: self.small(depth)?,
            rows: self.int(rows)?,
            cols: self.int(cols)?,
            addr: match decl.addr {
                Some(addr) => Some(self.small(addr)?),
                None => None,
            },
            span: decl.span,
        };
        let buf = self.func.bufs.push(data);
        if self.bufs.insert(decl.name.text.clone(), buf).is_some() {
            self.twice("buffer", &decl.name);
        }
        Some(())
    }

    fn phase(&mut self, blocks: &[(Name, Vec<TileStmt>)], span: Span) {
        let mut phase = Phase::default();
        for (kind, stmts) in blocks {
            let block = self.block(stmts);
            let slot = match self.core_kind(kind) {
                Some(CoreKind::Cube) => &mut phase.cube,
                Some(CoreKind::Vector) => &mut phase.vector,
                None => continue,
            };
            if slot.replace(block).is_some() {
                self.problem(
                    kind.span,
                    "a phase has one block a kind of core",
                    "the second one",
                );
            }
        }
        if blocks.is_empty() {
            self.problem(span, "a phase without a block", "nothing happens here");
        }
        self.func.phases.push(phase);
    }
}

//! From the checked program and values for sizes and types to the algorithm IR.
//!
//! [`bind`] is the table of contents. Functions are expanded where they are called: a scalar function becomes
//! expressions of the current definition, a tensor function becomes definitions in front of it. A call inside a
//! definition may depend on its indices (`softmax(s[h, :])[j]`); then those indices, the *context*, become leading
//! dimensions of every definition of the call. A [`View`] says how a local is read.
//!
//! Everything is bounded: by the number of steps and by the depth of nesting ([`build`]).

mod build;
mod calls;
mod conditions;
mod define;
mod expr;
mod fold;
mod gather;
mod index;
pub(crate) mod laws;
mod merge;
mod packed;
mod parts;
pub(crate) mod ranks;
mod symbolic;

mod values;

use crate::Bindings;
use crate::errors::{resolve, sizes};
use crate::hir::{Item, LocalId, Ty};
use diag::{Diagnostic, Span};
use ir::algo::{Affine, Expr, ExprKind, Func, Index, Role, Tensor, TensorData};
use isa::types::Elem;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Tensors of one kernel: far more than any kernel has that is compiled in bearable time.
const MOST_TENSORS: usize = 1 << 14;

/// Binds sizes and types and lowers a kernel.
pub(crate) fn bind(
    items: &[Arc<Item>],
    kernel: &Item,
    given: &Bindings,
) -> Result<Func, Vec<Diagnostic>> {
    if !given.symbolic.is_empty() {
        return symbolic::bind(items, kernel, given);
    }
    let values = values::bind(kernel, given)?;
    let mut lower = Lower::new(items, kernel);
    let outcome = lower.kernel(kernel, values);
    if outcome.is_err() || !lower.diagnostics.is_empty() {
        return Err(lower.finished_diagnostics(kernel.span));
    }
    Ok(build::compact(lower.func))
}

/// Lowering cannot go on; the reason was reported.
#[derive(Debug)]
struct Stop;

type Lowered<T> = Result<T, Stop>;

/// The function under construction.
struct Lower<'a> {
    items: &'a [Arc<Item>],
    func: Func,
    /// Depth of each expression.
    depths: Vec<usize>,
    /// Indices of the left side that is being defined, without context.
    left: Vec<Index>,
    names: BTreeSet<String>,
    /// The number behind each name up to which all are taken.
    numbered: BTreeMap<String, u32>,
    /// Parameters of `i4`.
    packed: BTreeMap<Tensor, packed::Packed>,
    packed_results: Vec<packed::PackedResult>,
    steps: usize,
    nesting: usize,
    diagnostics: Vec<Diagnostic>,
}

/// One expansion of an item.
struct Frame<'a> {
    item: &'a Item,
    sizes: Vec<i64>,
    types: Vec<Elem>,
    locals: Vec<Option<Binding>>,
    /// Before the names of tensors: `s.` inside the call that defines `s`.
    prefix: String,
    /// Tensors and names that results have instead of their own.
    targets: BTreeMap<LocalId, Target>,
    /// Indices of the definition around the call that its arguments depend on.
    context: Vec<Index>,
    /// What stands for the context inside the definition that is being lowered.
    map: Vec<(Index, Index)>,
    /// What stands for each index of the body.
    indices: Vec<Option<Index>>,
    /// Which items of a fold's block count.
    mask: Option<fold::Mask>,
}

/// Where a definition goes.
#[derive(Clone)]
struct Target {
    tensor: Option<Tensor>,
    name: String,
}

/// What a local is.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "short lived, and few at a time")]
enum Binding {
    View(View),
    /// An expression of the current definition; in scalar functions.
    Value(Expr),
    Constant(ExprKind, Elem),
}

/// A tensor read with some coordinates fixed.
#[derive(Clone)]
struct View {
    tensor: Tensor,
    at: Vec<Slot>,
}

/// A coordinate of a view.
#[derive(Clone)]
enum Slot {
    Fixed(Affine),
    Open,
    /// Open, and this is added to it.
    Shifted(Affine),
}

impl<'a> Frame<'a> {
    fn new(item: &'a Item, sizes: Vec<i64>, types: Vec<Elem>, prefix: String) -> Frame<'a> {
        Frame {
            item,
            sizes,
            types,
            locals: vec![None; item.body.locals.len()],
            prefix,
            targets: BTreeMap::new(),
            context: Vec::new(),
            map: Vec::new(),
            indices: vec![None; item.body.indices.len()],
            mask: None,
        }
    }

    /// The element type of a type.
    fn elem(&self, ty: Ty) -> Elem {
        let param = |p: usize| self.types.get(p).copied().unwrap_or(Elem::F32);
        match ty {
            Ty::Elem(elem) => elem,
            Ty::Param(p) => param(p),
            // One to a byte wherever it is computed with.
            Ty::I4 => Elem::I8,
            Ty::Acc(p) if param(p).is_float() => Elem::F32,
            Ty::Acc(_) | Ty::Int => Elem::I32,
            Ty::Float | Ty::Error => Elem::F32,
            Ty::Size => Elem::I64,
        }
    }
}

impl<'a> Lower<'a> {
    fn new(items: &'a [Arc<Item>], kernel: &Item) -> Lower<'a> {
        let func = Func {
            name: kernel.name.clone(),
            order_free: kernel.order_free,
            span: kernel.span,
            ..Func::default()
        };
        Lower {
            items,
            func,
            depths: Vec::new(),
            left: Vec::new(),
            names: BTreeSet::new(),
            numbered: BTreeMap::new(),
            packed: BTreeMap::new(),
            packed_results: Vec::new(),
            steps: 0,
            nesting: 0,
            diagnostics: Vec::new(),
        }
    }

    fn kernel(&mut self, kernel: &'a Item, values: values::Values) -> Lowered<()> {
        let names = kernel.sizes.iter().map(|s| s.name.clone());
        self.func.sizes = names.zip(values.sizes.iter().copied()).collect();
        if kernel.incomplete || kernel.broken {
            return Err(Stop);
        }
        let mut frame = Frame::new(kernel, values.sizes, values.types, String::new());
        self.check_conditions(&mut frame, None)?;
        self.declare_signature(&mut frame)?;
        for stmt in &kernel.body.stmts {
            self.statement(&mut frame, stmt)?;
        }
        self.pack_results(&mut frame)
    }

    /// The diagnostics, never none.
    fn finished_diagnostics(self, span: Span) -> Vec<Diagnostic> {
        if self.diagnostics.is_empty() {
            return vec![resolve::too_large("it contains an error", span)];
        }
        self.diagnostics
    }

    fn stop<T>(&mut self, diagnostic: Diagnostic) -> Lowered<T> {
        self.diagnostics.push(diagnostic);
        Err(Stop)
    }

    fn declare_signature(&mut self, f: &mut Frame<'a>) -> Lowered<()> {
        let item = f.item;
        for number in 0..item.params + item.results {
            let local = &item.body.locals[number];
            let role = if number < item.params {
                Role::Param
            } else {
                Role::Result
            };
            let shape = self.extents(f, local.shape.as_deref().unwrap_or(&[]), local.span)?;
            let (elem, id) = (f.elem(local.ty), LocalId(number));
            if local.ty == Ty::I4 && role == Role::Result {
                let tensor = self.packed_result(f, id, shape)?;
                self.func.results.push(tensor);
                continue;
            }
            let tensor = if local.ty == Ty::I4 {
                self.packed_param(local, shape.clone())?
            } else {
                self.tensor(local.name.clone(), elem, &shape, role, local.span)?
            };
            if role == Role::Param {
                self.func.params.push(tensor);
                let at = vec![Slot::Open; shape.len()];
                f.locals[number] = Some(Binding::View(View { tensor, at }));
            } else {
                self.func.results.push(tensor);
                f.targets.insert(
                    id,
                    Target {
                        tensor: Some(tensor),
                        name: local.name.clone(),
                    },
                );
            }
        }
        Ok(())
    }

    /// A new tensor with a unique name.
    fn tensor(
        &mut self,
        name: String,
        elem: Elem,
        shape: &[i64],
        role: Role,
        span: Span,
    ) -> Lowered<Tensor> {
        let elem_bytes = i64::try_from(elem.bytes()).unwrap_or(8);
        let bytes = shape
            .iter()
            .try_fold(elem_bytes, |n, extent| n.checked_mul(*extent));
        if bytes.is_none() && !self.func.symbols.is_empty() {
            let what = format!("`{name}` has too many dimensions of symbolic size");
            return self.stop(sizes::needs_fixed(&what, span));
        }
        if bytes.is_none() {
            return self.stop(sizes::size_overflow(
                span,
                &format!("the size of `{name}` in bytes"),
            ));
        }
        if self.func.tensors.len() >= MOST_TENSORS {
            let limit = format!("more than {MOST_TENSORS} tensors");
            return self.stop(resolve::too_large(&limit, span));
        }
        let unique = self.fresh_name(&name);
        self.names.insert(unique.clone());
        let shape = shape.iter().copied().collect();
        Ok(self.func.tensors.push(TensorData {
            name: unique,
            elem,
            shape,
            role,
            span,
        }))
    }
}

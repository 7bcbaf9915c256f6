//! Tests of `num`, by subject; `reference` holds definitions written another way to compare with.

mod accumulate;
mod bulk;
mod columns;
mod convert;
mod elementary;
mod integer;
mod low_precision;
mod narrow;
mod quant;
mod reference;
mod single;

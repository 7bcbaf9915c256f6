//! The emulator as its users see it: objects in, tensors, reports and faults out.

mod atomic;
mod common;
mod cross;
mod cube;
mod faults;
mod gemm;
mod moves;
mod random;
mod scalar;
mod timing;
mod vector;

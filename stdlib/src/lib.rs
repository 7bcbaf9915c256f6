//! The library's sources as text: the prelude that every file sees, and the kernels that ship.
//!
//! No logic and no dependencies: the driver and the language server hand these texts to the front end. Each is a pair of
//! a path below this crate's folder and the text.

/// Functions that every file can call without `use`.
pub const PRELUDE: (&str, &str) = ("prelude.vn", include_str!("../prelude.vn"));

/// One row for each kernel file.
macro_rules! kernels {
    ($($name:literal),+ $(,)?) => {
        /// The kernels, one file each, in alphabetical order; a file holds the kernel of its name.
        pub const SOURCES: &[(&str, &str)] = &[$((
            concat!("kernels/", $name, ".vn"),
            include_str!(concat!("../kernels/", $name, ".vn")),
        )),+];
    };
}

kernels![
    "add",
    "gelu",
    "gemm",
    "gemm_bias_gelu",
    "gemm_i8",
    "layernorm",
    "relu",
    "rmsnorm",
    "row_sum",
    "scale_shift",
    "silu",
    "softmax",
    "transpose",
];

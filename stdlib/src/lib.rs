//! The library's sources as text: the prelude that every file sees, and the kernels that ship.
//!
//! No logic and no dependencies: the driver and the language server hand these texts to the front end. Each is a pair of
//! a path below this crate's folder and the text.

/// Functions that every file can call without `use`.
pub const PRELUDE: (&str, &str) = ("prelude.vn", include_str!("../prelude.vn"));

/// One row for each kernel file.
macro_rules! kernels {
    ($($name:literal),+ $(,)?) => {
        /// The kernels, one file each, in alphabetical order; a file holds the kernel of its name or a family.
        pub const SOURCES: &[(&str, &str)] = &[$((
            concat!("kernels/", $name, ".vn"),
            include_str!(concat!("../kernels/", $name, ".vn")),
        )),+];
    };
}

kernels![
    "add",
    "argmax_rows",
    "argmin_rows",
    "batchnorm",
    "concat",
    "cross_entropy",
    "cummax",
    "cumsum",
    "cumsum_columns",
    "dequantize_channel",
    "dequantize_tensor",
    "dequantize_token",
    "dynamic_quantize_token",
    "elementwise",
    "embedding",
    "geglu",
    "gelu",
    "gemm",
    "gemm_bias_gelu",
    "gemm_i8",
    "groupnorm",
    "layernorm",
    "log_softmax",
    "logsumexp",
    "moe_gate",
    "moe_gate_sigmoid",
    "moe_permute",
    "moe_unpermute",
    "pad_around",
    "pad_end",
    "permute",
    "permute4",
    "quantize_channel",
    "quantize_tensor",
    "quantize_token",
    "reduce_all",
    "reduce_any",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
    "relu",
    "rmsnorm",
    "rope",
    "rope_interleaved",
    "row_sum",
    "scale_shift",
    "silu",
    "slice",
    "slice_strided",
    "softmax",
    "sort_rows",
    "swiglu",
    "topk_rows",
    "transpose",
];

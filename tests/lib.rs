//! Nothing of its own: the package exists for its test target and the data beside it.

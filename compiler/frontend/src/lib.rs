//! Placeholder header, replaced by the crate's owner in its first commit.
pub mod load;

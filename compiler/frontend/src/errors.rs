//! Every diagnostic of the front end, one function each, named for the problem; wording lives here and nowhere else.

pub(crate) mod resolve;
pub(crate) mod schedule;
pub(crate) mod sizes;
pub(crate) mod types;

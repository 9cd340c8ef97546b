//! The protocol's types: parsed once, at the door, into values that cannot be wrong.

pub mod amount;
pub mod asset;
pub mod facilitator;
pub mod json;
pub mod network;
pub mod payload;
pub mod required;
pub mod time;
pub mod url;

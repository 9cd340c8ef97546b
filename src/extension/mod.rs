//! Extensions of the protocol: one file for each key of `extensions`.

pub mod payment_identifier;

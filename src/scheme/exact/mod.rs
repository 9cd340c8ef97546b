//! Scheme `exact`: a fixed amount, signed by the payer, moved once.

pub mod evm;

/// The scheme's name on the wire.
pub const SCHEME: &str = "exact";

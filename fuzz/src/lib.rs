//! What each fuzz target does with its bytes, and what must hold whatever they are.
//!
//! The engine's binaries in `fuzz_targets` call these functions; so does the ordinary test `tests/it/fuzzed.rs`, which
//! includes this file by its path. A violated property is a panic, as is a panic of the core.
#![allow(missing_docs, unreachable_pub, dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, clippy::as_conversions)]

mod chain;
mod config;
mod digits;
mod facilitator;
mod gate;
mod path;
mod payer;
mod random;
mod seeds;
mod values;
mod world;

pub use chain::rpc;
pub use config::config;
pub use facilitator::facilitator;
pub use gate::payment;
pub use path::path;
pub use payer::{payment_required, settlement};
pub use random::{Random, mutated};
pub use seeds::seeds;
pub use values::{price, signature};
pub use world::{CONFIG, secret};

/// A target by its name. It says whether the input got through: was paid, signed, believed, accepted.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// Every target; the names are those of the binaries and of the folders in `corpus`.
pub const TARGETS: &[Target] = &[
    ("payment_required", payment_required),
    ("payment", payment),
    ("path", path),
    ("settlement", settlement),
    ("facilitator", facilitator),
    ("rpc", rpc),
    ("config", config),
    ("price", price),
    ("signature", signature),
];

/// Reads values off the front of the input; what is missing is zero.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let taken = self.take(N);
        out[..taken.len()].copy_from_slice(taken);
        out
    }

    /// What is left, as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.0).into_owned()
    }
}

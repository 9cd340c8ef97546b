//! The x402 payment protocol as pure functions.
//!
//! Nothing here reads a clock, draws randomness, opens a socket or waits. Time, nonces, chain answers and
//! signatures come in as arguments; decisions, questions and messages come out as values. The payer (`pkg`) and
//! the gate (`worker`) are edges around this crate.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod client;
pub mod error;
pub mod evm;
pub mod extension;
pub mod facilitator;
pub mod ledger;
pub mod scheme;
pub mod server;
pub mod transport;
pub mod types;

//! The core's tests: vectors with their sources, and the decisions of each role.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// A sum that overflows in a test stops it, which is what a test is for.
#![allow(clippy::arithmetic_side_effects, clippy::as_conversions)]

mod booking;
mod crypto;
mod differential;
mod facilitating;
mod fuzzed;
mod gating;
mod keeping;
mod ledger;
mod operating;
mod passes;
mod paying;
mod policy;
mod pricing;
mod proving;
mod relaying;
mod schedules;
mod simulator;
mod spending;
mod standing;
mod support;
mod transport;
mod values;
mod vectors;
mod verifying;

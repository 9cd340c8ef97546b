//! The x402 payer behind the npm package: JavaScript values in, the core's decisions, JavaScript values out.
//!
//! Nothing here decides about money. What a 402 asks for, whether it may be paid, what is signed and what an answer is
//! worth are functions of `x402-core`; this crate fetches, waits, calls wallets and converts.
#![no_std]

extern crate alloc;
#[cfg(not(feature = "alone"))]
extern crate std;

#[cfg(feature = "alone")]
mod alone;

mod boundary;
mod fault;
mod flow;
pub mod functions;
pub mod key;
pub mod payer;
mod platform;
mod wallet;

//! The x402 payer behind the npm package: JavaScript values in, the core's decisions, JavaScript values out.
//!
//! Nothing here decides about money: what a 402 asks for, whether it may be paid, what is signed and what an answer is
//! worth are functions of `x402-core`. Nothing here waits either. A call is an [`exchange::Exchange`] that is asked, step
//! by step, what comes next; fetching, wallets and time are awaited in `js/payer.js`, where a fault of this module is an
//! error that the caller sees and not a promise that never settles.
#![no_std]

extern crate alloc;
#[cfg(not(feature = "alone"))]
extern crate std;

#[cfg(feature = "alone")]
mod alone;

mod boundary;
pub mod call;
pub mod exchange;
pub mod fault;
pub mod functions;
pub mod key;
pub mod payer;

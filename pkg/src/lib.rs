//! The x402 payer behind the npm package: JavaScript values in, the core's decisions, JavaScript values out.
//!
//! Nothing here decides about money: what a 402 asks for, whether it may be paid, what is signed and what an answer is
//! worth are functions of `x402-core`. Nothing here waits either. A call is an [`exchange::Exchange`] that is asked, step
//! by step, what comes next; fetching, wallets and time are awaited in `js/payer.js`, where a fault of this module is an
//! error that the caller sees and not a promise that never settles.
//!
//! Without the feature `payer` it is the functions on messages alone, and holds no key: what checks payments pays none.
#![no_std]

extern crate alloc;
#[cfg(not(feature = "alone"))]
extern crate std;

#[cfg(feature = "alone")]
mod alone;

mod boundary;
#[cfg(feature = "payer")]
pub mod call;
#[cfg(feature = "payer")]
pub mod exchange;
pub mod fault;
pub mod functions;
#[cfg(feature = "payer")]
pub mod key;
#[cfg(feature = "payer")]
pub mod payer;
#[cfg(feature = "payer")]
pub mod problem;

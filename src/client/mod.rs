//! The payer's decisions: may this be paid, what is signed, and was the answer what was paid for.
//!
//! ```text
//! choose(402, policy, url) → Choice → Intent::new(choice, from, now, nonce) ─ wallet signs ─► seal(signature) → payment
//!                                                               receipt(settlement) ◄─ answer ◄───────┘
//! ```

pub mod again;
pub mod book;
pub mod call;
pub mod choose;
pub mod clock;
pub mod explain;
pub mod intent;
pub mod policy;
pub mod receipt;
pub mod request;
pub mod trace;
pub mod wallet;

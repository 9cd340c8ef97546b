//! The payer's decisions: may this be paid, what is signed, and was the answer what was paid for.
//!
//! ```text
//! choose(402, policy, call, url) → Choice → Intent::new(choice, from, now, nonce) ─ the book reserves ─┐
//!   ┌──────────────────────────────────────────────────────────────────────────────────────────────────┘
//!   └─► wallet signs ─► seal(signature) → payment ─ the book: sent ─► answer ─► receipt(settlement) ─ the book: answered
//! ```
//!
//! What outlives a call is in the [`book`] and its log ([`audit`]), which change together ([`desk`]); what nobody
//! confirmed is asked of the chain ([`proof`]).

pub mod again;
pub mod audit;
pub mod book;
pub mod call;
pub mod choose;
pub mod clock;
pub mod desk;
pub mod explain;
pub mod intent;
pub mod policy;
pub mod proof;
pub mod receipt;
pub mod request;
pub mod trace;
pub mod wallet;

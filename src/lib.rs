//! The x402 payment protocol as pure functions.
//!
//! Nothing here reads a clock, draws randomness, opens a socket or waits. Time, nonces, chain answers and
//! signatures come in as arguments; decisions, questions and messages come out as values. The payer (`pkg`) and
//! the gate (`worker`) are edges around this crate.
//!
//! # A payer in Rust
//!
//! A front end that fetches by itself asks the crate what to sign and what to send. What holds budgets over many payments
//! is [`client::book`].
//!
//! ```
//! use x402_core::client::{call::Call, choose::choose, intent::Intent, policy::Policy, receipt, request};
//! use x402_core::evm::signature::SecretKey;
//! use x402_core::transport::http::payment_header;
//! use x402_core::types::time::UnixSeconds;
//!
//! /// What answers a 402: the header to send, and what the answer's `PAYMENT-RESPONSE` then means.
//! fn pay(
//!     url: &str,
//!     terms: &str,
//!     key: &SecretKey,
//!     now: UnixSeconds,
//!     nonce: [u8; 32],
//! ) -> x402_core::error::Result<(String, String)> {
//!     let policy = Policy::read(r#"{ "maxPerPayment": "$0.10", "networks": ["eip155:84532"] }"#)?;
//!     let required = request::read_terms(terms)?;
//!     let choice = choose(&required, &policy, &Call::default(), url, url)?;
//!     let intent = Intent::new(&required, choice, &policy, key.address(), now, nonce, url)?;
//!     let quote = intent.quote.clone(); // `quote.sentence` is for a person
//!     let signature = key.sign(&intent.typed_data.digest());
//!     let (name, value) = payment_header(&intent.seal(&signature.to_bytes())?);
//!     assert_eq!(name, "payment-signature");
//!     let unanswered = receipt::read(None, &quote);
//!     assert!(!unanswered.success && quote.tokens == "0.01");
//!     Ok((value, quote.sentence))
//! }
//!
//! # let terms = r#"{"x402Version":2,"resource":{"url":"https://api.example.com/data"},"accepts":[{"scheme":"exact",
//! #   "network":"eip155:84532","amount":"10000","asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e",
//! #   "payTo":"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC","maxTimeoutSeconds":60,"extra":{"name":"USDC","version":"2"}}]}"#;
//! # let terms = x402_core::transport::http::encode(terms);
//! # let key = SecretKey::parse(&["0x", &"11".repeat(32)].concat())?;
//! let (header, sentence) = pay("https://api.example.com/data", &terms, &key, UnixSeconds(1_800_000_000), [7; 32])?;
//! # assert!(header.len() > 500 && sentence.contains("0.01 USDC"), "{sentence}");
//! # Ok::<(), x402_core::error::Error>(())
//! ```
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

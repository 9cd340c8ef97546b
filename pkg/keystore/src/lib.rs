//! Encrypted keystores: a private key in a file that a password opens (Web3 Secret Storage, version 3), as Geth and most
//! wallets write them.
//!
//! It is a module of its own, since a page that pays does not need it, and since `scrypt` takes as much memory as it is
//! told to, which a module does not give back: a quarter of a gigabyte for a file of Geth's.

pub mod bindings;
mod crypto;
mod store;

pub use store::{Chance, open, seal};

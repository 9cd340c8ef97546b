//! The x402 payment protocol as pure functions.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

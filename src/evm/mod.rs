//! EVM standards, and nothing of x402.

pub mod abi;
pub mod address;
pub mod eip3009;
pub mod eip712;
pub mod hex;
pub mod keccak;
pub mod reads;
pub mod rlp;
pub mod signature;
pub mod transaction;

//! Keccak-256, the hash of the EVM.

use sha3::{Digest, Keccak256};

/// 32 bytes: a hash, a nonce, an ABI word.
pub type Bytes32 = [u8; 32];

/// The hash of one run of bytes.
pub fn keccak256(bytes: &[u8]) -> Bytes32 {
    Keccak256::digest(bytes).into()
}

/// The hash of several runs of bytes, one after the other.
pub fn keccak256_all(parts: &[&[u8]]) -> Bytes32 {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

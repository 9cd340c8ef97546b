//! The cryptography of the format: how a password becomes a key, and what that key opens.

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use x402_core::error::{Code, Error, Result};
use x402_core::evm::keccak::{Bytes32, keccak256_all};
use zeroize::Zeroizing;

/// Bytes that a derivation may take: more is somebody else's idea of a page's memory.
const MEMORY_MOST: u64 = 512 * 1024 * 1024;
/// Rounds of PBKDF2, and passes of scrypt over its memory.
const ROUNDS_MOST: u64 = 10_000_000;
const PASSES_MOST: u64 = 16;

/// How a password becomes a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Derivation {
    /// RFC 7914.
    Scrypt {
        /// The cost, a power of two.
        n: u64,
        /// The block size.
        r: u64,
        /// How often.
        p: u64,
    },
    /// RFC 8018 with HMAC-SHA-256.
    Pbkdf2 {
        /// The rounds.
        c: u64,
    },
}

pub(crate) fn fault(what: &str) -> Error {
    Error::new(Code::PayerKeystore, what)
}

impl Derivation {
    /// The 32 bytes of a password.
    ///
    /// # Errors
    /// `payer_invalid_keystore` for parameters that mean nothing, or would take more memory or time than a page has.
    pub(crate) fn derive(&self, password: &str, salt: &[u8]) -> Result<Zeroizing<Bytes32>> {
        let mut key = Zeroizing::new([0; 32]);
        match *self {
            Self::Scrypt { n, r, p } => {
                let bytes = n.checked_mul(r).and_then(|blocks| blocks.checked_mul(128));
                if n < 2 || !n.is_power_of_two() || bytes.is_none_or(|bytes| bytes > MEMORY_MOST) || p > PASSES_MOST {
                    return Err(fault("its scrypt parameters are not valid, or take too much memory"));
                }
                let log = u8::try_from(n.trailing_zeros()).map_err(|_| fault("its scrypt cost is not valid"))?;
                let [r, p] = [r, p].map(|number| u32::try_from(number).unwrap_or(0));
                let params =
                    scrypt::Params::new(log, r, p).map_err(|_| fault("its scrypt parameters are not valid"))?;
                scrypt::scrypt(password.as_bytes(), salt, &params, key.as_mut())
                    .map_err(|_| fault("its scrypt parameters are not valid"))?;
            }
            Self::Pbkdf2 { c } => {
                let rounds = u32::try_from(c).ok().filter(|_| (1..=ROUNDS_MOST).contains(&c));
                let rounds = rounds.ok_or_else(|| fault("its rounds are none, or too many"))?;
                pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.as_bytes(), salt, rounds, key.as_mut());
            }
        }
        Ok(key)
    }
}

/// What tells whether a password is right: the hash of half the derived key and the cipher's text.
pub(crate) fn tag(derived: &Bytes32, text: &[u8]) -> Bytes32 {
    let (_, half) = derived.split_at(16);
    keccak256_all(&[half, text])
}

/// AES-128 in counter mode, with the other half of the derived key; it is its own inverse.
///
/// # Errors
/// `payer_invalid_keystore` for an initialization vector of another length.
pub(crate) fn cipher(derived: &Bytes32, iv: &[u8], bytes: &mut [u8]) -> Result<()> {
    let (half, _) = derived.split_at(16);
    let mut stream = Ctr128BE::<Aes128>::new_from_slices(half, iv).map_err(|_| fault("its iv is not 16 bytes"))?;
    stream.apply_keystream(bytes);
    Ok(())
}

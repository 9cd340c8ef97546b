//! secp256k1 signatures over 32-byte digests, and the keys that make them.

use core::fmt;

use k256::ecdsa::{RecoveryId, Signature as Ecdsa, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::hex;
use crate::evm::keccak::{Bytes32, keccak256};

/// Half the curve's order, rounded down: the highest s that is low (EIP-2).
const HALF_ORDER: Bytes32 = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e,
    0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// A recoverable signature with a low s (EIP-2), both scalars in range.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    scalars: Ecdsa,
    odd_y: bool,
}

impl Signature {
    /// Reads 65 bytes `r ‖ s ‖ v` with v 27, 28, 0 or 1, or the 64 bytes of EIP-2098 `r ‖ yParityAndS`.
    ///
    /// # Errors
    /// `invalid_signature` for another length or v, a scalar that is zero or not below the curve's order, and
    /// for a high s: a signature has one form, so that nothing is counted twice.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let fault = || Error::from(Code::InvalidSignature);
        let mut scalars = [0; 64];
        let odd_y = match bytes.len() {
            65 => {
                let (v, rest) = bytes.split_last().ok_or_else(fault)?;
                scalars.copy_from_slice(rest);
                match v {
                    0 | 27 => false,
                    1 | 28 => true,
                    _ => return Err(fault()),
                }
            }
            64 => {
                scalars.copy_from_slice(bytes);
                let [_, top] = &mut [0, 32].map(|at: usize| scalars.get(at).copied().unwrap_or(0));
                let odd_y = *top & 0x80 != 0;
                if let Some(byte) = scalars.get_mut(32) {
                    *byte &= 0x7f;
                }
                odd_y
            }
            _ => return Err(fault()),
        };
        let read = Self { scalars: Ecdsa::from_slice(&scalars).map_err(|_| fault())?, odd_y };
        if read.s() <= HALF_ORDER { Ok(read) } else { Err(fault()) }
    }

    /// The 65 bytes `r ‖ s ‖ v`, v 27 or 28.
    pub fn to_bytes(self) -> [u8; 65] {
        let mut out = [0; 65];
        if let Some((v, rest)) = out.split_last_mut() {
            rest.copy_from_slice(&self.scalars.to_bytes());
            *v = self.v();
        }
        out
    }

    /// 27 or 28.
    pub const fn v(&self) -> u8 {
        if self.odd_y { 28 } else { 27 }
    }

    /// Whether the y of the signature's point is odd: EIP-1559's `signatureYParity`.
    pub const fn odd_y(&self) -> bool {
        self.odd_y
    }

    /// The scalar r, big-endian.
    pub fn r(&self) -> Bytes32 {
        self.scalars.split_bytes().0.into()
    }

    /// The scalar s, big-endian.
    pub fn s(&self) -> Bytes32 {
        self.scalars.split_bytes().1.into()
    }

    /// Who signed this digest.
    ///
    /// # Errors
    /// `invalid_signature` when the scalars are no signature of any key.
    pub fn recover(&self, digest: &Bytes32) -> Result<Address> {
        let id = RecoveryId::new(self.odd_y, false);
        let key = VerifyingKey::recover_from_prehash(digest, &self.scalars, id)
            .map_err(|_| Error::from(Code::InvalidSignature))?;
        Ok(address_of(&key))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A full signature is money: it never reaches a log.
        f.write_str("Signature(…)")
    }
}

fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_sec1_point(false);
    // The uncompressed point is a tag and two coordinates; the address is the tail of their hash.
    let hash = keccak256(point.as_bytes().get(1..).unwrap_or_default());
    Address(hash.last_chunk::<20>().copied().unwrap_or_default())
}

/// A secret key. Wiped when dropped; shown by nothing.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Reads 32 bytes of hex, with or without `0x`; zero and numbers from the curve's order on are no keys.
    ///
    /// # Errors
    /// `invalid_key`. The text never becomes part of the error.
    pub fn parse(text: &str) -> Result<Self> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let fault = || Error::from(Code::InvalidKey);
        let mut bytes = Zeroizing::new([0; 32]);
        hex::fill(digits, bytes.as_mut()).map_err(|_| fault())?;
        Self::from_bytes(&bytes)
    }

    /// Takes 32 bytes, such as fresh randomness.
    ///
    /// # Errors
    /// `invalid_key` for zero and numbers from the curve's order on.
    pub fn from_bytes(bytes: &Bytes32) -> Result<Self> {
        SigningKey::from_slice(bytes).map(Self).map_err(|_| Code::InvalidKey.into())
    }

    /// The key's account.
    pub fn address(&self) -> Address {
        address_of(self.0.verifying_key())
    }

    /// Signs a digest: deterministic (RFC 6979) and with a low s. What leaves is checked where it leaves, by recovery:
    /// a payment when it is sealed, a transaction when it is encoded. A fault in the computation then gives nothing
    /// instead of a signature that tells about the key.
    pub fn sign(&self, digest: &Bytes32) -> Signature {
        let (scalars, id) = self.0.sign_prehash_recoverable(digest);
        Signature { scalars, odd_y: id.is_y_odd() }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.address())
    }
}

//! Account addresses with their EIP-55 checksums.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Code, Error, Result};
use crate::evm::hex;
use crate::evm::keccak::keccak256;

/// The 20 bytes of an account or contract, aligned for the same reason as an amount.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(align(4))]
pub struct Address(pub [u8; 20]);

impl Address {
    /// Nobody.
    pub const ZERO: Self = Self([0; 20]);

    /// Reads `0x` and 40 hex digits: all lower-case, or mixed with the right EIP-55 checksum.
    ///
    /// # Errors
    /// `invalid_address`.
    pub fn parse(text: &str) -> Result<Self> {
        let address = hex::decode_array(text).map(Self).map_err(|_| Error::from(Code::InvalidAddress))?;
        let plain = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if plain || address.to_checksum() == text { Ok(address) } else { Err(Code::InvalidAddress.into()) }
    }

    /// The address with its EIP-55 checksum.
    pub fn to_checksum(self) -> String {
        let mut text = hex::encode(&self.0);
        let hash = keccak256(text.get(2..).unwrap_or_default().as_bytes());
        // Each byte of the hash weighs two digits, the higher half first.
        for (place, byte) in hash.iter().take(20).enumerate() {
            let first = place.saturating_mul(2).saturating_add(2);
            for (at, weight) in [(first, byte >> 4), (first.saturating_add(1), byte & 0x0f)] {
                if weight >= 8
                    && let Some(digit) = text.get_mut(at..=at)
                {
                    digit.make_ascii_uppercase();
                }
            }
        }
        text
    }

    /// The address as an ABI word.
    pub fn to_word(self) -> [u8; 32] {
        let mut word = [0; 32];
        if let Some(low) = word.last_chunk_mut::<20>() {
            *low = self.0;
        }
        word
    }

    /// Reads an ABI word whose upper twelve bytes are zero.
    pub fn from_word(word: &[u8; 32]) -> Option<Self> {
        let (high, low) = word.split_last_chunk::<20>()?;
        high.iter().all(|byte| *byte == 0).then_some(Self(*low))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_checksum())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_checksum())
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|error| de::Error::custom(error.code()))
    }
}

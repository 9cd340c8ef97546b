//! Token amounts in atomic units.

use alloc::string::{String, ToString};
use core::fmt;

use crypto_bigint::{CheckedAdd, CheckedSub, U256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Code, Error, Result};

/// A token amount in atomic units: an integer in `0..2^256` (EIP-20's `uint256`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(U256);

/// Digits of 2^256 - 1.
const MAX_DIGITS: usize = 78;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(U256::ZERO);

    /// Reads the wire form `0|[1-9][0-9]*`; no sign, space, separator, prefix or leading zero.
    ///
    /// # Errors
    /// `invalid_amount` for any other text and from 2^256 on.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = text.len() > 1 && text.starts_with('0');
        if text.is_empty() || text.len() > MAX_DIGITS || !plain || leading_zero {
            return Err(Code::InvalidAmount.into());
        }
        U256::from_str_radix_vartime(text, 10).map(Self).map_err(|_| Code::InvalidAmount.into())
    }

    /// Reads a decimal number of whole tokens, such as `0.01`, exactly.
    ///
    /// # Errors
    /// `invalid_amount` when the text is not `digits[.digits]`, has more decimals than the token, or is too large.
    pub fn parse_tokens(text: &str, decimals: u8) -> Result<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(Code::InvalidAmount.into());
        }
        let fraction = fraction.trim_end_matches('0');
        let missing = usize::from(decimals).checked_sub(fraction.len()).ok_or(Code::InvalidAmount)?;
        let mut atomic = String::from(whole);
        atomic.push_str(fraction);
        atomic.extend(core::iter::repeat_n('0', missing));
        let significant = atomic.trim_start_matches('0');
        Self::parse(if significant.is_empty() { "0" } else { significant })
    }

    /// Writes the amount as whole tokens without trailing zeros: 10000 with 6 decimals is `0.01`.
    pub fn to_tokens(&self, decimals: u8) -> String {
        let digits = self.to_string();
        let decimals = usize::from(decimals);
        let padding = decimals.saturating_add(1).saturating_sub(digits.len());
        let mut padded: String = core::iter::repeat_n('0', padding).collect();
        padded.push_str(&digits);
        let (whole, fraction) = padded.split_at(padded.len().saturating_sub(decimals));
        let fraction = fraction.trim_end_matches('0');
        let mut text = String::from(whole);
        if !fraction.is_empty() {
            text.push('.');
            text.push_str(fraction);
        }
        text
    }

    /// The ABI's 32-byte big-endian word.
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes().into()
    }

    /// Reads an ABI word.
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Self {
        Self(U256::from_be_slice(bytes))
    }

    /// The sum, unless it passes 2^256 - 1.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(&other.0).into_option().map(Self)
    }

    /// The difference, unless it is negative.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(&other.0).into_option().map(Self)
    }

    /// The amount as a machine integer, if it fits.
    pub fn to_u64(self) -> Option<u64> {
        let bytes = self.to_be_bytes();
        let (high, low) = bytes.split_last_chunk::<8>()?;
        high.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(*low))
    }

    /// Whether this is nothing.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl From<u64> for Amount {
    fn from(value: u64) -> Self {
        Self(U256::from_u64(value))
    }
}

impl From<u128> for Amount {
    fn from(value: u128) -> Self {
        Self(U256::from_u128(value))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string_radix_vartime(10))
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|error: Error| de::Error::custom(error.code()))
    }
}

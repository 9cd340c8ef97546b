//! Token amounts in atomic units.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Code, Error, Result};

/// A token amount in atomic units: an integer in `0..2^256` (EIP-20's `uint256`). Kept as its ABI word, big-endian, whose
/// order is the number's: amounts are read, compared and written, and hardly ever counted with. Aligned, since an odd place
/// in whatever holds it would be copied in a dozen pieces, again and again.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(align(8))]
pub struct Amount([u8; 32]);

/// Digits of 2^256 - 1.
const MAX_DIGITS: usize = 78;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self([0; 32]);

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
        let mut amount = Self::ZERO;
        for digit in text.bytes() {
            amount.append(digit & 0x0f).ok_or(Code::InvalidAmount)?;
        }
        Ok(amount)
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
        let digits = self.text();
        let decimals = usize::from(decimals);
        let padding = decimals.saturating_add(1).saturating_sub(digits.len());
        let mut padded: String = core::iter::repeat_n('0', padding).collect();
        padded.push_str(&digits);
        let point = padded.len().saturating_sub(decimals);
        let (whole, fraction) = padded.split_at_checked(point).unwrap_or((&padded, ""));
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
        self.0
    }

    /// Reads an ABI word.
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// The sum, unless it passes 2^256 - 1.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.ripple(other, u8::overflowing_add)
    }

    /// The difference, unless it is negative.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.ripple(other, u8::overflowing_sub)
    }

    /// A sum or a difference byte by byte, unless it does not fit.
    fn ripple(mut self, other: Self, step: fn(u8, u8) -> (u8, bool)) -> Option<Self> {
        let mut carry = false;
        for (byte, more) in self.0.iter_mut().zip(other.0).rev() {
            let (partial, first) = step(*byte, more);
            let (full, second) = step(partial, u8::from(carry));
            *byte = full;
            carry = first || second;
        }
        (!carry).then_some(self)
    }

    /// Puts a decimal digit behind the number's others, if it still fits.
    fn append(&mut self, digit: u8) -> Option<()> {
        let mut carry = digit;
        for byte in self.0.iter_mut().rev() {
            // At most 255 · 10 + 9.
            let value = u16::from(*byte).saturating_mul(10).saturating_add(carry.into());
            [carry, *byte] = value.to_be_bytes();
        }
        (carry == 0).then_some(())
    }

    /// Takes the last decimal digit off.
    fn pop(&mut self) -> u8 {
        let mut rest = 0;
        for byte in &mut self.0 {
            // The quotient fits: the rest is below ten.
            let value = u16::from_be_bytes([rest, *byte]);
            let [_, quotient] = (value / 10).to_be_bytes();
            [_, rest] = (value % 10).to_be_bytes();
            *byte = quotient;
        }
        rest
    }

    /// The wire form: decimal digits.
    pub fn text(mut self) -> String {
        let mut text = String::new();
        loop {
            text.insert(0, char::from(b'0' | self.pop()));
            if self.is_zero() {
                return text;
            }
        }
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

/// A whole number in decimal digits. They are made in one place: the standard library's formatting of integers would be a
/// good part of what a payer downloads.
pub fn decimal(number: u64) -> String {
    Amount::from(number).text()
}

impl From<u64> for Amount {
    fn from(value: u64) -> Self {
        u128::from(value).into()
    }
}

impl From<u128> for Amount {
    fn from(value: u128) -> Self {
        let mut word = [0; 32];
        if let Some(low) = word.last_chunk_mut::<16>() {
            *low = value.to_be_bytes();
        }
        Self(word)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|error: Error| de::Error::custom(error.code()))
    }
}

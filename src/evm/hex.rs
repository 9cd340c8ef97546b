//! Bytes as `0x…` text.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::error::{Code, Error, Result};

/// Writes lower-case hex with its prefix.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().saturating_mul(2).saturating_add(2));
    out.push_str("0x");
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0x0f] {
            out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    out
}

/// Reads `0x` and an even number of hex digits of any case.
///
/// # Errors
/// `invalid_hex`.
pub fn decode(text: &str) -> Result<Vec<u8>> {
    let digits = text.strip_prefix("0x").ok_or_else(|| Error::from(Code::InvalidHex))?;
    let mut out = vec![0; digits.len() / 2];
    fill(digits, &mut out)?;
    Ok(out)
}

/// Reads exactly `N` bytes.
///
/// # Errors
/// `invalid_hex`.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N]> {
    let digits = text.strip_prefix("0x").ok_or_else(|| Error::from(Code::InvalidHex))?;
    let mut out = [0; N];
    fill(digits, &mut out)?;
    Ok(out)
}

/// Reads digits without their prefix, two for each byte of `out`.
///
/// # Errors
/// `invalid_hex`, also when there are more of them or fewer.
pub(crate) fn fill(digits: &str, out: &mut [u8]) -> Result<()> {
    let pairs = digits.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() || pairs.len() != out.len() {
        return Err(Code::InvalidHex.into());
    }
    for (pair, byte) in pairs.zip(out) {
        let &[high, low] = pair else {
            return Err(Code::InvalidHex.into());
        };
        let (high, low) = (nibble(high), nibble(low));
        let (Some(high), Some(low)) = (high, low) else {
            return Err(Code::InvalidHex.into());
        };
        *byte = (high << 4) | low;
    }
    Ok(())
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

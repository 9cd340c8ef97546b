//! Decimal numbers as digits: arithmetic too plain to share a mistake with the core's.

use std::cmp::Ordering;

/// 2^256 - 1.
pub const MAX_UINT256: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";

/// The number without leading zeros.
pub fn plain(digits: &str) -> &str {
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() { "0" } else { significant }
}

/// Compares two numbers.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (plain(a), plain(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

pub fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `digits[.digits]` times 10^decimals, if that is whole and below 2^256.
pub fn atomic(number: &str, decimals: u8) -> Option<String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let mut shifted = String::from(whole);
    let mut rest = fraction.chars();
    for _ in 0..decimals {
        shifted.push(rest.next().unwrap_or('0'));
    }
    let exact = rest.all(|digit| digit == '0');
    let fits = compare(&shifted, MAX_UINT256) != Ordering::Greater;
    (exact && fits).then(|| plain(&shifted).to_owned())
}

/// A big-endian integer in decimal.
pub fn from_be_bytes(bytes: &[u8]) -> String {
    let mut digits = vec![0_u8];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = (value % 10) as u8;
            carry = value / 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    let text: String = digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
    plain(&text).to_owned()
}

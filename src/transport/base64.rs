//! Standard base64 (RFC 4648 §4): written with padding, read with all of it or less. Bits beyond the value must be zero, so
//! that a value has one text.

use alloc::string::String;
use alloc::vec::Vec;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes as text.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let mut bits = 0_u32;
        for place in 0..3 {
            bits = bits << 8 | u32::from(group.get(place).copied().unwrap_or(0));
        }
        for place in 0..4_usize {
            let sextet = bits >> 18 & 0x3f;
            bits <<= 6;
            let letter = usize::try_from(sextet).ok().and_then(|sextet| ALPHABET.get(sextet)).copied().unwrap_or(b'A');
            out.push(if place > group.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

/// Writes bytes as text for a URL or a token (RFC 4648 §5), without padding.
pub(crate) fn encode_url(bytes: &[u8]) -> String {
    let letter = |letter| match letter {
        '+' => '-',
        '/' => '_',
        other => other,
    };
    encode(bytes).trim_end_matches('=').chars().map(letter).collect()
}

/// Reads what [`encode_url`] wrote; nothing for anything else.
pub(crate) fn decode_url(text: &str) -> Option<Vec<u8>> {
    if text.contains(['+', '/', '=']) {
        return None;
    }
    let letter = |letter| match letter {
        '-' => '+',
        '_' => '/',
        other => other,
    };
    decode(&text.chars().map(letter).collect::<String>())
}

/// Reads text as bytes; nothing for what [`encode`] would not have written, padding aside.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let letters = text.trim_end_matches('=').as_bytes();
    let padding = text.len().checked_sub(letters.len())?;
    let rest = letters.len() % 4;
    let missing = 4_usize.checked_sub(rest)? % 4;
    if rest == 1 || padding > missing {
        return None;
    }
    let mut out = Vec::with_capacity(letters.len().div_ceil(4).saturating_mul(3));
    for group in letters.chunks(4) {
        let mut bits = 0_u32;
        for place in 0..4 {
            let value = group.get(place).map_or(Some(0), |letter| sextet(*letter))?;
            bits = bits << 6 | value;
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        let (kept, lost) = bytes.split_at_checked(group.len().checked_sub(1)?)?;
        if lost.iter().any(|byte| *byte != 0) {
            return None;
        }
        out.extend_from_slice(kept);
    }
    Some(out)
}

fn sextet(letter: u8) -> Option<u32> {
    let (first, start) = match letter {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'+' => (b'+', 62),
        b'/' => (b'/', 63),
        _ => return None,
    };
    Some(u32::from(letter.saturating_sub(first)).saturating_add(start))
}

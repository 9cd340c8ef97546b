//! Paths: one normal form that is priced and forwarded, and the other readings an origin might have.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::error::{Code, Error, Result};

/// How often an origin is assumed to decode a path at most.
const MAX_DECODES: usize = 4;

/// Bytes of a path that are read.
const MAX_PATH: usize = 8 * 1024;

/// The normal form of a request's raw path: unreserved characters plain, all others as upper-case escapes where they
/// were escaped, a backslash escaped, dot segments resolved. An escaped separator stays part of its segment.
///
/// # Errors
/// `gate_malformed_path` for a broken escape, bytes that are not UTF-8, dot segments with parameters (`..;`), a path
/// without its slash; `too_large`.
pub fn canonical(raw: &str) -> Result<String> {
    if raw.len() > MAX_PATH {
        return Err(Code::TooLarge.into());
    }
    let malformed = || Error::from(Code::GateMalformedPath);
    let rest = raw.strip_prefix('/').ok_or_else(malformed)?;
    core::str::from_utf8(&decode(raw).ok_or_else(malformed)?).map_err(|_| malformed())?;
    let mut segments: Vec<String> = Vec::new();
    let mut parts = rest.split('/').peekable();
    while let Some(part) = parts.next() {
        let segment = normal_segment(part).ok_or_else(malformed)?;
        let last = parts.peek().is_none();
        match segment.as_str() {
            "." => {}
            ".." => drop(segments.pop()),
            dots if dots.trim_start_matches('.').starts_with(';') && dots.starts_with('.') => {
                return Err(malformed());
            }
            _ => {
                segments.push(segment);
                continue;
            }
        }
        // A trailing dot segment names the directory.
        if last {
            segments.push(String::new());
        }
    }
    Ok(joined(&segments))
}

fn joined(segments: &[String]) -> String {
    let mut path = String::from("/");
    path.push_str(&segments.join("/"));
    path
}

fn normal_segment(segment: &str) -> Option<String> {
    let mut out = String::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let (byte, escaped) = match byte {
            b'%' => (escape(bytes.next()?, bytes.next()?)?, true),
            other => (other, false),
        };
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let plain = unreserved || (!escaped && byte.is_ascii_graphic() && !b"\\\"<>^`{|}#?%".contains(&byte));
        if plain {
            out.push(char::from(byte));
        } else {
            push_escape(byte, &mut out);
        }
    }
    Some(out)
}

fn push_escape(byte: u8, out: &mut String) {
    out.push('%');
    for nibble in [byte >> 4, byte & 0x0f] {
        out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase());
    }
}

fn escape(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some((digit(high)? << 4) | digit(low)?)
}

/// Decodes every escape once; none if one is broken.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'%' { escape(bytes.next()?, bytes.next()?)? } else { byte });
    }
    Some(out)
}

/// The [`beyond_ascii`] text of a raw path; none for most paths, at the price of a look at their bytes.
pub fn to_fold(raw: &str) -> Option<String> {
    let plain = raw.is_ascii() && !raw.contains('%');
    if plain { None } else { beyond_ascii(&canonical(raw).ok()?) }
}

/// The path's text with all escapes decoded, where that has characters beyond ASCII: an edge that can normalise
/// Unicode (NFKC) hands the result back as another reading.
pub fn beyond_ascii(canonical: &str) -> Option<String> {
    let text = String::from_utf8(decode(canonical)?).ok()?;
    (!text.is_ascii()).then_some(text)
}

/// The other ways an origin might read a path: decoded once or more, backslashes as slashes, parameters cut, empty
/// and dot segments resolved, cut at what would start a query, without trailing dots and slashes, in lower case.
pub fn readings(path: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut text = path.to_string();
    for _ in 0..=MAX_DECODES {
        let reading = loosest(&text);
        if !out.contains(&reading) {
            out.push(reading);
        }
        // A text that does not decode any more is read as it is.
        match decode(&text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) {
            Some(decoded) if decoded != text => text = decoded,
            _ => break,
        }
    }
    out
}

/// The loosest reading of a text, for comparison with patterns treated alike.
pub fn loosest(text: &str) -> String {
    let cut = text.find(['?', '#', '\0']).and_then(|at| text.get(..at)).unwrap_or(text);
    let slashed = cut.replace('\\', "/").to_lowercase();
    let mut segments: Vec<String> = Vec::new();
    for part in slashed.split('/') {
        let part = part.split(';').next().unwrap_or_default();
        let part: String = part.chars().filter(|character| !character.is_control()).collect();
        match part.trim() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other.trim_end_matches(['.', ' ']).into()),
        }
    }
    joined(&segments)
}

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

/// One way an origin might read a path: its segments, and what each of them may count for.
#[derive(Clone, Debug)]
pub struct Reading {
    pub(crate) parts: Vec<Part>,
    /// Whether a dot segment stands behind an escape: what it climbs out of depends on who reads it.
    pub climbs: bool,
}

/// A segment of a [`Reading`].
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Its loosest spellings; see [`loosest`].
    pub(crate) spellings: [String; 2],
    /// Whether some drop it: it is empty, a dot, or nothing is left of it in a loose spelling.
    pub(crate) skips: bool,
    /// Whether it is nothing at all, which no parameter takes.
    pub(crate) is_empty: bool,
    /// Whether some see the path's end in it.
    pub(crate) ends: bool,
}

/// The ways an origin might read a path: escapes decoded not at all, once or more, control characters kept or dropped in
/// between, a backslash as itself or as a slash. What else is read differently is left open in each [`Reading`].
pub fn readings(path: &str) -> Vec<Reading> {
    let mut texts: Vec<String> = Vec::new();
    for drops in [false, true] {
        let mut text = path.to_string();
        for _ in 0..=MAX_DECODES {
            if drops {
                text.retain(|character| !character.is_control());
            }
            let decoded = String::from_utf8_lossy(&decode_leniently(&text)).into_owned();
            let settled = decoded == text;
            if !texts.contains(&text) {
                texts.push(text);
            }
            if settled {
                break;
            }
            text = decoded;
        }
    }
    let mut out = Vec::new();
    for text in &texts {
        out.push(Reading::of(text, &['/']));
        if text.contains('\\') {
            out.push(Reading::of(text, &['/', '\\']));
        }
    }
    out
}

/// A literal's segments as the last of [`readings`] has them, in their loosest spelling.
pub(crate) fn loosest_segments(path: &str) -> Vec<String> {
    let parts = readings(path).pop().map(|reading| reading.parts).unwrap_or_default();
    parts.into_iter().map(|part| part.spellings).map(|[spelling, _]| spelling).filter(|text| !text.is_empty()).collect()
}

impl Reading {
    fn of(text: &str, separators: &[char]) -> Self {
        let text = text.strip_prefix('/').unwrap_or(text);
        let parts: Vec<Part> = text.split(separators).map(Part::of).collect();
        let climbs = parts.iter().any(|part| part.spellings.iter().any(|spelling| spelling == ".."));
        Self { parts, climbs }
    }
}

impl Part {
    fn of(text: &str) -> Self {
        let before = text.split('\0').next().unwrap_or_default();
        let spellings = [loosest(before), loosest(text)];
        Self {
            skips: spellings.iter().any(|spelling| spelling.is_empty()),
            spellings,
            is_empty: text.is_empty(),
            ends: text.contains(['?', '#', '\0']),
        }
    }

    /// Whether everybody sees one segment here, and the path going on behind it.
    pub(crate) const fn is_firm(&self) -> bool {
        !self.skips && !self.ends
    }
}

/// The loosest spelling of a segment, for comparison with one treated alike: cut at what starts a query, a fragment or
/// parameters, without control characters, spaces around it and dots behind it, in lower case. `..` stays what it is.
fn loosest(segment: &str) -> String {
    let cut = segment.split(['?', '#', ';']).next().unwrap_or_default();
    let plain: String = cut.chars().filter(|character| !character.is_control()).collect();
    let visible: String = plain.chars().filter(|character| !character.is_whitespace()).collect();
    let dots = visible.len() > 1 && visible.bytes().all(|byte| byte == b'.');
    // Dots among what cannot be seen climb for those who drop the one before the other.
    if dots && (visible.len() == 2 || visible != cut) {
        return "..".into();
    }
    plain.trim().trim_end_matches(['.', ' ']).to_lowercase()
}

/// Decodes the escapes that can be decoded and leaves the others, as forgiving readers do.
fn decode_leniently(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped = match behind {
            [high, low, ..] if *first == b'%' => escape(*high, *low),
            _ => None,
        };
        out.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    out
}

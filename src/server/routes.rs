//! Routes: which requests a rule speaks for.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Code, Error, Result};
use crate::server::path::{self, Part, Reading};

/// `METHOD /path/pattern`: a method or any, and a path whose `:name` segments match one segment and whose final `*`
/// matches the rest, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The method; none for any.
    pub method: Option<String>,
    segments: Vec<Segment>,
    rest: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// In normal form, and as the segments of its loosest reading.
    Literal(String, Vec<String>),
    /// Any one segment that is not empty.
    Any,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `gate_invalid_config` with what is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let fault = |what: &str| Error::new(Code::GateConfig, [text, ": ", what].concat());
        let (method, path) = match text.trim().split_once(char::is_whitespace) {
            Some((method, path)) => (Some(method), path.trim()),
            None => (None, text.trim()),
        };
        let method = match method {
            None | Some("*") => None,
            Some(method) if method.bytes().all(|byte| byte.is_ascii_uppercase()) => Some(String::from(method)),
            Some(_) => return Err(fault("a method is written in capitals")),
        };
        let path = path.strip_prefix('/').ok_or_else(|| fault("a path starts with a slash"))?;
        let (path, rest) = match path.strip_suffix('*') {
            Some(head) if head.is_empty() || head.ends_with('/') => (head.strip_suffix('/'), true),
            Some(_) => return Err(fault("* stands for whole segments")),
            None => (Some(path), false),
        };
        let segments = path.map_or_else(|| Ok(Vec::new()), |path| path.split('/').map(Segment::parse).collect());
        Ok(Self { method, segments: segments.map_err(|error| fault(error.detail()))?, rest })
    }

    /// Whether it ends in a `*` that begins above where the other ends.
    pub(super) const fn is_wider(&self, other: &Self) -> bool {
        self.rest && self.segments.len() < other.segments.len()
    }

    /// Whether it speaks for this method. `HEAD` is `GET` without the body, and is sold as such.
    pub fn takes(&self, method: &str) -> bool {
        self.method.as_deref().is_none_or(|own| own == method || (own == "GET" && method == "HEAD"))
    }

    /// Whether it speaks for this path, in normal form.
    pub fn matches(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else {
            return false;
        };
        let mut parts = path.split('/');
        let fit = self.segments.iter().all(|segment| {
            parts.next().is_some_and(|part| match segment {
                Segment::Literal(exact, _) => exact == part,
                Segment::Any => !part.is_empty(),
            })
        });
        fit && (self.rest || parts.next().is_none())
    }

    /// Whether it speaks for the same paths as another, maybe for other methods.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.segments == other.segments && self.rest == other.rest
    }

    /// Whether it speaks for the path as some origin could read it.
    pub fn might_match(&self, reading: &Reading) -> bool {
        reaches(&self.loosest(), reading, self.rest)
    }

    /// Whether some origin could read the path as one of its own with more behind it. Many answer `/paid/a.css` with what
    /// is at `/paid`: the rest is information for whoever serves that. The root is above everything and above nothing.
    pub fn might_be_above(&self, reading: &Reading) -> bool {
        let wanted = self.loosest();
        !wanted.is_empty() && reaches(&wanted, reading, true)
    }

    /// Whether it speaks for the path as any origin would read it that agrees on this reading's segments.
    pub fn must_match(&self, reading: &Reading) -> bool {
        let wanted = self.loosest();
        let mut parts = reading.parts.iter();
        let fit = wanted.iter().all(|segment| parts.next().is_some_and(|part| part.is_firm() && fits(*segment, part)));
        fit && (self.rest || parts.next().is_none())
    }

    /// The segments as readings are compared with them; none stands for any one.
    fn loosest(&self) -> Vec<Option<&str>> {
        let mut wanted = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(_, loosest) => wanted.extend(loosest.iter().map(|text| Some(text.as_str()))),
                Segment::Any => wanted.push(None),
            }
        }
        wanted
    }

    /// The path, if it is one: no parameters and no rest.
    pub fn literal(&self) -> Option<String> {
        let mut path = String::new();
        for segment in &self.segments {
            let Segment::Literal(exact, _) = segment else {
                return None;
            };
            path.push('/');
            path.push_str(exact);
        }
        (!self.rest).then_some(path)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self> {
        let fault = |what: &str| Error::new(Code::GateConfig, what);
        if text.starts_with(':') {
            return if text.len() > 1 { Ok(Self::Any) } else { Err(fault("a parameter has a name")) };
        }
        if text.contains('*') {
            return Err(fault("* stands at the end only"));
        }
        let full = path::canonical(&["/", text].concat()).map_err(|_| fault("a segment is not a valid path"))?;
        let exact = full.trim_start_matches('/');
        if exact.contains('/') || (exact.is_empty() && !text.is_empty()) {
            return Err(fault("a segment is not a valid path"));
        }
        Ok(Self::Literal(exact.into(), path::loosest_segments(&full)))
    }
}

/// Whether a part of a reading may be this segment of a pattern.
fn fits(segment: Option<&str>, part: &Part) -> bool {
    match segment {
        Some(literal) => part.spellings.iter().any(|spelling| spelling == literal),
        None => !part.is_empty,
    }
}

/// Whether the path could be read as these segments, and with `rest` as these and more.
fn reaches(wanted: &[Option<&str>], reading: &Reading, rest: bool) -> bool {
    // One entry for each number of segments that may have been found so far.
    let mut found = Vec::from([true]);
    found.resize(wanted.len().saturating_add(1), false);
    for part in &reading.parts {
        let mut next: Vec<bool> = found.iter().map(|reached| *reached && part.skips).collect();
        for ((segment, reached), after) in wanted.iter().zip(&found).zip(next.iter_mut().skip(1)) {
            *after |= *reached && fits(*segment, part);
        }
        let complete = |states: &[bool]| states.last().copied().unwrap_or(false);
        if (rest && complete(&found)) || (part.ends && complete(&next)) {
            return true;
        }
        found = next;
    }
    found.last().copied().unwrap_or(false)
}

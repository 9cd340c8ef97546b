//! Routes: which requests a rule speaks for.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Code, Error, Result};
use crate::server::path;

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
    /// In normal form, and in its loosest reading.
    Literal(String, String),
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

    /// Whether it might speak for this path as an origin could read it; the path is a [`path::readings`] entry.
    pub fn might_match(&self, reading: &str) -> bool {
        let mut parts = reading.split('/').filter(|part| !part.is_empty());
        let mut segments = self.segments.iter().filter(|segment| !segment.is_empty());
        let fit = segments.all(|segment| {
            parts.next().is_some_and(|part| match segment {
                Segment::Literal(_, loosest) => loosest == part,
                Segment::Any => true,
            })
        });
        fit && (self.rest || parts.next().is_none())
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
    /// Whether it is what a trailing slash leaves.
    fn is_empty(&self) -> bool {
        matches!(self, Self::Literal(exact, _) if exact.is_empty())
    }

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
        let reading = path::readings(&full).pop().unwrap_or_default();
        Ok(Self::Literal(exact.into(), reading.trim_start_matches('/').into()))
    }
}

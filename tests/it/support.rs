//! What several tests need.

use serde_json::Value;

/// A vector file of `tests/vectors`.
pub(crate) fn vector(text: &str) -> Value {
    serde_json::from_str(text).expect("a vector file is JSON")
}

/// A string of a vector.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}"))
}

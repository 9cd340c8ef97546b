//! `payment-identifier`: a name that a payer gives to a purchase, so that doing it again does not buy it again.
//!
//! Source: `specs/extensions/payment_identifier.md`. The server declares it with `info.required`; the payer adds `info.id`.

use alloc::string::String;

use serde_json::{Value, json};

use crate::error::{Code, Error, Result};
use crate::types::json::{Verbatim, subset};

/// The key in `extensions`.
pub const KEY: &str = "payment-identifier";

/// Characters that an identifier may have.
const LENGTH: core::ops::RangeInclusive<usize> = 16..=128;

/// What a server declares: the value of `extensions` with this extension alone.
pub fn declaration(required: bool) -> Value {
    json!({ KEY: {
        "info": { "required": required },
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "required": { "type": "boolean" },
                "id": { "type": "string", "minLength": 16, "maxLength": 128, "pattern": "^[a-zA-Z0-9_-]+$" },
            },
            "required": ["required"],
        },
    } })
}

/// Whether a payment says of this extension what the server said; more may stand beside it, and it may be left out. The
/// reference's rule (2.27.0), which looks at `info`.
pub fn is_echoed(extensions: Option<&Verbatim>, required: bool) -> bool {
    let all = extensions.map(Verbatim::value);
    let Some(echo) = all.as_ref().and_then(|all| all.get(KEY)) else {
        return true;
    };
    echo.get("info").is_some_and(|info| subset(&json!({ "required": required }), info))
}

/// The identifier in a payment's `extensions`, if it gives one.
///
/// # Errors
/// `gate_invalid_identifier` for one of another length or with other characters.
pub fn id(extensions: Option<&Verbatim>) -> Result<Option<String>> {
    let Some(extensions) = extensions else {
        return Ok(None);
    };
    let all = extensions.value();
    match all.get(KEY).and_then(|of| of.get("info")).and_then(|info| info.get("id")) {
        None => Ok(None),
        Some(Value::String(id)) if is_valid(id) => Ok(Some(id.clone())),
        Some(_) => Err(Error::new(Code::GateInvalidIdentifier, "16 to 128 letters, digits, _ and -")),
    }
}

fn is_valid(id: &str) -> bool {
    LENGTH.contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

//! JSON as peers sent it, and the strict reading of every message.

mod fields;
mod read;
mod typed;
mod write;

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use serde::de::{self, DeserializeOwned, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

pub use self::fields::Fields;
use self::read::{Fault, RAW_VALUE};
pub(crate) use self::write::escape;
pub use self::write::{Message, Object, array, object, quoted};
use crate::error::{Code, Error, Result};
use crate::types::amount::decimal;

/// How deep arrays and objects may nest in any message.
pub const MAX_DEPTH: u8 = 32;

/// A JSON value whose text is kept as it came: what must be echoed is echoed to the byte.
#[derive(Clone)]
pub struct Verbatim(Box<str>);

impl Verbatim {
    /// Takes a JSON text that passed [`check`].
    ///
    /// # Errors
    /// `code` when the text is not JSON, repeats a key, or nests too deep.
    pub fn parse(text: &str, code: Code) -> Result<Self> {
        check(text, code)?;
        Ok(Self::checked(text))
    }

    /// Writes a value of ours as JSON.
    ///
    /// # Errors
    /// `gate_internal` when it cannot be written, which no type of this crate causes.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        serde_json::to_string(value).map(|text| Self(text.into())).map_err(|_| Code::GateInternal.into())
    }

    /// Writes a message of ours.
    pub(crate) fn message(message: &impl Message) -> Self {
        Self(message.write().into())
    }

    /// Takes a text that was read strictly already.
    fn checked(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the text as a message.
    ///
    /// # Errors
    /// `code` when the text has another shape.
    pub fn read<T: DeserializeOwned>(&self, code: Code) -> Result<T> {
        read(self.as_str(), code)
    }

    /// The text as a tree, for comparison. `Null` if it is not JSON, which the constructors exclude.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.as_str()).unwrap_or(Value::Null)
    }
}

impl fmt::Debug for Verbatim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads hold signatures: say that there is one, not what it is.
        write!(f, "Verbatim({} bytes)", self.as_str().len())
    }
}

impl Serialize for Verbatim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The JSON library writes what stands under this name as it is.
        let mut text = serializer.serialize_struct(RAW_VALUE, 1)?;
        text.serialize_field(RAW_VALUE, &self.0)?;
        text.end()
    }
}

impl<'de> Deserialize<'de> for Verbatim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(typed::VERBATIM, TextVisitor)
    }
}

/// Takes the text of a value, from the reader of this module or from the JSON library's.
struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Verbatim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Verbatim, E> {
        Ok(Verbatim::checked(text))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Verbatim, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|text| Verbatim(text.get().into()))
    }
}

/// Reads a message, as strictly as [`check`] does.
///
/// # Errors
/// `code` with the position of the fault.
pub fn read<T: DeserializeOwned>(text: &str, code: Code) -> Result<T> {
    typed::whole(text).map_err(|(fault, at)| malformed(code, text, &fault, at))
}

/// Reads what some version of this code has kept, if it is of this `format`: another one's is not for this code to judge.
///
/// # Errors
/// `code`, for another format too.
pub fn read_kept<T: DeserializeOwned>(text: &str, format: u32, code: Code) -> Result<T> {
    #[derive(Deserialize)]
    struct Kept {
        format: u32,
    }
    let kept: Kept = read(text, code)?;
    if kept.format == format { read(text, code) } else { Err(Error::new(code, "written by another version")) }
}

/// Writes a document of ours whose type derives its writing.
pub fn write<T: Serialize + ?Sized>(value: &T) -> String {
    // Only maps with keys that are not strings and failing `Serialize`s can fail here; this crate has neither.
    serde_json::to_string(value).unwrap_or_default()
}

/// Refuses what two readers may read differently: a repeated key, a lone surrogate, nesting beyond [`MAX_DEPTH`], a key
/// with a meaning to one reader only.
///
/// # Errors
/// `code` with the position of the fault.
pub fn check(text: &str, code: Code) -> Result<()> {
    read::skim(text).map_err(|(fault, at)| malformed(code, text, &fault, at))
}

/// What went wrong and where. A payment's text may hold a signature, so of a payment only the place is told.
fn malformed(code: Code, text: &str, fault: &Fault, at: usize) -> Error {
    let before = text.get(..at).unwrap_or(text);
    let count = |bytes: usize| decimal(u64::try_from(bytes).unwrap_or(u64::MAX));
    let line = before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1);
    let column = before.bytes().rev().take_while(|byte| *byte != b'\n').count();
    let place = ["line ", &count(line), " column ", &count(column)].concat();
    match code {
        Code::InvalidPayload => Error::new(code, place),
        _ => Error::new(code, [&fault.0, " at ", &place].concat()),
    }
}

/// Whether two trees mean the same: key order is free, `1` and `1.0` are one number as they are in JavaScript.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(value, other)| equal(value, other))
        }
        (Value::Number(a), Value::Number(b)) => a == b || (a.as_f64().is_some() && a.as_f64() == b.as_f64()),
        _ => a == b,
    }
}

/// Whether everything in `part` stands in `whole`: objects may have more keys there, all else is [`equal`].
pub fn subset(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|other| subset(value, other)))
        }
        _ => equal(part, whole),
    }
}

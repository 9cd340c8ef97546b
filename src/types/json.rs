//! JSON as peers sent it, and the strict reading every message goes through first.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Code, Error, Result};

/// How deep arrays and objects may nest in any message.
pub const MAX_DEPTH: u8 = 32;

/// The key by which serde_json carries text verbatim between its own parts. In a message it would make a tree of a string
/// here, and of nothing elsewhere.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// A JSON value whose text is kept as it came: what must be echoed is echoed to the byte.
#[derive(Clone)]
pub struct Verbatim(Box<RawValue>);

impl Verbatim {
    /// Takes a JSON text that passed [`check`].
    ///
    /// # Errors
    /// `code` when the text is not JSON, repeats a key, or nests too deep.
    pub fn parse(text: &str, code: Code) -> Result<Self> {
        check(text, code)?;
        RawValue::from_string(text.to_owned()).map(Self).map_err(|error| malformed(code, &error))
    }

    /// Writes a value of ours as JSON.
    ///
    /// # Errors
    /// `gate_internal` when it cannot be written, which no type of this crate causes.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        serde_json::value::to_raw_value(value).map(Self).map_err(|error| malformed(Code::GateInternal, &error))
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Reads the text as a message.
    ///
    /// # Errors
    /// `code` when the text has another shape.
    pub fn read<T: DeserializeOwned>(&self, code: Code) -> Result<T> {
        typed(self.as_str(), code)
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
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Verbatim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

/// Reads a message: strict first, then typed.
///
/// # Errors
/// `code` with the position of the fault.
pub fn read<T: DeserializeOwned>(text: &str, code: Code) -> Result<T> {
    check(text, code)?;
    typed(text, code)
}

/// Every message is an object. The reader would also take an array of the fields in their order, which no peer
/// means and no other reader understands.
fn typed<T: DeserializeOwned>(text: &str, code: Code) -> Result<T> {
    if !text.trim_start().starts_with('{') {
        return Err(Error::new(code, "expected an object"));
    }
    serde_json::from_str(text).map_err(|error| malformed(code, &error))
}

/// Writes a message of ours.
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
    let mut reader = serde_json::Deserializer::from_str(text);
    Strict(MAX_DEPTH).deserialize(&mut reader).map_err(|error| malformed(code, &error))?;
    reader.end().map_err(|error| malformed(code, &error))
}

/// What went wrong and where. A payment's text may hold a signature, so of a payment only the place is told.
fn malformed(code: Code, error: &serde_json::Error) -> Error {
    match code {
        Code::InvalidPayload => Error::new(code, format!("line {} column {}", error.line(), error.column())),
        _ => Error::new(code, error.to_string()),
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

/// Walks a document and keeps nothing. The number is the nesting still allowed.
struct Strict(u8);

impl Strict {
    fn inner<E: de::Error>(&self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("nested too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.inner()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self(inner) = self.inner()?;
        let mut seen = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if key == RAW_VALUE {
                return Err(de::Error::custom("a key that is not data"));
            }
            entries.next_value_seed(Self(inner))?;
            if !seen.insert(key) {
                return Err(de::Error::custom("a key stands twice in one object"));
            }
        }
        Ok(())
    }
}

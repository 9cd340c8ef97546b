//! The writer of what a payer says, as small as the reader.
//!
//! It writes the bytes that `serde_json` would: a test holds the two against each other.

use alloc::string::String;

use crate::types::amount::decimal;

/// What is written as an object.
pub trait Message {
    /// Says the members, in their order.
    fn members(&self, to: &mut Object);

    /// Its JSON.
    fn write(&self) -> String {
        let mut object = Object::new();
        self.members(&mut object);
        object.end()
    }
}

/// An object that is being written.
pub struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".into())
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    /// A member whose value is JSON already.
    pub fn json(&mut self, key: &str, value: &str) -> &mut Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        quote(key, &mut self.0);
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    /// A string.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.json(key, &quoted(value))
    }

    /// A string, or no member.
    pub fn optional_text(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(key, value);
        }
        self
    }

    /// A whole number.
    pub fn number(&mut self, key: &str, value: u64) -> &mut Self {
        self.json(key, &decimal(value))
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &str, value: bool) -> &mut Self {
        self.json(key, if value { "true" } else { "false" })
    }

    /// An array of objects.
    pub fn list<T: Message>(&mut self, key: &str, items: &[T]) -> &mut Self {
        self.json(key, &array(items.iter().map(Message::write)))
    }
}

/// An object of these members, for what is written in one place only.
pub fn object(members: impl FnOnce(&mut Object)) -> String {
    let mut object = Object::new();
    members(&mut object);
    object.end()
}

/// An array of what is JSON already.
pub fn array(items: impl IntoIterator<Item = String>) -> String {
    let mut list = String::from("[");
    for item in items {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(&item);
    }
    list.push(']');
    list
}

/// A text as a JSON string.
pub fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(text, &mut out);
    out
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        let letter = match character {
            '"' | '\\' => character,
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\0'..' ' => {
                escape(u16::try_from(u32::from(character)).unwrap_or_default(), out);
                continue;
            }
            _ => {
                out.push(character);
                continue;
            }
        };
        out.push('\\');
        out.push(letter);
    }
    out.push('"');
}

/// Writes a UTF-16 unit by its number.
pub(crate) fn escape(unit: u16, out: &mut String) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        out.extend(char::from_digit(u32::from(unit >> shift & 0xf), 16));
    }
}

//! An object by its fields: how the messages of peers are read, one field at a time, into types that cannot be wrong.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::read::{Fault, Reader};
use super::{Verbatim, malformed};
use crate::error::{Code, Error, Result};

/// The fields of one object. Keys that nobody asks for are data of other versions and extensions.
pub struct Fields<'a> {
    /// Key and the text of its value, already read strictly.
    fields: Vec<(Cow<'a, str>, &'a str)>,
    code: Code,
}

impl<'a> Fields<'a> {
    /// Reads an object, as strictly as [`super::check`] does. `code` is that of every error here and below.
    ///
    /// # Errors
    /// `code` with the place of the fault.
    pub fn read(text: &'a str, code: Code) -> Result<Self> {
        let mut reader = Reader::new(text);
        match reader.fields().and_then(|fields| reader.end().map(|()| fields)) {
            Ok(fields) => Ok(Self { fields, code }),
            Err(fault) => Err(malformed(code, text, &fault, reader.at)),
        }
    }

    /// The text of a value; none for an absent key and for `null`.
    fn value(&self, key: &str) -> Option<&'a str> {
        let (_, value) = self.fields.iter().find(|(name, _)| name == key)?;
        Some(*value).filter(|value| *value != "null")
    }

    fn wrong(&self, key: &str, what: &str) -> Error {
        Error::new(self.code, ["`", key, "`: ", what].concat())
    }

    /// Of a text that is not what it is read as.
    fn unread(&self, key: &str, error: &Error) -> Error {
        self.wrong(key, error.code().as_str())
    }

    /// A string in an array.
    fn item(&self, key: &str, item: &'a str) -> Result<Cow<'a, str>> {
        Reader::new(item).string().map_err(|fault| self.wrong(key, &fault.0))
    }

    fn parsed<T>(
        &self,
        key: &str,
        read: impl FnOnce(&mut Reader<'a>) -> core::result::Result<T, Fault>,
    ) -> Result<Option<T>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match read(&mut Reader::new(value)) {
            Ok(read) => Ok(Some(read)),
            Err(fault) => Err(self.wrong(key, &fault.0)),
        }
    }

    fn required<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.wrong(key, "missing"))
    }

    /// A string, if it is there.
    ///
    /// # Errors
    /// The fields' code when it is something else.
    pub fn optional_text(&self, key: &str) -> Result<Option<String>> {
        self.parsed(key, |reader| reader.string().map(Cow::into_owned))
    }

    /// A string.
    ///
    /// # Errors
    /// The fields' code when it is missing or something else.
    pub fn text(&self, key: &str) -> Result<String> {
        self.required(key, self.optional_text(key)?)
    }

    /// A string that is read further, such as an amount or an address. A plain function reads it: this is made once for
    /// each type and not for each reader.
    ///
    /// # Errors
    /// The fields' code when it is missing, something else, or not read by `read`.
    pub fn text_as<T>(&self, key: &str, read: fn(&str) -> Result<T>) -> Result<T> {
        let text = self.text(key)?;
        read(&text).map_err(|error| self.unread(key, &error))
    }

    /// A whole number, if it is there.
    ///
    /// # Errors
    /// The fields' code when it is something else.
    pub fn optional_number(&self, key: &str) -> Result<Option<u64>> {
        self.parsed(key, Reader::whole_number)
    }

    /// A whole number.
    ///
    /// # Errors
    /// The fields' code when it is missing or something else.
    pub fn number(&self, key: &str) -> Result<u64> {
        self.required(key, self.optional_number(key)?)
    }

    /// `true` or `false`, if it is there.
    ///
    /// # Errors
    /// The fields' code when it is something else.
    pub fn optional_flag(&self, key: &str) -> Result<Option<bool>> {
        self.parsed(key, Reader::boolean)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// The fields' code when it is missing or something else.
    pub fn flag(&self, key: &str) -> Result<bool> {
        self.required(key, self.optional_flag(key)?)
    }

    /// Any value as its own text, if it is there.
    pub fn optional_verbatim(&self, key: &str) -> Option<Verbatim> {
        self.value(key).map(Verbatim::checked)
    }

    /// Any value as its own text, `null` included.
    ///
    /// # Errors
    /// The fields' code when it is missing.
    pub fn verbatim(&self, key: &str) -> Result<Verbatim> {
        let found = self.fields.iter().find(|(name, _)| name == key);
        self.required(key, found.map(|(_, value)| Verbatim::checked(value)))
    }

    /// An array as its items' own texts, if it is there.
    ///
    /// # Errors
    /// The fields' code when it is something else.
    pub fn optional_list(&self, key: &str) -> Result<Option<Vec<&'a str>>> {
        self.parsed(key, Reader::items)
    }

    /// An array as its items' own texts.
    ///
    /// # Errors
    /// The fields' code when it is missing or something else.
    pub fn list(&self, key: &str) -> Result<Vec<&'a str>> {
        self.required(key, self.optional_list(key)?)
    }

    /// An array of strings that are read further, if it is there.
    ///
    /// # Errors
    /// The fields' code when it is something else, or an item is not read by `read`.
    pub fn optional_texts<T>(&self, key: &str, read: fn(&str) -> Result<T>) -> Result<Option<Vec<T>>> {
        let Some(items) = self.optional_list(key)? else { return Ok(None) };
        let mut all = Vec::new();
        for item in items {
            let text = self.item(key, item)?;
            all.push(read(&text).map_err(|error| self.unread(key, &error))?);
        }
        Ok(Some(all))
    }

    /// Whether a key is there, `null` included.
    pub fn has(&self, key: &str) -> bool {
        self.fields.iter().any(|(name, _)| name == key)
    }

    /// Refuses keys that are not `known`.
    ///
    /// # Errors
    /// The fields' code with the first unknown key.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        match self.fields.iter().find(|(name, _)| !known.contains(&name.as_ref())) {
            Some((name, _)) => {
                let name: String = name.chars().take(64).collect();
                Err(self.wrong(&name, &["unknown; expected one of ", &known.join(", ")].concat()))
            }
            None => Ok(()),
        }
    }
}

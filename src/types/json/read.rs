//! The reader of every message: strict, one pass, small.
//!
//! Beyond the grammar (RFC 8259) it refuses what two readers may read differently: a repeated key, a lone surrogate,
//! nesting beyond a limit, a number too large for floating point. Its errors name fields and places, never contents.
//! Numbers beyond 64-bit integers are data that may be skipped or kept as text; no message counts with them.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::MAX_DEPTH;

/// A key by which the JSON library marks text that it does not read; from a peer it would be read as none.
pub(super) const RAW_VALUE: &str = "$serde_json::private::RawValue";
/// Keys in one object. No message of the protocol has a tenth of them, and looking for repeated ones costs their square.
const MAX_KEYS: usize = 1024;

/// Bytes of a number: more than 2^256 has. With [`MAX_EXPONENT_DIGITS`] no number is infinite to a reader that counts in
/// floating point.
const MAX_NUMBER: usize = 128;
/// Digits of a positive exponent.
const MAX_EXPONENT_DIGITS: usize = 2;

/// Why a text cannot be read; the place is the reader's.
#[derive(Debug)]
pub(super) struct Fault(pub(super) String);

/// What reading gives.
pub(super) type Read<T> = Result<T, Fault>;

pub(super) fn fault<T>(what: &str) -> Read<T> {
    Err(Fault(what.into()))
}

/// Reads a whole text and keeps nothing.
///
/// # Errors
/// The fault and the byte at which it was seen.
pub(super) fn skim(text: &str) -> Result<(), (Fault, usize)> {
    let mut reader = Reader::new(text);
    reader.skip().and_then(|()| reader.end()).map_err(|fault| (fault, reader.at))
}

/// A place in a text.
pub(super) struct Reader<'de> {
    text: &'de str,
    pub(super) at: usize,
    depth: u8,
}

impl<'de> Reader<'de> {
    pub(super) const fn new(text: &'de str) -> Self {
        Self { text, at: 0, depth: MAX_DEPTH }
    }

    fn here(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    const fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// The next byte that is no space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.here() {
            self.step();
        }
        self.here()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.step();
        }
        found
    }

    pub(super) fn end(&mut self) -> Read<()> {
        if self.peek().is_none() { Ok(()) } else { fault("trailing characters") }
    }

    pub(super) fn word(&mut self, word: &str) -> Read<()> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at = self.at.saturating_add(word.len());
            return Ok(());
        }
        fault("expected a value")
    }

    pub(super) fn boolean(&mut self) -> Read<bool> {
        match self.peek() {
            Some(b't') => self.word("true").map(|()| true),
            Some(b'f') => self.word("false").map(|()| false),
            _ => fault("expected a boolean"),
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.here().is_some_and(|byte| byte.is_ascii_digit()) {
            self.step();
        }
        self.at.saturating_sub(start)
    }

    /// The text of a number; nothing of one that is no integer.
    pub(super) fn number(&mut self) -> Read<&'de str> {
        self.peek();
        let start = self.at;
        if self.here() == Some(b'-') {
            self.step();
        }
        let leading_zero = self.here() == Some(b'0');
        let count = self.digits();
        let mut whole = true;
        let mut fine = count == 1 || (count > 1 && !leading_zero);
        if self.here() == Some(b'.') {
            self.step();
            whole = false;
            fine &= self.digits() > 0;
        }
        if let Some(b'e' | b'E') = self.here() {
            self.step();
            whole = false;
            let small = self.here() == Some(b'-');
            if small || self.here() == Some(b'+') {
                self.step();
            }
            let digits = self.digits();
            fine &= digits > 0 && (small || digits <= MAX_EXPONENT_DIGITS);
        }
        if !fine || self.at.saturating_sub(start) > MAX_NUMBER {
            return fault("expected a value, and numbers of a common size");
        }
        Ok(self.text.get(start..self.at).filter(|_| whole).unwrap_or_default())
    }

    pub(super) fn string(&mut self) -> Read<Cow<'de, str>> {
        if !self.take(b'"') {
            return fault("expected a string");
        }
        let mut start = self.at;
        let mut unescaped: Option<String> = None;
        loop {
            let Some(byte) = self.here() else { return fault("a string does not end") };
            if byte < b' ' {
                return fault("a control character in a string");
            }
            if byte != b'"' && byte != b'\\' {
                self.step();
                continue;
            }
            let run = self.text.get(start..self.at).unwrap_or_default();
            self.step();
            if byte == b'\\' {
                let text = unescaped.get_or_insert_default();
                text.push_str(run);
                text.push(self.escape()?);
                start = self.at;
                continue;
            }
            return Ok(match unescaped {
                None => Cow::Borrowed(run),
                Some(mut text) => {
                    text.push_str(run);
                    Cow::Owned(text)
                }
            });
        }
    }

    fn escape(&mut self) -> Read<char> {
        let byte = self.here();
        self.step();
        Ok(match byte {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return fault("an escape that is none"),
        })
    }

    fn unicode(&mut self) -> Read<char> {
        let mut point = self.unit()?;
        if (0xd800..0xdc00).contains(&point) && self.word("\\u").is_ok() {
            let second = self.unit()?;
            // Both halves carry ten bits of what lies beyond 16; with another second there is no such character.
            let pair = (point & 0x3ff) << 10 | second & 0x3ff;
            point = if (0xdc00..0xe000).contains(&second) { pair.saturating_add(0x1_0000) } else { u32::MAX };
        }
        // A surrogate that is alone is no character either.
        char::from_u32(point).map_or_else(|| fault("a lone surrogate"), Ok)
    }

    fn unit(&mut self) -> Read<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.here().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return fault("an escape that is none") };
            unit = unit << 4 | digit;
            self.step();
        }
        Ok(unit)
    }

    fn deeper(&mut self) -> Read<()> {
        let Some(depth) = self.depth.checked_sub(1) else { return fault("nested too deep") };
        self.depth = depth;
        Ok(())
    }

    const fn shallower(&mut self) {
        self.depth = self.depth.saturating_add(1);
    }

    /// Reads past a value, as strictly as one that is kept.
    pub(super) fn skip(&mut self) -> Read<()> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b't' | b'f') => self.boolean().map(drop),
            Some(b'n') => self.word("null"),
            // What is skipped is read by the code of what is kept.
            Some(b'{') => self.fields().map(drop),
            Some(b'[') => self.items().map(drop),
            _ => self.number().map(drop),
        }
    }

    /// A value's own text.
    pub(super) fn span(&mut self) -> Read<&'de str> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// The fields of an object, each with its value's own text.
    pub(super) fn fields(&mut self) -> Read<Vec<(Cow<'de, str>, &'de str)>> {
        self.object(|entries| {
            let mut fields = Vec::new();
            while let Some(key) = entries.key()? {
                fields.push((key, entries.reader.span()?));
            }
            Ok(fields)
        })
    }

    /// The items of an array, as their own texts.
    pub(super) fn items(&mut self) -> Read<Vec<&'de str>> {
        self.array(|items| {
            let mut texts = Vec::new();
            while items.another()? {
                texts.push(items.reader.span()?);
            }
            Ok(texts)
        })
    }

    /// An integer that is not negative.
    pub(super) fn whole_number(&mut self) -> Read<u64> {
        let number = self.number()?;
        number.parse().map_or_else(|_| fault("expected a whole number"), Ok)
    }

    pub(super) fn object<T>(&mut self, read: impl FnOnce(&mut Entries<'_, 'de>) -> Read<T>) -> Read<T> {
        if !self.take(b'{') {
            return fault("expected an object");
        }
        self.deeper()?;
        let mut entries = Entries { reader: self, seen: Vec::new(), done: false };
        let value = read(&mut entries)?;
        if !entries.done && entries.key()?.is_some() {
            return fault("expected the end of an object");
        }
        self.shallower();
        Ok(value)
    }

    pub(super) fn array<T>(&mut self, read: impl FnOnce(&mut Items<'_, 'de>) -> Read<T>) -> Read<T> {
        if !self.take(b'[') {
            return fault("expected an array");
        }
        self.deeper()?;
        let mut items = Items { reader: self, first: true, done: false };
        let value = read(&mut items)?;
        if !items.done && items.another()? {
            return fault("expected the end of an array");
        }
        self.shallower();
        Ok(value)
    }
}

/// The entries of an object.
pub(super) struct Entries<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    /// The keys so far, sorted.
    seen: Vec<Cow<'de, str>>,
    done: bool,
}

impl<'de> Entries<'_, 'de> {
    pub(super) fn key(&mut self) -> Read<Option<Cow<'de, str>>> {
        if self.reader.take(b'}') {
            self.done = true;
            return Ok(None);
        }
        if !self.seen.is_empty() && !self.reader.take(b',') {
            return fault("expected `,` or `}`");
        }
        let key = self.reader.string()?;
        if !self.reader.take(b':') {
            return fault("expected `:`");
        }
        if key == RAW_VALUE {
            return fault("a key that is not data");
        }
        match self.seen.binary_search(&key) {
            Ok(_) => fault("a key stands twice in one object"),
            Err(_) if self.seen.len() >= MAX_KEYS => fault("an object has too many keys"),
            Err(place) => {
                self.seen.insert(place, key.clone());
                Ok(Some(key))
            }
        }
    }
}

/// The items of an array.
pub(super) struct Items<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    first: bool,
    done: bool,
}

impl Items<'_, '_> {
    /// Whether another item follows.
    pub(super) fn another(&mut self) -> Read<bool> {
        let first = core::mem::take(&mut self.first);
        if self.reader.take(b']') {
            self.done = true;
            return Ok(false);
        }
        if first || self.reader.take(b',') { Ok(true) } else { fault("expected `,` or `]`") }
    }
}

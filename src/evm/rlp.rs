//! RLP, the encoding of transactions (Ethereum yellow paper, appendix B). Writing only.

use alloc::vec::Vec;

/// A list under construction.
#[derive(Debug, Default)]
pub struct List(Vec<u8>);

impl List {
    /// An empty list.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        match bytes {
            [byte] if *byte < 0x80 => self.0.push(*byte),
            _ => {
                header(0x80, bytes.len(), &mut self.0);
                self.0.extend_from_slice(bytes);
            }
        }
        self
    }

    /// Appends an integer given big-endian; leading zeros are not part of it.
    pub fn uint(&mut self, big_endian: &[u8]) -> &mut Self {
        let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
        self.bytes(big_endian.get(zeros..).unwrap_or_default())
    }

    /// Appends a list.
    pub fn list(&mut self, inner: &Self) -> &mut Self {
        self.0.extend_from_slice(&inner.finish());
        self
    }

    /// The encoding of the whole list.
    pub fn finish(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len().saturating_add(9));
        header(0xc0, self.0.len(), &mut out);
        out.extend_from_slice(&self.0);
        out
    }
}

/// A string's (0x80) or list's (0xc0) header: short lengths in the first byte, others behind it.
fn header(base: u8, length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short) if short < 56 => out.push(base.saturating_add(short)),
        _ => {
            let bytes = length.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let significant = bytes.get(zeros..).unwrap_or_default();
            let count = u8::try_from(significant.len()).unwrap_or_default();
            out.push(base.saturating_add(55).saturating_add(count));
            out.extend_from_slice(significant);
        }
    }
}

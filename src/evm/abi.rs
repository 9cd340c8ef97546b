//! The contract ABI, as far as payments need it: words, calls with trailing byte strings, strings in answers.

use alloc::string::String;
use alloc::vec::Vec;

use crate::evm::address::Address;
use crate::evm::keccak::{Bytes32, keccak256};
use crate::types::amount::Amount;

/// A function's first four bytes of calldata.
pub fn selector(signature: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak256(signature.as_bytes());
    [a, b, c, d]
}

/// One argument.
#[derive(Clone, Copy, Debug)]
pub enum Arg<'a> {
    /// Any static type, as its word.
    Word(Bytes32),
    /// `bytes` or `string`.
    Bytes(&'a [u8]),
}

impl From<Address> for Arg<'_> {
    fn from(address: Address) -> Self {
        Self::Word(address.to_word())
    }
}

impl From<Amount> for Arg<'_> {
    fn from(amount: Amount) -> Self {
        Self::Word(amount.to_be_bytes())
    }
}

impl From<u64> for Arg<'_> {
    fn from(value: u64) -> Self {
        Amount::from(value).into()
    }
}

/// Calldata: a selector and its encoded arguments.
pub fn call(selector: [u8; 4], args: &[Arg<'_>]) -> Vec<u8> {
    let mut out = selector.to_vec();
    encode(args, &mut out);
    out
}

/// Appends the ABI encoding of a tuple: heads, then the tails of dynamic arguments.
pub fn encode(args: &[Arg<'_>], out: &mut Vec<u8>) {
    let mut offset = args.len().saturating_mul(32);
    let mut tail = Vec::new();
    for arg in args {
        match arg {
            Arg::Word(word) => out.extend_from_slice(word),
            Arg::Bytes(bytes) => {
                out.extend_from_slice(&length_word(offset));
                let start = tail.len();
                tail.extend_from_slice(&length_word(bytes.len()));
                tail.extend_from_slice(bytes);
                tail.resize(tail.len().next_multiple_of(32), 0);
                offset = offset.saturating_add(tail.len().saturating_sub(start));
            }
        }
    }
    out.extend_from_slice(&tail);
}

fn length_word(length: usize) -> Bytes32 {
    Amount::from(u64::try_from(length).unwrap_or(u64::MAX)).to_be_bytes()
}

/// The word at this position of an answer.
pub fn word(data: &[u8], index: usize) -> Option<Bytes32> {
    let start = index.checked_mul(32)?;
    data.get(start..)?.first_chunk::<32>().copied()
}

/// A `uint256` answer.
pub fn read_amount(data: &[u8]) -> Option<Amount> {
    word(data, 0).map(|word| Amount::from_be_bytes(&word))
}

/// A `bool` answer; anything but 0 and 1 is none.
pub fn read_bool(data: &[u8]) -> Option<bool> {
    match read_amount(data)?.to_u64()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// A single `string` answer.
pub fn read_string(data: &[u8]) -> Option<String> {
    let offset = usize::try_from(read_amount(data)?.to_u64()?).ok()?;
    let tail = data.get(offset..)?;
    let length = usize::try_from(read_amount(tail)?.to_u64()?).ok()?;
    let bytes = tail.get(32..)?.get(..length)?;
    String::from_utf8(bytes.to_vec()).ok()
}

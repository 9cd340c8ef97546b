//! The chain's word on payments that nobody has confirmed: were they used, and can they still be? Asked over JSON-RPC by
//! whoever has a node: first its last final block, then each authorization as of that block.

use alloc::string::String;

use crate::client::book::{Book, Event, Open, State};
use crate::error::{Code, Error, Result};
use crate::evm::abi::selector;
use crate::evm::address::Address;
use crate::evm::hex;
use crate::types::json::{Fields, array, object, quoted};
use crate::types::time::UnixSeconds;

const CODE: Code = Code::PayerChainFault;

/// A final block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number, as the node writes it.
    pub number: String,
    /// Its time.
    pub time: UnixSeconds,
}

fn question(method: &str, params: &str) -> String {
    object(|to| {
        to.text("jsonrpc", "2.0").number("id", 1).text("method", method).json("params", params);
    })
}

/// Asks for the last final block.
pub fn ask_block() -> String {
    question("eth_getBlockByNumber", "[\"finalized\",false]")
}

fn quantity(text: &str) -> Result<u64> {
    let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+')).unwrap_or_default();
    u64::from_str_radix(digits, 16).map_err(|_| CODE.into())
}

/// Reads the last final block.
///
/// # Errors
/// `payer_chain_fault`.
pub fn block(answer: &str) -> Result<Block> {
    let answer = Fields::read(answer, CODE)?;
    let result = answer.verbatim("result")?;
    let block = Fields::read(result.as_str(), CODE)?;
    let number = block.text("number")?;
    quantity(&number)?;
    Ok(Block { number, time: UnixSeconds(block.text_as("timestamp", quantity)?) })
}

/// The payments of a network whose authorization has ended by a block, and of which nothing good was heard.
pub fn unproven<'b>(book: &'b Book, network: &'b str, block: &'b Block) -> impl Iterator<Item = &'b Open> {
    let ended = |open: &&Open| open.state == State::Sent && open.valid_before <= block.time;
    book.open.iter().filter(move |open| open.kind.network == network).filter(ended)
}

/// Asks whether a payment was used by a block: EIP-3009's `authorizationState(address,bytes32)`.
///
/// # Errors
/// `payer_store_broken` when the book names a payer or a nonce that is none.
pub fn ask_used(open: &Open, block: &Block) -> Result<String> {
    const BROKEN: Code = Code::PayerStoreBroken;
    let payer = Address::parse(&open.payer).map_err(|_| Error::from(BROKEN))?.to_word();
    let nonce: [u8; 32] = hex::decode_array(&open.id).map_err(|_| Error::from(BROKEN))?;
    let data = [&selector("authorizationState(address,bytes32)")[..], &payer, &nonce].concat();
    let call = object(|to| {
        to.text("to", &open.kind.asset).text("data", &hex::encode(&data));
    });
    Ok(question("eth_call", &array([call, quoted(&block.number)])))
}

/// What the answer says became of a payment.
///
/// # Errors
/// `payer_chain_fault`: nobody knows, then.
pub fn proved(id: &str, answer: &str, block: &Block) -> Result<Event> {
    let word: [u8; 32] = Fields::read(answer, CODE)?.text_as("result", hex::decode_array)?;
    let (last, rest) = word.split_last().ok_or(CODE)?;
    if *last > 1 || rest.iter().any(|byte| *byte != 0) {
        return Err(CODE.into());
    }
    Ok(Event::Proved { id: id.into(), used: *last == 1, block: block.time })
}

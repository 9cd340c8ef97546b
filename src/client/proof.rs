//! The chain's word, asked over JSON-RPC by whoever has a node.
//!
//! Of payments that nobody has confirmed: were they used, and can they still be? First the last final block is asked for,
//! then each authorization as of that block. Of payments that a server has confirmed: did the transaction that it names
//! move what was signed? And before a payment: is there enough to make it?

use alloc::string::String;
use alloc::vec::Vec;

use crate::client::book::{Book, Event, Open, State};
use crate::client::call::Funds;
use crate::client::choose::Judgement;
use crate::error::{Code, Error, Result};
use crate::evm::abi::selector;
use crate::evm::address::Address;
use crate::evm::hex;
use crate::evm::keccak::keccak256;
use crate::types::amount::Amount;
use crate::types::json::{Fields, array, object, quoted};
use crate::types::network::Network;
use crate::types::time::UnixSeconds;

const CODE: Code = Code::PayerChainFault;
const BROKEN: Code = Code::PayerStoreBroken;

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

/// Asks which chain a node is of.
pub fn ask_chain() -> String {
    question("eth_chainId", "[]")
}

/// Holds a node's chain against the network that it is to tell of: another one knows nothing of the payment, and would say
/// that it was never used.
///
/// # Errors
/// `payer_chain_fault`.
pub fn is_chain(network: &str, answer: &str) -> Result<()> {
    let chain = Fields::read(answer, CODE)?.text_as("result", quantity)?;
    let wanted = Network::parse(network)?.evm_chain_id();
    if wanted == Some(chain) { Ok(()) } else { Err(Error::new(CODE, "the node is of another chain")) }
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

/// `eth_call` of a contract at a block, or at `latest`.
fn ask_contract(contract: &str, data: &[u8], block: &str) -> String {
    let call = object(|to| {
        to.text("to", contract).text("data", &hex::encode(data));
    });
    question("eth_call", &array([call, quoted(block)]))
}

/// The word that a contract answers.
fn word(answer: &str) -> Result<[u8; 32]> {
    Fields::read(answer, CODE)?.text_as("result", hex::decode_array)
}

/// Asks whether an authorization was used by a block: EIP-3009's `authorizationState(address,bytes32)`.
fn ask_state((asset, payer, id): (&str, &str, &str), block: &str) -> Result<String> {
    let payer = Address::parse(payer).map_err(|_| Error::from(BROKEN))?.to_word();
    let nonce: [u8; 32] = hex::decode_array(id).map_err(|_| Error::from(BROKEN))?;
    let data = [&selector("authorizationState(address,bytes32)")[..], &payer, &nonce].concat();
    Ok(ask_contract(asset, &data, block))
}

/// Whether a contract answers yes.
fn flag(answer: &str) -> Result<bool> {
    let word = word(answer)?;
    let (last, rest) = word.split_last().ok_or(CODE)?;
    if *last > 1 || rest.iter().any(|byte| *byte != 0) { Err(CODE.into()) } else { Ok(*last == 1) }
}

/// Asks whether a payment was used by a block.
///
/// # Errors
/// `payer_store_broken` when the book names a payer or a nonce that is none.
pub fn ask_used(open: &Open, block: &Block) -> Result<String> {
    ask_state((&open.kind.asset, &open.payer, &open.id), &block.number)
}

/// What the answer says became of a payment.
///
/// # Errors
/// `payer_chain_fault`: nobody knows, then.
pub fn proved(id: &str, answer: &str, block: &Block) -> Result<Event> {
    Ok(Event::Proved { id: id.into(), used: flag(answer)?, block: block.time })
}

/// The tokens of the offers that were allowed, on networks whose chain can be asked, each once.
pub fn fundable(judged: &[Judgement], proves: &[String]) -> Vec<(Network, Address)> {
    let mut tokens = Vec::new();
    for (terms, token, _) in judged.iter().filter_map(|judgement| judgement.verdict.as_ref().ok()) {
        let of = (token.network.clone(), terms.asset);
        if proves.iter().any(|network| network == of.0.as_str()) && !tokens.contains(&of) {
            tokens.push(of);
        }
    }
    tokens
}

/// Asks what an account has of a token: ERC-20's `balanceOf(address)`.
pub fn ask_funds(asset: &Address, account: &Address) -> String {
    let data = [&selector("balanceOf(address)")[..], &account.to_word()].concat();
    ask_contract(&asset.to_checksum(), &data, "latest")
}

/// What the answer says an account has.
///
/// # Errors
/// `payer_chain_fault`.
pub fn funds(network: Network, asset: Address, answer: &str) -> Result<Funds> {
    word(answer).map(|word| Funds { network, asset, amount: Amount::from_be_bytes(&word) })
}

/// Asks what became of a payment: for the transaction in which a server says that it moved, and where it names none, whether
/// the authorization was used. `paid` is JSON that has the payment's `id`, `payer`, `payTo`, `asset`, `amount` and
/// `transaction`, as a receipt.
///
/// # Errors
/// `payer_store_broken` when it is no payment.
pub fn ask_moved(paid: &str) -> Result<String> {
    let paid = Fields::read(paid, BROKEN)?;
    match paid.text("transaction")?.as_str() {
        "" => ask_state((&paid.text("asset")?, &paid.text("payer")?, &paid.text("id")?), "latest"),
        transaction => Ok(question("eth_getTransactionReceipt", &array([quoted(transaction)]))),
    }
}

/// Whether what was signed has moved, by the answer to [`ask_moved`]; nothing while the node does not know.
///
/// A transaction proves a payment that has succeeded and holds both of the token's events: the transfer of this sum, and the
/// use of this authorization (EIP-3009). Its status alone says nothing.
///
/// # Errors
/// `payer_chain_fault`; `payer_store_broken` when `paid` is no payment.
pub fn moved(paid: &str, answer: &str) -> Result<Option<bool>> {
    let paid = Fields::read(paid, BROKEN)?;
    if paid.text("transaction")?.is_empty() {
        return Ok(flag(answer)?.then_some(true));
    }
    let word = |key| paid.text_as(key, Address::parse).map(|address: Address| hex::encode(&address.to_word()));
    let event = |name: &str, second: &str, data: &str| -> Result<String> {
        let topic = hex::encode(&keccak256(name.as_bytes()));
        Ok([&paid.text("asset")?, &topic, &word("payer")?, second, data].join(",").to_ascii_lowercase())
    };
    let amount = hex::encode(&paid.text_as("amount", Amount::parse)?.to_be_bytes());
    let wanted = [
        event("Transfer(address,address,uint256)", &word("payTo")?, &amount)?,
        event("AuthorizationUsed(address,bytes32)", &paid.text("id")?, "0x")?,
    ];
    let answer = Fields::read(answer, CODE)?;
    let Some(receipt) = answer.optional_verbatim("result") else {
        // A node that knows no such transaction says null; one that has failed says something else.
        return if answer.has("error") { Err(CODE.into()) } else { Ok(None) };
    };
    let receipt = Fields::read(receipt.as_str(), CODE)?;
    let mut logs = Vec::new();
    for log in receipt.list("logs")? {
        let log = Fields::read(log, CODE)?;
        let topics = log.optional_texts("topics", |topic| Ok(String::from(topic)))?.unwrap_or_default().join(",");
        logs.push([log.text("address")?, topics, log.text("data")?].join(",").to_ascii_lowercase());
    }
    Ok(Some(receipt.text("status")? == "0x1" && wanted.iter().all(|event| logs.contains(event))))
}

//! Chain questions as data: what a decision needs to know, asked over JSON-RPC in one batch by whoever has a network.
//!
//! The core writes the batch and reads its answer; the edge carries bytes.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::hex;
use crate::evm::keccak::{Bytes32, keccak256};
use crate::types::amount::Amount;

/// Bytes of a batch's answer that are read.
pub const MAX_ANSWER: usize = 256 * 1024;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// `eth_chainId`: [`Answer::Quantity`].
    ChainId,
    /// `eth_getCode`: [`Answer::Bytes`].
    Code(Address),
    /// `eth_call` at the latest block: [`Answer::Bytes`] or [`Answer::Reverted`].
    Call {
        /// The contract.
        to: Address,
        /// Calldata.
        data: Vec<u8>,
    },
    /// `eth_call` at the last final block, which no reorganisation takes back.
    CallFinal {
        /// The contract.
        to: Address,
        /// Calldata.
        data: Vec<u8>,
    },
    /// `eth_getBalance`, in wei: [`Answer::Quantity`].
    Balance(Address),
    /// `eth_getTransactionCount` of what is mined: [`Answer::Quantity`].
    MinedNonce(Address),
    /// `eth_getTransactionCount` including what waits: [`Answer::Quantity`].
    PendingNonce(Address),
    /// `eth_getBlockByNumber("latest")`: [`Answer::Block`].
    LatestBlock,
    /// `eth_getBlockByNumber("finalized")`: [`Answer::Block`].
    FinalBlock,
    /// `eth_getLogs` of a contract up to the latest block: [`Answer::Logs`].
    Logs {
        /// The contract.
        of: Address,
        /// One of these as the first topic.
        events: Vec<Bytes32>,
        /// The topics that follow.
        topics: Vec<Bytes32>,
        /// The first block that is searched.
        from: u64,
    },
    /// `eth_maxPriorityFeePerGas`: [`Answer::Quantity`].
    PriorityFee,
    /// `eth_getTransactionReceipt`: [`Answer::Receipt`].
    Receipt(Bytes32),
    /// `eth_sendRawTransaction`: [`Answer::Bytes`] with the hash, or [`Answer::Refused`].
    Send(Vec<u8>),
}

/// What a question was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A byte string.
    Bytes(Vec<u8>),
    /// A number.
    Quantity(Amount),
    /// The call would revert; the node's text, shortened.
    Reverted(String),
    /// A block's header.
    Block(Block),
    /// Events and the transactions that emitted them.
    Logs(Vec<(Log, Bytes32)>),
    /// A receipt, or none while the transaction is not mined.
    Receipt(Option<Receipt>),
    /// The node did not take the transaction; its text, shortened.
    Refused(String),
}

/// A block's header, as far as fees and clocks need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its height.
    pub number: u64,
    /// Its Unix second.
    pub timestamp: u64,
    /// Wei per gas that every transaction in it pays.
    pub base_fee: u128,
}

/// A mined transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whether it succeeded.
    pub success: bool,
    /// The block it is in.
    pub block: u64,
    /// The events it emitted.
    pub logs: Vec<Log>,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The contract that emitted it.
    pub address: Address,
    /// Its indexed part.
    pub topics: Vec<Bytes32>,
    /// The rest.
    pub data: Vec<u8>,
}

impl Receipt {
    /// Whether it succeeded and holds all of these events, by their digests. Of no events at all it is no proof.
    pub fn proves(&self, events: &[Bytes32]) -> bool {
        let emitted: Vec<Bytes32> = self.logs.iter().map(Log::digest).collect();
        self.success && !events.is_empty() && events.iter().all(|event| emitted.contains(event))
    }

    /// Whether so many blocks, its own among them, end at this height.
    pub const fn is_under(&self, height: u64, confirmations: u64) -> bool {
        self.block <= height && height.saturating_sub(self.block).saturating_add(1) >= confirmations
    }
}

impl Log {
    /// One hash for the whole event, to compare and keep it by: everything in it is of fixed length but the last part.
    pub fn digest(&self) -> Bytes32 {
        let mut bytes = Vec::from(self.address.0);
        bytes.push(u8::try_from(self.topics.len()).unwrap_or(u8::MAX));
        bytes.extend(self.topics.iter().flatten());
        bytes.extend(&self.data);
        keccak256(&bytes)
    }
}

/// The JSON-RPC batch that asks these questions; ids are their positions.
pub fn request(reads: &[Read]) -> String {
    let calls = reads.iter().enumerate().map(|(id, read)| {
        let (method, params) = read.method();
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    });
    Json::Array(calls.collect()).to_string()
}

#[derive(Deserialize)]
struct Reply {
    id: u64,
    #[serde(default)]
    result: Json,
    #[serde(default)]
    error: Option<ReplyError>,
}

#[derive(Deserialize)]
struct ReplyError {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Json,
}

/// Reads the answer of a batch, in the order of the questions whatever the order of the replies.
///
/// # Errors
/// `gate_chain_fault` when any question is left without a usable answer: the batch as a whole is then unknown.
pub fn answers(reads: &[Read], body: &str) -> Result<Vec<Answer>> {
    if body.len() > MAX_ANSWER {
        return Err(fault("the answer is too large"));
    }
    let mut replies: Vec<Reply> = serde_json::from_str(body).map_err(|_| fault("the answer is no batch"))?;
    if replies.len() != reads.len() {
        return Err(fault("the batch has another length"));
    }
    replies.sort_by_key(|reply| reply.id);
    let numbered = (0_u64..).zip(reads).zip(replies);
    numbered
        .map(
            |((id, read), reply)| {
                if reply.id == id { read.answer(reply) } else { Err(fault("the batch's ids are wrong")) }
            },
        )
        .collect()
}

fn fault(what: &str) -> Error {
    Error::new(Code::GateChainFault, what)
}

impl Read {
    fn method(&self) -> (&'static str, Json) {
        match self {
            Self::ChainId => ("eth_chainId", json!([])),
            Self::Code(address) => ("eth_getCode", json!([address, "latest"])),
            Self::Call { to, data } => ("eth_call", json!([{ "to": to, "data": hex::encode(data) }, "latest"])),
            Self::CallFinal { to, data } => ("eth_call", json!([{ "to": to, "data": hex::encode(data) }, "finalized"])),
            Self::FinalBlock => ("eth_getBlockByNumber", json!(["finalized", false])),
            Self::Logs { of, events, topics, from } => {
                let texts = |words: &[Bytes32]| words.iter().map(|word| hex::encode(word)).collect::<Vec<_>>();
                let mut all = Vec::from([json!(texts(events))]);
                all.extend(texts(topics).into_iter().map(Json::String));
                let from = format!("{from:#x}");
                ("eth_getLogs", json!([{ "address": of, "topics": all, "fromBlock": from, "toBlock": "latest" }]))
            }
            Self::Balance(address) => ("eth_getBalance", json!([address, "latest"])),
            Self::MinedNonce(address) => ("eth_getTransactionCount", json!([address, "latest"])),
            Self::PendingNonce(address) => ("eth_getTransactionCount", json!([address, "pending"])),
            Self::LatestBlock => ("eth_getBlockByNumber", json!(["latest", false])),
            Self::PriorityFee => ("eth_maxPriorityFeePerGas", json!([])),
            Self::Receipt(hash) => ("eth_getTransactionReceipt", json!([hex::encode(hash)])),
            Self::Send(raw) => ("eth_sendRawTransaction", json!([hex::encode(raw)])),
        }
    }

    fn answer(&self, reply: Reply) -> Result<Answer> {
        if let Some(error) = reply.error {
            return match self {
                Self::Call { .. } | Self::CallFinal { .. } if error.is_revert() => {
                    Ok(Answer::Reverted(shorten(&error.message)))
                }
                Self::Send(_) => Ok(Answer::Refused(shorten(&error.message))),
                _ => Err(fault("the node answered with an error")),
            };
        }
        let result = reply.result;
        match self {
            Self::ChainId | Self::Balance(_) | Self::MinedNonce(_) | Self::PendingNonce(_) | Self::PriorityFee => {
                quantity(&result).map(Answer::Quantity)
            }
            Self::Code(_) | Self::Call { .. } | Self::CallFinal { .. } | Self::Send(_) => {
                bytes(&result).map(Answer::Bytes)
            }
            Self::Logs { .. } => found(&result).map(Answer::Logs),
            Self::LatestBlock | Self::FinalBlock => block(&result).map(Answer::Block),
            Self::Receipt(_) if result.is_null() => Some(Answer::Receipt(None)),
            Self::Receipt(hash) => receipt(&result, hash).map(|receipt| Answer::Receipt(Some(receipt))),
        }
        .ok_or_else(|| fault("the node's answer has another shape"))
    }
}

impl ReplyError {
    /// Nodes agree on code 3 or on data for reverts, not on the words; geth's text is the common one.
    fn is_revert(&self) -> bool {
        self.code == 3 || self.data.is_string() || self.message.contains("revert")
    }
}

fn shorten(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}

fn quantity(value: &Json) -> Option<Amount> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    if digits.is_empty() || digits.len() > 64 {
        return None;
    }
    let mut padded = String::from("0x");
    padded.extend(core::iter::repeat_n('0', 64_usize.saturating_sub(digits.len())));
    padded.push_str(digits);
    hex::decode_array(&padded).ok().map(|word| Amount::from_be_bytes(&word))
}

fn bytes(value: &Json) -> Option<Vec<u8>> {
    hex::decode(value.as_str()?).ok()
}

fn word(value: &Json) -> Option<Bytes32> {
    hex::decode_array(value.as_str()?).ok()
}

fn number(value: &Json) -> Option<u64> {
    quantity(value)?.to_u64()
}

fn block(value: &Json) -> Option<Block> {
    let base_fee = match value.get("baseFeePerGas") {
        Some(fee) => u128::from(number(fee)?),
        None => 0,
    };
    Some(Block { number: number(value.get("number")?)?, timestamp: number(value.get("timestamp")?)?, base_fee })
}

fn receipt(value: &Json, asked: &Bytes32) -> Option<Receipt> {
    if word(value.get("transactionHash")?)? != *asked {
        return None;
    }
    let logs = value.get("logs")?.as_array()?.iter().map(log).collect::<Option<Vec<_>>>()?;
    let success = match number(value.get("status")?)? {
        0 => false,
        1 => true,
        _ => return None,
    };
    Some(Receipt { success, block: number(value.get("blockNumber")?)?, logs })
}

fn found(value: &Json) -> Option<Vec<(Log, Bytes32)>> {
    value.as_array()?.iter().map(|entry| Some((log(entry)?, word(entry.get("transactionHash")?)?))).collect()
}

fn log(value: &Json) -> Option<Log> {
    let topics = value.get("topics")?.as_array()?.iter().map(word).collect::<Option<Vec<_>>>()?;
    let address = Address::parse(&value.get("address")?.as_str()?.to_ascii_lowercase()).ok()?;
    Some(Log { address, topics, data: bytes(value.get("data")?)? })
}

impl core::fmt::Display for Receipt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(if self.success { "mined in block " } else { "reverted in block " })?;
        f.write_str(&self.block.to_string())
    }
}

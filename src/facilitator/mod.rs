//! The facilitator's decisions, for whichever scheme a payment uses.
//!
//! ```text
//! check(payment, offer, now) → Checked ── reads() ─► one batch ── conclude(answers) ─► valid
//!                                 └────── call() ─► relayer ──── settled(receipt) ──► settled
//! ```

pub mod bill;
pub mod embedded;
pub mod order;
pub mod relayer;
pub mod remote;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::hex;
use crate::evm::keccak::Bytes32;
use crate::evm::reads::{Answer, Log, Read, Receipt};
use crate::scheme::exact;
use crate::types::amount::Amount;
use crate::types::facilitator::{FacilitatorRequest, SettleResponse, SupportedKind, SupportedResponse, VerifyResponse};
use crate::types::json::{self, Message, Verbatim};
use crate::types::network::Network;
use crate::types::payload::PaymentPayload;
use crate::types::required::{Offer, Version};
use crate::types::time::UnixSeconds;

pub use crate::scheme::exact::evm::{Refusal, Rules};

/// A payment that passed every check that needs no chain.
#[derive(Clone, Debug)]
pub enum Checked {
    /// Scheme exact on EVM.
    ExactEvm(exact::evm::Checked),
}

/// A call that settles a payment, and what its receipt must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleCall {
    /// The contract.
    pub to: Address,
    /// Calldata.
    #[serde(with = "text")]
    pub data: Vec<u8>,
    /// Gas at most.
    pub gas_limit: u64,
    /// The [digests](crate::evm::reads::Log::digest) of the events that prove it.
    #[serde(with = "texts")]
    pub proof: Vec<Bytes32>,
}

/// What moves when a payment settles, as messages name it: enough to judge what others say of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The payer's address.
    pub payer: String,
    /// The network's name in the payment's version.
    pub network: String,
    /// Atomic units.
    pub amount: Amount,
}

/// What makes a payment one of a kind: the same money cannot be moved twice under one identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The token contract.
    pub asset: Address,
    /// The payer.
    pub payer: Address,
    /// The authorization's nonce.
    pub nonce: Bytes32,
}

/// Checks a payment against the server's own offer, without the chain.
///
/// # Errors
/// `unsupported_scheme`, or the scheme's reason.
pub fn check(payment: &PaymentPayload, offer: &Offer, now: UnixSeconds, rules: &Rules) -> Result<Checked, Refusal> {
    match (offer.terms.scheme.as_str(), offer.terms.network.evm_chain_id()) {
        (exact::SCHEME, Some(_)) => exact::evm::check(payment, offer, now, rules).map(Checked::ExactEvm),
        _ => Err(Code::UnsupportedScheme.into()),
    }
}

/// Checks a payment whose time is over, without the chain: whether it was good in the last moment of it.
///
/// # Errors
/// Those of [`check`].
pub fn check_late(
    payment: &PaymentPayload,
    offer: &Offer,
    now: UnixSeconds,
    rules: &Rules,
) -> Result<Checked, Refusal> {
    match (offer.terms.scheme.as_str(), offer.terms.network.evm_chain_id()) {
        (exact::SCHEME, Some(_)) => exact::evm::check_late(payment, offer, now, rules).map(Checked::ExactEvm),
        _ => Err(Code::UnsupportedScheme.into()),
    }
}

impl Checked {
    /// What must be asked of the chain, in one batch.
    pub fn reads(&self) -> Vec<Read> {
        match self {
            Self::ExactEvm(checked) => checked.reads(),
        }
    }

    /// Judges the chain's answers to [`Checked::reads`].
    ///
    /// # Errors
    /// The scheme's reason, or `gate_chain_fault`.
    pub fn conclude(&self, answers: &[Answer]) -> Result<()> {
        match self {
            Self::ExactEvm(checked) => checked.conclude(answers),
        }
    }

    /// The call that settles it.
    pub fn call(&self) -> SettleCall {
        match self {
            Self::ExactEvm(checked) => SettleCall {
                to: checked.terms.asset,
                data: checked.transfer(),
                gas_limit: exact::evm::GAS_LIMIT,
                proof: exact::evm::events(checked).iter().map(Log::digest).collect(),
            },
        }
    }

    /// Whether a receipt proves the settlement.
    ///
    /// # Errors
    /// The scheme's reason.
    pub fn settled(&self, receipt: &Receipt) -> Result<()> {
        match self {
            Self::ExactEvm(checked) => exact::evm::settled(checked, receipt),
        }
    }

    /// The payer's address, as messages name it.
    pub fn payer(&self) -> String {
        match self {
            Self::ExactEvm(checked) => checked.payer(),
        }
    }

    /// What moves when it settles.
    pub fn transfer(&self) -> Transfer {
        Transfer { payer: self.payer(), network: self.network().into(), amount: self.amount() }
    }

    /// What moves, in atomic units.
    pub const fn amount(&self) -> Amount {
        match self {
            Self::ExactEvm(checked) => checked.terms.amount,
        }
    }

    /// The network's name in the payment's version.
    pub fn network(&self) -> &str {
        match self {
            Self::ExactEvm(checked) => &checked.network,
        }
    }

    /// The Unix second from which on it cannot settle any more.
    pub fn expires(&self) -> UnixSeconds {
        match self {
            Self::ExactEvm(checked) => {
                UnixSeconds(checked.payload.authorization.valid_before.to_u64().unwrap_or(u64::MAX))
            }
        }
    }

    /// What makes the payment one of a kind on its network.
    pub fn identity(&self) -> Identity {
        match self {
            Self::ExactEvm(checked) => Identity {
                asset: checked.terms.asset,
                payer: checked.payload.authorization.from,
                nonce: checked.payload.authorization.nonce,
            },
        }
    }
}

/// Reads the body of `POST /verify` or `POST /settle`.
///
/// # Errors
/// `invalid_payload`, `invalid_x402_version`, `invalid_network`.
pub fn read_request(body: &str) -> Result<(PaymentPayload, Offer)> {
    let request: FacilitatorRequest = json::read(body, Code::InvalidPayload)?;
    let payment = PaymentPayload::read(request.payment_payload.as_str())?;
    if payment.version().number() != request.x402_version {
        return Err(Code::InvalidX402Version.into());
    }
    let offer = Offer::read(request.payment_requirements, payment.version(), Code::InvalidPayload)?;
    Ok((payment, offer))
}

/// Writes the body of `POST /verify` or `POST /settle` for another facilitator.
///
/// # Errors
/// None that these types can cause.
pub fn write_request(payment: &PaymentPayload, offer: &Offer) -> Result<String> {
    let request = FacilitatorRequest {
        x402_version: payment.version().number(),
        payment_payload: Verbatim::parse(&payment.write(), Code::InvalidPayload)?,
        payment_requirements: offer.verbatim.clone(),
    };
    Ok(json::write(&request))
}

/// The answer of `GET /supported` for a facilitator that serves these networks with these relayers.
pub fn supported(networks: &[(Network, Address)]) -> SupportedResponse {
    let mut kinds = Vec::new();
    let mut signers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (network, relayer) in networks {
        let names = [(Version::V2, Some(network.as_str())), (Version::V1, network.v1_name())];
        for (version, name) in names {
            if let Some(name) = name {
                kinds.push(SupportedKind {
                    x402_version: version.number(),
                    scheme: exact::SCHEME.into(),
                    network: name.into(),
                });
            }
        }
        let addresses = signers.entry("eip155:*".into()).or_default();
        let relayer = relayer.to_string();
        if !addresses.contains(&relayer) {
            addresses.push(relayer);
        }
    }
    SupportedResponse { kinds, extensions: Vec::new(), signers }
}

/// Judges another facilitator's `VerifyResponse`.
///
/// # Errors
/// The facilitator's reason as text, beside the code it means to us.
pub fn judge_verify(response: &VerifyResponse) -> Result<()> {
    if response.is_valid {
        return Ok(());
    }
    let reason = response.invalid_reason.as_deref().unwrap_or_default();
    let code = Code::parse(reason).unwrap_or(Code::UnexpectedVerifyError);
    Err(Error::new(code, reason))
}

/// What became of a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The payment moved, in this transaction.
    Settled(SettleResponse),
    /// The payment did not move and will not by this attempt; the transaction that failed, if there was one.
    Failed(Error, String),
    /// Nobody here knows; the transaction, if one was named.
    Unknown(String),
    /// Nothing was tried.
    Unsent(Error),
}

/// Judges another facilitator's `SettleResponse` for a payment. Success needs evidence: a transaction hash, this
/// payer, this network and, if it names one, this amount; a claim without it is not believed and not refused either, but
/// unknown. So is a failure that a payment which did move can cause: a used nonce, a failed transaction that is not
/// named, a reason that nobody knows.
pub fn judge_settle(transfer: &Transfer, response: SettleResponse) -> Settlement {
    let transaction = response.transaction.clone();
    if !response.success {
        let reason = response.error_reason.as_deref().unwrap_or_default();
        return match Code::parse(reason) {
            Some(code) if moved_perhaps(code, &transaction) => Settlement::Unknown(transaction),
            Some(code) => Settlement::Failed(code.into(), transaction),
            None => Settlement::Unknown(transaction),
        };
    }
    let hash = hex::decode_array::<32>(&transaction).is_ok_and(|hash| hash != [0; 32]);
    let same_payer = response.payer.as_deref().is_none_or(|payer| payer.eq_ignore_ascii_case(&transfer.payer));
    let same_network = response.network == transfer.network;
    let same_amount = response.amount.is_none_or(|amount| amount == transfer.amount);
    if hash && same_payer && same_network && same_amount {
        Settlement::Settled(response)
    } else {
        Settlement::Unknown(transaction)
    }
}

fn moved_perhaps(code: Code, transaction: &str) -> bool {
    match code {
        Code::SettlementPending | Code::ExactEvmNonceUsed | Code::UnexpectedSettleError => true,
        Code::ExactEvmTransactionFailed => transaction.is_empty(),
        _ => false,
    }
}

/// Bytes as hex in what is kept.
mod text {
    use alloc::string::String;
    use alloc::vec::Vec;

    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::evm::hex;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(&text).map_err(|error| de::Error::custom(error.code()))
    }
}

/// 32-byte words as hex in what is kept.
mod texts {
    use alloc::string::String;
    use alloc::vec::Vec;

    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::evm::hex;
    use crate::evm::keccak::Bytes32;

    pub(super) fn serialize<S: Serializer>(words: &[Bytes32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(words.iter().map(|word| hex::encode(word)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bytes32>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let words = texts.iter().map(|text| hex::decode_array(text));
        words.collect::<Result<_, _>>().map_err(|error| de::Error::custom(error.code()))
    }
}

//! The facilitator's first part: is this payment good?
//!
//! The checks and their order are WIRE's (reference 2.27.0): first what can be decided from the message alone, then
//! what only the chain knows, asked in one batch.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Code, Error};
use crate::evm::abi::{self, selector};
use crate::evm::address::Address;
use crate::evm::reads::{Answer, Read};
use crate::evm::signature::Signature;
use crate::scheme::exact::SCHEME;
use crate::scheme::exact::evm::{Payload, Terms};
use crate::types::amount::Amount;
use crate::types::network::Network;
use crate::types::payload::PaymentPayload;
use crate::types::required::{Offer, Version};
use crate::types::time::UnixSeconds;

/// Seconds a payment must still be valid for when it is verified: settlement takes time.
const EXPIRY_MARGIN: u64 = 6;

/// Seconds an authorization may outlive the offer's timeout: the payer's clock may run ahead.
const HORIZON_MARGIN: u64 = 300;

/// ERC-6492 ends signatures of wallets that do not exist yet with this word.
const ERC6492_MAGIC: [u8; 32] = [
    0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64,
    0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92,
];

/// What a facilitator allows beyond the scheme.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Whether deployed contract wallets may pay; their signatures can be judged on chain only.
    pub contract_wallets: bool,
    /// Accounts that must not pay, such as the relayer's own.
    pub barred: Vec<Address>,
}

/// A payment that is refused: why, and who sent it if that could be read.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub error: Error,
    /// The payer named in the payment.
    pub payer: Option<String>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, payer: None }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Error::from(code).into()
    }
}

/// A payment that passed every check that needs no chain.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The server's terms.
    pub terms: Terms,
    /// The payment.
    pub payload: Payload,
    /// The key's signature; none for a contract wallet.
    pub signature: Option<Signature>,
    /// The version the payment was made in.
    pub version: Version,
    /// The network's name in that version.
    pub network: String,
}

/// Checks a payment against the server's own offer, without the chain.
///
/// # Errors
/// The scheme's reasons, in its order; `facilitator_payer_not_allowed`.
pub fn check(payment: &PaymentPayload, offer: &Offer, now: UnixSeconds, rules: &Rules) -> Result<Checked, Refusal> {
    let payload = Payload::read(payment.payload())?;
    let payer = payload.payer();
    decide(payload, payment, offer, now, rules).map_err(|error| Refusal { error, payer: Some(payer) })
}

/// Checks a payment whose time is over as it would have been checked in the last moment of it: it is worth nothing any more,
/// and may have been paid.
///
/// # Errors
/// Those of [`check`], and `invalid_exact_evm_payload_authorization_valid_before` for one that is not over.
pub fn check_late(
    payment: &PaymentPayload,
    offer: &Offer,
    now: UnixSeconds,
    rules: &Rules,
) -> Result<Checked, Refusal> {
    let payload = Payload::read(payment.payload())?;
    let last = payload.authorization.valid_before.to_u64().map(|end| UnixSeconds(end).minus(EXPIRY_MARGIN));
    match last {
        Some(last) if last <= now => check(payment, offer, last, rules),
        _ => Err(Code::ExactEvmValidBefore.into()),
    }
}

fn decide(
    payload: Payload,
    payment: &PaymentPayload,
    offer: &Offer,
    now: UnixSeconds,
    rules: &Rules,
) -> Result<Checked, Error> {
    let (scheme, network, network_name) = named(payment)?;
    if scheme != SCHEME || offer.terms.scheme != SCHEME {
        return Err(Code::ExactEvmScheme.into());
    }
    let terms = Terms::read(&offer.terms)?;
    if network != offer.terms.network {
        return Err(Code::ExactEvmNetworkMismatch.into());
    }
    let of = &payload.authorization;
    if payload.signature.ends_with(&ERC6492_MAGIC) {
        return Err(Code::Eip6492FactoryNotAllowed.into());
    }
    let signature = signed_by_key(&payload, &terms);
    if signature.is_none() && !rules.contract_wallets {
        return Err(Code::ExactEvmSignature.into());
    }
    if of.to != terms.pay_to {
        return Err(Code::ExactEvmRecipientMismatch.into());
    }
    let soonest = Amount::from(now.plus(EXPIRY_MARGIN).0);
    let latest = Amount::from(now.plus(terms.max_timeout_seconds).plus(HORIZON_MARGIN).0);
    if of.valid_before < soonest || of.valid_before > latest {
        return Err(Code::ExactEvmValidBefore.into());
    }
    if of.valid_after > Amount::from(now.0) {
        return Err(Code::ExactEvmValidAfter.into());
    }
    if of.value != terms.amount {
        return Err(match payment.version() {
            Version::V2 => Code::ExactEvmValueMismatch.into(),
            Version::V1 => Code::ExactEvmValueV1.into(),
        });
    }
    let barred = of.from == Address::ZERO || of.from == terms.pay_to || rules.barred.contains(&of.from);
    if barred {
        return Err(Code::FacilitatorPayerNotAllowed.into());
    }
    Ok(Checked { terms, payload, signature, version: payment.version(), network: network_name })
}

/// The scheme and network a payment names, and that network's name in the payment's version.
fn named(payment: &PaymentPayload) -> Result<(String, Network, String), Error> {
    match payment {
        PaymentPayload::V2(v2) => {
            let accepted = Offer::read(v2.accepted.clone(), Version::V2, Code::InvalidPayload)?.terms;
            let name = String::from(accepted.network.as_str());
            Ok((accepted.scheme, accepted.network, name))
        }
        PaymentPayload::V1(v1) => Ok((v1.scheme.clone(), Network::from_v1_name(&v1.network)?, v1.network.clone())),
    }
}

fn signed_by_key(payload: &Payload, terms: &Terms) -> Option<Signature> {
    let signature = Signature::parse(&payload.signature).ok()?;
    let digest = payload.authorization.typed_data(terms.domain.clone()).digest();
    let signer = signature.recover(&digest).ok()?;
    (signer == payload.authorization.from).then_some(signature)
}

impl Checked {
    /// What must be asked of the chain, in one batch.
    pub fn reads(&self) -> Vec<Read> {
        let asset = self.terms.asset;
        let from = self.payload.authorization.from;
        let call = |data| Read::Call { to: asset, data };
        Vec::from([
            Read::Code(asset),
            call(self.transfer()),
            call(self.payload.authorization.state_call()),
            call(abi::call(selector("name()"), &[])),
            call(abi::call(selector("version()"), &[])),
            call(abi::call(selector("balanceOf(address)"), &[from.into()])),
            Read::Code(from),
        ])
    }

    /// Judges the chain's answers to [`Checked::reads`].
    ///
    /// # Errors
    /// The scheme's reason; `gate_chain_fault` when the answers are not those of the questions.
    pub fn conclude(&self, answers: &[Answer]) -> Result<(), Error> {
        let [Answer::Bytes(asset_code), simulation, state, name, version, balance, Answer::Bytes(payer_code)] = answers
        else {
            return Err(Code::GateChainFault.into());
        };
        if asset_code.is_empty() {
            return Err(Code::AssetNotDeployed.into());
        }
        if self.signature.is_none() && payer_code.is_empty() {
            return Err(Code::ExactEvmSignature.into());
        }
        let used = returned(state).and_then(abi::read_bool);
        let balance = returned(balance).and_then(abi::read_amount);
        let (Some(used), Some(balance)) = (used, balance) else {
            return Err(Code::ExactEvmEip3009NotSupported.into());
        };
        if used {
            return Err(Code::ExactEvmNonceUsed.into());
        }
        if returned(simulation).is_some() && balance >= self.terms.amount {
            return Ok(());
        }
        let differs = |answer, wanted: Option<&str>| {
            returned(answer).and_then(abi::read_string).is_some_and(|text| Some(text.as_str()) != wanted)
        };
        Err(if differs(name, Some(&self.terms.domain.name)) {
            Code::ExactEvmTokenName
        } else if differs(version, self.terms.domain.version.as_deref()) {
            Code::ExactEvmTokenVersion
        } else if balance < self.terms.amount {
            Code::ExactEvmInsufficientBalance
        } else {
            Code::ExactEvmSimulationFailed
        }
        .into())
    }

    /// The payer's address, as messages name it.
    pub fn payer(&self) -> String {
        self.payload.payer()
    }
}

fn returned(answer: &Answer) -> Option<&[u8]> {
    match answer {
        Answer::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

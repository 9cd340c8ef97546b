//! `exact` on EVM networks by EIP-3009 (`scheme_exact_evm.md`): terms, payload, and what each role does with them.

mod authorize;
mod settle;
mod verify;

use alloc::string::String;
use alloc::vec::Vec;

pub use authorize::authorize;
pub use settle::{GAS_LIMIT, events, settled};
pub use verify::{Checked, Refusal, Rules, check, check_late};

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::eip712::Domain;
use crate::evm::eip3009::Authorization;
use crate::evm::hex;
use crate::types::amount::Amount;
use crate::types::json::{Fields, Message, Object, Verbatim};
use crate::types::required::PaymentRequirements;

/// Bytes of a signature that are read. Keys sign with 65; contract wallets may need more.
pub const MAX_SIGNATURE: usize = 8 * 1024;

/// The terms of an offer, as EVM values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The token contract.
    pub asset: Address,
    /// Who is paid.
    pub pay_to: Address,
    /// Atomic units, exactly.
    pub amount: Amount,
    /// Seconds from signature to settlement.
    pub max_timeout_seconds: u64,
    /// The token's EIP-712 domain, as the offer gives it.
    pub domain: Domain,
}

/// The scheme's `extra`.
#[derive(Clone, Debug, Default)]
struct Extra {
    /// The token's EIP-712 name.
    name: Option<String>,
    /// The token's EIP-712 version.
    version: Option<String>,
    /// How the asset moves; absent means EIP-3009.
    asset_transfer_method: Option<String>,
    /// When the server settles; absent means `authorization`.
    payment_flow: Option<String>,
}

impl Extra {
    fn read(extra: &Verbatim) -> Result<Self> {
        let fields = Fields::read(extra.as_str(), Code::ExactEvmMissingDomain)?;
        Ok(Self {
            name: fields.optional_text("name")?,
            version: fields.optional_text("version")?,
            asset_transfer_method: fields.optional_text("assetTransferMethod")?,
            payment_flow: fields.optional_text("paymentFlow")?,
        })
    }
}

impl Terms {
    /// Reads an offer's terms.
    ///
    /// # Errors
    /// `invalid_network`, `invalid_address`, `unsupported_scheme` for a transfer method or payment flow that is
    /// not this module's, `invalid_exact_evm_missing_eip712_domain`.
    pub fn read(requirements: &PaymentRequirements) -> Result<Self> {
        let chain_id = requirements.network.evm_chain_id().ok_or(Code::InvalidNetwork)?;
        let asset = Address::parse(&requirements.asset)?;
        let pay_to = Address::parse(&requirements.pay_to)?;
        let extra = match &requirements.extra {
            Some(extra) => Extra::read(extra)?,
            None => Extra::default(),
        };
        let method = extra.asset_transfer_method.as_deref().unwrap_or("eip3009");
        let flow = extra.payment_flow.as_deref().unwrap_or("authorization");
        if method != "eip3009" || !["authorization", "upfront"].contains(&flow) {
            return Err(Code::UnsupportedScheme.into());
        }
        let (Some(name), Some(version)) = (extra.name, extra.version) else {
            return Err(Code::ExactEvmMissingDomain.into());
        };
        let domain = Domain { name, version: Some(version), chain_id, verifying_contract: Some(asset) };
        Ok(Self {
            asset,
            pay_to,
            amount: requirements.amount,
            max_timeout_seconds: requirements.max_timeout_seconds,
            domain,
        })
    }
}

/// What a payer sends: the authorization and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The signed terms.
    pub authorization: Authorization,
    /// The signature's bytes, not yet judged.
    pub signature: Vec<u8>,
}

/// Reads an authorization as it travels: amounts and times as decimal strings.
///
/// # Errors
/// `invalid_payload`.
pub fn read_authorization(text: &str) -> Result<Authorization> {
    let fields = Fields::read(text, Code::InvalidPayload)?;
    Ok(Authorization {
        from: fields.text_as("from", Address::parse)?,
        to: fields.text_as("to", Address::parse)?,
        value: fields.text_as("value", Amount::parse)?,
        valid_after: fields.text_as("validAfter", Amount::parse)?,
        valid_before: fields.text_as("validBefore", Amount::parse)?,
        nonce: fields.text_as("nonce", hex::decode_array)?,
    })
}

impl Payload {
    /// Reads the `payload` of a payment.
    ///
    /// # Errors
    /// `invalid_payload`.
    pub fn read(payload: &Verbatim) -> Result<Self> {
        const CODE: Code = Code::InvalidPayload;
        let fields = Fields::read(payload.as_str(), CODE)?;
        let signature = fields.text("signature")?;
        // A payload that names two ways of payment is read by nobody the same way twice.
        let two_ways = fields.optional_verbatim("permit2Authorization").is_some();
        if two_ways || signature.len() > MAX_SIGNATURE.saturating_mul(2) {
            return Err(CODE.into());
        }
        let authorization = read_authorization(fields.verbatim("authorization")?.as_str())?;
        let signature = hex::decode(&signature).map_err(|_| Error::from(CODE))?;
        Ok(Self { authorization, signature })
    }

    /// The payer's address, as messages name it.
    pub fn payer(&self) -> String {
        self.authorization.from.to_checksum()
    }
}

impl Message for Payload {
    fn members(&self, to: &mut Object) {
        to.json("authorization", &self.authorization.write()).text("signature", &hex::encode(&self.signature));
    }
}

impl Message for Authorization {
    fn members(&self, to: &mut Object) {
        to.text("from", &self.from.to_checksum()).text("to", &self.to.to_checksum());
        to.text("value", &self.value.text());
        to.text("validAfter", &self.valid_after.text()).text("validBefore", &self.valid_before.text());
        to.text("nonce", &hex::encode(&self.nonce));
    }
}

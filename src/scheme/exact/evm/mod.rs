//! `exact` on EVM networks by EIP-3009 (`scheme_exact_evm.md`): terms, payload, and what each role does with them.

mod authorize;
mod settle;
mod verify;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

pub use authorize::authorize;
pub use settle::{GAS_LIMIT, events, settled};
pub use verify::{Checked, Refusal, Rules, check};

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::eip712::Domain;
use crate::evm::eip3009::Authorization;
use crate::evm::hex;
use crate::types::amount::Amount;
use crate::types::json::Verbatim;
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
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extra {
    /// The token's EIP-712 name.
    #[serde(default)]
    pub name: Option<String>,
    /// The token's EIP-712 version.
    #[serde(default)]
    pub version: Option<String>,
    /// How the asset moves; absent means EIP-3009.
    #[serde(default)]
    pub asset_transfer_method: Option<String>,
    /// When the server settles; absent means `authorization`.
    #[serde(default)]
    pub payment_flow: Option<String>,
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
            Some(extra) => extra.read::<Extra>(Code::ExactEvmMissingDomain)?,
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

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePayload {
    authorization: Verbatim,
    signature: String,
    /// A payload that names two ways of payment is read by nobody the same way twice.
    #[serde(default, skip_serializing)]
    permit2_authorization: Option<IgnoredAny>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAuthorization {
    from: Address,
    to: Address,
    value: Amount,
    valid_after: Amount,
    valid_before: Amount,
    nonce: String,
}

impl Payload {
    /// Reads the `payload` of a payment.
    ///
    /// # Errors
    /// `invalid_payload`.
    pub fn read(payload: &Verbatim) -> Result<Self> {
        const CODE: Code = Code::InvalidPayload;
        let wire: WirePayload = payload.read(CODE)?;
        if wire.permit2_authorization.is_some() || wire.signature.len() > MAX_SIGNATURE.saturating_mul(2) {
            return Err(CODE.into());
        }
        let of: WireAuthorization = wire.authorization.read(CODE)?;
        let authorization = Authorization {
            from: of.from,
            to: of.to,
            value: of.value,
            valid_after: of.valid_after,
            valid_before: of.valid_before,
            nonce: hex::decode_array(&of.nonce).map_err(|_| Error::from(CODE))?,
        };
        let signature = hex::decode(&wire.signature).map_err(|_| Error::from(CODE))?;
        Ok(Self { authorization, signature })
    }

    /// Writes the `payload` of a payment.
    ///
    /// # Errors
    /// None that this type can cause.
    pub fn write(&self) -> Result<Verbatim> {
        let of = &self.authorization;
        Verbatim::of(&WirePayload {
            authorization: Verbatim::of(&WireAuthorization {
                from: of.from,
                to: of.to,
                value: of.value,
                valid_after: of.valid_after,
                valid_before: of.valid_before,
                nonce: hex::encode(&of.nonce),
            })?,
            signature: hex::encode(&self.signature),
            permit2_authorization: None,
        })
    }

    /// The payer's address, as messages name it.
    pub fn payer(&self) -> String {
        self.authorization.from.to_string()
    }
}

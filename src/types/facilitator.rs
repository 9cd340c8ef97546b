//! The messages between a resource server and a facilitator (specification v2 §7).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize, Serializer, ser};

use crate::error::{Code, Result};
use crate::types::amount::Amount;
use crate::types::json::{Fields, Message, Object, Verbatim};

/// The body of `POST /verify` and `POST /settle`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FacilitatorRequest {
    /// The payment's version.
    pub x402_version: u8,
    /// The payment, as it came.
    pub payment_payload: Verbatim,
    /// The server's own terms.
    pub payment_requirements: Verbatim,
}

/// The answer of `POST /verify`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyResponse {
    /// Whether the payment would settle now.
    pub is_valid: bool,
    /// Why not.
    #[serde(default)]
    pub invalid_reason: Option<String>,
    /// Who pays.
    #[serde(default)]
    pub payer: Option<String>,
}

impl VerifyResponse {
    /// A valid payment.
    pub fn valid(payer: String) -> Self {
        Self { is_valid: true, invalid_reason: None, payer: Some(payer) }
    }

    /// A refused payment.
    pub fn invalid(code: Code, payer: Option<String>) -> Self {
        Self { is_valid: false, invalid_reason: Some(code.as_str().into()), payer }
    }
}

impl Message for VerifyResponse {
    fn members(&self, to: &mut Object) {
        to.flag("isValid", self.is_valid).optional_text("invalidReason", self.invalid_reason.as_deref());
        to.optional_text("payer", self.payer.as_deref());
    }
}

/// The answer of `POST /settle`, and what `PAYMENT-RESPONSE` carries to the payer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleResponse {
    /// Whether the payment has moved.
    pub success: bool,
    /// Why not; `settlement_pending` when it is not known.
    #[serde(default)]
    pub error_reason: Option<String>,
    /// Who paid.
    #[serde(default)]
    pub payer: Option<String>,
    /// The transaction, or empty where there is none.
    pub transaction: String,
    /// The network it is on, in the form of the payment's version.
    pub network: String,
    /// The amount that moved, where it may differ from the signed one.
    #[serde(default)]
    pub amount: Option<Amount>,
}

/// In what a gate keeps, as it is written to a payer.
impl Serialize for SettleResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Verbatim::parse(&self.write(), Code::GateInternal).map_err(ser::Error::custom)?;
        text.serialize(serializer)
    }
}

impl SettleResponse {
    /// Reads the JSON of a settlement.
    ///
    /// # Errors
    /// `code`.
    pub fn read(text: &str, code: Code) -> Result<Self> {
        let fields = Fields::read(text, code)?;
        Ok(Self {
            success: fields.flag("success")?,
            error_reason: fields.optional_text("errorReason")?,
            payer: fields.optional_text("payer")?,
            transaction: fields.text("transaction")?,
            network: fields.text("network")?,
            amount: fields.optional_text("amount")?.map(|amount| Amount::parse(&amount)).transpose()?,
        })
    }

    /// A settled payment.
    pub fn settled(payer: String, transaction: String, network: String) -> Self {
        Self { success: true, error_reason: None, payer: Some(payer), transaction, network, amount: None }
    }

    /// A payment that did not settle, or (`settlement_pending`) may still.
    pub fn failed(code: Code, payer: Option<String>, transaction: String, network: String) -> Self {
        Self { success: false, error_reason: Some(code.as_str().into()), payer, transaction, network, amount: None }
    }
}

impl Message for SettleResponse {
    fn members(&self, to: &mut Object) {
        to.flag("success", self.success).optional_text("errorReason", self.error_reason.as_deref());
        to.optional_text("payer", self.payer.as_deref());
        to.text("transaction", &self.transaction).text("network", &self.network);
        to.optional_text("amount", self.amount.map(Amount::text).as_deref());
    }
}

/// The answer of `GET /supported`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportedResponse {
    /// What can be verified and settled.
    pub kinds: Vec<SupportedKind>,
    /// Extensions the facilitator acts on.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// The addresses that send transactions, by CAIP-2 pattern.
    #[serde(default)]
    pub signers: BTreeMap<String, Vec<String>>,
}

/// One scheme on one network in one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportedKind {
    /// The version.
    pub x402_version: u8,
    /// The scheme.
    pub scheme: String,
    /// The network, in the form of that version.
    pub network: String,
}

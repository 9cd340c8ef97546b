//! What a payer sends: `PaymentPayload` (specification v2 §5.2, v1 §5.2).

use alloc::string::String;

use crate::error::{Code, Result};
use crate::types::json::{Fields, Message, Object, Verbatim};
use crate::types::required::Version;

/// A payment of either version, its scheme's payload not yet read.
#[derive(Clone, Debug)]
pub enum PaymentPayload {
    /// Version 2: names the offer it accepts by echoing it.
    V2(PaymentPayloadV2),
    /// Version 1: names the offer by scheme and network.
    V1(PaymentPayloadV1),
}

/// `PaymentPayload` of version 2. The field order is the reference's.
#[derive(Clone, Debug)]
pub struct PaymentPayloadV2 {
    /// 2.
    pub x402_version: u8,
    /// The scheme's payload.
    pub payload: Verbatim,
    /// The server's extensions, echoed.
    pub extensions: Option<Verbatim>,
    /// The resource, echoed.
    pub resource: Option<Verbatim>,
    /// The accepted offer, echoed to the byte.
    pub accepted: Verbatim,
}

/// `PaymentPayload` of version 1.
#[derive(Clone, Debug)]
pub struct PaymentPayloadV1 {
    /// 1.
    pub x402_version: u8,
    /// The scheme.
    pub scheme: String,
    /// The network's version 1 name.
    pub network: String,
    /// The scheme's payload.
    pub payload: Verbatim,
}

impl PaymentPayload {
    /// Reads the JSON of a payment.
    ///
    /// # Errors
    /// `invalid_payload` when it cannot be read, `invalid_x402_version` for another version.
    pub fn read(text: &str) -> Result<Self> {
        const CODE: Code = Code::InvalidPayload;
        let fields = Fields::read(text, CODE)?;
        match fields.number("x402Version")? {
            2 => Ok(Self::V2(PaymentPayloadV2 {
                x402_version: Version::V2.number(),
                payload: fields.verbatim("payload")?,
                extensions: fields.optional_verbatim("extensions"),
                resource: fields.optional_verbatim("resource"),
                accepted: fields.verbatim("accepted")?,
            })),
            1 => Ok(Self::V1(PaymentPayloadV1 {
                x402_version: Version::V1.number(),
                scheme: fields.text("scheme")?,
                network: fields.text("network")?,
                payload: fields.verbatim("payload")?,
            })),
            _ => Err(Code::InvalidX402Version.into()),
        }
    }

    /// Its version.
    pub const fn version(&self) -> Version {
        match self {
            Self::V2(_) => Version::V2,
            Self::V1(_) => Version::V1,
        }
    }

    /// The scheme's payload.
    pub const fn payload(&self) -> &Verbatim {
        match self {
            Self::V2(payment) => &payment.payload,
            Self::V1(payment) => &payment.payload,
        }
    }
}

impl Message for PaymentPayload {
    fn members(&self, to: &mut Object) {
        to.number("x402Version", self.version().number().into());
        match self {
            Self::V2(payment) => {
                to.json("payload", payment.payload.as_str());
                let echoed = [("extensions", &payment.extensions), ("resource", &payment.resource)];
                for (key, value) in echoed {
                    if let Some(value) = value {
                        to.json(key, value.as_str());
                    }
                }
                to.json("accepted", payment.accepted.as_str());
            }
            Self::V1(payment) => {
                to.text("scheme", &payment.scheme).text("network", &payment.network);
                to.json("payload", payment.payload.as_str());
            }
        }
    }
}

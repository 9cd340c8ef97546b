//! The facilitator API: the gate as the facilitator of other people's servers.
//!
//! Valid and invalid payments alike are answered with 200; another status says that nothing was judged.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Code, Error};
use crate::facilitator::{self, Checked, Settlement};
use crate::server::answers::status_of;
use crate::server::config::NetworkConfig;
use crate::server::gate::{Answer, Endpoint, Gate, Header};
use crate::types::facilitator::{SettleResponse, VerifyResponse};
use crate::types::json::{self, Message};
use crate::types::required::{Offer, Version};
use crate::types::time::UnixSeconds;

/// A payment somebody else's server asks about, checked without the chain.
#[derive(Debug)]
pub struct Asked<'g> {
    /// Where it is paid.
    pub network: &'g NetworkConfig,
    /// The payment.
    pub checked: Checked,
    endpoint: Endpoint,
}

impl Gate {
    /// Reads a request to `POST /verify` or `POST /settle`; none is a body that could not be read or is too large.
    ///
    /// # Errors
    /// The answer, where there is nothing to ask of the chain.
    pub fn asked(&self, endpoint: Endpoint, body: Option<&str>, now: UnixSeconds) -> Result<Asked<'_>, Answer> {
        let refuse = |error: &Error, payer, network| refusal(endpoint, error, payer, network);
        let body = body.ok_or_else(|| refuse(&Code::TooLarge.into(), None, String::new()))?;
        let read = facilitator::read_request(body);
        let (payment, offer) = read.map_err(|error| refuse(&error, None, String::new()))?;
        let name = name_of(&offer);
        let network = self.config().network(&offer.terms.network);
        let network = network.map_err(|error| refuse(&error, None, name.clone()))?;
        if network.senders().next().is_none() {
            return Err(refuse(&Code::InvalidNetwork.into(), None, name));
        }
        match facilitator::check(&payment, &offer, now, &network.rules) {
            Ok(checked) => Ok(Asked { network, checked, endpoint }),
            Err(refusal) => Err(refuse(&refusal.error, refusal.payer, name)),
        }
    }

    /// The answer of `POST /verify`.
    pub fn asked_verified(asked: &Asked<'_>, verdict: Result<(), Error>) -> Answer {
        match verdict {
            Ok(()) => answer(200, None, VerifyResponse::valid(asked.checked.payer()).write()),
            Err(error) => asked_refused(asked, &error),
        }
    }

    /// The answer of `POST /settle`.
    pub fn asked_settled(asked: &Asked<'_>, settlement: Settlement) -> Answer {
        let failed = |code: Code, transaction| {
            let response =
                SettleResponse::failed(code, Some(asked.checked.payer()), transaction, asked.checked.network().into());
            answer(200, Some(code), response.write())
        };
        match settlement {
            Settlement::Settled(response) => answer(200, None, response.write()),
            Settlement::Failed(error, transaction) => failed(error.code(), transaction),
            Settlement::Unknown(transaction) => failed(Code::SettlementPending, transaction),
            Settlement::Unsent(error) => asked_refused(asked, &error),
        }
    }

    /// The answer of `GET /supported`.
    pub fn supported(&self) -> Answer {
        let networks = self.config().networks.iter();
        let served = networks.flat_map(|of| of.senders().map(|(_, sender)| (of.network.clone(), sender.relayer)));
        answer(200, None, json::write(&facilitator::supported(&served.collect::<Vec<_>>())))
    }
}

/// The answer to a payment that was refused, or could not be judged.
fn asked_refused(asked: &Asked<'_>, error: &Error) -> Answer {
    refusal(asked.endpoint, error, Some(asked.checked.payer()), asked.checked.network().into())
}

fn refusal(endpoint: Endpoint, error: &Error, payer: Option<String>, network: String) -> Answer {
    let code = error.code();
    let status = match (status_of(code), code) {
        (402, _) => 200,
        (_, Code::TooLarge) => 413,
        (status, _) => status,
    };
    match endpoint {
        Endpoint::Settle => {
            answer(status, Some(code), SettleResponse::failed(code, payer, String::new(), network).write())
        }
        _ => answer(status, Some(code), VerifyResponse::invalid(code, payer).write()),
    }
}

fn answer(status: u16, code: Option<Code>, body: String) -> Answer {
    let headers = [Header::fixed("cache-control", "no-store"), Header::fixed("content-type", "application/json")];
    Answer { status, headers: headers.into(), body, code, prepared: None }
}

/// The network's name in the version of an offer.
fn name_of(offer: &Offer) -> String {
    let network = &offer.terms.network;
    match offer.version {
        Version::V2 => network.as_str().into(),
        Version::V1 => network.v1_name().unwrap_or(network.as_str()).into(),
    }
}

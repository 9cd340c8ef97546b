//! The gate's answers once it is known what became of a request.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::json;

use crate::error::{Code, Error};
use crate::server::gate::{Answer, Gate, Header, Sale};
use crate::transport::http;
use crate::types::facilitator::SettleResponse;
use crate::types::json;

/// Seconds a client waits before it asks again, where the fault is likely to pass.
const RETRY_AFTER: &str = "2";

impl Gate {
    /// The answer to a payment that was not verified: the terms again, with the reason, or a fault beside the payment.
    pub fn unverified(&self, sale: &Sale<'_>, error: &Error) -> Answer {
        if status_of(error.code()) == 402 { self.refused(sale, error.code()) } else { self.faulted(sale, error.code()) }
    }

    /// The answer to a payment that was refused after the local checks: the terms again, with the reason.
    pub fn refused(&self, sale: &Sale<'_>, code: Code) -> Answer {
        match sale.listing.challenge(&self.url(&sale.path), code.as_str(), self.config().v1) {
            Ok(challenge) => self.terms(challenge, code, sale.head, sale.page.as_deref()),
            Err(error) => self.faulted(sale, error.code()),
        }
    }

    /// Whether the origin's answer is charged for. Nothing but success is: an answer from 300 on is delivered free.
    pub const fn charges(status: u16) -> bool {
        status >= 200 && status < 300
    }

    /// The headers that a paid answer of the origin gets; each replaces the origin's own.
    pub fn delivered(&self, sale: &Sale<'_>, settlement: Option<&SettleResponse>) -> Vec<Header> {
        let mut headers = self.common(sale.page.as_deref(), "private, no-store");
        if let Some(settlement) = settlement {
            headers.push(settlement_header(sale, settlement));
        }
        headers
    }

    /// The headers that a free answer of the origin gets. An origin that answers pages itself is left to it.
    pub fn forwarded(&self, page: Option<&str>, answers_pages: bool) -> Vec<Header> {
        if answers_pages { Vec::new() } else { self.config().cors.headers(page) }
    }

    /// The answer when the payment definitely did not settle: the paid content stays here.
    pub fn unsettled(&self, sale: &Sale<'_>, code: Code, transaction: String) -> Answer {
        let settlement =
            SettleResponse::failed(code, Some(sale.checked.payer()), transaction, sale.checked.network().into());
        let mut answer = self.said(402, code, sale.page.as_deref());
        answer.headers.push(settlement_header(sale, &settlement));
        answer
    }

    /// The answer while nobody knows whether the payment settled: never a 402, which would invite a second payment.
    pub fn pending(&self, sale: &Sale<'_>, transaction: String) -> Answer {
        let mut answer = self.unsettled(sale, Code::SettlementPending, transaction);
        answer.status = 503;
        answer.headers.push(Header::fixed("retry-after", RETRY_AFTER));
        answer
    }

    /// The answer to a payment that another request is being served for at this moment.
    pub(super) fn busy(&self, sale: &Sale<'_>, seconds: u64) -> Answer {
        let mut answer = self.said(409, Code::DuplicatePayment, sale.page.as_deref());
        answer.headers.push(Header::new("retry-after", seconds.to_string()));
        answer
    }

    /// The answer to a payment when something beside it failed: nothing was charged.
    pub fn faulted(&self, sale: &Sale<'_>, code: Code) -> Answer {
        self.failure(code, sale.page.as_deref())
    }

    /// The answer when something beside the payment failed: nothing was charged.
    pub fn failure(&self, code: Code, page: Option<&str>) -> Answer {
        let mut answer = self.said(status_of(code), code, page);
        if matches!(answer.status, 409 | 503) || code == Code::LedgerOwed {
            answer.headers.push(Header::fixed("retry-after", RETRY_AFTER));
        }
        if answer.status == 401 {
            answer.headers.push(Header::fixed("www-authenticate", "Bearer"));
        }
        answer
    }

    /// The answer of a gate whose configuration is not valid.
    pub fn misconfigured() -> Answer {
        let code = Code::GateConfig;
        let headers = [Header::fixed("cache-control", "no-store"), Header::fixed("content-type", "application/json")];
        Answer { status: 500, headers: headers.into(), body: said(code), code: Some(code), prepared: None }
    }
}

/// What a person or a program reads in the body of a refusal.
pub(super) fn said(code: Code) -> String {
    json::write(&json!({ "error": code.as_str(), "message": code.sentence() }))
}

pub(super) fn settlement_header(sale: &Sale<'_>, settlement: &SettleResponse) -> Header {
    let (name, value) = http::settlement_header(settlement, sale.payment.version());
    Header::new(name, value)
}

/// The status that goes with a reason, where nothing was charged.
pub fn status_of(code: Code) -> u16 {
    match code {
        Code::InvalidPayload
        | Code::InvalidX402Version
        | Code::GateTwoPayments
        | Code::GateMalformedPath
        | Code::GateUpgradeRefused
        | Code::GateInvalidQuery
        | Code::GateInvalidIdentifier
        | Code::GateIdentifierRequired => 400,
        Code::FacilitatorUnauthorized | Code::GateUnauthorized => 401,
        Code::GateNotFound | Code::GateAmbiguousPath => 404,
        Code::GateMethodNotAllowed => 405,
        Code::DuplicatePayment | Code::GatePaymentConflict | Code::GateIdentifierConflict => 409,
        Code::LedgerAnswerGone => 410,
        Code::GateRequestTooLarge => 413,
        Code::TooLarge => 431,
        Code::GateInternal | Code::GateConfig => 500,
        Code::GateOriginFailed
        | Code::GateOriginSettlement
        | Code::GateFacilitatorFault
        | Code::LedgerAbandoned
        | Code::LedgerOwed => 502,
        Code::GateFacilitatorUnavailable
        | Code::GateClientGone
        | Code::GateBookUnavailable
        | Code::LedgerFormat
        | Code::GateChainFault
        | Code::FacilitatorRelayerUnavailable
        | Code::FacilitatorFeeCap
        | Code::SettlementPending
        | Code::UnexpectedVerifyError
        | Code::UnexpectedSettleError => 503,
        _ => 402,
    }
}

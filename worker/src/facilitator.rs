//! Verifies and settles a sale: through the relayer here, or through others over HTTP.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use js_sys::Uint8Array;
use js_sys::futures::JsFuture;
use wasm_bindgen::JsCast;
use worker::{Delay, Env};
use x402_core::error::{Code, Error};
use x402_core::facilitator::bill::{Bill, By};
use x402_core::facilitator::breaker::Breaker;
use x402_core::facilitator::cdp::CdpKey;
use x402_core::facilitator::embedded::{self, Standing};
use x402_core::facilitator::evidence::Stands;
use x402_core::facilitator::order::{self, Order};
use x402_core::facilitator::remote::{self, Verdict};
use x402_core::facilitator::{Checked, Settlement, Transfer};
use x402_core::server::config::{Facilitator, NetworkConfig, RemoteFacilitator};
use x402_core::server::gate::{Gate, Sale};
use x402_core::transport::http::MAX_BODY;
use x402_core::types::time::UnixSeconds;

use crate::{chain, http, js, relayer};

/// Milliseconds another facilitator has to verify.
const PATIENCE_VERIFY: u32 = 10_000;
/// Milliseconds another facilitator has to settle; beyond it the outcome is not known here.
const PATIENCE_SETTLE: u32 = 45_000;
/// Seconds that a settlement which another facilitator claims is looked for on chain, and the time between two looks.
const PATIENCE_LOOK: u64 = 15;
const LOOK: Duration = Duration::from_millis(500);

thread_local! {
    /// What this isolate remembers of other facilitators, by URL.
    static BREAKERS: RefCell<BTreeMap<String, Breaker>> = const { RefCell::new(BTreeMap::new()) };
}

/// What was found out about a bill.
pub(crate) enum Found {
    /// Nothing yet.
    Nothing,
    /// A settlement, or that there is none.
    Outcome(Settlement),
    /// The authorization is unused in the final block of this time.
    Unused(UnixSeconds),
}

/// Verifies a sale: how it is settled then.
///
/// # Errors
/// Why it is refused, or why nobody could say.
pub(crate) async fn verify(gate: &Gate, sale: &Sale<'_>) -> Result<Bill, Error> {
    let transfer = sale.checked.transfer();
    match &sale.network.facilitator {
        Facilitator::Embedded(_) => match judge(sale.network, &sale.checked).await? {
            (order, Standing::Good) => Ok(Bill { transfer, order, by: By::Relayer }),
            (_, Standing::Used) => Err(Code::ExactEvmNonceUsed.into()),
        },
        Facilitator::Remote(list) => {
            let message = gate.facilitator_request(sale)?;
            let order = Order::new(&sale.network.network, &sale.checked, sale.checked.call(), None);
            let mut fault = Error::from(Code::GateFacilitatorUnavailable);
            // To leave one alone is for those who can ask another: where nobody is left, all are asked.
            let mut asked = false;
            for last in [false, true] {
                for other in list {
                    if !last && !breaker(other, |breaker| breaker.admits(js::now())) {
                        continue;
                    }
                    asked = true;
                    match word_of(other, &transfer, &message).await {
                        Verdict::Valid => {
                            let by = By::Remote { url: other.url.clone(), message };
                            return Ok(Bill { transfer, order, by });
                        }
                        Verdict::Invalid(error) => return Err(error),
                        Verdict::Fault(error) => fault = error,
                    }
                }
                if asked {
                    break;
                }
            }
            Err(fault)
        }
    }
}

/// What another facilitator makes of a payment.
async fn word_of(other: &RemoteFacilitator, transfer: &Transfer, message: &str) -> Verdict {
    let verdict = match ask(other, "/verify", message, PATIENCE_VERIFY).await {
        Ok(reply) => remote::verified(transfer, borrow(reply.as_ref())),
        Err(error) => Verdict::Fault(error),
    };
    breaker(other, |breaker| breaker.heard(verdict.is_word(), js::now()));
    verdict
}

/// Settles a bill where it was verified. Whatever happens, nobody else is asked: the payment may be on its way.
pub(crate) async fn settle(env: &Env, gate: &Gate, bill: &Bill) -> Settlement {
    let network = match gate.config().network(&bill.order.network) {
        Ok(network) => network,
        Err(error) => return Settlement::Unsent(error),
    };
    match (&bill.by, &network.facilitator) {
        (By::Relayer, _) => relayer::settle(env, network, &bill.order, &bill.transfer).await,
        (By::Remote { url, message }, Facilitator::Remote(list)) => {
            let Some(other) = list.iter().find(|other| other.url == *url) else {
                return Settlement::Unsent(Code::GateFacilitatorUnavailable.into());
            };
            match ask(other, "/settle", message, PATIENCE_SETTLE).await {
                Ok(reply) => shown(network, bill, remote::settled(&bill.transfer, borrow(reply.as_ref()))).await,
                Err(error) => Settlement::Unsent(error),
            }
        }
        (By::Remote { .. }, Facilitator::Embedded(_)) => Settlement::Unsent(Code::GateFacilitatorUnavailable.into()),
    }
}

/// Holds a settlement that another facilitator claims against the chain, where that is asked for: one that is not there
/// is nothing that anybody knows.
async fn shown(network: &NetworkConfig, bill: &Bill, settlement: Settlement) -> Settlement {
    let Settlement::Settled(claimed) = settlement else {
        return settlement;
    };
    if !network.looks_up(bill.order.call.to, bill.transfer.amount) {
        return Settlement::Settled(claimed);
    }
    let until = js::now().plus(PATIENCE_LOOK);
    while let Some(questions) = Bill::check(&claimed) {
        if let Ok((answers, _)) = chain::ask(&network.rpc, &questions).await
            && let Some(judged) = bill.checked(&claimed, &answers, network.confirmations)
        {
            return judged;
        }
        if js::now() >= until {
            break;
        }
        Delay::from(LOOK).await;
    }
    Settlement::Unknown(claimed.transaction)
}

/// Finds out what became of a bill that may have been settled: of those who settle it and then of the chain.
pub(crate) async fn reconcile(env: &Env, gate: &Gate, bill: &Bill, now: UnixSeconds) -> Found {
    let Ok(network) = gate.config().network(&bill.order.network) else {
        return Found::Nothing;
    };
    let asks = match bill.by {
        By::Relayer => true,
        // To settle again is the only question another facilitator can be asked, and a nonce is used only once.
        By::Remote { .. } => network.rpc.is_empty() && now < bill.order.expires,
    };
    if asks {
        let begun = Bill { order: Order { begun_only: true, ..bill.order.clone() }, ..bill.clone() };
        match settle(env, gate, &begun).await {
            Settlement::Unknown(_) => {}
            Settlement::Settled(proof) => return Found::Outcome(Settlement::Settled(proof)),
            found if bill.by == By::Relayer => return Found::Outcome(found),
            _ => {}
        }
    }
    search(network, bill).await.unwrap_or(Found::Nothing)
}

/// Asks the chain what became of a bill.
async fn search(network: &NetworkConfig, bill: &Bill) -> Result<Found, Error> {
    if network.rpc.is_empty() {
        return Ok(Found::Nothing);
    }
    let (stands, proof) = chain::evidence(&network.rpc, &bill.authorization(), network.confirmations).await?;
    Ok(match (stands, proof) {
        (Stands::Unused(block), _) => Found::Unused(block),
        (Stands::Used(_), Some(proof)) => Found::Outcome(bill.proven(proof)),
        (Stands::Used(_) | Stands::Open, _) => Found::Nothing,
    })
}

/// Asks the chain about a payment: the order that would settle it, and how it stands.
///
/// # Errors
/// The scheme's reason, or why it could not be sent.
async fn judge(network: &NetworkConfig, checked: &Checked) -> Result<(Order, Standing), Error> {
    let sender = network.sender_for(&order::identity(checked)).ok_or(Code::InvalidNetwork)?;
    let call = checked.call();
    let questions = embedded::reads(checked, &sender);
    let (answers, _) = chain::ask(&network.rpc, &questions).await?;
    let standing = embedded::conclude(checked, &call, &sender, &answers, js::now())?;
    let order = Order::new(&network.network, checked, call, Some(sender.relayer));
    Ok((Order { begun_only: standing == Standing::Used, ..order }, standing))
}

/// Settles a payment for somebody else's server, after verifying it again.
pub(crate) async fn settle_for(env: &Env, network: &NetworkConfig, checked: &Checked) -> Settlement {
    match judge(network, checked).await {
        Ok((order, _)) => relayer::settle(env, network, &order, &checked.transfer()).await,
        Err(error) => Settlement::Unsent(error),
    }
}

/// Verifies a payment for somebody else's server.
///
/// # Errors
/// Why it is refused, or why nobody could say.
pub(crate) async fn verify_for(network: &NetworkConfig, checked: &Checked) -> Result<(), Error> {
    match judge(network, checked).await? {
        (_, Standing::Good) => Ok(()),
        (_, Standing::Used) => Err(Code::ExactEvmNonceUsed.into()),
    }
}

fn breaker<T>(of: &RemoteFacilitator, work: impl FnOnce(&mut Breaker) -> T) -> T {
    BREAKERS.with_borrow_mut(|breakers| work(breakers.entry(of.url.clone()).or_default()))
}

/// Asks another facilitator; no reply says that nobody knows whether it acted.
///
/// # Errors
/// `gate_facilitator_fault` when nothing was sent, since its token could not be signed.
async fn ask(
    other: &RemoteFacilitator,
    endpoint: &str,
    message: &str,
    milliseconds: u32,
) -> Result<Option<http::Reply>, Error> {
    let url = [other.url.as_str(), endpoint].concat();
    let mut headers = other.headers.clone();
    if let Some(key) = &other.cdp {
        headers.push(("authorization".into(), ["Bearer ", &token(key, &url).await?].concat()));
    }
    Ok(http::post(&url, &headers, message, milliseconds, MAX_BODY).await)
}

/// A token for one request.
async fn token(key: &CdpKey, url: &str) -> Result<String, Error> {
    let fault = || Error::new(Code::GateFacilitatorFault, "its token could not be signed");
    let nonce = js::random_uuid().replace('-', "");
    let unsigned = key.unsigned("POST", url, &nonce, js::now());
    let signing = js::sign_with(key.algorithm().name(), key.pkcs8(), &unsigned);
    let signature = JsFuture::from(signing).await.ok().and_then(|bytes| bytes.dyn_into::<Uint8Array>().ok());
    CdpKey::token(&unsigned, &signature.ok_or_else(fault)?.to_vec()).map_err(|_| fault())
}

fn borrow(reply: Option<&http::Reply>) -> Option<(u16, &str)> {
    reply.map(|(status, body)| (*status, body.as_str()))
}

//! Verifies and settles a sale: through the relayer here, or through others over HTTP.

use worker::Env;
use x402_core::error::{Code, Error};
use x402_core::facilitator::bill::{self, Bill, By, Stands};
use x402_core::facilitator::embedded::{self, Standing};
use x402_core::facilitator::order::Order;
use x402_core::facilitator::remote::{self, Verdict};
use x402_core::facilitator::{Checked, Settlement};
use x402_core::server::config::{Facilitator, NetworkConfig, RemoteFacilitator};
use x402_core::server::gate::{Gate, Sale};
use x402_core::transport::http::MAX_BODY;
use x402_core::types::time::UnixSeconds;

use crate::{chain, http, relayer};

/// Milliseconds another facilitator has to verify.
const PATIENCE_VERIFY: u32 = 10_000;
/// Milliseconds another facilitator has to settle; beyond it the outcome is not known here.
const PATIENCE_SETTLE: u32 = 45_000;

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
            let order = Order::new(&sale.network.network, &sale.checked, sale.checked.call(), false);
            let mut fault = Error::from(Code::GateFacilitatorUnavailable);
            for other in list {
                let reply = ask(other, "/verify", &message, PATIENCE_VERIFY).await;
                match remote::verified(borrow(reply.as_ref())) {
                    Verdict::Valid => {
                        let by = By::Remote { url: other.url.clone(), message };
                        return Ok(Bill { transfer, order, by });
                    }
                    Verdict::Invalid(error) => return Err(error),
                    Verdict::Fault(error) => fault = error,
                }
            }
            Err(fault)
        }
    }
}

/// Settles a bill where it was verified. Whatever happens, nobody else is asked: the payment may be on its way.
pub(crate) async fn settle(env: &Env, gate: &Gate, bill: &Bill) -> Settlement {
    let network = match gate.config().network(&bill.order.network) {
        Ok(network) => network,
        Err(error) => return Settlement::Unsent(error),
    };
    match (&bill.by, &network.facilitator) {
        (By::Relayer, _) => settle_here(env, network, bill).await,
        (By::Remote { url, message }, Facilitator::Remote(list)) => {
            let Some(other) = list.iter().find(|other| other.url == *url) else {
                return Settlement::Unsent(Code::GateFacilitatorUnavailable.into());
            };
            let reply = ask(other, "/settle", message, PATIENCE_SETTLE).await;
            remote::settled(&bill.transfer, borrow(reply.as_ref()))
        }
        (By::Remote { .. }, Facilitator::Embedded(_)) => Settlement::Unsent(Code::GateFacilitatorUnavailable.into()),
    }
}

/// Settles a bill through the relayer. A transaction that failed is no answer before the chain has said that nothing moved.
async fn settle_here(env: &Env, network: &NetworkConfig, bill: &Bill) -> Settlement {
    let settlement = relayer::settle(env, network, &bill.order, &bill.transfer).await;
    if !bill::is_in_question(&settlement) {
        return settlement;
    }
    let stands = match bill.standing() {
        Ok(questions) => {
            chain::ask(&network.rpc, &questions).await.and_then(|(answers, _)| Bill::stands(&answers)).ok()
        }
        Err(_) => None,
    };
    bill::reconsider(settlement, stands)
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
    let (answers, _) = chain::ask(&network.rpc, &bill.standing()?).await?;
    let height = match Bill::stands(&answers)? {
        Stands::Open => return Ok(Found::Nothing),
        Stands::Unused(block) => return Ok(Found::Unused(block)),
        Stands::Used(height) => height,
    };
    let (found, _) = chain::ask(&network.rpc, &[bill.search(height)?]).await?;
    let receipts = found.first().map(Bill::receipts).unwrap_or_default();
    if receipts.is_empty() {
        return Ok(Found::Nothing);
    }
    let (answers, _) = chain::ask(&network.rpc, &receipts).await?;
    Ok(bill.proof(&receipts, &answers).map_or(Found::Nothing, Found::Outcome))
}

/// Asks the chain about a payment: the order that would settle it, and how it stands.
///
/// # Errors
/// The scheme's reason, or why it could not be sent.
async fn judge(network: &NetworkConfig, checked: &Checked) -> Result<(Order, Standing), Error> {
    let (_, sender) = network.sender().ok_or(Code::InvalidNetwork)?;
    let call = checked.call();
    let questions = embedded::reads(checked, &sender);
    let (answers, _) = chain::ask(&network.rpc, &questions).await?;
    let standing = embedded::conclude(checked, &call, &sender, &answers)?;
    Ok((Order::new(&network.network, checked, call, standing == Standing::Used), standing))
}

/// Settles a payment for somebody else's server, after verifying it again.
pub(crate) async fn settle_for(env: &Env, network: &NetworkConfig, checked: &Checked) -> Settlement {
    match judge(network, checked).await {
        Ok((order, _)) => {
            let bill = Bill { transfer: checked.transfer(), order, by: By::Relayer };
            settle_here(env, network, &bill).await
        }
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

async fn ask(other: &RemoteFacilitator, endpoint: &str, message: &str, milliseconds: u32) -> Option<http::Reply> {
    let url = [other.url.as_str(), endpoint].concat();
    http::post(&url, &other.headers, message, milliseconds, MAX_BODY).await
}

fn borrow(reply: Option<&http::Reply>) -> Option<(u16, &str)> {
    reply.map(|(status, body)| (*status, body.as_str()))
}

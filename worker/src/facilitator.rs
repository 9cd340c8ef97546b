//! Verifies and settles a sale: through the relayer here, or through others over HTTP.

use worker::Env;
use x402_core::error::{Code, Error};
use x402_core::facilitator::embedded::{self, Sender, Standing};
use x402_core::facilitator::order::{Order, Purpose};
use x402_core::facilitator::remote::{self, Verdict};
use x402_core::facilitator::{Checked, Settlement};
use x402_core::server::config::{Facilitator, NetworkConfig, RemoteFacilitator};
use x402_core::server::gate::{Gate, Sale};
use x402_core::transport::http::MAX_BODY;

use crate::{chain, http, relayer};

/// Milliseconds another facilitator has to verify.
const PATIENCE_VERIFY: u32 = 10_000;
/// Milliseconds another facilitator has to settle; beyond it the outcome is not known here.
const PATIENCE_SETTLE: u32 = 45_000;

/// Who found a payment good, and how it is settled there.
pub(crate) enum Verified<'g> {
    /// The relayer here, by this order.
    Embedded(Order, Sender),
    /// This one, by this message.
    Remote(&'g RemoteFacilitator, String),
}

/// Verifies a sale.
///
/// # Errors
/// Why it is refused, or why nobody could say.
pub(crate) async fn verify<'g>(env: &Env, gate: &Gate, sale: &Sale<'g>) -> Result<Verified<'g>, Error> {
    match &sale.network.facilitator {
        Facilitator::Embedded(_) => {
            let (order, sender, standing) = judge(sale.network, &sale.checked, Purpose::Serve).await?;
            if standing == Standing::Used {
                relayer::holds(env, &order, &sender).await?;
            }
            Ok(Verified::Embedded(order, sender))
        }
        Facilitator::Remote(list) => {
            let message = gate.facilitator_request(sale)?;
            let mut fault = Error::from(Code::GateFacilitatorUnavailable);
            for other in list {
                let reply = ask(other, "/verify", &message, PATIENCE_VERIFY).await;
                match remote::verified(borrow(reply.as_ref())) {
                    Verdict::Valid => return Ok(Verified::Remote(other, message)),
                    Verdict::Invalid(error) => return Err(error),
                    Verdict::Fault(error) => fault = error,
                }
            }
            Err(fault)
        }
    }
}

/// Settles a sale where it was verified. Whatever happens, nobody else is asked: the payment may be on its way.
pub(crate) async fn settle(env: &Env, checked: &Checked, verified: &Verified<'_>) -> Settlement {
    match verified {
        Verified::Embedded(order, sender) => relayer::settle(env, order, sender, checked).await,
        Verified::Remote(other, message) => {
            let reply = ask(other, "/settle", message, PATIENCE_SETTLE).await;
            remote::settled(checked, borrow(reply.as_ref()))
        }
    }
}

/// Asks the chain about a payment: the order that would settle it, and how it stands.
///
/// # Errors
/// The scheme's reason, or why it could not be sent.
pub(crate) async fn judge(
    network: &NetworkConfig,
    checked: &Checked,
    purpose: Purpose,
) -> Result<(Order, Sender, Standing), Error> {
    let (_, sender) = network.sender().ok_or(Code::InvalidNetwork)?;
    let call = checked.call();
    let questions = embedded::reads(checked, &sender);
    let (answers, _) = chain::ask(&network.rpc, &questions).await?;
    let standing = embedded::conclude(checked, &call, &sender, &answers)?;
    let begun_only = standing == Standing::Used;
    Ok((Order::new(&network.network, checked, call, purpose, begun_only), sender, standing))
}

/// Settles a payment for somebody else's server, after verifying it again.
pub(crate) async fn settle_for(env: &Env, network: &NetworkConfig, checked: &Checked) -> Settlement {
    match judge(network, checked, Purpose::Report).await {
        Ok((order, sender, _)) => relayer::settle(env, &order, &sender, checked).await,
        Err(error) => Settlement::Unsent(error),
    }
}

/// Verifies a payment for somebody else's server.
///
/// # Errors
/// Why it is refused, or why nobody could say.
pub(crate) async fn verify_for(network: &NetworkConfig, checked: &Checked) -> Result<(), Error> {
    match judge(network, checked, Purpose::Report).await? {
        (_, _, Standing::Good) => Ok(()),
        (_, _, Standing::Used) => Err(Code::ExactEvmNonceUsed.into()),
    }
}

async fn ask(other: &RemoteFacilitator, endpoint: &str, message: &str, milliseconds: u32) -> Option<http::Reply> {
    let url = [other.url.as_str(), endpoint].concat();
    http::post(&url, &other.headers, message, milliseconds, MAX_BODY).await
}

fn borrow(reply: Option<&http::Reply>) -> Option<(u16, &str)> {
    reply.map(|(status, body)| (*status, body.as_str()))
}

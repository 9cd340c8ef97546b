//! The origin contract at the edge: what the core wrote is signed by the platform, what the origin says is read for the
//! core.

use std::cell::RefCell;

use js_sys::futures::JsFuture;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Response;
use x402_core::error::{Code, Result};
use x402_core::server::context::{Charge, OriginContext, PAYMENT_SETTLEMENT, PublicKey};
use x402_core::server::gate::{Gate, Sale};
use x402_core::server::pass::Entry;

use crate::gate::Visit;
use crate::{js, log};

/// The key of this isolate's gate.
#[derive(Clone)]
struct Signer {
    public: PublicKey,
    key: JsValue,
}

thread_local! {
    static SIGNER: RefCell<Option<Signer>> = const { RefCell::new(None) };
}

async fn signer(context: &OriginContext) -> Result<Signer> {
    if let Some(known) = SIGNER.with_borrow(Clone::clone) {
        return Ok(known);
    }
    let made = JsFuture::from(js::signer(&context.pkcs8)).await.map_err(|_| Code::GateInternal)?;
    let parts: Array = made.dyn_into().map_err(|_| Code::GateInternal)?;
    let text = |at| parts.get(at).as_string().ok_or(Code::GateInternal);
    let signer = Signer { public: PublicKey { kid: text(0)?, x: text(1)? }, key: parts.get(2) };
    SIGNER.set(Some(signer.clone()));
    Ok(signer)
}

/// The public half of the gate's key; none when it signs nothing for its origin.
///
/// # Errors
/// `gate_internal` when the platform fails.
pub(crate) async fn key(gate: &Gate) -> Result<Option<PublicKey>> {
    match &gate.config().origin_context {
        Some(context) => signer(context).await.map(|signer| Some(signer.public)),
        None => Ok(None),
    }
}

/// What tells the origin that a request is paid; none when it is not told.
///
/// # Errors
/// `gate_internal` when the platform fails.
pub(crate) async fn of(visit: &Visit, sale: &Sale<'_>, payment: &str) -> Result<Option<String>> {
    signed(visit, |key| visit.gate.context(sale, key, &visit.method, &visit.id, payment, js::now())).await
}

/// The same for a request that a pass opened.
///
/// # Errors
/// `gate_internal` when the platform fails.
pub(crate) async fn of_pass(visit: &Visit, entry: &Entry<'_>) -> Result<Option<String>> {
    signed(visit, |key| visit.gate.context_of_pass(entry, key, &visit.method, &visit.id, js::now())).await
}

async fn signed(visit: &Visit, write: impl FnOnce(&PublicKey) -> String) -> Result<Option<String>> {
    let Some(context) = &visit.gate.config().origin_context else {
        return Ok(None);
    };
    let Signer { public, key } = signer(context).await?;
    let input = write(&public);
    let signature = JsFuture::from(js::sign(&key, &input)).await.map_err(|_| Code::GateInternal)?;
    let signature: Uint8Array = signature.dyn_into().map_err(|_| Code::GateInternal)?;
    Ok(Some(Gate::signed_context(&input, &signature.to_vec())))
}

/// What is charged for the origin's answer. What its owner should hear about it is in the log.
pub(crate) fn charge(visit: &Visit, sale: &Sale<'_>, answer: &Response) -> Charge {
    let settlement = answer.headers().get(PAYMENT_SETTLEMENT).ok().flatten();
    let (charge, remark) = Gate::charge(sale, answer.status(), settlement.as_deref());
    if let Some(code) = remark {
        log::remark(&visit.id, code.as_str());
    }
    charge
}

//! The x402 gate: a Cloudflare Worker that charges for any origin.
//!
//! `index.mjs` is the Worker's entry. It hands each request and each call of the relayer's object to one of the
//! functions here, which ask `x402-core` what to do and do it.
//!
//! The exports are plain ones and not those of `#[worker::event]` and `#[worker::durable_object]`: an event handler of
//! `worker` is a promise for every request, where a 402 is answered at once and from strings that the entry has read,
//! and an object of it lives in the module's memory, where the entry's own can outlive a module that failed.

mod api;
mod book;
mod chain;
mod context;
mod desk;
mod facilitator;
mod gate;
mod http;
mod js;
mod ledger_view;
mod log;
mod ops;
mod relayer;
mod respond;
mod sale;
mod shelf;
mod store;
mod upkeep;

use std::cell::OnceCell;
use std::panic;

use js_sys::futures::future_to_promise;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use web_sys::Request;
use worker::worker_sys::DurableObjectState;
use worker::{Env, State};
use x402_core::error::{Code, Error};
use x402_core::facilitator::order::Reply;
use x402_core::server::book::Claim;
use x402_core::server::config::Config;
use x402_core::server::gate::Gate;
use x402_core::types::json::Message as _;

use crate::desk::Desk;
use crate::gate::Head;
use crate::shelf::Shelf;
use crate::store::Store;

thread_local! {
    /// The gate of this isolate; none when its configuration is not valid.
    static GATE: OnceCell<Option<&'static Gate>> = const { OnceCell::new() };
}

/// The first call of an instance. It takes nothing: the call that replaces a lost instance would leave what it is given
/// in the memory of the old one.
#[wasm_bindgen]
pub fn begin() {}

/// Reads the configuration, with secrets from the environment. `failed` is called when the instance is lost; the next
/// call, which must be [`begin`], gets a new one.
#[wasm_bindgen]
pub fn open(config: &str, env: &Env, failed: Function) {
    panic::set_hook(Box::new(move |_| {
        wasm_bindgen::handler::schedule_reinit();
        // The entry answers for the requests that are lost; there is nobody else to tell.
        let _ = failed.call0(&JsValue::UNDEFINED);
    }));
    let secret = |name: &str| env.secret(name).ok().map(|secret| secret.to_string());
    let gate = Config::read(config, &secret).and_then(Gate::new);
    // Every request of the isolate lasts at most as long as the isolate, and so does the gate.
    let gate: Option<&'static Gate> = match gate {
        Ok(gate) => Some(Box::leak(Box::new(gate))),
        Err(error) => {
            log::fault(error.code().as_str(), &error.to_string());
            None
        }
    };
    GATE.with(|cell| *cell.get_or_init(|| gate));
}

/// Gives the instance up: the next call, which must be [`begin`], gets a new one.
#[wasm_bindgen]
pub fn close() {
    wasm_bindgen::handler::schedule_reinit();
}

fn current() -> Option<&'static Gate> {
    GATE.with(|cell| cell.get().copied().flatten())
}

/// Answers a request, with a response or the promise of one. `now` is the Unix second.
///
/// # Errors
/// What the runtime throws.
#[wasm_bindgen]
#[expect(clippy::too_many_arguments, reason = "one crossing of the boundary is cheaper than one for each")]
pub fn fetch(
    request: Request,
    env: Env,
    now: u32,
    method: String,
    url: String,
    payment_signature: Option<String>,
    x_payment: Option<String>,
    origin: Option<String>,
    requested_headers: Option<String>,
    authorization: Option<String>,
    upgrade: Option<String>,
    idempotency_key: Option<String>,
    cookie: Option<String>,
    payment_pass: Option<String>,
    page_nonce: Option<String>,
) -> Result<JsValue, JsValue> {
    let Some(gate) = current() else {
        let answer = Gate::unhealthy(gate::target(&url).0).unwrap_or_else(Gate::misconfigured);
        return respond::answer(&answer).map(Into::into);
    };
    let head = Head {
        method,
        url,
        payment_signature,
        x_payment,
        origin,
        requested_headers,
        authorization,
        upgrade,
        idempotency_key,
        cookie,
        payment_pass,
        page_nonce,
    };
    gate::enter(gate, env, request, head, now)
}

/// Inside the relayer's object, one call at a time: sends what an order asks for, unless that was done. The promise
/// is of a reply, or of nothing when the receipt is to be waited for.
#[wasm_bindgen]
pub fn relayer_send(state: DurableObjectState, order: String) -> Promise {
    future_to_promise(async move {
        let reply = match opened(state) {
            Ok((gate, store)) => relayer::send(gate, &store, &order).await,
            Err(error) => Some(Reply::unsent(error.code())),
        };
        Ok(reply.map_or(JsValue::UNDEFINED, |reply| reply.write().into()))
    })
}

/// Inside the relayer's object: waits for the receipt of an order that was sent.
#[wasm_bindgen]
pub fn relayer_wait(state: DurableObjectState, order: String) -> Promise {
    future_to_promise(async move {
        let (gate, store) = opened(state).map_err(|error| thrown(&error))?;
        relayer::wait(gate, &store, &order).await.map(|reply| reply.write().into()).map_err(|error| thrown(&error))
    })
}

/// Inside a book: its first call in this `life` of it in memory. The promise is of when it wants to be woken, or of nothing.
#[wasm_bindgen]
pub fn book_open(state: DurableObjectState, life: u32) -> Promise {
    future_to_promise(async move {
        let due = book::begin(&desk(state, life)).map_err(|error| thrown(&error))?;
        Ok(js::seconds(due))
    })
}

/// Inside the object that knows how many books there are: holds this number to it. The promise fails where the ledger was
/// begun with another one.
#[wasm_bindgen]
pub fn book_count(state: DurableObjectState, books: u32) -> Promise {
    future_to_promise(async move {
        Shelf::of(&State::from(state)).agrees(books).map_err(|error| thrown(&error))?;
        Ok(JsValue::UNDEFINED)
    })
}

/// Inside a book: takes a claim. `last` says that whoever asks does not wait for another word.
#[wasm_bindgen]
pub fn book_claim(state: DurableObjectState, life: u32, env: Env, claim: String, last: bool) -> Promise {
    future_to_promise(async move {
        let gate = current().ok_or_else(|| thrown(&Code::GateConfig.into()))?;
        let desk = desk(state, life);
        let claim = Claim::read(&claim).map_err(|error| thrown(&error))?;
        let handed = book::take_claim(&env, gate, &desk, &claim, last).await;
        handed.map(book::Handed::into_js).map_err(|error| thrown(&error))
    })
}

/// Inside a book: takes a report and settles if that is what follows.
#[wasm_bindgen]
pub fn book_report(state: DurableObjectState, life: u32, env: Env, report: String, body: Option<Vec<u8>>) -> Promise {
    future_to_promise(async move {
        let gate = current().ok_or_else(|| thrown(&Code::GateConfig.into()))?;
        let desk = desk(state, life);
        let handed = book::take_report(&env, gate, &desk, &report, body).await;
        handed.map(book::Handed::into_js).map_err(|error| thrown(&error))
    })
}

/// Inside a book: its alarm. The promise is of the Unix second at which it wants to be woken next, or of nothing.
#[wasm_bindgen]
pub fn book_alarm(state: DurableObjectState, life: u32, env: Env) -> Promise {
    future_to_promise(async move {
        let gate = current().ok_or_else(|| thrown(&Code::GateConfig.into()))?;
        let desk = desk(state, life);
        let next = book::look_after(&env, gate, &desk).await.map_err(|error| thrown(&error))?;
        Ok(js::seconds(next))
    })
}

/// Inside a book: lists records. The promise is of the text of what was found.
#[wasm_bindgen]
pub fn book_list(state: DurableObjectState, ask: String) -> Promise {
    future_to_promise(async move {
        let found = ledger_view::list(&Shelf::of(&State::from(state)), &ask).map_err(|error| thrown(&error))?;
        Ok(found.write().into())
    })
}

/// Inside a book: whether a pass stands.
#[wasm_bindgen]
pub fn book_stands(state: DurableObjectState, life: u32, doubt: String) -> Promise {
    future_to_promise(async move {
        let stands = book::stands(&desk(state, life), &doubt).map_err(|error| thrown(&error))?;
        Ok(stands.into())
    })
}

/// Inside a book: revokes the passes of a payer or of a payment.
#[wasm_bindgen]
pub fn book_revoke(state: DurableObjectState, subject: String) -> Promise {
    future_to_promise(async move {
        Shelf::of(&State::from(state)).revoke(&subject, js::now()).map_err(|error| thrown(&error))?;
        Ok(JsValue::UNDEFINED)
    })
}

/// Inside a book: counts its records. The promise is of the text of what was counted.
#[wasm_bindgen]
pub fn book_summary(state: DurableObjectState) -> Promise {
    future_to_promise(async move {
        let counted = ledger_view::summary(&Shelf::of(&State::from(state))).map_err(|error| thrown(&error))?;
        Ok(counted.write().into())
    })
}

/// Inside the relayer's object: its alarm. The promise is of the payments that need another nonce.
#[wasm_bindgen]
pub fn relayer_alarm(state: DurableObjectState) -> Promise {
    future_to_promise(async move {
        let (gate, store) = opened(state).map_err(|error| thrown(&error))?;
        let strange = upkeep::look_again(gate, &store).await.map_err(|error| thrown(&error))?;
        Ok(http::list(strange.iter().map(String::as_str)).into())
    })
}

/// Inside the relayer's object, one call at a time: gives a payment another nonce.
#[wasm_bindgen]
pub fn relayer_renumber(state: DurableObjectState, identity: String) -> Promise {
    future_to_promise(async move {
        let (gate, store) = opened(state).map_err(|error| thrown(&error))?;
        let done = upkeep::renumber(gate, &store, &identity).await;
        done.map(|()| JsValue::UNDEFINED).map_err(|error| thrown(&error))
    })
}

/// Inside the relayer's object: how it is doing. The promise is of a status's text.
#[wasm_bindgen]
pub fn relayer_status(state: DurableObjectState, network: String, relayer: String) -> Promise {
    future_to_promise(async move {
        let (gate, store) = opened(state).map_err(|error| thrown(&error))?;
        let status = relayer::status(gate, &store, &network, &relayer).await;
        status.map(|status| status.write().into()).map_err(|error| thrown(&error))
    })
}

fn desk(state: DurableObjectState, life: u32) -> Desk {
    Desk::new(life, Shelf::of(&State::from(state)))
}

fn opened(state: DurableObjectState) -> Result<(&'static Gate, Store), Error> {
    let gate = current().ok_or(Code::GateConfig)?;
    Ok((gate, Store::open(&State::from(state))?))
}

/// An error as JavaScript throws it; its detail stays here.
fn thrown(error: &Error) -> JsValue {
    js_sys::Error::new(error.code().as_str()).into()
}

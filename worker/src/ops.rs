//! The operator's endpoints at the edge: asks the books and the relayers what the core wants to know.

use js_sys::futures::JsFuture;
use js_sys::{Array, Promise};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Response;
use x402_core::error::{Code, Error};
use x402_core::server::audit::Page;
use x402_core::server::gate::{Answer, Gate};
use x402_core::server::ops::{Own, Query};

use crate::gate::{Visit, finish};
use crate::js;
use crate::log::Trace;
use crate::{book, context, relayer, respond};

/// Answers a request for something of the gate's own; the core has seen the token where one is needed.
pub(crate) async fn answer(visit: &Visit, own: &Own, trace: Trace) -> Result<Response, JsValue> {
    let answer = match own {
        Own::Keys => return keys(visit).await,
        Own::Metrics => Ok(metrics(visit).await),
        Own::Payments(query) => payments(visit, query).await,
        Own::Revoke(of) => match book::revoke(&visit.env, of, visit.gate.config().ledger.books).await {
            Some(()) => Ok(Gate::revoked()),
            None => Err(Code::GateBookUnavailable.into()),
        },
    };
    finish(&answer.unwrap_or_else(|error| visit.gate.failure(error.code(), visit.page.as_deref())), trace)
}

/// Anybody may ask for the keys, so it leaves no line in the log.
async fn keys(visit: &Visit) -> Result<Response, JsValue> {
    let page = visit.page.as_deref();
    let answer = match context::key(visit.gate).await {
        Ok(Some(key)) => visit.gate.keys(&key, page),
        Ok(None) => visit.gate.failure(Code::GateNotFound, page),
        Err(error) => visit.gate.failure(error.code(), page),
    };
    respond::answer(&answer)
}

async fn payments(visit: &Visit, query: &Query) -> Result<Answer, Error> {
    let mut page = Page::new(visit.gate, query);
    while let Some((number, ask)) = page.next() {
        let found = book::numbered(&visit.env, number).and_then(|book| book.list(&ask).ok());
        let found = match found {
            Some(promise) => JsFuture::from(promise).await.ok().and_then(|found| found.as_string()),
            None => None,
        };
        page.take(found.as_deref())?;
    }
    Ok(page.answer())
}

async fn metrics(visit: &Visit) -> Answer {
    let config = visit.gate.config();
    let books = (0..config.ledger.books).map(|number| book::numbered(&visit.env, number)?.summary().ok());
    let (networks, relayers): (Vec<_>, Vec<_>) = config
        .networks
        .iter()
        .flat_map(|network| network.senders().map(move |(_, sender)| (&network.network, sender.relayer)))
        .map(|(network, relayer)| (network.to_string(), relayer::status_of(&visit.env, network, relayer)))
        .unzip();
    let books = all(books.collect()).await;
    let relayers = all(relayers).await;
    let relayers: Vec<_> = networks.into_iter().zip(relayers).collect();
    visit.gate.metrics(&books, &relayers, js::now())
}

/// The texts that promises come to, all awaited at once; none for those that fail.
async fn all(promises: Vec<Option<Promise>>) -> Vec<Option<String>> {
    let list: Array = promises.into_iter().map(|one| one.map_or(JsValue::UNDEFINED, JsValue::from)).collect();
    let settled = JsFuture::from(js::settled(&list)).await.unwrap_or_default();
    let settled: Array = settled.dyn_into().unwrap_or_default();
    (0..list.length()).map(|at| settled.get(at).as_string()).collect()
}

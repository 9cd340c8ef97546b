//! Carries a request through the gate: the core says what is next, this does it.

use js_sys::JsString;
use js_sys::futures::{JsFuture, future_to_promise};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Request, Response};
use worker::Env;
use x402_core::error::Code;
use x402_core::server::book::PATIENCE_BEGIN;
use x402_core::server::config::Origin;
use x402_core::server::context::PAYMENT_CONTEXT;
use x402_core::server::gate::{Answer, Facts, Gate, Step};
use x402_core::server::pass::{COOKIE, Entry, other_cookies};
use x402_core::server::path;
use x402_core::types::time::UnixSeconds;

use crate::log::Trace;
use crate::{api, book, context, http, js, ops, respond, sale};

/// The header that names a paid request in its answer.
const REQUEST_ID: &str = "x-request-id";

/// A request on its way, and what belongs to it.
pub(crate) struct Visit {
    /// What it is called.
    pub(crate) id: String,
    pub(crate) gate: &'static Gate,
    pub(crate) env: Env,
    pub(crate) request: Request,
    pub(crate) method: String,
    pub(crate) query: Option<String>,
    pub(crate) page: Option<String>,
    /// The request's cookies, if it has any.
    pub(crate) cookie: Option<String>,
    /// Whether its bearer token is a pass.
    pub(crate) shows_pass: bool,
}

/// What the entry reads of a request's head, all at once.
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) payment_signature: Option<String>,
    pub(crate) x_payment: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) requested_headers: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) upgrade: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) cookie: Option<String>,
    pub(crate) payment_pass: Option<String>,
    pub(crate) page_nonce: Option<String>,
}

/// The path and the query of a URL as it was sent: cut, not parsed.
pub(crate) fn target(url: &str) -> (&str, Option<&str>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (before, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let path = before.find('/').and_then(|at| before.get(at..)).unwrap_or("/");
    (path, query)
}

/// Answers a request: at once where the core can, else with a promise.
pub(crate) fn enter(gate: &'static Gate, env: Env, request: Request, head: Head, now: u32) -> Result<JsValue, JsValue> {
    let (path, query) = target(&head.url);
    let folded = path::to_fold(path).map(|text| String::from(JsString::from(text).normalize("NFKC")));
    let facts = Facts {
        method: &head.method,
        path,
        query,
        folded: folded.as_deref(),
        payment_signature: head.payment_signature.as_deref(),
        x_payment: head.x_payment.as_deref(),
        origin: head.origin.as_deref(),
        requested_headers: head.requested_headers.as_deref(),
        authorization: head.authorization.as_deref(),
        upgrade: head.upgrade.as_deref(),
        idempotency_key: head.idempotency_key.as_deref(),
        cookie: head.cookie.as_deref(),
        payment_pass: head.payment_pass.as_deref(),
        page_nonce: head.page_nonce.as_deref(),
    };
    let step = gate.admit(&facts, UnixSeconds(now.into()));
    let trace = || Trace::begin(&head.method, path);
    if let Step::Answer(answer) = &step {
        if facts.payment_signature.is_some() || facts.x_payment.is_some() {
            let trace = trace();
            let id = trace.id().to_owned();
            trace.end(answer.status, answer.code.map(Code::as_str));
            return named(respond::answer(answer)?, &id).map(Into::into);
        }
        return respond::answer(answer).map(Into::into);
    }
    let (trace, query) = (trace(), query.map(String::from));
    let id = trace.id().to_owned();
    let shows_pass = head.authorization.as_deref().is_some_and(|text| gate.is_pass(text));
    let (method, page, cookie) = (head.method, head.origin, head.cookie);
    let visit = Visit { id, gate, env, request, method, query, page, cookie, shows_pass };
    let promise = future_to_promise(async move { walk(&visit, step, trace).await.map(Into::into) });
    Ok(promise.into())
}

/// Takes the steps that have to wait for somebody.
async fn walk(visit: &Visit, step: Step<'static>, trace: Trace) -> Result<Response, JsValue> {
    match step {
        Step::Answer(answer) => finish(&answer, trace),
        Step::Forward(path) => forward(visit, &path, trace).await,
        Step::Facilitator(endpoint) => api::answer(visit, endpoint, trace).await,
        Step::Own(own) => ops::answer(visit, &own, trace).await,
        Step::Pay(sale) => named(sale::sell(visit, &sale, trace).await?, &visit.id),
        Step::Enter(entry) => named(let_in(visit, &entry, trace).await?, &visit.id),
    }
}

/// A request that shows a pass: to the origin as a paid one, unless the payer's book has revoked it.
async fn let_in(visit: &Visit, entry: &Entry<'static>, trace: Trace) -> Result<Response, JsValue> {
    let fails = |code| visit.gate.failure(code, entry.page.as_deref());
    match book::pass_stands(&visit.env, &entry.shown.pass.doubt(), visit.gate.config().ledger.books).await {
        Some(true) => {}
        Some(false) => return finish(&entry.refusal, trace),
        None => return finish(&fails(Code::GateBookUnavailable), trace),
    }
    let Ok(context) = context::of_pass(visit, entry).await else {
        return finish(&fails(Code::GateInternal), trace);
    };
    let changed = context.map(|context| (PAYMENT_CONTEXT, context)).into_iter().collect();
    match ask_origin(visit, &entry.path, &JsValue::UNDEFINED, true, changed).await {
        Some(origin) => {
            trace.end(origin.status(), Some("pass"));
            respond::deliver(&origin, &visit.gate.opened(entry))
        }
        None => finish(&fails(Code::GateOriginFailed), trace),
    }
}

/// The answer to a paid request, with what it is called in the log.
fn named(response: Response, id: &str) -> Result<Response, JsValue> {
    response.headers().set(REQUEST_ID, id)?;
    Ok(response)
}

/// A free request: to the origin, and its answer back.
async fn forward(visit: &Visit, path: &str, trace: Trace) -> Result<Response, JsValue> {
    match ask_origin(visit, path, &JsValue::UNDEFINED, false, Vec::new()).await {
        Some(origin) => {
            let speaks = origin.headers().has("access-control-allow-origin")?;
            respond::deliver(&origin, &visit.gate.forwarded(visit.page.as_deref(), speaks))
        }
        None => finish(&visit.gate.failure(Code::GateOriginFailed, visit.page.as_deref()), trace),
    }
}

/// A whole answer, and its line in the log.
pub(crate) fn finish(answer: &Answer, trace: Trace) -> Result<Response, JsValue> {
    trace.end(answer.status, answer.code.map(Code::as_str));
    respond::answer(answer)
}

/// Asks the origin for a path; none when it does not begin to answer in time. A paid answer is for one request: no
/// cache on the way may have it or keep it. `changed` are headers in place of the request's own, empty for none.
pub(crate) async fn ask_origin(
    visit: &Visit,
    path: &str,
    body: &JsValue,
    paid: bool,
    mut changed: Vec<(&str, String)>,
) -> Option<Response> {
    let config = visit.gate.config();
    let binding = match &config.origin {
        Origin::Url(_) => None,
        // The binding itself: `worker::Fetcher` would wrap the response, which is handed on as it is.
        Origin::Service(name) => Some(visit.env.service(name).ok()?.into_rpc::<JsValue>()),
    };
    let url = config.target(path, visit.query.as_deref());
    let stripped = respond::stripped_from_request();
    // Passes are between the browser and the gate.
    if visit.shows_pass {
        changed.push(("authorization", String::new()));
    }
    if let Some(cookie) = visit.cookie.as_deref().filter(|cookie| cookie.contains(COOKIE)) {
        changed.push(("cookie", other_cookies(cookie)));
    }
    let changed = http::list(changed.iter().flat_map(|(name, value)| [*name, value.as_str()]));
    let patience = PATIENCE_BEGIN * 1000;
    let asked = js::ask_origin(binding.as_ref(), &url, &visit.request, body, &stripped, paid, &changed, patience);
    JsFuture::from(asked).await.ok()?.dyn_into().ok()
}

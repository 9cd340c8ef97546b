//! Carries a request through the gate: the core says what is next, this does it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use js_sys::JsString;
use js_sys::futures::{JsFuture, future_to_promise};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Headers, Request, RequestCache, RequestInit, RequestRedirect, Response};
use worker::worker_sys::Fetcher;
use worker::{AbortController, Delay, Env};
use x402_core::error::{Code, Error};
use x402_core::server::answers::Delivery;
use x402_core::server::config::Origin;
use x402_core::server::gate::{Answer, Facts, Gate, STRIPPED_FROM_REQUEST, Sale, Step};
use x402_core::server::inflight::{InFlight, Key};
use x402_core::server::path;
use x402_core::types::time::UnixSeconds;

use crate::js;
use crate::log::Trace;
use crate::{api, facilitator, respond};

/// The time an origin has to begin its answer.
const PATIENCE_ORIGIN: Duration = Duration::from_secs(60);

thread_local! {
    static IN_FLIGHT: RefCell<InFlight> = RefCell::new(InFlight::default());
}

/// A request on its way, and what belongs to it.
pub(crate) struct Visit {
    pub(crate) gate: &'static Gate,
    pub(crate) env: Env,
    pub(crate) request: Request,
    pub(crate) method: String,
    pub(crate) query: Option<String>,
    pub(crate) page: Option<String>,
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
}

/// The path and the query of a URL as it was sent: cut, not parsed.
fn target(url: &str) -> (&str, Option<&str>) {
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
        folded: folded.as_deref(),
        payment_signature: head.payment_signature.as_deref(),
        x_payment: head.x_payment.as_deref(),
        origin: head.origin.as_deref(),
        requested_headers: head.requested_headers.as_deref(),
        authorization: head.authorization.as_deref(),
        upgrade: head.upgrade.as_deref(),
    };
    let step = gate.admit(&facts, UnixSeconds(now.into()));
    let trace = || Trace::begin(&head.method, path);
    if let Step::Answer(answer) = &step {
        if facts.payment_signature.is_some() || facts.x_payment.is_some() {
            trace().end(answer.status, answer.code.map(Code::as_str));
        }
        return respond::answer(answer).map(Into::into);
    }
    let (trace, query) = (trace(), query.map(String::from));
    let visit = Visit { gate, env, request, method: head.method, query, page: head.origin };
    let promise = future_to_promise(async move { walk(&visit, step, trace).await.map(Into::into) });
    Ok(promise.into())
}

/// Takes the steps that have to wait for somebody.
async fn walk(visit: &Visit, step: Step<'static>, trace: Trace) -> Result<Response, JsValue> {
    match step {
        Step::Answer(answer) => finish(&answer, trace),
        Step::Forward(path) => forward(visit, &path, trace).await,
        Step::Facilitator(endpoint) => api::answer(visit, endpoint, trace).await,
        Step::Pay(sale) => sell(visit, &sale, trace).await,
    }
}

/// A free request: to the origin, and its answer back.
async fn forward(visit: &Visit, path: &str, trace: Trace) -> Result<Response, JsValue> {
    match ask_origin(visit, path, false).await {
        Some(origin) => {
            let speaks = origin.headers().has("access-control-allow-origin")?;
            respond::deliver(&origin, &visit.gate.forwarded(visit.page.as_deref(), speaks))
        }
        None => finish(&visit.gate.failure(Code::GateOriginFailed, visit.page.as_deref()), trace),
    }
}

/// A payment in flight; given back when the request is done with it.
struct Claim(Key);

impl Drop for Claim {
    fn drop(&mut self) {
        IN_FLIGHT.with_borrow_mut(|all| all.release(&self.0));
    }
}

/// A paid request.
async fn sell(visit: &Visit, sale: &Sale<'static>, trace: Trace) -> Result<Response, JsValue> {
    match try_sell(visit, sale).await {
        Ok((origin, Delivery::Deliver(headers), outcome)) => {
            trace.end(origin.status(), outcome);
            respond::deliver(&origin, &headers)
        }
        Ok((origin, Delivery::Withhold(answer), _)) => {
            respond::discard(&origin);
            finish(&answer, trace)
        }
        Err(answer) => finish(&answer, trace),
    }
}

/// Verifies, asks the origin, settles: the origin's answer and what happens to it.
async fn try_sell(visit: &Visit, sale: &Sale<'static>) -> Result<(Response, Delivery, Option<&'static str>), Answer> {
    let gate = visit.gate;
    let refused = |error: Error| gate.unverified(sale, &error);
    let network = &sale.network.network;
    let claim = IN_FLIGHT.with_borrow_mut(|all| all.claim(network, &sale.checked, js::now()));
    let _claim = Claim(claim.map_err(refused)?);
    let verified = facilitator::verify(&visit.env, gate, sale).await.map_err(refused)?;
    let origin = ask_origin(visit, &sale.path, true).await;
    let origin = origin.ok_or_else(|| gate.faulted(sale, Code::GateOriginFailed))?;
    if !Gate::charges(origin.status()) {
        return Ok((origin, Delivery::Deliver(gate.delivered(sale, None)), Some("not_charged")));
    }
    let settlement = match gate.ripe(sale, js::now()) {
        Ok(()) => facilitator::settle(&visit.env, &sale.checked, &verified).await,
        Err(answer) => return Ok((origin, Delivery::Withhold(answer), None)),
    };
    Ok((origin, gate.concluded(sale, settlement), Some("settled")))
}

fn finish(answer: &Answer, trace: Trace) -> Result<Response, JsValue> {
    trace.end(answer.status, answer.code.map(Code::as_str));
    respond::answer(answer)
}

/// Asks the origin for a path; none when it does not begin to answer in time. A paid answer is for one request: no
/// cache on the way may have it or keep it.
async fn ask_origin(visit: &Visit, path: &str, paid: bool) -> Option<Response> {
    let headers = Headers::new_with_headers(&visit.request.headers()).ok()?;
    for name in STRIPPED_FROM_REQUEST {
        headers.delete(name).ok()?;
    }
    let late = AbortController::default();
    let init = RequestInit::new();
    init.set_method(&visit.method);
    init.set_headers_headers(&headers);
    init.set_body_opt_readable_stream(visit.request.body().as_ref());
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&late.signal()));
    if paid {
        init.set_cache(RequestCache::NoStore);
    }
    let config = visit.gate.config();
    let request = Request::new_with_str_and_init(&config.target(path, visit.query.as_deref()), &init).ok()?;
    let asked = match &config.origin {
        Origin::Url(_) => js::fetch(&request),
        // The binding itself: `worker::Fetcher` would wrap the response, which is handed on as it is.
        Origin::Service(name) => visit.env.service(name).ok()?.into_rpc::<Fetcher>().fetch(&request).ok()?,
    };
    let Some(begun) = within(PATIENCE_ORIGIN, JsFuture::from(asked)).await else {
        late.abort();
        return None;
    };
    begun.ok().map(JsCast::unchecked_into)
}

/// What a future ends with; none when that takes longer.
async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut end) = (pin!(future), pin!(Delay::from(time)));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await
}

//! The facilitator API: reads a message, asks the core and the chain, answers.

use wasm_bindgen::JsValue;
use web_sys::Response;
use x402_core::error::Code;
use x402_core::server::gate::{Answer, Endpoint, Gate};
use x402_core::transport::http::MAX_BODY;

use crate::gate::Visit;
use crate::js;
use crate::log::Trace;
use crate::{facilitator, http, respond};

/// Answers one of the endpoints; the core has seen the token.
pub(crate) async fn answer(visit: &Visit, endpoint: Endpoint, trace: Trace) -> Result<Response, JsValue> {
    let answer = match endpoint {
        Endpoint::Supported => visit.gate.supported(),
        Endpoint::Verify | Endpoint::Settle => judge(visit, endpoint).await,
    };
    trace.end(answer.status, answer.code.map(Code::as_str));
    respond::answer(&answer)
}

async fn judge(visit: &Visit, endpoint: Endpoint) -> Answer {
    let bytes = http::body_of(&visit.request, MAX_BODY).await;
    let body = bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    let asked = match visit.gate.asked(endpoint, body.as_deref(), js::now()) {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    if endpoint == Endpoint::Settle {
        let settlement = facilitator::settle_for(&visit.env, asked.network, &asked.checked).await;
        Gate::asked_settled(&asked, settlement)
    } else {
        let verdict = facilitator::verify_for(asked.network, &asked.checked).await;
        Gate::asked_verified(&asked, verdict)
    }
}

//! Cross-origin requests: a browser must be let through to the 402, to the payment and to the receipt.

use alloc::string::String;
use alloc::vec::Vec;

use crate::server::gate::Header;

/// Response headers a page may read.
const EXPOSE: &str = "PAYMENT-REQUIRED, PAYMENT-RESPONSE, X-PAYMENT-RESPONSE, PAYMENT-PASS, Retry-After, Date";
/// The payment headers a page must be able to send; the third is one that a widely used client sends.
const ALLOW: &str = "PAYMENT-SIGNATURE, X-PAYMENT, Access-Control-Expose-Headers, Content-Type, Authorization, Accept";
/// Seconds a browser may remember a preflight's answer.
const MAX_AGE: &str = "600";

/// Which pages may read answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// None: no CORS header is sent.
    Off,
    /// Any page, without credentials.
    Any,
    /// These origins, with credentials.
    Origins(Vec<String>),
}

impl Cors {
    /// The headers of an answer to a page of this origin.
    pub fn headers(&self, origin: Option<&str>) -> Vec<Header> {
        let mut headers = Vec::new();
        match self {
            Self::Off => {}
            Self::Any => headers.push(Header::new("access-control-allow-origin", "*")),
            Self::Origins(allowed) => {
                if let Some(origin) = origin.filter(|origin| allowed.iter().any(|known| known == origin)) {
                    headers.push(Header::new("access-control-allow-origin", origin));
                    headers.push(Header::new("access-control-allow-credentials", "true"));
                }
            }
        }
        if !headers.is_empty() {
            headers.push(Header::new("access-control-expose-headers", EXPOSE));
        }
        headers
    }

    /// The headers that let a page send its request. `requested` is what the preflight asked to send: beside the
    /// payment's own headers it is allowed as asked, since the gate forwards what the origin may need.
    pub fn preflight(&self, origin: Option<&str>, methods: &str, requested: Option<&str>) -> Vec<Header> {
        let mut headers = self.headers(origin);
        if headers.is_empty() {
            return headers;
        }
        let mut allow = String::from(ALLOW);
        for name in requested.unwrap_or_default().split(',').map(str::trim) {
            let token = !name.is_empty()
                && name.len() <= 64
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let known = allow.split(", ").any(|have| have.eq_ignore_ascii_case(name));
            if token && !known && allow.len() < 2048 {
                allow.push_str(", ");
                allow.push_str(name);
            }
        }
        headers.push(Header::new("access-control-allow-methods", methods));
        headers.push(Header::new("access-control-allow-headers", allow));
        headers.push(Header::new("access-control-max-age", MAX_AGE));
        headers
    }

    /// Whether answers differ by the page's origin.
    pub const fn varies(&self) -> bool {
        matches!(self, Self::Origins(_))
    }
}

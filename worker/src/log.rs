//! The log: one line of JSON for each request that paid, tried to, or met a fault. Free requests and plain challenges
//! leave none: anybody can cause those. A line holds no header, no signature, no key and no URL.

use serde_json::json;
use worker::{console_error, console_log, console_warn};

use crate::js;

/// Characters of a path that are logged.
const PATH: usize = 120;

/// A request that may get a line.
pub(crate) struct Trace {
    id: String,
    method: String,
    path: String,
    begun: u64,
}

impl Trace {
    pub(crate) fn begin(method: &str, path: &str) -> Self {
        Self {
            id: js::random_uuid(),
            method: method.chars().filter(char::is_ascii_graphic).take(16).collect(),
            path: path.chars().filter(char::is_ascii_graphic).take(PATH).collect(),
            begun: js::milliseconds(),
        }
    }

    /// What the request is called in the log, before the origin and in the answer.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Writes the line.
    pub(crate) fn end(self, status: u16, outcome: Option<&str>) {
        let milliseconds = js::milliseconds().saturating_sub(self.begun);
        let line = json!({
            "id": self.id,
            "method": self.method,
            "path": self.path,
            "status": status,
            "outcome": outcome,
            "milliseconds": milliseconds,
        });
        console_log!("{line}");
    }
}

/// Writes what the owner should hear about a request beside its line.
pub(crate) fn remark(id: &str, code: &str) {
    console_error!("{}", json!({ "id": id, "error": code }));
}

/// Writes what whoever runs the gate should know, and of what.
pub(crate) fn warn(code: &str, of: &str) {
    console_warn!("{}", json!({ "warning": code, "of": of }));
}

/// Writes why the gate cannot work at all.
pub(crate) fn fault(code: &str, message: &str) {
    console_error!("{}", json!({ "error": code, "message": message }));
}

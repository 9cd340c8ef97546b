//! Rules about Rust: who may import whom, and what the shipped code never says.

use super::Complaint;
use super::source::{line_of, rust_code, without_tests, words};

/// Which modules of the core each module may import. `error` and `types` are the ground everything stands on; the roles
/// at the top never see each other, so that a page that pays does not carry a facilitator; but a server checks payments
/// itself, and asks the facilitator's code how.
const LAYERS: [(&str, &[&str]); 10] = [
    ("error", &["types"]),
    ("types", &["error"]),
    ("transport", &["error", "types"]),
    ("evm", &["error", "types"]),
    ("extension", &["error", "types", "transport", "evm"]),
    ("scheme", &["error", "types", "transport", "evm", "extension"]),
    ("client", ROLE),
    ("server", &["error", "types", "transport", "evm", "extension", "scheme", "facilitator", "ledger"]),
    ("facilitator", ROLE),
    ("ledger", &["error", "types"]),
];
const ROLE: &[&str] = &["error", "types", "transport", "evm", "extension", "scheme"];

/// Crates that would give the core a clock, randomness, a network or a JavaScript host.
const FORBIDDEN: [&str; 18] = [
    "async-std",
    "chrono",
    "console_error_panic_hook",
    "futures-executor",
    "getrandom",
    "gloo-net",
    "gloo-timers",
    "hyper",
    "js-sys",
    "rand",
    "reqwest",
    "serde-wasm-bindgen",
    "std_detect",
    "tokio",
    "wasm-bindgen",
    "wasm-bindgen-futures",
    "web-sys",
    "worker",
];

/// Rule: imports inside the core go downwards only.
pub(super) fn direction(path: &str, text: &str) -> Vec<Complaint> {
    let Some(module) = module_of(path) else {
        return Vec::new();
    };
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
        return vec![Complaint::new(
            path,
            0,
            format!("the module `{module}` is in no layer; xtask/src/tidy/rust.rs says who may import whom"),
        )];
    };
    let code = without_tests(&rust_code(text));
    let mut complaints = Vec::new();
    for at in words(&code, "crate") {
        for target in targets(code.get(at + "crate".len()..).unwrap_or_default()) {
            let fine = target == module || allowed.contains(&target.as_str());
            if !fine {
                complaints.push(Complaint::new(
                    path,
                    line_of(&code, at),
                    format!("`{module}` may not import `{target}`, only {}", allowed.join(", ")),
                ));
            }
        }
    }
    // A path through the root would hide from the rule above.
    let is_root_of_module = path.matches('/').count() == 1 || path.ends_with("/mod.rs");
    let climbs = if is_root_of_module { "super::" } else { "super::super::" };
    for (at, _) in code.match_indices(climbs) {
        complaints.push(Complaint::new(
            path,
            line_of(&code, at),
            format!("`{climbs}` climbs out of the module unseen: write `crate::…`"),
        ));
    }
    complaints
}

/// The core's top-level module a file belongs to; none for what is not the core or is only a test.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    if !inside.ends_with(".rs") || inside == "lib.rs" || is_test_file(inside) {
        return None;
    }
    let first = inside.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| part == "tests")
}

/// The first names behind `crate`: of `::a::b` it is `a`, of `::{a::b, c}` both `a` and `c`.
fn targets(behind: &str) -> Vec<String> {
    let Some(path) = behind.strip_prefix("::") else {
        return Vec::new();
    };
    let path = path.trim_start();
    let Some(group) = path.strip_prefix('{') else {
        return identifier(path).into_iter().collect();
    };
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut expects_name = true;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expects_name = true,
            _ if depth == 0 && expects_name && !character.is_whitespace() => {
                found.extend(group.get(at..).and_then(identifier));
                expects_name = false;
            }
            _ => {}
        }
    }
    found
}

/// The module a name stands for. What the crate's root re-exports by a capital name belongs to `error`.
fn identifier(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let name = text.get(..end).filter(|name| !name.is_empty())?;
    Some(match name {
        "Error" | "Code" | "Result" => "error".to_owned(),
        _ => name.to_owned(),
    })
}

/// Rule: the core has no std and no async, and nothing that is shipped can panic on purpose.
pub(super) fn absent_words(path: &str, text: &str) -> Vec<Complaint> {
    let in_core = path.starts_with("src/");
    let shipped = in_core || path.starts_with("pkg/src/") || path.starts_with("worker/src/");
    if !shipped || !path.ends_with(".rs") || is_test_file(path) {
        return Vec::new();
    }
    let code = without_tests(&rust_code(text));
    let mut complaints = Vec::new();
    let mut refuse = |at: usize, what: &str, why: &str| {
        complaints.push(Complaint::new(path, line_of(&code, at), format!("`{what}`: {why}")));
    };
    if in_core {
        for at in words(&code, "std") {
            refuse(at, "std", "the core knows core and alloc only");
        }
        for at in words(&code, "async") {
            refuse(at, "async", "the core waits for nobody; effects belong to the edges");
        }
    }
    for method in ["unwrap", "expect", "unwrap_err", "expect_err"] {
        for at in words(&code, method) {
            let is_call = code.get(..at).is_some_and(|before| before.trim_end().ends_with('.'));
            if is_call {
                refuse(at, method, "a panic poisons a wasm instance; return an error");
            }
        }
    }
    for name in ["panic", "unreachable", "todo", "unimplemented"] {
        for at in words(&code, name) {
            if code.get(at + name.len()..).is_some_and(|behind| behind.starts_with('!')) {
                refuse(at, name, "a panic poisons a wasm instance; return an error");
            }
        }
    }
    complaints
}

/// Rule: the core's tree holds none of [`FORBIDDEN`]. Takes what `cargo tree` prints, one crate per line.
pub(super) fn forbidden_crates(tree: &str) -> Vec<Complaint> {
    let mut names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| FORBIDDEN.contains(name))
        .map(|name| {
            Complaint::new("Cargo.toml", 0, format!("the core's tree contains `{name}`, which belongs to an edge"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_that_go_up_or_sideways_are_refused() {
        for (path, line) in [
            ("src/types/amount.rs", "use crate::evm::address::Address;"),
            ("src/evm/abi.rs", "use crate::transport::http;"),
            ("src/scheme/exact/evm.rs", "use crate::client::choose;"),
            ("src/client/choose.rs", "use crate::{types::Amount, server::offer};"),
            ("src/ledger/book.rs", "use crate::evm::keccak::keccak256;"),
            ("src/types/amount.rs", "fn f() { crate::server::price::parse() }"),
            ("src/types/amount.rs", "use super::super::server;"),
            ("src/error.rs", "use super::client;"),
            ("src/elsewhere.rs", "use crate::types::Amount;"),
        ] {
            assert_eq!(direction(path, line).len(), 1, "{path}: {line}");
        }
    }

    #[test]
    fn imports_that_go_down_are_fine() {
        for (path, line) in [
            ("src/client/choose.rs", "use crate::{error::{Code, Error}, scheme::exact, types::Amount};"),
            ("src/evm/abi.rs", "use crate::Error; use super::address::Address; pub(crate) fn f() {}"),
            ("src/types/amount.rs", "// crate::server is another room\nuse crate::types::network::Network;"),
            ("src/server/price.rs", "#[cfg(test)]\nmod tests { use crate::client::choose; use super::*; }"),
            ("src/lib.rs", "pub mod types; use crate::client::choose;"),
            ("worker/src/lib.rs", "use crate::objects;"),
        ] {
            assert_eq!(direction(path, line), [], "{path}: {line}");
        }
    }

    #[test]
    fn std_async_and_panics_are_refused_in_the_core() {
        for line in [
            "use std::vec::Vec;",
            "extern crate std;",
            "pub async fn f() {}",
            "let a = b.unwrap();",
            "let a = b\n    .expect(\"c\");",
            "panic!(\"x\")",
            "unreachable!()",
            "todo!()",
        ] {
            assert_eq!(absent_words("src/types/amount.rs", line).len(), 1, "{line}");
        }
        for line in [
            "//! not for std\nuse core::fmt;",
            "#[cfg(test)]\nmod tests { fn f() { x.unwrap() } }",
            "#![no_std]\nlet a = b.unwrap_or(c); fn expect() {}",
        ] {
            assert_eq!(absent_words("src/types/amount.rs", line), [], "{line}");
        }
    }

    #[test]
    fn the_edges_may_use_std_and_async_but_not_panic() {
        assert_eq!(absent_words("worker/src/lib.rs", "use std::fmt; async fn f() {}"), []);
        assert_eq!(absent_words("worker/src/lib.rs", "a.unwrap()").len(), 1);
        assert_eq!(absent_words("pkg/src/lib.rs", "a.expect(\"\")").len(), 1);
        assert_eq!(absent_words("xtask/src/main.rs", "a.expect(\"\")"), []);
    }

    #[test]
    fn a_forbidden_crate_in_the_tree_is_named_once() {
        let tree = "x402-core v0.1.0 (/somewhere)\nk256 v0.14.0\ngetrandom v0.3.1\ngetrandom v0.3.1 (*)\n";
        let found = forbidden_crates(tree);
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|one| one.message.contains("`getrandom`")));
        assert_eq!(forbidden_crates("serde v1.0.0\nrand_core v0.10.0\n"), []);
    }
}

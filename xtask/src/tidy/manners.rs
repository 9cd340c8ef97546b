//! Rules about manners: what a gate never does, how tests behave, who keeps away from whom.

use super::Complaint;
use super::source::{line_of, rust_code, script_code, words};
use super::text::{is_code, is_script};

/// Rule: the gate never lets a request through because it failed itself.
pub(super) fn pass_through(path: &str, text: &str) -> Vec<Complaint> {
    if !is_code(path) {
        return Vec::new();
    }
    let names = [["passThrough", "OnException"], ["pass_through", "_on_exception"]].map(|halves| halves.concat());
    names
        .iter()
        .flat_map(|name| words(text, name).map(|at| (at, name.clone())).collect::<Vec<_>>())
        .map(|(at, name)| Complaint::new(path, line_of(text, at), format!("`{name}` opens the gate when it fails")))
        .collect()
}

/// Rule: no test is skipped, and none is run instead of the others.
pub(super) fn skipped_tests(path: &str, text: &str) -> Vec<Complaint> {
    let code;
    let mut found: Vec<(usize, String)> = Vec::new();
    if path.ends_with(".rs") {
        code = rust_code(text);
        found.extend(places(&code, "#[ignore"));
    } else if is_script(path) && path.starts_with("tests/") {
        code = script_code(text);
        for who in ["test", "it", "describe", "suite", "t"] {
            for how in ["skip", "todo", "only"] {
                let call = format!("{who}.{how}");
                found.extend(words(&code, &call).map(|at| (at, call.clone())));
            }
        }
        for option in ["skip: ", "todo: ", "only: true"] {
            found.extend(places(&code, option));
        }
    } else {
        return Vec::new();
    }
    found
        .into_iter()
        .map(|(at, what)| {
            let message = format!("`{}`: every test runs, or it goes", what.trim());
            Complaint::new(path, line_of(&code, at), message)
        })
        .collect()
}

fn places(code: &str, needle: &str) -> Vec<(usize, String)> {
    code.match_indices(needle).map(|(at, _)| (at, needle.to_owned())).collect()
}

/// Rule: tests wait for a condition, not for a while. Parts of the local world that are slow by nature (an origin that
/// streams) live in `tests/support` and say so: a `timer:` comment with the reason on the line above or beside.
pub(super) fn waits_in_tests(path: &str, text: &str) -> Vec<Complaint> {
    if !path.starts_with("tests/") || !is_code(path) {
        return Vec::new();
    }
    let is_support = path.starts_with("tests/support/");
    let code = if path.ends_with(".rs") { rust_code(text) } else { script_code(text) };
    let lines: Vec<&str> = text.lines().collect();
    let reasoned = |line: usize| {
        let shown = |at: Option<usize>| at.and_then(|at| lines.get(at)).is_some_and(|line| line.contains("// timer: "));
        shown(line.checked_sub(1)) || shown(line.checked_sub(2))
    };
    let mut complaints = Vec::new();
    for name in ["sleep", "setTimeout", "setInterval", "timers/promises"] {
        for at in words(&code, name) {
            let is_call =
                code.get(at + name.len()..).is_some_and(|behind| behind.starts_with('(')) || name.contains('/');
            let line = line_of(&code, at);
            if is_call && !(is_support && reasoned(line)) {
                complaints.push(Complaint::new(
                    path,
                    line,
                    format!("`{name}`: a test waits for a condition, not for a while"),
                ));
            }
        }
    }
    complaints
}

/// Rule: the package and the gate share the core and nothing else.
pub(super) fn siblings(path: &str, text: &str) -> Vec<Complaint> {
    let (own, strangers) = if path.starts_with("pkg/") {
        ("the package", ["x402-gate", "x402_gate", "../worker/"])
    } else if path.starts_with("worker/") {
        ("the gate", ["x402-wasm", "x402_wasm", "../pkg/"])
    } else {
        return Vec::new();
    };
    let imports = |line: &str| {
        let line = line.trim_start();
        path.ends_with("Cargo.toml")
            && !line.starts_with('#')
            && !line.starts_with("repository")
            && !line.starts_with("name")
            || ["use ", "pub use ", "import ", "export ", "extern crate "].iter().any(|start| line.starts_with(start))
            || line.contains("import(")
            || line.contains("require(")
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| imports(line) && strangers.iter().any(|name| line.contains(name)))
        .map(|(index, line)| Complaint::new(path, index + 1, format!("{own} imports its sibling: {}", line.trim())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_the_gate_on_failure_is_refused() {
        let line = ["ctx.passThrough", "OnException();"].concat();
        assert_eq!(pass_through("worker/index.mjs", &line).len(), 1);
        let line = ["ctx.pass_through", "_on_exception();"].concat();
        assert_eq!(pass_through("worker/src/lib.rs", &line).len(), 1);
    }

    #[test]
    fn skipped_and_singled_out_tests_are_refused() {
        for line in [
            "test.skip(\"a\", f)",
            "describe.only(\"a\", f)",
            "it.todo(\"a\")",
            "test(\"a\", { skip: true }, f)",
            "t.skip()",
        ] {
            assert_eq!(skipped_tests("tests/workerd/a.test.mjs", line).len(), 1, "{line}");
        }
        assert_eq!(skipped_tests("tests/it/a.rs", "#[ignore]\nfn a() {}").len(), 1);
        assert_eq!(skipped_tests("tests/it/a.rs", "list.iter().skip(1)"), []);
        assert_eq!(skipped_tests("tests/workerd/a.test.mjs", "// test.skip( is not done here"), []);
    }

    #[test]
    fn waiting_for_a_while_is_refused() {
        for (path, line) in [
            ("tests/workerd/a.test.mjs", "await new Promise((done) => setTimeout(done, 100));"),
            ("tests/it/a.rs", "std::thread::sleep(second);"),
            ("tests/workerd/a.test.mjs", "import { setTimeout } from \"node:timers/promises\";"),
            ("tests/workerd/a.test.mjs", "setTimeout(done, 1); // timer: not in a test"),
            ("tests/support/a.mjs", "setTimeout(done, 1);"),
        ] {
            assert_eq!(waits_in_tests(path, line).len(), 1, "{path}: {line}");
        }
        assert_eq!(waits_in_tests("tests/support/a.mjs", "// timer: the stream is slow\nsetTimeout(done, 1);"), []);
        assert_eq!(waits_in_tests("www/a.mjs", "setTimeout(done, 1);"), []);
    }

    #[test]
    fn siblings_that_import_each_other_are_refused() {
        for (path, line) in [
            ("pkg/js/a.js", "import x from \"../../worker/index.mjs\";"),
            ("pkg/Cargo.toml", "x402-gate = { path = \"../worker\" }"),
            ("worker/src/lib.rs", "use x402_wasm::fetch;"),
            ("worker/index.mjs", "export { a } from \"x402-wasm\";"),
        ] {
            assert_eq!(siblings(path, line).len(), 1, "{path}: {line}");
        }
        assert_eq!(siblings("pkg/Cargo.toml", "name = \"x402-wasm\""), []);
        assert_eq!(siblings("pkg/js/a.js", "import init from \"../wasm/x402_wasm.js\";"), []);
    }
}

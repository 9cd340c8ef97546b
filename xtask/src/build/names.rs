//! Short names at the border between a module and its glue: nobody types them, and every page downloads them twice.
//!
//! wasm-opt renames what the module imports and exports and tells how; here the glue follows. What does not fit is an
//! error of the build: a name that is missed would fail where it is called.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// wasm-opt's pass; its report goes to [`shorten`].
pub(super) const PASS: &str = "--minify-imports-and-exports";

/// The glue with the module's new names.
pub(super) fn shorten(glue: &str, report: &str) -> Result<String> {
    let report: Value = serde_json::from_str(report).context("wasm-opt did not say how it named things")?;
    let rows = |key: &str| -> Vec<Vec<&str>> {
        let rows = report[key].as_array().into_iter().flatten();
        rows.map(|row| row.as_array().into_iter().flatten().filter_map(Value::as_str).collect()).collect()
    };
    let mut glue = glue.to_owned();
    for row in rows("imports") {
        let [_, old, new] = row[..] else { bail!("wasm-opt reports its imports in another form") };
        let (member, renamed) = (format!("        {old}: function("), format!("        {new}: function("));
        ensure!(glue.matches(&member).count() == 1, "the glue does not define the import {old} once");
        glue = glue.replace(&member, &renamed);
    }
    let mut exports = HashMap::new();
    for row in rows("exports") {
        let [old, new] = row[..] else { bail!("wasm-opt reports its exports in another form") };
        exports.insert(old, new);
    }
    let mut out = String::new();
    let mut rest = glue.as_str();
    while let Some(at) = rest.find("wasm.") {
        let (before, after) = rest.split_at(at + "wasm.".len());
        let end = after.find(|letter| !is_part_of_name(letter)).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let whole = !before[..at].ends_with(is_part_of_name);
        out.push_str(before);
        match exports.get(name) {
            Some(new) if whole => out.push_str(new),
            _ if whole => bail!("the glue uses the export {name}, which the module does not have"),
            _ => out.push_str(name),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn is_part_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLUE: &str =
        "import './x402_wasm.js';\n        __wbg_now: function() {\nwasm.sign(1); wasm.sign_all; wasm.memory";
    const REPORT: &str =
        r#"{"imports":[["m","__wbg_now","a"]],"exports":[["sign","memory"],["sign_all","$"],["memory","b"]]}"#;

    #[test]
    fn the_glue_follows_the_module() {
        let short = shorten(GLUE, REPORT).unwrap();
        assert_eq!(short, "import './x402_wasm.js';\n        a: function() {\nwasm.memory(1); wasm.$; wasm.b");
    }

    #[test]
    fn a_name_that_does_not_fit_ends_the_build() {
        for (from, to) in
            [("sign_all\"", "other\""), ("__wbg_now", "__wbg_then"), ("[\"memory\",\"b\"]", "[\"memory\"]")]
        {
            assert!(shorten(GLUE, &REPORT.replace(from, to)).is_err(), "{from}");
        }
        assert!(shorten(GLUE, "").is_err());
    }
}

//! Every crate and every npm package is under a licence we may use: a stricter list for what is shipped inside our
//! modules, an open-source list for tools.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run::{metadata, quietly, root};
use crate::tools;

/// What may be linked into a module that others load: it asks for no more than a notice.
const SHIPPED: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What may be used beside that to build and to test; the last is a licence of data.
const TOOLS: [&str; 3] = ["BlueOak-1.0.0", "MPL-2.0", "CC-BY-4.0"];

/// The crates whose trees are shipped.
const PRODUCTS: [&str; 4] = ["x402-core", "x402-wasm", "x402-keystore", "x402-gate"];

/// Fails with every package whose licence is on neither list.
pub fn run() -> Result<()> {
    let mut complaints = Vec::new();
    let shipped = metadata(&["--filter-platform", tools::WASM])?;
    let names = tree(&shipped)?;
    complaints.extend(crates(&shipped, &|id| names.contains(id), &SHIPPED));
    let tools: Vec<&str> = SHIPPED.iter().chain(&TOOLS).copied().collect();
    complaints.extend(crates(&metadata(&["--filter-platform", &host()?])?, &|_| true, &tools));
    complaints.extend(npm(&tools)?);
    complaints.sort();
    complaints.dedup();
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("packages without a licence we accept (xtask/src/licences.rs holds the lists):\n{}", complaints.join("\n"))
}

/// The triple of this machine.
fn host() -> Result<String> {
    let version = quietly(std::process::Command::new("rustc").current_dir(root()).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not name its host")
}

/// The ids of everything the products link: normal dependencies, all the way down.
fn tree(metadata: &Value) -> Result<BTreeSet<String>> {
    let nodes = metadata["resolve"]["nodes"].as_array().context("cargo metadata has no dependency graph")?;
    let mut below: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in nodes {
        let dependencies = node["deps"].as_array().into_iter().flatten();
        let normal = dependencies.filter(|one| {
            let kinds = one["dep_kinds"].as_array();
            kinds.is_none_or(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
        });
        let ids = normal.filter_map(|one| one["pkg"].as_str()).collect();
        below.insert(node["id"].as_str().unwrap_or_default(), ids);
    }
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut waiting: Vec<&str> = packages
        .filter(|package| PRODUCTS.iter().any(|name| package["name"] == *name))
        .filter_map(|package| package["id"].as_str())
        .collect();
    if waiting.len() < PRODUCTS.len() {
        bail!("cargo metadata does not know all of {}", PRODUCTS.join(", "));
    }
    let mut found = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if found.insert(id.to_owned()) {
            waiting.extend(below.get(id).into_iter().flatten());
        }
    }
    Ok(found)
}

fn crates(metadata: &Value, wanted: &dyn Fn(&str) -> bool, list: &[&str]) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["id"].as_str().is_some_and(wanted))
        .filter_map(|package| {
            let licence = package["license"].as_str().unwrap_or_default();
            complaint("crate", &package["name"], &package["version"], licence, list)
        })
        .collect()
}

/// The packages of the tests' lockfile. Where the lockfile is silent, the installed package speaks.
fn npm(list: &[&str]) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(root().join("tests/package-lock.json"))
        .context("tests/package-lock.json could not be read")?;
    let lock: Value = serde_json::from_str(&text).context("tests/package-lock.json is not JSON")?;
    let packages = lock["packages"].as_object().context("tests/package-lock.json lists no packages")?;
    Ok(packages
        .iter()
        .filter(|(path, _)| !path.is_empty())
        .filter_map(|(path, package)| {
            let licence = match package["license"].as_str() {
                Some(licence) => licence.to_owned(),
                None => installed(path),
            };
            let name = path.rsplit("node_modules/").next().unwrap_or(path);
            complaint("npm package", &Value::from(name), &package["version"], &licence, list)
        })
        .collect())
}

/// The licence an installed package names, also in npm's two older spellings.
fn installed(path: &str) -> String {
    let file = root().join("tests").join(path).join("package.json");
    let package = std::fs::read_to_string(file).unwrap_or_default();
    let package: Value = serde_json::from_str(&package).unwrap_or_default();
    [&package["license"], &package["license"]["type"], &package["licenses"][0]["type"]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn complaint(kind: &str, name: &Value, version: &Value, licence: &str, list: &[&str]) -> Option<String> {
    if allowed(licence, list) {
        return None;
    }
    let shown = if licence.is_empty() { "no licence named" } else { licence };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(format!("{kind} {} {}: {shown}", text(name), text(version)))
}

/// Whether an SPDX expression can be met from the list: one side of an `OR`, both sides of an `AND`. The slash is an old
/// spelling of `OR`.
fn allowed(expression: &str, list: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let answer = any_of(&mut rest, list);
    answer && rest.is_empty()
}

fn any_of(words: &mut &[&str], list: &[&str]) -> bool {
    let mut answer = all_of(words, list);
    while let Some((&"OR", rest)) = words.split_first() {
        *words = rest;
        answer |= all_of(words, list);
    }
    answer
}

fn all_of(words: &mut &[&str], list: &[&str]) -> bool {
    let mut answer = term(words, list);
    while let Some((&"AND", rest)) = words.split_first() {
        *words = rest;
        answer &= term(words, list);
    }
    answer
}

fn term(words: &mut &[&str], list: &[&str]) -> bool {
    match words {
        ["(", rest @ ..] => {
            *words = rest;
            let answer = any_of(words, list);
            match words {
                [")", rest @ ..] => {
                    *words = rest;
                    answer
                }
                _ => false,
            }
        }
        [name, "WITH", exception, rest @ ..] => {
            *words = rest;
            list.contains(&format!("{name} WITH {exception}").as_str())
        }
        [name, rest @ ..] => {
            *words = rest;
            list.contains(name)
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_from_the_list() {
        for fine in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "(MIT OR GPL-3.0) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(allowed(fine, &SHIPPED), "{fine}");
        }
        for refused in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "MPL-2.0", "SEE LICENSE IN LICENSE", "(MIT", "GPL-3.0 WITH MIT"]
        {
            assert!(!allowed(refused, &SHIPPED), "{refused}");
        }
    }

    #[test]
    fn a_crate_deep_in_a_product_is_seen_and_a_build_tool_is_not() -> Result<()> {
        let graph = serde_json::json!({
            "packages": [
                { "id": "core", "name": "x402-core", "version": "1", "license": "MIT" },
                { "id": "wasm", "name": "x402-wasm", "version": "1", "license": "MIT" },
                { "id": "keystore", "name": "x402-keystore", "version": "1", "license": "MIT" },
                { "id": "gate", "name": "x402-gate", "version": "1", "license": "MIT" },
                { "id": "deep", "name": "deep", "version": "2", "license": "GPL-3.0" },
                { "id": "tool", "name": "tool", "version": "3", "license": "GPL-3.0" },
            ],
            "resolve": { "nodes": [
                { "id": "gate", "deps": [
                    { "pkg": "deep", "dep_kinds": [{ "kind": null }] },
                    { "pkg": "tool", "dep_kinds": [{ "kind": "build" }] },
                ] },
            ] },
        });
        let names = tree(&graph)?;
        let found = crates(&graph, &|id| names.contains(id), &SHIPPED);
        assert_eq!(found, ["crate deep 2: GPL-3.0"]);
        Ok(())
    }
}

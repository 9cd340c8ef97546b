//! `cargo xtask size`: what a page downloads and what an owner uploads, beside what we promised.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::run::{quietly, root, target_dir, write_if_changed};
use crate::{build, tools};

/// A measured file.
struct Part {
    name: &'static str,
    file: PathBuf,
}

/// A sum of parts with a promise, in bytes.
struct Promise {
    name: &'static str,
    parts: [&'static str; 2],
    /// `gzip` or `brotli`: the way it travels.
    encoding: &'static str,
    first: u64,
    aim: u64,
}

/// The size budgets of the project.
const PROMISES: [Promise; 2] = [
    Promise {
        name: "payer download",
        parts: ["package wasm", "package js"],
        encoding: "brotli",
        first: 65_000,
        aim: 40_000,
    },
    Promise { name: "gate upload", parts: ["gate wasm", "gate js"], encoding: "gzip", first: 400_000, aim: 250_000 },
];

/// Builds, weighs, prints the table and writes `target/size.json`. A first budget that is not kept is an error.
pub fn run(words: &[&str]) -> Result<()> {
    if let Some(word) = words.first() {
        bail!("`size` takes no argument, not `{word}`");
    }
    build::run(&["pkg", "gate"])?;
    let parts = parts()?;
    let weights = weigh(&parts)?;
    let mut rows = Vec::new();
    println!("{:<16}{:>12}{:>12}{:>12}", "bytes", "raw", "gzip", "brotli");
    for (part, weight) in parts.iter().zip(&weights) {
        let number = |key: &str| weight[key].as_u64().unwrap_or_default();
        println!("{:<16}{:>12}{:>12}{:>12}", part.name, number("raw"), number("gzip"), number("brotli"));
        rows.push(
            json!({ "name": part.name, "raw": weight["raw"], "gzip": weight["gzip"], "brotli": weight["brotli"] }),
        );
    }
    println!();
    let mut broken = Vec::new();
    let mut promises = Vec::new();
    for promise in &PROMISES {
        let bytes: u64 = parts
            .iter()
            .zip(&weights)
            .filter(|(part, _)| promise.parts.contains(&part.name))
            .filter_map(|(_, weight)| weight[promise.encoding].as_u64())
            .sum();
        let Promise { name, encoding, first, aim, .. } = promise;
        println!("{name}, {encoding}: {bytes} — {}", verdict(bytes, *first, *aim));
        if bytes > *first {
            broken.push(*name);
        }
        promises.push(json!({ "name": name, "encoding": encoding, "bytes": bytes, "first": first, "aim": aim }));
    }
    let report = json!({ "parts": rows, "promises": promises });
    write_if_changed(&target_dir()?.join("size.json"), format!("{report:#}\n").as_bytes())?;
    if !broken.is_empty() {
        bail!("above the budget: {}", broken.join(", "));
    }
    Ok(())
}

fn verdict(bytes: u64, first: u64, aim: u64) -> String {
    if bytes <= aim {
        format!("within the aim of {aim}")
    } else if bytes <= first {
        format!("within the budget of {first}, the aim is {aim}")
    } else {
        format!("above the budget of {first}")
    }
}

/// The files as they travel: the modules as built, the scripts as bundlers make them.
fn parts() -> Result<[Part; 4]> {
    let package_js = target_dir()?.join("xtask/payer.js");
    let tests = root().join("tests");
    bundle(&tests.join("node_modules/x402-wasm"), &package_js, &["--minify", "--platform=browser"])
        .context("the npm package could not be bundled as a page would")?;
    let gate_js = target_dir()?.join("xtask/gate.js");
    let externals = ["--external:cloudflare:*", "--external:node:*", "--external:*.wasm", "--external:*.json"];
    bundle(&root().join("worker/index.mjs"), &gate_js, &externals)
        .context("the gate's script could not be bundled as wrangler would")?;
    Ok([
        Part { name: "package wasm", file: root().join("pkg/wasm/x402_wasm_bg.wasm") },
        Part { name: "package js", file: package_js },
        Part { name: "gate wasm", file: root().join("worker/build/x402_gate_bg.wasm") },
        Part { name: "gate js", file: gate_js },
    ])
}

fn bundle(entry: &Path, output: &Path, options: &[&str]) -> Result<()> {
    let mut command = Command::new(tools::esbuild()?);
    command.current_dir(root().join("tests"));
    command.arg(entry).args(["--bundle", "--format=esm", "--target=es2022", "--legal-comments=none"]);
    command.args(["--log-level=error", "--loader:.wasm=file", "--asset-names=[name]"]);
    command.args(options).arg(format!("--outfile={}", output.display()));
    quietly(&mut command).map(drop)
}

fn weigh(parts: &[Part]) -> Result<Vec<Value>> {
    let mut command = Command::new(tools::node()?);
    command.arg(root().join("tests/support/weigh.mjs"));
    command.args(parts.iter().map(|part| &part.file));
    let answer: Vec<Value> = serde_json::from_str(&quietly(&mut command)?).context("the scales answered no JSON")?;
    if answer.len() != parts.len() {
        bail!("the scales weighed {} of {} files", answer.len(), parts.len());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_judged_by_both_marks() {
        assert!(verdict(40_000, 65_000, 40_000).starts_with("within the aim"));
        assert!(verdict(40_001, 65_000, 40_000).starts_with("within the budget"));
        assert!(verdict(65_001, 65_000, 40_000).starts_with("above"));
    }
}

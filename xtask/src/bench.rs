//! `cargo xtask bench`: our figures beside the reference packages', measured in turns in one run.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{root, target_dir};
use crate::{build, tools};

/// Runs `tests/bench`, which prints the table and writes `target/bench.json`.
///
/// The words go to the bench: `--quick` takes few rounds, `--only size,crypto,cold,throughput` some parts,
/// `--peer-only` needs nothing of ours built.
pub fn run(words: &[&str]) -> Result<()> {
    tools::prepare()?;
    if !words.contains(&"--peer-only") {
        build::run(&["pkg", "gate"])?;
    }
    ensure!(
        tools::on_path("taskset").is_some(),
        "`taskset` was not found: install Debian's package util-linux, without it the two sides share no fixed core"
    );
    let status = Command::new(tools::node()?)
        .arg(root().join("tests/bench/bench.mjs"))
        .arg("--out")
        .arg(target_dir()?.join("bench.json"))
        .args(words)
        .status()
        .context("the bench could not be started")?;
    ensure!(status.success(), "the bench did not finish");
    Ok(())
}

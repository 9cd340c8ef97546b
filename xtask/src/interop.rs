//! `cargo xtask interop`: every client pays every gate it can, on the local chain, and the table of it.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{root, target_dir};
use crate::world::{self, Options};
use crate::{build, tools};

/// Runs the matrix of `tests/interop` in a world of its own and writes `target/interop.json`.
///
/// The words go to the matrix: `--only <words>` picks the cells whose names hold them all, `--out <file>` writes
/// elsewhere. An error when any cell failed.
pub fn run(words: &[&str]) -> Result<()> {
    tools::prepare()?;
    build::run(&[])?;
    let browser = tools::chromium()?;
    let world = world::start(&Options::default())?;
    let status = Command::new(tools::node()?)
        .arg(root().join("tests/interop/matrix.mjs"))
        .arg("--out")
        .arg(target_dir()?.join("interop.json"))
        .args(words)
        .env("X402_WORLD", world.json())
        .env("CHROMIUM", browser)
        .status()
        .context("the interop matrix could not be started")?;
    ensure!(status.success(), "the interop matrix has cells that failed");
    Ok(())
}

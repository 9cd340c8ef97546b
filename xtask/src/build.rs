//! From crates to what is shipped: cargo, then wasm-bindgen's library, then wasm-opt. And the test contracts.
//!
//! Cargo decides itself whether to compile; the later steps are skipped when what they read did not change.

mod names;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::run::{cargo, collect, quietly, root, step, step_with, target_dir, write_if_changed};
use crate::tools;

/// One crate that becomes a wasm module with JavaScript glue.
struct Module {
    /// How a person calls it.
    label: &'static str,
    /// The cargo package.
    package: &'static str,
    /// The crate's name in file names, and what its files are called here.
    library: &'static str,
    stem: &'static str,
    /// Where the generated files go, from the root.
    folder: &'static str,
    /// The cargo profile, and what cargo is told of features.
    profile: &'static str,
    features: &'static [&'static str],
    /// What wasm-opt does: size for what is downloaded, speed for what stays on a server.
    level: &'static [&'static str],
}

const PKG: Module = Module {
    label: "the npm package",
    package: "x402-wasm",
    library: "x402_wasm",
    stem: "x402_wasm",
    folder: "pkg/wasm",
    profile: "pkg",
    features: &["--features", "alone"],
    level: SMALL,
};

/// The same crate without what pays, for those who check payments.
const VERIFY: Module = Module {
    label: "the package's verifier",
    stem: "x402_verify",
    folder: "pkg/verify",
    features: &["--no-default-features", "--features", "alone"],
    ..PKG
};

/// Twice, since it shrinks again. The first kilobyte is the end of the stack: no address wraps around to it, so offsets
/// may be folded.
const SMALL: &[&str] = &["-Oz", "-Oz", "--low-memory-unused", "--strip-target-features", names::PASS];

/// Kept apart from the payer's module: few need it, and it takes the memory that its files ask for.
const KEYSTORE: Module = Module {
    label: "the keystore",
    package: "x402-keystore",
    library: "x402_keystore",
    stem: "x402_keystore",
    folder: "pkg/keystore/wasm",
    profile: "pkg",
    features: &[],
    level: &["-Oz", "--strip-target-features"],
};

const GATE: Module = Module {
    label: "the gate",
    package: "x402-gate",
    library: "x402_gate",
    stem: "x402_gate",
    folder: "worker/build",
    profile: "gate",
    features: &[],
    level: &["-O3"],
};

/// What rustc's default for wasm32-unknown-unknown may use; wasm-opt refuses what it is not told about.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// `cargo xtask build [pkg|gate|contracts]…`; all of them when none is named.
pub fn run(words: &[&str]) -> Result<()> {
    if words.is_empty() {
        return all();
    }
    for word in words {
        match *word {
            "pkg" => pkg()?,
            "gate" => gate()?,
            "contracts" => contracts()?,
            other => bail!("`{other}` cannot be built; it is one of pkg, gate, contracts"),
        }
    }
    Ok(())
}

/// Everything the tests and the local world run.
pub fn all() -> Result<()> {
    contracts()?;
    pkg()?;
    gate()
}

/// `pkg/wasm/`, `pkg/verify/` and `pkg/keystore/wasm/`: the modules behind the npm package.
pub fn pkg() -> Result<()> {
    module(&PKG)?;
    module(&VERIFY)?;
    module(&KEYSTORE)
}

/// `worker/build/`: the module behind the gate.
pub fn gate() -> Result<()> {
    module(&GATE)
}

fn module(module: &Module) -> Result<()> {
    tools::prepare()?;
    step_with(
        &format!("building {}", module.label),
        || {
            let compiled = compile(module)?;
            bind(module, &compiled)
        },
        |sizes| sizes.clone(),
    )
    .map(drop)
}

/// Compiles the crate and returns the path of its wasm.
fn compile(module: &Module) -> Result<PathBuf> {
    let mut command = cargo();
    command
        .args(["build", "--quiet", "--locked", "--target", tools::WASM])
        .args(["--package", module.package, "--profile", module.profile])
        .args(module.features)
        .args(["--config", &remapped_paths()?]);
    let (text, fine) = collect(&mut command, false)?;
    if !fine {
        bail!("the crate {} does not compile\n{text}", module.package);
    }
    let wasm = target_dir()?.join(tools::WASM).join(module.profile).join(format!("{}.wasm", module.library));
    if !wasm.exists() {
        bail!("cargo built {} but left no {}", module.package, wasm.display());
    }
    Ok(wasm)
}

/// A cargo setting under which panic locations name `core/src/…` and not the folders of the machine that built them,
/// so that the same commit gives the same bytes anywhere.
fn remapped_paths() -> Result<String> {
    let home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?).join(".cargo"),
    };
    let sources = home.join("registry/src");
    // The registry's own folder carries a hash that differs between machines.
    let mut rules = vec![format!("--remap-path-prefix={}=.", root().display())];
    for registry in std::fs::read_dir(&sources).into_iter().flatten().flatten() {
        rules.push(format!("--remap-path-prefix={}=crates", registry.path().display()));
    }
    rules.sort();
    let quoted: Vec<String> = rules.iter().map(|rule| serde_json::Value::from(rule.as_str()).to_string()).collect();
    Ok(format!("target.{}.rustflags=[{}]", tools::WASM, quoted.join(",")))
}

/// Writes the glue and the optimized module; returns the sizes for the progress line.
fn bind(module: &Module, compiled: &Path) -> Result<String> {
    let input = std::fs::read(compiled).with_context(|| format!("{} could not be read", compiled.display()))?;
    let folder = root().join(module.folder);
    let output = folder.join(format!("{}_bg.wasm", module.stem));
    let glue = folder.join(format!("{}.js", module.stem));
    let stamp = target_dir()?.join("xtask").join(format!("{}.stamp", module.stem));

    let recipe = fingerprint(&[
        &input,
        module.level.concat().as_bytes(),
        FEATURES.concat().as_bytes(),
        &std::fs::read(root().join("Cargo.lock")).unwrap_or_default(),
        &std::fs::read(tools::node_modules().join("binaryen/package.json")).unwrap_or_default(),
        include_bytes!("build.rs"),
        include_bytes!("build/names.rs"),
    ]);
    let made = |output: &Path, glue: &Path| -> Option<String> {
        Some(fingerprint(&[&std::fs::read(output).ok()?, &std::fs::read(glue).ok()?]))
    };
    let known = std::fs::read_to_string(&stamp).unwrap_or_default();
    if made(&output, &glue).is_some_and(|made| known == format!("{recipe} {made}")) {
        return Ok("unchanged".to_owned());
    }

    let raw = target_dir()?.join("xtask").join(module.stem);
    generate(module, compiled, &raw)?;
    let unoptimized = raw.join(format!("{}_bg.wasm", module.stem));
    let optimized = raw.join("optimized.wasm");
    let report = optimize(module, &unoptimized, &optimized)?;

    // The folder is ours alone: what an earlier version generated must not linger in a package.
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("{} could not be emptied", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;
    join(module, &raw, &glue)?;
    if module.level.contains(&names::PASS) {
        let text = std::fs::read_to_string(&glue).context("the glue is not there to be renamed")?;
        std::fs::write(&glue, names::shorten(&text, &report)?).context("the glue could not be renamed")?;
    }
    let bytes = std::fs::read(&optimized).context("wasm-opt left no output")?;
    refuse_machine_paths(&bytes)?;
    std::fs::write(&output, &bytes).with_context(|| format!("{} could not be written", output.display()))?;
    let made = made(&output, &glue).ok_or_else(|| anyhow!("wasm-bindgen left no {}", glue.display()))?;
    write_if_changed(&stamp, format!("{recipe} {made}").as_bytes())?;
    Ok(format!("{} → {} kB", kilobytes(input.len()), kilobytes(bytes.len())))
}

/// The glue for ES modules. It loads nothing by itself: the hand-written entry of each runtime hands it the module.
fn generate(module: &Module, compiled: &Path, folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("{} could not be emptied", folder.display()))?;
    }
    Bindgen::new()
        .input_path(compiled)
        .out_name(module.stem)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .with_context(|| format!("wasm-bindgen could not read {}", compiled.display()))
}

/// Returns what wasm-opt says.
fn optimize(module: &Module, input: &Path, output: &Path) -> Result<String> {
    let mut command = tools::wasm_opt()?;
    command.arg(input).arg("-o").arg(output).args(module.level).args(FEATURES);
    quietly(&mut command).context("wasm-opt refused the module")
}

/// Makes the glue one file: crates may bring scripts of their own, which it imports from a folder `snippets`. Two files
/// with fixed names are easier to list, in a workerd config or in a package, than a folder with hashes in it.
fn join(module: &Module, generated: &Path, glue: &Path) -> Result<()> {
    let script = generated.join(format!("{}.js", module.stem));
    if !generated.join("snippets").exists() {
        return std::fs::copy(&script, glue)
            .map(drop)
            .with_context(|| format!("wasm-bindgen left no {}", script.display()));
    }
    let mut command = Command::new(tools::esbuild()?);
    command.arg(&script).args(["--bundle", "--format=esm", "--target=es2022", "--log-level=error"]);
    command.args(["--external:cloudflare:*", "--external:node:*"]).arg(format!("--outfile={}", glue.display()));
    quietly(&mut command).context("the glue and its snippets could not be joined").map(drop)
}

/// A shipped module tells nobody where it was built.
fn refuse_machine_paths(wasm: &[u8]) -> Result<()> {
    for folder in [Some(root().to_path_buf()), std::env::home_dir()].into_iter().flatten() {
        let needle = format!("{}/", folder.display());
        if needle.len() > 2 && wasm.windows(needle.len()).any(|window| window == needle.as_bytes()) {
            bail!("the module contains the path {needle}, which only this machine has");
        }
    }
    Ok(())
}

/// `target/contracts/<Name>.json` for each contract in `tests/support/contracts/`.
pub fn contracts() -> Result<()> {
    tools::prepare()?;
    let folder = root().join("tests/support/contracts");
    let script = root().join("tests/support/compile.mjs");
    let output = target_dir()?.join("contracts");
    let mut inputs: Vec<Vec<u8>> = vec![
        std::fs::read(&script).context("tests/support/compile.mjs could not be read")?,
        std::fs::read(tools::node_modules().join("solc/package.json")).context("solc is not installed")?,
    ];
    for path in files(&folder)? {
        let name = path.strip_prefix(&folder).unwrap_or(&path);
        inputs.push(name.to_string_lossy().into_owned().into_bytes());
        inputs.push(std::fs::read(&path).with_context(|| format!("{} could not be read", path.display()))?);
    }
    let recipe = fingerprint(&inputs.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let stamp = output.join(".stamp");
    if std::fs::read_to_string(&stamp).is_ok_and(|known| known == recipe) {
        return Ok(());
    }
    step("compiling the test contracts", || {
        let mut command = Command::new(tools::node()?);
        command.current_dir(root()).arg(&script).arg(&folder).arg(&output);
        quietly(&mut command)?;
        write_if_changed(&stamp, recipe.as_bytes())
    })
}

/// The files below a folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} could not be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Tells two inputs apart; it protects from repeated work, not from anybody.
fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        part.hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn kilobytes(bytes: usize) -> String {
    format!("{}.{}", bytes / 1000, bytes % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_sees_a_changed_byte_and_a_moved_border() {
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"ab", b"d"]));
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
        assert_eq!(fingerprint(&[b"ab"]), fingerprint(&[b"ab"]));
    }

    #[test]
    fn a_module_with_a_path_of_this_machine_is_refused() {
        let path = format!("{}/src/lib.rs", root().display());
        assert!(refuse_machine_paths(path.as_bytes()).is_err());
        assert!(refuse_machine_paths(b"./src/lib.rs").is_ok());
    }

    #[test]
    fn sizes_are_in_thousands_of_bytes() {
        assert_eq!(kilobytes(13_370), "13.3");
    }
}

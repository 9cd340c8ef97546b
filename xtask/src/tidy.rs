//! The house rules as a test: what is absent is enforced by reading the source.
//!
//! Each rule is a function from text to complaints, so that each can be shown to bite on a line that breaks it.

mod manners;
mod rust;
mod source;
mod text;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, quietly, root, say};

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    /// The file, from the root.
    path: String,
    /// The line, from 1; 0 when the whole file is meant.
    line: usize,
    /// What is wrong and what to do.
    message: String,
    /// Said, but not a failure.
    warning: bool,
}

impl Complaint {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), warning: false }
    }

    fn show(&self) -> String {
        let place = if self.line == 0 { self.path.clone() } else { format!("{}:{}", self.path, self.line) };
        let weight = if self.warning { "note: " } else { "" };
        format!("{place}: {weight}{}", self.message)
    }
}

/// A text file of the repository.
struct File {
    /// From the root, with `/`.
    path: String,
    text: String,
}

/// Reads the whole repository and fails with every broken rule.
pub fn run() -> Result<()> {
    let files = files()?;
    let mut complaints = Vec::new();
    for file in &files {
        complaints.extend(check(file));
    }
    complaints.extend(text::broken_links(&files, |path| root().join(path).exists()));
    complaints.extend(rust::forbidden_crates(&core_tree()?));
    let (warnings, errors): (Vec<_>, Vec<_>) = complaints.iter().partition(|one| one.warning);
    for warning in warnings {
        say(&warning.show());
    }
    if errors.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = errors.iter().map(|one| one.show()).collect();
    bail!("{} house rules are broken:\n{}", list.len(), list.join("\n"))
}

/// Every rule that looks at one file.
fn check(file: &File) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let File { path, text } = file;
    complaints.extend(text::length(path, text));
    complaints.extend(text::unfinished_words(path, text));
    complaints.extend(text::machine_paths(path, text));
    complaints.extend(text::registry_hosts(path, text));
    if path.ends_with("Cargo.toml") {
        complaints.extend(text::unexplained_dependencies(path, text));
    }
    complaints.extend(manners::pass_through(path, text));
    complaints.extend(manners::skipped_tests(path, text));
    complaints.extend(manners::waits_in_tests(path, text));
    complaints.extend(manners::siblings(path, text));
    complaints.extend(rust::direction(path, text));
    complaints.extend(rust::absent_words(path, text));
    complaints
}

/// Folders that are generated or not ours.
const SKIPPED: [&str; 8] =
    [".git", "target", "pkg/wasm", "pkg/verify", "worker/build", "fuzz/target", "fuzz/artifacts", ".wrangler"];

fn files() -> Result<Vec<File>> {
    let mut found = Vec::new();
    walk(root(), &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<File>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{} could not be read", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let full = entry.path();
        let path = relative(&full);
        let name = entry.file_name();
        if SKIPPED.contains(&path.as_str()) || name == "node_modules" {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&full, found)?;
        } else if kind.is_file()
            // What is not text has no rules here.
            && let Ok(text) = std::fs::read_to_string(&full)
        {
            found.push(File { path, text });
        }
    }
    Ok(())
}

fn relative(full: &Path) -> String {
    let path: PathBuf = full.strip_prefix(root()).unwrap_or(full).to_path_buf();
    path.to_string_lossy().replace('\\', "/")
}

/// The names of the crates that the core brings into a shipped module.
fn core_tree() -> Result<String> {
    let mut command = cargo();
    command.args(["tree", "--locked", "--package", "x402-core"]);
    command.args(["--edges", "normal,build", "--target", crate::tools::WASM]);
    command.args(["--prefix", "none", "--format", "{p}"]);
    quietly(&mut command)
}

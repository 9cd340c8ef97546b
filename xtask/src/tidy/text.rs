//! Rules about any text: length, unfinished work, paths and links, manifests.

use std::path::{Component, Path, PathBuf};

use super::source::{line_of, words};
use super::{Complaint, File};

/// Lines above which a file is asked to be split, and above which it must be.
const LONG: usize = 400;
const TOO_LONG: usize = 600;

pub(super) fn is_script(path: &str) -> bool {
    [".mjs", ".js", ".ts", ".mts"].iter().any(|end| path.ends_with(end))
}

pub(super) fn is_code(path: &str) -> bool {
    is_script(path) || path.ends_with(".rs") || path.ends_with(".sol")
}

fn is_lockfile(path: &str) -> bool {
    path.ends_with("Cargo.lock") || path.ends_with("package-lock.json")
}

/// Rule: files can be read in one sitting.
pub(super) fn length(path: &str, text: &str) -> Vec<Complaint> {
    let lines = text.lines().count();
    if !is_code(path) || lines <= LONG {
        return Vec::new();
    }
    let mut complaint = Complaint::new(path, 0, format!("{lines} lines; aim for {LONG}, never above {TOO_LONG}"));
    complaint.warning = lines <= TOO_LONG;
    vec![complaint]
}

/// Rule: nothing is left for later in the source. The words are put together here so that this file may name them.
pub(super) fn unfinished_words(path: &str, text: &str) -> Vec<Complaint> {
    if is_lockfile(path) {
        return Vec::new();
    }
    let marks = [["TO", "DO"], ["FIX", "ME"], ["X", "XX"], ["HA", "CK"]].map(|halves| halves.concat());
    let mut complaints = Vec::new();
    for mark in &marks {
        for at in words(text, mark) {
            complaints.push(Complaint::new(
                path,
                line_of(text, at),
                format!("`{mark}`: finish it, or open an issue and say there what is missing"),
            ));
        }
    }
    complaints
}

/// Rule: no path that only one machine has.
pub(super) fn machine_paths(path: &str, text: &str) -> Vec<Complaint> {
    if is_lockfile(path) {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for folder in ["home", "root", "work", "tmp", "Users"] {
        let needle = format!("/{folder}/");
        for (at, _) in text.match_indices(&needle) {
            // Behind a letter, a dot or another slash it is part of a longer path or a URL.
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let continues = before.is_some_and(|c| c.is_alphanumeric() || "./_-~}$*".contains(c));
            if !continues {
                complaints.push(Complaint::new(
                    path,
                    line_of(text, at),
                    format!("`{needle}…` exists on one machine only; ask for the folder at run time"),
                ));
            }
        }
    }
    complaints
}

/// Rule: a lockfile works with any registry, so it names none but the public default.
pub(super) fn registry_hosts(path: &str, text: &str) -> Vec<Complaint> {
    if !path.ends_with("package-lock.json") {
        return Vec::new();
    }
    text.match_indices("\"resolved\": \"http")
        .filter(|(at, _)| {
            let line = text.get(*at..).and_then(|rest| rest.lines().next());
            line.is_some_and(|line| !line.contains("\"https://registry.npmjs.org/"))
        })
        .map(|(at, _)| Complaint::new(path, line_of(text, at), "a package is tied to one registry host"))
        .collect()
}

/// Rule: a dependency has a comment above it that says why it is there.
pub(super) fn unexplained_dependencies(path: &str, text: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut in_dependencies = false;
    let mut inside_value = false;
    let mut explained = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[').filter(|_| !inside_value) {
            let section = section.trim_end_matches(']');
            in_dependencies = section.ends_with("dependencies");
            // `[dependencies.name]` is one dependency in a section of its own.
            let single = section.contains("dependencies.") && !section.ends_with("dependencies");
            if single && !explained {
                complaints.push(Complaint::new(path, index + 1, format!("`[{section}]` has no sentence above it")));
            }
        } else if in_dependencies && !inside_value && !explained && !line.starts_with('#') {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if !name.is_empty() {
                complaints.push(Complaint::new(
                    path,
                    index + 1,
                    format!("`{name}` has no sentence above it that says why"),
                ));
            }
        }
        if !line.starts_with('#') {
            let opened = line.matches(['[', '{']).count();
            let closed = line.matches([']', '}']).count();
            inside_value = if inside_value { opened >= closed } else { opened > closed };
        }
        explained = line.starts_with('#');
    }
    complaints
}

/// Rule: a link in a document leads to a file that exists.
pub(super) fn broken_links(files: &[File], exists: impl Fn(&Path) -> bool) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (at, _) in file.text.match_indices("](") {
            let rest = file.text.get(at + 2..).unwrap_or_default();
            let target = rest.split([')', ' ', '\n']).next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let known = inside(&file.path, target).is_some_and(|path| exists(&path));
            if !known {
                complaints.push(Complaint::new(
                    &file.path,
                    line_of(&file.text, at),
                    format!("the link to `{target}` leads nowhere"),
                ));
            }
        }
    }
    complaints
}

/// A link's target from the root; none when it leaves the repository.
fn inside(from: &str, target: &str) -> Option<PathBuf> {
    let mut path = Path::new(from).parent()?.to_path_buf();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_noted_and_longer_ones_refused() {
        let warned = length("src/a.rs", &"x\n".repeat(401));
        assert!(warned.iter().all(|one| one.warning) && warned.len() == 1);
        let refused = length("tests/a.mjs", &"x\n".repeat(601));
        assert!(refused.iter().all(|one| !one.warning) && refused.len() == 1);
        assert_eq!(length("src/a.rs", &"x\n".repeat(400)), []);
        assert_eq!(length("tests/vectors/a.json", &"x\n".repeat(9000)), []);
    }

    #[test]
    fn unfinished_work_is_refused() {
        for halves in [["TO", "DO"], ["FIX", "ME"], ["X", "XX"], ["HA", "CK"]] {
            let line = format!("a\n// {}: later", halves.concat());
            let found = unfinished_words("src/a.rs", &line);
            assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [2], "{line}");
        }
        assert_eq!(unfinished_words("src/a.rs", "0xXXXX hackney"), []);
    }

    #[test]
    fn paths_of_one_machine_are_refused() {
        for folder in ["home", "root", "work", "tmp"] {
            let line = format!("const DIR = \"/{folder}/x\";");
            assert_eq!(machine_paths("tests/a.mjs", &line).len(), 1, "{line}");
            let url = format!("https://example.com/{folder}/x and ./{folder}/x");
            assert_eq!(machine_paths("tests/a.mjs", &url), [], "{url}");
        }
    }

    #[test]
    fn a_lockfile_with_a_private_host_is_refused() {
        let private = "  \"resolved\": \"http://10.0.0.1/a.tgz\",";
        assert_eq!(registry_hosts("tests/package-lock.json", private).len(), 1);
        let public = "  \"resolved\": \"https://registry.npmjs.org/a.tgz\",";
        assert_eq!(registry_hosts("tests/package-lock.json", public), []);
    }

    #[test]
    fn a_dependency_without_a_sentence_is_refused() {
        let bare = "[dependencies]\n# Why.\na = \"1\"\nb = { version = \"1\" }\n";
        let found = unexplained_dependencies("Cargo.toml", bare);
        assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [4]);
        let dotted = "[dev-dependencies.a]\nversion = \"1\"\n";
        assert_eq!(unexplained_dependencies("Cargo.toml", dotted).len(), 1);
        let fine = "[package]\nname = \"a\"\n[dependencies]\n# Why.\na = { version = \"1\", features = [\n  \"b\",\n] }\n\n# Why.\nc.workspace = true\n[lints]\nworkspace = true\n";
        assert_eq!(unexplained_dependencies("Cargo.toml", fine), []);
    }

    #[test]
    fn links_that_lead_nowhere_are_refused() {
        let files = [File {
            path: "docs/a.md".to_owned(),
            text: "[a](../README.md#top) [b](missing.md)\n[c](https://example.com) [d](../../outside.md) [e](#here)"
                .to_owned(),
        }];
        let found = broken_links(&files, |path| path == Path::new("README.md"));
        let shown: Vec<_> = found.iter().map(|one| (one.line, one.message.as_str())).collect();
        assert_eq!(
            shown,
            [(1, "the link to `missing.md` leads nowhere"), (2, "the link to `../../outside.md` leads nowhere")]
        );
    }
}

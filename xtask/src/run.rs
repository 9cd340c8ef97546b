//! Running other programs and telling a person about it.
//!
//! Progress goes to standard error, so that a command's own answer stays alone on standard output.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// The repository's root: the folder above this crate.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.parent().unwrap_or(here).to_path_buf()
    })
}

/// Cargo's target directory, wherever the environment or a config file puts it.
pub fn target_dir() -> Result<&'static Path> {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    if let Some(known) = TARGET.get() {
        return Ok(known);
    }
    let answer = metadata(&["--no-deps"])?;
    let folder =
        answer["target_directory"].as_str().ok_or_else(|| anyhow!("cargo metadata names no target directory"))?;
    Ok(TARGET.get_or_init(|| PathBuf::from(folder)))
}

/// What `cargo metadata` says about the workspace.
pub fn metadata(arguments: &[&str]) -> Result<serde_json::Value> {
    let text = quietly(cargo().args(["metadata", "--format-version", "1", "--locked"]).args(arguments))?;
    serde_json::from_str(&text).context("cargo metadata answered something that is not JSON")
}

/// A command of the cargo that runs us, started in the repository's root.
///
/// `cargo run` describes the crate it runs in the environment; a cargo started from there would take that as a change
/// of its build scripts' inputs, so it is removed.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if shown.starts_with("CARGO_PKG_")
            || shown.starts_with("CARGO_MANIFEST")
            || shown == "CARGO_CRATE_NAME"
            || shown == "CARGO_BIN_NAME"
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command and returns its standard output. Its whole output is part of the error when it fails.
pub fn quietly(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("`{shown}` could not be started"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    bail!("`{shown}` failed ({})\n{}{}", output.status, stdout, stderr)
}

/// Runs a command and collects both of its outputs in the order they came, showing them meanwhile if `live`. The second
/// value says whether it succeeded.
pub fn collect(command: &mut Command, live: bool) -> Result<(String, bool)> {
    let shown = show(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{shown}` could not be started"))?;
    let lines = Arc::new(Mutex::new(String::new()));
    let stdout = child.stdout.take().map(|pipe| gather(pipe, &lines, live));
    let stderr = child.stderr.take().map(|pipe| gather(pipe, &lines, live));
    let status = child.wait().with_context(|| format!("`{shown}` was lost"))?;
    for reader in [stdout, stderr].into_iter().flatten() {
        reader.join().map_err(|_| anyhow!("the output of `{shown}` could not be read"))?;
    }
    let text = lines.lock().map_err(|_| anyhow!("the output of `{shown}` could not be read"))?.clone();
    Ok((text, status.success()))
}

fn gather(pipe: impl std::io::Read + Send + 'static, lines: &Arc<Mutex<String>>, live: bool) -> thread::JoinHandle<()> {
    let lines = Arc::clone(lines);
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if live {
                eprintln!("{line}");
            }
            if let Ok(mut text) = lines.lock() {
                text.push_str(&line);
                text.push('\n');
            }
        }
    })
}

/// The command as one would type it.
pub fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Says one line to the person.
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// Does a piece of work under a name: `building the gate … 41 s`.
///
/// On a terminal the seconds count while it runs; elsewhere the line appears when the work is done, and once before
/// if it takes longer than a few seconds.
pub fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    step_with(name, work, |_| String::new())
}

/// Like [`step`], with a remark about the result behind the time.
pub fn step_with<T>(name: &str, work: impl FnOnce() -> Result<T>, remark: impl FnOnce(&T) -> String) -> Result<T> {
    let begun = Instant::now();
    let (stop, stopped) = mpsc::channel::<()>();
    let label = name.to_owned();
    let ticker = thread::spawn(move || tick(&label, begun, &stopped));
    let result = work();
    drop(stop);
    // The ticker only writes; a ticker that died has nothing to add.
    let _ = ticker.join();
    let clear = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
    match &result {
        Ok(value) => {
            let remark = remark(value);
            let gap = if remark.is_empty() { "" } else { "  " };
            eprintln!("{clear}{name} … {}{gap}{remark}", seconds(begun.elapsed()));
        }
        Err(_) => eprintln!("{clear}{name} … failed after {}", seconds(begun.elapsed())),
    }
    result
}

fn tick(name: &str, begun: Instant, stopped: &mpsc::Receiver<()>) {
    let terminal = std::io::stderr().is_terminal();
    if terminal {
        eprint!("{name} …");
    }
    let pace = Duration::from_secs(if terminal { 1 } else { 5 });
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pace) {
        if terminal {
            eprint!("\r\x1b[K{name} … {}", seconds(begun.elapsed()));
            // Only cosmetic: a terminal that cannot be flushed shows the next line instead.
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{name} …");
            // Said once; then wait for the end without repeating it.
            let _ = stopped.recv();
            return;
        }
    }
}

/// A duration as people say it: `0.3 s`, `41 s`, `2 min 05 s`.
pub fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole < 10 {
        format!("{:.1} s", time.as_secs_f64())
    } else if whole < 60 {
        format!("{whole} s")
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

/// Writes a file only when its content changes, so that nothing downstream sees a new time stamp for nothing.
pub fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("{} could not be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        assert_eq!(seconds(Duration::from_millis(340)), "0.3 s");
        assert_eq!(seconds(Duration::from_secs(41)), "41 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }

    #[test]
    fn a_failing_command_shows_what_it_said() {
        let failure = quietly(Command::new("sh").args(["-c", "echo heard; echo loud >&2; exit 3"]));
        let told = failure.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(told.contains("heard") && told.contains("loud"), "{told}");
    }

    #[test]
    fn collecting_keeps_both_outputs_and_the_verdict() -> Result<()> {
        let (text, fine) = collect(Command::new("sh").args(["-c", "echo a; echo b >&2; exit 1"]), false)?;
        assert!(text.contains("a\n") && text.contains("b\n") && !fine);
        Ok(())
    }
}

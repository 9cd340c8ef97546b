//! Children that cannot outlive the world.
//!
//! Every child runs under a few lines of shell that hold the read end of a pipe whose write end only this process
//! has. When the write end closes, the child is killed. It closes when the world stops, and the kernel closes it
//! when this process ends in any other way, SIGKILL included, so nothing has to be done at the right moment. Children
//! have their own process group: the terminal's Ctrl-C reaches this process alone, which then takes the world
//! down in order.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The guard: starts the command, ends it when standard input ends, and ends with it.
const GUARD: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
{ read -r line <&3; kill -KILL "$child"; } 2>/dev/null &
watch=$!
exec 3<&-
wait "$child"
status=$?
kill -KILL "$watch" 2>/dev/null
exit "$status"
"#;

/// How long a part of the world may take to become ready; generous, because it only bounds failures.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(15);
/// Lines of a child's log shown when it fails.
const TAIL: usize = 25;

struct Child {
    name: &'static str,
    guard: std::process::Child,
    log: PathBuf,
}

impl Child {
    /// Closes the pipe and waits until the guard has seen its child end.
    fn stop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }

    fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL);
        let shown: Vec<String> = lines.iter().skip(from).map(|line| format!("    {line}")).collect();
        if shown.is_empty() { "    (it wrote nothing)".to_owned() } else { shown.join("\n") }
    }
}

#[derive(Default)]
struct Held {
    children: Vec<Child>,
    directory: Option<PathBuf>,
}

impl Held {
    /// Ends the children, last started first, and removes the directory. Safe to call again.
    fn stop(&mut self) {
        while let Some(mut child) = self.children.pop() {
            child.stop();
        }
        if let Some(directory) = self.directory.take() {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The processes of one world and the directory they write to; dropping it ends them and removes it.
pub struct Processes {
    held: Arc<Mutex<Held>>,
    directory: PathBuf,
}

impl Processes {
    /// Makes an empty set with a fresh directory below the system's temporary one.
    pub fn new() -> Result<Self> {
        take_signals()?;
        let directory = fresh_directory()?;
        let held = Arc::new(Mutex::new(Held { children: Vec::new(), directory: Some(directory.clone()) }));
        lock(&WORLDS).push(Arc::downgrade(&held));
        Ok(Self { held, directory })
    }

    /// Where logs and storage of this world live, until it stops.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a child; what it prints goes to `<name>.log` in the directory, which is emptied first.
    pub fn start(&self, name: &'static str, command: &[&str], environment: &[(&str, &str)]) -> Result<()> {
        let log = self.log(name);
        File::create(&log)?;
        let output = OpenOptions::new().append(true).open(&log)?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, name])
            .args(command)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()?;
        lock(&self.held).children.push(Child { name, guard, log });
        Ok(())
    }

    /// Ends one child, if it is there.
    pub fn end(&self, name: &str) {
        let mut held = lock(&self.held);
        let (ending, staying) = held.children.drain(..).partition(|child| child.name == name);
        held.children = staying;
        let ending: Vec<Child> = ending;
        for mut child in ending {
            child.stop();
        }
    }

    /// The log of a child.
    pub fn log(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.log"))
    }

    /// Looks until `condition` answers something, and fails when a child has ended or patience has.
    pub fn until<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> Result<T> {
        let started = Instant::now();
        loop {
            if let Some(found) = condition() {
                return Ok(found);
            }
            self.check()?;
            if started.elapsed() > PATIENCE {
                let logs: Vec<String> = lock(&self.held)
                    .children
                    .iter()
                    .map(|child| format!("  {}:\n{}", child.name, child.tail()))
                    .collect();
                bail!("{what}: not within {} s\n{}", PATIENCE.as_secs(), logs.join("\n"));
            }
            thread::sleep(LOOK);
        }
    }

    /// Fails, with the end of its log, if a child has ended.
    pub fn check(&self) -> Result<()> {
        let mut held = lock(&self.held);
        for child in &mut held.children {
            if let Some(status) = child.guard.try_wait()? {
                bail!("{} ended by itself ({status}); its last lines:\n{}", child.name, child.tail());
            }
        }
        Ok(())
    }

    /// Looks after the children until one ends by itself (an error) or, if asked, standard input closes.
    pub fn stay(&self, until_stdin_closes: bool) -> Result<()> {
        let closed = Arc::new(AtomicBool::new(false));
        if until_stdin_closes {
            let closed = Arc::clone(&closed);
            thread::spawn(move || {
                let mut ignored = Vec::new();
                let _ = std::io::stdin().read_to_end(&mut ignored);
                closed.store(true, Ordering::SeqCst);
            });
        }
        while !closed.load(Ordering::SeqCst) {
            self.check()?;
            thread::sleep(LOOK.saturating_mul(4));
        }
        Ok(())
    }
}

/// From here on, being interrupted is how this command is meant to end.
pub fn expect_interrupt() {
    SERVING.store(true, Ordering::SeqCst);
}

impl Drop for Processes {
    fn drop(&mut self) {
        lock(&self.held).stop();
    }
}

fn fresh_directory() -> Result<PathBuf> {
    let process = std::process::id();
    for attempt in 0..1000 {
        let path = std::env::temp_dir().join(format!("x402-world-{process}-{attempt}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
    bail!("no free name for a temporary directory")
}

/// Every world of this process, for the signal handler.
static WORLDS: Mutex<Vec<Weak<Mutex<Held>>>> = Mutex::new(Vec::new());
/// Whether being interrupted is the expected end.
static SERVING: AtomicBool = AtomicBool::new(false);
static HANDLER: Once = Once::new();

/// SIGINT, SIGTERM and SIGHUP stop every world, then this process: with 0 if it was serving, as asked, and with
/// 130 if something was cut short.
fn take_signals() -> Result<()> {
    let mut outcome = Ok(());
    HANDLER.call_once(|| {
        outcome = ctrlc::set_handler(|| {
            // Locks stay held, so that the other threads cannot start anything or report the children's end.
            let worlds: Vec<Arc<Mutex<Held>>> = lock(&WORLDS).iter().filter_map(Weak::upgrade).collect();
            let mut held: Vec<MutexGuard<'_, Held>> = worlds.iter().map(|world| lock(world)).collect();
            for world in &mut held {
                world.stop();
            }
            exit(if SERVING.load(Ordering::SeqCst) { 0 } else { 130 });
        });
    });
    outcome.context("signals could not be handled")
}

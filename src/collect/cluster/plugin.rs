#![allow(clippy::disallowed_methods)]
//! A credential plugin that hangs is ended with the wait for it: it would outlive the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// Ends what a thread has started when it is dropped before it is disarmed. Works on Linux; elsewhere the plugin is left.
#[derive(Default)]
pub(super) struct Guard {
    thread: Arc<Mutex<Option<PathBuf>>>,
    disarmed: bool,
}

/// The thread that starts the plugin.
pub(super) struct Starter(Arc<Mutex<Option<PathBuf>>>);

impl Guard {
    /// To be handed to the thread.
    pub(super) fn starter(&self) -> Starter {
        Starter(self.thread.clone())
    }

    /// The plugin has ended by itself.
    pub(super) fn disarm(&mut self) {
        self.disarmed = true;
    }
}

impl Starter {
    /// To be called on the thread, before it starts anything.
    pub(super) fn here(&self) {
        let own = std::fs::read_link("/proc/thread-self").ok();
        if let Ok(mut thread) = self.0.lock() {
            *thread = own.map(|own| Path::new("/proc").join(own));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        let Some(thread) = thread.filter(|_| !self.disarmed) else { return };
        let started = started_by(&thread);
        if started.is_empty() {
            return;
        }
        tracing::info!(processes = ?started, "ending the credential plugin");
        let mut kill = Command::new("kill");
        kill.arg("-KILL").args(&started).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Where there is no `kill`, the plugin is left, as it was before.
        let _ = kill.status();
    }
}

/// The processes that a thread has started, those that they started, and so on.
fn started_by(thread: &Path) -> Vec<String> {
    let mut all: Vec<String> = children(thread);
    let mut at = 0;
    while let Some(process) = all.get(at).filter(|_| at < MOST) {
        let threads = std::fs::read_dir(Path::new("/proc").join(process).join("task"));
        let further: Vec<String> =
            threads.into_iter().flatten().flatten().flat_map(|thread| children(&thread.path())).collect();
        all.extend(further);
        at += 1;
    }
    all
}

/// A plugin starts a handful.
const MOST: usize = 100;

fn children(thread: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(thread.join("children")).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

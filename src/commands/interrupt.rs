//! Ctrl-C, and SIGTERM alike: the first one ends the looking, a second one the judging of what was seen.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::channel::oneshot;

use super::say;
use crate::collect::cluster::Interrupt;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static FIRST: OnceLock<Interrupt> = OnceLock::new();

/// The first one that comes from now on. The default, which ends the program without a word, is off from here.
pub(super) fn first() -> &'static Interrupt {
    FIRST.get_or_init(listen)
}

/// How many came so far.
pub(super) fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// They are waited for on a thread of their own, which hears them also where no other runtime runs.
fn listen() -> Interrupt {
    let (sender, came) = oneshot::channel::<()>();
    let waiting = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async move {
            let mut sender = Some(sender);
            while signal().await {
                COUNT.fetch_add(1, Ordering::Relaxed);
                if let Some(sender) = sender.take() {
                    say("raytls: interrupted: what was seen until now is judged, and again ends that too");
                    // Nobody waits where nothing is looked at any more.
                    let _ = sender.send(());
                }
            }
        });
    };
    if std::thread::Builder::new().spawn(waiting).is_err() {
        return Interrupt::default();
    }
    Interrupt::when(async move {
        if came.await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// Waits for one; false where none can be heard.
#[cfg(unix)]
async fn signal() -> bool {
    let Ok(mut end) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        return tokio::signal::ctrl_c().await.is_ok();
    };
    tokio::select! {
        came = tokio::signal::ctrl_c() => came.is_ok(),
        came = end.recv() => came.is_some(),
    }
}

/// Waits for one; false where none can be heard.
#[cfg(not(unix))]
async fn signal() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}

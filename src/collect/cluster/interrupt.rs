//! What ends a collection before its time.

use std::future::Future;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};

/// Something that ends a collection before its deadline, such as Ctrl-C. What was had by then is kept.
#[derive(Clone, Default)]
pub struct Interrupt(Option<Shared<BoxFuture<'static, ()>>>);

impl Interrupt {
    /// It comes when this is done.
    pub fn when(done: impl Future<Output = ()> + Send + 'static) -> Self {
        Interrupt(Some(done.boxed().shared()))
    }

    /// Waits for it; for ever where none can come.
    pub async fn wait(&self) {
        match &self.0 {
            Some(done) => done.clone().await,
            None => std::future::pending().await,
        }
    }

    /// Whether it has come.
    pub fn is_here(&self) -> bool {
        self.0.as_ref().is_some_and(|done| done.clone().now_or_never().is_some())
    }
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Interrupt({})", if self.0.is_some() { "possible" } else { "never" })
    }
}

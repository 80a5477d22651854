//! What a row of the fault matrix is.

use crate::scene::Scene;

/// A row of the fault matrix: a fault on real Ray and what the doctor has to say of it, or a healthy cluster.
pub(crate) struct Row {
    /// In kebab case; once.
    pub(crate) name: &'static str,
    /// Whether the shorter run of each change has it.
    pub(crate) short: bool,
    /// The fault, or what is special about a healthy cluster; one clause.
    pub(crate) what: &'static str,
    /// How it is made; one clause.
    pub(crate) made: &'static str,
    /// Makes it.
    pub(crate) make: fn(&Scene),
    /// What real Ray or Kubernetes shows, in this order. Without it the row has not what it claims.
    pub(crate) shows: &'static [Symptom],
    /// What the doctor has to say.
    pub(crate) expect: Expect,
}

/// Something that Ray or Kubernetes shows.
#[derive(Clone, Copy)]
pub(crate) enum Symptom {
    /// A line with the text in the log of a pod with this selector, of any container, or of its run before.
    Log(&'static str, &'static str),
    /// A line with the text in a file of Ray's session directory in a pod with this selector.
    File(&'static str, &'static str, &'static str),
    /// An event of the namespace with the text.
    Event(&'static str),
}

/// What the doctor has to say.
pub(crate) enum Expect {
    /// No error finding, the verdict healthy, exit 0.
    Healthy,
    /// No error finding and warnings of exactly these codes, the verdict at-risk, exit 0.
    Warned(&'static [&'static str]),
    /// Nothing: the verdict unknown, no finding, exit 3.
    Unknown,
    /// Exactly these causes, the first one first; the verdict broken, exit 1.
    Causes(&'static [Cause]),
    /// As [`Expect::Causes`]; here what is seen differs from what the files on disk predict, and that is the fault.
    Differs(&'static [Cause]),
}

/// A cause.
pub(crate) struct Cause {
    /// One of these codes.
    pub(crate) codes: &'static [&'static str],
    /// The name of the object that it points at.
    pub(crate) subject: &'static str,
}

/// A cause with one possible code.
macro_rules! cause {
    ($code:literal, $subject:literal) => {
        $crate::row::Cause { codes: &[$code], subject: $subject }
    };
}
pub(crate) use cause;

/// The selector of the head, worker and client of the manifests.
pub(crate) const HEAD: &str = "ray=head";
/// See [`HEAD`].
pub(crate) const WORKER: &str = "ray=worker";
/// See [`HEAD`].
pub(crate) const CLIENT: &str = "ray=client";

/// What a node prints when it has started.
pub(crate) const STARTED: &str = "Ray runtime started.";
/// What the client of `client.yaml` prints when a task was run for it.
pub(crate) const ANSWERED: &str = "the task says 42";
/// What a Ray Client prints when it cannot connect, whatever the reason.
pub(crate) const CLIENT_FAILS: &str = "ConnectionError: ray client connection timeout";
/// What nodes print when they cannot reach the GCS, whatever the reason.
pub(crate) const NO_GCS: &str = "Failed to connect to GCS at address";

impl Expect {
    /// The causes; none of a healthy cluster.
    pub(crate) fn causes(&self) -> &'static [Cause] {
        match self {
            Expect::Healthy | Expect::Warned(_) | Expect::Unknown => &[],
            Expect::Causes(causes) | Expect::Differs(causes) => causes,
        }
    }
}

//! What a user may type.

mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use self::values::{dialled_name, duration, host_port, object_name, output, time};
use crate::checks::Severity;
use crate::grpc::profile::Profile;

/// Says why a Ray cluster with TLS does not connect, and how to mend it.
#[derive(Debug, Parser)]
#[command(name = "raytls", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  nothing at or above --fail-on
  1  findings at or above it
  2  usage error, or nothing that was given could be read
  3  could not check: nothing to judge, no answer, or the deadline passed
  4  a bug in raytls

Needs nothing and shows how it works: raytls demo";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Examine a live cluster, read-only, with whatever rights you have
    #[command(after_help = "\
Examples:
  raytls doctor                        the current context and namespace
  raytls doctor -A                     every Ray cluster you may see
  raytls doctor -A --context prod,stage     and in several Kubernetes clusters; or --all-contexts
  raytls doctor -n ray --no-probe      ask the API server only, dial no port
  raytls doctor --as-client            would Ray in this shell connect?
  raytls doctor -o json=report.json -o table
  raytls doctor --from ray.snapshot    judge a snapshot again, with no cluster")]
    Doctor(Doctor),
    /// Examine rendered manifests before a deploy; no cluster needed
    #[command(after_help = "\
Examples:
  raytls gate -f rendered.yaml
  kustomize build overlays/tls | raytls gate -f -
  helm template ray ./chart | raytls gate -f - -f certs/    PEM files beside the manifests
  raytls gate -f deploy/ --fail-on warning -o short")]
    Gate(Gate),
    /// Dial ports as Ray's gRPC does: TCP, first bytes, TLS, HTTP/2 SETTINGS
    #[command(after_help = "\
Examples:
  raytls probe 10.0.0.7:6379
  raytls probe ray-head:10001 --cert tls.crt --key tls.key --ca ca.crt
  raytls probe 127.0.0.1:10001 --name ray-head.ray.svc      judge another name than the one dialled

Without --cert and --key the files of RAY_TLS_* are not used: what a stranger sees is shown.")]
    Probe(Probe),
    /// Say whether gRPC loads and accepts certificate files, in which role, for which names; no cluster needed
    #[command(after_help = "\
Examples:
  raytls verify --cert tls.crt --key tls.key --ca ca.crt                  may these files serve a Ray cluster?
  raytls verify --cert tls.crt --key tls.key --ca ca.crt --name ray-head-svc --name 10.0.0.7
  raytls verify --cert tls.crt --ca ca.crt --role client --at 2027-06-01  will it still be accepted by then?
  raytls verify --ca ca.crt                                               the trust file alone
  raytls verify --cert tls.crt --ca ca.crt --ray 2.60 --grpcio 1.84.2     by the rules of other versions

Each question is answered for both gRPCs of a Ray cluster: core (GCS, raylets, workers) and python (dashboard, Ray Client).")]
    Verify(Verify),
    /// Explain a check: what it means, why it matters to Ray, how to mend it
    #[command(after_help = "\
Examples:
  raytls explain NAM03
  raytls explain certificate-expired
  raytls explain --all > docs/checks.md")]
    Explain(Explain),
    /// Write everything the doctor sees to a file, without any private key, for tickets and tests
    #[command(after_help = "\
Examples:
  raytls snapshot -o ray.snapshot
  raytls snapshot -o ray.snapshot --hash-names    for somebody who must not know whose it is
  raytls snapshot -n ray | raytls doctor --from -")]
    Snapshot(Snapshot),
    /// Print the smallest Role for each level of what the doctor can see
    #[command(after_help = "\
Levels:
  0  no right: raytls probe and raytls doctor --as-client
  1  workloads, pods, Services, ConfigMaps, Ray's and cert-manager's resources: settings and names, no certificate
  2  and Secrets, by name: every verdict that files can give
  3  and port-forward and exec: what ports serve, and what Ray has inside

Examples:
  raytls rbac --level 2 -n ray --user alice | kubectl apply -f -
  raytls rbac --level 2 -n ray --secret ray-tls --service-account ci:deployer
  raytls rbac --level 3 -A --group on-call")]
    Rbac(Rbac),
    /// Raise a small broken cluster on loopback and run the doctor on it
    #[command(after_help = "\
Examples:
  raytls demo                 the default fault
  raytls demo --list          every fault
  raytls demo expired")]
    Demo(Demo),
    /// Print a completion script for a shell
    #[command(after_help = "\
Examples:
  raytls completions bash > /etc/bash_completion.d/raytls
  raytls completions zsh > ~/.zfunc/_raytls")]
    Completions(Completions),
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Where to look.
    #[command(flatten)]
    pub source: Source,
    /// Judge only the Ray cluster of this name (a RayCluster, or the Deployment or StatefulSet of a head)
    #[arg(long, alias = "cluster", value_name = "NAME")]
    pub ray_cluster: Option<String>,
    /// Dial no port
    #[arg(long)]
    pub no_probe: bool,
    /// Dial the pods' own addresses instead of going through the API server's port-forward
    #[arg(long, conflicts_with = "no_probe")]
    pub direct: bool,
    /// Whether to ask pods from inside.
    #[command(flatten)]
    pub inside: Inside,
    /// Judge also what Ray in this shell would do: its RAY_* variables and the files they name
    #[arg(long)]
    pub as_client: bool,
    /// Judge a snapshot instead of a cluster; `-` for standard input
    #[arg(long, value_name = "SNAPSHOT",
          conflicts_with_all = ["namespace", "all_namespaces", "context", "all_contexts", "kubeconfig", "selector", "no_secrets", "direct", "as_client", "inside"])]
    pub from: Option<PathBuf>,
    /// How to judge and tell.
    #[command(flatten)]
    pub judge: Judge,
}

/// `gate`.
#[derive(Debug, Args)]
pub struct Gate {
    /// Manifests (YAML or JSON) or PEM files, folders of them, or `-` for standard input; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// How to judge and tell.
    #[command(flatten)]
    pub judge: Judge,
}

/// `probe`.
#[derive(Debug, Args)]
pub struct Probe {
    /// Where to dial; IPv6 addresses in brackets
    #[arg(value_name = "HOST:PORT", required = true, value_parser = host_port)]
    pub targets: Vec<HostPort>,
    /// Client certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its private key, PEM; used for the handshake, never shown
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// CA certificates to judge the server's certificate by, PEM
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Judge the certificate by this name instead of HOST, and send it as SNI
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// How to judge and tell.
    #[command(flatten)]
    pub judge: Judge,
}

/// `verify`.
#[derive(Clone, Debug, Args)]
#[group(id = "files", required = true, multiple = true, args = ["cert", "ca"])]
pub struct Verify {
    /// Certificate chain, PEM, leaf first
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// Its private key, PEM; matched with the certificate and dropped, never shown
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// CA certificates that the peers trust, PEM
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// A name or IP by which the server is dialled; may be repeated. Without one the certificate's own names are judged
    #[arg(long = "name", value_name = "NAME", value_parser = dialled_name, requires = "cert")]
    pub names: Vec<String>,
    /// The part that the owner of the certificate plays
    #[arg(long, value_name = "ROLE", default_value = "both")]
    pub role: Part,
    /// How to judge and tell.
    #[command(flatten)]
    pub judge: Judge,
}

/// Parts to judge a certificate in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The one that is dialled.
    Server,
    /// The one that dials.
    Client,
    /// Both, as every Ray process.
    Both,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// Code (NAM03) or name (head-pod-address-not-in-certificate)
    #[arg(value_name = "CODE|NAME", required_unless_present = "all")]
    pub check: Option<String>,
    /// Every check, as one Markdown page
    #[arg(long, conflicts_with = "check")]
    pub all: bool,
}

/// `snapshot`.
#[derive(Debug, Args)]
pub struct Snapshot {
    /// Where to look.
    #[command(flatten)]
    pub source: Source,
    /// Dial no port
    #[arg(long)]
    pub no_probe: bool,
    /// Dial the pods' own addresses instead of going through the API server's port-forward
    #[arg(long, conflicts_with = "no_probe")]
    pub direct: bool,
    /// Whether to ask pods from inside.
    #[command(flatten)]
    pub inside: Inside,
    /// File to write; standard output when not given
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace names by others, the same everywhere and in certificates too; verdicts stay. Common words (ray, head), IP addresses, serial numbers, names of RAY_* variables, letters beyond ASCII, BMPStrings and words that stand alone in messages of the API server stay
    #[arg(long)]
    pub hash_names: bool,
    /// One deadline for everything
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// Say what is done, on stderr; -vv and -vvv say more
    #[arg(short, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// `rbac`.
#[derive(Debug, Args)]
pub struct Rbac {
    /// How much the doctor may see, 0 to 3
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=3))]
    pub level: u8,
    /// Namespace of the Role
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default", value_parser = object_name)]
    pub namespace: String,
    /// A ClusterRole for every namespace
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Bind it to this user; without --user, --group and --service-account the Role alone is printed
    #[arg(long, value_name = "NAME", conflicts_with_all = ["group", "service_account"])]
    pub user: Option<String>,
    /// Bind it to this group
    #[arg(long, value_name = "NAME", conflicts_with = "service_account")]
    pub group: Option<String>,
    /// Bind it to this ServiceAccount
    #[arg(long, value_name = "NAMESPACE:NAME", alias = "serviceaccount")]
    pub service_account: Option<String>,
    /// Only this Secret instead of each one in the namespace; may be repeated
    #[arg(long = "secret", value_name = "NAME", value_parser = object_name)]
    pub secrets: Vec<String>,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// The fault; `--list` names them
    pub fault: Option<String>,
    /// Name every fault
    #[arg(long, conflicts_with = "fault")]
    pub list: bool,
    /// How to judge and tell.
    #[command(flatten)]
    pub judge: Judge,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Where a live cluster is; kubectl's flags, with kubectl's meaning.
#[derive(Clone, Debug, Default, Args)]
pub struct Source {
    /// Namespace instead of the context's
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Every namespace
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Context of the kubeconfig instead of the current one; several make one report of all: a,b
    #[arg(long, visible_alias = "contexts", value_name = "CONTEXT", value_delimiter = ',')]
    pub context: Vec<String>,
    /// Every context of the kubeconfig
    #[arg(long, conflicts_with = "context")]
    pub all_contexts: bool,
    /// Kubeconfig file instead of KUBECONFIG and ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Label selector for workloads and pods
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Read no Secret
    #[arg(long)]
    pub no_secrets: bool,
}

/// Whether and how to ask pods from inside.
#[derive(Clone, Debug, Default, Args)]
pub struct Inside {
    /// Ask Ray's containers themselves, by exec: their variables, files, processes and clock, and dials made there
    ///
    /// Runs one small Python program of raytls in the Ray container of a few pods of each kind. It writes nothing there,
    /// reads /proc, the RAY_* variables that hold no secret and the three TLS files, and dials what Ray in that pod dials (also with
    /// --no-probe) by the pod's own gRPC, with a health check. Public certificates leave the pod; a key never does, only
    /// the hash of its public half. Needs the right to create and get pods/exec.
    #[arg(long)]
    pub inside: bool,
    /// How many pods of each kind (equal template) to ask
    #[arg(long, value_name = "N", default_value = "2", requires = "inside",
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub sample: usize,
}

/// How to judge and tell.
#[derive(Clone, Debug, Args)]
pub struct Judge {
    /// Format, `table` when not given; may be repeated, with a file for all but one: -o table -o json=report.json
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", value_parser = output)]
    pub output: Vec<Output>,
    /// Exit with 1 when there is a finding this severe or more
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    pub fail_on: FailOn,
    /// Whether anything that could not be judged makes the exit code 3
    #[arg(long, value_name = "RESULT", default_value = "pass")]
    pub inconclusive: Inconclusive,
    /// One deadline for everything: 30s, 2m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// Judge as if it were this time: 2027-01-31T00:00:00Z, or a date for its first second in UTC
    #[arg(long, visible_alias = "at", value_name = "TIME", value_parser = time)]
    pub now: Option<Timestamp>,
    /// The Ray whose C++ core judges; when not given, the one that images and RayClusters name, or 2.60
    #[arg(long, value_name = "VERSION", value_parser = Profile::core_of_ray)]
    pub ray: Option<Profile>,
    /// The grpcio package of Ray's Python processes, which no manifest names
    #[arg(long, value_name = "VERSION", default_value = "1.85.1", value_parser = Profile::of_grpcio)]
    pub grpcio: Profile,
    /// Say what is done, on stderr; -vv and -vvv say more
    #[arg(short, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// A format, and the file it goes to; standard output without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The format.
    pub format: Format,
    /// The file.
    pub file: Option<PathBuf>,
}

/// Formats of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One line per finding.
    Short,
    /// For scripts.
    Json,
}

/// The least severity that makes the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors.
    Error,
    /// Warnings and errors.
    Warning,
    /// Every finding.
    Info,
    /// None.
    Never,
}

/// What a gap in the evidence makes of the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Inconclusive {
    /// 3.
    Fail,
    /// Nothing.
    Pass,
}

/// An address to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Name or IP address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Inside {
    /// How many pods of each kind to ask; none for no pod.
    pub fn sample(&self) -> Option<usize> {
        self.inside.then_some(self.sample)
    }
}

impl FailOn {
    /// As a severity; none for never.
    pub fn severity(self) -> Option<Severity> {
        match self {
            FailOn::Error => Some(Severity::Error),
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Info => Some(Severity::Info),
            FailOn::Never => None,
        }
    }
}

impl Command {
    /// How much to say on stderr, 0 to 3.
    pub fn verbose(&self) -> u8 {
        match self {
            Command::Doctor(Doctor { judge, .. })
            | Command::Gate(Gate { judge, .. })
            | Command::Probe(Probe { judge, .. })
            | Command::Verify(Verify { judge, .. })
            | Command::Demo(Demo { judge, .. }) => judge.verbose,
            Command::Snapshot(snapshot) => snapshot.verbose,
            Command::Explain(_) | Command::Completions(_) | Command::Rbac(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds() {
        Cli::command().debug_assert();
    }
}

//! The cluster of the demo before it becomes objects and ports: what its owner has set up, and since when it runs.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::{SignedDuration, Timestamp};
use rcgen::ExtendedKeyUsagePurpose;

use super::NAMESPACE;
use super::address::Block;
use super::pki::{Authority, Files, Leaf};

/// Where the Secret is mounted.
pub(super) const MOUNT: &str = "/etc/ray/tls";
/// The Secret that all share.
pub(super) const SECRET: &str = "ray-tls-certs";
/// The head's Service.
pub(super) const SERVICE: &str = "ray-head-svc";

/// Everything about the cluster. No `Debug`: it holds private keys.
pub(super) struct Scene {
    pub block: Block,
    pub now: Timestamp,
    /// Whether the API server refuses to show Secrets.
    pub secrets_forbidden: bool,
    pub secrets: Vec<Secret>,
    pub head: Party,
    pub worker: Party,
    pub client: Party,
    pub authority: Authority,
}

/// A Secret.
pub(super) struct Secret {
    pub name: &'static str,
    pub data: BTreeMap<&'static str, String>,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
}

/// A Deployment and its pods.
pub(super) struct Party {
    pub name: &'static str,
    pub image: &'static str,
    /// Last octets of the pods' addresses.
    pub pods: &'static [u8],
    pub command: Vec<String>,
    pub env: Vec<(&'static str, String)>,
    /// The Secret it mounts at [`MOUNT`].
    pub secret: Option<&'static str>,
    /// When its pods started.
    pub started_at: Timestamp,
    /// The files its processes loaded when they started, where the Secret holds others now.
    pub loaded: Option<Files>,
}

/// A pod.
pub(super) struct Pod {
    pub name: String,
    pub ip: Ipv4Addr,
}

/// What a pod does.
pub(super) enum State {
    /// It runs, in clear or with these files. A party that only dials runs whatever its files are.
    Runs(Option<Files>),
    /// It waits for a Secret that does not exist.
    WaitsForSecret,
    /// Its Ray stops at once: TLS is on and this file cannot be read or loaded.
    Crashes,
}

/// Days before or after.
pub(super) fn days(n: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * n)
}

impl Scene {
    /// A cluster in which every connection works.
    ///
    /// # Errors
    /// When a certificate cannot be made.
    pub(super) fn healthy(block: Block, now: Timestamp) -> Result<Self, rcgen::Error> {
        let authority = Authority::root("ray-demo-ca", (now - days(40), now + days(3_600)))?;
        let [head, worker, client] = [
            party("ray-head", "rayproject/ray:2.60.0", &[10], now),
            party("ray-worker", "rayproject/ray:2.60.0", &[11, 12], now),
            party("ray-client", "django-ray:0.1.1", &[20], now),
        ];
        let mut scene =
            Scene { block, now, secrets_forbidden: false, secrets: Vec::new(), head, worker, client, authority };
        scene.head.command = words(&format!(
            "ray start --head --port={} --ray-client-server-port={} --node-manager-port={} --dashboard-host=0.0.0.0 --block",
            block.gcs, block.client, block.node_manager
        ));
        scene.dial_head_at(SERVICE);
        scene.client.command = words("python manage.py django_ray_worker");
        scene.client.env.push(("RAY_ADDRESS", format!("ray://{SERVICE}:{}", block.client)));
        let files = scene.authority.issue(&scene.leaf())?;
        scene.add_secret(SECRET, &files, now - days(30));
        Ok(scene)
    }

    /// The address in the workers' command.
    pub(super) fn dial_head_at(&mut self, host: &str) {
        let Block { gcs, node_manager, .. } = self.block;
        self.worker.command =
            words(&format!("ray start --address={host}:{gcs} --node-manager-port={node_manager} --block"));
    }

    /// A leaf that every party of the healthy cluster can use: all names that are dialled, and both purposes.
    pub(super) fn leaf(&self) -> Leaf {
        let mut names = service_names();
        names.extend(["localhost".into(), "127.0.0.1".into()]);
        names.extend(self.pods().map(|(pod, _)| pod.ip.to_string()));
        Leaf {
            names,
            dates: (self.now - days(30), self.now + days(335)),
            purposes: vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            ips_as_dns: false,
            names_ca_key: true,
            algorithm: &rcgen::PKCS_ECDSA_P256_SHA256,
        }
    }

    /// Replaces the shared Secret's three files by those of this leaf, as if they had always been there.
    pub(super) fn use_leaf(&mut self, leaf: &Leaf) -> Result<(), rcgen::Error> {
        let files = self.authority.issue(leaf)?;
        if let Some(secret) = self.shared_secret() {
            secret.set(&files);
        }
        Ok(())
    }

    /// The shared Secret.
    pub(super) fn shared_secret(&mut self) -> Option<&mut Secret> {
        self.secrets.iter_mut().find(|s| s.name == SECRET)
    }

    /// Adds a Secret of this age.
    pub(super) fn add_secret(&mut self, name: &'static str, files: &Files, created_at: Timestamp) {
        let mut secret = Secret { name, data: BTreeMap::new(), created_at, changed_at: created_at };
        secret.set(files);
        self.secrets.push(secret);
    }

    /// The three parties.
    pub(super) fn parties(&self) -> [&Party; 3] {
        [&self.head, &self.worker, &self.client]
    }

    /// Every pod, with its party.
    pub(super) fn pods(&self) -> impl Iterator<Item = (Pod, &Party)> {
        self.parties().into_iter().flat_map(move |party| {
            party.pods.iter().map(move |last| {
                let name = format!("{}-{}-{}", party.name, party.template_hash(), pod_suffix(*last));
                (Pod { name, ip: self.block.address(*last) }, party)
            })
        })
    }

    /// What the party's pods do, given its settings as Ray reads them and the files behind them.
    pub(super) fn state(&self, party: &Party) -> State {
        if party.secret.is_some_and(|name| self.secrets.iter().all(|secret| secret.name != name)) {
            return State::WaitsForSecret;
        }
        if !party.tls() {
            return State::Runs(None);
        }
        let files = party.loaded.clone().or_else(|| self.mounted(party));
        match files {
            _ if party.name == self.client.name => State::Runs(files),
            Some(files) if super::ports::loads(&files) => State::Runs(Some(files)),
            _ => State::Crashes,
        }
    }

    /// The files its three variables lead to; none when one leads nowhere.
    fn mounted(&self, party: &Party) -> Option<Files> {
        let secret = self.secrets.iter().find(|s| Some(s.name) == party.secret)?;
        let file = |variable| {
            let path = party.variable(variable)?;
            secret.data.get(path.strip_prefix(MOUNT)?.strip_prefix('/')?).cloned()
        };
        Some(Files {
            certificate: file("RAY_TLS_SERVER_CERT")?,
            key: file("RAY_TLS_SERVER_KEY")?,
            trust: file("RAY_TLS_CA_CERT")?,
        })
    }
}

impl Secret {
    /// Sets `tls.crt`, `tls.key` and `ca.crt`.
    pub(super) fn set(&mut self, files: &Files) {
        self.data.insert("tls.crt", files.certificate.clone());
        self.data.insert("tls.key", files.key.clone());
        self.data.insert("ca.crt", files.trust.clone());
    }
}

impl Party {
    /// Sets a variable, or changes it.
    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.unset(name);
        self.env.push((name, value.into()));
    }

    /// Removes a variable.
    pub(super) fn unset(&mut self, name: &str) {
        self.env.retain(|(n, _)| *n != name);
    }

    /// The ReplicaSet's `pod-template-hash`.
    pub(super) fn template_hash(&self) -> &'static str {
        match self.name {
            "ray-head" => "7c9d8f5b6d",
            "ray-worker" => "5f6b7d9c8",
            _ => "66d4c5bb7f",
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().rfind(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    // RAY_USE_TLS as Ray parses it.
    fn tls(&self) -> bool {
        self.variable("RAY_USE_TLS").is_some_and(|v| v == "1" || v.eq_ignore_ascii_case("true"))
    }
}

/// The four names of the head's Service.
pub(super) fn service_names() -> Vec<String> {
    ["", ".svc", ".svc.cluster.local"]
        .iter()
        .map(|suffix| format!("{SERVICE}.{NAMESPACE}{suffix}"))
        .chain([SERVICE.to_owned()])
        .collect()
}

fn party(name: &'static str, image: &'static str, pods: &'static [u8], now: Timestamp) -> Party {
    let env = [
        ("RAY_USE_TLS", "1".to_owned()),
        ("RAY_TLS_SERVER_CERT", format!("{MOUNT}/tls.crt")),
        ("RAY_TLS_SERVER_KEY", format!("{MOUNT}/tls.key")),
        ("RAY_TLS_CA_CERT", format!("{MOUNT}/ca.crt")),
    ];
    Party {
        name,
        image,
        pods,
        command: Vec::new(),
        env: env.into(),
        secret: Some(SECRET),
        started_at: now - days(9),
        loaded: None,
    }
}

fn pod_suffix(last: u8) -> &'static str {
    match last {
        10 => "x2x4k",
        11 => "4zq8n",
        12 => "p7mhw",
        _ => "9tcvj",
    }
}

fn words(command: &str) -> Vec<String> {
    command.split(' ').map(str::to_owned).collect()
}

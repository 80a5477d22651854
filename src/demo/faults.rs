//! What can be wrong with the demo's cluster.

use jiff::SignedDuration;
use rcgen::ExtendedKeyUsagePurpose;

use super::pki::{Authority, Leaf};
use super::scene::{MOUNT, SECRET, SERVICE, Scene, days};

/// One way to be broken.
#[derive(Clone, Copy)]
pub struct Fault {
    /// What people type: `pod-ip-missing`.
    pub name: &'static str,
    /// What is wrong, one line.
    pub about: &'static str,
    /// Code of the check that is to be the first cause; none when nothing is to be found.
    pub cause: Option<&'static str>,
    change: fn(&mut Scene) -> Result<(), rcgen::Error>,
}

/// The fault shown when none is named.
pub const DEFAULT: &str = "pod-ip-missing";

/// Every fault, in the order people see them.
pub fn all() -> &'static [Fault] {
    FAULTS
}

/// The fault of this name.
pub fn find(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.name == name)
}

impl Fault {
    /// Breaks a healthy cluster.
    pub(super) fn apply(&self, scene: &mut Scene) -> Result<(), rcgen::Error> {
        (self.change)(scene)
    }
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const FAULTS: &[Fault] = &[
    Fault { name: "healthy", about: "nothing is wrong: every connection works", cause: None, change: |_| Ok(()) },
    Fault {
        name: "pod-ip-missing",
        about: "the certificate has the names of Ray's documentation, but no pod's IP: Ray's nodes dial each other by IP",
        cause: Some("NAM03"),
        change: |scene| {
            let mut leaf = scene.leaf();
            leaf.names.retain(|name| !name.starts_with("127.") || name == "127.0.0.1");
            scene.use_leaf(&leaf)
        },
    },
    Fault {
        name: "missing-name",
        about: "the Ray Client dials ray-head-svc; the certificate only has the Service's long names",
        cause: Some("NAM01"),
        change: |scene| {
            let mut leaf = scene.leaf();
            leaf.names.retain(|name| name != SERVICE);
            scene.dial_head_at(&format!("{SERVICE}.{}.svc.cluster.local", super::NAMESPACE));
            scene.use_leaf(&leaf)
        },
    },
    Fault {
        name: "expired",
        about: "the certificate ran out three days ago while the pods went on running",
        cause: Some("CRT01"),
        change: |scene| {
            let mut leaf = scene.leaf();
            leaf.dates = (scene.now - days(30), scene.now - days(3));
            scene.use_leaf(&leaf)
        },
    },
    Fault {
        name: "not-yet-valid",
        about: "the certificate begins in two hours: it was made on a machine whose clock is ahead",
        cause: Some("CRT02"),
        change: |scene| {
            let mut leaf = scene.leaf();
            leaf.dates.0 = scene.now + SignedDuration::from_hours(2);
            let applied_at = scene.now - SignedDuration::from_mins(10);
            if let Some(secret) = scene.shared_secret() {
                (secret.created_at, secret.changed_at) = (applied_at, applied_at);
            }
            for party in [&mut scene.head, &mut scene.worker, &mut scene.client] {
                party.started_at = applied_at + SignedDuration::from_secs(20);
            }
            scene.use_leaf(&leaf)
        },
    },
    Fault {
        name: "wrong-ca",
        about: "the workers have certificate and ca.crt of another CA than the head",
        cause: Some("CHN02"),
        change: |scene| {
            let other = Authority::root("ray-other-ca", (scene.now - days(40), scene.now + days(3_600)))?;
            let files = other.issue(&scene.leaf())?;
            scene.add_secret("ray-worker-certs", &files, scene.now - days(30));
            scene.worker.secret = Some("ray-worker-certs");
            Ok(())
        },
    },
    Fault {
        name: "ca-expired",
        about: "the CA ran out yesterday, the certificates it signed have not",
        cause: Some("CHN04"),
        change: |scene| {
            scene.authority = Authority::root("ray-demo-ca", (scene.now - days(366), scene.now - days(1)))?;
            scene.use_leaf(&scene.leaf())
        },
    },
    Fault {
        name: "ca-order",
        about: "an earlier CA of the same name stands before the current one in ca.crt: right for the core, wrong for Python",
        cause: Some("CHN16"),
        change: |scene| {
            let earlier = Authority::root("ray-demo-ca", (scene.now - days(700), scene.now + days(2_900)))?;
            let mut files = scene.authority.issue(&Leaf { names_ca_key: false, ..scene.leaf() })?;
            files.trust = earlier.pem() + &files.trust;
            if let Some(secret) = scene.shared_secret() {
                secret.set(&files);
            }
            Ok(())
        },
    },
    Fault {
        name: "missing-intermediate",
        about: "an intermediate CA signed the certificate, but is neither in tls.crt nor in ca.crt",
        cause: Some("CHN03"),
        change: |scene| {
            let dates = (scene.now - days(40), scene.now + days(1_800));
            let intermediate = scene.authority.intermediate("ray-demo-issuing-ca", dates)?;
            let mut files = intermediate.issue(&scene.leaf())?;
            files.trust = scene.authority.pem();
            if let Some(secret) = scene.shared_secret() {
                secret.set(&files);
                secret.data.insert("issuing-ca.crt", intermediate.pem());
            }
            Ok(())
        },
    },
    Fault {
        name: "client-auth-missing",
        about: "the certificate is for servers only; in Ray every node is a client too",
        cause: Some("CRT06"),
        change: |scene| {
            let mut leaf = scene.leaf();
            leaf.purposes = vec![ExtendedKeyUsagePurpose::ServerAuth];
            scene.use_leaf(&leaf)
        },
    },
    Fault {
        name: "ed25519-leaf",
        about: "the certificate has an Ed25519 key: openssl is content, gRPC never takes it",
        cause: Some("CRT08"),
        change: |scene| {
            let mut leaf = scene.leaf();
            leaf.algorithm = &rcgen::PKCS_ED25519;
            scene.use_leaf(&leaf)
        },
    },
    Fault {
        name: "p521-leaf",
        about: "the certificate has a P-521 key: it loads, and then no gRPC peer takes it",
        cause: Some("CRT08"),
        change: |scene| {
            let mut leaf = scene.leaf();
            leaf.algorithm = &rcgen::PKCS_ECDSA_P521_SHA512;
            scene.use_leaf(&leaf)
        },
    },
    Fault {
        name: "ip-as-dns-name",
        about: "the certificate has its IPs as DNS names: openssl refuses them, both gRPCs of Ray do not",
        cause: None,
        change: |scene| scene.use_leaf(&Leaf { ips_as_dns: true, ..scene.leaf() }),
    },
    Fault {
        name: "key-mismatch",
        about: "tls.key is the key of an earlier certificate",
        cause: Some("KEY01"),
        change: |scene| {
            let earlier = scene.authority.issue(&scene.leaf())?;
            if let Some(secret) = scene.shared_secret() {
                secret.data.insert("tls.key", earlier.key);
            }
            Ok(())
        },
    },
    Fault {
        name: "empty-secret",
        about: "the Secret's three values are empty placeholders",
        cause: Some("SEC03"),
        change: |scene| {
            if let Some(secret) = scene.shared_secret() {
                secret.data.values_mut().for_each(String::clear);
            }
            Ok(())
        },
    },
    Fault {
        name: "missing-secret",
        about: "the Secret that every pod mounts does not exist",
        cause: Some("SEC01"),
        change: |scene| {
            scene.secrets.retain(|secret| secret.name != SECRET);
            Ok(())
        },
    },
    Fault {
        name: "wrong-path",
        about: "the workers' RAY_TLS_SERVER_CERT is a path that no volume is mounted at",
        cause: Some("MNT01"),
        change: |scene| {
            scene.worker.set("RAY_TLS_SERVER_CERT", "/etc/ray/certs/tls.crt");
            Ok(())
        },
    },
    Fault {
        name: "plaintext-worker",
        about: "RAY_USE_TLS was forgotten on the workers",
        cause: Some("ENV01"),
        change: |scene| {
            scene.worker.unset("RAY_USE_TLS");
            Ok(())
        },
    },
    Fault {
        name: "yes-is-not-true",
        about: "the workers have RAY_USE_TLS: \"yes\", which Ray reads as no",
        cause: Some("ENV02"),
        change: |scene| {
            scene.worker.set("RAY_USE_TLS", "yes");
            Ok(())
        },
    },
    Fault {
        name: "typo-variable",
        about: "the workers have RAY_TLS_CA_CERTS, which Ray does not know, instead of RAY_TLS_CA_CERT",
        // ENV07 names the typo, but what breaks is the variable that is not there.
        cause: Some("ENV07"),
        change: |scene| {
            scene.worker.unset("RAY_TLS_CA_CERT");
            scene.worker.set("RAY_TLS_CA_CERTS", &format!("{MOUNT}/ca.crt"));
            Ok(())
        },
    },
    Fault {
        name: "client-without-tls",
        about: "the Deployment that dials ray:// has no TLS variables and no certificates",
        cause: Some("CLI01"),
        change: |scene| {
            scene.client.env.retain(|(name, _)| *name == "RAY_ADDRESS");
            scene.client.secret = None;
            Ok(())
        },
    },
    Fault {
        name: "rotated-not-restarted",
        about: "the Secret got a new CA and certificate two hours ago; head and workers still run with the old ones",
        cause: Some("ROT01"),
        change: |scene| {
            let old = scene.authority.issue(&scene.leaf())?;
            scene.head.loaded = Some(old.clone());
            scene.worker.loaded = Some(old);
            scene.client.started_at = scene.now - SignedDuration::from_mins(40);
            scene.authority = Authority::root("ray-demo-ca", (scene.now - days(1), scene.now + days(3_600)))?;
            let changed_at = scene.now - SignedDuration::from_hours(2);
            let mut leaf = scene.leaf();
            leaf.dates.0 = changed_at;
            scene.use_leaf(&leaf)?;
            if let Some(secret) = scene.shared_secret() {
                secret.changed_at = changed_at;
            }
            Ok(())
        },
    },
    Fault {
        name: "forbidden",
        about: "nothing is wrong, but the caller may not read Secrets",
        cause: None,
        change: |scene| {
            scene.secrets_forbidden = true;
            Ok(())
        },
    },
];

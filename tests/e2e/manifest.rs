//! The manifests of the rows, and what a row changes in them.

const HEAD: &str = include_str!("manifests/head.yaml");
const WORKER: &str = include_str!("manifests/worker.yaml");
const CLIENT: &str = include_str!("manifests/client.yaml");
const GENCERT: &str = include_str!("manifests/gencert.yaml");

/// The init container that runs the script of `gencert.yaml`.
const OWN_LEAF: &str = r#"      - name: gencert
        image: ray.local/ray:2.60.0
        imagePullPolicy: IfNotPresent
        command: [sh, /etc/ray/gencert/gencert.sh]
        env:
        - name: POD_IP
          valueFrom: {fieldRef: {fieldPath: status.podIP}}
        - name: NAMESPACE
          valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
        volumeMounts:
        - {name: ca, mountPath: /etc/ray/ca, readOnly: true}
        - {name: gencert, mountPath: /etc/ray/gencert, readOnly: true}
        - {name: tls, mountPath: /etc/ray/tls}
"#;

/// The volumes of [`Manifest::own_leaf`].
pub(crate) const VOLUMES: &str = r#"      - name: tls
        emptyDir: {}
      - name: ca
        secret: {secretName: ray-ca}
      - name: gencert
        configMap: {name: ray-gencert}
"#;

/// A manifest that is changed by its text, so that a row reads as a diff. Every change must find what it changes.
#[derive(Clone)]
pub(crate) struct Manifest(pub(crate) String);

/// A head that is started under the name `ray-head`, with the Secret `ray-tls`.
pub(crate) fn head() -> Manifest {
    Manifest(HEAD.into())
}

/// A worker that is started under the name `ray-worker`, with the Secret `ray-tls`.
pub(crate) fn worker() -> Manifest {
    Manifest(WORKER.into())
}

/// A Ray Client workload, with the Secret `ray-tls`.
pub(crate) fn client() -> Manifest {
    Manifest(CLIENT.into())
}

/// The script for [`Manifest::own_leaf`].
pub(crate) fn gencert() -> Manifest {
    Manifest(GENCERT.into())
}

impl Manifest {
    /// Another text instead of this one, everywhere.
    pub(crate) fn with(self, old: &str, new: &str) -> Manifest {
        assert!(self.0.contains(old), "the manifest has no '{old}'");
        Manifest(self.0.replace(old, new))
    }

    /// Another value for a variable.
    pub(crate) fn set(self, variable: &str, value: &str) -> Manifest {
        let old = self.line(variable);
        self.with(&old, &format!("        - {{name: {variable}, value: {value:?}}}\n"))
    }

    /// Without a variable.
    pub(crate) fn unset(self, variable: &str) -> Manifest {
        let line = self.line(variable);
        self.with(&line, "")
    }

    /// Without any variable of TLS.
    pub(crate) fn plaintext(self) -> Manifest {
        ["RAY_USE_TLS", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"]
            .into_iter()
            .fold(self, Manifest::unset)
    }

    /// The files of another Secret.
    pub(crate) fn secret(self, name: &str) -> Manifest {
        self.with("secretName: ray-tls}", &format!("secretName: {name}}}"))
    }

    /// This mode for the files of the Secret `ray-tls`.
    pub(crate) fn mode(self, mode: u16) -> Manifest {
        self.with("secretName: ray-tls}", &format!("secretName: ray-tls, defaultMode: {mode}}}"))
    }

    /// This security context for the pod: `{fsGroup: 1000}`.
    pub(crate) fn security(self, context: &str) -> Manifest {
        let line = "      enableServiceLinks: false\n";
        self.with(line, &format!("{line}      securityContext: {context}\n"))
    }

    /// A node that Ray starts under its pod's IP.
    pub(crate) fn by_pod_ip(self) -> Manifest {
        let name = ["ray-head", "ray-worker"].into_iter().find(|n| self.0.contains(&format!("--node-ip-address={n}")));
        self.with(&format!("--node-ip-address={} ", name.unwrap_or_default()), "")
    }

    /// More text at its end.
    pub(crate) fn and(self, text: &str) -> Manifest {
        Manifest(format!("{}{text}", self.0))
    }

    /// An init container makes the pod's own leaf from the Secret `ray-ca`, with its pod IP.
    pub(crate) fn own_leaf(self) -> Manifest {
        self.init_own_leaf().with("      - name: tls\n        secret: {secretName: ray-tls}\n", VOLUMES)
    }

    /// The init container of [`Manifest::own_leaf`] alone.
    pub(crate) fn init_own_leaf(self) -> Manifest {
        match self.0.contains("      initContainers:\n") {
            true => self.with("      initContainers:\n", &format!("      initContainers:\n{OWN_LEAF}")),
            false => self.with("      containers:\n", &format!("      initContainers:\n{OWN_LEAF}      containers:\n")),
        }
    }

    fn line(&self, variable: &str) -> String {
        let begin = format!("        - {{name: {variable}, value: ");
        let line = self.0.lines().find(|line| line.starts_with(&begin));
        format!("{}\n", line.unwrap_or_else(|| panic!("the manifest has no {variable}")))
    }
}

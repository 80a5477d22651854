//! What-if: an edit of the model, after which every connection is judged again.

/// A change of what is deployed, applied to the model.
///
/// Edits name parties by index, files by party and slot. The certificate that an edit makes is hypothetical: it
/// has facts and an assumed signature.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Set `RAY_USE_TLS` of this party to `1` (or remove it).
    SetSwitch {
        /// Index of the party.
        party: usize,
        /// On or off.
        on: bool,
    },
    /// Put a good file in this slot: a value for an empty key, a mount for a path. Its bytes are not known yet.
    Provide {
        /// Index of the party.
        party: usize,
        /// Which file.
        slot: Slot,
    },
    /// Point this slot at the file another party of the cluster uses in the same slot.
    Share {
        /// Index of the party.
        party: usize,
        /// Which file.
        slot: Slot,
        /// Index of the party whose file it is.
        from: usize,
    },
    /// Issue the leaf of this party again by the same CA, with names added.
    AddNames {
        /// SHA-256 of the leaf, hex; every party that presents it gets the new one.
        certificate: String,
        /// Names and IPs to add.
        names: Vec<String>,
        /// Whether every pod gets its own address in its certificate (a certificate per pod).
        pod_addresses: bool,
    },
    /// Issue the leaf again by the same CA, mended in these ways.
    Reissue {
        /// SHA-256 of the leaf, hex.
        certificate: String,
        /// What changes.
        fixes: Vec<Fix>,
    },
    /// Add the CA that signed this party's leaf to the trust files of the others, or replace them.
    Trust {
        /// Index of the party that trusts too little.
        party: usize,
        /// Index of the party whose issuer is to be trusted.
        issuer_of: usize,
    },
    /// Issue this party's leaf by the CA that another party trusts.
    IssueBy {
        /// Index of the party that gets the leaf.
        party: usize,
        /// Index of the party that trusts the CA.
        trusted_by: usize,
    },
    /// Renew a CA in this trust file: same name and key, new dates.
    RenewCa {
        /// SHA-256 of the CA certificate, hex.
        certificate: String,
    },
    /// Start the pods of this party again: they present what is stored.
    Restart {
        /// Index of the party.
        party: usize,
    },
    /// Make this port answer (Service, policy, process).
    Open {
        /// Index of the party.
        party: usize,
        /// Port.
        port: u16,
    },
    /// Make the object exist or valid, so that the pods of this party start.
    Start {
        /// Index of the party.
        party: usize,
    },
    /// Dial by this host instead.
    Dial {
        /// Index of the dialling party.
        party: usize,
        /// The host dialled now.
        from: String,
        /// The host to dial.
        to: String,
    },
}

/// Which of the three files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// `RAY_TLS_SERVER_CERT`.
    Certificate,
    /// `RAY_TLS_SERVER_KEY`.
    Key,
    /// `RAY_TLS_CA_CERT`.
    Trust,
}

/// What a reissue changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fix {
    /// The missing intermediates are added.
    Chain,
    /// New dates.
    Dates,
    /// RSA or P-256 key, and its key file.
    Key,
    /// keyUsage and extendedKeyUsage for both roles.
    Uses,
}

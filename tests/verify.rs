//! `verify` from outside: files in, answers out, the same in every format.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use std::path::PathBuf;

use common::{Ran, run};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SignatureAlgorithm, date_time_ymd,
};
use serde_json::Value;

/// A CA, and a folder for what it issues.
struct Folder {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    ca: String,
}

impl Folder {
    fn new() -> Folder {
        let (issuer, ca) = authority("ray-ca", KeyPair::generate().unwrap(), |_| ());
        let folder = Folder { folder: tempfile::tempdir().unwrap(), issuer, ca };
        folder.write("ca.crt", &folder.ca);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        self.leaf_of(&rcgen::PKCS_ECDSA_P256_SHA256, change)
    }

    /// Writes tls.crt and tls.key, and returns them.
    fn leaf_of(
        &self,
        algorithm: &'static SignatureAlgorithm,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::new(["ray-head", "10.0.0.7"].map(String::from).to_vec()).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let pair = (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem());
        self.write("tls.crt", &pair.0);
        self.write("tls.key", &pair.1);
        pair
    }

    fn verify(&self, args: &[&str]) -> Ran {
        let args: Vec<String> = args
            .iter()
            .map(|arg| match arg.strip_prefix('@') {
                Some(file) => self.path(file).to_string_lossy().into_owned(),
                None => (*arg).to_owned(),
            })
            .collect();
        let mut all = vec!["verify"];
        all.extend(args.iter().map(String::as_str));
        run(&all)
    }

    /// Runs in every format; asserts that all say the same with the same exit code, and returns the JSON.
    fn all(&self, args: &[&str]) -> (i32, Value) {
        let with = |format| {
            let mut all = args.to_vec();
            all.extend(["-o", format]);
            self.verify(&all)
        };
        let (json, table, short) = (with("json"), with("table"), with("short"));
        assert_eq!((table.code, short.code), (json.code, json.code), "{}{}", table.stdout, json.stdout);
        let report = json.json();
        assert_eq!(report["exitCode"], json.code);
        let line = table.stdout.lines().next().unwrap_or_default();
        assert_eq!(short.stdout.lines().last().unwrap_or_default(), line);
        let word = report["verdict"].as_str().unwrap().replace("at-risk", "at risk");
        assert!(line.starts_with(&format!("{word}: ")), "{line}");
        for talk in ["pod", "kubectl", "container", "namespace"] {
            assert!(!table.stdout.contains(talk), "{talk}:\n{}", table.stdout);
        }
        (json.code, report)
    }
}

const FILES: [&str; 6] = ["--cert", "@tls.crt", "--key", "@tls.key", "--ca", "@ca.crt"];

fn files<'a>(more: &[&'a str]) -> Vec<&'a str> {
    FILES.iter().chain(more).copied().collect()
}

fn authority(
    name: &str,
    key: KeyPair,
    change: impl FnOnce(&mut CertificateParams),
) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    change(&mut params);
    let pem = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), pem)
}

/// Who says yes: to loading the identity and the trust file, as server, as client.
fn who(report: &Value) -> Vec<&str> {
    let answers = &report["verification"];
    let all = answers["load"].as_array().unwrap().iter().chain(answers["peer"].as_array().unwrap());
    all.map(|one| one["acceptedBy"].as_str().unwrap()).collect()
}

fn codes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect()
}

#[test]
fn a_good_pair() {
    let folder = Folder::new();
    folder.leaf(|params| params.subject_alt_names.push(SanType::DnsName("*.local".try_into().unwrap())));
    let (code, report) = folder.all(&files(&[]));
    assert_eq!((code, &report["verdict"]), (0, &"healthy".into()), "{report:#}");
    assert_eq!(who(&report), ["both"; 4]);
    let names = &report["verification"]["names"];
    assert_eq!((&names[1]["name"], &names[1]["acceptedBy"]), (&"10.0.0.7".into(), &"both".into()));
    assert_eq!((&names[2]["name"], &names[2]["acceptedBy"]), (&"*.local".into(), &"neither".into()));
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(folder.all(&files(&["--name", "ray-head", "--name", "10.0.0.7"])).0, 0);
    let (code, report) = folder.all(&files(&["--name", "ray-head", "--name", "ray-worker"]));
    assert_eq!((code, codes(&report)), (1, vec!["NAM02"]));
    assert!(folder.verify(&files(&["--name", "x"])).stdout.contains("Hostname Verification Check failed"));
}

#[test]
fn an_address_as_a_dns_name() {
    let folder = Folder::new();
    folder.leaf(|params| params.subject_alt_names = vec![SanType::DnsName("10.0.0.7".try_into().unwrap())]);
    let (code, report) = folder.all(&files(&["--name", "10.0.0.7"]));
    assert_eq!((code, codes(&report)), (0, vec!["NAM07"]), "both gRPCs take it");
    folder.leaf(|params| {
        params.subject_alt_names = Vec::new();
        params.distinguished_name.push(DnType::CommonName, "ray-head");
    });
    let (code, report) = folder.all(&files(&["--name", "ray-head"]));
    assert_eq!((code, codes(&report)), (0, vec!["NAM09"]));
    assert_eq!(folder.all(&files(&["--name", "10.0.0.7"])).0, 1);
}

#[test]
fn time_is_an_argument() {
    let folder = Folder::new();
    folder.leaf(|params| params.not_after = date_time_ymd(2025, 1, 1));
    let (code, report) = folder.all(&files(&[]));
    assert_eq!((code, codes(&report)), (1, vec!["CRT01"]));
    assert_eq!(who(&report), ["both", "both", "neither", "neither"]);
    assert!(folder.verify(&files(&[])).stdout.contains("certificate has expired"));
    assert_eq!(folder.all(&files(&["--at", "2023-05-01"])).0, 0);
    assert_eq!(folder.all(&files(&["--now", "2023-05-01T00:00:00Z"])).0, 0);
    assert_eq!(folder.all(&files(&["--fail-on", "never"])).0, 0);
}

#[test]
fn one_role() {
    let folder = Folder::new();
    folder.leaf(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let (code, report) = folder.all(&files(&[]));
    assert_eq!((code, who(&report)), (1, vec!["both", "both", "both", "neither"]));
    assert_eq!(codes(&report), ["CRT06"]);
    assert_eq!(folder.all(&files(&["--role", "server"])).0, 0);
    let (code, report) = folder.all(&files(&["--role", "client"]));
    assert_eq!((code, &report["verification"]["names"]), (1, &serde_json::json!([])));
    let both = folder.verify(&files(&["--role", "client", "--name", "ray-head"]));
    assert_eq!(both.code, 2);
    assert!(both.stderr.contains("--name") && both.stderr.contains("--role client"), "{}", both.stderr);
}

#[test]
fn brackets_are_no_part_of_a_name() {
    let folder = Folder::new();
    folder.leaf(|params| params.subject_alt_names.push(SanType::IpAddress("fd00::7".parse().unwrap())));
    let (code, report) = folder.all(&files(&["--name", "[fd00::7]"]));
    assert_eq!((code, codes(&report)), (0, vec![]), "{report:#}");
    folder.leaf(|_| ());
    let (code, report) = folder.all(&files(&["--name", "[fd00::7]"]));
    assert_eq!((code, codes(&report)), (1, vec!["NAM02"]));
    assert!(report["causes"][0]["remedy"].to_string().contains("IP:fd00::7"), "{report:#}");
}

#[test]
fn two_formats_do_not_share_a_file() {
    let folder = Folder::new();
    let file = folder.path("report").to_string_lossy().into_owned();
    let ran = folder.verify(&["--ca", "@ca.crt", "-o", &format!("json={file}"), "-o", &format!("short={file}")]);
    assert_eq!((ran.code, folder.path("report").exists()), (2, false));
    assert!(ran.stderr.contains("two -o"), "{}", ran.stderr);
}

#[test]
fn a_name_is_judged_once() {
    let folder = Folder::new();
    folder.leaf(|_| ());
    let (_, report) = folder.all(&files(&["--name", "x", "--name", "ray-head", "--name", "x"]));
    assert_eq!(report["verification"]["names"].as_array().unwrap().len(), 2);
    let table = folder.verify(&files(&["--name", "x", "--name", "ray-head", "--name", "x"])).stdout;
    assert!(table.starts_with("broken: neither gRPC accepts the name x\n"), "{table}");
}

#[test]
fn what_passed_is_about_the_files() {
    let folder = Folder::new();
    folder.leaf(|_| ());
    let passed = |args: &[&str]| folder.all(args).1["passed"].to_string();
    let all = passed(&files(&[]));
    for code in ["CRT01", "CHN04", "KEY01", "NAM09", "SEC03"] {
        assert!(all.contains(code), "{code}: {all}");
    }
    assert!(!all.contains("DOC01") && !all.contains("CHN02"), "{all}");
    assert!(!passed(&["--cert", "@tls.crt", "--ca", "@ca.crt"]).contains("KEY01"));
    assert_eq!(passed(&["--ca", "@ca.crt"]), "[]");
    assert!(!folder.verify(&["--ca", "@ca.crt"]).stdout.contains("passed"));
}

#[test]
fn the_key_belongs_to_a_later_certificate() {
    let folder = Folder::new();
    let (intermediate, pem) = {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "ray-intermediate");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_after = date_time_ymd(2045, 1, 1);
        let pem = params.signed_by(&key, &folder.issuer).unwrap().pem();
        (Issuer::new(params, key), pem)
    };
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["ray-head".to_owned()]).unwrap();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.not_after = date_time_ymd(2040, 1, 1);
    let leaf = params.signed_by(&key, &intermediate).unwrap().pem();
    folder.write("tls.key", key.serialize_pem());
    folder.write("tls.crt", format!("{pem}{leaf}"));
    let (code, report) = folder.all(&files(&[]));
    // To issue the intermediate again with the usages of a leaf would be the wrong advice.
    assert_eq!((code, codes(&report)), (1, vec!["CRT12"]), "{report:#}");
    folder.write("tls.crt", &leaf);
    let (_, report) = folder.all(&files(&[]));
    assert_eq!(codes(&report), ["CHN01"]);
    assert!(report["causes"][0]["remedy"].to_string().contains("an intermediate below that CA"), "{report:#}");
    folder.write("tls.crt", format!("{leaf}{pem}"));
    assert_eq!(folder.all(&files(&[])).0, 0);
}

#[test]
fn a_trust_file_alone() {
    let folder = Folder::new();
    let (code, report) = folder.all(&["--ca", "@ca.crt", "--at", "2050-01-01"]);
    assert_eq!((code, codes(&report), who(&report)), (1, vec!["CHN04"], vec!["both"]));
    assert!(report["causes"][0]["remedy"].to_string().contains("openssl x509 -in ca.crt -signkey"), "{report:#}");
    let line = |args: &[&str]| folder.verify(args).stdout.lines().next().unwrap_or_default().to_owned();
    assert!(line(&["--ca", "@ca.crt", "--at", "2050-01-01"]).starts_with("broken: CHN04, though gRPC does not refuse"));
    folder.write("ca.crt", "");
    assert!(line(&["--ca", "@ca.crt"]).starts_with("broken: SEC03, though gRPC does not refuse"));
    let (code, report) = folder.all(&["--ca", "@ca.crt", "--grpcio", "1.83.0"]);
    assert_eq!((code, who(&report)), (1, vec!["core-only"]));
}

#[test]
fn keys_that_load_and_that_every_peer_refuses() {
    let folder = Folder::new();
    for algorithm in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P521_SHA256] {
        folder.leaf_of(algorithm, |_| ());
        let (code, report) = folder.all(&files(&[]));
        assert_eq!((code, who(&report)), (1, vec!["both", "both", "neither", "neither"]));
        assert_eq!(codes(&report), ["CRT08"]);
    }
}

#[test]
fn equal_names_pass_with_one_grpc_in_each_order() {
    let folder = Folder::new();
    let (_, other) = authority("ray-ca", KeyPair::generate().unwrap(), |_| ());
    folder.leaf(|params| params.use_authority_key_identifier_extension = false);
    for (first, second, by) in [(&folder.ca, &other, "python-only"), (&other, &folder.ca, "core-only")] {
        folder.write("ca.crt", format!("{first}{second}"));
        let (code, report) = folder.all(&files(&[]));
        assert_eq!((code, who(&report)), (1, vec!["both", "both", by, by]), "{report:#}");
        assert_eq!(codes(&report), ["CHN16"]);
        assert_eq!(report["causes"][0]["code"], "CHN16");
        assert!(report["causes"][0]["remedy"].to_string().contains("Take CN=ray-ca with SHA-256"));
    }
    // Both of one generation: the wheel of the core's gRPC.
    let (_, report) = folder.all(&files(&["--grpcio", "1.58.0"]));
    assert_eq!(who(&report), ["both"; 4]);
    // gRPC of before 2023 kept the order of the file.
    let (_, report) = folder.all(&files(&["--ray", "2.8.1"]));
    assert_eq!(who(&report)[2..], ["neither"; 2]);
    folder.leaf(|_| ());
    let (code, report) = folder.all(&files(&[]));
    assert_eq!((code, codes(&report)), (0, vec![]), "key ids tell them apart");
}

#[test]
fn a_renewed_ca_beside_the_old_one() {
    let folder = Folder::new();
    let key = || KeyPair::from_pem(&folder.issuer.key().serialize_pem()).unwrap();
    let (_, old) = authority("ray-ca", key(), |params| params.not_after = date_time_ymd(2042, 1, 1));
    folder.leaf(|_| ());
    folder.write("ca.crt", format!("{old}{}", folder.ca));
    let (code, report) = folder.all(&files(&[]));
    assert_eq!((code, codes(&report)), (0, vec!["CHN17"]));
    assert_eq!((&report["verdict"], &report["timeToOutage"]["because"]), (&"at-risk".into(), &"CHN17".into()));
    assert_eq!(report["verification"]["fragile"], serde_json::json!(["CHN17"]));
    assert_eq!(folder.all(&files(&["--fail-on", "warning"])).0, 1);
    folder.leaf(|params| params.not_after = date_time_ymd(2048, 1, 1));
    let (code, report) = folder.all(&files(&["--at", "2043-01-01"]));
    assert_eq!((code, who(&report)[2]), (1, "core-only"), "{report:#}");
}

#[test]
fn blocks_that_are_not_read() {
    let folder = Folder::new();
    let (certificate, _) = folder.leaf(|_| ());
    let (_, other) = authority("other-ca", KeyPair::generate().unwrap(), |_| ());
    // Joined without a line break: the first one is lost too.
    folder.write("ca.crt", format!("{}{other}", folder.ca.trim_end()));
    let (code, report) = folder.all(&files(&[]));
    assert_eq!((code, who(&report)), (1, vec!["both", "neither", "neither", "neither"]), "{report:#}");
    // A third block that is joined to a good second one.
    folder.write("ca.crt", format!("{}{}{other}", folder.ca, other.trim_end()));
    let (code, report) = folder.all(&files(&[]));
    assert_eq!((code, who(&report), codes(&report)), (0, vec!["both"; 4], vec!["CHN14"]), "{report:#}");
    let ignored = report["verification"]["load"][1]["core"]["ignored"].as_str().unwrap();
    assert!(ignored.contains("ignored") && ignored.contains("line"), "{ignored}");
    folder.write("ca.crt", &folder.ca);
    folder.write("tls.crt", format!("{certificate}{}", &other[..other.len() / 2]));
    let (code, report) = folder.all(&files(&[]));
    assert_eq!((code, codes(&report)), (0, vec!["CHN14"]));
    assert!(report["verification"]["load"][0]["python"]["ignored"].is_string(), "{report:#}");
}

#[test]
fn versions_that_nobody_knows() {
    let folder = Folder::new();
    folder.leaf(|_| ());
    for (flag, version) in [("--ray", "1.9"), ("--ray", "latest"), ("--grpcio", "new")] {
        let ran = folder.verify(&files(&[flag, version]));
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(flag), "{}", ran.stderr);
    }
    let (_, report) = folder.all(&files(&["--ray", "2.99"]));
    assert!(report["judgedBy"]["core"].as_str().unwrap().starts_with("gRPC 1.58.0 (supposed"), "{report:#}");
}

#[test]
fn what_is_not_given_is_not_judged() {
    let folder = Folder::new();
    folder.leaf(|_| ());
    let (code, report) = folder.all(&FILES[..4]);
    assert_eq!((code, who(&report)), (0, vec!["both", "cannot-tell", "cannot-tell"]));
    assert_eq!(folder.all(&[&FILES[..4], &["--inconclusive", "fail"]].concat()).0, 3);
    let (code, report) = folder.all(&["--cert", "@tls.crt", "--ca", "@ca.crt"]);
    assert_eq!((code, who(&report)), (0, vec!["cannot-tell", "both", "both", "both"]));
    assert_eq!(report["notJudged"][0]["why"], "no key is given (--key)");
    let (code, report) = folder.all(&["--ca", "@ca.crt"]);
    assert_eq!((code, who(&report)), (0, vec!["both"]));
    assert_eq!(folder.verify(&[]).code, 2);
    assert_eq!(folder.verify(&["--key", "@tls.key"]).code, 2);
}

#[test]
fn files_that_are_something_else() {
    let folder = Folder::new();
    let (certificate, key) = folder.leaf(|_| ());
    let refused = |name: &str, bytes: &[u8], slot: usize, code: &str| {
        let mut args = FILES.to_vec();
        let file = format!("@{name}");
        folder.write(name, bytes);
        args[slot] = &file;
        let (exit, report) = folder.all(&args);
        assert_eq!(exit, 1, "{name}: {report:#}");
        assert!(codes(&report).contains(&code), "{name}: {report:#}");
        assert!(who(&report).contains(&"neither"), "{name}");
        report
    };
    let der: Vec<u8> = base64_body(&certificate);
    refused("der.crt", &der, 1, "SEC07");
    let words = |report: &Value, by: &str| report["verification"]["load"][0][by]["words"].clone();
    let report = refused("empty.crt", b"", 1, "SEC03");
    assert_eq!(words(&report, "core"), "Invalid cert chain file.");
    assert_eq!(words(&report, "python"), "cert_chain != nullptr");
    let report = refused("empty.key", b"", 3, "SEC03");
    assert_eq!(words(&report, "core"), "Invalid private key.");
    assert_eq!(words(&report, "python"), "private_key != nullptr");
    refused("other.key", KeyPair::generate().unwrap().serialize_pem().as_bytes(), 3, "KEY01");
    refused("swapped.crt", key.as_bytes(), 1, "KEY07");
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    refused("encrypted.key", encrypted.as_bytes(), 3, "KEY02");
    let report = refused("bom.crt", format!("\u{feff}{}", folder.ca).as_bytes(), 5, "CRT11");
    assert_eq!(report["verification"]["load"][1]["core"]["words"], "Could not load any root certificate.");
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new();
    folder.leaf(|_| ());
    let with = |file: &str| folder.verify(&["--cert", "@tls.crt", "--ca", file, "--timeout", "1s"]);
    assert_eq!(with("@none.crt").code, 2);
    assert!(with("@none.crt").stderr.contains("no such file"));
    std::fs::create_dir(folder.path("folder")).unwrap();
    assert_eq!(with("@folder").code, 2);
    let large = std::fs::File::create(folder.path("large.crt")).unwrap();
    large.set_len(65 << 20).unwrap();
    let (code, report) = folder.all(&["--cert", "@tls.crt", "--ca", "@large.crt"]);
    assert_eq!((code, who(&report)), (3, vec!["cannot-tell"; 4]));
    assert!(report["notJudged"].to_string().contains("larger than"), "{report:#}");
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_closes_ends_with_the_deadline() {
    let folder = Folder::new();
    folder.leaf(|_| ());
    let made = std::process::Command::new("mkfifo").arg(folder.path("fifo")).status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    let ran = folder.verify(&["--cert", "@tls.crt", "--key", "@tls.key", "--ca", "@fifo", "--timeout", "1s"]);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("no answer in time") && ran.stdout.contains("incomplete"), "{}", ran.stdout);
    assert!(ran.stdout.contains("loads"), "the others are judged: {}", ran.stdout);
}

fn base64_body(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

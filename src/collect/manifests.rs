//! Manifests: files, folders and standard input.
#![allow(clippy::disallowed_methods)]

use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

use super::assemble::{Object, assemble};
use super::disk::{self, Unread};
use super::files;
use super::keyring::{Keyring, Pairing};
use super::yaml;
use crate::evidence::{Evidence, Mode, Origin, Problem};

const MANIFESTS: [&str; 3] = ["json", "yaml", "yml"];

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing could be read at all. One or more sentences with what was found instead and what to do.
    #[error("{0}")]
    Nothing(String),
}

/// Reads every object of these files, of the `.yaml`, `.yml` and `.json` files in these folders, and of `stdin` for `-`.
/// A path that ends in `.crt`, `.pem`, `.key` and the like is read as [`files::collect`] does.
///
/// What cannot be read is a problem in the evidence.
///
/// # Errors
/// When not one object or file could be read.
pub fn collect(paths: &[PathBuf], stdin: &mut dyn Read, taken_at: Timestamp) -> Result<(Evidence, Keyring), Error> {
    let mut evidence = Evidence::new(Mode::Manifests, "", taken_at);
    let mut keys = Keyring::default();
    let mut pairing = Pairing::default();
    let mut objects: Vec<Object> = Vec::new();
    let mut problems = Vec::new();
    let mut read = 0;
    for path in paths {
        if files::is_tls_file(path) {
            let added = files::add(path, &mut evidence, &mut pairing);
            if let Some(lookup) = evidence.lookups.last().filter(|_| added == 0) {
                let why = lookup.unseen.as_ref().map_or_else(|| "no such file".into(), ToString::to_string);
                problems.push(problem(path, why));
            }
            read += added;
            continue;
        }
        for file in expand(path, &mut problems) {
            let name = file.to_string_lossy().into_owned();
            let bytes = if file == Path::new("-") { disk::read_from(stdin) } else { disk::read(&file) };
            let text = match &bytes {
                Ok(bytes) => std::str::from_utf8(bytes).map_err(|_| not_text(bytes)),
                Err(Unread::Missing) => Err("no such file or folder".into()),
                Err(Unread::Because(why)) => Err(why.clone()),
            };
            match text {
                Ok(text) => {
                    read += 1;
                    objects.extend(yaml::objects(text, &name, &mut problems));
                }
                Err(why) => problems.push(problem(&file, why)),
            }
        }
    }
    if objects.is_empty() && evidence.secrets.is_empty() {
        return Err(Error::Nothing(nothing(paths, &problems)));
    }
    evidence.source = if read == 1 { "1 file".into() } else { format!("{read} files") };
    evidence.problems = problems;
    pairing.finish(&mut keys);
    // A document without a kind is YAML, and still nothing to judge.
    let some =
        !evidence.secrets.is_empty() || objects.iter().any(|o| o.value.get("kind").is_some_and(Value::is_string));
    assemble(objects, &mut evidence, &mut keys);
    if !some {
        return Err(Error::Nothing(nothing(paths, &evidence.problems)));
    }
    Ok((evidence, keys))
}

fn expand(path: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.into()];
    }
    let mut unread = Vec::new();
    let found = disk::walk(path, &MANIFESTS, &mut unread);
    problems.extend(unread.into_iter().map(|(path, why)| problem(&path, why)));
    if found.is_empty() {
        problems.push(problem(path, "no .yaml, .yml or .json file in this folder".into()));
    }
    found
}

fn problem(file: &Path, message: String) -> Problem {
    let file = Some(file.to_string_lossy().into_owned());
    Problem { origin: Origin { file, line: None }, object: None, message }
}

fn not_text(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16, not UTF-8: save it as UTF-8".into(),
        [0x1f, 0x8b, ..] => "compressed with gzip: unpack it first".into(),
        _ => "not a text file (no UTF-8): manifests in YAML or JSON are wanted".into(),
    }
}

fn nothing(paths: &[PathBuf], problems: &[Problem]) -> String {
    if problems.is_empty() {
        let name = |path: &PathBuf| match path.to_string_lossy() {
            name if name == "-" => "standard input".into(),
            name => name.into_owned(),
        };
        let names: Vec<String> = paths.iter().map(name).collect();
        return format!("no Kubernetes object in {}", names.join(", "));
    }
    let told = problems.iter().take(5).map(|problem| {
        let file = problem.origin.file.as_deref().unwrap_or_default();
        match problem.origin.line {
            Some(line) => format!("{file}:{line}: {}", problem.message),
            None => format!("{file}: {}", problem.message),
        }
    });
    let more = problems.len().saturating_sub(5);
    let more = if more > 0 { format!("\n… and {more} more") } else { String::new() };
    format!("{}{more}", told.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::evidence::{EnvSource, Seen, Shape};

    fn now() -> Timestamp {
        "2026-12-01T00:00:00Z".parse().unwrap()
    }

    fn fixture(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
    }

    fn collected(paths: &[PathBuf]) -> (Evidence, Keyring) {
        collect(paths, &mut std::io::empty(), now()).unwrap()
    }

    #[test]
    fn the_tls_overlay_of_django_ray_is_read_as_it_is() {
        let (evidence, keys) = collected(&[fixture("django-ray/overlays_dev-tls.yaml")]);
        assert_eq!(evidence.problems, []);
        assert!(keys.identities().is_empty());
        let names: Vec<_> = evidence.workloads.iter().map(|w| format!("{} {:?}", w.object, w.replicas)).collect();
        assert!(names.contains(&"Deployment django-ray/ray-head Some(1)".to_owned()), "{names:?}");
        let head = evidence.workloads.iter().find(|w| w.object.name == "ray-head").unwrap();
        let ray = &head.containers[0];
        let value = |name: &str| ray.env.iter().find(|v| v.name == name).map(|v| v.source.clone());
        assert_eq!(value("RAY_USE_TLS"), Some(EnvSource::Value("1".into())));
        assert_eq!(value("RAY_TLS_SERVER_KEY"), Some(EnvSource::Value("/etc/ray/tls/tls.key".into())));
        assert_eq!(ray.command[..4], ["ray", "start", "--head", "--port=6379"]);
        let worker = evidence.workloads.iter().find(|w| w.object.name == "ray-worker").unwrap();
        assert!(
            worker.containers[0].command.contains(&"--address=ray-head-svc:6379".to_owned()),
            "{:?}",
            worker.containers[0].command
        );
        let secret = evidence.secret("django-ray", "ray-tls-certs").found().copied().unwrap();
        assert_eq!(secret.data["tls.crt"].facts.shape, Shape::Empty);
        assert_eq!(secret.data.len(), 3);
        let config = evidence.config_map("django-ray", "django-ray-config").found().copied().unwrap();
        assert!(config.data["RAY_ADDRESS"].text.is_some());
        assert!(config.data.values().filter(|content| content.text.is_some()).count() <= 3, "{config:?}");
        assert!(evidence.services.iter().any(|s| s.object.name == "ray-head-svc" && s.kind == "NodePort"));
    }

    #[test]
    fn of_two_secrets_of_one_name_the_later_one_stands_first() {
        let overlay = fixture("django-ray/overlays_dev-tls.yaml");
        let script = fixture("django-ray/script-secret.yaml");
        let (evidence, keys) = collected(&[overlay.clone(), script.clone()]);
        let secret = evidence.secret("django-ray", "ray-tls-certs").found().copied().unwrap();
        assert_eq!(secret.data["tls.crt"].facts.shape, Shape::Pem);
        assert_eq!(evidence.secrets.iter().filter(|s| s.object == secret.object).count(), 2);
        assert_eq!(keys.identities().len(), 1);
        let (evidence, _) = collected(&[script, overlay]);
        let secret = evidence.secret("django-ray", "ray-tls-certs").found().copied().unwrap();
        assert_eq!(secret.data["tls.crt"].facts.shape, Shape::Empty);
    }

    #[test]
    fn folders_are_read_whole_and_each_object_knows_its_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
        fs::write(folder.path().join("a/b.yml"), "kind: Service\nmetadata: {name: b}\n").unwrap();
        fs::write(folder.path().join("c.json"), r#"{"kind": "Service", "metadata": {"name": "c"}}"#).unwrap();
        fs::write(folder.path().join("d.txt"), "kind: Service").unwrap();
        fs::write(folder.path().join("e.yaml"), [0xff, 0xfe, 0]).unwrap();
        let (evidence, _) = collected(&[folder.path().into()]);
        let names: Vec<_> = evidence.services.iter().map(|s| s.object.name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
        assert!(evidence.services[0].origin.file.as_ref().unwrap().ends_with("a/b.yml"));
        assert_eq!(evidence.problems.len(), 1);
        assert!(evidence.problems[0].message.contains("UTF-16"), "{:?}", evidence.problems);
        assert_eq!(evidence.secret("", "x"), Seen::Unseen(crate::evidence::Why::NotInManifests));
    }

    #[test]
    fn standard_input_and_files_of_keys_are_read_too() {
        let text = "kind: Service\nmetadata: {name: b}\n";
        let paths = ["-".into(), fixture("django-ray/tls.crt")];
        let (evidence, _) = collect(&paths, &mut text.as_bytes(), now()).unwrap();
        assert_eq!(evidence.services[0].origin, Origin { file: Some("-".into()), line: Some(1) });
        assert_eq!(evidence.secrets[0].object.kind, "File");
        assert_eq!(evidence.source, "2 files");
    }

    #[test]
    fn a_document_without_a_kind_is_nothing_to_judge() {
        let read = |text: &str| collect(&["-".into()], &mut text.as_bytes(), now());
        let Err(Error::Nothing(told)) = read("foo: bar\n") else { panic!("it was taken for an object") };
        assert!(told.contains("kind"), "{told}");
        // One document that is an object is enough.
        assert!(read("foo: bar\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ray}\n").is_ok());
    }

    #[test]
    fn nothing_readable_is_an_error_that_names_the_file_and_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let broken = folder.path().join("broken.yaml");
        fs::write(&broken, "a: b\nc: [\n").unwrap();
        let huge = folder.path().join("huge.yaml");
        fs::File::create(&huge).unwrap().set_len(200 * 1024 * 1024).unwrap();
        let missing = folder.path().join("missing.yaml");
        let Err(Error::Nothing(told)) = collect(&[broken, huge, missing], &mut std::io::empty(), now()) else {
            panic!("read something");
        };
        assert!(told.contains("broken.yaml:"), "{told}");
        assert!(told.contains("huge.yaml: larger than 64 MiB"), "{told}");
        assert!(told.contains("missing.yaml: no such file or folder"), "{told}");
        let empty = collect(&[folder.path().join("none")], &mut std::io::empty(), now());
        assert!(empty.is_err());
    }
}

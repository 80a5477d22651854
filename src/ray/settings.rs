//! Settings as Ray reads them: the value a container's process will have under a name.

use crate::evidence::{Container, EnvSource, Evidence, Seen, SourceKind, Why};

use super::command::Exported;
use super::{Switch, command};

/// The value of a variable, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The value after expansion of `$(NAME)`.
    pub value: String,
    /// `env`, `envFrom ConfigMap ray-tls`, `Secret ray-env key RAY_USE_TLS`, `command`.
    pub from: String,
    /// Whether the container's own `env` or command names it, and not only an `envFrom`.
    pub own: bool,
}

/// The value that the process of a container gets under `name`, in the namespace of its workload.
///
/// A shell `export` in the command wins over `env`, the last `env` entry over earlier ones, `env` over `envFrom`,
/// a later `envFrom` over an earlier one (core/v1 Container). An `ENV` of the image lies under all of them and
/// cannot be seen.
pub fn variable(evidence: &Evidence, namespace: &str, container: &Container, name: &str) -> Seen<Setting> {
    Variables { evidence, namespace, container, shell: false, depth: 0 }.variable(name)
}

/// The variables of a container as its processes see them.
#[derive(Clone, Copy)]
struct Variables<'a> {
    evidence: &'a Evidence,
    namespace: &'a str,
    container: &'a Container,
    /// Whether the shell itself asks, which has those too that it does not export.
    shell: bool,
    /// How many values were expanded on the way here.
    depth: usize,
}

impl Variables<'_> {
    fn variable(self, name: &str) -> Seen<Setting> {
        let beneath = || environment(self.evidence, self.namespace, self.container, name);
        if self.container.unread.iter().any(|unread| unread == name) {
            return Seen::Unseen(Why::OutOfReach(format!("the command changes {name} in a way that is not read")));
        }
        let value = match command::exported(&self.container.command, name) {
            Some(Exported::Set(value)) => value,
            Some(Exported::Assigned(value)) if self.shell => value,
            Some(Exported::Assigned(value)) => match beneath() {
                Seen::Found(_) => value,
                other => return other,
            },
            Some(Exported::Unset) => return Seen::Absent,
            None => return beneath(),
        };
        let value = Variables { shell: true, depth: self.depth + 1, ..self }.expand(&value, Some(name));
        value.map(|value| Setting { value, from: "command".into(), own: true })
    }

    /// `own` is the variable that is being set: inside of its own value it has the one it had before.
    fn expand(self, word: &str, own: Option<&str>) -> Seen<String> {
        if self.depth > DEEPEST {
            return Seen::Unseen(Why::OutOfReach("variables of the command that refer to each other".into()));
        }
        let mut out = String::new();
        let mut rest = word;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let Some((inner, length)) = reference(after) else {
                out.push('$');
                rest = after;
                continue;
            };
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Seen::Unseen(Why::OutOfReach(format!("the shell works out ${}", &after[..length])));
            }
            let set = match own {
                Some(own) if own == name => environment(self.evidence, self.namespace, self.container, name),
                _ => self.variable(name),
            };
            match (set, default) {
                (Seen::Found(setting), None) => out.push_str(&setting.value),
                (Seen::Found(setting), Some(_)) if !setting.value.is_empty() => out.push_str(&setting.value),
                (Seen::Found(_) | Seen::Absent, Some(default)) if !injected(name) && !default.contains('$') => {
                    out.push_str(default);
                }
                (Seen::Unseen(why), _) => return Seen::Unseen(why),
                // The image, KubeRay, or the kubelet for a Service (`RAY_HEAD_SERVICE_HOST`) may set it.
                _ => {
                    let why = format!("{name} is set by the image or the cluster, if at all");
                    return Seen::Unseen(Why::OutOfReach(why));
                }
            }
            rest = &after[length..];
        }
        out.push_str(rest);
        Seen::Found(out)
    }
}

/// How many values of the command may refer to each other.
const DEEPEST: usize = 8;

/// What the container starts with.
fn environment(evidence: &Evidence, namespace: &str, container: &Container, name: &str) -> Seen<Setting> {
    let last = container.env.iter().rposition(|variable| variable.name == name);
    match last {
        Some(index) => from_env(evidence, namespace, container, index),
        None => from_sources(evidence, namespace, container, name),
    }
}

/// `RAY_USE_TLS` as Ray parses it (`ray_config.h` `ConvertValue<bool>`, `_common/tls_utils.py`): `1` or `true` in any
/// case and nothing else; blanks, newlines and quotes are not trimmed. Measured on Ray 2.60.
pub fn switch(value: Option<&str>) -> Switch {
    match value {
        Some(value) if value == "1" || value.eq_ignore_ascii_case("true") => Switch::On,
        written => Switch::Off { written: written.map(str::to_owned) },
    }
}

/// What a shell word becomes: `$NAME`, `${NAME}`, `${NAME:-default}` and `$(NAME)` are replaced by the container's
/// variables. `Unseen` when one of them is not known, or when the shell does more than that.
pub fn expand(evidence: &Evidence, namespace: &str, container: &Container, word: &str) -> Seen<String> {
    Variables { evidence, namespace, container, shell: true, depth: 0 }.expand(word, None)
}

/// A `subPathExpr` with its `$(NAME)` replaced, as the kubelet does it.
pub(super) fn substituted(evidence: &Evidence, namespace: &str, container: &Container, text: &str) -> Seen<String> {
    substitute(evidence, namespace, container, container.env.len(), text)
}

/// Whether a value is the pod's own IP: `fieldRef: status.podIP`, by one variable, or `hostname -i`.
pub fn is_pod_ip(container: &Container, word: &str) -> bool {
    if word == "$(hostname -i)" {
        return true;
    }
    let Some((name, length)) = word.strip_prefix('$').and_then(reference) else {
        return false;
    };
    let is_field = |source: &EnvSource| matches!(source, EnvSource::Field(path) if path.starts_with("status.podIP"));
    length + 1 == word.len() && container.env.iter().any(|v| v.name == name && is_field(&v.source))
}

fn injected(name: &str) -> bool {
    matches!(name, "FQ_RAY_IP" | "RAY_IP" | "RAY_PORT" | "RAY_ADDRESS" | "RAY_CLUSTER_NAME")
}

fn from_env(evidence: &Evidence, namespace: &str, container: &Container, index: usize) -> Seen<Setting> {
    let Some(variable) = container.env.get(index) else { return Seen::Absent };
    let found = |value: String, from: String| Seen::Found(Setting { value, from, own: true });
    match &variable.source {
        EnvSource::Value(text) => match substitute(evidence, namespace, container, index, text) {
            Seen::Found(value) => found(value, "env".into()),
            Seen::Absent => Seen::Absent,
            Seen::Unseen(why) => Seen::Unseen(why),
        },
        EnvSource::Key { kind, name, key, optional } => {
            let from = format!("{} {name} key {key}", kind_name(*kind));
            match text_of(evidence, namespace, *kind, name, key) {
                Seen::Found(value) => found(value, from),
                Seen::Absent if *optional => Seen::Absent,
                Seen::Absent => {
                    Seen::Unseen(Why::Unreadable(format!("{from} does not exist, so the container cannot start")))
                }
                Seen::Unseen(why) => Seen::Unseen(why),
            }
        }
        EnvSource::Field(path) => Seen::Unseen(Why::OutOfReach(format!("field {path}"))),
        EnvSource::NotAString(text) => {
            Seen::Unseen(Why::Unreadable(format!("{text} is no string, so the API server refuses the object")))
        }
        EnvSource::Dropped | EnvSource::Other => Seen::Unseen(Why::NotAsked),
    }
}

fn from_sources(evidence: &Evidence, namespace: &str, container: &Container, name: &str) -> Seen<Setting> {
    let mut unseen = None;
    for source in container.env_from.iter().rev() {
        let Some(key) = name.strip_prefix(source.prefix.as_str()) else { continue };
        match text_of(evidence, namespace, source.kind, &source.name, key) {
            Seen::Found(value) if unseen.is_none() => {
                let from = format!("envFrom {} {}", kind_name(source.kind), source.name);
                return Seen::Found(Setting { value, from, own: false });
            }
            Seen::Found(_) | Seen::Absent => {}
            Seen::Unseen(why) => unseen = unseen.or(Some(why)),
        }
    }
    unseen.map_or(Seen::Absent, Seen::Unseen)
}

/// `$(NAME)` in an `env` value: only names defined before it, or by `envFrom`; an unresolved one stays as it is;
/// `$$(` escapes (Kubernetes, "define interdependent environment variables").
fn substitute(evidence: &Evidence, namespace: &str, container: &Container, index: usize, text: &str) -> Seen<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            out.push('$');
            rest = escaped;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|inner| inner.find(')').map(|end| &inner[..end]));
        let Some(name) = name else {
            out.push('$');
            rest = after;
            continue;
        };
        let earlier = container.env[..index].iter().rposition(|v| v.name == name);
        let value = match earlier {
            Some(earlier) => from_env(evidence, namespace, container, earlier),
            None => from_sources(evidence, namespace, container, name),
        };
        match value {
            Seen::Found(setting) => out.push_str(&setting.value),
            Seen::Absent => out.push_str(&format!("$({name})")),
            Seen::Unseen(why) => return Seen::Unseen(why),
        }
        rest = &after[name.len() + 2..];
    }
    out.push_str(rest);
    Seen::Found(out)
}

fn text_of(evidence: &Evidence, namespace: &str, kind: SourceKind, name: &str, key: &str) -> Seen<String> {
    let content = match kind {
        SourceKind::Secret => evidence.secret(namespace, name).map(|s| s.data.get(key).cloned()),
        SourceKind::ConfigMap => evidence.config_map(namespace, name).map(|c| c.data.get(key).cloned()),
    };
    content.and_then(|content| match content {
        None => Seen::Absent,
        Some(content) => match content.text {
            Some(text) => Seen::Found(text),
            None if content.facts.size == 0 => Seen::Found(String::new()),
            None => Seen::Unseen(Why::OutOfReach(format!("the value of key {key} is not kept"))),
        },
    })
}

fn kind_name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::ConfigMap => "ConfigMap",
        SourceKind::Secret => "Secret",
    }
}

/// The name after a `$` and the length of the reference behind the `$`.
fn reference(after: &str) -> Option<(&str, usize)> {
    for (open, close) in [('{', '}'), ('(', ')')] {
        if let Some(inner) = after.strip_prefix(open) {
            let end = inner.find(close)?;
            return Some((&inner[..end], end + 2));
        }
    }
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
    (end > 0).then(|| (&after[..end], end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{EnvVariable, Mode};

    fn env(entries: &[(&str, &str)]) -> Container {
        let variable = |(name, value): &(&str, &str)| EnvVariable {
            name: (*name).into(),
            source: EnvSource::Value((*value).into()),
        };
        Container { env: entries.iter().map(variable).collect(), ..Container::default() }
    }

    fn value(container: &Container, name: &str) -> Option<String> {
        let evidence = Evidence::new(Mode::Manifests, "", jiff::Timestamp::UNIX_EPOCH);
        variable(&evidence, "ns", container, name).found().map(|s| s.value.clone())
    }

    #[test]
    fn the_switch_is_byte_exact() {
        for on in ["1", "true", "True", "TRUE", "tRuE"] {
            assert_eq!(switch(Some(on)), Switch::On, "{on:?}");
        }
        for off in ["yes", "on", "t", "2", "01", " 1", "1 ", "1\n", "1\r", "\"1\"", "true ", "0", "false", ""] {
            assert_eq!(switch(Some(off)), Switch::Off { written: Some(off.into()) }, "{off:?}");
        }
        assert_eq!(switch(None), Switch::Off { written: None });
    }

    #[test]
    fn a_shell_word_expands_or_is_not_known() {
        let evidence = Evidence::new(Mode::Manifests, "", jiff::Timestamp::UNIX_EPOCH);
        let container = env(&[("HEAD", "ray-head"), ("EMPTY", "")]);
        let word = |word: &str| expand(&evidence, "ns", &container, word);
        for known in
            ["$HEAD:1", "${HEAD}:1", "$(HEAD):1", "${HEAD:-x}:1", "${EMPTY:-ray-head}:1", "${NONE:-ray-head}:1"]
        {
            assert_eq!(word(known), Seen::Found("ray-head:1".into()), "{known}");
        }
        for unknown in ["$RAY_HEAD_SERVICE_HOST:1", "$(hostname -f)", "${HEAD%x}", "${NONE:-$HEAD}", "${FQ_RAY_IP:-x}"]
        {
            assert!(matches!(word(unknown), Seen::Unseen(_)), "{unknown}: {:?}", word(unknown));
        }
    }

    #[test]
    fn the_last_duplicate_wins_and_only_earlier_names_expand() {
        let container = env(&[("A", "1"), ("A", "2"), ("B", "x$(A)$(C)$$(A)"), ("C", "3")]);
        assert_eq!(value(&container, "A").as_deref(), Some("2"));
        assert_eq!(value(&container, "B").as_deref(), Some("x2$(C)$(A)"));
    }

    #[test]
    fn a_missing_source_is_not_an_absent_variable() {
        let mut container = env(&[]);
        container.env_from.push(crate::evidence::EnvFrom {
            kind: SourceKind::ConfigMap,
            name: "elsewhere".into(),
            prefix: String::new(),
            optional: false,
        });
        let evidence = Evidence::new(Mode::Manifests, "", jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(variable(&evidence, "ns", &container, "RAY_USE_TLS"), Seen::Unseen(Why::NotInManifests));
    }

    #[test]
    fn a_command_exports() {
        let mut container = env(&[("RAY_USE_TLS", "0")]);
        container.command = ["export", "RAY_USE_TLS=1", "&&", "ray", "start"].map(String::from).to_vec();
        assert_eq!(value(&container, "RAY_USE_TLS").as_deref(), Some("1"));
    }

    #[test]
    fn what_a_command_sets_is_expanded_and_what_is_not_read_is_not_known() {
        let mut container = env(&[("RAY_USE_TLS", "1"), ("FLAG", "0")]);
        let mut of = |command: &[&str], unread: &[&str]| {
            container.command = command.iter().map(|word| (*word).to_owned()).collect();
            container.unread = unread.iter().map(|name| (*name).to_owned()).collect();
            let evidence = Evidence::new(Mode::Manifests, "", jiff::Timestamp::UNIX_EPOCH);
            variable(&evidence, "ns", &container, "RAY_USE_TLS").map(|setting| setting.value)
        };
        let found = |value: &str| Seen::Found(value.to_owned());
        assert_eq!(of(&["export", "RAY_USE_TLS=$FLAG"], &[]), found("0"));
        assert_eq!(of(&["export", "RAY_USE_TLS=${RAY_USE_TLS:-0}"], &[]), found("1"));
        assert_eq!(of(&["A=true", ";", "export", "RAY_USE_TLS=$A"], &[]), found("true"));
        assert_eq!(of(&["RAY_USE_TLS=0"], &[]), found("0"), "it replaces what the container has");
        assert_eq!(of(&["env -i", ";", "ray", "start"], &[]), Seen::Absent);
        for unknown in ["RAY_USE_TLS=$(a command)", "RAY_USE_TLS=$B"] {
            assert!(matches!(
                of(&["export", unknown, ";", "export", "B=$C", ";", "export", "C=$B"], &[]),
                Seen::Unseen(_)
            ));
        }
        let Seen::Unseen(why) = of(&[], &["RAY_USE_TLS"]) else { panic!("known") };
        assert!(why.to_string().contains("the command changes RAY_USE_TLS in a way that is not read"), "{why}");
        container.env.clear();
        container.command = vec!["RAY_USE_TLS=1".into()];
        assert_eq!(value(&container, "RAY_USE_TLS"), None, "nothing exports it");
    }
}

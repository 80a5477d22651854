//! What may be kept of environment variables and commands. Everything that is not named here is dropped.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::shell::{CLEARED, Effective, effective};
use crate::evidence::Traces;

/// Longest value that is kept, in bytes: paths and addresses are shorter, keys and JSON are longer.
pub(crate) const LONGEST: usize = 1024;

/// Flags whose value is kept, in either form (`--port=1`, `--port 1`).
const FLAGS: [&str; 11] = [
    "--address",
    "--cluster",
    "--gcs-address",
    "--max-worker-port",
    "--min-worker-port",
    "--node-ip-address",
    "--node-manager-port",
    "--object-manager-port",
    "--port",
    "--ray-client-server-port",
    "--worker-port-list",
];

/// Whether the value of this variable may say something about Ray's TLS and is no secret itself.
pub(crate) fn kept_name(name: &str) -> bool {
    // A path, whatever its name says.
    if name.starts_with("RAY_TLS_") {
        return true;
    }
    if private_name(name) {
        return false;
    }
    name.starts_with("RAY_") || name.starts_with("GRPC_") || matches!(name, "FQ_RAY_IP" | "CLUSTER_DOMAIN")
}

/// Whether a variable of this name holds a secret more often than not.
pub(crate) fn private_name(name: &str) -> bool {
    const PRIVATE: [&str; 9] =
        ["TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "KEY", "CREDENTIAL", "HEADERS", "COOKIE"];
    let name = name.to_ascii_uppercase();
    PRIVATE.iter().any(|word| name.contains(word))
}

/// The value as it may be kept: none when it holds a key, JSON or more text than a setting has.
/// User names and passwords in URLs are cut out.
pub(crate) fn kept_value(value: &str) -> Option<String> {
    if value.len() > LONGEST || value.trim_start().starts_with(['{', '[']) && !value.contains("]:") || key_like(value) {
        return None;
    }
    Some(without_credentials(value))
}

/// The names a kept value refers to by `$(NAME)`, as Kubernetes expands it.
pub(crate) fn kubernetes_references(value: &str) -> Vec<String> {
    let plain = value.replace("$$", "");
    let parts = plain.split("$(").skip(1);
    parts.filter_map(|rest| rest.split_once(')')).map(|(name, _)| name).filter(|n| is_name(n)).map(Into::into).collect()
}

/// The names a kept word of a command refers to by `$NAME`, `${NAME}` or `$(NAME)`.
pub(crate) fn shell_references(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in word.split('$').skip(1) {
        let rest = rest.strip_prefix(['{', '(']).unwrap_or(rest);
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if is_name(&name) {
            found.push(name);
        }
    }
    found
}

/// What a command or a script has to do with making certificates.
pub(crate) fn traces(arguments: &[String]) -> Traces {
    let words: Vec<String> = arguments.iter().flat_map(|argument| split(argument)).collect();
    let text = arguments.join(" ");
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&base(word)));
    let mut commands = words.split(|word| is_separator(word)).filter_map(|segment| {
        let opens = |word: &&String| {
            matches!(base(word), "bash" | "sh" | "exec" | "do" | "then" | "else") || word.starts_with('-')
        };
        segment.iter().find(|word| !opens(word) && !word.contains('='))
    });
    let plain =
        ["cd", "done", "echo", "export", "fi", "if", "nc", "ray", "set", "sleep", "ulimit", "unset", "until", "while"];
    Traces {
        runs_more: commands.any(|word| !plain.contains(&base(word))),
        makes_certificate: has(&["certtool", "cfssl", "kubectl", "mkcert", "openssl", "step", "vault"]),
        finds_address: [
            "POD_IP",
            "hostname -i",
            "hostname -I",
            "hostname --ip",
            "ip addr",
            "ip -",
            "ifconfig",
            "getent",
            "gethostbyname",
            "/etc/hosts",
        ]
        .iter()
        .any(|word| text.contains(word)),
    }
}

/// The words of command and args that say what Ray does, each of the separators `&&`, `||`, `|`, `&` and `;` on its own.
/// A line end is a `;`, a flag and its value are kept as they were written, quotes are gone.
///
/// Beside them the names of variables that the command changes in a way that is not read.
pub(crate) fn kept_words(arguments: &[String]) -> (Vec<String>, Vec<String>) {
    let words: Vec<String> = arguments.iter().flat_map(|argument| split(argument)).collect();
    let texts: Vec<String> = arguments.iter().flat_map(|argument| quoted(argument)).collect();
    let Effective { words, unread } = effective(&words, &texts);
    let mut names = BTreeSet::new();
    loop {
        let kept = filter(&words, &names);
        let before = names.len();
        names.extend(kept.iter().flat_map(|word| shell_references(word)).filter(|name| !private_name(name)));
        if names.len() == before {
            let unread = unread.into_iter().filter(|name| kept_name(name) || names.contains(name));
            return (kept, unread.collect());
        }
    }
}

fn filter(words: &[String], names: &BTreeSet<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for segment in words.split_inclusive(|word| is_separator(word)) {
        let (segment, separator) = match segment.split_last() {
            Some((last, rest)) if is_separator(last) => (rest, Some(last)),
            _ => (segment, None),
        };
        // These speak about commands and do not run them.
        let speaks = matches!(segment.first().map(|w| base(w)), Some("echo" | "grep" | "pgrep" | "pkill" | "printf"));
        if !speaks {
            kept.extend(segment_words(segment, names));
        }
        if let Some(separator) = separator {
            match kept.last() {
                None => {}
                Some(last) if is_separator(last) => {}
                Some(_) => kept.push(separator.clone()),
            }
        }
    }
    if kept.last().is_some_and(|word| is_separator(word)) {
        kept.pop();
    }
    kept
}

fn segment_words(segment: &[String], names: &BTreeSet<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut rest = segment.iter();
    let mut before = "";
    let mut unsetting = false;
    while let Some(word) = rest.next() {
        let word = word.as_str();
        if FLAGS.contains(&word) {
            // The value of a kept flag; a flag after it is a word of its own.
            let value = rest.clone().next().filter(|next| !next.starts_with('-'));
            let kept_as = value.and_then(|value| kept_value(value));
            if value.is_some() {
                rest.next();
            }
            if let Some(value) = kept_as {
                kept.extend([word.to_owned(), value]);
            }
        } else if base(word) == "ray" && word.len() <= 256 {
            // The name alone is in many words that are not Ray's command.
            let next = rest.clone().next().map(String::as_str);
            if matches!(next, Some("health-check" | "job" | "start" | "status")) {
                kept.push(word.to_owned());
            }
        } else if let Some(word) = kept_word(word, before, unsetting, names) {
            kept.push(word);
        }
        unsetting |= word == "unset";
        before = word;
    }
    // `export` and `unset` say something only in front of a name.
    let exports = |i: usize| kept.get(i + 1).is_some_and(|next: &String| next.contains('='));
    let is_lonely = |i: &usize| match kept[*i].as_str() {
        "export" => !exports(*i),
        "unset" => *i + 1 == kept.len(),
        _ => false,
    };
    let lonely: Vec<usize> = (0..kept.len()).filter(is_lonely).collect();
    let mut index = 0;
    kept.retain(|_| {
        index += 1;
        !lonely.contains(&(index - 1))
    });
    kept
}

fn kept_word(word: &str, before: &str, unsetting: bool, names: &BTreeSet<String>) -> Option<String> {
    match word {
        "--block" | "--head" | "exec" | "export" | "unset" | CLEARED => return Some(word.into()),
        "health-check" | "job" | "start" | "status" if base(before) == "ray" => return Some(word.into()),
        "submit" if before == "job" => return Some(word.into()),
        _ => {}
    }
    if unsetting && kept_name(word) {
        return Some(word.into());
    }
    if let Some((name, value)) = word.split_once('=') {
        let assigned = is_name(name) && (kept_name(name) || names.contains(name) && !private_name(name));
        if FLAGS.contains(&name) || assigned || name == "--head" || name == "--block" {
            return kept_value(value).map(|value| format!("{name}={value}"));
        }
        if is_flag(name) && value.starts_with("ray://") {
            return ray_address(value).map(|address| format!("{name}={address}"));
        }
    }
    ray_address(word)
}

/// The `ray://host:port` in a word, without what is around it.
fn ray_address(word: &str) -> Option<String> {
    let (_, rest) = word.split_once("ray://")?;
    let mut end = 0;
    let mut depth = 0_usize;
    let mut previous = ' ';
    for c in rest.chars() {
        match c {
            '(' | '{' if previous == '$' => depth += 1,
            ')' | '}' if depth > 0 => depth -= 1,
            _ if c.is_ascii_alphanumeric() || "._-:[]$".contains(c) => {}
            _ => break,
        }
        previous = c;
        end += c.len_utf8();
    }
    // What stands before an `@` is a user name or a password.
    if rest[end..].starts_with('@') {
        return None;
    }
    kept_value(&format!("ray://{}", &rest[..end]))
}

/// Splits a shell string into words; a word by itself stays one.
fn split(text: &str) -> Vec<String> {
    let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars().peekable();
    // Set at the start of a word, where `#` opens a comment.
    let mut start = true;
    while let Some(c) = chars.next() {
        match c {
            '#' if start => {
                while chars.next_if(|c| *c != '\n').is_some() {}
                continue;
            }
            '\n' | ';' => separate(&mut words, &mut word, ";"),
            '&' if word.ends_with('>') || chars.peek() == Some(&'>') => word.push(c),
            '&' | '|' => {
                let double = chars.next_if(|next| *next == c).is_some();
                let separator = match (c, double) {
                    ('&', true) => "&&",
                    ('&', false) => "&",
                    (_, true) => "||",
                    (_, false) => "|",
                };
                separate(&mut words, &mut word, separator);
            }
            _ if c.is_whitespace() => take(&mut words, &mut word),
            '$' if chars.peek() == Some(&'(') && in_value(&words, &word) => {
                chars.next();
                word.push_str(&substitution(&mut chars, ')'));
            }
            '`' if in_value(&words, &word) => word.push_str(&substitution(&mut chars, '`')),
            '\'' | '"' | '`' => {
                start = false;
                continue;
            }
            _ => word.push(c),
        }
        start = word.is_empty();
    }
    take(&mut words, &mut word);
    words
}

/// The parts of a shell string that stand in quotes.
fn quoted(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut open: Option<(char, String)> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match &mut open {
            Some((quote, _)) if c == *quote => parts.extend(open.take().map(|(_, part)| part)),
            Some(('"', part)) if c == '\\' => part.extend(chars.next()),
            Some((_, part)) => part.push(c),
            None if c == '\\' => {
                chars.next();
            }
            None if matches!(c, '"' | '\'') => open = Some((c, String::new())),
            None => {}
        }
    }
    parts
}

/// Whether the value of a kept flag or of a variable is being read.
fn in_value(words: &[String], word: &str) -> bool {
    match word.split_once('=') {
        Some((name, _)) => FLAGS.contains(&name) || is_name(name),
        None => word.is_empty() && words.last().is_some_and(|last| FLAGS.contains(&last.as_str())),
    }
}

/// What is kept of `$(…)`: a name, as Kubernetes expands it; `hostname -i`, which gives the pod's IP; and of any other
/// command that there is one.
fn substitution(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, close: char) -> String {
    let mut inner = String::new();
    let mut depth = 0_usize;
    for c in chars {
        match c {
            '(' => depth += 1,
            c if c == close && depth == 0 => break,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        inner.push(c);
    }
    match inner.trim().to_ascii_lowercase() {
        _ if close == ')' && is_name(&inner) => format!("$({inner})"),
        command if command.starts_with("hostname -i") => "$(hostname -i)".into(),
        _ => "$(a command)".into(),
    }
}

fn take(words: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

fn separate(words: &mut Vec<String>, word: &mut String, separator: &str) {
    take(words, word);
    words.push(separator.into());
}

pub(super) fn is_separator(word: &str) -> bool {
    matches!(word, "&&" | "||" | "|" | "&" | ";")
}

pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

pub(super) fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(good)
}

fn is_flag(name: &str) -> bool {
    name.starts_with("--") && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// PEM, or base64 of PEM or DER.
pub(crate) fn key_like(value: &str) -> bool {
    if value.contains("-----") || value.contains("PRIVATE KEY") {
        return true;
    }
    let packed: String = value.split_whitespace().collect();
    if packed.len() < 40 {
        return false;
    }
    let unpacked = STANDARD.decode(&packed).or_else(|_| STANDARD_NO_PAD.decode(&packed));
    unpacked.is_ok_and(|bytes| bytes.starts_with(&[0x30]) || bytes.starts_with(b"-----"))
}

/// `redis://user:password@host/0?token=x` becomes `redis://host/0`.
fn without_credentials(value: &str) -> String {
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest.split(['?', '#']).next().unwrap_or(rest)),
        None => (String::new(), value),
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    let rest = authority.rfind('@').map_or(rest, |at| &rest[at + 1..]);
    format!("{scheme}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(arguments: &[&str]) -> String {
        kept_words(&arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>()).0.join(" ")
    }

    #[test]
    fn names_of_secrets_are_not_kept_but_paths_of_tls_files_are() {
        for name in ["RAY_USE_TLS", "RAY_TLS_SERVER_KEY", "RAY_ADDRESS", "FQ_RAY_IP", "GRPC_VERBOSITY", "RAY_AUTH_MODE"]
        {
            assert!(kept_name(name), "{name}");
        }
        for name in ["RAY_AUTH_TOKEN", "RAY_REDIS_PASSWORD", "ray_api_key", "AWS_SECRET_ACCESS_KEY", "PATH", "RAYLET"] {
            assert!(!kept_name(name), "{name}");
        }
    }

    #[test]
    fn values_that_are_keys_are_not_kept() {
        assert_eq!(kept_value("/etc/ray/tls/tls.key").as_deref(), Some("/etc/ray/tls/tls.key"));
        assert_eq!(kept_value("[fd00::1]:6379").as_deref(), Some("[fd00::1]:6379"));
        assert_eq!(kept_value("-----BEGIN PRIVATE KEY-----"), None);
        assert_eq!(kept_value("MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"), None);
        assert_eq!(kept_value(r#"{"env_vars": {"A": "b"}}"#), None);
        assert_eq!(kept_value(&"a".repeat(1025)), None);
        assert_eq!(kept_value("redis://me:pw@redis:6379/0?token=t").as_deref(), Some("redis://redis:6379/0"));
        assert_eq!(kept_value("pw@head:6379").as_deref(), Some("head:6379"));
    }

    #[test]
    fn a_ray_start_keeps_what_matters_and_drops_passwords() {
        assert_eq!(
            words(&[
                "bash",
                "-c",
                "ulimit -n 65536; ray start --head --port=6379 --redis-password hunter2 --redis-password=hunter2 --block"
            ]),
            "ray start --head --port=6379 --block"
        );
        assert_eq!(
            words(&[
                "/bin/sh",
                "-lc",
                "--",
                "ray start \\\n  --address $HEAD:6379 \\\n --node-ip-address=${POD_IP}\necho ray start"
            ]),
            "ray start --address $HEAD:6379 --node-ip-address=${POD_IP}"
        );
    }

    #[test]
    fn a_command_in_a_flag_is_one_word_and_not_kept() {
        let start = |value: &str| words(&["bash", "-c", &format!("ray start --node-ip-address{value} --block")]);
        for hostname in ["=$(hostname -i)", "=\"$(hostname -I | awk '{print $1}')\"", "=`hostname -i`"] {
            assert_eq!(start(hostname), "ray start --node-ip-address=$(hostname -i) --block", "{hostname}");
        }
        assert_eq!(start(" $(hostname -i)"), "ray start --node-ip-address $(hostname -i) --block");
        assert_eq!(start("=$(curl -u me:hunter2 (x) h)"), "ray start --node-ip-address=$(a command) --block");
        assert_eq!(start("=$(MY_IP)"), "ray start --node-ip-address=$(MY_IP) --block");
    }

    #[test]
    fn what_is_unset_is_kept() {
        assert_eq!(
            words(&["bash", "-c", "unset RAY_USE_TLS PASSWORD; ray start --block"]),
            "unset RAY_USE_TLS ; ray start --block"
        );
    }

    #[test]
    fn exported_settings_are_kept_others_are_not() {
        assert_eq!(
            words(&[
                "export RAY_USE_TLS=1 && export PASSWORD=x && HEAD=ray-head; DB=y; exec ray start --address=\"$HEAD:6379\""
            ]),
            "export RAY_USE_TLS=1 && HEAD=ray-head ; exec ray start --address=$HEAD:6379"
        );
    }

    #[test]
    fn client_addresses_are_cut_out_of_whatever_is_around_them() {
        assert_eq!(
            words(&["python", "-c", "import ray; ray.init(\"ray://head.ns:10001\", token='t')"]),
            "ray://head.ns:10001"
        );
        assert_eq!(
            words(&["worker", "--cluster=$RAY_ADDRESS", "--x={\"a\":\"ray://h:1\",\"password\":\"p\"}"]),
            "--cluster=$RAY_ADDRESS ray://h:1"
        );
        assert_eq!(words(&["worker", "--to=ray://$(HOST):10001"]), "--to=ray://$(HOST):10001");
        assert_eq!(words(&["app", "ray://user:pw@host:1"]), "");
    }

    #[test]
    fn references_in_values_and_words_are_found() {
        assert_eq!(kubernetes_references("ray://$(HOST):$(PORT) $$(NOT)"), ["HOST", "PORT"]);
        assert_eq!(shell_references("--address=$A:${B}/$(C)"), ["A", "B", "C"]);
    }

    #[test]
    fn ray_in_other_commands_is_not_taken_for_ray() {
        assert_eq!(words(&["sh", "-c", "service ssh start; # ray start --head\npgrep -f 'ray start'"]), "");
        assert_eq!(
            words(&["ray", "health-check", "--address", "h:6379", "||", "exit", "1"]),
            "ray health-check --address h:6379"
        );
    }
}

//! What the kept words of a container's command say.

use crate::evidence::Container;

/// A `ray start` in a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// `--head`.
    pub head: bool,
    /// `--address`, as written.
    pub address: Option<String>,
    /// `--port`.
    pub port: Option<String>,
    /// `--ray-client-server-port`.
    pub client_port: Option<String>,
    /// `--node-ip-address`, as written.
    pub node_ip: Option<String>,
    /// `--node-manager-port`.
    pub node_manager_port: Option<String>,
    /// `--object-manager-port`.
    pub object_manager_port: Option<String>,
    /// `--min-worker-port` and `--max-worker-port`.
    pub worker_ports: [Option<String>; 2],
    /// `--worker-port-list`.
    pub worker_port_list: Option<String>,
}

/// The first `ray start` in the words.
pub fn start(words: &[String]) -> Option<Start> {
    let at = words.windows(2).position(|pair| is_ray(&pair[0]) && pair[1] == "start")?;
    let rest = &words[at + 2..];
    let end = rest.iter().position(|w| matches!(w.as_str(), "&&" | "||" | ";" | "|")).unwrap_or(rest.len());
    let words = &rest[..end];
    Some(Start {
        head: words.iter().any(|w| w == "--head"),
        address: flag(words, "--address"),
        port: flag(words, "--port"),
        client_port: flag(words, "--ray-client-server-port"),
        node_ip: flag(words, "--node-ip-address"),
        node_manager_port: flag(words, "--node-manager-port"),
        object_manager_port: flag(words, "--object-manager-port"),
        worker_ports: ["--min-worker-port", "--max-worker-port"].map(|name| flag(words, name)),
        worker_port_list: flag(words, "--worker-port-list"),
    })
}

/// The address of a `ray health-check` or `ray status` in the words: `Some(None)` when it names none.
pub fn health_check(words: &[String]) -> Option<Option<String>> {
    let at =
        words.windows(2).position(|pair| is_ray(&pair[0]) && matches!(pair[1].as_str(), "health-check" | "status"))?;
    Some(flag(&words[at + 2..], "--address"))
}

/// Whether the words submit a job: `ray job submit` speaks HTTP to the dashboard, and no gRPC.
pub fn submits_job(words: &[String]) -> bool {
    words.windows(2).any(|pair| is_ray(&pair[0]) && pair[1] == "job")
}

/// Addresses of Ray in a command that is no `ray start`: words with `ray://` and the value of `--cluster`.
pub fn addresses(words: &[String]) -> Vec<String> {
    let mut found: Vec<String> = flag(words, "--cluster").into_iter().collect();
    for word in words {
        if let Some(at) = word.find("ray://") {
            let address = word[at..].trim_end_matches(['"', '\'', ')', ',', ';']).to_owned();
            if !found.contains(&address) {
                found.push(address);
            }
        }
    }
    found
}

/// What a command does to a variable before its program starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exported {
    /// `export NAME=value`, `NAME=value ray start`.
    Set(String),
    /// `NAME=value` and nothing else: the program gets it if it would have got another value.
    Assigned(String),
    /// `unset NAME`, `env -i`.
    Unset,
}

/// Whether a command has anything to do with a variable, read or not.
pub fn changes(container: &Container, name: &str) -> bool {
    exported(&container.command, name).is_some() || container.unread.iter().any(|unread| unread == name)
}

/// The last thing a command is sure to do to a variable; none when it leaves it alone.
pub fn exported(words: &[String], name: &str) -> Option<Exported> {
    let mut last = None;
    for segment in words.split(|word| matches!(word.as_str(), "&&" | "||" | ";" | "|" | "&")) {
        let first = segment.first().map(String::as_str);
        for (at, word) in segment.iter().enumerate() {
            if word == "env -i" || first == Some("unset") && word == name {
                last = Some(Exported::Unset);
            } else if let Some(value) = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
                let value = value.trim_end_matches(';').trim_matches(['"', '\'']).to_owned();
                let program = || segment.iter().skip(at).any(|word| !word.contains('='));
                let exported = first == Some("export") || matches!(last, Some(Exported::Set(_))) || program();
                last = Some(if exported { Exported::Set(value) } else { Exported::Assigned(value) });
            }
        }
    }
    last
}

/// Host and port of `host:port`, `[v6]:port`, `ray://host:port` or a bare host.
pub fn host_port(address: &str) -> (String, Option<u16>) {
    let rest = address.strip_prefix("ray://").unwrap_or(address);
    let rest = rest.split(['/', '?']).next().unwrap_or(rest);
    if let Some(inner) = rest.strip_prefix('[')
        && let Some((host, tail)) = inner.split_once(']')
    {
        return (host.to_owned(), tail.strip_prefix(':').and_then(|p| p.parse().ok()));
    }
    match rest.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host.to_owned(), port.parse().ok()),
        _ => (rest.to_owned(), None),
    }
}

fn is_ray(word: &str) -> bool {
    word == "ray" || word.ends_with("/ray")
}

fn flag(words: &[String], name: &str) -> Option<String> {
    words.iter().enumerate().find_map(|(at, word)| {
        let rest = word.strip_prefix(name)?;
        let value = match rest.strip_prefix('=') {
            Some(value) => value.to_owned(),
            None if rest.is_empty() => words.get(at + 1)?.clone(),
            None => return None,
        };
        Some(value.trim_matches(['"', '\'']).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn reads_a_start() {
        let found = start(&words("exec ray start --head --port=6380 --node-ip-address=$POD_IP --block")).unwrap();
        assert!(found.head);
        assert_eq!(found.port.as_deref(), Some("6380"));
        assert_eq!(found.node_ip.as_deref(), Some("$POD_IP"));
        assert_eq!(start(&words("ray start --address head:6379")).unwrap().address.as_deref(), Some("head:6379"));
        assert_eq!(start(&words("ray status")), None);
    }

    #[test]
    fn the_last_word_on_a_variable_counts() {
        let of = |text: &str| exported(&words(text), "RAY_USE_TLS");
        assert_eq!(of("export RAY_USE_TLS=1 && ray start"), Some(Exported::Set("1".into())));
        assert_eq!(of("unset RAY_USE_TLS ; ray start"), Some(Exported::Unset));
        assert_eq!(of("unset RAY_USE_TLS ; RAY_USE_TLS=1 ray start"), Some(Exported::Set("1".into())));
        assert_eq!(of("unset RAY_TLS_CA_CERT ; ray start"), None);
        assert_eq!(of("ray start"), None);
        assert_eq!(of("RAY_USE_TLS=1 ; ray start"), Some(Exported::Assigned("1".into())));
        assert_eq!(of("export RAY_USE_TLS=1 ; RAY_USE_TLS=0 ; ray start"), Some(Exported::Set("0".into())));
        let cleared = ["env -i", ";", "ray", "start"].map(String::from);
        assert_eq!(exported(&cleared, "RAY_USE_TLS"), Some(Exported::Unset));
    }

    #[test]
    fn splits_addresses() {
        assert_eq!(host_port("ray://ray-head-svc:10001"), ("ray-head-svc".into(), Some(10001)));
        assert_eq!(host_port("[fd00::a]:6379"), ("fd00::a".into(), Some(6379)));
        assert_eq!(host_port("fd00::a"), ("fd00::a".into(), None));
        assert_eq!(host_port("head"), ("head".into(), None));
        assert_eq!(host_port("head:x"), ("head".into(), None));
    }

    #[test]
    fn finds_client_addresses() {
        assert_eq!(addresses(&words("python app.py --cluster=ray://h:10001")), ["ray://h:10001"]);
        assert_eq!(addresses(&words("-c ray.init('ray://h:10001')")), ["ray://h:10001"]);
    }
}

//! YAML and JSON documents, each read by itself, with lines.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::assemble::{Mark, Marks, Object};
use crate::evidence::{Origin, Problem};

/// Nesting beyond which a document is refused.
const DEPTH: usize = 64;

/// Values in one document beyond which it is refused.
const NODES: usize = 2_000_000;

/// Values that aliases (`*name`) may stand for in one document. Replaying is slow; manifests hardly have any.
const REPLAYED: usize = 20_000;

/// The objects of a text of any number of documents. `file` is the name for people. One bad document does not
/// spoil the others.
pub(crate) fn objects(text: &str, file: &str, problems: &mut Vec<Problem>) -> Vec<Object> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    for document in documents(text) {
        if let Err((line, message)) = read(&document, file, &mut found, problems) {
            let origin = Origin { file: Some(file.into()), line: Some(line) };
            problems.push(Problem { origin, object: None, message });
        }
    }
    found
}

/// Part of a text, and the number of lines before it.
struct Document<'t> {
    text: &'t str,
    before: u32,
}

/// Splits at `---` and `...` in column 0.
fn documents(text: &str) -> Vec<Document<'_>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut before = 0;
    let mut offset = 0;
    for (number, line) in (0_u32..).zip(text.split_inclusive('\n')) {
        let marker = line.strip_prefix("---").or_else(|| line.strip_prefix("..."));
        if marker.is_some_and(|rest| rest.chars().next().is_none_or(char::is_whitespace)) {
            found.push(Document { text: &text[start..offset], before });
            // What follows the marker on its line belongs to the document; the marker itself keeps its place.
            start = offset + 3;
            before = number;
        }
        offset += line.len();
    }
    found.push(Document { text: &text[start..], before });
    found.retain(|document| document.text.lines().any(is_content));
    found
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with(['#', '%'])
}

fn read(
    document: &Document<'_>,
    file: &str,
    found: &mut Vec<Object>,
    problems: &mut Vec<Problem>,
) -> Result<(), (u32, String)> {
    let first = (1..).zip(document.text.lines()).find(|(_, line)| is_content(line)).map_or(1, |(number, _)| number);
    let line = document.before + first;
    if let Some(number) = template_line(document.text) {
        let message = "a Helm template ({{ … }}), not a manifest: render it first (helm template) and give the result";
        return Err((document.before + number, message.into()));
    }
    let node: Spanned<Node> = match serde_saphyr::from_str_with_options(document.text, options()) {
        Ok(node) => node,
        Err(error) => return json(document, file, line, found).map_err(|()| refusal(&error, document.before, line)),
    };
    if matches!(node.value, Node::Null) {
        return Ok(());
    }
    let Node::Map(_) = &node.value else {
        let what = "not a Kubernetes object: a mapping with apiVersion and kind is wanted";
        return Err((line, what.into()));
    };
    emit(node, document, file, 0, found, problems);
    Ok(())
}

/// JSON that YAML does not take: several values one after the other, keys longer than 1,024 characters.
fn json(document: &Document<'_>, file: &str, line: u32, found: &mut Vec<Object>) -> Result<(), ()> {
    if !document.text.trim_start().starts_with('{') {
        return Err(());
    }
    let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(document.text).into_iter().collect();
    for value in values.map_err(drop)? {
        let origin = Origin { file: Some(file.into()), line: Some(line) };
        found.push(Object { value, origin, marks: Marks::default() });
    }
    Ok(())
}

/// The line of a `{{` that is no quoted text; Ray's and Prometheus' own templates stand in strings and block scalars.
fn template_line(text: &str) -> Option<u32> {
    let helm = |line: &str| {
        let line = line.trim_start();
        line.starts_with("{{") || [": {{", "- {{", "{{ .", "{{- "].iter().any(|mark| line.contains(mark))
    };
    // Only text that is no YAML without being rendered: the first such line decides.
    let number = (1..).zip(text.lines()).find(|(_, line)| helm(line)).map(|(number, _)| number)?;
    serde_saphyr::from_str_with_options::<Node>(text, options()).is_err().then_some(number)
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
            max_nodes: NODES,
            max_events: NODES * 2,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: REPLAYED, max_replay_stack_depth: 16 },
        // Later ones win, as in kubectl; they are told of.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        // As Go's YAML reader, which the API server's clients use.
        legacy_octal_numbers: true,
        with_snippet: false,
        emit_comments: false,
    }
}

fn refusal(error: &serde_saphyr::Error, before: u32, line: u32) -> (u32, String) {
    let at = error.location().map(|location| location.line()).filter(|line| *line > 0);
    let line = at.map_or(line, |at| before.saturating_add(u32::try_from(at).unwrap_or(0)));
    let text = error.without_snippet().to_string();
    let text = text.lines().next().unwrap_or_default();
    // A parser may quote what it met; nothing that could be a key goes out.
    let long = text.split_whitespace().any(|word| word.len() > 40);
    let detail = if long || text.is_empty() { "the syntax is broken here".into() } else { strip_place(text) };
    (line, format!("not YAML: {detail}"))
}

/// Without the parser's own line and column, which count from the start of the document.
fn strip_place(text: &str) -> String {
    let cut = [" at line ", ": line ", " (line "].iter().filter_map(|mark| text.find(mark)).min();
    let text = &text[..cut.unwrap_or(text.len())];
    match text.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest.into(),
        _ => text.into(),
    }
}

/// Makes an object of each mapping; the items of a List one by one, so that each has its own line.
fn emit(
    mut node: Spanned<Node>,
    document: &Document<'_>,
    file: &str,
    depth: usize,
    found: &mut Vec<Object>,
    problems: &mut Vec<Problem>,
) {
    let origin = Origin { file: Some(file.into()), line: Some(line_of(&node, document)) };
    if depth < 8
        && let Node::Map(entries) = &mut node.value
        && entries
            .iter()
            .any(|(key, value)| key == "kind" && matches!(&value.value, Node::Text(kind) if kind == "List"))
        && let Some(at) = entries.iter().position(|(key, value)| key == "items" && matches!(value.value, Node::List(_)))
        && let Node::List(items) = entries.swap_remove(at).1.value
    {
        for item in items {
            emit(item, document, file, depth + 1, found, problems);
        }
        return;
    }
    let mut marks = Marks::default();
    let mut duplicates = Vec::new();
    let value = convert(node, "", document, &mut marks, &mut duplicates);
    for (path, line) in duplicates {
        let origin = Origin { line: Some(line), ..origin.clone() };
        // A long one may be a line of a key gone astray.
        let what = if path.split('.').all(|key| key.len() <= 63) { path.as_str() } else { "a key" };
        let message = format!("{what} is given twice in one mapping: the last one is judged; remove one");
        problems.push(Problem { origin, object: None, message });
    }
    found.push(Object { value, origin, marks });
}

fn line_of(node: &Spanned<Node>, document: &Document<'_>) -> u32 {
    document.before.saturating_add(u32::try_from(node.referenced.line()).unwrap_or(0).max(1))
}

fn convert(
    node: Spanned<Node>,
    path: &str,
    document: &Document<'_>,
    marks: &mut Marks,
    duplicates: &mut Vec<(String, u32)>,
) -> Value {
    let line = line_of(&node, document);
    let span = node.defined.span();
    let range = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
        let start = usize::try_from(start).ok()?;
        document.text.get(start..start.checked_add(usize::try_from(length).ok()?)?)
    });
    let written = || range.map_or("", str::trim);
    let mut scalar = |value: Value| {
        marks.insert(path.into(), Mark { line, written: written().to_owned() });
        value
    };
    match node.value {
        Node::Null => Value::Null,
        Node::Text(text) => Value::String(text),
        Node::Flag(_) if odd_spelling(written()) => Value::String(written().to_owned()),
        Node::Flag(flag) => scalar(flag.into()),
        Node::Number(number) => scalar(number.into()),
        Node::List(items) => {
            let items = items.into_iter().enumerate();
            items.map(|(i, item)| convert(item, &format!("{path}[{i}]"), document, marks, duplicates)).collect()
        }
        Node::Map(entries) => {
            marks.insert(path.into(), Mark { line, written: String::new() });
            let mut map = Map::new();
            for (key, item) in entries {
                let at = line_of(&item, document);
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let value = convert(item, &inner, document, marks, duplicates);
                if map.insert(key, value).is_some() {
                    duplicates.push((inner, at));
                }
            }
            Value::Object(map)
        }
    }
}

/// Whether Go's YAML reader takes this word, which means yes or no, for text: it knows lower case, upper case and a
/// capital in front, and nothing like `tRuE` (go-yaml v2, `resolve.go`).
fn odd_spelling(word: &str) -> bool {
    let rest = word.get(1..).unwrap_or_default();
    let lower = |text: &str| text.chars().all(|c| c.is_ascii_lowercase());
    let upper = |text: &str| text.chars().all(|c| c.is_ascii_uppercase());
    word.chars().all(|c| c.is_ascii_alphabetic()) && !lower(rest) && !upper(word)
}

/// A value with the places of everything in it.
enum Node {
    Null,
    Flag(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(String, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        serde_json::Number::from_f64(value).map(Node::Number).ok_or_else(|| E::custom("a number without a value"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Node>()? {
            let key = match key {
                Node::Text(text) => text,
                Node::Flag(flag) => flag.to_string(),
                Node::Number(number) => number.to_string(),
                Node::Null => "null".into(),
                Node::List(_) | Node::Map(_) => return Err(A::Error::custom("a key that is no scalar")),
            };
            entries.push((key, map.next_value()?));
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> (Vec<Object>, Vec<Problem>) {
        let mut problems = Vec::new();
        let objects = objects(text, "f.yaml", &mut problems);
        (objects, problems)
    }

    fn lines(objects: &[Object]) -> Vec<u32> {
        objects.iter().filter_map(|object| object.origin.line).collect()
    }

    #[test]
    fn each_object_has_the_line_of_its_first_key() {
        let (objects, problems) = read_all("# a\n---\n\nkind: A\n--- # b\n# c\nkind: B\n---\n---\n{kind: C}\n...\n");
        assert_eq!(lines(&objects), [4, 7, 10]);
        assert_eq!(problems, []);
    }

    #[test]
    fn items_of_a_list_have_their_own_lines() {
        let (objects, _) = read_all("kind: List\nitems:\n- kind: A\n- kind: B\n- kind: List\n  items:\n  - kind: C\n");
        assert_eq!(lines(&objects), [3, 4, 7]);
    }

    #[test]
    fn one_bad_document_does_not_spoil_the_others() {
        let (objects, problems) = read_all("kind: A\n---\nkind: B\n  x: [\n---\nkind: C\n");
        assert_eq!(lines(&objects), [1, 6]);
        assert_eq!(problems.len(), 1);
        assert!(matches!(problems[0].origin.line, Some(3..=5)), "{problems:?}");
        assert!(problems[0].message.starts_with("not YAML: "), "{problems:?}");
    }

    #[test]
    fn unquoted_values_are_no_strings_and_keep_their_spelling() {
        let (objects, _) =
            read_all("kind: A\nx:\n- value: yes\n- value: 1\n- value: 0755\n- value: \"1\"\n- value: 1.50\n");
        let object = &objects[0];
        let written = |path: &str| object.marks.get(path).map(|mark| (mark.line, mark.written.as_str()));
        assert_eq!(written("x[0].value"), Some((3, "yes")));
        assert_eq!(written("x[1].value"), Some((4, "1")));
        assert_eq!(written("x[2].value"), Some((5, "0755")));
        assert_eq!(written("x[3].value"), None);
        assert_eq!(written("x[4].value"), Some((7, "1.50")));
        assert_eq!(object.value["x"][0]["value"], Value::Bool(true));
        assert_eq!(object.value["x"][2]["value"], 493);
    }

    #[test]
    fn words_that_only_other_readers_take_for_yes_are_text() {
        let (objects, _) = read_all("kind: A\nx: [tRuE, True, TRUE, y, oN, on]\n");
        let text = |at: usize| objects[0].value["x"][at].as_str();
        assert_eq!([0, 1, 2, 3, 4, 5].map(text), [Some("tRuE"), None, None, None, Some("oN"), None]);
    }

    #[test]
    fn json_is_read_in_all_its_shapes() {
        let (objects, problems) = read_all("{\"kind\": \"A\"}\n{\"kind\": \"B\"}");
        assert_eq!((objects.len(), problems.len()), (2, 0));
        let (objects, problems) = read_all("{\n\t\"kind\": \"List\",\n\t\"items\": [\n\t\t{\"kind\": \"A\"}\n\t]\n}");
        assert_eq!((lines(&objects), problems.len()), (vec![4], 0));
    }

    #[test]
    fn helm_templates_are_named_as_such() {
        let (objects, problems) = read_all("kind: A\nmetadata:\n  name: {{ .Values.name }}\n");
        assert_eq!((objects.len(), problems[0].origin.line), (0, Some(3)));
        assert!(problems[0].message.contains("helm template"));
        let (objects, problems) = read_all("kind: A\nlegend: '{{ pod }}'\nx: |\n  {{ y }}\n");
        assert_eq!((objects.len(), problems.len()), (1, 0));
    }

    #[test]
    fn bombs_end_in_a_problem() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..10 {
            let before = vec![format!("*a{}", i - 1); 9].join(", ");
            bomb += &format!("a{i}: &a{i} [{before}]\n");
        }
        let (objects, problems) = read_all(&bomb);
        assert_eq!((objects.len(), problems.len()), (0, 1));
        for text in ["[".repeat(100_000), "{a: ".repeat(100_000), format!("kind: {}", "[".repeat(70)) + &"]".repeat(70)]
        {
            let (objects, problems) = read_all(&text);
            assert_eq!((objects.len(), problems.len()), (0, 1), "{problems:?}");
        }
    }

    #[test]
    fn keys_do_not_get_into_messages() {
        let key = "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
        for text in [
            format!("kind: Secret\n{key}: [\n"),
            format!("data: {{ k: {key}\n"),
            format!("a: *{key}"),
            format!("- {key}\nb: c"),
        ] {
            let (_, problems) = read_all(&text);
            assert_eq!(problems.len(), 1);
            assert!(!problems[0].message.contains(&key[..30]), "{problems:?}");
        }
    }

    #[test]
    fn a_key_given_twice_is_told() {
        let (objects, problems) = read_all("kind: A\ndata:\n  a: '1'\n  a: '2'\n");
        assert_eq!(objects[0].value["data"]["a"], "2");
        assert!(problems[0].message.starts_with("data.a is given twice"), "{problems:?}");
        assert_eq!(problems[0].origin.line, Some(4));
    }
}

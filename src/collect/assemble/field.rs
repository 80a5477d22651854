//! Fields of an object, read with tolerance: a wrong type is a problem with its place, never silence.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::evidence::{ObjectRef, Origin, Problem};

/// What a manifest knows of a value beside the value, by path (`spec.containers[0].env[1].value`).
pub type Marks = HashMap<String, Mark>;

/// What a manifest knows of one mapping or one scalar that is no string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// 1-based line of its first key.
    pub line: u32,
    /// The scalar as written: `yes`, `0755`. Empty for a mapping.
    pub written: String,
}

/// The object that is being read, and what is wrong with it.
pub(crate) struct Reading<'a> {
    pub(crate) object: ObjectRef,
    pub(crate) origin: Origin,
    pub(crate) marks: &'a Marks,
    pub(crate) problems: Vec<Problem>,
}

/// A value or its absence, with its path. `null` is absent, as for the API server.
#[derive(Clone)]
pub(crate) struct Field<'v> {
    value: Option<&'v Value>,
    path: String,
}

impl Reading<'_> {
    /// Notes a problem of the value at `path`.
    pub(crate) fn problem(&mut self, path: &str, message: String) {
        let line = self.line(path);
        let origin = Origin { line, ..self.origin.clone() };
        self.problems.push(Problem { origin, object: Some(self.object.clone()), message });
    }

    /// The line of the nearest mapping around `path`.
    pub(crate) fn line(&self, path: &str) -> Option<u32> {
        let mut path = path;
        loop {
            if let Some(mark) = self.marks.get(path) {
                return Some(mark.line);
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.origin.line,
            }
        }
    }

    fn wrong(&mut self, field: &Field<'_>, wanted: &str) {
        let Some(value) = field.value else { return };
        let path = &field.path;
        let message = format!("{path} is {}, not {wanted}; the API server refuses it", kind(value));
        self.problem(path, message);
    }
}

impl<'v> Field<'v> {
    /// The object itself.
    pub(crate) fn root(value: &'v Value) -> Self {
        Field { value: Some(value), path: String::new() }
    }

    /// A part of an object that was read by itself.
    pub(crate) fn new(value: &'v Value, path: &str) -> Self {
        Field { value: Some(value), path: path.into() }
    }

    /// Whether there is something.
    pub(crate) fn present(&self) -> bool {
        self.value.is_some()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The value as it is.
    pub(crate) fn value(&self) -> Option<&'v Value> {
        self.value
    }

    /// The field `key` of a mapping.
    pub(crate) fn get(&self, reading: &mut Reading<'_>, key: &str) -> Field<'v> {
        let value = self.map(reading).and_then(|map| map.get(key)).filter(|value| !value.is_null());
        Field { value, path: join(&self.path, key) }
    }

    /// A field of a field ….
    pub(crate) fn at(&self, reading: &mut Reading<'_>, keys: &[&str]) -> Field<'v> {
        keys.iter().fold(self.clone(), |field, key| field.get(reading, key))
    }

    /// The elements of a list.
    pub(crate) fn items(&self, reading: &mut Reading<'_>) -> Vec<Field<'v>> {
        match self.value {
            None => Vec::new(),
            Some(Value::Array(list)) => {
                let item = |(i, value)| Field { value: Some(value), path: format!("{}[{i}]", self.path) };
                list.iter().enumerate().map(item).collect()
            }
            Some(_) => {
                reading.wrong(self, "a list");
                Vec::new()
            }
        }
    }

    /// The entries of a mapping, sorted by key.
    pub(crate) fn entries(&self, reading: &mut Reading<'_>) -> Vec<(&'v str, Field<'v>)> {
        let map = self.map(reading).into_iter().flatten();
        map.map(|(key, value)| (key.as_str(), Field { value: Some(value), path: join(&self.path, key) })).collect()
    }

    /// A string.
    pub(crate) fn text(&self, reading: &mut Reading<'_>) -> Option<String> {
        match self.value? {
            Value::String(text) => Some(text.clone()),
            _ => {
                reading.wrong(self, "a string (quote it)");
                None
            }
        }
    }

    /// A string, empty when there is none.
    pub(crate) fn text_or_empty(&self, reading: &mut Reading<'_>) -> String {
        self.text(reading).unwrap_or_default()
    }

    /// `true` or `false`; false when there is none.
    pub(crate) fn flag(&self, reading: &mut Reading<'_>) -> bool {
        match self.value {
            Some(Value::Bool(flag)) => *flag,
            None => false,
            Some(_) => {
                reading.wrong(self, "true or false");
                false
            }
        }
    }

    /// A number that is not negative.
    pub(crate) fn number<N: TryFrom<u64>>(&self, reading: &mut Reading<'_>) -> Option<N> {
        let number = self.value?.as_u64().and_then(|number| N::try_from(number).ok());
        if number.is_none() {
            reading.wrong(self, "a number in its range");
        }
        number
    }

    /// A time.
    pub(crate) fn time(&self, reading: &mut Reading<'_>) -> Option<Timestamp> {
        let time = self.text(reading)?.parse().ok();
        if time.is_none() {
            reading.wrong(self, "a time (RFC 3339)");
        }
        time
    }

    /// A mapping of strings.
    pub(crate) fn texts(&self, reading: &mut Reading<'_>) -> BTreeMap<String, String> {
        let entries = self.entries(reading).into_iter().filter(|(_, field)| field.value != Some(&Value::Null));
        entries.filter_map(|(key, field)| Some((key.to_owned(), field.text(reading)?))).collect()
    }

    /// A scalar as it was written; none for lists and mappings.
    pub(crate) fn written(&self, reading: &Reading<'_>) -> Option<String> {
        let written = reading.marks.get(&self.path).map(|mark| mark.written.clone()).filter(|text| !text.is_empty());
        match self.value? {
            Value::Array(_) | Value::Object(_) => None,
            Value::String(text) => Some(text.clone()),
            value => Some(written.unwrap_or_else(|| value.to_string())),
        }
    }

    fn map(&self, reading: &mut Reading<'_>) -> Option<&'v Map<String, Value>> {
        match self.value? {
            Value::Object(map) => Some(map),
            _ => {
                reading.wrong(self, "a mapping");
                None
            }
        }
    }
}

/// The path of a field of a mapping.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.into() } else { format!("{path}.{key}") }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

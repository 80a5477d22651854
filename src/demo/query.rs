//! Query strings and label selectors of list requests.

use serde_json::Value;

/// One list request's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub label_selector: String,
    pub field_selector: String,
    pub limit: usize,
    /// How many items earlier pages had.
    pub skip: usize,
    pub watch: bool,
}

impl Query {
    /// Reads a query string. Parameters that do not change the answer are passed over.
    ///
    /// # Errors
    /// What is wrong, for a 400.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut query = Query::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value)?;
            let number = || value.parse().map_err(|_| format!("{name}: {value:?} is not a number"));
            match name {
                "labelSelector" => query.label_selector = value,
                "fieldSelector" => query.field_selector = value,
                "limit" => query.limit = number()?,
                "continue" if !value.is_empty() => query.skip = number()?,
                "watch" => query.watch = value == "1" || value == "true",
                _ => {}
            }
        }
        Ok(query)
    }

    /// Whether an object is asked for.
    ///
    /// # Errors
    /// A selector that the API server would refuse, or that this one does not know.
    pub(super) fn selects(&self, object: &Value) -> Result<bool, String> {
        let labels = &object["metadata"]["labels"];
        for requirement in split_requirements(&self.label_selector) {
            if !holds(requirement, |label| labels[label].as_str())? {
                return Ok(false);
            }
        }
        for requirement in self.field_selector.split(',').filter(|r| !r.is_empty()) {
            let field = |path: &str| match path {
                "metadata.name" => object["metadata"]["name"].as_str(),
                "metadata.namespace" => object["metadata"]["namespace"].as_str(),
                "status.phase" => object["status"]["phase"].as_str(),
                "type" => object["type"].as_str(),
                _ => None,
            };
            if !holds(requirement, field)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Splits at commas that are not inside parentheses.
fn split_requirements(selector: &str) -> Vec<&str> {
    let mut inside = false;
    selector
        .split(|c| {
            inside = (inside || c == '(') && c != ')';
            c == ',' && !inside
        })
        .map(str::trim)
        .filter(|requirement| !requirement.is_empty())
        .collect()
}

fn holds<'v>(requirement: &str, value: impl Fn(&str) -> Option<&'v str>) -> Result<bool, String> {
    if let Some((left, set)) = requirement.split_once('(') {
        let set = set.strip_suffix(')').ok_or_else(|| format!("{requirement:?} has no closing parenthesis"))?;
        let mut words = left.split_whitespace();
        let (Some(key), Some(operator), None) = (words.next(), words.next(), words.next()) else {
            return Err(format!("{requirement:?} is not a selector"));
        };
        let within = value(key).is_some_and(|v| set.split(',').any(|member| member.trim() == v));
        return match operator {
            "in" => Ok(within),
            "notin" => Ok(!within),
            _ => Err(format!("{operator:?} is not a selector operator")),
        };
    }
    if let Some((key, wanted)) = requirement.split_once("!=") {
        return Ok(value(key.trim()) != Some(wanted.trim()));
    }
    if let Some((key, wanted)) = requirement.split_once("==").or_else(|| requirement.split_once('=')) {
        return Ok(value(key.trim()) == Some(wanted.trim()));
    }
    match requirement.strip_prefix('!') {
        Some(key) => Ok(value(key.trim()).is_none()),
        None => Ok(value(requirement).is_some()),
    }
}

fn decode(text: &str) -> Result<String, String> {
    let bad = || format!("{text:?} is not percent-encoded text");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or_else(bad);
                u8::try_from(digit()? * 16 + digit()?).map_err(|_| bad())?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_select() {
        let pod = json!({"metadata": {"name": "a", "labels": {"app": "ray-head", "tier": "x"}}});
        let cases = [
            ("", true),
            ("app=ray-head", true),
            ("app%3D%3Dray-head%2Ctier", true),
            ("app!=ray-head", false),
            ("other!=ray-head", true),
            ("!other", true),
            ("other", false),
            ("app+in+(ray-worker,+ray-head),tier=x", true),
            ("app notin (ray-worker, ray-head)", false),
        ];
        for (selector, selected) in cases {
            let query = Query::parse(&format!("limit=500&labelSelector={selector}")).unwrap();
            assert_eq!(query.selects(&pod), Ok(selected), "{selector}");
            assert_eq!(query.limit, 500);
        }
        assert!(Query::parse("fieldSelector=metadata.name%3Db").unwrap().selects(&pod).is_ok_and(|yes| !yes));
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in ["limit=many", "labelSelector=%zz", "labelSelector=%e9", "continue=x"] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
        let query = Query { label_selector: "app in (a".into(), ..Query::default() };
        assert!(query.selects(&json!({})).is_err());
    }
}

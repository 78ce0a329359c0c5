//! The `filters` parameter of lists, events and prunes, with the matching rules of an engine.
//!
//! Invariant: an unknown or unreadable filter is refused, never ignored: a filter that is dropped shows too much, and
//! `docker rm $(docker ps -q --filter …)` then removes too much.

use std::collections::BTreeMap;

pub use super::bad_filter::BadFilter;
use super::pattern::Pattern;

/// Filters by name; each holds a set of values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Go clients write a set as `{"value": true}`; a `false` there still counts as a value, but matches nothing exactly.
    fields: BTreeMap<String, BTreeMap<String, bool>>,
}

impl Filters {
    /// Reads the parameter in either form: `{"label":{"a=b":true}}` (Go) or `{"label":["a=b"]}` (docker-py, curl).
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, BadFilter> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let fields = sets(text)
            .or_else(|_| lists(text))
            .map_err(|_| BadFilter::Unparsable)?;
        Ok(Self { fields })
    }

    /// Refuses filters whose names are not in `allowed`.
    ///
    /// # Errors
    /// Names the first such filter in alphabetical order.
    pub fn validate(&self, allowed: &[&str]) -> Result<(), BadFilter> {
        self.fields
            .keys()
            .find(|key| !allowed.contains(&key.as_str()))
            .map_or(Ok(()), |key| Err(BadFilter::Unknown(key.clone())))
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Tells whether a filter of that name is there, be it without values.
    pub fn contains(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    /// Walks the values of one filter in alphabetical order.
    pub fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.fields
            .get(key)
            .into_iter()
            .flat_map(|values| values.keys().map(String::as_str))
    }

    /// Adds a value to one filter.
    pub fn insert(&mut self, key: &str, value: &str) {
        self.fields
            .entry(key.to_owned())
            .or_default()
            .insert(value.to_owned(), true);
    }

    /// Returns these filters but for one.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.fields.remove(key);
        self
    }

    /// Writes the parameter in Go's form.
    pub fn to_json(&self) -> String {
        serde_json::json!(self.fields).to_string()
    }

    /// Tells whether `source` is one of the values, or there are none.
    pub fn exact(&self, key: &str, source: &str) -> bool {
        self.set(key)
            .is_none_or(|values| values.get(source) == Some(&true))
    }

    /// Tells whether `source` starts with one of the values, or there are none.
    pub fn prefixes(&self, key: &str, source: &str) -> bool {
        self.set(key)
            .is_none_or(|values| values.keys().any(|value| source.starts_with(value)))
    }

    /// Tells whether every value (`key` or `key=value`) is among the labels that `label` knows.
    pub fn labels<'l>(&self, key: &str, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.values(key).all(|wanted| match wanted.split_once('=') {
            Some((name, value)) => label(name) == Some(value),
            None => label(wanted).is_some(),
        })
    }

    /// Compiles the values of one filter for matching against many names.
    pub fn pattern(&self, key: &str) -> Pattern {
        let Some(values) = self.set(key) else {
            return Pattern::default();
        };
        let exact = values
            .iter()
            .filter(|(_, on)| **on)
            .map(|(v, _)| v.as_str());
        Pattern::new(exact, values.keys().map(String::as_str))
    }

    /// Reads a boolean filter; `None` when it is absent.
    ///
    /// # Errors
    /// Its values are no booleans, or both.
    pub fn flag(&self, key: &'static str) -> Result<Option<bool>, BadFilter> {
        if !self.contains(key) {
            return Ok(None);
        }
        let on = |text| self.values(key).any(|v| v == text);
        let (yes, no) = (on("1") || on("true"), on("0") || on("false"));
        if yes == no {
            let values = self.values(key).map(str::to_owned).collect();
            return Err(BadFilter::Values { key, values });
        }
        Ok(Some(yes))
    }

    /// Returns the values of a filter that restricts anything: one without values does not.
    fn set(&self, key: &str) -> Option<&BTreeMap<String, bool>> {
        self.fields.get(key).filter(|values| !values.is_empty())
    }
}

/// Reads Go's form. Go takes `null` for an empty value at every level.
fn sets(text: &str) -> serde_json::Result<BTreeMap<String, BTreeMap<String, bool>>> {
    type Sets = BTreeMap<String, Option<BTreeMap<String, Option<bool>>>>;
    let fields = serde_json::from_str::<Option<Sets>>(text)?.unwrap_or_default();
    let set = |values: BTreeMap<String, Option<bool>>| {
        values
            .into_iter()
            .map(|(value, on)| (value, on.unwrap_or_default()))
            .collect()
    };
    Ok(fields
        .into_iter()
        .map(|(key, values)| (key, values.map(set).unwrap_or_default()))
        .collect())
}

/// Reads the form of old clients and hand-written requests.
fn lists(text: &str) -> serde_json::Result<BTreeMap<String, BTreeMap<String, bool>>> {
    type Lists = BTreeMap<String, Option<Vec<Option<String>>>>;
    let set = |values: Vec<Option<String>>| {
        values
            .into_iter()
            .map(|value| (value.unwrap_or_default(), true))
            .collect()
    };
    Ok(serde_json::from_str::<Lists>(text)?
        .into_iter()
        .map(|(key, values)| (key, values.map(set).unwrap_or_default()))
        .collect())
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms_and_none_are_read() {
        let set = Filters::parse(r#"{"label":{"a=b":true,"c":true}}"#).unwrap();
        let list = Filters::parse(r#"{"label":["c","a=b"]}"#).unwrap();
        assert_eq!(set, list);
        assert_eq!(set.values("label").collect::<Vec<_>>(), ["a=b", "c"]);
        for empty in ["", "{}", "null"] {
            assert!(Filters::parse(empty).unwrap().is_empty(), "{empty}");
        }
        for bad in [
            "x",
            "[]",
            "1",
            r#"{"a":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":["b"],"c":{"d":true}}"#,
            "{} {}",
        ] {
            assert_eq!(
                Filters::parse(bad).unwrap_err().to_string(),
                "invalid filter"
            );
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        let filters = Filters::parse(r#"{"label":["a"],"bogus":["x"]}"#).unwrap();
        let error = filters.validate(&["label"]).unwrap_err();
        assert_eq!(error.to_string(), "invalid filter 'bogus'");
        assert_eq!(filters.validate(&["bogus", "label"]), Ok(()));
    }

    #[test]
    fn values_match_as_on_an_engine() {
        let filters = Filters::parse(r#"{"n":{"^/web":true,"(":true},"off":{"web":false},"e":{}}"#);
        let filters = filters.unwrap();
        assert!(filters.pattern("n").matches("/web1"));
        assert!(
            filters.pattern("n").matches("("),
            "a broken expression still matches exactly"
        );
        assert!(!filters.pattern("n").matches("web"));
        assert!(filters.pattern("off").matches("xweb") && !filters.exact("off", "web"));
        assert!(filters.pattern("e").matches("any") && filters.exact("e", "any"));
        assert!(filters.pattern("absent").matches("any") && filters.prefixes("absent", "any"));
        assert!(filters.prefixes("off", "website") && !filters.prefixes("off", "we"));
    }

    #[test]
    fn labels_match_by_name_or_by_value() {
        let labels = BTreeMap::from([("a", "b"), ("empty", "")]);
        let check = |text: &str| {
            let filters = Filters::parse(&format!(r#"{{"label":{text}}}"#)).unwrap();
            filters.labels("label", |name| labels.get(name).copied())
        };
        for yes in [
            r#"["a"]"#,
            r#"["a=b","empty"]"#,
            r#"["empty="]"#,
            "[]",
            r#"{"a=b":false}"#,
        ] {
            assert!(check(yes), "{yes}");
        }
        for no in [r#"["a=c"]"#, r#"["a=b","x"]"#, r#"["a="]"#] {
            assert!(!check(no), "{no}");
        }
    }

    #[test]
    fn booleans_are_read_or_refused() {
        let flag = |text: &str| Filters::parse(text).unwrap().flag("dangling");
        assert_eq!(flag("{}"), Ok(None));
        assert_eq!(flag(r#"{"dangling":["1"]}"#), Ok(Some(true)));
        assert_eq!(flag(r#"{"dangling":{"false":true}}"#), Ok(Some(false)));
        for (text, message) in [
            (r#"{"dangling":["x"]}"#, "invalid filter 'dangling=[x]'"),
            (
                r#"{"dangling":["true","false"]}"#,
                "invalid filter 'dangling=[false true]'",
            ),
            (r#"{"dangling":[]}"#, "invalid filter 'dangling=[]'"),
        ] {
            assert_eq!(flag(text).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in ".*") {
            let _ = Filters::parse(&text).map(|f| f.pattern("name").matches("/web"));
        }

        #[test]
        fn both_forms_say_the_same(fields in btree_map(".{0,5}", btree_set(".{0,5}", 0..4), 0..4)) {
            let lists = serde_json::to_string(&fields).unwrap();
            let sets: BTreeMap<_, BTreeMap<_, bool>> = fields
                .into_iter()
                .map(|(key, values)| (key, values.into_iter().map(|v| (v, true)).collect()))
                .collect();
            let sets = serde_json::to_string(&sets).unwrap();
            prop_assert_eq!(Filters::parse(&lists), Filters::parse(&sets));
        }

        #[test]
        fn any_pattern_is_usable(text in ".*", name in "/[a-z]{1,8}") {
            let mut filters = Filters::default();
            filters.insert("name", &text);
            filters.pattern("name").matches(&name);
        }
    }
}

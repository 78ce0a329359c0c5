//! JSON objects whose unknown parts stay byte for byte as the engine or the client wrote them.
//!
//! Invariant: key order, unknown fields, number texts and duplicate keys survive a decode and encode (wire rule W18).

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A JSON object as an ordered list of members with undecoded values.
#[derive(Clone, Debug, Default)]
pub struct Object<'a> {
    members: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// Members that most objects of engines have no more of.
const USUAL: usize = 32;

impl<'a> Object<'a> {
    /// Decodes one JSON object; anything else is an error.
    ///
    /// # Errors
    /// The text is not a JSON object.
    pub fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Decodes the object in front of `text` and ignores what follows, as engines before 28 do with bodies.
    ///
    /// # Errors
    /// The text does not start with a JSON object.
    pub fn parse_first(text: &'a str) -> serde_json::Result<Self> {
        let mut values = serde_json::Deserializer::from_str(text);
        Self::deserialize(&mut values)
    }

    /// Returns the raw text of the last member called exactly `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.members
            .iter()
            .rev()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_ref())
    }

    /// Returns the raw text of the last member whose name equals `key` by Go's rule: letter case does not matter.
    pub fn get_folded(&self, key: &str) -> Option<&str> {
        self.members
            .iter()
            .rev()
            .find(|(k, _)| same_key(k, key))
            .map(|(_, v)| v.as_ref())
    }

    /// Decodes the member `key` (any letter case); `None` when it is absent, `null` or of another type.
    pub fn decode<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str::<Option<T>>(self.get_folded(key)?)
            .ok()
            .flatten()
    }

    /// Returns the object under `key` (any letter case); empty when it is absent or `null`.
    ///
    /// # Errors
    /// The member is there and is not an object.
    pub fn object(&self, key: &str) -> serde_json::Result<Object<'_>> {
        match self.get_folded(key) {
            None | Some("null") => Ok(Object::default()),
            Some(text) => Object::parse(text),
        }
    }

    /// Replaces the member `key` in place, or appends it.
    pub fn set(&mut self, key: &str, raw: String) {
        match self.members.iter_mut().rev().find(|(k, _)| k == key) {
            Some((_, value)) => *value = Cow::Owned(raw),
            None => self
                .members
                .push((Cow::Owned(key.to_owned()), Cow::Owned(raw))),
        }
    }

    /// Replaces all spellings of `key` by one member with that exact name, where the first of them stood.
    pub fn set_folded(&mut self, key: &str, raw: String) {
        let at = self.members.iter().position(|(k, _)| same_key(k, key));
        self.members.retain(|(k, _)| !same_key(k, key));
        let at = at.unwrap_or(self.members.len()).min(self.members.len());
        self.members
            .insert(at, (Cow::Owned(key.to_owned()), Cow::Owned(raw)));
    }

    /// Removes all spellings of `key`.
    pub fn remove_folded(&mut self, key: &str) {
        self.members.retain(|(k, _)| !same_key(k, key));
    }

    /// Walks the members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|(k, v)| (k.as_ref(), v.as_ref()))
    }

    /// Returns how many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Tells whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Writes the object as compact JSON.
    pub fn to_json(&self) -> String {
        let size = self
            .members
            .iter()
            .map(|(k, v)| k.len() + v.len() + 4)
            .sum::<usize>();
        let mut out = String::with_capacity(size + 2);
        out.push('{');
        for (i, (key, value)) in self.members.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            out.push_str(&quote(key));
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        out
    }
}

/// Tells whether two member names are one to Go's decoder: equal but for letter case, with its two odd foldings
/// (U+017F counts as `s`, U+212A as `k`).
pub fn same_key(a: &str, b: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    a.chars().map(fold).eq(b.chars().map(fold))
}

/// Writes `text` as a JSON string.
pub fn quote(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(USUAL);
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    let value: &'de RawValue = map.next_value()?;
                    members.push((key.0, Cow::Borrowed(value.get())));
                }
                Ok(Object { members })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A member name, borrowed when it holds no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_members_order_and_numbers_survive() {
        let text = r#"{"z":18446744073709551615,"a":null,"m":[1.50,{"x":1e400}],"z2":"\u0041"}"#;
        assert_eq!(Object::parse(text).unwrap().to_json(), text);
    }

    #[test]
    fn keys_fold_as_go_folds_them() {
        let o =
            Object::parse(r#"{"labels":1,"La\u0062els":2,"po\u017ft":3,"\u212aey":4}"#).unwrap();
        assert_eq!(o.get_folded("Labels"), Some("2"));
        assert_eq!(o.get_folded("Post"), Some("3"));
        assert_eq!(o.get_folded("key"), Some("4"));
    }

    #[test]
    fn set_folded_leaves_one_spelling_where_the_first_stood() {
        let mut o = Object::parse(r#"{"a":1,"ENV":2,"b":3,"env":4}"#).unwrap();
        o.set_folded("Env", "[]".into());
        assert_eq!(o.to_json(), r#"{"a":1,"Env":[],"b":3}"#);
    }
}

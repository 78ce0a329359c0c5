//! What a client asks of `GET /system/df`, and the form of the answer: API 1.52 counts where older ones list.
//!
//! Invariant: pure. Engines are asked in the older form, which all speak, and the newer one is made of it by the rules by
//! which newer clients of older engines make it.

use serde_json::{Map, Value, json};

use crate::api::error::Error;
use crate::api::query::Query;

/// The first API with the newer form.
const NEWER: u16 = 52;
/// The first API whose clients may choose kinds.
const CHOICE: u16 = 42;
/// The media type of an image's index.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A kind of things that take space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Image,
    Container,
    Volume,
    BuildCache,
}

impl Kind {
    /// All, in the order of an engine's answer.
    const ALL: [Self; 4] = [Self::Image, Self::Container, Self::Volume, Self::BuildCache];

    /// Returns its name in the query.
    fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Container => "container",
            Self::Volume => "volume",
            Self::BuildCache => "build-cache",
        }
    }

    /// Returns where the older form lists it.
    fn list(self) -> &'static str {
        match self {
            Self::Image => "Images",
            Self::Container => "Containers",
            Self::Volume => "Volumes",
            Self::BuildCache => "BuildCache",
        }
    }

    /// Returns where the newer form counts it.
    fn count(self) -> &'static str {
        match self {
            Self::Image => "ImageUsage",
            Self::Container => "ContainerUsage",
            Self::Volume => "VolumeUsage",
            Self::BuildCache => "BuildCacheUsage",
        }
    }
}

/// What a client wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// The kinds, in order; no kind twice.
    kinds: Vec<Kind>,
    /// Whether the newer form lists too, and the older is left out.
    verbose: bool,
    /// The API it speaks, as minor number.
    api: u16,
}

impl Wish {
    /// Reads the query of a client that speaks API 1.`api`.
    ///
    /// # Errors
    /// A kind that there is not, in an engine's words.
    pub(super) fn parse(query: &Query, api: u16) -> Result<Self, Error> {
        let words: Vec<&str> = query.all("type").collect();
        let unknown = |word: &&&str| Kind::ALL.iter().all(|kind| kind.word() != **word);
        let chooses = api >= CHOICE && !words.is_empty();
        if let Some(word) = words.iter().find(unknown).filter(|_| chooses) {
            return Err(Error::Bad(format!("unknown object type: {word}")));
        }
        let wanted = |kind: &Kind| !chooses || words.contains(&kind.word());
        Ok(Self {
            kinds: Kind::ALL.into_iter().filter(wanted).collect(),
            verbose: api >= NEWER && query.flag("verbose"),
            api,
        })
    }

    /// Returns the API to ask engines with: the client's, but one with the older form.
    pub(super) fn api(&self) -> u16 {
        self.api.min(NEWER - 1)
    }

    /// Returns what to ask an engine that is spoken to in API 1.`api`: the same text for the same question.
    pub(super) fn query(&self, api: u16) -> String {
        if api < CHOICE || self.kinds == Kind::ALL {
            return String::new();
        }
        let words: Vec<String> = self
            .kinds
            .iter()
            .map(|kind| format!("type={}", kind.word()))
            .collect();
        words.join("&")
    }

    /// Takes out of an engine's answer what was not asked for: old engines tell everything.
    pub(super) fn cut(&self, usage: &mut Value) {
        for kind in Kind::ALL {
            if !self.kinds.contains(&kind)
                && let Some(list) = usage.get_mut(kind.list())
            {
                *list = Value::Null;
            }
        }
        if !self.kinds.contains(&Kind::Image)
            && let Some(size) = usage.get_mut("LayersSize")
        {
            *size = 0.into();
        }
    }

    /// Puts the older form into the one that the client reads.
    pub(super) fn finish(&self, usage: &mut Value) {
        if self.api < NEWER {
            return;
        }
        let mut answer = Map::new();
        if !self.verbose {
            // As engines: many a client asks for the newest API and knows the older form alone.
            put(&mut answer, "LayersSize", whole(usage, "LayersSize"));
            for kind in &self.kinds {
                answer.insert(kind.list().to_owned(), items(usage, *kind).into());
            }
        }
        for kind in &self.kinds {
            let count = self.count(*kind, usage);
            answer.insert(kind.count().to_owned(), count.into());
        }
        *usage = answer.into();
    }

    /// Counts one kind.
    fn count(&self, kind: Kind, usage: &Value) -> Map<String, Value> {
        let items = items(usage, kind);
        let mut sum = Sum::default();
        for item in &items {
            match kind {
                Kind::Image => sum.add_image(item),
                Kind::Container => sum.add_container(item),
                Kind::Volume => sum.add_volume(item),
                Kind::BuildCache => sum.add_cache(item),
            }
        }
        if kind == Kind::Image {
            // Images share layers.
            sum.size = whole(usage, "LayersSize");
        }
        let mut count = Map::new();
        put(&mut count, "ActiveCount", sum.active);
        let total = i64::try_from(items.len()).unwrap_or(i64::MAX);
        if self.verbose && total > 0 {
            count.insert("Items".to_owned(), items.into());
        }
        put(&mut count, "Reclaimable", sum.reclaimable);
        put(&mut count, "TotalCount", total);
        put(&mut count, "TotalSize", sum.size);
        count
    }
}

/// What things of one kind add up to; sizes in bytes.
#[derive(Debug, Default)]
struct Sum {
    active: i64,
    size: i64,
    reclaimable: i64,
}

impl Sum {
    fn add(&mut self, is_active: bool, size: i64) {
        self.size = self.size.saturating_add(size);
        match is_active {
            true => self.active += 1,
            false => self.reclaimable = self.reclaimable.saturating_add(size),
        }
    }

    /// Adds an image: what others share with it is not set free by its end.
    fn add_image(&mut self, image: &Value) {
        let (size, shared) = (whole(image, "Size"), whole(image, "SharedSize"));
        let index = match image["Descriptor"]["mediaType"] == INDEX {
            true => whole(&image["Descriptor"], "size"),
            false => 0,
        };
        // -1 is "not known".
        let own = match size == -1 || shared == -1 {
            true => 0,
            false => size.saturating_sub(shared).saturating_add(index),
        };
        self.add(whole(image, "Containers") > 0, own);
    }

    fn add_container(&mut self, container: &Value) {
        let state = container["State"].as_str().unwrap_or_default();
        let is_active = matches!(state, "running" | "paused" | "restarting");
        self.add(is_active, whole(container, "SizeRw"));
    }

    fn add_volume(&mut self, volume: &Value) {
        let usage = &volume["UsageData"];
        // -1 is "not known".
        self.add(whole(usage, "RefCount") > 0, whole(usage, "Size").max(0));
    }

    /// Adds a record of a build cache; those that are shared count with what they are shared with.
    fn add_cache(&mut self, record: &Value) {
        let size = match record["Shared"] == true {
            true => 0,
            false => whole(record, "Size"),
        };
        self.add(record["InUse"] == true, size);
    }
}

/// Returns what the older form lists of a kind.
fn items(usage: &Value, kind: Kind) -> Vec<Value> {
    usage[kind.list()].as_array().cloned().unwrap_or_default()
}

/// Returns a whole number; 0 when it is absent, as Go reads it.
fn whole(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_default()
}

/// Adds a number; engines leave zeros out.
fn put(answer: &mut Map<String, Value>, key: &str, number: i64) {
    if number != 0 {
        answer.insert(key.to_owned(), json!(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(api: u16, query: &str) -> Wish {
        Wish::parse(&Query::parse(query).unwrap(), api).unwrap()
    }

    fn usage() -> Value {
        json!({
            "LayersSize": 1000,
            "Images": [
                {"Id": "a", "Size": 600, "SharedSize": 100, "Containers": 2},
                {"Id": "b", "Size": 500, "SharedSize": 100, "Containers": 0},
                {"Id": "c", "Size": 50, "SharedSize": -1, "Containers": -1},
                {
                    "Id": "d", "Size": 30, "SharedSize": 0, "Containers": 0,
                    "Descriptor": {"mediaType": INDEX, "size": 7},
                },
            ],
            "Containers": [
                {"Id": "x", "State": "running", "SizeRw": 5},
                {"Id": "y", "State": "exited", "SizeRw": 7},
                {"Id": "z", "State": "created"},
            ],
            "Volumes": [
                {"Name": "v", "UsageData": {"RefCount": 1, "Size": 20}},
                {"Name": "w", "UsageData": {"RefCount": 0, "Size": 30}},
                {"Name": "far", "UsageData": {"RefCount": 1, "Size": -1}},
                {"Name": "new"},
            ],
            "BuildCache": [
                {"ID": "1", "Size": 40, "InUse": true, "Shared": false},
                {"ID": "2", "Size": 50, "InUse": false, "Shared": false},
                {"ID": "3", "Size": 60, "InUse": false, "Shared": true},
            ],
            "BuilderSize": 0,
        })
    }

    #[test]
    fn the_newer_form_counts_what_the_older_lists() {
        let mut answer = usage();
        wish(52, "verbose=false").finish(&mut answer);
        let mut expected = usage();
        expected.as_object_mut().unwrap().remove("BuilderSize");
        for (key, count) in [
            ("ImageUsage", [1, 437, 4, 1000]),
            ("ContainerUsage", [1, 7, 3, 12]),
            ("VolumeUsage", [2, 30, 4, 50]),
            ("BuildCacheUsage", [1, 50, 3, 90]),
        ] {
            let [active, reclaimable, total, size] = count;
            expected[key] = json!({
                "ActiveCount": active, "Reclaimable": reclaimable,
                "TotalCount": total, "TotalSize": size,
            });
        }
        assert_eq!(answer, expected);
    }

    #[test]
    fn a_verbose_answer_lists_in_the_newer_form_alone() {
        let mut answer = usage();
        wish(55, "verbose=1&type=container&type=volume").finish(&mut answer);
        assert_eq!(
            answer,
            json!({
                "ContainerUsage": {
                    "ActiveCount": 1, "Items": usage()["Containers"], "Reclaimable": 7,
                    "TotalCount": 3, "TotalSize": 12,
                },
                "VolumeUsage": {
                    "ActiveCount": 2, "Items": usage()["Volumes"], "Reclaimable": 30,
                    "TotalCount": 4, "TotalSize": 50,
                },
            })
        );
        let mut nothing = json!({"Images": null, "LayersSize": 0});
        wish(52, "type=image").finish(&mut nothing);
        assert_eq!(nothing, json!({"Images": [], "ImageUsage": {}}));
    }

    #[test]
    fn older_clients_get_what_engines_say() {
        let mut answer = usage();
        let wish = wish(51, "verbose=1");
        wish.cut(&mut answer);
        wish.finish(&mut answer);
        assert_eq!(answer, usage());
    }

    #[test]
    fn an_engine_that_cannot_choose_is_cut_short() {
        let wish = wish(45, "type=volume");
        assert_eq!(wish.query(41), "");
        let mut answer = usage();
        wish.cut(&mut answer);
        let volumes = usage()["Volumes"].clone();
        assert_eq!(
            answer,
            json!({
                "LayersSize": 0, "Images": null, "Containers": null,
                "Volumes": volumes, "BuildCache": null, "BuilderSize": 0,
            })
        );
    }

    #[test]
    fn the_same_question_has_one_text() {
        let ask = |api: u16, query: &str| wish(api, query).query(51);
        assert_eq!(
            ask(51, "type=volume&type=image&a=b"),
            ask(55, "type=image&type=volume&verbose=1")
        );
        assert_eq!(ask(42, "type=image&type=image"), "type=image");
        assert_eq!(
            ask(42, "type=volume&type=build-cache&type=container&type=image"),
            ""
        );
        // Before 1.42 there was no choice.
        assert_eq!(ask(41, "type=nonsense"), "");
        assert_eq!((wish(41, "").api(), wish(55, "").api()), (41, 51));
        for (query, word) in [("type=nonsense", "nonsense"), ("type=image&type=", "")] {
            let error = Wish::parse(&Query::parse(query).unwrap(), 42).unwrap_err();
            assert_eq!(error.to_string(), format!("unknown object type: {word}"));
        }
    }
}

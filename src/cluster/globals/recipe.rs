//! How copies are made: as the first was asked for.
//!
//! A label of the first keeps its create, but for environment and labels: those are read from the container itself, so
//! that no secret is in a label, which events and metrics tell everybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{COPY_ID_LABEL, COPY_LABEL, ENGINE_LABEL, FIRST_ID_LABEL, RECIPE_LABEL};
use crate::cluster::create::Create;
use crate::cluster::spec::{BadSpec, Spec};
use crate::cluster::{Error, Members};
use crate::model::raw::Object;
use crate::model::{COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL, Manners, SWARM_ID_LABEL};
use crate::scheduler::{Expr, Required, wishes};

/// What compose's labels begin with.
const COMPOSE: &str = "com.docker.compose.";

/// A create without environment and labels.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Recipe {
    /// The minor number of the API version that its body is of.
    api: u16,
    query: String,
    /// Constraints that the body does not say.
    constraints: Vec<String>,
    body: Box<RawValue>,
}

/// Everything that makes a copy.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    recipe: Recipe,
    env: Vec<String>,
    labels: BTreeMap<String, String>,
}

/// Which copy is to be made.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    /// What it is called.
    pub(super) name: String,
    /// The ID of the container that it is a copy of.
    pub(super) first: Arc<str>,
    /// The ID of that container's engine.
    pub(super) engine: String,
    /// Where it goes, and why.
    pub(super) place: Required,
}

/// Keeps on a container that wishes for copies how it was asked for. What was a copy is one again: tools make containers
/// anew out of inspects.
///
/// # Errors
/// It uses what is on one node alone, so that no other could have a copy.
pub fn keep(create: &mut Create, body: &[u8], constraints: &[Expr]) -> Result<(), Error> {
    let spec = &mut create.spec;
    if spec.request.wishes.globals.is_empty() {
        return Ok(());
    }
    let identity = spec.identity.clone();
    let failed = |error: BadSpec| Error::Conflict(format!("global: {error}"));
    let text = String::from_utf8_lossy(body);
    let mut bare = Object::parse_first(&text).map_err(|error| failed(error.into()))?;
    let given: BTreeMap<String, String> = bare.decode("Labels").unwrap_or_default();
    let was = given.get(COPY_ID_LABEL);
    if was.is_some() && was == given.get(SWARM_ID_LABEL) {
        let again = spec.relabel(|labels| {
            labels.insert(COPY_ID_LABEL.to_owned(), identity);
        });
        return again.map_err(failed);
    }
    let request = &spec.request;
    let required = request.required.iter().map(|r| r.reason.clone());
    let made = request.new_volumes.iter();
    let made = made.map(|volume| format!("volume {volume} is made on one node"));
    let with = request.together.iter();
    let with = with.map(|t| format!("the container of {} is on one node", t.option));
    if let Some(why) = required.chain(made).chain(with).next() {
        return Err(Error::Conflict(format!(
            "global: {why}, so no other node could have a copy"
        )));
    }
    for key in ["Env", "Labels"] {
        bare.remove_folded(key);
    }
    let bare = RawValue::from_string(bare.to_json());
    let recipe = Recipe {
        api: create.api,
        query: create.query.clone(),
        constraints: constraints.iter().map(|c| c.text().to_owned()).collect(),
        body: bare.map_err(|error| failed(error.into()))?,
    };
    let recipe = serde_json::to_string(&recipe).map_err(|error| failed(error.into()))?;
    let kept = spec.relabel(|labels| {
        labels.insert(RECIPE_LABEL.to_owned(), recipe);
        labels.insert(FIRST_ID_LABEL.to_owned(), identity);
    });
    kept.map_err(failed)
}

impl Kept {
    /// Reads it from the inspect of a container of the set; nothing if that does not keep it.
    pub(super) fn read(inspect: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Inspect {
            config: Config,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Config {
            env: Option<Vec<String>>,
            labels: Option<BTreeMap<String, String>>,
        }
        let Inspect { config } = serde_json::from_slice(inspect).ok()?;
        let mut labels = config.labels.unwrap_or_default();
        let recipe = serde_json::from_str(labels.get(RECIPE_LABEL)?).ok()?;
        // By the project and the service it may be grouped.
        let groups = [COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL];
        let own = [SWARM_ID_LABEL, COPY_LABEL, ENGINE_LABEL, COPY_ID_LABEL];
        labels.retain(|label, _| {
            let foreign = label.starts_with(COMPOSE) && !groups.contains(&label.as_str());
            !foreign && !own.contains(&label.as_str())
        });
        Some(Self {
            recipe,
            env: config.env.unwrap_or_default(),
            labels,
        })
    }

    /// Returns the create of a copy, or, with none, one that asks for the same of its node.
    ///
    /// # Errors
    /// What it uses is not there any more.
    pub(super) fn create(
        &self,
        members: &Members,
        manners: Manners,
        copy: Option<&Copy>,
    ) -> Result<Create, BadSpec> {
        let recipe = &self.recipe;
        let mut top = Object::parse(recipe.body.get())?;
        top.set_folded("Env", serde_json::to_string(&self.env)?);
        top.set_folded("Labels", serde_json::to_string(&self.labels)?);
        let body = top.to_json();
        let name = copy.map(|copy| copy.name.as_str());
        let mut spec = Spec::read(body.as_bytes(), name, members, manners)?;
        spec.wish(wishes::of_constraints(recipe.constraints.clone())?.constraints);
        let query = form_urlencoded::parse(recipe.query.as_bytes());
        let platform = query.into_iter().find(|(key, _)| key == "platform");
        if let Some((_, platform)) = platform {
            spec.ask_platform(&platform, members);
        }
        if let Some(copy) = copy {
            Arc::make_mut(&mut spec.request)
                .required
                .push(copy.place.clone());
            // compose would take it for one replica too many.
            let identity = spec.identity.clone();
            spec.relabel(|labels| {
                labels.retain(|label, _| !label.starts_with(COMPOSE));
                labels.insert(COPY_LABEL.to_owned(), copy.first.to_string());
                labels.insert(ENGINE_LABEL.to_owned(), copy.engine.clone());
                labels.insert(COPY_ID_LABEL.to_owned(), identity);
            })?;
        }
        Ok(Create {
            spec,
            query: recipe.query.clone(),
            headers: HeaderMap::new(),
            retries: 0,
            api: recipe.api,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(body: &Value) -> Result<Create, String> {
        let body = body.to_string();
        let members = Members::default();
        let spec = Spec::read(body.as_bytes(), Some("web"), &members, Manners::Engine);
        let mut create = Create {
            spec: spec.map_err(|e| e.to_string())?,
            query: "&platform=linux%2Famd64".to_owned(),
            headers: HeaderMap::new(),
            retries: 0,
            api: 41,
        };
        let zone = [Expr::parse("zone==a").unwrap()];
        keep(&mut create, body.as_bytes(), &zone).map_err(|e| e.to_string())?;
        Ok(create)
    }

    fn sent(create: &Create) -> Value {
        serde_json::from_slice(&create.spec.body_for(1, &BTreeMap::new())).unwrap()
    }

    #[test]
    fn a_copy_is_asked_for_as_the_first_was() {
        let body = json!({
            "Image": "busybox", "Odd": 1.50, "Env": ["SECRET=x", "global:node==every", "limit:service==1"],
            "Labels": {"a": "b", "com.docker.compose.project": "p", "com.docker.compose.service": "s",
                "com.docker.compose.container-number": "1"},
            "HostConfig": {"Memory": 5},
        });
        let first = asked(&body).unwrap();
        let config = sent(&first);
        let recipe = config["Labels"][RECIPE_LABEL].as_str().unwrap();
        assert!(!recipe.contains("SECRET"), "{recipe}");
        let inspect = json!({ "Config": config }).to_string();
        let kept = Kept::read(inspect.as_bytes()).unwrap();
        let copy = Copy {
            name: "web-b".to_owned(),
            first: "aa".into(),
            engine: "E".to_owned(),
            place: Required {
                node: "b:1".into(),
                reason: "why".to_owned(),
            },
        };
        let made = kept.create(&Members::default(), Manners::Engine, Some(&copy));
        let made = made.unwrap();
        let request = &made.spec.request;
        assert_eq!(request.name.as_deref(), Some("web-b"));
        assert_eq!(request.required, [copy.place]);
        assert_eq!(request.resources.memory_bytes, 5);
        assert_eq!(request.wishes.constraints[0].text(), "zone==a");
        assert_eq!(request.wishes.limits.len(), 1);
        assert_eq!((made.api, made.query.as_str()), (41, first.query.as_str()));
        let mut body = sent(&made);
        let labels = body["Labels"].as_object_mut().unwrap();
        let own = labels.remove(SWARM_ID_LABEL).unwrap();
        assert_eq!(labels.remove(COPY_ID_LABEL), Some(own));
        assert_eq!(labels.remove(RECIPE_LABEL).unwrap(), recipe);
        let of_first = &config["Labels"][SWARM_ID_LABEL];
        assert_eq!(labels.remove(FIRST_ID_LABEL).as_ref(), Some(of_first));
        let expected = json!({
            "Image": "busybox", "Odd": 1.50, "Env": ["SECRET=x"], "HostConfig": {"Memory": 5},
            "Labels": {"a": "b", COPY_LABEL: "aa", ENGINE_LABEL: "E",
                "com.docker.swarm.globals": "[\"node==every\"]", "com.docker.swarm.limits": "[\"service==1\"]"},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn what_is_on_one_node_alone_has_no_copies() {
        let with = |host: Value| {
            let env = ["global:node==every"];
            asked(&json!({"Image": "a", "Env": env, "HostConfig": host})).err()
        };
        assert_eq!(with(json!({"Binds": ["/etc:/etc"]})), None);
        assert_eq!(
            with(json!({"Binds": ["data:/data"]})).unwrap(),
            "global: volume data is made on one node, so no other node could have a copy"
        );
    }

    #[test]
    fn what_was_a_copy_is_one_again_unless_its_image_alone_says_so() {
        let made = |id: &str| {
            let labels = json!({COPY_LABEL: "aa", COPY_ID_LABEL: "me", SWARM_ID_LABEL: id, RECIPE_LABEL: "old"});
            let body = json!({"Image": "a", "Env": ["global:node==every"], "Labels": labels});
            sent(&asked(&body).unwrap())["Labels"].clone()
        };
        let again = made("me");
        assert_eq!(again[COPY_ID_LABEL], again[SWARM_ID_LABEL]);
        assert_eq!(again[RECIPE_LABEL], "old");
        let first = made("other");
        assert_eq!(first[COPY_ID_LABEL], "me");
        assert_eq!(first[FIRST_ID_LABEL], first[SWARM_ID_LABEL]);
        assert_ne!(first[RECIPE_LABEL], "old");
        let plain = sent(&asked(&json!({"Image": "a"})).unwrap());
        assert_eq!(plain["Labels"][RECIPE_LABEL], Value::Null);
    }
}

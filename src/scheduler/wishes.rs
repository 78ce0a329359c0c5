//! Where wishes come from: the environment of a create, labels, build arguments.

use std::collections::BTreeMap;

use super::expr::{BadExpression, Expr};

/// Labels that keep wishes on the container, in the order of [`KINDS`].
const LABELS: [&str; 4] = [
    "com.docker.swarm.constraints",
    "com.docker.swarm.affinities",
    "com.docker.swarm.whitelists",
    "com.docker.swarm.reschedule-policies",
];
/// What stands before the `:` of an environment entry that is a wish.
const KINDS: [&str; 4] = ["constraint", "affinity", "whitelist", "reschedule"];
/// The most wishes of one request.
const LIMIT: usize = 256;

/// What a container's owner wants of its node.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// On the node and its labels.
    pub constraints: Vec<Expr>,
    /// On the containers and images of the node.
    pub affinities: Vec<Expr>,
    /// Nodes by name, several joined by `|`.
    pub whitelists: Vec<Expr>,
    /// What to do when the node dies: `off` or `on-node-failure`.
    pub reschedule: Option<String>,
}

/// Wishes, and what is left when they are taken out.
#[derive(Clone, Debug, Default)]
pub struct Extracted {
    /// The wishes.
    pub wishes: Wishes,
    /// The environment without them.
    pub env: Vec<String>,
    /// Labels to put on the container so that the wishes stay with it.
    pub labels: BTreeMap<String, String>,
}

/// Why a wish is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWish {
    /// It is no expression.
    #[error("{kind}: {source}")]
    Expression {
        /// Its kind.
        kind: &'static str,
        /// What is wrong.
        source: BadExpression,
    },
    /// A label does not hold a list.
    #[error("label {label} must be a JSON array of strings, such as [\"storage==ssd\"]: {value}")]
    Label {
        /// The label.
        label: &'static str,
        /// Its value.
        value: String,
    },
    /// More than one policy.
    #[error("too many reschedule policies")]
    TooManyPolicies,
    /// No such policy.
    #[error("invalid reschedule policy: {0}")]
    Policy(String),
    /// Too many to be meant.
    #[error("more than {LIMIT} wishes on one container")]
    TooMany,
}

/// Takes the wishes out of an environment and adds those of the labels.
///
/// # Errors
/// One of them cannot be read.
pub fn extract(env: &[String], labels: &BTreeMap<String, String>) -> Result<Extracted, BadWish> {
    let mut lists = from_labels(labels)?;
    let mut rest = Vec::with_capacity(env.len());
    for entry in env {
        match split(entry) {
            Some((kind, wish)) => lists[kind].push(wish.to_owned()),
            None => rest.push(entry.clone()),
        }
    }
    let wishes = read(&lists)?;
    let kept = LABELS
        .iter()
        .zip(&lists)
        .filter(|(_, list)| !list.is_empty());
    let labels = kept
        .filter_map(|(label, list)| Some(((*label).to_owned(), serde_json::to_string(list).ok()?)))
        .collect();
    Ok(Extracted {
        wishes,
        env: rest,
        labels,
    })
}

/// Takes the wishes out of build arguments; returns the arguments that are left.
///
/// # Errors
/// One of them cannot be read.
pub fn extract_build_args(
    args: &BTreeMap<String, Option<String>>,
) -> Result<(Wishes, BTreeMap<String, Option<String>>), BadWish> {
    let mut lists: [Vec<String>; 4] = Default::default();
    let mut rest = BTreeMap::new();
    for (name, value) in args {
        match split(name) {
            // The CLI cuts `constraint:node==n1` at its first `=`.
            Some((kind, wish)) => {
                let value = value.as_deref().unwrap_or_default();
                lists[kind].push(format!("{wish}={value}"));
            }
            None => {
                rest.insert(name.clone(), value.clone());
            }
        }
    }
    Ok((read(&lists)?, rest))
}

/// Reads constraints that come without the word before them.
///
/// # Errors
/// One of them cannot be read, or they are too many.
pub fn of_constraints(list: Vec<String>) -> Result<Wishes, BadWish> {
    read(&[list, Vec::new(), Vec::new(), Vec::new()])
}

/// Splits `constraint:…` into the number of its kind and the wish.
fn split(entry: &str) -> Option<(usize, &str)> {
    let (kind, wish) = entry.split_once(':')?;
    Some((KINDS.iter().position(|k| *k == kind)?, wish))
}

/// Reads the lists that labels hold.
fn from_labels(labels: &BTreeMap<String, String>) -> Result<[Vec<String>; 4], BadWish> {
    let mut lists: [Vec<String>; 4] = Default::default();
    for (list, label) in lists.iter_mut().zip(LABELS) {
        if let Some(value) = labels.get(label).filter(|v| !v.is_empty()) {
            *list = serde_json::from_str(value).map_err(|_| BadWish::Label {
                label,
                value: value.clone(),
            })?;
        }
    }
    Ok(lists)
}

/// Parses the lists.
fn read(lists: &[Vec<String>; 4]) -> Result<Wishes, BadWish> {
    if lists.iter().map(Vec::len).sum::<usize>() > LIMIT {
        return Err(BadWish::TooMany);
    }
    let parsed = |kind: usize| -> Result<Vec<Expr>, BadWish> {
        let list = lists[kind].iter().map(|text| Expr::parse(text));
        list.collect::<Result<_, _>>()
            .map_err(|source| BadWish::Expression {
                kind: KINDS[kind],
                source,
            })
    };
    let reschedule = match lists[3].as_slice() {
        [] => None,
        [policy] if policy == "off" || policy == "on-node-failure" => Some(policy.clone()),
        [other] => return Err(BadWish::Policy(other.clone())),
        _ => return Err(BadWish::TooManyPolicies),
    };
    Ok(Wishes {
        constraints: parsed(0)?,
        affinities: parsed(1)?,
        whitelists: parsed(2)?,
        reschedule,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn wishes_leave_the_environment_and_stay_in_labels() {
        let env = strings(&[
            "A=1",
            "constraint:storage==ssd",
            "affinity:image==~x:1",
            "constraints:x==y",
        ]);
        let labels = BTreeMap::from([(LABELS[0].to_owned(), "[\"zone==a\"]".to_owned())]);
        let found = extract(&env, &labels).unwrap();
        assert_eq!(found.env, strings(&["A=1", "constraints:x==y"]));
        assert_eq!(found.wishes.constraints.len(), 2);
        assert!(found.wishes.affinities[0].soft);
        assert_eq!(found.labels[LABELS[0]], "[\"zone==a\",\"storage==ssd\"]");
        assert_eq!(found.labels[LABELS[1]], "[\"image==~x:1\"]");
        assert!(!found.labels.contains_key(LABELS[2]));
    }

    #[test]
    fn bad_wishes_are_refused_with_what_is_wrong() {
        let one = |entry: &str| {
            extract(&strings(&[entry]), &BTreeMap::new())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            one("constraint:node==/"),
            "constraint: invalid expression \"node==/\" at position 7: Value '/' is invalid: a regular expression stands between two slashes"
        );
        assert_eq!(one("reschedule:maybe"), "invalid reschedule policy: maybe");
        let two = strings(&["reschedule:off", "reschedule:off"]);
        assert_eq!(
            extract(&two, &BTreeMap::new()).unwrap_err(),
            BadWish::TooManyPolicies
        );
        let many = vec!["constraint:a==b".to_owned(); 300];
        assert_eq!(
            extract(&many, &BTreeMap::new()).unwrap_err(),
            BadWish::TooMany
        );
    }

    #[test]
    fn build_arguments_are_put_together_again() {
        let args = BTreeMap::from([
            ("constraint:node".to_owned(), Some("=n1".to_owned())),
            ("HTTP_PROXY".to_owned(), None),
        ]);
        let (wishes, rest) = extract_build_args(&args).unwrap();
        assert_eq!(wishes.constraints[0].text(), "node==n1");
        assert_eq!(rest.len(), 1);
    }
}

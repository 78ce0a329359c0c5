//! Where wishes come from: the environment of a create, labels, build arguments.

use std::collections::BTreeMap;

use super::expr::{BadExpression, Expr};
use super::filter::devices::Wanted;
use super::filter::limit::AtMost;
use super::filter::pod::{PODS_LABEL, Pod};
use super::filter::spread::Even;
use super::filter::taint::toleration;
use super::global::{GLOBALS_LABEL, Global};
use super::wait::Patience;
use crate::model::devices::Demand;

/// A kind of wish.
struct Kind {
    /// What stands before the `:` of an environment entry.
    word: &'static str,
    /// The label that keeps such wishes on the container, as a JSON array.
    label: &'static str,
    /// Reads all of one container.
    read: fn(&Given<'_>, &mut Wishes) -> Result<(), BadWish>,
}

/// The label that keeps wishes for devices on their holder.
const DEVICES_LABEL: &str = "com.docker.swarm.devices";
/// All kinds.
const KINDS: [Kind; 11] = [
    Kind {
        word: "constraint",
        label: "com.docker.swarm.constraints",
        read: |given, wishes| given.each(&mut wishes.constraints, Expr::parse),
    },
    Kind {
        word: "affinity",
        label: "com.docker.swarm.affinities",
        read: |given, wishes| given.each(&mut wishes.affinities, Expr::parse),
    },
    Kind {
        word: "whitelist",
        label: "com.docker.swarm.whitelists",
        read: |given, wishes| given.each(&mut wishes.whitelists, Expr::parse),
    },
    Kind {
        word: "toleration",
        label: "com.docker.swarm.tolerations",
        read: |given, wishes| given.each(&mut wishes.tolerations, toleration),
    },
    Kind {
        word: "limit",
        label: "com.docker.swarm.limits",
        read: |given, wishes| {
            given.each(&mut wishes.limits, |text| AtMost::parse(text, given.labels))
        },
    },
    Kind {
        word: "spread",
        label: "com.docker.swarm.spreads",
        read: |given, wishes| {
            given.each(&mut wishes.spreads, |text| Even::parse(text, given.labels))
        },
    },
    Kind {
        word: "pod",
        label: PODS_LABEL,
        read: |given, wishes| {
            given.each(&mut wishes.pods, |text| Pod::parse(text, given.labels))?;
            match wishes.pods.get(1) {
                None => Ok(()),
                Some(second) => Err(BadWish::Expression {
                    kind: given.word,
                    source: second.expr.bad_key("a container is in one pod at most"),
                }),
            }
        },
    },
    Kind {
        word: "global",
        label: GLOBALS_LABEL,
        read: |given, wishes| {
            given.each(&mut wishes.globals, Global::parse)?;
            match wishes.globals.first() {
                Some(global) if !wishes.pods.is_empty() => Err(BadWish::Expression {
                    kind: given.word,
                    source: global.expr.bad_key("a container of a pod has no copies"),
                }),
                _ => Ok(()),
            }
        },
    },
    Kind {
        word: "device",
        label: DEVICES_LABEL,
        read: |given, wishes| given.each(&mut wishes.devices, Wanted::parse),
    },
    Kind {
        word: "queue",
        label: "com.docker.swarm.queues",
        read: |given, wishes| given.each(&mut wishes.patience, Patience::parse),
    },
    Kind {
        word: "reschedule",
        label: "com.docker.swarm.reschedule-policies",
        read: |given, wishes| policy(given.list, wishes),
    },
];
/// Wishes as they were written, in the order of their kinds.
type Lists = [Vec<String>; KINDS.len()];
/// Says that a policy is kept and not followed.
const NOT_MOVED: &str = "reschedule:on-node-failure is kept on the container, but when its node fails nothing moves it: \
                         rescheduling is not built yet";
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
    /// Taints that do not matter.
    pub tolerations: Vec<Expr>,
    /// Containers of a group that the node may have at most.
    pub limits: Vec<AtMost>,
    /// Labels of nodes over whose values a group is to be balanced.
    pub spreads: Vec<Even>,
    /// What it is to be placed with; one at most.
    pub pods: Vec<Pod>,
    /// Whether every other node is to have a copy; not empty if so.
    pub globals: Vec<Global>,
    /// Numbers of devices.
    pub devices: Vec<Wanted>,
    /// How long to wait for room.
    pub patience: Vec<Patience>,
    /// What to do when the node dies: `off` or `on-node-failure`.
    pub reschedule: Option<String>,
}

impl Wishes {
    /// Returns the sentence for the user whose wish is understood and not fulfilled.
    pub fn unkept(&self) -> Option<&'static str> {
        (self.reschedule.as_deref() == Some("on-node-failure")).then_some(NOT_MOVED)
    }
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
    let wishes = read(&lists, labels)?;
    let kept = KINDS.iter().zip(&lists);
    let kept = kept.filter(|(_, list)| !list.is_empty());
    let labels = kept
        .filter_map(|(kind, list)| Some((kind.label.to_owned(), serde_json::to_string(list).ok()?)))
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
    let mut lists = Lists::default();
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
    Ok((read(&lists, &BTreeMap::new())?, rest))
}

/// Reads constraints that come without the word before them.
///
/// # Errors
/// One of them cannot be read, or they are too many.
pub fn of_constraints(list: Vec<String>) -> Result<Wishes, BadWish> {
    let mut lists = Lists::default();
    lists[0] = list;
    read(&lists, &BTreeMap::new())
}

/// Returns the devices that a container was given by its wishes; what cannot be read was none.
pub fn devices_of(labels: &BTreeMap<String, String>) -> Vec<Demand> {
    let list = labels.get(DEVICES_LABEL);
    let list = list.and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    let list = list.unwrap_or_default().into_iter().take(LIMIT);
    let wishes = list.filter_map(|text| Wanted::parse(&text).ok());
    wishes.filter_map(|wish| wish.held().cloned()).collect()
}

/// Walks the kinds of wishes: what stands before their `:`, and the label that keeps them.
#[cfg(test)]
pub(super) fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().map(|kind| (kind.word, kind.label))
}

/// Splits `constraint:…` into the number of its kind and the wish.
fn split(entry: &str) -> Option<(usize, &str)> {
    let (kind, wish) = entry.split_once(':')?;
    Some((KINDS.iter().position(|k| k.word == kind)?, wish))
}

/// Reads the lists that labels hold.
fn from_labels(labels: &BTreeMap<String, String>) -> Result<Lists, BadWish> {
    let mut lists = Lists::default();
    for (list, kind) in lists.iter_mut().zip(&KINDS) {
        if let Some(value) = labels.get(kind.label).filter(|v| !v.is_empty()) {
            *list = serde_json::from_str(value).map_err(|_| BadWish::Label {
                label: kind.label,
                value: value.clone(),
            })?;
        }
    }
    Ok(lists)
}

/// Parses the lists; the labels are the container's.
fn read(lists: &Lists, labels: &BTreeMap<String, String>) -> Result<Wishes, BadWish> {
    if lists.iter().map(Vec::len).sum::<usize>() > LIMIT {
        return Err(BadWish::TooMany);
    }
    let mut wishes = Wishes::default();
    for (kind, list) in KINDS.iter().zip(lists) {
        let word = kind.word;
        (kind.read)(&Given { word, list, labels }, &mut wishes)?;
    }
    Ok(wishes)
}

/// The wishes of one kind, as they were written.
struct Given<'a> {
    word: &'static str,
    list: &'a [String],
    labels: &'a BTreeMap<String, String>,
}

impl Given<'_> {
    /// Reads each of them.
    fn each<T>(
        &self,
        into: &mut Vec<T>,
        parse: impl Fn(&str) -> Result<T, BadExpression>,
    ) -> Result<(), BadWish> {
        let parsed: Result<_, _> = self.list.iter().map(|text| parse(text)).collect();
        let kind = self.word;
        *into = parsed.map_err(|source| BadWish::Expression { kind, source })?;
        Ok(())
    }
}

/// Reads what to do when the node dies.
fn policy(list: &[String], wishes: &mut Wishes) -> Result<(), BadWish> {
    wishes.reschedule = match list {
        [] => None,
        [policy] if policy == "off" || policy == "on-node-failure" => Some(policy.clone()),
        [other] => return Err(BadWish::Policy(other.clone())),
        _ => return Err(BadWish::TooManyPolicies),
    };
    Ok(())
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
        let labels = BTreeMap::from([(KINDS[0].label.to_owned(), "[\"zone==a\"]".to_owned())]);
        let found = extract(&env, &labels).unwrap();
        assert_eq!(found.env, strings(&["A=1", "constraints:x==y"]));
        assert_eq!(found.wishes.constraints.len(), 2);
        assert!(found.wishes.affinities[0].soft);
        assert_eq!(
            found.labels[KINDS[0].label],
            "[\"zone==a\",\"storage==ssd\"]"
        );
        assert_eq!(found.labels[KINDS[1].label], "[\"image==~x:1\"]");
        assert!(!found.labels.contains_key(KINDS[2].label));
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
        let both = strings(&["global:node==every", "pod:web==2"]);
        assert_eq!(
            extract(&both, &BTreeMap::new()).unwrap_err().to_string(),
            "global: invalid expression \"node==every\" at position 1: a container of a pod has no copies"
        );
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
    fn a_container_that_nothing_would_move_says_so() {
        let told = |env: &[&str], label: Option<&str>| {
            let label = label.map(|list| {
                (
                    "com.docker.swarm.reschedule-policies".to_owned(),
                    list.to_owned(),
                )
            });
            let labels = label.into_iter().collect();
            let found = extract(&strings(env), &labels).unwrap();
            found.wishes.unkept().is_some()
        };
        assert!(told(&["reschedule:on-node-failure"], None));
        assert!(told(&[], Some("[\"on-node-failure\"]")));
        assert!(!told(&["reschedule:off"], None));
        assert!(!told(&[], None));
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

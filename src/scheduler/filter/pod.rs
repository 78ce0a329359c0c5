//! Pods: containers that are placed all or none, on one node or each on a node of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::resources::cpus;
use super::{Filter, Reads, Test};
use crate::model::{COMPOSE_PROJECT_LABEL, Node, Resources, units};
use crate::scheduler::expr::BadExpression;
use crate::scheduler::{Expr, Refusal, Request};

/// The label that keeps a pod on its containers.
pub const PODS_LABEL: &str = "com.docker.swarm.pods";
/// The most containers of one pod.
const LARGEST: usize = 256;

/// Admits nodes that can hold what is left of a container's pod too.
#[derive(Debug)]
pub(super) struct OfPod;

/// A wish to be placed with others: `web==3`, `web==3,memory=2g,cpus=1.5`, `web==3,apart`.
#[derive(Clone, Debug)]
pub struct Pod {
    /// As it was written; the pod's name is its key.
    pub expr: Expr,
    /// How many containers there will be.
    pub size: usize,
    /// How they lie.
    pub layout: Layout,
    memory_bytes: Option<i64>,
    nano_cpus: Option<i64>,
    key: Key,
}

/// How the containers of a pod lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// All on one node.
    Together,
    /// Each on a node of its own.
    Apart,
}

/// What tells a pod from others: how it is declared, and the compose project.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    label: String,
    project: Option<String>,
}

/// A pod beside the container that is placed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Its name.
    pub name: String,
    /// How it lies.
    pub layout: Layout,
    /// How many are still to come.
    pub missing: usize,
    /// What they will ask for together.
    pub room: Resources,
    /// The nodes, by key, of those that are there.
    pub nodes: Vec<Arc<str>>,
}

impl Pod {
    /// Reads the wish of a container with these labels.
    ///
    /// # Errors
    /// It has no number of containers, or something else that is not known.
    pub fn parse(text: &str, labels: &BTreeMap<String, String>) -> Result<Self, BadExpression> {
        let expr = Expr::parse(text)?;
        expr.only_equal()?;
        if expr.soft {
            return Err(expr.bad_value("a pod is never soft"));
        }
        let mut parts = parts(expr.value());
        let (_, size) = parts.next().unwrap_or_default();
        let size = size.parse().ok().filter(|n| (1..=LARGEST).contains(n));
        let size = size.ok_or_else(|| {
            expr.bad_value(format!("a whole number from 1 to {LARGEST} is expected"))
        })?;
        let mut pod = Self {
            size,
            layout: Layout::Together,
            memory_bytes: None,
            nano_cpus: None,
            key: Key {
                label: serde_json::json!([text]).to_string(),
                project: labels.get(COMPOSE_PROJECT_LABEL).cloned(),
            },
            expr: expr.clone(),
        };
        for (at, part) in parts {
            let read = pod.read(part);
            read.map_err(|why| expr.bad_part(at, why))?;
        }
        Ok(pod)
    }

    /// Reads one of the things that stand after the number.
    fn read(&mut self, part: &str) -> Result<(), &'static str> {
        let has_room = self.memory_bytes.is_some() || self.nano_cpus.is_some();
        match part.split_once('=') {
            None if part == "apart" && !has_room => self.layout = Layout::Apart,
            Some(("memory", text)) if self.layout == Layout::Together => {
                let memory = memory(text).ok_or("an amount such as 512m or 2g is expected")?;
                self.memory_bytes = Some(memory);
            }
            Some(("cpus", text)) if self.layout == Layout::Together => {
                let nano = nano(text).ok_or("a number of CPUs such as 1.5 is expected")?;
                self.nano_cpus = Some(nano);
            }
            _ => return Err("apart, or memory= and cpus= of all together, is expected"),
        }
        Ok(())
    }

    /// Returns what tells it from others.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Tells whether a container with these labels is of the pod.
    pub fn has(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get(PODS_LABEL) == Some(&self.key.label)
            && labels.get(COMPOSE_PROJECT_LABEL) == self.key.project.as_ref()
    }

    /// Returns what is still to come when one that asks for `own` is placed beside those on these nodes, which have
    /// `taken` together: what the pod was declared with, or as much for each as this one asks for.
    pub fn rest(&self, own: Resources, taken: Resources, nodes: Vec<Arc<str>>) -> Rest {
        let missing = self.size.saturating_sub(nodes.len() + 1);
        let count = i64::try_from(missing).unwrap_or(i64::MAX);
        let left = |declared: Option<i64>, own: i64, taken: i64| match declared {
            _ if missing == 0 => 0,
            Some(all) => all.saturating_sub(own).saturating_sub(taken).max(0),
            None => own.saturating_mul(count),
        };
        Rest {
            name: self.expr.key.clone(),
            layout: self.layout,
            missing,
            room: Resources {
                memory_bytes: left(self.memory_bytes, own.memory_bytes, taken.memory_bytes),
                nano_cpus: left(self.nano_cpus, own.nano_cpus, taken.nano_cpus),
            },
            nodes,
        }
    }
}

impl Rest {
    /// Says that a node could take one, and others could not.
    pub fn too_few(&self, node: &Node, found: usize) -> Refusal {
        let asks = self.missing + 1;
        Refusal::new(
            format!("is one of too few nodes for pod {}", self.name),
            format!(
                "asks {asks} for those to come, {found} could take one; {} could",
                node.name
            ),
            format!("[pod {}]", self.name),
        )
    }
}

impl Filter for OfPod {
    fn name(&self) -> &'static str {
        "pod"
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        match &request.pod {
            None => Vec::new(),
            Some(_) => {
                let text = format!("{:?} {:?}", request.pod, request.resources);
                Test::whole(self, request, text, Reads::All)
            }
        }
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let Some(rest) = &request.pod else {
            return Ok(());
        };
        let (name, own, room) = (&rest.name, request.resources, rest.room);
        if rest.layout == Layout::Apart {
            return match rest.nodes.contains(&node.key) {
                false => Ok(()),
                true => Err(Refusal::new(
                    format!("has one of pod {name} already"),
                    node.name.clone(),
                    format!("[pod {name}]"),
                )),
            };
        }
        let free = |capacity: i64, used: i64| (capacity - used).max(0);
        let left = free(node.capacity.memory_bytes, node.used.memory_bytes);
        let asks = own.memory_bytes.saturating_add(room.memory_bytes);
        if room.memory_bytes > 0 && asks > left {
            return Err(Refusal::lacking(
                format!("lacks memory for pod {name} (asks {}", units::bytes(asks)),
                left,
                format!("{} free on {}", units::bytes(left), node.name),
            ));
        }
        let left = free(node.capacity.nano_cpus, node.used.nano_cpus);
        let asks = own.nano_cpus.saturating_add(room.nano_cpus);
        if room.nano_cpus > 0 && asks > left {
            return Err(Refusal::lacking(
                format!("lacks CPUs for pod {name} (asks {}", cpus(asks)),
                left,
                format!("{} free on {}", cpus(left), node.name),
            ));
        }
        let slots = node.labels.get("containerslots");
        let slots: Option<usize> = slots.and_then(|text| text.parse().ok());
        let left = slots.map(|slots| slots.saturating_sub(node.containers.len()));
        match left.filter(|left| rest.missing > 0 && *left <= rest.missing) {
            None => Ok(()),
            Some(left) => Err(Refusal::lacking(
                format!(
                    "lacks container slots for pod {name} (asks {}",
                    rest.missing + 1
                ),
                i64::try_from(left).unwrap_or(i64::MAX),
                format!("{left} free on {}", node.name),
            )),
        }
    }
}

/// Walks the parts between commas, each with its place.
fn parts(value: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    value.split(',').map(move |part| {
        let place = at;
        at += part.len() + 1;
        (place, part)
    })
}

/// Reads an amount of memory as the docker CLI does: bytes, or with `k`, `m`, `g` or `t`.
fn memory(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return None,
    };
    let amount: i64 = digits.parse().ok().filter(|n| *n > 0)?;
    amount.checked_mul(1 << unit)
}

/// Reads a number of CPUs as billionths.
fn nano(text: &str) -> Option<i64> {
    let cpus: f64 = text.parse().ok()?;
    let sound = cpus > 0.0 && cpus < 1e6;
    sound.then_some((cpus * Resources::NANO_PER_CPU as f64) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Pod, BadExpression> {
        Pod::parse(text, &BTreeMap::new())
    }

    fn of(cpus: i64, memory_bytes: i64) -> Resources {
        Resources {
            nano_cpus: cpus * Resources::NANO_PER_CPU,
            memory_bytes,
        }
    }

    fn refused(node: &Node, pod: &str, own: Resources, nodes: &[&str]) -> String {
        let nodes = nodes.iter().map(|key| Arc::from(*key)).collect();
        let pod = read(pod).unwrap().rest(own, Resources::default(), nodes);
        let request = Request {
            resources: own,
            pod: Some(pod),
            ..Request::default()
        };
        let checked = OfPod.check(&request, node);
        checked.map_or_else(|refusal| refusal.to_string(), |()| String::new())
    }

    #[test]
    fn a_node_must_hold_the_whole_pod() {
        let mut node = Node {
            key: "n:1".into(),
            name: "n".to_owned(),
            capacity: of(4, 1000),
            ..Node::default()
        };
        let none: &[&str] = &[];
        assert_eq!(refused(&node, "web==3", of(1, 300), none), "");
        assert_eq!(
            refused(&node, "web==3", of(1, 400), none),
            "lacks memory for pod web (asks 1.172 KiB, 1000 B free on n)"
        );
        assert_eq!(
            refused(&node, "web==3,cpus=4.5", of(1, 1), none),
            "lacks CPUs for pod web (asks 4.5, 4 free on n)"
        );
        assert_eq!(refused(&node, "web==3,memory=1000", of(1, 900), none), "");
        // The last one needs room for itself alone.
        assert_eq!(refused(&node, "web==3", of(1, 900), &["n:1", "n:1"]), "");
        node.labels.insert("containerslots".into(), "2".into());
        assert_eq!(
            refused(&node, "web==3", of(0, 0), none),
            "lacks container slots for pod web (asks 3, 2 free on n)"
        );
        assert_eq!(refused(&node, "web==2", of(0, 0), none), "");
        assert_eq!(refused(&node, "web==3,apart", of(4, 1000), none), "");
        assert_eq!(
            refused(&node, "web==3,apart", of(0, 0), &["n:1"]),
            "has one of pod web already (n)"
        );
    }

    #[test]
    fn its_containers_are_those_of_its_declaration_and_project() {
        let labels = |pod: &str, project: Option<&str>| {
            let pod = (PODS_LABEL.to_owned(), pod.to_owned());
            let project = project.map(|p| (COMPOSE_PROJECT_LABEL.to_owned(), p.to_owned()));
            BTreeMap::from_iter([pod].into_iter().chain(project))
        };
        let own = labels("[\"web==3\"]", Some("shop"));
        let pod = Pod::parse("web==3", &own).unwrap();
        assert!(pod.has(&own));
        assert!(!pod.has(&labels("[\"web==3\"]", None)));
        assert!(!pod.has(&labels("[\"web==2\"]", Some("shop"))));
        assert!(!pod.has(&BTreeMap::new()));
    }

    #[test]
    fn what_is_no_pod_is_refused_with_its_place() {
        let number = "a whole number from 1 to 256 is expected";
        let more = "apart, or memory= and cpus= of all together, is expected";
        for (text, place, why) in [
            ("web==0", 6, number),
            ("web==257", 6, number),
            ("web==,apart", 6, number),
            ("web!=3", 4, "== is expected"),
            ("web==~3", 7, "a pod is never soft"),
            ("web==3,", 8, more),
            ("web==3,near", 8, more),
            ("web==3,apart,memory=1g", 14, more),
            (
                "web==3,cpus=1,memory=1x",
                15,
                "an amount such as 512m or 2g is expected",
            ),
            (
                "web==3,cpus=nan",
                8,
                "a number of CPUs such as 1.5 is expected",
            ),
        ] {
            let refused = read(text).unwrap_err().to_string();
            let told = format!("invalid expression \"{text}\" at position {place}: {why}");
            assert_eq!(refused, told);
        }
        let pod = read("web==2,memory=2g,cpus=0.5").unwrap();
        assert_eq!(pod.memory_bytes, Some(2 << 30));
        assert_eq!(pod.nano_cpus, Some(500_000_000));
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_or_refused_in_its_bounds(
            text in "w[=!]=~?[0-9]{0,4}(,(apart|memory|cpus|[a-z]{0,3})=?[0-9.a-z]{0,20}){0,3}",
        ) {
            match read(&text) {
                Ok(pod) => prop_assert!(pod.size > 0 && pod.expr.text() == text),
                Err(bad) => prop_assert!((1..=text.len() + 1).contains(&bad.position), "{bad}"),
            }
        }

        #[test]
        fn no_more_is_kept_than_was_declared(
            size in 1..9_usize, there in 0..9_usize, own in 0..2000_i64, taken in 0..2000_i64,
        ) {
            let nodes: Vec<Arc<str>> = std::iter::repeat_n("n:1".into(), there.min(size - 1)).collect();
            let pod = read(&format!("w=={size},memory=1000")).unwrap();
            let rest = pod.rest(of(0, own), of(0, taken), nodes);
            prop_assert!(rest.room.memory_bytes >= 0);
            if rest.missing == 0 {
                prop_assert_eq!(rest.room.memory_bytes, 0);
            } else {
                prop_assert_eq!(rest.room.memory_bytes, (1000 - own - taken).max(0));
            }
        }
    }
}

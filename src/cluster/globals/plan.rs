//! What is to be done next for the containers that have a copy on every node: a pure function of the nodes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{COPY_ID_LABEL, COPY_LABEL, ENGINE_LABEL, FIRST_ID_LABEL, RECIPE_LABEL};
use crate::model::{Container, Node};

/// What is of interest on a node.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    /// The node.
    pub(super) node: Arc<Node>,
    /// Its containers that have copies or are some.
    own: Vec<Arc<Container>>,
}

/// A container that has copies.
#[derive(Clone, Debug)]
pub(super) struct First {
    /// Its node, as it was last known.
    pub(super) node: Arc<Node>,
    /// The container.
    pub(super) container: Arc<Container>,
}

/// Something to be done on one node for one set, which is known by the ID of its first container.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The node's key.
    pub(super) node: Arc<str>,
    /// The set.
    pub(super) set: Arc<str>,
    /// What it is.
    pub(super) what: What,
}

/// What can be done, in the order in which it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Remove this copy, if the first is on none of these nodes.
    Remove(Arc<str>, Vec<Arc<str>>),
    /// Start this copy, which never ran.
    Start(Arc<str>),
    /// Make a copy.
    Make,
}

impl Noted {
    /// Looks at a node.
    pub(super) fn of(node: &Arc<Node>) -> Self {
        let own = node.containers.iter();
        let own = own.filter(|c| is_first(c) || copy_of(c).is_some());
        Self {
            own: own.cloned().collect(),
            node: Arc::clone(node),
        }
    }

    /// Tells whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// Walks its copies of a set.
    fn copies<'a>(&'a self, set: &'a str) -> impl Iterator<Item = &'a Arc<Container>> {
        self.own.iter().filter(move |c| copy_of(c) == Some(set))
    }
}

impl First {
    /// Tells whether it runs, as far as is known.
    pub(super) fn is_running(&self) -> bool {
        self.container.state.is_running()
    }
}

/// Tells whether a container has copies.
pub(super) fn is_first(container: &Container) -> bool {
    is_own(container, FIRST_ID_LABEL) && container.labels.contains_key(RECIPE_LABEL)
}

/// Returns the ID of the container that this one is a copy of.
pub(super) fn copy_of(container: &Container) -> Option<&str> {
    let of = container.labels.get(COPY_LABEL)?;
    is_own(container, COPY_ID_LABEL).then_some(of.as_str())
}

/// Tells whether labels of a container are its own, and not of its image.
fn is_own(container: &Container, label: &str) -> bool {
    let id = container.labels.get(label);
    id.is_some() && id.map(String::as_str) == container.swarm_id()
}

/// Finds the containers that have copies, by ID.
pub(super) fn firsts(noted: &[Noted]) -> BTreeMap<Arc<str>, First> {
    let all = noted.iter().flat_map(|noted| {
        let own = noted.own.iter().filter(|c| is_first(c));
        own.map(|c| {
            let first = First {
                node: Arc::clone(&noted.node),
                container: Arc::clone(c),
            };
            (Arc::clone(&c.id), first)
        })
    });
    all.collect()
}

/// Finds a container that tells how the copies of a set are made: on which node it is, and its ID.
pub(super) fn source(noted: &[Noted], first: &First) -> Option<(Arc<str>, Arc<str>)> {
    let set = &first.container.id;
    if first.node.health.is_healthy() {
        return Some((Arc::clone(&first.node.key), Arc::clone(set)));
    }
    let mut healthy = noted.iter().filter(|n| n.node.health.is_healthy());
    healthy.find_map(|noted| {
        let copy = noted.copies(set).next()?;
        Some((Arc::clone(&noted.node.key), Arc::clone(&copy.id)))
    })
}

/// Says what is to be done; `wants` tells whether a node could take a copy.
pub(super) fn plan(
    noted: &[Noted],
    firsts: &BTreeMap<Arc<str>, First>,
    wants: impl Fn(&First, &Node) -> bool,
) -> Vec<Step> {
    let mut engines: HashMap<&str, Vec<&Arc<Node>>> = HashMap::new();
    for Noted { node, .. } in noted {
        engines.entry(&node.engine_id).or_default().push(node);
    }
    let healthy = || noted.iter().filter(|n| n.node.health.is_healthy());
    let mut steps = Vec::new();
    for at in healthy() {
        let copies = at.own.iter();
        let copies = copies.filter_map(|c| Some((copy_of(c)?, c)));
        let told = copies.filter_map(|(set, copy)| {
            let what = match firsts.get(set) {
                Some(first) => of_set(at, first, copy),
                None => orphan(copy, &engines),
            };
            Some(Step {
                node: Arc::clone(&at.node.key),
                set: set.into(),
                what: what?,
            })
        });
        steps.extend(told);
    }
    for (set, first) in firsts.iter().filter(|(_, first)| first.is_running()) {
        let lacks = |at: &&Noted| {
            at.node.key != first.node.key
                && at.copies(set).next().is_none()
                && wants(first, &at.node)
        };
        steps.extend(healthy().filter(lacks).map(|at| Step {
            node: Arc::clone(&at.node.key),
            set: Arc::clone(set),
            what: What::Make,
        }));
    }
    steps.sort_by(|a, b| a.what.cmp(&b.what));
    steps
}

/// Says what is to be done with a copy whose first is known.
fn of_set(at: &Noted, first: &First, copy: &Arc<Container>) -> Option<What> {
    let age = |c: &Container| (c.created_seconds, c.created_nano, Arc::clone(&c.id));
    let oldest = at.copies(&first.container.id).min_by_key(|c| age(c))?;
    if oldest.id != copy.id || at.node.key == first.node.key {
        return Some(What::Remove(Arc::clone(&copy.id), Vec::new()));
    }
    let never_ran = copy.state.status == "created";
    let starts = never_ran && first.is_running();
    starts.then(|| What::Start(Arc::clone(&copy.id)))
}

/// Says what is to be done with a copy whose first is on no node that is known: nothing, unless the node where that was
/// answers. One that has left the cluster, or has not been heard since the start, may have it still.
fn orphan(copy: &Container, engines: &HashMap<&str, Vec<&Arc<Node>>>) -> Option<What> {
    let homes = engines.get(copy.labels.get(ENGINE_LABEL)?.as_str())?;
    let all = homes.iter().all(|home| home.health.is_healthy());
    let keys = || homes.iter().map(|home| Arc::clone(&home.key)).collect();
    all.then(|| What::Remove(Arc::clone(&copy.id), keys()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::container::RunState;
    use crate::model::{Containers, Health, SWARM_ID_LABEL};

    fn container<'a>(id: &'a str, status: &str, labels: &[(&'a str, &'a str)]) -> Container {
        let labels = labels.iter().copied().chain([(SWARM_ID_LABEL, id)]);
        Container {
            id: id.into(),
            names: vec![id.to_owned()],
            labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            state: RunState {
                status: status.to_owned(),
                ..RunState::default()
            },
            ..Container::default()
        }
    }

    /// What the first has, and copies have of it.
    const KEPT: [(&str, &str); 2] = [(FIRST_ID_LABEL, "web"), (RECIPE_LABEL, "{}")];

    fn first(status: &str) -> Container {
        container("web", status, &KEPT)
    }

    fn copy(id: &str, status: &str) -> Container {
        let of = [
            (COPY_LABEL, "web"),
            (ENGINE_LABEL, "Ea"),
            (COPY_ID_LABEL, id),
        ];
        container(id, status, &[&of[..], &KEPT].concat())
    }

    fn node(name: &str, own: Vec<Container>) -> Node {
        let mut containers = Containers::default();
        own.into_iter().for_each(|c| containers.insert(Arc::new(c)));
        Node {
            key: name.into(),
            name: name.to_owned(),
            engine_id: format!("E{name}"),
            health: Health::Healthy,
            containers,
            ..Node::default()
        }
    }

    /// Tells what is to be done where, if all nodes but `x` could take a copy.
    fn told(nodes: Vec<Node>) -> Vec<String> {
        let nodes = nodes.into_iter().map(Arc::new);
        let noted: Vec<_> = nodes.map(|node| Noted::of(&node)).collect();
        let steps = plan(&noted, &firsts(&noted), |_, node| node.name != "x");
        let steps = steps.into_iter().map(|step| match step.what {
            What::Make => format!("make on {}", step.node),
            What::Start(id) => format!("start {id} on {}", step.node),
            What::Remove(id, homes) => format!("remove {id} on {} {homes:?}", step.node),
        });
        steps.collect()
    }

    fn down(node: Node) -> Node {
        Node {
            health: Health::Pending("away".to_owned()),
            ..node
        }
    }

    #[test]
    fn each_node_that_could_take_one_gets_one_while_the_first_runs() {
        let others = |status: &str| {
            vec![
                node("a", vec![first(status)]),
                node("b", vec![]),
                node("c", vec![copy("web-c", "exited")]),
                down(node("d", vec![])),
                node("x", vec![]),
            ]
        };
        assert_eq!(told(others("running")), ["make on b"]);
        let none: [&str; 0] = [];
        assert_eq!(told(others("exited")), none);
        assert_eq!(told(others("created")), none);
        // The first's node does not answer: as it was last known.
        let mut nodes = others("running");
        nodes[0] = down(nodes[0].clone());
        assert_eq!(told(nodes), ["make on b"]);
    }

    #[test]
    fn a_copy_that_never_ran_is_started_while_the_first_runs() {
        let nodes = |status: &str, own: &str| {
            let copy = node("b", vec![copy("web-b", own)]);
            told(vec![node("a", vec![first(status)]), copy])
        };
        assert_eq!(nodes("running", "created"), ["start web-b on b"]);
        assert!(nodes("running", "exited").is_empty());
        assert!(nodes("created", "created").is_empty());
    }

    #[test]
    fn what_is_of_an_image_that_was_made_of_one_is_neither() {
        let of_first = container("img1", "running", &KEPT);
        let of_copy = Container {
            labels: copy("web-b", "running").labels,
            ..container("img2", "running", &[])
        };
        let mut labels = of_copy.labels;
        labels.insert(SWARM_ID_LABEL.to_owned(), "img2".to_owned());
        let of_copy = Container { labels, ..of_copy };
        let nodes = vec![node("a", vec![of_copy, of_first]), node("b", vec![])];
        assert!(told(nodes).is_empty());
    }

    #[test]
    fn one_node_keeps_the_oldest_of_two_and_the_first_rather_than_a_copy() {
        let mut late = copy("web-b", "running");
        late.created_seconds = 5;
        let nodes = vec![
            node("a", vec![first("running"), copy("web-a", "running")]),
            node("b", vec![late, copy("www-b", "running")]),
        ];
        let expected = ["remove web-a on a []", "remove web-b on b []"];
        assert_eq!(told(nodes), expected);
    }

    #[test]
    fn copies_go_once_the_node_of_their_first_answers_and_does_not_have_it() {
        let away = |home: Option<Node>| {
            let copies = node("b", vec![copy("web-b", "running")]);
            told(home.into_iter().chain([copies]).collect())
        };
        let gone = ["remove web-b on b [\"a\"]"];
        assert_eq!(away(Some(node("a", vec![]))), gone);
        assert!(away(Some(down(node("a", vec![])))).is_empty());
        assert!(away(None).is_empty());
        // Of cloned engines all must answer.
        let twin = Node {
            engine_id: "Ea".to_owned(),
            ..down(node("t", vec![]))
        };
        let copies = node("b", vec![copy("web-b", "running")]);
        assert!(told(vec![node("a", vec![]), twin, copies]).is_empty());
    }
}

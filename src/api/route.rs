//! The table of all endpoints: what is served, since which API version, by which class, by which handler.
//!
//! First match wins, so literal paths stand before patterns that would take them too.

use std::future::Future;
use std::pin::Pin;

use http::Method;

use super::call::{Answer, Call};
use super::{
    build, container, decision, exec, image, network, node, plugin, prune, route_pattern, swarm,
    system, volume,
};

/// How an endpoint is served (reference: design §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Answered here.
    Local,
    /// Sent to the engine that has the object.
    Owner,
    /// Sent to the engine that placement chooses.
    Place,
    /// Sent to the engine that is to be the home of what it makes.
    Home,
    /// Answered from all engines.
    Merge,
    /// Sent to all engines that are concerned.
    Broadcast,
    /// Sent to any healthy engine.
    Any,
    /// A stream made of all engines' streams.
    Stream,
    /// Needs engines in swarm mode.
    Swarm,
    /// Flotilla's own, which no engine has.
    Own,
    /// Refused.
    Refused,
}

type Run = fn(Call) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One endpoint.
pub(super) struct Route {
    /// The method.
    pub(super) method: &'static str,
    /// The path without version; `{}` takes any text.
    pub(super) path: &'static str,
    /// The API version that brought it, as minor number.
    pub(super) since: u16,
    /// How it is served.
    pub(super) class: Class,
    /// What serves it.
    pub(super) run: Run,
    /// What a user sees that one engine would not show; `None` says that nothing differs.
    pub(super) differs: Option<&'static str>,
}

/// Finds the route of a request and what stands for its variables.
pub(super) fn find(method: &Method, path: &str) -> Option<(&'static Route, String)> {
    let served = ROUTES.iter().filter(|r| r.method == method.as_str());
    served
        .filter_map(|route| Some((route, route_pattern::matches(route.path, path)?.join("\n"))))
        .next()
}

/// A row: `method path since class handler`, then what differs.
macro_rules! row {
    ($method:literal $path:literal $since:literal Swarm managed) => {
        row!($method $path $since Swarm swarm::forward, "to a manager engine; 503 where there is none, as from an engine")
    };
    ($method:literal $path:literal $since:literal $class:ident $run:path) => {
        row!($method $path $since $class @ $run, None)
    };
    ($method:literal $path:literal $since:literal $class:ident $run:path, $differs:literal) => {
        row!($method $path $since $class @ $run, Some($differs))
    };
    ($method:literal $path:literal $since:literal $class:ident @ $run:path, $differs:expr) => {
        Route { method: $method, path: $path, since: $since, class: Class::$class, run: |call| Box::pin($run(call)), differs: $differs }
    };
}

/// All endpoints.
pub(super) const ROUTES: &[Route] = &[
    // System
    row!("GET" "/_ping" 24 Local system::local::ping),
    row!("HEAD" "/_ping" 40 Local system::local::ping),
    row!("GET" "/version" 24 Local system::local::version, "one component for each node beside Flotilla's own"),
    row!("GET" "/info" 24 Local system::local::info, "sums and unions over the nodes, and classic's SystemStatus rows; without swarm mode the docker CLI is told that its node is self, which means all"),
    row!("POST" "/auth" 24 Any system::any::forward),
    row!("GET" "/events" 24 Stream system::events::stream, "events of all nodes, with node.* attributes; engine_connect, engine_disconnect, engine_reconnect; what an engine forgot is made up and marked flotilla.synthetic=true"),
    row!("GET" "/system/df" 25 Merge system::df::df, "of all nodes together, in the form of the client's version; a Warning header names those that did not answer"),
    row!("GET" "/debug/{}" 24 Refused system::local::no_route, "404: engines would show their memory"),
    // Containers
    row!("GET" "/containers/json" 24 Merge container::read::list, "containers of all nodes; each has its name with the node before it too, the node's address in Ports and the label com.docker.swarm.node.name; the parameters before and since, which engines ignore, count as the filters do; a Warning header names nodes that do not answer"),
    row!("POST" "/containers/create" 24 Place container::create::create, "placed on a node, to which the image is copied from another if it lacks it; the identity label com.docker.swarm.id is added; with the wish global:node==every other nodes get copies, which are started, stopped, restarted, killed, paused and removed with it; a body that is no JSON is refused in the words of 28 whatever the engines are"),
    row!("POST" "/containers/prune" 25 Broadcast prune::containers, "on all nodes; a Warning header names those that did not take part"),
    row!("GET" "/containers/{}/json" 24 Owner container::read::inspect, "adds Node, the node's address in NetworkSettings.Ports and the label com.docker.swarm.node.name; 404 also when a node that has not answered yet may have it, since docker inspect looks for images only after a 404"),
    row!("GET" "/containers/{}/top" 24 Owner container::owner::read),
    row!("GET" "/containers/{}/logs" 24 Owner container::owner::read),
    row!("GET" "/containers/{}/changes" 24 Owner container::owner::read),
    row!("GET" "/containers/{}/export" 24 Owner container::owner::read),
    row!("GET" "/containers/{}/stats" 24 Owner container::owner::read),
    row!("GET" "/containers/{}/archive" 24 Owner container::owner::read),
    row!("HEAD" "/containers/{}/archive" 24 Owner container::owner::read),
    row!("PUT" "/containers/{}/archive" 24 Owner container::owner::read),
    row!("POST" "/containers/{}/resize" 24 Owner container::owner::read),
    row!("POST" "/containers/{}/wait" 24 Owner container::owner::wait, "when the node is lost meanwhile, StatusCode -1 with an Error that names it"),
    row!("POST" "/containers/{}/start" 24 Owner container::owner::change),
    row!("POST" "/containers/{}/stop" 24 Owner container::owner::change),
    row!("POST" "/containers/{}/restart" 24 Owner container::owner::change),
    row!("POST" "/containers/{}/kill" 24 Owner container::owner::kill),
    row!("POST" "/containers/{}/pause" 24 Owner container::owner::change),
    row!("POST" "/containers/{}/unpause" 24 Owner container::owner::change),
    row!("POST" "/containers/{}/update" 24 Owner container::owner::change),
    row!("POST" "/containers/{}/rename" 24 Owner container::rename::rename, "the new name must be free on all nodes"),
    row!("POST" "/containers/{}/attach" 24 Owner container::owner::attach, "ends when the node is lost"),
    row!("GET" "/containers/{}/attach/ws" 24 Owner container::owner::attach, "ends when the node is lost"),
    row!("POST" "/containers/{}/exec" 24 Owner exec::create),
    row!("POST" "/containers/{}/copy" 24 Refused system::local::no_route),
    row!("GET" "/containers/{}/checkpoints" 24 Owner container::owner::read),
    row!("POST" "/containers/{}/checkpoints" 24 Owner container::owner::change),
    row!("DELETE" "/containers/{}/checkpoints/{}" 24 Owner container::owner::checkpoint),
    row!("DELETE" "/containers/{}" 24 Owner container::owner::remove),
    row!("POST" "/commit" 24 Owner container::owner::commit, "the image is on the container's node, until a container needs it elsewhere; its labels hold the container's com.docker.swarm.id"),
    row!("POST" "/exec/{}/start" 24 Owner exec::start),
    row!("POST" "/exec/{}/resize" 24 Owner exec::read),
    row!("GET" "/exec/{}/json" 24 Owner exec::read),
    // Images
    row!("GET" "/images/json" 24 Merge image::read::list, "images of all nodes, one row for each ID, with the names of the nodes that have it in Nodes; a Warning header names nodes that do not answer"),
    row!("POST" "/images/create" 24 Broadcast image::pull::create, "pulls on all nodes (or one, by --image-spread) with a progress row for each; an import is made on one and copied; a Warning header names those that did not answer"),
    row!("GET" "/images/search" 24 Any system::any::forward),
    row!("GET" "/images/get" 24 Owner image::save::several, "from one node that has all of them, each as the tag came to it last; 404 that says what each node lacks where none has"),
    row!("POST" "/images/load" 24 Broadcast image::load::load, "loads on all nodes (or one, by --image-spread); a Warning header names those that did not answer"),
    row!("POST" "/images/prune" 25 Broadcast prune::images, "on all nodes; each node keeps what its own containers use; a Warning header names those that did not take part"),
    row!("GET" "/images/{}/get" 24 Owner image::save::one),
    row!("GET" "/images/{}/json" 24 Owner image::read::one, "from a node that has the image which the tag came to last; 404 also when a node that has not answered yet may have it"),
    row!("GET" "/images/{}/history" 24 Owner image::read::one),
    row!("GET" "/images/{}/attestations" 55 Owner image::read::one),
    row!("POST" "/images/{}/push" 24 Owner image::read::push, "from a node that has the image which the tag came to last, as inspect tells of; without a tag all tags are brought together before"),
    row!("POST" "/images/{}/tag" 24 Broadcast image::change::tag, "on all nodes that have it"),
    row!("DELETE" "/images/{}" 24 Broadcast image::change::remove, "on all nodes that have it"),
    row!("GET" "/distribution/{}/json" 30 Any system::any::forward),
    row!("POST" "/build" 24 Place build::build, "on one node, by wishes in its arguments and in the header X-Flotilla-Constraint; the image is there until a container needs it elsewhere; what a classic build starts from is copied there from another node, if its Dockerfile is in the first MiB of a context that is not compressed, or by gzip; a build of BuildKit, whose Dockerfile its client shows to the engine alone, goes where that client built last, and finds what that node or a registry has: for a base that only another node has, wish for that node"),
    row!("POST" "/build/cancel" 39 Place build::cancel),
    row!("POST" "/build/prune" 31 Broadcast prune::builds, "on all nodes; a Warning header names those that did not take part"),
    row!("POST" "/session" 31 Place build::session, "to the node of the build that names it, or of the client's tunnels"),
    row!("POST" "/grpc" 40 Place build::grpc, "all tunnels of one client lead to one node, which keeps its cache; the header X-Flotilla-Constraint chooses it, of the tunnel or of the client's last ping"),
    // Networks
    row!("GET" "/networks" 24 Merge network::read::list, "networks of all nodes; predefined ones once; a Warning header names nodes that do not answer"),
    row!("GET" "/networks/" 25 Merge network::read::list, "as /networks"),
    row!("POST" "/networks/create" 24 Home network::change::create, "on one home node, where its containers then go; an overlay at a manager, and so one without a driver where there is a manager; the name must be free on all nodes"),
    row!("POST" "/networks/prune" 25 Broadcast prune::networks, "on all nodes; a Warning header names those that did not take part"),
    row!("POST" "/networks/{}/connect" 24 Owner network::change::connect, "container and network must be on one node, unless the network is replicated"),
    row!("POST" "/networks/{}/disconnect" 24 Owner network::change::connect),
    row!("GET" "/networks/{}" 24 Owner network::read::inspect, "one that is on several nodes with its containers on all of them; 404 also when a node that has not answered yet may have it"),
    row!("DELETE" "/networks/{}" 24 Owner network::change::remove),
    // Volumes
    row!("GET" "/volumes" 24 Merge volume::read::list, "volumes of all nodes; a Warning header names nodes that do not answer"),
    row!("POST" "/volumes/create" 24 Home volume::change::create, "on one home node, where its containers then go"),
    row!("POST" "/volumes/prune" 25 Broadcast prune::volumes, "on all nodes; a Warning header names those that did not take part"),
    row!("GET" "/volumes/{}" 24 Owner volume::read::inspect, "404 also when a node that has not answered yet may have it"),
    row!("PUT" "/volumes/{}" 42 Swarm managed),
    row!("DELETE" "/volumes/{}" 24 Owner volume::change::remove),
    // Plugins
    row!("GET" "/plugins" 25 Merge plugin::list, "of all nodes, each once; enabled when it is so on every node that has it"),
    row!("GET" "/plugins/privileges" 25 Any system::any::forward),
    row!("POST" "/plugins/pull" 25 Broadcast plugin::pull, "on all nodes, with a progress row for each; a Warning header names those that did not answer"),
    row!("POST" "/plugins/create" 25 Broadcast plugin::create, "on all nodes; a Warning header names those that did not answer"),
    row!("GET" "/plugins/{}/json" 25 Owner plugin::first_that_has, "from the first node that has it"),
    row!("POST" "/plugins/{}/push" 25 Owner plugin::first_that_has, "from the first node that has it"),
    row!("POST" "/plugins/{}/set" 25 Broadcast plugin::change, "on all nodes that have it; a Warning header names those that did not answer"),
    row!("POST" "/plugins/{}/enable" 25 Broadcast plugin::change, "on all nodes that have it; a Warning header names those that did not answer"),
    row!("POST" "/plugins/{}/disable" 25 Broadcast plugin::change, "on all nodes that have it; a Warning header names those that did not answer"),
    row!("POST" "/plugins/{}/upgrade" 26 Broadcast plugin::pull, "on all nodes, with a progress row for each; a Warning header names those that did not answer"),
    row!("DELETE" "/plugins/{}" 25 Broadcast plugin::change, "on all nodes that have it; a Warning header names those that did not answer"),
    // Swarm mode
    row!("GET" "/swarm" 24 Swarm managed),
    row!("POST" "/swarm/init" 24 Swarm swarm::init, "the first engine makes a cluster that all others join; each is found at its own address; with --force-new-cluster one manager goes on alone: that of --advertise-addr or of the header, or else the only one that is left"),
    row!("POST" "/swarm/join" 24 Swarm swarm::join, "all engines that are in no cluster join it"),
    row!("POST" "/swarm/leave" 24 Swarm swarm::leave, "all engines leave"),
    row!("POST" "/swarm/update" 24 Swarm swarm::change, "to a manager engine; 503 where there is none, as from an engine"),
    row!("POST" "/swarm/unlock" 25 Swarm swarm::unlock, "all engines that are locked; where none is, as from a manager"),
    row!("GET" "/swarm/unlockkey" 25 Swarm managed),
    row!("GET" "/nodes" 24 Swarm node::read::list, "the engines of the cluster, although they are not in swarm mode; where they are, with a manager's version, role, labels and availability, to which those add that were given here before any manager was told: the labels given here hide the manager's, and the stricter availability counts"),
    row!("GET" "/nodes/{}" 24 Swarm swarm::node, "as /nodes; self, which is what docker node ps asks for without a name, means all nodes where none is in swarm mode; IDs of swarm mode are asked of a manager"),
    row!("DELETE" "/nodes/{}" 24 Swarm swarm::remove, "409: discovery says which nodes there are; IDs that only swarm mode has are asked of a manager"),
    row!("POST" "/nodes/{}/update" 24 Swarm swarm::update, "availability and labels of one of our nodes, kept on its engine, and in swarm mode by the managers too, where they may be changed as well: placement goes by that some seconds later at most, and a version that is no longer the manager's is refused in its words unless only swarm mode itself changed the node; IDs that only swarm mode has are asked of a manager"),
    row!("GET" "/services" 24 Swarm managed),
    row!("POST" "/services/create" 24 Swarm managed),
    row!("GET" "/services/{}/logs" 25 Swarm managed),
    row!("GET" "/services/{}" 24 Swarm managed),
    row!("DELETE" "/services/{}" 24 Swarm managed),
    row!("POST" "/services/{}/update" 24 Swarm managed),
    row!("GET" "/tasks" 24 Swarm swarm::tasks, "of a manager engine; without one, or with a filter for a node, each container that is none of a service as a task of its own"),
    row!("GET" "/tasks/{}/logs" 29 Swarm managed),
    row!("GET" "/tasks/{}" 24 Swarm swarm::task, "as /tasks"),
    row!("GET" "/secrets" 25 Swarm managed),
    row!("POST" "/secrets/create" 25 Swarm managed),
    row!("GET" "/secrets/{}" 25 Swarm managed),
    row!("DELETE" "/secrets/{}" 25 Swarm managed),
    row!("POST" "/secrets/{}/update" 26 Swarm managed),
    row!("GET" "/configs" 30 Swarm managed),
    row!("POST" "/configs/create" 30 Swarm managed),
    row!("GET" "/configs/{}" 30 Swarm managed),
    row!("DELETE" "/configs/{}" 30 Swarm managed),
    row!("POST" "/configs/{}/update" 30 Swarm managed),
    // Flotilla's own
    row!("GET" "/flotilla/decisions" 24 Own decision::read::list, "where containers were placed, newest first; engines answer 404"),
    row!("GET" "/flotilla/decisions/{}" 24 Own decision::read::inspect, "why one was placed there, node by node, by container or decision; engines answer 404"),
    row!("POST" "/flotilla/explain" 24 Own decision::explain, "where a create would be placed, and why; creates nothing; engines answer 404"),
    row!("GET" "/flotilla/strategy" 24 Own decision::strategy::inspect, "the strategy by which nodes are chosen; engines answer 404"),
    row!("POST" "/flotilla/strategy" 24 Own decision::strategy::change, "another strategy from now on; engines answer 404"),
];

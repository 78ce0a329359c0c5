//! The page that says what a client of one engine sees differently: generated from the table of routes.

use std::fmt::Write as _;

use super::route::ROUTES;

/// What no proxy can give, since it is of one host.
const BY_NATURE: &str = "
## By nature of one host

- `--volumes-from`, `--link` and `container:` modes of two containers that are on two nodes: 409 with both reasons.
- Bind mounts, devices, `--network host`, the time and the files of the host are those of the node a container lands on.
- A published port is on the node's address, which lists and inspect show, and not on the one of `DOCKER_HOST`.
- `docker top` shows process numbers of the node; `/var/run/docker.sock` mounted into a container is the node's engine.
- Containers on a bridge network that is not replicated, and those that share a local volume, are on one node.
- Two images of one name, built or imported on two nodes, are two; the one that the name came to last is meant.
- `docker info` counts the images of each node, so that one that three nodes have counts three times.
- `docker swarm init` makes one cluster of all nodes, and `docker node ls` shows them all.
- What Flotilla refuses without asking an engine, it refuses with the status and in the words of 28.5, whatever its engines
  are.
- A form as body (`Content-Type: application/x-www-form-urlencoded`) is refused with 400 unless it is empty, and also when
  it is sent in chunks: an engine would take it for a second query.
- An import takes place on one node, since each engine would give the image another ID.
- An engine remembers its last 256 events, and until it restarts. When the stream from it breaks, what happened meanwhile
  is read from its memory. Of a gap that is longer, what lists show is made up and marked `flotilla.synthetic=true`: a
  container's creation, its last start, its last end, its removal. A container that came and went within the gap, and of
  which the engine remembers no event, is in no list: nobody can know of it, and nothing is told. The same holds for
  earlier starts and ends, and for what else was forgotten (exec, health, images, networks, volumes).
- `since` replays what engines remember and what was made up since Flotilla started (the newest 4 MiB).
";

/// What a network is that is on several nodes without reaching over them.
const REPLICATED: &str = "
## Replicated bridge networks

- A bridge network has a home node, to which its containers go. With the label `com.docker.swarm.replicate=true`
  (`docker network create --label …`, `labels:` in compose), or for all bridge networks with `flotilla manage
  --replicate-networks` unless that label is `false`, its containers go anywhere: before one is created or connected on a
  node that lacks the network, it is made there too, with the same driver, options, labels and subnet.
- **No traffic goes from node to node on it, and no name is found on another node.** It is for services that are reached
  from outside, or that talk to what is beside them. What is to reach over nodes is an overlay; `flotilla overlay enable`
  makes that possible.
- For clients it is one network, under the ID of the first: in lists, inspects (with the containers of all nodes), filters
  and events. Removing it removes it everywhere, and is refused while a container of any node is on it, or while a node
  that has it does not answer. Prunes take it when no node uses it. Copies know what they are copies of by the label
  `com.docker.swarm.replica-of`, which only their own engines show. Of copies that are gone engines may still tell, by
  their own IDs, in replays of events after a restart of Flotilla.
- A node on which the subnet is taken, or the name, is passed over, and the create says why in its `Warnings`: give such
  networks subnets of their own (`--subnet`), since engines choose alike. Addresses are given out by each node, so that
  two containers may have the same.
- A prune of networks with `label!` is done one by one while there are such networks.
";

/// How clients say which nodes they mean.
const CHOICE: &str = "
## Choosing a node

- The header `X-Flotilla-Constraint` holds constraints, separated by commas (`node==node1`, `zone==eu,storage!=hdd`).
  Clients send it that have it in `HttpHeaders` of their `config.json`, or in `DOCKER_CUSTOM_HEADERS`. New containers,
  networks, volumes, images and builds go to nodes that meet it; lists, events, prunes and calls by name or ID are of these
  nodes alone, so that what is on another is not found. Names stay unique over all nodes.
- When no node meets it, the answer is 400 with the names of the nodes; 409 with a count of the reasons for containers
  and builds, which are placed. What is preferred (`node==~node1`) hides nothing.
- It says nothing of what is of no node: `version`, `info`, `docker node`, and all of swarm mode.
- `node/name` says in any path on which node something is; lists take the filter `node=`; `constraint:` in environment,
  labels and build arguments places as the header does.
";

/// What is said of objects while some nodes do not answer.
const AWAY: &str = "
## While a node does not answer

- What is on it stays listed as it was; a call for it is answered with 503, which names the node and says since when.
- A node that has not answered since Flotilla started has told nothing. While there is one, a call for a container (or an
  exec) that no other has is answered with 503 and not with 404, in the engine's words and with the node's address: taken
  for gone, it would be made a second time.
- The exceptions say the same with 404. `GET /containers/{…}/json`: `docker inspect` looks for images only after a 404. Calls
  for images, networks and volumes: clients look for these before they make them, and one dead entry of discovery would
  be in the way of every `docker compose up`.
- Image stores of two kinds (of graph drivers and of containerd) give one image two IDs. By an ID that only a node has which
  does not answer, the image is found on another, which tells of it by its own ID. Once that node has left the cluster, its
  IDs mean nothing.
- Lists, prunes and other answers made of many nodes have a `Warning` header for each node that took no part.
";

/// Writes `docs/differences.md`.
pub fn differences() -> String {
    let mut page = String::from(
        "# Differences from one engine\n\n\
         Generated from the table of routes (`src/api/route.rs`) by `UPDATE_DOCS=1 cargo test differences`; a test keeps it true.\n\
         Endpoints that are not listed under a heading but the last behave as on one engine: same status, same bytes.\n\n",
    );
    let (differs, same): (Vec<_>, Vec<_>) = ROUTES.iter().partition(|r| r.differs.is_some());
    page.push_str(
        "## Different\n\n| endpoint | since | served | what differs |\n|---|---|---|---|\n",
    );
    for route in differs {
        row(&mut page, route, route.differs.unwrap_or_default());
    }
    page.push_str("\n## Same\n\n| endpoint | since | served | |\n|---|---|---|---|\n");
    for route in same {
        row(&mut page, route, "");
    }
    page.push_str(CHOICE);
    page.push_str(REPLICATED);
    page.push_str(AWAY);
    page.push_str(BY_NATURE);
    page
}

fn row(page: &mut String, route: &super::route::Route, text: &str) {
    let path = route.path.replace("{}", "{…}");
    // Writing to a string does not fail.
    let _ = writeln!(
        page,
        "| {} {path} | 1.{} | {:?} | {text} |",
        route.method, route.since, route.class
    );
}

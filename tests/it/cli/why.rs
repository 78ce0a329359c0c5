//! `flotilla why`: what was decided is told by the container, by its number, and after a refusal.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{BOTH, Ran, Stage, ran};
use crate::support::caller::{Caller, at_once};

/// Returns the number that an error or a warning names: `(flotilla why 3f2a1c)`.
fn number(said: &str) -> String {
    let at = said
        .find("(flotilla why ")
        .unwrap_or_else(|| panic!("no number: {said}"));
    said[at + "(flotilla why ".len()..][..6].to_owned()
}

/// Returns the line about a node, from its verdict on.
fn line<'r>(told: &'r Ran, node: &str) -> &'r str {
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{told:?}");
    let start = format!("  {node} ");
    let lines = told.out.lines();
    let found = lines.filter_map(|l| l.strip_prefix(&start)).next();
    found
        .unwrap_or_else(|| panic!("nothing of {node}: {told:?}"))
        .trim()
}

#[test]
fn a_container_is_explained_by_every_name_it_has() {
    let stage = Stage::set("whyplaced");
    let name = stage.name("web");
    let id = stage.sleeper("node1", &name, &["-m", "16m"]);
    let renamed = stage.name("renamed");
    for reference in [name.as_str(), &format!("node1/{name}"), &id, &id[..12]] {
        let told = stage.own(&["why", reference]);
        assert!(line(&told, "node1").starts_with("chosen "), "{told:?}");
        assert!(line(&told, "node1").ends_with("; image here"), "{told:?}");
        assert_eq!(
            line(&told, "node0"),
            "refused  constraint: fails constraint node==node1 (is node0)"
        );
        let head = format!(
            " ago: {name} (image busybox) went to node1\nstrategy spread; asked: constraint node==node1, memory 16 MiB\n"
        );
        assert!(told.out.contains(&head), "{told:?}");
    }
    stage.ok(&["rename", &name, &renamed]);
    let told = stage.own(&["why", &renamed]);
    assert!(line(&told, "node1").starts_with("chosen "), "{told:?}");
    // In the list the container has the name that it was asked for with.
    let list = stage.own(&["why"]);
    let row = list.out.lines().find(|l| l.contains(&name)).unwrap();
    assert!(row.ends_with("busybox  placed on node1"), "{list:?}");
    assert!(list.out.starts_with("DECISION  AGE"), "{list:?}");
}

#[test]
fn a_node_that_was_not_taken_says_what_it_lost_by() {
    let stage = Stage::set("whybehind");
    for number in 0..8 {
        let name = stage.name(&format!("{number}"));
        stage.ok(&["create", "--name", &name, "busybox", "true"]);
    }
    let told = stage.own(&["why", &stage.name("7"), "--format", "json"]);
    let told: Value = serde_json::from_str(&told.out).unwrap();
    let nodes = told["Nodes"].as_array().unwrap();
    assert_eq!(nodes[0]["Verdict"], "chosen");
    let crowd = |node: &Value| {
        let part = &node["Parts"][0];
        assert_eq!(part["Name"], "containers per CPU", "{told}");
        let number = |part: &Value| part["Value"].as_f64().unwrap();
        let (crowd, of) = (number(part), &part["Of"]);
        format!(
            "{crowd} (containers {}, CPUs {})",
            number(&of[0]),
            number(&of[1])
        )
    };
    for node in &nodes[1..] {
        assert_eq!(node["Verdict"], "behind", "{told}");
        let (chosen, own) = (crowd(&nodes[0]), crowd(node));
        let best = nodes[0]["Name"].as_str().unwrap();
        let expected = match chosen == own {
            true => format!("as good as {best}, which comes first by name"),
            false => format!("containers per CPU {own}; on {best} {chosen}"),
        };
        // Nodes that others load at this moment may be slow.
        if node["Field"] != "health" {
            assert_eq!(node["Reason"], expected.as_str(), "{told}");
        }
    }
}

#[test]
fn a_refused_run_is_explained_by_the_number_in_its_error_and_by_name() {
    let stage = Stage::set("whyrefused");
    for cli in BOTH {
        let name = stage.name(&format!("{cli:?}").to_lowercase());
        let wish = "constraint:zone==nowhere";
        let args = [
            "run", "--rm", "--name", &name, "-e", wish, "busybox", "true",
        ];
        let refused = ran(stage.docker(cli).args(args), b"");
        assert_eq!(refused.code, Some(125), "{refused:?}");
        for reference in [number(&refused.err), name.clone()] {
            let told = stage.own(&["why", &reference]);
            let head = format!(" ago: no node can take {name} (image busybox)\n");
            assert!(told.out.contains(&head), "{told:?}");
            for (node, zone) in [("node0", "a"), ("node1", "b"), ("node2", "c")] {
                assert_eq!(
                    line(&told, node),
                    format!(
                        "refused  constraint: fails constraint zone==nowhere ({node} has zone={zone})"
                    )
                );
            }
        }
    }
}

#[test]
fn a_soft_wish_that_is_not_met_is_a_warning_that_names_it() {
    let stage = Stage::set("whysoft");
    let name = stage.name("soft");
    let (met, missed) = ("constraint:node==~node2", "constraint:zone==~nowhere");
    let run = stage.ran(&[
        "create", "--name", &name, "-e", met, "-e", missed, "busybox", "true",
    ]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let id = number(&run.err);
    assert_eq!(
        run.err,
        format!(
            "WARNING: soft wish constraint:zone==~nowhere is not met by node2 (flotilla why {id})\n"
        )
    );
    let told = stage.own(&["why", &id]);
    assert!(
        line(&told, "node2").contains("meets 1 of 2 soft wishes"),
        "{told:?}"
    );
    // The CLI keeps the environment in a map, and sends it in any order.
    let behind = [(met, missed), (missed, met)].map(|(one, other)| {
        format!("behind  wishes: meets 0 of 2 soft wishes, node2 1; not {one}, {other}")
    });
    let is_told = behind.iter().any(|text| text == line(&told, "node0"));
    assert!(is_told, "{told:?}");
    let all = stage.ran(&["create", "-e", met, "--name", &stage.name("met"), "busybox"]);
    assert_eq!((all.code, all.err.as_str()), (Some(0), ""), "{all:?}");
}

#[test]
fn classic_says_neither_warnings_nor_numbers() {
    let stage = Stage::set_with("whyclassic", &["--compat", "classic"]);
    let name = stage.name("soft");
    let missed = "constraint:zone==~nowhere";
    let run = stage.ran(&["create", "--name", &name, "-e", missed, "busybox", "true"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
    let hard = "constraint:zone==nowhere";
    let refused = stage.ran(&["create", "-e", hard, "busybox", "true"]);
    assert!(!refused.err.contains("flotilla why"), "{refused:?}");
    assert!(stage.own(&["why", &name]).out.contains(" went to "));
}

#[test]
fn of_many_creates_at_once_each_is_explained_by_the_node_that_has_it() {
    let stage = Stage::set("whymany");
    let caller = Caller::new(stage.flotilla.addr());
    let name = |number: usize| stage.name(&format!("{number:02}"));
    at_once(16, |number| {
        let body = json!({"Image": "busybox", "Env": ["constraint:node!=node1"]});
        let path = format!("/containers/create?name={}", name(number));
        caller.post_json(&path, &body).expect(201);
    });
    for number in 0..16 {
        let told = caller.get(&format!("/flotilla/decisions/{}", name(number)));
        let told = told.expect(200).json();
        let owner = told["Node"].as_str().unwrap();
        let id = told["Container"]["Id"].as_str().unwrap();
        let path = format!("/containers/{id}/json");
        assert!(stage.lab.engine(owner).ask(&path).is_ok(), "{told}");
        let nodes = told["Nodes"].as_array().unwrap();
        let of = |verdict: &str| {
            let of = nodes.iter().filter(|n| n["Verdict"] == verdict);
            of.map(|n| n["Name"].as_str().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(
            (of("chosen"), of("refused")),
            (vec![owner], vec!["node1"]),
            "{told}"
        );
    }
}

#[test]
fn only_the_last_decisions_are_kept() {
    let stage = Stage::set_with("whylast", &["--decisions", "2"]);
    let names = ["one", "two", "three"].map(|n| stage.name(n));
    for name in &names {
        stage.ok(&["create", "--name", name, "busybox", "true"]);
    }
    let list = stage.own(&["why"]);
    assert_eq!(list.out.lines().count(), 3, "{list:?}");
    assert!(list.out.contains(&names[2]) && !list.out.contains(&names[0]));
    let gone = stage.own(&["why", &names[0]]);
    assert_eq!(gone.code, Some(1));
    let start = format!("flotilla: container {} is on node", names[0]);
    assert!(gone.err.starts_with(&start), "{gone:?}");
    assert!(gone.err.contains("only the last 2 since"), "{gone:?}");
    let nothing = stage.own(&["why", "nothing"]).err;
    assert!(
        nothing.starts_with("flotilla: no container and no decision nothing: "),
        "{nothing}"
    );

    let none = Stage::set_with("whynone", &["--decisions", "0"]);
    let hard = "constraint:zone==nowhere";
    let refused = none.ran(&["create", "-e", hard, "busybox", "true"]);
    assert!(!refused.err.contains("flotilla why"), "{refused:?}");
    assert_eq!(none.own(&["why"]).out.lines().count(), 1);
}

#[test]
fn the_form_of_the_json_stays() {
    let stage = Stage::set("whyform");
    let name = stage.name("form");
    stage.sleeper("node1", &name, &["-e", "affinity:image==~busybox"]);
    let caller = Caller::new(stage.flotilla.addr());
    let list = caller.get("/flotilla/decisions").expect(200).json();
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let expected =
        |text: &str| -> BTreeSet<String> { text.split_whitespace().map(str::to_owned).collect() };
    let row = "Id Time Outcome Message Node Container WaitedSeconds";
    assert_eq!(keys(&list[0]), expected(row));
    let id = list[0]["Id"].as_str().unwrap();
    let path = format!("/flotilla/decisions/{id}");
    let one = caller.get(&path).expect(200).json();
    let more = "Strategy Filters Request PlugInFailures Steps MoreSteps Complete Nodes";
    assert_eq!(keys(&one), expected(&format!("{row} {more}")));
    assert_eq!(keys(&one["Container"]), expected("Id Name Image"));
    let asked = "NanoCpus Memory Ports Constraints Affinities Whitelists Tolerations Limits Spreads Pods Globals Queue With Because \
                 Within Plugins Devices Platform Runtime Pod";
    assert_eq!(keys(&one["Request"]), expected(asked));
    let node = "Name Address Verdict Field Reason Image";
    let admitted = format!("{node} Score Parts Wishes Trouble Taint");
    assert_eq!(keys(&one["Nodes"][0]), expected(&admitted));
    assert_eq!(
        keys(&one["Nodes"][0]["Parts"][0]),
        expected("Name Value Unit Of")
    );
    assert_eq!(keys(&one["Nodes"][0]["Wishes"][0]), expected("Wish Met"));
    assert_eq!(keys(&one["Nodes"][1]), expected(node));
    assert_eq!(
        caller
            .get(&format!("/flotilla/decisions/{name}"))
            .expect(200)
            .json(),
        one
    );
}

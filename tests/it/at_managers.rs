//! What operators say of nodes straight at a manager of the engines' swarm-mode cluster counts here too, and stays.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually, output};

/// How long word of a manager may take, on a busy machine.
const HEARD: Duration = Duration::from_secs(60);

/// Runs the docker CLI through Flotilla.
fn through(flotilla: &Flotilla, lab: &Lab, args: &[&str]) -> String {
    let told = output(flotilla.clients(lab).docker().args(args)).unwrap();
    told.trim().to_owned()
}

/// Says something of a node straight at a manager; again while swarm mode itself changes the node.
fn say(lab: &Lab, words: &str, id: &str) {
    let mut args = vec!["node", "update"];
    args.extend(words.split(' '));
    args.push(id);
    let said = || output(lab.engine("node0").docker().args(&args));
    eventually(HEARD, said).unwrap();
}

#[test]
fn what_a_manager_was_told_is_shown_kept_and_placed_by() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    // Of before there was a manager.
    let add = ["node", "update", "--label-add", "ours=1", "node2"];
    through(&flotilla, &lab, &add);
    through(&flotilla, &lab, &["swarm", "init"]);
    through(&flotilla, &lab, &["node", "demote", "node2"]);
    let id = caller.get("/nodes/node2").expect(200).json()["ID"].clone();
    let id = id.as_str().unwrap();
    say(&lab, "--label-add theirs=1 --availability pause", id);

    // Shown at once, by a list, an inspect and a filter.
    let spec = |node: &str| caller.get(&format!("/nodes/{node}")).expect(200).json();
    let shown = spec("node2");
    let labels = json!({"ours": "1", "theirs": "1"});
    assert_eq!(shown["Spec"]["Labels"], labels);
    assert_eq!(shown["Spec"]["Availability"], "pause");
    assert_eq!(shown["Spec"]["Role"], "worker");
    let format = "{{.Hostname}} {{.Availability}}";
    let filter = "node.label=theirs=1";
    let listed = ["node", "ls", "--filter", filter, "--format", format];
    assert_eq!(through(&flotilla, &lab, &listed), "node2 Pause");

    // Placed by, soon.
    let refused = eventually(HEARD, || {
        let answer = caller.create("", &on("node2"));
        match answer.status {
            409 => Ok(answer.message()),
            _ => Err(answer.body),
        }
    })
    .unwrap();
    assert!(refused.contains("paused"), "{refused}");

    // One change here leaves the rest as it was, in both places.
    let add = ["node", "update", "--label-add", "more=1", "node2"];
    through(&flotilla, &lab, &add);
    let labels = json!({"ours": "1", "theirs": "1", "more": "1"});
    let of_manager = || -> Value {
        let path = format!("/nodes/{id}");
        lab.engine("node0").ask(&path).unwrap()
    };
    for spec in [&spec("node2")["Spec"], &of_manager()["Spec"]] {
        assert_eq!(spec["Labels"], labels);
        assert_eq!(spec["Availability"], "pause");
    }
    eventually(HEARD, || {
        let versions = [spec("node2"), of_manager()].map(|node| node["Version"].clone());
        match versions[0] == versions[1] {
            true => Ok(()),
            false => Err(format!("{versions:?}")),
        }
    })
    .unwrap();

    // What was told is the manager's to change, and to take away.
    say(&lab, "--label-rm ours --availability active", id);
    let shown = spec("node2");
    assert_eq!(shown["Spec"]["Labels"], json!({"theirs": "1", "more": "1"}));
    assert_eq!(shown["Spec"]["Availability"], "active");
    let wish = json!({"Env": ["constraint:theirs==1"]});
    eventually(HEARD, || match caller.create("", &wish) {
        made if made.status == 201 => Ok(()),
        other => Err(other.body),
    })
    .unwrap();
}

#[test]
fn an_update_of_a_version_that_a_manager_has_left_is_refused_in_its_words() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    through(&flotilla, &lab, &["swarm", "init"]);
    let shown = caller.get("/nodes/node1").expect(200).json();
    let id = shown["ID"].as_str().unwrap();
    let version = shown["Version"]["Index"].as_u64().unwrap();
    say(&lab, "--label-add theirs=1", id);
    let path = format!("/nodes/{id}/update?version={version}");
    let mut spec = shown["Spec"].clone();
    spec["Availability"] = "drain".into();
    let refused = caller.post_json(&path, &spec);
    let of_engine = Caller::new(lab.engine("node0").address()).post_json(&path, &spec);
    assert_eq!(refused.status, of_engine.status, "{of_engine:?}");
    assert_eq!(refused.message(), of_engine.message());
    let message = refused.message();
    assert!(message.contains("update out of sequence"), "{message}");
    let after = caller.get("/nodes/node1").expect(200).json();
    assert_eq!(after["Spec"]["Labels"], json!({"theirs": "1"}));
    assert_eq!(after["Spec"]["Availability"], "active");
    // With the version that was shown last it works, and counts at once.
    let version = after["Version"]["Index"].as_u64().unwrap();
    let path = format!("/nodes/{id}/update?version={version}");
    spec["Labels"] = after["Spec"]["Labels"].clone();
    caller.post_json(&path, &spec).expect(200);
    let refused = caller.create("", &on("node1")).expect(409).message();
    assert!(refused.contains("drained"), "{refused}");
}

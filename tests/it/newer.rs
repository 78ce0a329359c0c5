//! What only newer engines have passes through: all engines here are of 28.5.

use crate::support::clients::needs;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Release, Spec, output, skip};

fn start() -> (Lab, Flotilla) {
    let lab = Lab::start(&Spec::of(&[Release::V28, Release::V28])).unwrap();
    let flotilla = Flotilla::before(&lab);
    (lab, flotilla)
}

#[test]
fn a_networks_families_of_addresses_are_what_was_asked_for() {
    needs!("cli-28");
    let (lab, flotilla) = start();
    if let Some(why) = lab.skipped() {
        skip(why);
        return;
    }
    let mut docker = flotilla.clients(&lab).docker_28().unwrap();
    let args = ["network", "create", "--ipv4=false", "--ipv6", "node1/six"];
    output(docker.args(args)).unwrap();
    let network = lab.engine("node1").ask("/networks/six").unwrap();
    assert_eq!(network["EnableIPv4"], false, "{network}");
    assert_eq!(network["EnableIPv6"], true, "{network}");
}

#[test]
fn an_image_that_is_mounted_is_brought_along() {
    needs!("cli-28");
    let (lab, flotilla) = start();
    if let Some(why) = lab.skipped() {
        skip(why);
        return;
    }
    let from = lab.engine("node0");
    let tag = ["tag", "busybox:latest", "files:1"];
    output(from.docker().args(tag)).unwrap();
    let made = ["run", "--name", "made", "busybox", "touch", "/marked"];
    output(from.docker().args(made)).unwrap();
    output(from.docker().args(["commit", "made", "files:1"])).unwrap();
    crate::support::lab::eventually(std::time::Duration::from_secs(20), || {
        let list = flotilla.get("/images/files:1/json")?;
        if list.contains("\"Id\"") {
            Ok(())
        } else {
            Err(list)
        }
    })
    .unwrap();
    let mut docker = flotilla.clients(&lab).docker_28().unwrap();
    let run = "run --rm -e constraint:node==node1 --mount type=image,source=files:1,target=/mounted \
        busybox ls /mounted/marked";
    let said = output(docker.args(run.split_whitespace())).unwrap();
    assert_eq!(said, "/mounted/marked");
}

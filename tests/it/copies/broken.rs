//! Copies that break, come as something else, come late, or are no longer wanted.

use super::*;

#[test]
fn a_broken_copy_leaves_nothing_and_the_create_says_why() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let giver = lab.engine("node2");
    big_image(giver, "big:1", 64);
    // Slow enough to be cut in the middle.
    let relay = Relay::before(&giver.address());
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", address("node0"), address("node1"), relay.addr());
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    let before = count_on(lab.engine("node1"));
    relay.hold(Duration::from_millis(2));
    let body = |more: Value| {
        let mut body = json!({"Image": "big:1"});
        body["Env"] = more["Env"].clone();
        body
    };
    let creating = {
        let caller = caller.clone();
        let body = body(on("node1"));
        std::thread::spawn(move || caller.create("cut", &body))
    };
    let limit = Duration::from_secs(60);
    eventually(limit, || {
        match flotilla.log().contains("copying an image") {
            true => Ok(()),
            false => Err(()),
        }
    })
    .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    giver.kill().unwrap();
    let answer = creating.join().unwrap().expect(500);
    let message = answer.message();
    let start = "image big:1 could not be copied from node2 to node1: ";
    assert!(message.starts_with(start), "{message}");
    assert_eq!(count_on(lab.engine("node1")), before);
    assert!(caller.containers().is_empty());

    relay.hold(Duration::ZERO);
    giver.restart().unwrap();
    flotilla.wait_for_nodes(3);
    caller.create("cut", &body(on("node1"))).expect(201);
}

#[test]
fn a_copy_that_arrives_as_another_image_is_none() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let giver = lab.engine("node2");
    let docker = |args: &[&str]| output(giver.docker().args(args)).unwrap();
    docker(&["run", "--name", "maker", "busybox", "true"]);
    let label = "LABEL word=genuine";
    let id = docker(&["commit", "--change", label, "maker", "app:1"]);
    let id = id.trim().to_owned();
    docker(&["rm", "maker"]);
    // The layers arrive as they are; what they are run with does not.
    let relay = Relay::before(&lab.engine("node1").address());
    relay.swap("genuine", "altered");
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", address("node0"), relay.addr(), address("node2"));
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    let taker = lab.engine("node1");
    let refused = || {
        let (before, had) = (count_on(taker), id_on(taker, "app:1"));
        let body = json!({"Image": "app:1", "Env": ["constraint:node==node1"]});
        let message = caller.create("", &body).expect(500).message();
        let start = "image app:1 could not be copied from node2 to node1: ";
        let why = format!("node1 took it and does not have it as {id}");
        assert!(message.starts_with(&format!("{start}{why}")), "{message}");
        assert!(caller.containers().is_empty());
        // What came is gone, and the name is whose it was.
        assert_eq!((count_on(taker), id_on(taker, "app:1")), (before, had));
    };
    refused();
    assert_eq!(id_on(taker, "app:1"), None);
    output(taker.docker().args(["tag", "busybox", "app:1"])).unwrap();
    // It means the image of node2 again, which came to it last.
    let tag = ["tag", &id, "app:1"];
    output(giver.docker().args(tag)).unwrap();
    let meant = || match caller.get("/images/app:1/json").json()["Id"] == *id {
        true => Ok(()),
        false => Err(()),
    };
    eventually(Duration::from_secs(30), meant).unwrap();
    refused();
    assert_eq!(id_on(taker, "app:1"), id_on(taker, "busybox"));
}

#[test]
fn a_copy_that_ends_after_a_new_build_is_no_newer_than_what_it_copies() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let relay = Relay::before(&lab.engine("node0").address());
    let address = |name: &str| lab.engine(name).address();
    big_image(lab.engine("node0"), "app:1", 32);
    let all = format!("{},{},{}", relay.addr(), address("node1"), address("node2"));
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    // Slow enough for a build meanwhile, which takes longer than usual on a busy machine.
    relay.hold(Duration::from_millis(50));
    let creating = {
        let caller = caller.clone().with_patience(Duration::from_secs(300));
        let body = json!({"Image": "app:1", "Env": ["constraint:node==node1"]});
        std::thread::spawn(move || caller.create("", &body))
    };
    let limit = Duration::from_secs(60);
    let wait_for = |line: &str| {
        eventually(limit, || match flotilla.log().contains(line) {
            true => Ok(()),
            false => Err(flotilla.log()),
        })
        .unwrap();
    };
    wait_for("copying an image");
    let node2 = lab.engine("node2");
    big_image(node2, "app:1", 1);
    let newest = id_on(node2, "app:1");
    let meant = || {
        let found = caller.get("/images/app:1/json").json();
        found["Id"].as_str().map(str::to_owned)
    };
    eventually(limit, || {
        if meant() == newest {
            Ok(())
        } else {
            Err(meant())
        }
    })
    .unwrap();
    assert!(
        !flotilla.log().contains("image copied"),
        "the copy was too quick"
    );
    relay.hold(Duration::ZERO);
    creating.join().unwrap().expect(201);
    wait_for("image copied");
    assert_eq!(meant(), newest);
}

/// Makes an archive of one file that does not compress.
fn big_archive(mib: u64) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut random = File::open("/dev/urandom").unwrap().take(mib << 20);
    let mut file = File::create(folder.path().join("big")).unwrap();
    std::io::copy(&mut random, &mut file).unwrap();
    let mut tar = Command::new("tar");
    let made = tar.arg("-C").arg(folder.path()).args(["-c", "big"]);
    made.output().unwrap().stdout
}

#[test]
fn a_copy_for_an_import_ends_with_its_client() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let relay = Relay::before(&lab.engine("node0").address());
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", relay.addr(), address("node1"), address("node2"));
    let flotilla = Flotilla::start(lab.folder(), &["--image-spread", "everywhere"], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    // The import itself goes where the least is, which then gives slowly.
    for node in ["node1", "node2"] {
        caller.run_on(node, &format!("on-{node}"));
    }
    relay.hold(Duration::from_millis(10));
    let mut client = Wire::connect(flotilla.addr()).with_patience(CANCELLED);
    let tar = ["Content-Type: application/x-tar"];
    let path = "/images/create?fromSrc=-&repo=held&tag=1";
    client.request("POST", path, &tar, &big_archive(64));
    assert_eq!(client.head().status, 200);
    // Rows show that it goes on.
    for node in ["node1", "node2"] {
        client.read_through(format!("\"id\":\"{node}\"}}\r\n").as_bytes());
    }
    drop(client);
    let ended = || {
        let log = flotilla.log();
        match log.matches("nobody waits for it any more").count() {
            2.. => Ok(()),
            _ => Err(log),
        }
    };
    eventually(CANCELLED, ended).unwrap();
    assert!(!flotilla.log().contains("image copied"));
}

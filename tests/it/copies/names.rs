//! One image under several names, and creates at once that want it: its bytes come once.

use super::*;

#[test]
fn many_creates_wait_for_one_copy() {
    let scene = Scene::start(&Spec::mixed());
    scene.build("node0", "app", "x");
    let body = json!({"Image": "app", "Env": ["constraint:node==node1"]});
    for answer in at_once(12, |n| scene.caller.create(&format!("c{n}"), &body)) {
        answer.expect(201);
    }
    let log = scene.flotilla.log();
    assert_eq!(log.matches("copying an image").count(), 1, "{log}");
    assert_eq!(log.matches("image copied").count(), 1);
}

#[test]
fn two_names_of_one_image_come_with_one_copy() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let giver = lab.engine("node0");
    big_image(giver, "app:1", 16);
    output(giver.docker().args(["tag", "app:1", "app:2"])).unwrap();
    let relay = Relay::before(&giver.address());
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", relay.addr(), address("node1"), address("node2"));
    let mut flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    // Slow enough for the second to come in its middle.
    relay.hold(Duration::from_millis(20));
    let caller = Caller::new(flotilla.addr());
    let creating = ["app:1", "app:2"].map(|image| {
        let (caller, mut body) = (caller.clone(), on("node1"));
        body["Image"] = image.into();
        std::thread::spawn(move || caller.create("", &body))
    });
    eventually(Duration::from_secs(60), || {
        let asked = flotilla.log().matches("an image is to be copied").count();
        if asked == 2 { Ok(()) } else { Err(asked) }
    })
    .unwrap();
    assert!(!flotilla.log().contains("image copied"), "it was too quick");
    relay.hold(Duration::ZERO);
    for create in creating {
        create.join().unwrap().expect(201);
    }
    let log = flotilla.log();
    assert_eq!(log.matches("copying an image").count(), 1, "{log}");
    let node1 = lab.engine("node1");
    let ids = ["app:1", "app:2"].map(|image| id_on(node1, image));
    assert_eq!(ids, ["app:1", "app:2"].map(|image| id_on(giver, image)));
    assert!(ids[0].is_some() && ids[0] == ids[1], "{ids:?}");
    // A name that is asked for later is brought as well, and each means the same after a restart.
    output(giver.docker().args(["tag", "app:1", "app:3"])).unwrap();
    let mut body = on("node1");
    body["Image"] = "app:3".into();
    wait_for(&caller, "app:3");
    caller.create("", &body).expect(201);
    assert_eq!(id_on(node1, "app:3"), ids[0]);
    flotilla.kill();
    let flotilla = Flotilla::before(&lab);
    let inspect = |image: &str| Caller::new(flotilla.addr()).get(&format!("/images/{image}/json"));
    for image in ["app:1", "app:2", "app:3"] {
        assert_eq!(inspect(image).json()["Id"].as_str(), ids[0].as_deref());
    }
}

#[test]
fn a_copy_that_breaks_under_one_name_is_made_under_the_other() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let giver = lab.engine("node0");
    big_image(giver, "app:1", 1);
    output(giver.docker().args(["tag", "app:1", "app:2"])).unwrap();
    let relay = Relay::before(&giver.address());
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", relay.addr(), address("node1"), address("node2"));
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    let create = |image: &str| {
        let (caller, mut body) = (caller.clone(), on("node1"));
        body["Image"] = image.into();
        std::thread::spawn(move || caller.create("", &body))
    };
    let asked = |times: usize| {
        eventually(Duration::from_secs(60), || {
            let asked = flotilla.log().matches("an image is to be copied").count();
            if asked == times { Ok(()) } else { Err(asked) }
        })
        .unwrap();
    };
    let save = "/images/app:1/get";
    relay.mute(save);
    let one = create("app:1");
    asked(1);
    eventually(Duration::from_secs(60), || match relay.muted() {
        0 => Err("not asked for"),
        _ => Ok(()),
    })
    .unwrap();
    let two = create("app:2");
    asked(2);
    relay.sever(save);
    two.join().unwrap().expect(201);
    let message = one.join().unwrap().expect(500).message();
    assert!(
        message.contains("image app:1 could not be copied"),
        "{message}"
    );
    assert_eq!(
        id_on(lab.engine("node1"), "app:2"),
        id_on(giver, "app:2"),
        "it came under its name"
    );
}

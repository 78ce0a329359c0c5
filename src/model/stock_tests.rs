//! What machines have, and what is free of it.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn labels(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    let list = list.iter();
    list.map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn of_label(value: &str) -> Stock {
    let labels = labels(&[("device.gpu", value)]);
    Stock::of(&labels, &Value::Null).remove(GPU).unwrap()
}

fn these(ids: &[&str]) -> Demand {
    Demand {
        amount: Amount::These(ids.iter().map(|i| (*i).to_owned()).collect()),
        ..Demand::count(GPU, 1)
    }
}

fn all() -> Demand {
    Demand {
        amount: Amount::All,
        ..Demand::count(GPU, 1)
    }
}

fn held(demands: &[Demand]) -> Held {
    let mut held = Held::default();
    demands.iter().for_each(|d| held.add(&d.amount));
    held
}

#[test]
fn all_are_not_to_be_had_while_one_is_held_by_as_many_as_may() {
    let mut stock = of_label("4");
    stock.shares = 2;
    let once = held(&[these(&["3"])]);
    assert_eq!(stock.spare(&[&all()], &once), Ok(()));
    let twice = held(&[these(&["3"]), these(&["3"])]);
    let taken = Lack::Taken("3".to_owned(), 2);
    assert_eq!(stock.spare(&[&all()], &twice), Err(taken));
}

#[test]
fn engines_and_labels_tell_what_there_is() {
    let info = json!({
        "GenericResources": [
            {"NamedResourceSpec": {"Kind": "NVIDIA-GPU", "Value": "GPU-1"}},
            {"NamedResourceSpec": {"Kind": "NVIDIA-GPU", "Value": "GPU-2"}},
            {"DiscreteResourceSpec": {"Kind": "SSD", "Value": 3}},
        ],
        "DiscoveredDevices": [
            {"Source": "cdi", "ID": "amd.com/gpu=0"},
            {"Source": "cdi", "ID": "acme.com/fpga=0"},
            {"Source": "cdi", "ID": "acme.com/fpga=F-1"},
            {"Source": "cdi", "ID": "acme.com/fpga=all"},
        ],
    });
    let told = |labels: &[(&str, &str)], info: &Value| {
        let all = Stock::of(&self::labels(labels), info).into_iter();
        let all = all.map(|(kind, s)| format!("{kind} {:?} {:?} {s} {}", s.count, s.ids, s.shares));
        all.collect::<Vec<_>>()
    };
    assert_eq!(
        told(&[], &info),
        [
            r#"fpga Some(1) ["0"] acme 4294967295"#,
            r#"gpu Some(2) ["GPU-1", "GPU-2"] nvidia 1"#,
            r#"ssd Some(3) [] unknown make 1"#,
        ]
    );
    let more = [
        ("device.gpu", "4"),
        ("device.gpu.shares", "2"),
        ("device.gpu.can", "compute, video"),
        ("device.ssd", "a, b"),
        ("device.fpga.shares", "1"),
        ("device.", "1"),
        ("devices", "1"),
    ];
    assert_eq!(
        told(&more, &info),
        [
            r#"fpga Some(1) ["0"] acme 1"#,
            r#"gpu Some(4) [] unknown make, can compute, video 2"#,
            r#"ssd Some(2) ["a", "b"] unknown make 1"#,
        ]
    );
    let runtime = json!({"Runtimes": {"runc": {}, "nvidia": {}}});
    assert_eq!(told(&[], &runtime), [r#"gpu None [] nvidia 1"#]);
    assert!(told(&[], &Value::Null).is_empty());
}

#[test]
fn what_was_only_found_is_for_everybody() {
    let devices = ["0", "1", "GPU-1", "GPU-2", "all"];
    let devices = devices.map(|id| json!({"ID": format!("nvidia.com/gpu={id}")}));
    let info = json!({ "DiscoveredDevices": devices });
    let stock = Stock::of(&BTreeMap::new(), &info).remove(GPU).unwrap();
    let busy = held(&[all(), these(&["0"])]);
    for asked in [all(), these(&["0", "GPU-2"]), Demand::count(GPU, 2)] {
        assert_eq!(stock.spare(&[&asked], &busy), Ok(()), "{asked:?}");
    }
    let three = Demand::count(GPU, 3);
    assert_eq!(stock.spare(&[&three], &busy), Err(Lack::Few(2, 2)));
    let unknown = Lack::Unknown("GPU-3".to_owned());
    assert_eq!(stock.spare(&[&these(&["GPU-3"])], &busy), Err(unknown));
}

#[test]
fn what_is_held_is_not_spare() {
    let two = of_label("GPU-1,GPU-2");
    for (asks, has, expected) in [
        (vec![Demand::count(GPU, 2)], vec![], Ok(())),
        (vec![Demand::count(GPU, 3)], vec![], Err(Lack::Few(2, 2))),
        (
            vec![Demand::count(GPU, 1), Demand::count(GPU, 1)],
            vec![Demand::count(GPU, 1)],
            Err(Lack::Few(1, 2)),
        ),
        (vec![all()], vec![], Ok(())),
        (vec![all()], vec![these(&["0"])], Err(Lack::Few(1, 2))),
        (
            vec![Demand::count(GPU, 1)],
            vec![all()],
            Err(Lack::Few(0, 2)),
        ),
        (vec![these(&["GPU-2"])], vec![these(&["0"])], Ok(())),
        // One device by its ID and by its number.
        (
            vec![these(&["GPU-1"])],
            vec![these(&["0"])],
            Err(Lack::Taken("GPU-1".to_owned(), 1)),
        ),
        (
            vec![these(&["2"])],
            vec![],
            Err(Lack::Unknown("2".to_owned())),
        ),
    ] {
        let asked: Vec<_> = asks.iter().collect();
        assert_eq!(two.spare(&asked, &held(&has)), expected, "{asks:?} {has:?}");
    }
    assert_eq!(
        of_label("0").spare(&[&all()], &Held::default()),
        Err(Lack::Few(0, 0))
    );
}

#[test]
fn shares_make_room_for_more_and_vendors_and_abilities_are_heeded() {
    let mut stock = of_label("1");
    stock.shares = 2;
    assert_eq!(
        stock.spare(&[&these(&["0"])], &held(&[these(&["0"])])),
        Ok(())
    );
    let twice = held(&[these(&["0"]), all()]);
    let taken = Lack::Taken("0".to_owned(), 2);
    assert_eq!(stock.spare(&[&these(&["0"])], &twice), Err(taken));
    assert_eq!(
        stock.spare(&[&Demand::count(GPU, 2)], &Held::default()),
        Err(Lack::Few(2, 2))
    );

    let mut asked = Demand::count("NVIDIA-GPU", 1);
    let free = Held::default();
    assert_eq!(
        stock.spare(&[&asked], &free),
        Ok(()),
        "its make is not told"
    );
    stock.vendor = Some("amd".to_owned());
    let unlike = Err(Lack::Unlike("amd".to_owned()));
    assert_eq!(stock.spare(&[&asked], &free), unlike);
    asked.vendor = None;
    asked.abilities = vec![vec!["video".to_owned()], vec!["compute".to_owned()]];
    assert_eq!(stock.spare(&[&asked], &free), Ok(()));
    stock.abilities = Some(vec!["compute".to_owned()]);
    assert_eq!(stock.spare(&[&asked], &free), Ok(()));
    asked.abilities.pop();
    let unlike = Err(Lack::Unlike("amd, can compute".to_owned()));
    assert_eq!(stock.spare(&[&asked], &free), unlike);
}

proptest! {
    #[test]
    fn no_device_is_given_more_often_than_its_shares(
        count in 0u32..5,
        shares in 1u32..3,
        asks in proptest::collection::vec(prop_oneof![
            (1u32..4).prop_map(|n| Demand::count(GPU, n)),
            Just(all()),
            (0u32..6).prop_map(|n| these(&[&n.to_string()])),
        ], 0..12),
    ) {
        let mut stock = of_label(&count.to_string());
        stock.shares = shares;
        let mut given = Held::default();
        for asked in &asks {
            if stock.spare(&[asked], &given).is_ok() {
                given.add(&asked.amount);
            }
        }
        let slots = given.count + given.all * u64::from(count) + given.these.values().sum::<u64>();
        prop_assert!(slots <= u64::from(count * shares));
        prop_assert!(given.these.iter().all(|(id, n)| *n + given.all <= u64::from(shares) && stock.has(id)));
    }

    #[test]
    fn whatever_labels_say_is_read_without_a_fault(key in "device\\.[a-z.]{0,12}", value in "\\PC{0,12}") {
        let stock = Stock::of(&labels(&[(&key, &value)]), &Value::Null);
        prop_assert!(stock.len() <= 1);
        prop_assert!(stock.values().all(|s| s.shares > 0));
    }
}

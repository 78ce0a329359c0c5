//! What we change in the engines' own JSON about containers: names, addresses of published ports, the node.
//!
//! Invariant: everything else survives as the engine wrote it, unknown fields included (wire rule W18).

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::container::ListEntry;
use super::raw::{Object, quote};
use super::{Manners, NODE_NAME_LABEL, Node};

/// Makes the list entry of a container out of the entry in its engine's list.
///
/// Its canonical name is followed by the node-qualified one (classic shows that alone), ports that bind all addresses show `node_ip` (nothing is
/// changed when that is empty), and a label names the node.
///
/// # Errors
/// The text is not a JSON object, or `Names`, `Ports` or `Labels` are of another type than an engine's.
pub fn splice(
    raw_entry: &str,
    node_name: &str,
    node_ip: &str,
    manners: Manners,
) -> serde_json::Result<ListEntry> {
    let mut entry = Object::parse(raw_entry)?;
    let names = entry
        .get("Names")
        .map(|raw| qualify(raw, node_name, manners))
        .transpose()?;
    if let Some(names) = names {
        entry.set("Names", names);
    }
    if let Some(raw) = entry.get("Ports").filter(|_| !node_ip.is_empty()) {
        let ports = place(raw, "IP", node_ip)?;
        entry.set("Ports", ports);
    }
    let labels = label(&entry, node_name)?;
    entry.set("Labels", labels);
    Ok(cut(&entry))
}

/// Makes the answer of a container inspect out of the engine's: it gains `Node` and the label with the node's name,
/// and published ports that bind all addresses show the node's.
///
/// # Errors
/// The text is not a JSON object, or a part that is changed is of another type than an engine's.
pub fn inspect(raw: &str, node: &Node) -> serde_json::Result<String> {
    let answer = Object::parse(raw)?;
    let described = node.described.get_or_init(|| describe(node).into());
    match inserted(raw, &answer, node, described) {
        Some(json) => Ok(json),
        None => rewritten(raw, answer, node, described),
    }
}

/// Makes the answer of an inspect by replacing parts of the engine's.
fn rewritten(
    raw: &str,
    mut answer: Object<'_>,
    node: &Node,
    described: &str,
) -> serde_json::Result<String> {
    if let Some(raw) = answer.get("Config").filter(|raw| *raw != "null") {
        let mut config = Object::parse(raw)?;
        let labels = label(&config, &node.name)?;
        config.set("Labels", labels);
        let config = config.to_json();
        answer.set("Config", config);
    }
    if let Some(raw) = answer
        .get("NetworkSettings")
        .filter(|raw| *raw != "null" && !node.ip.is_empty())
    {
        let settings = place_published(raw, &node.ip)?;
        answer.set("NetworkSettings", settings);
    }
    answer.set("Node", described.to_owned());
    let mut json = answer.to_json();
    if raw.ends_with('\n') {
        json.push('\n');
    }
    Ok(json)
}

/// Makes the same answer where nothing has to be replaced, which is so for most containers: what is new is put into the
/// engine's text, and nothing is written twice. `None` where it is otherwise.
fn inserted(raw: &str, answer: &Object<'_>, node: &Node, described: &str) -> Option<String> {
    let publishes = |settings: &str| !node.ip.is_empty() && settings.contains("\"HostIp\"");
    if answer.get("NetworkSettings").is_some_and(publishes) || answer.get("Node").is_some() {
        return None;
    }
    let config = Object::parse(answer.get("Config")?).ok()?;
    let labels = config.get("Labels")?;
    let known = Object::parse(labels).ok()?;
    if known.get(NODE_NAME_LABEL).is_some() {
        return None;
    }
    // The labels are a piece of the engine's text; its last character is their closing brace.
    let inside = labels.as_ptr().addr() - raw.as_ptr().addr() + labels.len() - 1;
    let end = raw.rfind('}')?;
    let comma = if known.iter().next().is_some() {
        ","
    } else {
        ""
    };
    let (label, name) = (quote(NODE_NAME_LABEL), quote(&node.name));
    let (before, between, after) = (&raw[..inside], &raw[inside..end], &raw[end..]);
    let parts = [
        before,
        comma,
        &label,
        ":",
        &name,
        between,
        ",\"Node\":",
        described,
        after,
    ];
    Some(parts.concat())
}

/// Adds `/node/name` after each canonical name; link aliases (`/web/db`) stay alone. Classic puts the node before all.
fn qualify(raw: &str, node_name: &str, manners: Manners) -> serde_json::Result<String> {
    let Some(names) = serde_json::from_str::<Option<Vec<String>>>(raw)? else {
        return Ok(raw.to_owned());
    };
    let mut all = Vec::with_capacity(names.len() * 2);
    for name in names {
        if manners.is_classic() {
            all.push(quote(&format!("/{node_name}{name}")));
            continue;
        }
        let plain = name.strip_prefix('/').unwrap_or(&name);
        let qualified = (!plain.contains('/')).then(|| format!("/{node_name}/{plain}"));
        all.push(quote(&name));
        all.extend(qualified.as_deref().map(quote));
    }
    Ok(format!("[{}]", all.join(",")))
}

/// Replaces the addresses under `key` that mean "all of the host" by `ip`, in a list of port bindings.
///
/// Engines with IPv6 list each binding twice, for `0.0.0.0` and `::`; what is then equal is listed once.
fn place(raw: &str, key: &str, ip: &str) -> serde_json::Result<String> {
    let Some(bindings) = serde_json::from_str::<Option<Vec<&RawValue>>>(raw)? else {
        return Ok(raw.to_owned());
    };
    let mut placed: Vec<Cow<'_, str>> = Vec::with_capacity(bindings.len());
    for binding in bindings {
        let mut object = Object::parse(binding.get())?;
        if matches!(
            object.get(key),
            Some(r#""0.0.0.0""# | r#""::""# | r#""[::]""# | r#""""#)
        ) {
            object.set(key, quote(ip));
            let json = object.to_json();
            if !placed.iter().any(|other| *other == json) {
                placed.push(Cow::Owned(json));
            }
        } else {
            placed.push(Cow::Borrowed(binding.get()));
        }
    }
    Ok(format!("[{}]", placed.join(",")))
}

/// Replaces the addresses in `NetworkSettings.Ports` that mean "all of the host" by `ip`.
fn place_published(raw: &str, ip: &str) -> serde_json::Result<String> {
    let mut settings = Object::parse(raw)?;
    let Some(raw_ports) = settings.get("Ports").filter(|raw| *raw != "null") else {
        return Ok(raw.to_owned());
    };
    let mut ports = Object::parse(raw_ports)?;
    let keys: Vec<String> = ports.iter().map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        if let Some(raw) = ports.get(&key) {
            let bindings = place(raw, "HostIp", ip)?;
            ports.set(&key, bindings);
        }
    }
    let ports = ports.to_json();
    settings.set("Ports", ports);
    Ok(settings.to_json())
}

/// Returns the `Labels` of `object` with the node's name among them.
fn label(object: &Object<'_>, node_name: &str) -> serde_json::Result<String> {
    let mut labels = match object.get("Labels") {
        None | Some("null") => Object::default(),
        Some(raw) => Object::parse(raw)?,
    };
    labels.set(NODE_NAME_LABEL, quote(node_name));
    Ok(labels.to_json())
}

/// Writes the object and cuts it around the value of its last `Status`; one is added at the end if it has none.
fn cut(entry: &Object<'_>) -> ListEntry {
    let mut json = entry.to_json();
    // It is kept for as long as the container is there.
    json.shrink_to_fit();
    let mut head = 1;
    let mut found = None;
    for (key, value) in entry.iter() {
        let start = head + quote(key).len() + 1;
        head = start + value.len() + 1;
        if key == "Status" {
            found = Some((start, start + value.len()));
        }
    }
    let bytes = Bytes::from(json);
    if let Some((start, end)) = found {
        return ListEntry {
            head: bytes.slice(..start),
            tail: bytes.slice(end..),
        };
    }
    let mut head = bytes[..bytes.len() - 1].to_vec();
    head.extend_from_slice(br#","Status":"#);
    ListEntry {
        head: Bytes::from(head),
        tail: Bytes::from_static(b"}"),
    }
}

/// Writes classic's `Node` object; memory is in bytes, both amounts are what the machine has.
fn describe(node: &Node) -> String {
    let fact = |key: &str| node.facts.info.get(key).and_then(serde_json::Value::as_i64);
    let cpus = node.capacity.nano_cpus / super::Resources::NANO_PER_CPU;
    serde_json::json!({
        "ID": node.id(),
        "IP": node.ip,
        "Addr": &*node.key,
        "Name": node.name,
        "Cpus": fact("NCPU").unwrap_or(cpus),
        "Memory": fact("MemTotal").unwrap_or(node.capacity.memory_bytes),
        "Labels": node.labels,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::node::Facts;
    use super::*;

    fn spliced(raw: &str, ip: &str) -> String {
        let mut out = Vec::new();
        let entry = splice(raw, "node0", ip, Manners::Engine).unwrap();
        entry.write("Up", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_engines_entry_gains_names_addresses_and_the_label() {
        let raw = r#"{"Id":"9c","Names":["/web","/other/db"],"Image":"a\u003cb","Created":1795485261,"Ports":[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"PrivatePort":99,"Type":"tcp"},{"IP":"127.0.0.1","PrivatePort":1,"PublicPort":2,"Type":"udp"}],"Labels":{"a":"b"},"State":"running","Status":"Up 2 minutes","Big":18446744073709551615,"Mounts":[]}"#;
        let expected = r#"{"Id":"9c","Names":["/web","/node0/web","/other/db"],"Image":"a\u003cb","Created":1795485261,"Ports":[{"IP":"10.0.0.1","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"PrivatePort":99,"Type":"tcp"},{"IP":"127.0.0.1","PrivatePort":1,"PublicPort":2,"Type":"udp"}],"Labels":{"a":"b","com.docker.swarm.node.name":"node0"},"State":"running","Status":"Up","Big":18446744073709551615,"Mounts":[]}"#;
        assert_eq!(spliced(raw, "10.0.0.1"), expected);
    }

    proptest! {
        #[test]
        fn what_is_inserted_is_what_would_be_written_anew(
            labels in proptest::collection::btree_map("[a-z\"\\\\]{0,4}", "[a-z}\"]{0,4}", 0..4),
            named in any::<bool>(), published in any::<bool>(), newline in any::<bool>(),
        ) {
            let mut labels = labels;
            if named { labels.insert(NODE_NAME_LABEL.to_owned(), "other".to_owned()); }
            let ports = if published { serde_json::json!({"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "1"}]}) } else { serde_json::json!({}) };
            let answer = serde_json::json!({
                "Id": "9c", "Config": {"Env": null, "Labels": labels, "Cmd": ["}"]}, "NetworkSettings": {"Ports": ports}, "Z": "}",
            });
            let raw = format!("{answer}{}", if newline { "\n" } else { "" });
            let node = Node { name: "node\"0".to_owned(), ip: "10.0.0.1".to_owned(), ..Node::default() };
            let anew = rewritten(&raw, Object::parse(&raw).unwrap(), &node, &describe(&node)).unwrap();
            let quick = inserted(&raw, &Object::parse(&raw).unwrap(), &node, &describe(&node));
            prop_assert_eq!(quick.is_some(), !named && !published);
            prop_assert!(quick.is_none_or(|quick| quick == anew));
            prop_assert_eq!(inspect(&raw, &node).unwrap(), anew);
        }
    }

    #[test]
    fn twins_with_other_ports_stay_and_no_address_changes_nothing() {
        let raw = r#"{"Names":[],"Ports":[{"IP":"0.0.0.0","PublicPort":1},{"IP":"::","PublicPort":2}],"Labels":null,"Status":""}"#;
        assert_eq!(
            spliced(raw, "10.0.0.1"),
            r#"{"Names":[],"Ports":[{"IP":"10.0.0.1","PublicPort":1},{"IP":"10.0.0.1","PublicPort":2}],"Labels":{"com.docker.swarm.node.name":"node0"},"Status":"Up"}"#
        );
        assert_eq!(
            spliced(raw, ""),
            r#"{"Names":[],"Ports":[{"IP":"0.0.0.0","PublicPort":1},{"IP":"::","PublicPort":2}],"Labels":{"com.docker.swarm.node.name":"node0"},"Status":"Up"}"#
        );
    }

    #[test]
    fn classics_names_have_the_node_before_them_link_aliases_too() {
        let raw = r#"["/web","/other/db"]"#;
        let names = qualify(raw, "node0", Manners::Classic).unwrap();
        assert_eq!(names, r#"["/node0/web","/node0/other/db"]"#);
    }

    #[test]
    fn absent_parts_do_not_hurt() {
        assert_eq!(
            spliced(r#"{"Names":null,"Ports":null}"#, "10.0.0.1"),
            r#"{"Names":null,"Ports":null,"Labels":{"com.docker.swarm.node.name":"node0"},"Status":"Up"}"#
        );
        assert!(splice("[]", "n", "", Manners::Engine).is_err());
        assert!(splice(r#"{"Names":3}"#, "n", "", Manners::Engine).is_err());
    }

    #[test]
    fn inspect_gains_the_node_and_keeps_the_rest() {
        let node = Node {
            key: "10.0.0.1:2375".into(),
            engine_id: "ABCD".into(),
            name: "node0".into(),
            ip: "10.0.0.1".into(),
            labels: BTreeMap::from([("zone".into(), "a".into())]),
            facts: Arc::new(Facts {
                info: serde_json::json!({"NCPU": 2, "MemTotal": 1024}),
                ..Facts::default()
            }),
            ..Node::default()
        };
        let raw = "{\"Id\":\"9c\",\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}},\"Config\":{\"Env\":null,\"Labels\":{\"a\":\"b\"},\"X\":1.50},\"NetworkSettings\":{\"Bridge\":\"\",\"Ports\":{\"443/tcp\":null,\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"},{\"HostIp\":\"::\",\"HostPort\":\"8080\"}]},\"Networks\":{}}}\n";
        let expected = "{\"Id\":\"9c\",\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}},\"Config\":{\"Env\":null,\"Labels\":{\"a\":\"b\",\"com.docker.swarm.node.name\":\"node0\"},\"X\":1.50},\"NetworkSettings\":{\"Bridge\":\"\",\"Ports\":{\"443/tcp\":null,\"80/tcp\":[{\"HostIp\":\"10.0.0.1\",\"HostPort\":\"8080\"}]},\"Networks\":{}},\"Node\":{\"ID\":\"ABCD|10.0.0.1:2375\",\"IP\":\"10.0.0.1\",\"Addr\":\"10.0.0.1:2375\",\"Name\":\"node0\",\"Cpus\":2,\"Memory\":1024,\"Labels\":{\"zone\":\"a\"}}}\n";
        assert_eq!(inspect(raw, &node).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn unknown_members_survive(key in "[a-zA-Z\"\\\\é]{1,8}", number in any::<u64>(), text in ".*", first in any::<bool>()) {
            prop_assume!(!["Names", "Ports", "Labels", "Status"].contains(&key.as_str()));
            let unknown = format!("{}:[{number},{}]", quote(&key), quote(&text));
            let raw = if first {
                format!(r#"{{{unknown},"Status":"x"}}"#)
            } else {
                format!(r#"{{"Status":"x",{unknown}}}"#)
            };
            let json = spliced(&raw, "10.0.0.1");
            prop_assert!(json.contains(&unknown), "{}", json);
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&value["Status"], "Up");
        }

        #[test]
        fn any_text_is_spliced_or_refused(text in ".*") {
            let _ = splice(&text, "n", "10.0.0.1", Manners::Engine);
            let _ = inspect(&text, &Node::default());
        }
    }
}

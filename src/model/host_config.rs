//! What a `HostConfig` and a `Config` ask of a node: resources and ports.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Resources;
use super::container::{Port, PortBinding};
use super::raw::Object;

/// Reads what a `HostConfig` asks of its node. `CpuQuota` counts as the CPUs it allows.
pub fn resources(host: &Object<'_>) -> Resources {
    let number = |key: &str| host.decode::<i64>(key).unwrap_or(0);
    let quota = number("CpuQuota");
    let period = match number("CpuPeriod") {
        0 => 100_000,
        period => period,
    };
    let nano_cpus = match number("NanoCpus") {
        0 if quota > 0 && period > 0 => {
            quota.saturating_mul(Resources::NANO_PER_CPU / 1000) / (period / 1000).max(1)
        }
        nano => nano,
    };
    Resources {
        nano_cpus: nano_cpus.max(0),
        memory_bytes: number("Memory").max(0),
    }
}

/// Reads `HostConfig.PortBindings`. An entry whose port is no number is left to the engine to refuse.
pub fn bindings(host: &Object<'_>) -> Vec<PortBinding> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Binding {
        #[serde(default)]
        host_ip: String,
        #[serde(default)]
        host_port: String,
    }
    let asked: BTreeMap<String, Option<Vec<Binding>>> =
        host.decode("PortBindings").unwrap_or_default();
    let mut ports = Vec::new();
    for (key, wanted) in asked {
        let Some(port) = port(&key) else { continue };
        for binding in wanted.into_iter().flatten() {
            let Some((first, last)) = range(&binding.host_port) else {
                continue;
            };
            ports.push(PortBinding {
                host_ip: binding.host_ip,
                first,
                last,
                port: port.clone(),
            });
        }
    }
    ports
}

/// Reads `Config.ExposedPorts`.
pub fn exposed(config: &Object<'_>) -> Vec<Port> {
    let ports: BTreeMap<String, serde::de::IgnoredAny> =
        config.decode("ExposedPorts").unwrap_or_default();
    ports.keys().filter_map(|key| port(key)).collect()
}

/// Reads `80/tcp`; the protocol may be missing.
fn port(text: &str) -> Option<Port> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    Some(Port {
        number: number.parse().ok()?,
        protocol: protocol.to_ascii_lowercase(),
    })
}

/// Reads a host port: empty (any), `80` or `8000-8010`.
fn range(text: &str) -> Option<(u16, u16)> {
    if text.is_empty() {
        return Some((0, 0));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_count_as_the_cpus_they_allow() {
        let nano = |text: &str| resources(&Object::parse(text).unwrap()).nano_cpus;
        assert_eq!(nano(r#"{"NanoCpus":1500000000}"#), 1_500_000_000);
        assert_eq!(nano(r#"{"CpuQuota":50000}"#), 500_000_000);
        assert_eq!(
            nano(r#"{"CpuQuota":50000,"CpuPeriod":25000}"#),
            2_000_000_000
        );
        assert_eq!(nano(r#"{"CpuQuota":-1,"Memory":-5}"#), 0);
        assert_eq!(nano(r#"{"CpuQuota":1,"CpuPeriod":1}"#), 1_000_000);
    }

    #[test]
    fn bindings_keep_protocol_address_and_range() {
        let host = Object::parse(
            r#"{"PortBindings":{"53/udp":[{"HostIp":"127.0.0.1","HostPort":"53"}],"80":[{"HostPort":"8000-8002"}],"81/tcp":[{}],"x/tcp":[{"HostPort":"1"}]}}"#,
        )
        .unwrap();
        let texts: Vec<String> = bindings(&host).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["127.0.0.1:53/udp", "8000-8002/tcp", "0/tcp"]);
    }
}

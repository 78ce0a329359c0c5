//! What a `HostConfig` and a `Config` ask of a node: resources and ports.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::container::{Port, PortBinding};
use super::raw::Object;
use super::{Manners, Resources};

/// What one CPU is worth as shares on a machine that has no other.
const SHARES: i64 = 1024;

/// Reads what a create asks of its node. Classic takes `CpuShares` for whole CPUs, and nothing else for any.
pub fn asked(host: &Object<'_>, manners: Manners) -> Resources {
    match manners {
        Manners::Engine => resources(host),
        Manners::Classic => whole_cpus(host, cpu_shares(host)),
    }
}

/// Reads what a container on a machine of so many CPUs was promised.
pub fn promised(host: &Object<'_>, manners: Manners, cpus: i64) -> Resources {
    match manners {
        Manners::Engine => resources(host),
        Manners::Classic => whole_cpus(host, cpu_shares(host).saturating_mul(cpus) / SHARES),
    }
}

/// Returns the shares that classic asks of a machine of so many CPUs for `whole` of them.
pub fn shares(whole: i64, cpus: i64) -> i64 {
    let cpus = cpus.max(1);
    whole.saturating_mul(SHARES).saturating_add(cpus - 1) / cpus
}

/// Reads the shares, which an engine takes for a weight.
pub fn cpu_shares(host: &Object<'_>) -> i64 {
    host.decode::<i64>("CpuShares").unwrap_or(0).max(0)
}

/// Puts whole CPUs and the memory of a `HostConfig` together.
fn whole_cpus(host: &Object<'_>, cpus: i64) -> Resources {
    Resources {
        nano_cpus: cpus.saturating_mul(Resources::NANO_PER_CPU),
        ..resources(host)
    }
}

/// Reads what a `HostConfig` asks of its node. `CpuQuota` counts as the CPUs it allows.
fn resources(host: &Object<'_>) -> Resources {
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
    fn classics_shares_are_whole_cpus_there_and_back() {
        let host = Object::parse(r#"{"CpuShares":2,"NanoCpus":500000000,"Memory":7}"#).unwrap();
        let asked = asked(&host, Manners::Classic);
        assert_eq!((asked.nano_cpus, asked.memory_bytes), (2_000_000_000, 7));
        for cpus in 1..=129 {
            for whole in 0..=cpus {
                let text = format!(r#"{{"CpuShares":{}}}"#, shares(whole, cpus));
                let host = Object::parse(&text).unwrap();
                let back = promised(&host, Manners::Classic, cpus).nano_cpus;
                assert_eq!(back, whole * Resources::NANO_PER_CPU, "{whole} of {cpus}");
            }
        }
        assert_eq!(shares(1, 3), 342);
        assert_eq!(promised(&host, Manners::Engine, 4).nano_cpus, 500_000_000);
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

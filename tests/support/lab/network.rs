//! The lab's subnet: a bridge, and a namespace with an address for each engine. The watcher removes them.

use super::Error;
use super::shell::run;

/// The subnet of one lab.
#[derive(Debug)]
pub(super) struct Network {
    number: u8,
}

/// The place of one engine in the subnet.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// The name of the network namespace.
    pub(super) space: String,
    /// The link's end on the bridge.
    pub(super) link: String,
    /// The address in the namespace.
    pub(super) ip: String,
}

impl Network {
    /// Makes the bridge, with the machine itself as 172.31.N.1 on it.
    pub(super) fn create(number: u8) -> Result<Self, Error> {
        let network = Self { number };
        let bridge = network.bridge();
        ip(&format!("link add {bridge} type bridge"))
            .map_err(|error| Error::Missing(format!("a kernel with bridges ({error})")))?;
        ip(&format!("addr add {}/24 dev {bridge}", network.gateway()))?;
        ip(&format!("link set {bridge} up"))?;
        Ok(network)
    }

    /// Returns the machine's own address in the subnet.
    pub(super) fn gateway(&self) -> String {
        format!("172.31.{}.1", self.number)
    }

    /// Makes the namespace of the engine of that index and name, and connects it.
    pub(super) fn add(&self, index: usize, name: &str) -> Result<Host, Error> {
        let number = self.number;
        let host = Host {
            space: format!("flotilla-lab-{number}-{name}"),
            link: format!("flab-{number}-{index}"),
            ip: format!("172.31.{number}.{}", index + 10),
        };
        let Host {
            space,
            link,
            ip: address,
        } = &host;
        let bridge = self.bridge();
        ip(&format!("netns add {space}")).map_err(|error| {
            Error::Missing(format!("the right to make network namespaces ({error})"))
        })?;
        ip(&format!(
            "link add {link} type veth peer name eth0 netns {space}"
        ))
        .map_err(|error| Error::Missing(format!("a kernel with veth links ({error})")))?;
        ip(&format!("link set {link} master {bridge} up"))?;
        ip(&format!("-n {space} addr add {address}/24 dev eth0"))?;
        ip(&format!("-n {space} link set eth0 up"))?;
        ip(&format!("-n {space} link set lo up"))?;
        ip(&format!(
            "-n {space} route add default via {}",
            self.gateway()
        ))?;
        Ok(host)
    }

    fn bridge(&self) -> String {
        format!("flab-{}", self.number)
    }
}

/// Runs `ip` with these words.
pub(super) fn ip(words: &str) -> Result<String, Error> {
    run("ip", words.split(' '))
}

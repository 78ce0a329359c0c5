//! Creates that name several networks, on engines that take one: the others are connected afterwards.
//!
//! A client that speaks API 1.44 or newer sends them all at once; where its container goes to an older engine, the same
//! is reached with the calls that older clients make (Engine API 1.44).

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::engine::{Engine, Error};
use crate::model::raw::{Object, quote};

/// The first API version, as minor number, at which a create may name several networks.
const SEVERAL: u16 = 44;
/// How long an engine may take to connect a container to a network, or to remove it again.
const DEADLINE: Duration = Duration::from_secs(20);

/// A create in two steps.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// The body of the create, which names one network.
    pub(super) body: Bytes,
    /// The other networks, each with its settings as JSON.
    later: Vec<(String, String)>,
}

impl Split {
    /// Splits a body that was made for API `asked` and goes to an engine at API `sent`; `None` when it can go as it is.
    pub(super) fn of(body: &Bytes, asked: u16, sent: u16) -> Option<Self> {
        if asked < SEVERAL || sent >= SEVERAL {
            return None;
        }
        let text = std::str::from_utf8(body).ok()?;
        let mut top = Object::parse(text).ok()?;
        let host = top.get_folded("HostConfig").unwrap_or("{}");
        let mode: String = Object::parse(host)
            .ok()?
            .decode("NetworkMode")
            .unwrap_or_default();
        let networking = top.get_folded("NetworkingConfig")?.to_owned();
        let mut networking = Object::parse(&networking).ok()?;
        let endpoints = networking.get_folded("EndpointsConfig")?.to_owned();
        let endpoints = Object::parse(&endpoints).ok()?;
        if endpoints.len() < 2 {
            return None;
        }
        // The one that the container's mode names is its first, as on a newer engine.
        let named = endpoints.iter().position(|(name, _)| name == mode);
        let first = named.unwrap_or_default();
        let mut kept = Object::default();
        let mut later = Vec::new();
        for (at, (name, settings)) in endpoints.iter().enumerate() {
            match at == first {
                true => kept.set(name, settings.to_owned()),
                false => later.push((name.to_owned(), settings.to_owned())),
            }
        }
        networking.set_folded("EndpointsConfig", kept.to_json());
        top.set_folded("NetworkingConfig", networking.to_json());
        let body = top.to_json().into();
        Some(Self { body, later })
    }

    /// Connects the container that was created to its other networks; one that cannot be is removed again.
    ///
    /// # Errors
    /// The engine refused a network, in its words, or failed.
    pub(super) async fn complete(&self, engine: &Engine, id: &str) -> Result<(), Error> {
        let Err(error) = self.connect(engine, id).await else {
            return Ok(());
        };
        let path = format!("/containers/{id}?force=1&v=1");
        let removed = engine.client().call(Method::DELETE, &path, None, DEADLINE);
        if let Err(error) = removed.await {
            tracing::warn!(container = id, %error, "cannot remove a container that lacks a network");
        }
        Err(error)
    }

    async fn connect(&self, engine: &Engine, id: &str) -> Result<(), Error> {
        for (network, settings) in &self.later {
            let network: String = form_urlencoded::byte_serialize(network.as_bytes()).collect();
            let path = format!("/networks/{}/connect", network.replace('+', "%20"));
            let id = quote(id);
            let body = format!("{{\"Container\":{id},\"EndpointConfig\":{settings}}}");
            let call = engine
                .client()
                .call(Method::POST, &path, Some(body.into()), DEADLINE);
            call.await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"{"Image":"a","HostConfig":{"NetworkMode":"back"},"NetworkingConfig":{"EndpointsConfig":{"front":{"Aliases":["x"]},"back":{"Links":null}}}}"#;

    #[test]
    fn the_network_of_the_mode_is_created_with_and_the_others_are_connected() {
        let split = Split::of(&TWO.into(), 51, 41).unwrap();
        assert_eq!(
            split.body,
            r#"{"Image":"a","HostConfig":{"NetworkMode":"back"},"NetworkingConfig":{"EndpointsConfig":{"back":{"Links":null}}}}"#
        );
        assert_eq!(
            split.later,
            [("front".into(), r#"{"Aliases":["x"]}"#.into())]
        );
    }

    #[test]
    fn what_the_engine_takes_or_the_client_may_not_send_stays_whole() {
        assert_eq!(Split::of(&TWO.into(), 51, 44), None);
        assert_eq!(Split::of(&TWO.into(), 41, 41), None);
        for one in [
            "{}",
            r#"{"NetworkingConfig":null}"#,
            r#"{"NetworkingConfig":{"EndpointsConfig":{"back":{}}}}"#,
        ] {
            assert_eq!(Split::of(&one.into(), 51, 41), None, "{one}");
        }
    }
}

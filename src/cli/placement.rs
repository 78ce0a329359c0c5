//! Where new containers go: strategy, filters and their options, checked.

use std::time::Duration;

use super::error::Error;
use super::manage::Placement;
use super::settings::{duration, pairs};
use crate::model::Manners;
use crate::scheduler::strategy;

/// All filters, in the order they run unless told otherwise.
const FILTERS: [&str; 9] = [
    "health",
    "port",
    "containerslots",
    "limit",
    "dependency",
    "affinity",
    "constraint",
    "whitelist",
    "spread",
];
/// The most decisions that can be kept.
const DECISIONS: usize = 10_000;
/// The share that classic gives beyond what an engine has.
const OVERCOMMIT: f64 = 0.05;

impl Placement {
    /// Returns the strategy under the one name it has here.
    pub(super) fn strategy(&self) -> Result<String, Error> {
        // A name means the same whatever the habits.
        let strategy = strategy::parse(&self.strategy, Manners::Engine)?;
        Ok(strategy.name().to_owned())
    }

    /// Returns the plug-ins that are to be loaded beside those of the strategy.
    pub(super) fn plug_ins(&self) -> Result<Vec<String>, Error> {
        let mut all = Vec::new();
        for given in &self.strategy_plugin {
            let strategy = strategy::parse(given, Manners::Engine)?;
            let names = strategy.plug_ins();
            if names.is_empty() {
                return Err(Error::Named(format!(
                    "--strategy-plugin should be script:PATH, wasm:PATH or http://HOST:PORT/PATH, \"{given}\" is not"
                )));
            }
            all.extend(names.into_iter().map(str::to_owned));
        }
        Ok(all)
    }

    /// Returns the filters in the order given.
    pub(super) fn filters(&self) -> Result<Option<Vec<String>>, Error> {
        if let Some(unknown) = self.filters.iter().find(|f| !FILTERS.contains(&f.as_str())) {
            tracing::debug!(filter = %unknown, "unknown filter");
            return Err(Error::Value("filter not supported"));
        }
        Ok((!self.filters.is_empty()).then(|| self.filters.clone()))
    }

    /// Returns the overcommit and the number of retries of a create.
    pub(super) fn options(&self) -> Result<(f64, u32), Error> {
        let (mut overcommit, mut create_retry) = (OVERCOMMIT, 0);
        for (key, value) in pairs("--cluster-opt", &self.cluster_opt)? {
            match key.as_str() {
                "swarm.overcommit" => overcommit = read_overcommit(&value)?,
                "swarm.createretry" => create_retry = read_retry(&value)?,
                _ => tracing::warn!(key, "unknown --cluster-opt ignored"),
            }
        }
        Ok((overcommit, create_retry))
    }

    /// Returns how many decisions are kept.
    pub(super) fn decisions(&self) -> Result<usize, Error> {
        let count = self.decisions.parse().ok();
        count.filter(|c| *c <= DECISIONS).ok_or_else(|| {
            let given = &self.decisions;
            Error::Named(format!(
                "--decisions should be a whole number up to {DECISIONS}, \"{given}\" is not"
            ))
        })
    }

    /// Returns how long a create waits for room.
    pub(super) fn queue_timeout(&self) -> Result<Duration, Error> {
        let flag = "--queue-timeout";
        let span = duration(flag, &self.queue_timeout)?.not_negative();
        span.ok_or(Error::Value("--queue-timeout should not be negative"))
    }

    /// Returns whether a pull goes to every engine.
    pub(super) fn images_everywhere(&self) -> Result<Option<bool>, Error> {
        match self.image_spread.as_deref() {
            None => Ok(None),
            Some("everywhere") => Ok(Some(true)),
            Some("on-demand") => Ok(Some(false)),
            Some(other) => Err(Error::Named(format!(
                "--image-spread should be everywhere or on-demand, \"{other}\" is not"
            ))),
        }
    }
}

/// Reads the share beyond what an engine has.
fn read_overcommit(text: &str) -> Result<f64, Error> {
    let value: f64 = text
        .parse()
        .ok()
        .filter(|v: &f64| v.is_finite())
        .ok_or_else(|| {
            Error::Named(format!(
                "swarm.overcommit should be a number, \"{text}\" is invalid"
            ))
        })?;
    if value <= -1.0 {
        return Err(Error::Named(format!(
            "swarm.overcommit should be larger than -1, {value:.6} is invalid"
        )));
    }
    if value < 0.0 {
        tracing::warn!(
            overcommit = value,
            "less than the resources of each engine will be used"
        );
    }
    Ok(value)
}

/// Reads how often a create is tried again.
fn read_retry(text: &str) -> Result<u32, Error> {
    let value: i64 = text.parse().map_err(|_| {
        Error::Named(format!(
            "swarm.createretry should be a whole number, \"{text}\" is invalid"
        ))
    })?;
    u32::try_from(value).map_err(|_| {
        Error::Named(match value < 0 {
            true => format!("swarm.createretry can not be negative, {value} is invalid"),
            false => format!("swarm.createretry is too large, {value} is invalid"),
        })
    })
}

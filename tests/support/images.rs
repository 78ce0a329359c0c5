//! Images on engines, past any proxy.

#![allow(dead_code, reason = "not every test needs every one")]

use std::time::Duration;

use super::caller::Caller;
use super::lab::{Engine, eventually, output};

/// Returns the ID that an engine has under a name.
pub(crate) fn id_on(engine: &Engine, image: &str) -> Option<String> {
    let found = engine.ask(&format!("/images/{image}/json")).ok()?;
    Some(found["Id"].as_str()?.to_owned())
}

/// Tells whether an engine has an image of this name.
pub(crate) fn has(engine: &Engine, image: &str) -> bool {
    id_on(engine, image).is_some()
}

/// Returns how many images an engine lists, intermediate ones included.
pub(crate) fn count_on(engine: &Engine) -> usize {
    let all = engine.ask("/images/json?all=1").unwrap();
    all.as_array().map_or(0, Vec::len)
}

/// Waits until Flotilla shows an image that was made past it.
pub(crate) fn wait_for(flotilla: &Caller, image: &str) {
    let path = format!("/images/{image}/json");
    let shown = || match flotilla.get(&path) {
        answer if answer.status == 200 => Ok(()),
        answer => Err(answer),
    };
    eventually(Duration::from_secs(20), shown).unwrap();
}

/// Makes an image on one engine, past Flotilla: busybox and bytes that do not compress.
pub(crate) fn big_image(engine: &Engine, image: &str, mib: u32) {
    let fill = format!("head -c {} /dev/urandom > /big", mib << 20);
    let docker = |args: &[&str]| output(engine.docker().args(args)).unwrap();
    docker(&["run", "--name", "maker", "busybox", "sh", "-c", &fill]);
    docker(&["commit", "maker", image]);
    docker(&["rm", "maker"]);
}

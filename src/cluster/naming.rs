//! Names that engines give by chance: two engines may give the same, and in a cluster a name is one container's.

use std::time::Duration;

use http::{Method, StatusCode};

use super::Cluster;
use super::reservation::Reservation;
use crate::engine::{Engine, Refresh};

/// How long an engine may take to rename a container.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often another digit is tried, as often as engines do by themselves.
const TRIES: usize = 6;

/// Renames a new container, which lists show, if its engine gave it by chance a name that another has, or is about to
/// get. What was created with a name has held it all the time.
pub(super) async fn settle(
    cluster: &Cluster,
    engine: &Engine,
    id: &str,
    reservation: &mut Reservation,
) {
    let node = engine.node();
    let Some(container) = node.containers.by_id(id) else {
        return;
    };
    let name = container.name();
    if name.is_empty() || reservation.is_named() || reservation.claim(cluster, id, name) {
        return;
    }
    for other in others(name, id, fastrand::usize(..10)) {
        if !reservation.claim(cluster, id, &other) {
            continue;
        }
        let path = format!("/containers/{id}/rename?name={other}");
        let client = engine.client();
        let renamed = client.call(Method::POST, &path, None, DEADLINE).await;
        match renamed {
            // The engine knows of one that lists do not show yet.
            Err(error) if error.status() == Some(StatusCode::CONFLICT) => continue,
            Err(error) => tracing::warn!(node = %node.name, name, %error, "name is not unique"),
            Ok(_) => tracing::info!(node = %node.name, name, other, "name by chance was taken"),
        }
        cluster.refresh(engine, Refresh::Container(id.into())).await;
        return;
    }
}

/// Returns the names to try in place of one that is taken: with a digit behind it, `digit` first, and at last the short
/// ID, as engines do.
fn others(name: &str, id: &str, digit: usize) -> impl Iterator<Item = String> {
    let digits = (digit..digit + TRIES).map(|d| d % 10);
    let short = id.get(..12).unwrap_or(id).to_owned();
    digits.map(move |d| format!("{name}{d}")).chain([short])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_a_digit_and_at_last_the_id_serves() {
        let all: Vec<_> = others("calm_wu", "0123456789abcdef", 7).collect();
        let digits = ["7", "8", "9", "0", "1", "2"].map(|d| format!("calm_wu{d}"));
        assert_eq!(all[..6], digits);
        assert_eq!(all[6..], ["0123456789ab"]);
    }
}

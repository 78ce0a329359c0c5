//! The table's rows of swarm mode, on an engine that is in none.

use super::row::Row;

/// What engines answer that manage nothing.
const NO_MANAGER: &[u16] = &[503];

/// The rows.
pub(super) const ROWS: &[Row] = &[
    Row::of(NO_MANAGER, "GET", "/swarm"),
    Row::of(NO_MANAGER, "POST", "/swarm/update?version=1").json("{}"),
    Row::of(&[409, 503], "POST", "/swarm/unlock").json(r#"{"UnlockKey":"x"}"#),
    Row::of(NO_MANAGER, "GET", "/swarm/unlockkey"),
    Row::of(&[400, 500], "POST", "/swarm/join").json(r#"{"ListenAddr":"0.0.0.0:2377"}"#),
    Row::of(NO_MANAGER, "POST", "/swarm/leave"),
    Row::of(NO_MANAGER, "GET", "/services"),
    Row::of(NO_MANAGER, "POST", "/services/create").json("{}"),
    Row::of(NO_MANAGER, "GET", "/services/none"),
    Row::of(NO_MANAGER, "DELETE", "/services/none"),
    Row::of(NO_MANAGER, "POST", "/services/none/update?version=1").json("{}"),
    Row::of(NO_MANAGER, "GET", "/services/none/logs?stdout=1"),
    Row::of(NO_MANAGER, "GET", "/tasks/none/logs?stdout=1"),
    Row::of(NO_MANAGER, "GET", "/secrets"),
    Row::of(NO_MANAGER, "POST", "/secrets/create").json("{}"),
    Row::of(NO_MANAGER, "GET", "/secrets/none"),
    Row::of(NO_MANAGER, "DELETE", "/secrets/none"),
    Row::of(NO_MANAGER, "POST", "/secrets/none/update?version=1").json("{}"),
    Row::of(NO_MANAGER, "GET", "/configs").since(30),
    Row::of(NO_MANAGER, "POST", "/configs/create")
        .json("{}")
        .since(30),
    Row::of(NO_MANAGER, "GET", "/configs/none").since(30),
    Row::of(NO_MANAGER, "DELETE", "/configs/none").since(30),
    Row::of(NO_MANAGER, "POST", "/configs/none/update?version=1")
        .json("{}")
        .since(30),
];

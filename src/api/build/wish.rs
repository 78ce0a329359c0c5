//! Wishes for the node of builds whose tunnels do not say them.
//!
//! What buildx builds is inside its tunnels, arguments and all, so those cannot place it. It sends the header (0.29) with
//! a ping alone, before its builds' tunnels, so these go by the last ping of their client.

use http::header;

use super::place;
use crate::api::call::Call;
use crate::api::wish::LIMIT;

/// How clients begin to call themselves that send the header if their user wants it.
const CLIENT: &str = "Docker-Client/";

/// Takes note of what a ping says of the tunnels to come; one of a client that says nothing with any request, as buildx
/// for itself, unsays nothing.
pub(in crate::api) fn note(call: &Call) {
    let agent = call.head.headers.get(header::USER_AGENT);
    let speaks = agent.is_some_and(|agent| agent.as_bytes().starts_with(CLIENT.as_bytes()));
    let mut text = call.wish.text();
    if text.len() > LIMIT {
        // Enough for a build to be refused by.
        text = text.chars().take(LIMIT + 1).collect();
    }
    if speaks || !text.is_empty() {
        call.api.cluster.builds().wish(&place::peer(call), text);
    }
}

/// Adds to a tunnel that says no wish what its client has said before.
pub(super) fn recall(call: &mut Call) {
    if call.wish.is_empty() {
        let said = call.api.cluster.builds().wished(&place::peer(call));
        call.wish.add(said);
    }
}

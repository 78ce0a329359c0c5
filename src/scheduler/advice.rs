//! What plug-ins said of the nodes of one decision: data, so that choosing stays a pure function.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Refusal;
use crate::model::Node;

/// What the plug-ins of a strategy said, each under its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice(pub BTreeMap<String, Result<Opinions, String>>);

/// What one plug-in says of nodes, by key. Of those that it does not name it thinks nothing.
pub type Opinions = HashMap<Arc<str>, Opinion>;

/// What a plug-in says of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// How good it is: 0 to [`super::Score::BEST`].
    Score(u32),
    /// It must not be taken, and why.
    Refused(String),
}

impl Advice {
    /// Returns what a plug-in said; `None` when it failed or was not asked.
    pub(super) fn of(&self, plug_in: &str) -> Option<&Opinions> {
        self.0.get(plug_in)?.as_ref().ok()
    }

    /// Returns the plug-ins that failed, with the reason.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter_map(|(name, said)| Some((name.as_str(), said.as_ref().err()?.as_str())))
    }

    /// Checks that no plug-in refuses a node.
    ///
    /// # Errors
    /// The first that does.
    pub(super) fn admits(&self, node: &Node) -> Result<(), Refusal> {
        for (name, said) in &self.0 {
            let opinion = said.as_ref().ok().and_then(|said| said.get(&node.key));
            if let Some(Opinion::Refused(why)) = opinion {
                return Err(Refusal::new(
                    format!("is refused by {name}"),
                    format!("{}: {why}", node.name),
                    format!("[{name}]"),
                ));
            }
        }
        Ok(())
    }
}

//! Whose habits Flotilla has.

/// Whose habits are followed where an engine's and classic Swarm's differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manners {
    /// An engine's.
    #[default]
    Engine,
    /// Those of classic Swarm 1.2.9 (`--compat classic`).
    Classic,
}

impl Manners {
    /// Tells whether they are those of classic Swarm.
    pub fn is_classic(self) -> bool {
        self == Self::Classic
    }
}

//! What a node's containers use, as measured.

/// What containers of a node use, smoothed over some seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Processors, in billionths; containers that are not measured yet are left out.
    pub nano_cpus: i64,
    /// Memory without caches that are free to take, likewise.
    pub memory_bytes: i64,
    /// How many containers were measured.
    pub measured: usize,
}

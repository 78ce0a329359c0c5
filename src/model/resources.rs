//! What a container asks of its node and what a node has to give.

use std::ops::{Add, Sub};

/// An amount of processor time and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Billionths of a CPU, the unit of `HostConfig.NanoCpus`.
    pub nano_cpus: i64,
    /// Bytes of memory, as `HostConfig.Memory`.
    pub memory_bytes: i64,
}

impl Resources {
    /// Billionths in one CPU.
    pub const NANO_PER_CPU: i64 = 1_000_000_000;

    /// Tells whether nothing is asked.
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl Add for Resources {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            nano_cpus: self.nano_cpus.saturating_add(other.nano_cpus),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }
}

impl Sub for Resources {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            nano_cpus: self.nano_cpus.saturating_sub(other.nano_cpus),
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
        }
    }
}

impl std::iter::Sum for Resources {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}

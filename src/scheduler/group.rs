//! Containers that belong together, as the replicas of one thing do.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL, Node};

/// The word for the service of a compose project; no label of that name can make a group.
const SERVICE: &str = "service";

/// The containers that share with a new one what they are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// The containers of a service of a compose project.
    Service {
        /// The project.
        project: String,
        /// The service.
        service: String,
    },
    /// The containers that have a label with one value.
    Label {
        /// The label.
        label: String,
        /// Its value.
        value: String,
    },
}

impl Group {
    /// Finds the group of a container with these labels: by `service`, or by one of its labels.
    ///
    /// # Errors
    /// It has no such label: what it lacks.
    pub(super) fn of(by: &str, labels: &BTreeMap<String, String>) -> Result<Self, String> {
        let value = |label: &str| {
            let value = labels.get(label).cloned();
            value.ok_or_else(|| format!("the container has no label {label} to be grouped by"))
        };
        match by {
            SERVICE => Ok(Self::Service {
                project: value(COMPOSE_PROJECT_LABEL)?,
                service: value(COMPOSE_SERVICE_LABEL)?,
            }),
            label => Ok(Self::Label {
                label: label.to_owned(),
                value: value(label)?,
            }),
        }
    }

    /// Counts the group's containers on a node that have not ended.
    pub(super) fn count(&self, node: &Node) -> usize {
        let containers = &node.containers;
        match self {
            Self::Service { project, service } => containers.of_service(project, service),
            Self::Label { label, value } => containers.labelled(label, value),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { project, service } => write!(f, "{project}/{service}"),
            Self::Label { label, value } => write!(f, "{label}={value}"),
        }
    }
}

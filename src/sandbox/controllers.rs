//! The control loops of a cluster, as pure steps: from what is to what should be written next.

mod budgets;
mod cronjobs;
mod daemonsets;
mod deployments;
mod endpoints;
mod fit;
mod garbage;
mod jobs;
mod namespaces;
mod nodes;
mod owners;
mod pods;
mod quotas;
mod replicasets;
mod revisions;
mod scheduler;
mod services;
mod statefulsets;

pub use budgets::covers;
pub use cronjobs::schedule::Schedule;
pub use daemonsets::GENERATION as DAEMON_GENERATION;
pub use fit::{Load, requests, sum};
pub use owners::{condition_is_true, set_condition};
pub use services::{assign_node_ports, free_cluster_ip, wrong_node_ports};

use crate::base::seed::Seed;
use crate::sandbox::Controller;
use std::sync::Arc;

/// The loops of a plain cluster in the order in which the world runs them.
pub fn all(seed: Seed) -> Vec<Arc<dyn Controller>> {
    vec![
        Arc::new(namespaces::Namespaces),
        Arc::new(services::Services { seed }),
        Arc::new(deployments::Deployments),
        Arc::new(replicasets::ReplicaSets),
        Arc::new(statefulsets::StatefulSets),
        Arc::new(daemonsets::DaemonSets),
        Arc::new(cronjobs::CronJobs),
        Arc::new(jobs::Jobs),
        Arc::new(nodes::Nodes),
        Arc::new(scheduler::Scheduler),
        Arc::new(endpoints::Endpoints),
        Arc::new(garbage::Garbage),
        Arc::new(budgets::Budgets),
        Arc::new(quotas::Quotas),
    ]
}

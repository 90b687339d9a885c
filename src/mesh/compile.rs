//! From objects to what each proxy is told. The order of the modules is the order of the work: rules as written, the registry of
//! services, what one proxy may see, its clusters, its routes, its listeners; gateways last.

pub mod alias;
pub mod clusters;
pub mod delegate;
pub mod destination;
pub mod discovery;
pub mod egress;
pub mod gateway;
pub mod gateway_api;
pub mod gateway_http;
pub mod gateway_merge;
pub mod hosts;
pub mod http_parts;
pub mod index;
pub mod labels;
pub mod listeners;
pub mod order;
pub mod registry;
pub mod routes;
pub mod rules;
pub mod scope;
pub mod sidecar;
pub mod slice;
pub mod standing;
pub mod touched;
pub mod update;
pub mod workloads;

#[cfg(test)]
mod fields;

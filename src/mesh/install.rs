//! What an installation of Istio consists of: options to objects.

pub mod crds;
pub mod fill;
mod objects;
mod operator;
mod paths;
mod words;

pub(in crate::mesh) use objects::SIDECAR;
pub use operator::{Operator, lay_over};

use crate::k8s::Object;
use crate::mesh::versions::{self, Release};
use serde_json::json;

/// What the person asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstallOptions {
    /// `demo`, `default`, `minimal`, `empty`; "" = what files and settings say, else `default`.
    pub profile: String,
    /// Texts of IstioOperator files, later ones win.
    pub files: Vec<String>,
    /// `--set` texts, `meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY`; win over files and over `profile`.
    pub settings: Vec<String>,
    /// The release to imitate, "" for the default.
    pub version: String,
}

/// A part of an installation, in the order of installing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    Base,
    Pilot,
    EgressGateways,
    IngressGateways,
}

impl Component {
    /// All, in the order of installing (the two gateways at once).
    pub const ALL: [Component; 4] = [Component::Base, Component::Pilot, Component::EgressGateways, Component::IngressGateways];

    /// The value of the label `operator.istio.io/component`.
    pub fn label(self) -> &'static str {
        match self {
            Component::Base => "Base",
            Component::Pilot => "Pilot",
            Component::EgressGateways => "EgressGateways",
            Component::IngressGateways => "IngressGateways",
        }
    }

    /// The name that istioctl shows.
    pub fn title(self) -> &'static str {
        match self {
            Component::Base => "Istio core",
            Component::Pilot => "Istiod",
            Component::EgressGateways => "Egress gateways",
            Component::IngressGateways => "Ingress gateways",
        }
    }
}

/// Why options cannot be rendered; the texts are istioctl's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("merge inputs: profile {0:?} not found: open profiles/{0}.yaml: file does not exist")]
    UnknownProfile(String),
    #[error("could not unmarshal: {0}")]
    Unmarshal(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    NotSimulated(String),
}

/// A rendered installation.
#[derive(Debug, Clone, PartialEq)]
pub struct Installation {
    /// The merged settings.
    pub operator: Operator,
    /// The namespace istio-system, which the installer makes but does not own.
    pub namespace: Object,
    /// The objects of each component, every component listed.
    pub components: Vec<(Component, Vec<Object>)>,
}

/// The release that options ask for.
///
/// # Errors
/// A release that is not imitated.
pub fn release(options: &InstallOptions) -> Result<&'static Release, Error> {
    versions::find(&options.version)
        .ok_or_else(|| Error::NotSimulated(crate::base::not_simulated(&format!("Istio {}", options.version))))
}

/// An installation by component.
///
/// # Errors
/// Unknown profile, path, wrong type, or what is not simulated.
pub fn plan(options: &InstallOptions) -> Result<Installation, Error> {
    let release = release(options)?;
    let operator = operator::merge(options, release)?;
    let mut components = Vec::new();
    for component in Component::ALL {
        let mut of = objects::of(component, &operator)?;
        if component == Component::Base && !of.is_empty() {
            let mut crds = crds::render(release);
            crds.append(&mut of);
            of = crds;
        }
        components.push((component, of.into_iter().map(|o| objects::own(o, component, &operator)).collect()));
    }
    let namespace = Object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}));
    Ok(Installation { operator, namespace, components })
}

/// Every object that `istioctl install` would create, in the order in which it would.
///
/// # Errors
/// As [`plan`].
pub fn render(options: &InstallOptions) -> Result<Vec<Object>, Error> {
    let plan = plan(options)?;
    Ok([plan.namespace].into_iter().chain(plan.components.into_iter().flat_map(|(_, objects)| objects)).collect())
}

/// What an installation runs and is configured by: every object of [`render`] but the CRDs.
///
/// # Errors
/// As [`plan`].
pub fn workings(options: &InstallOptions) -> Result<Vec<Object>, Error> {
    let operator = operator::merge(options, release(options)?)?;
    let mut all = vec![Object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}))];
    for component in Component::ALL {
        all.extend(objects::of(component, &operator)?.into_iter().map(|o| objects::own(o, component, &operator)));
    }
    Ok(all)
}

#[cfg(test)]
mod tests;

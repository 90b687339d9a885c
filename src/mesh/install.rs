//! What an installation of Istio consists of: options to objects.

pub mod crds;

use crate::k8s::Object;

/// What the person asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstallOptions {
    /// `demo`, `default`, `minimal`, `empty`; "" = what files and settings say, else `default`.
    pub profile: String,
    /// Texts of IstioOperator files, later ones win.
    pub files: Vec<String>,
    /// `--set` texts, `meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY`; win over files.
    pub settings: Vec<String>,
    /// The release to imitate, "" for the default.
    pub version: String,
}

/// Why options cannot be rendered; the texts are istioctl's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("profile {0:?} not found: open profiles/{0}.yaml: file does not exist")]
    UnknownProfile(String),
    #[error("could not unmarshal: {0}")]
    Unmarshal(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    NotSimulated(String),
}

/// Every object that `istioctl install` would create, in the order in which it would.
///
/// # Errors
/// Unknown profile, path, wrong type, or what is not simulated.
pub fn render(_options: &InstallOptions) -> Result<Vec<Object>, Error> {
    Ok(Vec::new())
}

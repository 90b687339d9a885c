//! The learner's client of a served sandbox world: HTTPS, by the identity's CA and token.

use crate::sandbox::serve::Identity;
use anyhow::Context;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A client for the world at `url`. Proxy settings of the machine do not apply to loopback.
pub(super) fn https_client(identity: &Identity, url: &str) -> anyhow::Result<kube::Client> {
    let mut config = kube::Config::new(url.parse().context("the sandbox's address")?);
    let certificates = CertificateDer::pem_slice_iter(identity.ca_pem().as_bytes());
    config.root_cert = Some(certificates.map(|c| c.map(|c| c.to_vec())).collect::<Result<_, _>>()?);
    config.auth_info.token = Some(identity.token().to_string().into());
    config.proxy_url = None;
    Ok(kube::Client::try_from(config)?)
}

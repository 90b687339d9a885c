//! The learner's client of a served sandbox world: HTTPS, by the identity's CA and token.

use crate::sandbox::serve::Identity;
use anyhow::Context;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::SocketAddr;

/// For tests: the address of a pipe that the lab's own requests go through instead of to the served port, to see what a slow or broken
/// API does to the screen. Loopback only; certificate and token are what they always are.
const THROUGH: &str = "EGRESS_LAB_API_THROUGH";

/// The pipe's address, where one is named.
pub(super) fn through() -> Option<SocketAddr> {
    std::env::var(THROUGH).ok()?.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())
}

/// What to say about it.
pub(super) fn through_note(address: SocketAddr) -> String {
    format!("requests to the API go through {address}: a test of the lab wants it ({THROUGH})")
}

/// A client for the world at `url`. Proxy settings of the machine do not apply to loopback.
pub(super) fn https_client(identity: &Identity, url: &str) -> anyhow::Result<kube::Client> {
    let mut config = kube::Config::new(url.parse().context("the sandbox's address")?);
    let certificates = CertificateDer::pem_slice_iter(identity.ca_pem().as_bytes());
    config.root_cert = Some(certificates.map(|c| c.map(|c| c.to_vec())).collect::<Result<_, _>>()?);
    config.auth_info.token = Some(identity.token().to_string().into());
    config.proxy_url = None;
    Ok(kube::Client::try_from(config)?)
}

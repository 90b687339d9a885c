//! Who the server is and who may come in: an own CA, a server certificate, a bearer token, and the kubeconfig that holds them.

use super::Error;
use crate::base::clock::{Clock, SystemClock};
use crate::base::seed::Seed;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Everything that has to stay the same for a kubeconfig to keep working.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub ca_pem: String,
    pub certificate_pem: String,
    pub key_pem: String,
    pub token: String,
}

impl Identity {
    /// A new CA (valid from yesterday, for ten years), a certificate for 127.0.0.1 and localhost, and a token.
    ///
    /// # Errors
    /// When the keys cannot be made.
    pub fn create() -> Result<Identity, Error> {
        make().map_err(|e| Error::Certificate(e.to_string()))
    }

    /// The TLS side of the server: HTTP/1.1 only.
    ///
    /// # Errors
    /// When the stored certificate or key cannot be used.
    pub fn server_config(&self) -> Result<Arc<rustls::ServerConfig>, Error> {
        let bad = |e: &dyn std::fmt::Display| Error::Certificate(e.to_string());
        let chain: Vec<CertificateDer> =
            CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes()).collect::<Result<_, _>>().map_err(|e| bad(&e))?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(|e| bad(&e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| bad(&e))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| bad(&e))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn make() -> Result<Identity, rcgen::Error> {
    let mut ca = CertificateParams::new(Vec::default())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "egress-lab sandbox CA");
    ca.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut ca);
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let mut leaf = CertificateParams::new(vec!["localhost".to_string(), "127.0.0.1".to_string()])?;
    leaf.distinguished_name.push(DnType::CommonName, "egress-lab sandbox");
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages.push(KeyUsagePurpose::DigitalSignature);
    leaf.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    validity(&mut leaf);
    let key = KeyPair::generate()?;
    let certificate_pem = leaf.signed_by(&key, &issuer)?.pem();
    let token = format!("{}{}", Seed::fresh().uuid(&["token", "a"]), Seed::fresh().uuid(&["token", "b"])).replace('-', "");
    Ok(Identity { ca_pem, certificate_pem, key_pem: key.serialize_pem(), token })
}

/// From a day before now (clocks differ) for ten years.
fn validity(params: &mut CertificateParams) {
    let yesterday = SystemClock.now().plus_ms(-24 * 3600 * 1000).rfc3339();
    let number = |range: std::ops::Range<usize>| yesterday.get(range).and_then(|t| t.parse::<u16>().ok()).unwrap_or(1);
    let (year, month, day) = (i32::from(number(0..4)), number(5..7) as u8, number(8..10) as u8);
    params.not_before = rcgen::date_time_ymd(year, month, day);
    params.not_after = rcgen::date_time_ymd(year + 10, month, day.min(28));
}

/// The kubeconfig for a served world: context `sandbox`, cluster `sandbox`, user `learner`, everything embedded.
pub fn kubeconfig(identity: &Identity, url: &str) -> String {
    let ca = base64(identity.ca_pem.as_bytes());
    let token = &identity.token;
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: sandbox\n  cluster:\n    certificate-authority-data: {ca}\n    server: {url}\n\
         contexts:\n- name: sandbox\n  context:\n    cluster: sandbox\n    user: learner\ncurrent-context: sandbox\npreferences: {{}}\n\
         users:\n- name: learner\n  user:\n    token: {token}\n"
    )
}

/// Writes a file that only its owner can read, whole or not at all.
///
/// # Errors
/// What the system says.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_os_string();
    fresh.push(format!(".{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = ALPHABET[(n >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i <= chunk.len() { letter } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        for (text, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), want);
        }
    }

    #[test]
    fn a_private_file_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kubeconfig");
        write_private(&path, "x").unwrap();
        write_private(&path, "y").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "y");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

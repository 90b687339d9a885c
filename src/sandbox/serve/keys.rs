//! Who the server is and whom it knows: a CA of its own, a token, the kubeconfig that carries both.

use super::Error;
use crate::base::clock::Time;
use crate::base::seed::Seed;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// The CA and the token of a world's door. Kept across restarts for saved worlds.
#[derive(Clone)]
pub struct Identity {
    ca_pem: String,
    ca_key_pem: String,
    token: String,
}

/// How long certificates hold, in days.
const DAYS: i64 = 3650;
const DAY_MS: i64 = 86_400_000;

impl Identity {
    /// A new CA and token. Valid from a day before `now`: clocks differ.
    ///
    /// # Errors
    /// [`Error::Certificate`].
    pub fn fresh(now: Time) -> Result<Identity, Error> {
        let key = KeyPair::generate().map_err(certificate)?;
        let ca = ca_params(now).self_signed(&key).map_err(certificate)?;
        // 256 bits nobody chose: the seeds come from the system's randomness.
        let token: String = (0..4).map(|n| format!("{:016x}", Seed::fresh().hash(&["token", &n.to_string()]))).collect();
        Ok(Identity { ca_pem: ca.pem(), ca_key_pem: key.serialize_pem(), token })
    }

    /// The identity kept in a folder; a new one is made and kept when there is none.
    ///
    /// # Errors
    /// File errors, [`Error::Damaged`].
    pub fn kept_in(folder: &Path, now: Time) -> Result<Identity, Error> {
        let path = folder.join("identity.json");
        match fs::read(&path) {
            Ok(bytes) => {
                let damaged = |why: &str| Error::Damaged { path: path.clone(), why: why.into() };
                let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| damaged(&e.to_string()))?;
                let text =
                    |key: &str| value[key].as_str().map(str::to_string).ok_or_else(|| damaged(&format!("{key} is missing")));
                Ok(Identity { ca_pem: text("ca")?, ca_key_pem: text("key")?, token: text("token")? })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let identity = Identity::fresh(now)?;
                let value = serde_json::json!({"ca": identity.ca_pem, "key": identity.ca_key_pem, "token": identity.token});
                write_private(&path, value.to_string().as_bytes())?;
                Ok(identity)
            }
            Err(error) => Err(Error::file(path, error)),
        }
    }

    /// The bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The CA's certificate.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A TLS server for 127.0.0.1 and localhost, with a new key under the CA.
    ///
    /// # Errors
    /// [`Error::Certificate`].
    pub fn tls(&self, now: Time) -> Result<rustls::ServerConfig, Error> {
        let ca_key = KeyPair::from_pem(&self.ca_key_pem).map_err(certificate)?;
        // The CA's name and key are all that an issuer lends to a certificate.
        let issuer = Issuer::new(ca_params(now), ca_key);
        let key = KeyPair::generate().map_err(certificate)?;
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_string).to_vec();
        let mut params = params("egress-lab sandbox", now);
        params.subject_alt_names = CertificateParams::new(names).map_err(certificate)?.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let cert = params.signed_by(&key, &issuer).map_err(certificate)?;
        let chain = vec![cert.der().clone(), CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).map_err(certificate)?];
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).map_err(certificate)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(certificate)?;
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(certificate)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// A kubeconfig with context and cluster `sandbox` and user `learner`.
    pub fn kubeconfig(&self, port: u16) -> String {
        let ca = crate::k8s::base64::encode(self.ca_pem.as_bytes());
        let token = &self.token;
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: sandbox\npreferences: {{}}\n\
             clusters:\n- name: sandbox\n  cluster:\n    certificate-authority-data: {ca}\n    server: https://127.0.0.1:{port}\n\
             contexts:\n- name: sandbox\n  context:\n    cluster: sandbox\n    namespace: default\n    user: learner\n\
             users:\n- name: learner\n  user:\n    token: {token}\n"
        )
    }
}

fn certificate(error: impl std::fmt::Display) -> Error {
    Error::Certificate(error.to_string())
}

fn ca_params(now: Time) -> CertificateParams {
    let mut params = params("egress-lab sandbox CA", now);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign];
    params
}

fn params(name: &str, now: Time) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let (year, month, day) = now.plus_ms(-DAY_MS).date();
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = now.plus_ms(DAYS * DAY_MS).date();
    params.not_after = rcgen::date_time_ymd(year, month, day);
    params
}

/// Writes a file that only its owner may read, whole or not at all.
///
/// # Errors
/// File errors.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fail = |error| Error::file(path, error);
    let temporary = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    // A file that is there already would keep its mode.
    let _ = fs::remove_file(&temporary);
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary).map_err(fail)?;
    let synced = file.write_all(bytes).and_then(|()| file.sync_all());
    synced.or_else(|error| if super::disk::is_missing(&error) { Ok(()) } else { Err(error) }).map_err(fail)?;
    fs::rename(&temporary, path).map_err(fail)?;
    // The new name is on disk only once its folder is. Where folders cannot be opened the system sees to it.
    if let Some(Ok(folder)) = path.parent().map(fs::File::open) {
        drop(folder.sync_all())
    }
    Ok(())
}

//! Certificates and kubeconfigs on both sides.

use super::Upstream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// The server that a kubeconfig's first cluster and user name.
pub fn upstream(kubeconfig: &Path) -> Upstream {
    let config = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let cluster = config.clusters[0].cluster.as_ref().unwrap();
    let ca = decode(cluster.certificate_authority_data.as_ref().unwrap());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls: Arc<rustls::ClientConfig> = Arc::new(tls.with_root_certificates(roots).with_no_client_auth());
    let address = cluster.server.as_ref().unwrap().strip_prefix("https://").unwrap().to_string();
    Upstream { address, tls: tls.into(), token: token_of(kubeconfig) }
}

/// The token in the file itself: kube hides it.
fn token_of(kubeconfig: &Path) -> String {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    text.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap().to_string()
}

/// A server's side of TLS for 127.0.0.1, and the certificate to trust, as PEM.
pub fn acceptor() -> (tokio_rustls::TlsAcceptor, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = rcgen::CertificateParams::new(vec!["127.0.0.1".to_string()]).unwrap().self_signed(&key).unwrap();
    let private = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_no_client_auth().with_single_cert(vec![cert.der().clone()], private).unwrap();
    (Arc::new(tls).into(), cert.pem())
}

pub fn write_kubeconfig(path: &Path, url: &str, ca: &str, token: &str) {
    let ca = encode(ca.as_bytes());
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: faulty\nclusters:\n- name: faulty\n  cluster:\n    \
         certificate-authority-data: {ca}\n    server: {url}\ncontexts:\n- name: faulty\n  context:\n    cluster: faulty\n    \
         user: ann\n    namespace: default\nusers:\n- name: ann\n  user:\n    token: {token}\n"
    );
    std::fs::write(path, text).unwrap();
}

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for piece in bytes.chunks(3) {
        let n = (0..3).fold(0_u32, |n, i| n << 8 | u32::from(piece.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            match i <= piece.len() {
                true => out.push(ALPHABET[(n >> (18 - 6 * i) & 63) as usize] as char),
                false => out.push('='),
            }
        }
    }
    out
}

fn decode(text: &str) -> Vec<u8> {
    let (mut out, mut n, mut bits) = (Vec::new(), 0_u32, 0);
    for c in text.bytes().filter(|c| *c != b'=' && !c.is_ascii_whitespace()) {
        n = n << 6 | ALPHABET.iter().position(|a| *a == c).unwrap() as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((n >> bits) as u8);
            n &= (1 << bits) - 1;
        }
    }
    out
}

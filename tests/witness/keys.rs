//! Certificates for a run: a public CA for the origins, the mesh's CA for its workloads.

use egress_lab::k8s::Object;
use egress_lab::mesh::envoy::bootstrap::Secrets;
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A certificate authority.
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { params, key, pem }
    }

    /// Certificate and key in PEM for these names; those with a scheme are URIs.
    pub fn issue(&self, names: &[String]) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "lab");
        let name = |n: &String| match Ia5String::try_from(n.as_str()).expect("a plain name") {
            text if n.contains("://") => SanType::URI(text),
            text => SanType::DnsName(text),
        };
        params.subject_alt_names = names.iter().map(name).collect();
        let issuer = Issuer::from_params(&self.params, &self.key);
        (params.signed_by(&key, &issuer).expect("a certificate").pem(), key.serialize_pem())
    }

    /// A TLS server for these names.
    pub fn server(&self, names: &[String]) -> Arc<rustls::ServerConfig> {
        let (certificate, key) = self.issue(names);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_no_client_auth();
        // No protocols of its own: a client that offers some, mesh TLS for one, is not turned away for them.
        Arc::new(builder.with_single_cert(chain, key).expect("a certificate and its key"))
    }
}

/// What the proxies are given. Each pod's identity has a certificate of its own.
pub struct Keys {
    pub public: Authority,
    pub mesh: Authority,
    own: (String, String),
    workloads: Mutex<BTreeMap<String, (String, String)>>,
}

impl Keys {
    pub fn new() -> Keys {
        let (public, mesh) = (Authority::new("lab public CA"), Authority::new("lab mesh CA"));
        let own = public.issue(&["*.example.com".to_string()]);
        Keys { public, mesh, own, workloads: Mutex::new(BTreeMap::new()) }
    }

    /// The secrets of a pod's proxy.
    pub fn of(&self, pod: &Object, domain: &str) -> Secrets {
        let account = Some(pod.str_at(&["spec", "serviceAccountName"])).filter(|a| !a.is_empty()).unwrap_or("default");
        let identity = format!("spiffe://{domain}/ns/{}/sa/{account}", pod.namespace());
        let mut workloads = self.workloads.lock().expect("the certificates");
        let workload = workloads.entry(identity.clone()).or_insert_with(|| self.mesh.issue(&[identity]));
        Secrets {
            workload: workload.clone(),
            mesh_roots: self.mesh.pem.clone(),
            public_roots: self.public.pem.clone(),
            own: self.own.clone(),
        }
    }
}

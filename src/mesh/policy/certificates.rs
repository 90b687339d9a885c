//! Certificates of a gateway's own: which Secret a server names, and whether it is where the gateway looks, in its pod's namespace
//! (Istio: networking/core/gateway.go, credentials/kube/secrets.go).

use crate::k8s::{Object, Snapshot};
use crate::mesh::Cause;
use crate::mesh::compile::gateway::Bound;
use crate::mesh::compile::rules::strings;
use serde_json::Value;

/// What a server of a Gateway says about its own certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// `credentialName`, `credentialNames`; none where it is in files.
    pub credentials: Vec<Named>,
    pub client: Client,
}

/// A credential by name, and where it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    /// `tls.credentialName`.
    pub field: String,
}

/// What clients must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Client {
    #[default]
    Nothing,
    /// A certificate that the server's CA signed.
    Certificate,
}

/// A certificate as a gateway has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    /// `Secret istio-system/cert`.
    pub secret: String,
    /// The server's field that names it.
    pub cause: Cause,
    pub found: Found,
    pub client: Client,
}

/// Whether a certificate is there.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    Yes,
    No(Cause),
    /// It is where this program does not look: in files, or among Secrets that nobody read.
    Unknown,
}

/// Reads `tls` of a server.
pub fn written(tls: Option<&Value>) -> Written {
    let Some(tls) = tls else { return Written::default() };
    let text = |key: &str| tls.get(key).and_then(Value::as_str).unwrap_or("");
    let mut credentials = Vec::new();
    if !text("credentialName").is_empty() {
        credentials.push(Named { name: text("credentialName").into(), field: "tls.credentialName".into() });
    }
    for (i, name) in strings(tls.get("credentialNames").unwrap_or(&Value::Null)).into_iter().enumerate() {
        credentials.push(Named { name, field: format!("tls.credentialNames[{i}]") });
    }
    Written { credentials, client: if text("mode") == "MUTUAL" { Client::Certificate } else { Client::Nothing } }
}

/// Reads `tls` of a Gateway API listener. Secrets of another namespace, or of another kind, are left out: whether they may be used
/// is not looked at here.
pub fn referred(tls: Option<&Value>) -> Written {
    let all = tls.and_then(|t| t.get("certificateRefs")?.as_array()).map_or(&[][..], Vec::as_slice);
    let named = |(i, reference): (usize, &Value)| {
        let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or("");
        let plain = text("namespace").is_empty() && matches!(text("kind"), "" | "Secret") && text("group").is_empty();
        plain.then(|| Named { name: text("name").into(), field: format!("tls.certificateRefs[{i}].name") })
    };
    let credentials: Option<Vec<Named>> = all.iter().enumerate().map(named).collect();
    Written { credentials: credentials.unwrap_or_default(), client: Client::Nothing }
}

/// The certificate of a server at a gateway in this namespace.
pub fn own(bound: &Bound<'_>, namespace: &str, snapshot: &Snapshot, unread: bool) -> Own {
    let written = &bound.server.own;
    let client = written.client;
    let Some(first) = written.credentials.first() else {
        let cause = bound.cause(".tls", "Certificates in files, or behind a reference of this sort, are not modelled.");
        return Own { secret: String::new(), cause, found: Found::Unknown, client };
    };
    // Of several the first that is missing decides: the listener waits for all of them.
    let missing = written.credentials.iter().find_map(|n| Some((n, lacks(snapshot, namespace, &n.name, client)?)));
    let (named, found) = match missing {
        None => (first, Found::Yes),
        Some((named, _)) if unread => (named, Found::Unknown),
        Some((named, text)) => (named, Found::No(bound.cause(&format!(".{}", named.field), &text))),
    };
    let secret = format!("Secret {namespace}/{}", named.name);
    let text = format!(
        "Whether the client trusts the certificate in {secret} is not modelled; a client that does not ask gets through."
    );
    Own { secret, cause: bound.cause(&format!(".{}", named.field), &text), found, client }
}

/// What a credential lacks.
fn lacks(snapshot: &Snapshot, namespace: &str, name: &str, client: Client) -> Option<String> {
    let secret = |name: &str| snapshot.find("", "Secret", namespace, name);
    let holds = |secret: &Object, key: &str| secret.at(&["data", key]).as_str().is_some_and(|v| !v.is_empty());
    let Some(own) = secret(name) else {
        return Some(format!(
            "There is no Secret {name} in namespace {namespace}, where the gateway's pod runs; without a certificate no handshake ends."
        ));
    };
    if !(holds(own, "tls.crt") && holds(own, "tls.key") || holds(own, "cert") && holds(own, "key")) {
        return Some(format!("Secret {namespace}/{name} holds no certificate and key (tls.crt and tls.key, or cert and key)."));
    }
    let ca = holds(own, "ca.crt") || holds(own, "cacert") || secret(&format!("{name}-cacert")).is_some();
    (client == Client::Certificate && !ca).then(|| {
        format!("Neither Secret {namespace}/{name} nor {name}-cacert holds the CA that client certificates are checked with.")
    })
}

impl Own {
    /// Whether the Secret was seen.
    pub fn is_there(&self) -> bool {
        self.found == Found::Yes
    }
}

//! What the checks read and run through the API: objects, logs, commands in pods. Nothing else reaches the world.

use crate::k8s::{Kind, Object, Snapshot};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, LogParams};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The kinds that a trace or a check looks at: group, version, kind, plural.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("", "v1", "Namespace", "namespaces"),
    ("", "v1", "Pod", "pods"),
    ("", "v1", "Service", "services"),
    ("", "v1", "ConfigMap", "configmaps"),
    ("", "v1", "Node", "nodes"),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    ("apps", "v1", "Deployment", "deployments"),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    ("networking.istio.io", "v1", "ServiceEntry", "serviceentries"),
    ("networking.istio.io", "v1", "Gateway", "gateways"),
    ("networking.istio.io", "v1", "VirtualService", "virtualservices"),
    ("networking.istio.io", "v1", "DestinationRule", "destinationrules"),
    ("networking.istio.io", "v1", "Sidecar", "sidecars"),
    ("networking.istio.io", "v1alpha3", "EnvoyFilter", "envoyfilters"),
    ("security.istio.io", "v1", "AuthorizationPolicy", "authorizationpolicies"),
    ("security.istio.io", "v1", "PeerAuthentication", "peerauthentications"),
    ("security.istio.io", "v1", "RequestAuthentication", "requestauthentications"),
    ("telemetry.istio.io", "v1", "Telemetry", "telemetries"),
    ("extensions.istio.io", "v1alpha1", "WasmPlugin", "wasmplugins"),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions"),
    ("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    ("apps", "v1", "ReplicaSet", "replicasets"),
    ("", "v1", "ServiceAccount", "serviceaccounts"),
    ("", "v1", "Event", "events"),
];
/// The kinds at the start of [`KINDS`] that every evaluation reads; the others only when a check names them.
const ALWAYS: usize = 19;
/// The kinds that every evaluation lists: group, version, plural.
pub fn always() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    KINDS[..ALWAYS].iter().map(|(group, version, _, plural)| (*group, *version, *plural))
}

/// Lists read at the same time.
const AT_ONCE: usize = 4;
/// Bytes kept of each output of a command.
const MAX_OUTPUT: u64 = 256 << 10;
/// Lines of a proxy's log that are looked at.
pub const MAX_LOG_LINES: i64 = 2_000;
/// A command in a pod that takes longer is given up.
const MAX_EXEC: Duration = Duration::from_secs(60);

/// Why the API could not be used as needed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the API server did not answer as expected: {}", words(.0))]
    Api(#[from] kube::Error),
    #[error("a command in pod {0} did not end in time")]
    Slow(String),
    #[error("a command in pod {0} ended without saying how")]
    NoStatus(String),
    #[error("the request could not be made: {0}")]
    Request(#[from] http::Error),
}

/// What the API server said, or why there was no answer, in one line.
pub fn words(error: &kube::Error) -> String {
    let kube::Error::Api(status) = error else { return error.to_string() };
    match (status.message.as_str(), status.reason.as_str()) {
        ("", "") => format!("the API server answered {}", status.code),
        ("", reason) => reason.to_string(),
        (sentence, _) => sentence.to_string(),
    }
}

impl Error {
    /// Whether a connection was lost, rather than anything refused or none to be had.
    pub fn is_lost(&self) -> bool {
        match self {
            Error::Api(error @ (kube::Error::HyperError(_) | kube::Error::Service(_))) => {
                let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
                !chain.into_iter().any(|error| error.to_string().contains("(Connect)"))
            }
            Error::NoStatus(_) => true,
            _ => false,
        }
    }
}

/// How a command in a pod ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    pub stdout: String,
    pub stderr: String,
    pub exit_code: i32,
}

/// A reader on a client.
#[derive(Clone)]
pub struct Reader {
    client: kube::Client,
}

impl Reader {
    pub fn new(client: kube::Client) -> Reader {
        Reader { client }
    }

    /// All objects of the kinds that matter, and of `more`. Kinds that the server does not know are none.
    ///
    /// # Errors
    /// [`Error::Api`] when a list is refused for another reason.
    pub async fn snapshot(&self, more: &[Kind]) -> Result<Snapshot, Error> {
        let wanted = |(nth, row): &(usize, &(&str, &str, &str, &str))| {
            *nth < ALWAYS || more.iter().any(|kind| kind.group == row.0 && kind.kind == row.2)
        };
        let rows = KINDS.iter().enumerate().filter(wanted).map(|(_, row)| row);
        // Boxed one by one: the compiler cannot see that a stream of closures' futures may be sent.
        let asked: Vec<BoxFuture<'_, _>> = rows.map(|row| self.list(row).boxed()).collect();
        let lists: Vec<Vec<Object>> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
        let mut snapshot = Snapshot::default();
        lists.into_iter().flatten().for_each(|object| snapshot.put(Arc::new(object)));
        Ok(snapshot)
    }

    async fn list(&self, (group, version, kind, plural): &(&str, &str, &str, &str)) -> Result<Vec<Object>, Error> {
        let (path, api_version) = match *group {
            "" => (format!("/api/{version}/{plural}"), version.to_string()),
            group => (format!("/apis/{group}/{version}/{plural}"), format!("{group}/{version}")),
        };
        let request = http::Request::get(path).body(Vec::new())?;
        let mut list: Value = match self.client.request(request).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) else { return Ok(Vec::new()) };
        Ok(items
            .into_iter()
            .map(|item| {
                let mut object = Object(item);
                object.set(&["apiVersion"], api_version.clone().into());
                object.set(&["kind"], (*kind).into());
                object
            })
            .collect())
    }

    /// The newest lines of a container's log; empty when it has none yet.
    ///
    /// # Errors
    /// [`Error::Api`] when the server refuses.
    pub async fn log(&self, namespace: &str, pod: &str, container: &str, tail: i64) -> Result<String, Error> {
        let params = LogParams { container: Some(container.into()), tail_lines: Some(tail), ..LogParams::default() };
        Ok(Api::<Pod>::namespaced(self.client.clone(), namespace).logs(pod, &params).await?)
    }

    /// Runs a command in a container.
    ///
    /// # Errors
    /// [`Error::Api`] when the server refuses, [`Error::Slow`] after a minute.
    pub async fn exec(&self, namespace: &str, pod: &str, container: &str, argv: &[String]) -> Result<Executed, Error> {
        let run = self.exec_to_end(namespace, pod, container, argv);
        tokio::time::timeout(MAX_EXEC, run).await.unwrap_or_else(|_| Err(Error::Slow(format!("{namespace}/{pod}"))))
    }

    /// Whether what a command in a container prints holds a text, however much it prints.
    ///
    /// # Errors
    /// As [`Reader::exec`].
    pub async fn exec_says(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        argv: &[String],
        text: &str,
    ) -> Result<bool, Error> {
        let params = AttachParams::default().container(container).stdin(false).stdout(true).stderr(false);
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let look = async {
            let mut process = pods.exec(pod, argv, &params).await?;
            Ok(says(process.stdout(), text.as_bytes()).await)
        };
        tokio::time::timeout(MAX_EXEC, look).await.unwrap_or_else(|_| Err(Error::Slow(format!("{namespace}/{pod}"))))
    }

    async fn exec_to_end(&self, namespace: &str, pod: &str, container: &str, argv: &[String]) -> Result<Executed, Error> {
        let params = AttachParams::default().container(container).stdin(false).stdout(true).stderr(true);
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let mut process = pods.exec(pod, argv, &params).await?;
        let (out, err) = (process.stdout(), process.stderr());
        let status = process.take_status();
        let drained = futures::future::join(drain(out), drain(err));
        let ended = async move {
            match status {
                Some(status) => status.await,
                None => None,
            }
        };
        tokio::pin!(drained, ended);
        // A connection that is cut tells no status, and kube then leaves the streams open for ever.
        let ((stdout, stderr), ended) = tokio::select! {
            ended = &mut ended => match ended {
                Some(_) => (drained.await, ended),
                None => return Err(Error::NoStatus(format!("{namespace}/{pod}"))),
            },
            texts = &mut drained => (texts, ended.await),
        };
        let exit_code = ended.as_ref().and_then(exit_code_of).ok_or_else(|| Error::NoStatus(format!("{namespace}/{pod}")))?;
        Ok(Executed { stdout, stderr, exit_code })
    }
}

/// Everything a stream gives, cut at the limit (what comes after is read and dropped, so that the command can end).
async fn drain(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let (mut kept, mut piece) = (Vec::new(), vec![0; 8192]);
    while let Ok(n @ 1..) = stream.read(&mut piece).await {
        let room = (MAX_OUTPUT as usize).saturating_sub(kept.len());
        kept.extend_from_slice(&piece[..n.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Whether a stream holds a text; the end of each piece is kept, since the text may lie across two.
async fn says(stream: Option<impl AsyncRead + Unpin>, text: &[u8]) -> bool {
    let Some(mut stream) = stream else { return false };
    let (mut kept, mut piece) = (Vec::new(), vec![0; 32 << 10]);
    while let Ok(n @ 1..) = stream.read(&mut piece).await {
        kept.extend_from_slice(&piece[..n]);
        if kept.windows(text.len()).any(|window| window == text) {
            return true;
        }
        kept.drain(..kept.len().saturating_sub(text.len()));
    }
    false
}

/// The exit code in the status that ends an exec: 0 for Success, else the cause `ExitCode`.
fn exit_code_of(status: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    // A runtime that finds no such command has no exit code to give; a shell's would be this.
    let message = status.message.as_deref().unwrap_or_default();
    if message.contains("executable file not found") || message.ends_with("no such file or directory: unknown") {
        return Some(127);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?.message.as_ref()?.parse().ok()
}

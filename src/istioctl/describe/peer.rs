//! The mTLS mode that a pod asks of its clients (S: authn.ComposePeerAuthentication).

use super::{Desk, selects};
use crate::base::io::Io;
use crate::base::order::Order;
use crate::istioctl::Stop;
use crate::k8s::Object;
use serde_json::Value;

/// Tells the effective PeerAuthentication and the objects it comes from.
pub async fn authentication(desk: &Desk<'_>, io: &mut Io, namespace: &str, pod: &Object) -> Result<(), Stop> {
    let map = desk.get("/api/v1/namespaces/istio-system/configmaps/istio").await?;
    let missing = || {
        let why = "could not read configmap \"istio\" from namespace \"istio-system\": configmaps \"istio\" not found";
        Stop::failed(format!("failed to fetch mesh config: {why}"))
    };
    let text = map.ok_or_else(missing)?.str_at(&["data", "mesh"]).to_string();
    let root = root_namespace(&text);
    let path = |ns: &str| format!("/apis/security.istio.io/v1/namespaces/{ns}/peerauthentications");
    let mut all = desk.list(&path(&root)).await?;
    all.extend(desk.list(&path(namespace)).await?);
    let labels = pod.labels();
    all.retain(|pa| selects(pa.at(&["spec", "selector", "matchLabels"]), &labels));
    let oldest = |test: &dyn Fn(&Object) -> bool| {
        let mut found: Vec<&Object> = all.iter().filter(|pa| test(pa)).collect();
        found.order_by_key(|pa| pa.str_at(&["metadata", "creationTimestamp"]).to_string());
        found.first().copied()
    };
    let whole = |pa: &Object| pa.at(&["spec", "selector", "matchLabels"]).as_object().is_none_or(|l| l.is_empty());
    let mesh = oldest(&|pa| whole(pa) && pa.namespace() == root);
    let space = oldest(&|pa| whole(pa) && pa.namespace() != root);
    let workload = oldest(&|pa| !whole(pa) && pa.namespace() != root);
    let mode = |pa: &Object| set(pa.at(&["spec", "mtls"])).map(str::to_string);
    let effective = [mesh, space, workload].into_iter().flatten().filter_map(mode).next_back().unwrap_or("PERMISSIVE".into());
    io.say("Effective PeerAuthentication:");
    io.say(&format!("   Workload mTLS mode: {effective}"));
    let ports = workload.and_then(|pa| pa.at(&["spec", "portLevelMtls"]).as_object()).filter(|p| !p.is_empty());
    if let Some(ports) = ports {
        io.say("   Port Level mTLS mode:");
        for (port, mtls) in ports {
            io.say(&format!("      {port}: {}", set(mtls).unwrap_or(&effective)));
        }
    }
    if !all.is_empty() {
        io.say("Applied PeerAuthentication:");
        let names: Vec<String> = all.iter().map(|pa| format!("{}.{}", pa.name(), pa.namespace())).collect();
        io.say(&format!("   {}", names.join(", ")));
    }
    Ok(())
}

/// A mode that is set.
fn set(mtls: &Value) -> Option<&str> {
    mtls["mode"].as_str().filter(|mode| *mode != "UNSET")
}

fn root_namespace(text: &str) -> String {
    let first = crate::base::yaml::parse_documents(text).ok().and_then(|all| all.into_iter().next());
    first.and_then(|v| v["rootNamespace"].as_str().map(str::to_string)).unwrap_or_else(|| "istio-system".into())
}

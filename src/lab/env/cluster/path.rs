//! What a request to a Kubernetes API server is about, read from its method and path
//! (Kubernetes documentation, "API concepts", resource URIs and verbs).

use crate::base::percent::decoded;
use http::Method;
use serde::{Deserialize, Serialize};

/// A place in the API: an object, or with an empty name a collection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// "" is the core group.
    pub group: String,
    pub version: String,
    pub plural: String,
    /// "" for cluster-scoped ones.
    pub namespace: String,
    pub name: String,
}

/// A place, and the part of it that is meant: `exec`, `log`, `status`; "" for the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub place: Place,
    pub part: String,
}

impl Place {
    /// A collection, of the whole cluster.
    pub fn all(group: &str, version: &str, plural: &str) -> Place {
        let (namespace, name) = (String::new(), String::new());
        Place { group: group.into(), version: version.into(), plural: plural.into(), namespace, name }
    }

    /// The same in a namespace ("" for the whole cluster).
    pub fn within(&self, namespace: &str) -> Place {
        Place { namespace: namespace.into(), ..self.clone() }
    }

    /// The path of this place.
    pub fn path(&self) -> String {
        let base = match self.group.as_str() {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        let base = match self.namespace.as_str() {
            "" => base,
            namespace => format!("{base}/namespaces/{namespace}"),
        };
        match self.name.as_str() {
            "" => format!("{base}/{}", self.plural),
            name => format!("{base}/{}/{name}", self.plural),
        }
    }

    /// The same collection with this name.
    pub fn named(&self, name: &str) -> Place {
        Place { name: name.into(), ..self.clone() }
    }

    /// As RBAC names the resource: `serviceentries.networking.istio.io`, `pods`.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Whether it is a namespace, or lies in none.
    pub fn is_cluster_scoped(&self) -> bool {
        self.namespace.is_empty()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => write!(f, "{}", self.resource()),
            ("", name) => write!(f, "{} {name}", self.resource()),
            (namespace, "") => write!(f, "{} in {namespace}", self.resource()),
            (namespace, name) => write!(f, "{} {namespace}/{name}", self.resource()),
        }
    }
}

impl Target {
    /// Reads a path; `None` when it is no resource of the API (discovery, `/version`, anything else).
    pub fn parse(path: &str) -> Option<Target> {
        // Names of RBAC objects may hold a colon.
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(|part| decoded(part, false)).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, plural, name, part) = match rest {
            [] => return None,
            ["namespaces"] => ("", "namespaces", "", ""),
            ["namespaces", name] => ("", "namespaces", *name, ""),
            ["namespaces", name, part @ ("status" | "finalize")] if group.is_empty() => ("", "namespaces", *name, *part),
            ["namespaces", namespace, plural] => (*namespace, *plural, "", ""),
            ["namespaces", namespace, plural, name] => (*namespace, *plural, *name, ""),
            ["namespaces", namespace, plural, name, part, ..] => (*namespace, *plural, *name, *part),
            [plural] => ("", *plural, "", ""),
            [plural, name] => ("", *plural, *name, ""),
            [plural, name, part, ..] => ("", *plural, *name, *part),
        };
        let place = Place::all(group, version, plural).within(namespace).named(name);
        Some(Target { place, part: part.to_string() })
    }

    /// The verb that a server's authorizer is asked for.
    pub fn verb(&self, method: &Method, query: Option<&str>) -> &'static str {
        let collection = self.place.name.is_empty();
        let watches = query.is_some_and(|q| q.split('&').any(|pair| matches!(pair, "watch=1" | "watch=true")));
        match method.as_str() {
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" if collection => "deletecollection",
            "DELETE" => "delete",
            _ if watches => "watch",
            _ if collection => "list",
            _ => "get",
        }
    }

    /// Whether the request may change what the server keeps: not a question in the form of an object (reviews), not a dry run, not a
    /// command in a pod.
    pub fn writes(&self, method: &Method, query: Option<&str>) -> bool {
        let dry = query.is_some_and(|q| q.split('&').any(|pair| pair == "dryRun=All"));
        let asks = matches!(self.place.group.as_str(), "authorization.k8s.io" | "authentication.k8s.io");
        let streams = matches!(self.part.as_str(), "exec" | "attach" | "portforward" | "log" | "proxy" | "token");
        !matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS") && !dry && !asks && !streams
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_the_server_reads_them() {
        for (path, shown, part) in [
            ("/api/v1/namespaces", "namespaces", ""),
            ("/api/v1/namespaces/default", "namespaces default", ""),
            ("/api/v1/namespaces/default/status", "namespaces default", "status"),
            ("/api/v1/namespaces/default/pods", "pods in default", ""),
            ("/api/v1/namespaces/default/pods/test", "pods default/test", ""),
            ("/api/v1/namespaces/default/pods/test/exec", "pods default/test", "exec"),
            ("/api/v1/nodes/n/proxy/metrics", "nodes n", "proxy"),
            ("/apis/apps/v1/namespaces/a/deployments/b/scale", "deployments.apps a/b", "scale"),
            (
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
                "clusterroles.rbac.authorization.k8s.io system:node",
                "",
            ),
        ] {
            let target = Target::parse(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((target.place.to_string().as_str(), target.part.as_str()), (shown, part), "{path}");
        }
        for path in ["/", "/version", "/api", "/api/v1", "/apis/apps/v1", "/.well-known/egress-lab"] {
            assert_eq!(Target::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_question_is_no_write() {
        let of = |path: &str, method: Method, query: &str| Target::parse(path).unwrap().writes(&method, Some(query));
        assert!(of("/api/v1/namespaces/a/pods", Method::POST, ""));
        assert!(of("/api/v1/namespaces/a/pods/b/eviction", Method::POST, ""));
        assert!(!of("/api/v1/namespaces/a/pods", Method::POST, "fieldManager=x&dryRun=All"));
        assert!(!of("/api/v1/namespaces/a/pods/b/exec", Method::POST, ""));
        assert!(!of("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Method::POST, ""));
        assert!(!of("/api/v1/namespaces/a/pods", Method::GET, ""));
    }

    #[test]
    fn verbs_are_those_of_the_authorizer() {
        let verb = |method: Method, path: &str, query: &str| Target::parse(path).unwrap().verb(&method, Some(query));
        assert_eq!(verb(Method::GET, "/api/v1/pods", ""), "list");
        assert_eq!(verb(Method::GET, "/api/v1/pods", "watch=1"), "watch");
        assert_eq!(verb(Method::GET, "/api/v1/namespaces/a", ""), "get");
        assert_eq!(verb(Method::DELETE, "/api/v1/namespaces/a/pods", ""), "deletecollection");
        assert_eq!(verb(Method::PATCH, "/api/v1/namespaces/a/pods/b", ""), "patch");
    }
}

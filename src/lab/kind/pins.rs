//! The names and versions that the lab's kind cluster is made of. One place to raise them.

use crate::lab::tools::version::Version;

/// The cluster's name; its context is `kind-egress-lab`.
pub const CLUSTER: &str = "egress-lab";
/// The context that kind makes for it.
pub const CONTEXT: &str = "kind-egress-lab";
/// The container that is the cluster's only node.
pub const NODE: &str = "egress-lab-control-plane";
/// The network that kind puts its nodes on (unless KIND_EXPERIMENTAL_DOCKER_NETWORK says otherwise).
pub const NETWORK: &str = "kind";
/// The oldest kind that loads images into these nodes (kind v0.32.0 release notes: a containerd upgrade).
pub const KIND_LEAST: Version = Version(0, 32, 0);
/// The kind release that the node images below were published with.
pub const KIND_USUAL: &str = "v0.33.0";
/// Kubernetes 1.36 as kind v0.33.0 publishes it, for amd64 and arm64. Istio 1.30 supports Kubernetes 1.32 to 1.36.
pub const NODE_IMAGE: &str = "kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed";
/// For hosts with cgroup v1, on which Kubernetes 1.35 and newer do not start (kind v0.31.0 release notes).
pub const NODE_IMAGE_CGROUP_V1: &str =
    "kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d";
/// The image that the lessons' test pods run.
pub const CURL_IMAGE: &str = "curlimages/curl:8.1.2";
/// The label on everything that is made outside the cluster, so that it can be found again.
pub const LABEL: &str = "io.github.egress-lab=kind";

const CONFIG: &str = include_str!("../../../assets/kind/cluster.yaml");

/// The file for `kind create cluster --config`, with this node image.
pub fn cluster_config(node_image: &str) -> String {
    CONFIG.replace("{node-image}", node_image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;

    #[test]
    fn the_cluster_is_the_labs_own_pinned_and_not_reachable_from_outside() {
        let config = yaml::parse_documents(&cluster_config(NODE_IMAGE)).unwrap().remove(0);
        assert_eq!(config["name"], CLUSTER);
        assert_eq!(config["kind"], "Cluster");
        assert_eq!(config["nodes"][0]["image"], NODE_IMAGE);
        assert_eq!(config["networking"]["apiServerAddress"], "127.0.0.1");
        assert_eq!((format!("kind-{CLUSTER}"), format!("{CLUSTER}-control-plane")), (CONTEXT.into(), NODE.into()));
        for image in [NODE_IMAGE, NODE_IMAGE_CGROUP_V1] {
            let digest = image.split_once("@sha256:").map(|(_, digest)| digest).unwrap();
            assert!(digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()), "{image}");
        }
    }
}

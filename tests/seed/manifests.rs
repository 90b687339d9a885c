//! The manifests of the seed.

pub const SERVICE_ENTRY: &str = r"
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wikipedia-egress, namespace: default}
spec:
  hosts: [www.wikipedia.org]
  resolution: DNS
  ports:
  - {number: 80, name: http, protocol: HTTP}
  - {number: 443, name: https, protocol: TLS}
";

pub const GATEWAY: &str = r"
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: istio-egressgateway, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [www.wikipedia.org]
";

pub const DESTINATION_RULE: &str = r"
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: egressgateway-for-wikipedia, namespace: istio-system}
spec:
  host: istio-egressgateway.istio-system.svc.cluster.local
  subsets: [{name: wikipedia}]
";

pub const VIRTUAL_SERVICE: &str = r"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wikipedia-egress-gateway, namespace: default}
spec:
  hosts: [www.wikipedia.org]
  gateways: [istio-system/istio-egressgateway, mesh]
  http:
  - match: [{gateways: [mesh], port: 80}]
    route:
    - destination: {host: istio-egressgateway.istio-system.svc.cluster.local, subset: wikipedia, port: {number: 80}}
  - match: [{gateways: [istio-system/istio-egressgateway], port: 80}]
    route:
    - destination: {host: www.wikipedia.org, port: {number: 80}}
";

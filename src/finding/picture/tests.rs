use super::*;
use crate::mesh::Why;

fn cause(object: &str, field: &str) -> Cause {
    Cause::new(object, field, "A sentence.")
}

fn record(outcome: Outcome, path: Path, at: At, hops: Vec<Hop>, cause: Cause) -> Record {
    Record { outcome, path, tls: TlsBy::None, at, status: None, exit_code: 0, hops, cause }
}

fn sidecar() -> Hop {
    let route = cause("VirtualService default/direct", "spec.http[0]");
    let why = Why { route: Some(route), ..Why::default() };
    Hop { proxy: "default/test".into(), listener: Some("0.0.0.0_80".into()), flags: "-".into(), why, ..Hop::default() }
}

fn gateway() -> Hop {
    Hop { proxy: "istio-system/istio-egressgateway-1".into(), listener: Some("0.0.0.0_8080".into()), ..Hop::default() }
}

fn states_of(picture: &Picture) -> String {
    let station = |s: &Station| format!("{}:{}", s.kind.word(), s.state.words());
    picture.stations.iter().map(station).collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_request_is_drawn_as_stopped_where_it_was_stopped() {
    let egress = || Path::Gateway("istio-system/istio-egressgateway".into());
    let none = || cause("default", "x");
    for (record, expected) in [
        (
            record(Outcome::Delivered, egress(), At::Origin, vec![sidecar(), gateway()], none()),
            "pod:passed on | sidecar:passed on | gateway:passed on | destination:ANSWERED",
        ),
        (
            record(Outcome::BlockedRegistryOnly, Path::None, At::Sidecar, vec![sidecar()], none()),
            "pod:passed on | sidecar:STOPPED HERE | destination:not reached",
        ),
        (
            record(Outcome::NoRoute, egress(), At::Gateway, vec![sidecar(), gateway()], none()),
            "pod:passed on | sidecar:passed on | gateway:STOPPED HERE | destination:not reached",
        ),
        (
            record(Outcome::GatewayNotListening, egress(), At::Network, vec![sidecar()], none()),
            "pod:passed on | sidecar:passed on | gateway:DID NOT GET HERE | destination:not reached",
        ),
        (record(Outcome::DnsFailed, Path::None, At::Client, vec![], none()), "pod:STOPPED HERE | destination:not reached"),
        (record(Outcome::Delivered, Path::Uncaptured, At::Origin, vec![], none()), "pod:passed on | destination:ANSWERED"),
        (
            record(Outcome::BlockedNetworkPolicy, Path::Uncaptured, At::Network, vec![], none()),
            "pod:passed on | destination:DID NOT GET HERE",
        ),
        (
            record(Outcome::DeliveredElsewhere, Path::Direct, At::Origin, vec![sidecar()], none()),
            "pod:passed on | sidecar:passed on | destination:STOPPED HERE",
        ),
    ] {
        assert_eq!(states_of(&of_record("http://a.example/x", &record)), expected, "{}", record.outcome);
    }
}

#[test]
fn the_line_that_decided_is_marked_where_it_stands_and_added_where_none_does() {
    let decided = cause("VirtualService default/direct", "spec.http[0]");
    let found = of_record("http://a.example", &record(Outcome::Delivered, Path::Direct, At::Origin, vec![sidecar()], decided));
    let key = &found.stations[found.key()];
    assert_eq!((key.kind, key.parts[key.key().unwrap()].name), (Kind::Sidecar, "route"));
    let other = cause("ConfigMap istio-system/istio", "data.mesh outboundTrafficPolicy.mode");
    let blocked = record(Outcome::BlockedRegistryOnly, Path::None, At::Sidecar, vec![sidecar()], other);
    let found = of_record("http://a.example", &blocked);
    let part = &found.stations[1].parts[0];
    assert!(part.key && part.name == "decided by" && found.key() == 1, "{part:?}");
    let said = text(&found);
    assert!(said.contains("look: kubectl get configmap istio -n istio-system -o yaml"), "{said}");
    assert!(said.contains("2. sidecar default/test, by HTTP: STOPPED HERE"), "{said}");
    assert!(said.lines().all(|line| line.len() <= 80 && line.is_ascii()), "{said}");
}

#[test]
fn only_objects_can_be_opened() {
    let of = |object: &str| Decided { object: object.into(), field: String::new(), text: String::new() };
    assert_eq!(of("Pod default/test").reference(), Some(("Pod", "default", "test")));
    assert_eq!(of("Namespace shop").reference(), Some(("Namespace", "", "shop")));
    for object in ["default", "access log", "", "RBAC get pods", "ServiceEntry "] {
        assert_eq!(of(object).reference(), None, "{object}");
    }
}

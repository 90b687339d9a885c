use super::*;
use crate::base::yaml;
use crate::k8s::Object;
use crate::mesh::Options;
use crate::mesh::draft::{Suppose, Written, draft};
use crate::outside::Outside;

fn found(text: &str, outside: &Outside) -> Found {
    let written = yaml::documents(text).unwrap().into_iter();
    let written = written.map(|d| Written { object: Object(d.value), at: String::new() }).collect();
    let suppose = Suppose { demo: Some("REGISTRY_ONLY".into()), ..Suppose::default() };
    let model = Model::compile(&draft(written, &suppose).unwrap().snapshot, &Options::default());
    let inputs = Inputs { outside, now: Default::default(), seed: crate::base::seed::Seed(0), nth: 1 };
    let found = find_open(&model, &inputs, None);
    for witness in &found.witnesses {
        let pod = witness.client.find(model.snapshot()).unwrap();
        let again = model.trace(&pod, &witness.ask.request().unwrap(), &inputs).record;
        assert_eq!(Cell::of(&again), witness.cell, "a witness can be asked again");
    }
    found
}

fn told(text: &str) -> Vec<String> {
    let found = found(text, &Outside::assumed());
    found.witnesses.iter().map(|w| format!("{} {} {} {}", w.opening.word(), w.cause.object, w.cause.field, w.ask.url)).collect()
}

fn pod(annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop, annotations: {{{annotations}}}}}\nspec: {{containers: [{{name: \
         web, image: nginx}}]}}\n---\n"
    )
}

fn entry(spec: &str) -> String {
    format!(
        "{}apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: out, namespace: shop}}\nspec: {{{spec}}}\n",
        pod("")
    )
}

#[test]
fn a_closed_mesh_has_no_witness() {
    assert_eq!(told(&pod("")), Vec::<String>::new());
    assert_eq!(
        told(&entry(
            "hosts: [a.example], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]"
        )),
        Vec::<String>::new()
    );
}

#[test]
fn each_opening_has_its_witness_and_cause() {
    let injected = "sidecar.istio.io/inject: 'false'";
    for (text, wanted) in [
        (pod(injected), "no-sidecar Pod shop/web metadata.annotations[sidecar.istio.io/inject] http://unregistered.example.com/"),
        (
            pod("traffic.sidecar.istio.io/excludeOutboundPorts: '9999'"),
            "excluded-from-capture Pod shop/web metadata.annotations[traffic.sidecar.istio.io/excludeOutboundPorts] \
             http://unregistered.example.com:9999/",
        ),
        (
            pod("traffic.sidecar.istio.io/excludeOutboundIPRanges: 203.0.113.0/24"),
            "excluded-from-capture Pod shop/web metadata.annotations[traffic.sidecar.istio.io/excludeOutboundIPRanges] \
             https://unregistered.example.com/",
        ),
        (
            entry("hosts: ['*.a.example'], resolution: NONE, ports: [{number: 80, name: http, protocol: HTTP}]"),
            "wildcard-host ServiceEntry shop/out spec.hosts[0] http://sample.a.example/",
        ),
        (
            entry("hosts: ['*.a.example'], resolution: NONE, ports: [{number: 443, name: tls, protocol: TLS}]"),
            "wildcard-server-name ServiceEntry shop/out spec.hosts[0] https://sample.a.example/",
        ),
        (
            entry("hosts: [a.example], resolution: NONE, ports: [{number: 443, name: tls, protocol: TLS}]"),
            "any-address ServiceEntry shop/out spec.resolution https://a.example/",
        ),
        (
            entry("hosts: [a.example], resolution: DNS, ports: [{number: 5432, name: tcp, protocol: TCP}]"),
            "port-without-addresses ServiceEntry shop/out spec.ports[0] (no spec.addresses) https://unregistered.example.com:5432/",
        ),
        (
            entry(
                "hosts: [a.example], addresses: [198.51.100.0/24], resolution: NONE, ports: [{number: 5432, name: tcp, protocol: TCP}]",
            ),
            "network ServiceEntry shop/out spec.addresses tcp://198.51.100.1:5432",
        ),
    ] {
        let told = told(&text);
        assert!(told.contains(&wanted.to_string()), "{wanted}\n{told:#?}");
    }
}

#[test]
fn a_sidecar_resource_that_overrides_the_mesh_is_named() {
    let sidecar = "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: mine, namespace: shop}\nspec: {outboundTrafficPolicy: \
                   {mode: ALLOW_ANY}}\n";
    let told = told(&format!("{}{sidecar}", pod("")));
    assert_eq!(told, ["allow-any Sidecar shop/mine spec.outboundTrafficPolicy.mode http://unregistered.example.com/"]);
}

#[test]
fn what_another_namespace_exports_is_told_once_with_all_that_reach_it() {
    let other = pod("").replace("shop", "bar").replace("name: web", "name: one") + &pod("").replace("shop", "foo");
    let exported = entry("hosts: [a.example], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]");
    let found = found(&format!("{other}{exported}"), &Outside::assumed());
    let witness = found.witnesses.iter().find(|w| w.opening == Opening::Export).expect("an export");
    assert_eq!(
        (witness.cause.to_string_pair(), witness.clients.join(" ")),
        (("ServiceEntry shop/out".into(), "spec.exportTo".into()), "bar/one foo/web".into())
    );
    let kept = exported.replace("hosts: [a.example]", "hosts: [a.example], exportTo: [.]");
    assert!(told(&format!("{other}{kept}")).is_empty());
}

#[test]
fn in_a_known_world_witnesses_are_hosts_that_answer() {
    let text = entry("hosts: ['*.wikipedia.org'], resolution: NONE, ports: [{number: 443, name: tls, protocol: TLS}]");
    let found = found(&text, &Outside::standard());
    let witness = found.witnesses.iter().find(|w| w.opening == Opening::WildcardServerName).expect("a wildcard");
    assert_eq!(witness.cell.outcome, Outcome::Delivered, "{witness:?}");
}

trait Pair {
    fn to_string_pair(&self) -> (String, String);
}

impl Pair for Cause {
    fn to_string_pair(&self) -> (String, String) {
        (self.object.to_string(), self.field.to_string())
    }
}

//! Whole evaluations against an API server made of values: lists and logs. Probes need a world; they are tested with one.

use super::*;
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::check::ctx::Patience;
use crate::k8s::Object;
use crate::lesson::field::{Assert, FieldPath, Pattern, Test};
use crate::lesson::model::{
    Count, FieldTest, LogCheck, LogField, LogRef, MeshConfigCheck, ObjectCheck, PodRef, StepKind, WrongTurn as Turn,
};
use crate::outside::Outside;
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;

/// A client of a server that has these objects, and one log for every container.
fn client(objects: Vec<Value>, log: &'static str) -> kube::Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let objects = objects.clone();
        async move {
            let path = request.uri().path().to_string();
            let answer = match path.ends_with("/log") {
                true => Response::new(Body::from(log.as_bytes().to_vec())),
                false => list(&objects, &path),
            };
            Ok::<_, Infallible>(answer)
        }
    });
    kube::Client::new(service, "default")
}

fn list(objects: &[Value], path: &str) -> Response<Body> {
    let plural = path.rsplit('/').next().unwrap_or("");
    let group = path.strip_prefix("/apis/").map_or("", |rest| rest.split('/').next().unwrap_or(""));
    let of_kind = |object: &&Value| {
        let kind = object["kind"].as_str().unwrap_or("").to_lowercase();
        let fits = plural == format!("{kind}s") || plural == format!("{}ies", kind.trim_end_matches('y'));
        fits && Object((*object).clone()).group() == group
    };
    if group == "security.istio.io" {
        let status = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "no such kind"});
        return Response::builder().status(404).body(Body::from(status.to_string().into_bytes())).unwrap();
    }
    let items: Vec<&Value> = objects.iter().filter(of_kind).collect();
    Response::new(Body::from(json!({"items": items}).to_string().into_bytes()))
}

fn ctx(client: kube::Client) -> Ctx {
    Ctx {
        client,
        revision: Some(7),
        patience: Patience::SETTLED,
        seed: Seed(1),
        outside: Outside::standard(),
        now: Time::LOGICAL_START,
        mends: false,
    }
}

fn entry(host: &str) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": "wikipedia", "namespace": "default"}, "spec": {"hosts": [host]}})
}

fn host(host: &str) -> ObjectCheck {
    let test = Test::Contains(json!(host));
    ObjectCheck {
        kind: Kind::new("networking.istio.io", "ServiceEntry"),
        namespace: Some("default".into()),
        name: None,
        labels: Default::default(),
        select: Vec::new(),
        asserts: vec![Assert { path: FieldPath::parse("spec.hosts").unwrap(), test }],
        count: Count::AtLeast(1),
        visible_from: None,
    }
}

fn step(kinds: Vec<CheckKind>, wrong_turns: Vec<Turn>) -> Step {
    let check = |(nth, kind)| Check {
        id: format!("c{nth}"),
        title: String::new(),
        kind,
        message: "It is not so.".into(),
        hints: Vec::new(),
        within: 20,
    };
    Step {
        id: "s".into(),
        stage: "s".into(),
        title: String::new(),
        kind: StepKind::Do,
        task: Vec::new(),
        question: None,
        actions: Vec::new(),
        files: Vec::new(),
        setup: Vec::new(),
        checks: kinds.into_iter().enumerate().map(check).collect(),
        hints: Vec::new(),
        wrong_turns,
        solution: Vec::new(),
        accepts: Vec::new(),
        mutants: Vec::new(),
        removals: Vec::new(),
        docs: Vec::new(),
        points: 1,
        seconds: 1,
        say: String::new(),
    }
}

fn lesson() -> Lesson {
    Lesson {
        id: "l".into(),
        version: 1,
        title: String::new(),
        summary: Vec::new(),
        objectives: Vec::new(),
        minutes: 1,
        without_mesh_config: None,
        world: Default::default(),
        files: Vec::new(),
        stages: Vec::new(),
        steps: Vec::new(),
        debrief: Vec::new(),
        further: Vec::new(),
        glossary: Vec::new(),
    }
}

async fn judged(objects: Vec<Value>, log: &'static str, step: &Step, ran: &[Ran]) -> Vec<Finding> {
    evaluate(&ctx(client(objects, log)), Work { lesson: &lesson(), step, answer: None, ran }, true).await
}

#[tokio::test]
async fn objects_and_mesh_text_are_read_through_the_client() {
    let mesh = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"},
        "data": {"mesh": "outboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n"}});
    let mode = MeshConfigCheck {
        path: FieldPath::parse("outboundTrafficPolicy.mode").unwrap(),
        test: Test::Equals(json!("REGISTRY_ONLY")),
    };
    let step = step(vec![CheckKind::Object(host("www.wikipedia.org")), CheckKind::MeshConfig(mode)], Vec::new());
    let findings = judged(vec![entry("www.wikipedia.org"), mesh], "", &step, &[]).await;
    assert!(crate::check::all_met(&findings), "{findings:?}");
    assert_eq!(findings[0].revision, Some(7));
    let findings = judged(Vec::new(), "", &step, &[]).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::NotYet), "{findings:?}");
}

#[tokio::test]
async fn the_first_wrong_turn_that_fits_is_told_once_and_never_with_a_pass() {
    let turn = |id: &str, when| Turn { id: id.into(), when, hint: format!("about {id}") };
    let typed = Condition::Typed(Pattern::parse("^istioctl profile").unwrap());
    let apex = Condition::All(vec![Condition::Failed("c0".into()), Condition::Object(host("wikipedia.org"))]);
    let turns = vec![turn("M07", typed), turn("M17", apex), turn("M99", Condition::Failed("c0".into()))];
    let step = step(vec![CheckKind::Object(host("www.wikipedia.org")), CheckKind::Object(host("www.wikipedia.org"))], turns);
    let findings = judged(vec![entry("wikipedia.org")], "", &step, &[]).await;
    let told: Vec<_> = findings.iter().map(|f| (f.verdict, f.wrong_turn.as_ref().map(|t| t.id.as_str()))).collect();
    assert_eq!(told, [(Verdict::WrongTurn, Some("M17")), (Verdict::NotYet, None)]);
    let ran = [Ran { line: "istioctl profile dump".into(), exit_code: 1, output: String::new() }];
    let findings = judged(vec![entry("wikipedia.org")], "", &step, &ran).await;
    assert_eq!(findings[0].wrong_turn.as_ref().unwrap().id, "M07");
    let findings = judged(vec![entry("www.wikipedia.org")], "", &step, &ran).await;
    assert!(findings.iter().all(|f| f.verdict == Verdict::Met && f.wrong_turn.is_none()));
}

#[tokio::test]
async fn log_lines_of_the_checks_themselves_do_not_count() {
    const OWN: &str =
        r#"[t] "GET / HTTP/1.1" 502 - direct_response - "-" 0 0 0 - "-" "egress-lab/1" "id" "h" "-" - - a b - block_all"#;
    const THEIRS: &str =
        r#"[t] "GET / HTTP/1.1" 502 - direct_response - "-" 0 0 0 - "-" "curl/8.1.2" "id" "h" "-" - - a b - block_all"#;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "test", "namespace": "default"},
        "spec": {"containers": [{"name": "test"}, {"name": "istio-proxy"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    let workload = Workload { namespace: "default".into(), pod: PodRef::Name("test".into()), container: None };
    let check = |at_least| {
        CheckKind::Log(LogCheck {
            log: LogRef { workload: workload.clone(), tail: 20 },
            fields: vec![FieldTest { field: LogField::RouteName, pattern: Pattern::parse("^block_all$").unwrap() }],
            at_least,
        })
    };
    let step = step(vec![check(1), check(0)], Vec::new());
    for (log, wanted) in [(OWN, [Verdict::NotYet, Verdict::Met]), (THEIRS, [Verdict::Met, Verdict::NotYet])] {
        let findings = judged(vec![pod.clone()], log, &step, &[]).await;
        assert_eq!([findings[0].verdict, findings[1].verdict], wanted, "{log}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_nobodys_mistake() {
    let service = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::builder().status(503).body(Body::from(b"no".to_vec())).unwrap())
    });
    let step = step(vec![CheckKind::Object(host("www.wikipedia.org"))], Vec::new());
    let findings = evaluate(
        &ctx(kube::Client::new(service, "default")),
        Work { lesson: &lesson(), step: &step, answer: None, ran: &[] },
        true,
    )
    .await;
    assert_eq!(findings[0].verdict, Verdict::EnvironmentFault);
}

#[tokio::test]
async fn a_probe_without_its_pod_says_which_pod_is_missing() {
    let from = Workload { namespace: "default".into(), pod: PodRef::Name("test".into()), container: None };
    let url = "http://www.wikipedia.org/".to_string();
    let request = ProbeRequest { method: "HEAD".into(), url, follow: false, headers: Vec::new() };
    let probe = ProbeCheck { from, request, expect: Vec::new(), blocked: Vec::new(), controls: vec![Control::Mesh] };
    let findings = judged(Vec::new(), "", &step(vec![CheckKind::Probe(probe)], Vec::new()), &[]).await;
    assert_eq!(findings[0].verdict, Verdict::NotYet);
    assert_eq!(findings[0].evidence.observed, "There is no pod test in namespace default.");
}

//! The traffic picture: drawn at every size and in every look, walked with the keys.

use super::*;
use crate::base::clock::Time;
use crate::mesh::Why;
use crate::session::desk::{Answer, Request};

fn hop(proxy: &'static str, parts: [&'static str; 4], decided: [(&str, &str); 2]) -> Hop {
    let cause = |(object, field): (&str, &str)| Some(Cause::new(object, field, "It says so."));
    let why = Why { route: cause(decided[0]), cluster: cause(decided[1]), ..Why::default() };
    Hop {
        proxy: proxy.into(),
        listener: Some(parts[0].into()),
        route_config: Some(parts[1].into()),
        virtual_host: Some(parts[2].into()),
        cluster: Some(parts[3].into()),
        flags: "-".into(),
        why,
        ..Hop::default()
    }
}

/// Through the gateway, and blocked by the sidecar.
fn findings() -> Vec<Finding> {
    let sidecar = hop(
        "default/test",
        ["0.0.0.0_80", "80", "www.wikipedia.org:80", "outbound|80||istio-egressgateway.istio-system.svc.cluster.local"],
        [
            ("VirtualService default/through-egress", "spec.http[0]"),
            ("Service istio-system/istio-egressgateway", "spec.ports[0]"),
        ],
    );
    let gateway = hop(
        "istio-system/istio-egressgateway-6f7bd5f7f4-xk2rq",
        ["0.0.0.0_8080", "http.8080", "www.wikipedia.org:80", "outbound|443||www.wikipedia.org"],
        [("VirtualService default/through-egress", "spec.http[1]"), ("ServiceEntry default/wikipedia", "spec.ports[1]")],
    );
    let through = Record {
        outcome: Outcome::Delivered,
        path: Path::Gateway("istio-system/istio-egressgateway".into()),
        tls: TlsBy::Gateway,
        at: At::Origin,
        status: Some(301),
        exit_code: 0,
        hops: vec![sidecar, gateway],
        cause: Cause::new("VirtualService default/through-egress", "spec.http[0]", "The rule sends the host to the gateway."),
    };
    let blocked = Record {
        outcome: Outcome::BlockedRegistryOnly,
        path: Path::None,
        tls: TlsBy::None,
        at: At::Sidecar,
        status: Some(502),
        hops: vec![Hop {
            proxy: "default/test".into(),
            listener: Some("0.0.0.0_80".into()),
            route_config: Some("80".into()),
            virtual_host: Some("block_all".into()),
            flags: "-".into(),
            log: Some("[2026-01-01T09:00:00.000Z] \"HEAD / HTTP/1.1\" 502 - direct_response - \"-\" 0 0 0 -".into()),
            ..Hop::default()
        }],
        cause: Cause::new(
            "ConfigMap istio-system/istio",
            "data.mesh outboundTrafficPolicy.mode",
            "The mesh lets only registered hosts out, and no ServiceEntry names edition.cnn.com.",
        ),
        ..through.clone()
    };
    let of = |verdict, title: &str, url: &str, record: Record| {
        let mut finding = finding(verdict);
        finding.title = title.into();
        finding.evidence.probe = format!("curl --head {url}");
        let prediction = Some(record.clone());
        finding.evidence.exchanges = vec![Exchanged { url: url.into(), observation: record, prediction }];
        finding
    };
    vec![
        of(Verdict::Met, "Wikipedia goes through the gateway", "http://www.wikipedia.org/", through),
        of(Verdict::NotYet, "CNN is reached", "http://edition.cnn.com/", blocked),
    ]
}

/// The picture is open on two requests, the failed one first; nothing moves any more.
pub(super) fn opened(width: u16, height: u16) -> Play {
    let mut play = Play::doing(width, height);
    play.keys("kubectl exec test -- curl -sI http://a.example<Enter>");
    play.ran("HTTP/1.1 502 Bad Gateway\n");
    let judges = |e: &Effect| matches!(e, Effect::Evaluate { .. });
    assert!(play.open.iter().any(judges), "it is judged");
    while let Some(at) = play.open.iter().rposition(judges) {
        let Effect::Evaluate { tag, .. } = play.open.remove(at) else { unreachable!("found by its kind") };
        play.tell(Event::Evaluated { tag, findings: findings() });
    }
    play.open.clear();
    play.keys("<F6>");
    play.open.append(&mut play.effects.lock().expect("not poisoned"));
    arrive(&mut play);
    play
}

fn arrive(play: &mut Play) {
    play.app.tick(Time(0));
    play.app.tick(Time(5_000));
}

const MAP: &str = "apiVersion: v1\ndata:\n  mesh: |-\n    accessLogFile: /dev/stdout\n    outboundTrafficPolicy:\n      mode: REGISTRY_ONLY\n    trustDomain: cluster.local\nkind: ConfigMap\nmetadata:\n  name: istio\n  namespace: istio-system\n";

pub(super) fn delivered(width: u16, height: u16) -> Play {
    let mut play = opened(width, height);
    play.keys("]");
    arrive(&mut play);
    play
}

pub(super) fn object(width: u16, height: u16) -> Play {
    let mut play = delivered(width, height);
    play.keys("[<Enter>");
    let asks = |request: &Request| {
        *request == Request::Object { kind: "ConfigMap".into(), namespace: "istio-system".into(), name: "istio".into() }
    };
    play.reply(asks, Ok(Answer::Object(MAP.into())));
    play
}

#[test]
fn colours_only_repeat_what_words_say() {
    use crate::tui::theme::Palette;
    for (width, height) in [(120, 40), (80, 24), (60, 20)] {
        let mut play = opened(width, height);
        let with = play.screen();
        for palette in [Palette::None, Palette::Light] {
            play.app.theme = Theme::of(palette);
            assert_eq!(play.screen(), with);
        }
        assert!(with.contains("STOPPED HERE") && with.contains("> decided by"), "{with}");
    }
}

#[test]
fn the_request_moves_from_box_to_box_for_a_second_and_not_at_all_where_nothing_may_move() {
    let mut play = opened(120, 40);
    play.keys("]");
    let mut seen = Vec::new();
    for ms in [0, 200, 500, 800] {
        play.app.tick(Time(ms));
        assert!(play.app.wakes().is_some_and(|after| after.as_millis() <= 50), "{ms}");
        let screen = play.screen();
        assert!(screen.contains('●') || ms == 0, "{ms}: {screen}");
        assert!(!screen.contains("ANSWERED"), "{ms}: {screen}");
        seen.push(screen);
    }
    seen.dedup();
    assert_eq!(seen.len(), 4, "each of them differs");
    play.app.tick(Time(1_001));
    assert!(play.screen().contains("ANSWERED") && play.app.wakes().is_none(), "{}", play.screen());
    play.keys("[");
    play.app.theme.motion = false;
    assert!(play.screen().contains("STOPPED HERE") && play.app.wakes().is_none());
}

#[test]
fn keys_walk_hops_lines_and_requests_and_come_back() {
    let mut play = opened(80, 24);
    assert!(play.screen().contains("> decided by"), "it opens on the line that decided: {}", play.screen());
    play.keys("<Down><Down>");
    assert!(play.screen().contains("> routes"), "{}", play.screen());
    play.keys("<Left>");
    assert!(play.screen().contains("No proxy stands here."), "{}", play.screen());
    play.keys("<Enter>");
    assert!(play.notice().contains("Nothing that can be opened"), "{}", play.notice());
    play.keys("[");
    assert!(play.notice().contains("no other request"));
    play.keys("]");
    assert!(play.screen().contains("http://www.wikipedia.org/   request 2 of 2"), "{}", play.screen());
    assert!(
        matches!(play.keys("Y"), Some(Act::Copy(text)) if text.contains("3. gateway istio-system/istio-egressgateway-6f7bd5f7f4-xk2rq"))
    );
    play.keys("<Esc>");
    assert!(play.lesson_screen().over.is_empty() && play.screen().contains("Output"));
}

#[test]
fn the_learners_own_requests_come_after_those_of_the_check() {
    let mut play = opened(80, 24);
    let wanted = |request: &Request| matches!(request, Request::Way { words } if words.join(" ") == "-I test http://a.example");
    let own = crate::finding::picture::of_findings(&findings()).into_iter().map(|mut picture| {
        picture.check = None;
        picture.url = "http://a.example".into();
        picture
    });
    play.reply(wanted, Ok(Answer::Way(own.take(1).collect())));
    play.keys("]]");
    assert!(play.screen().contains("http://a.example   request 3 of 3"), "{}", play.screen());
    assert!(play.screen().contains("ASKED"), "{}", play.screen());
}

#[test]
fn an_object_that_is_gone_is_said_to_be() {
    let mut play = opened(80, 24);
    play.keys("<Enter>");
    let said = "Error from server (NotFound): configmaps \"istio\" not found";
    play.reply(|request| matches!(request, Request::Object { .. }), Err(said.into()));
    assert!(play.screen().contains("It cannot be read now"), "{}", play.screen());
    play.keys("<Esc>");
    assert_eq!(play.lesson_screen().over.len(), 1);
}

#[test]
fn before_any_request_it_says_how_to_get_one() {
    let mut play = Play::doing(60, 20);
    play.keys("<F6>");
    assert!(
        play.screen().replace('\n', " ").contains("No request was sent by the checks of this step yet."),
        "{}",
        play.screen()
    );
    assert_eq!(play.app.wakes(), None);
}

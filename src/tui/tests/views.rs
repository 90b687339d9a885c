//! The lesson's own screen: its bar.

use super::*;
use crate::session::desk::{Answer, Place, Request};

impl Play {
    /// Answers the question where lines go.
    pub(super) fn placed(&mut self, context: &str, namespace: &str) {
        let asks = |e: &Effect| matches!(e, Effect::Ask { request: Request::Place, .. });
        self.open.append(&mut self.effects.lock().expect("not poisoned"));
        let at = self.open.iter().rposition(asks).expect("the screen asks where lines go");
        let Effect::Ask { id, .. } = self.open.remove(at) else { unreachable!("found by its kind") };
        let place = Place { context: context.into(), namespace: namespace.into() };
        self.tell(Event::Answered { id, answer: Ok(Answer::Place(place)) });
    }
}

#[test]
fn the_bar_drops_what_is_missed_least_and_never_the_namespace() {
    for (context, width, bar) in [
        ("sandbox", 120, "sandbox, Istio 1.30  ctx sandbox  ns team-payments-production  saved"),
        ("sandbox", 80, "Who may leave  step 2/3  sandbox, Istio 1.30  ns team-payments-production"),
        ("sandbox", 60, "ns team-payments-production"),
        ("kind-lab", 80, "sandbox  ctx kind-lab  ns team-payments-production"),
        ("kind-lab", 60, "ns team-payments-production"),
        ("a-context-whose-name-is-far-too-long-for-any-bar-of-eighty-columns", 80, "ns team-payments-production"),
    ] {
        let mut play = Play::doing(width, 24);
        play.placed(context, "team-payments-production");
        let screen = play.screen();
        let first = screen.lines().next().unwrap_or_default();
        let squeezed = first.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed.contains(&bar.split_whitespace().collect::<Vec<_>>().join(" ")), "{context} {width}: {first}");
        assert!(first.contains("step 2/3"), "{first}");
    }
}

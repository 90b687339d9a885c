//! Commands after a colon, completion, the search through what was typed, help.

use super::*;
use crate::session::desk::{Answer, AskId, Candidate, Completions, Request};

impl Play {
    /// The line that the screen wants completed.
    fn asked_to_complete(&mut self) -> Option<(AskId, String, usize)> {
        match self.question(|request| matches!(request, Request::Complete { .. }))? {
            (id, Request::Complete { line, cursor }) => Some((id, line, cursor)),
            _ => None,
        }
    }

    fn helps(&mut self, with: &str) -> bool {
        self.keys("<F1>");
        self.screen().contains(with)
    }

    fn completes(&mut self, id: AskId, from: usize, texts: &[&str]) {
        let candidates = texts.iter().map(|text| Candidate::new(*text, "")).collect();
        let answer = Ok(Answer::Complete(Completions { from, candidates, missing: None }));
        self.tell(Event::Answered { id, answer });
    }
}

#[test]
fn tab_completes_what_is_typed_and_never_runs_it() {
    let mut play = Play::doing(80, 24);
    play.keys("kubectl get s<Tab>");
    let (id, line, cursor) = play.asked_to_complete().expect("the lab is asked");
    assert_eq!((line.as_str(), cursor), ("kubectl get s", 13));
    play.completes(id, 12, &["services", "serviceentries", "secrets"]);
    assert_eq!(play.prompt(), "kubectl get se", "what they share");
    assert!(play.screen().contains("serviceentries"), "{}", play.screen());
    play.keys("<Tab><Tab>");
    assert_eq!(play.prompt(), "kubectl get serviceentries", "{}", play.screen());
    play.keys("<Enter>");
    assert_eq!(play.prompt(), "kubectl get serviceentries ", "Enter takes the marked one");
    assert!(play.session().running().is_none());
    play.keys("-A<Enter>");
    assert_eq!(play.ran(""), "kubectl get serviceentries -A");
}

#[test]
fn an_answer_to_what_is_no_longer_typed_is_dropped() {
    let mut play = Play::doing(80, 24);
    play.keys("ca<Tab>");
    let (id, ..) = play.asked_to_complete().expect("the lab is asked");
    play.keys("t x");
    play.completes(id, 0, &["cat"]);
    assert_eq!(play.prompt(), "cat x");
    play.keys("<C-c>ca<Tab>");
    let (id, ..) = play.asked_to_complete().expect("the lab is asked");
    play.completes(id, 0, &["cat", "case"]);
    play.keys("<Tab><Esc>");
    assert_eq!(play.prompt(), "ca", "Esc gives back what was typed");
    play.keys("<Tab>");
    let (id, ..) = play.asked_to_complete().expect("the lab is asked again");
    play.completes(id, 0, &[]);
    assert!(play.notice().contains("Nothing completes"), "{}", play.notice());
}

pub(super) fn candidates(width: u16, height: u16) -> Play {
    let mut play = Play::doing(width, height);
    play.keys("kubectl get <Tab>");
    let (id, ..) = play.asked_to_complete().expect("the lab is asked");
    let names: Vec<String> = (0..60).map(|n| format!("kind-number-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    play.completes(id, 12, &names);
    play.keys("<Tab><Tab>");
    play
}

#[test]
fn a_colon_takes_commands_at_the_prompt_and_outside_it() {
    let mut play = Play::doing(80, 24);
    play.keys(":hint<Enter>");
    assert_eq!((play.session().step_run().hints, play.prompt()), (1, ""));
    play.keys("draft<Esc>:hint<Enter>");
    assert_eq!((play.session().step_run().hints, play.prompt()), (2, "draft"));
    play.keys(":kubectl get nodes<Enter>");
    assert_eq!((play.ran("").as_str(), play.prompt()), ("kubectl get nodes", "draft"), "what was typed stays");
    play.keys("<C-c>:evidnce<Enter>");
    assert!(play.notice().contains("`:evidence`"), "{}", play.notice());
    play.keys(":hint now<Enter>");
    assert!(play.notice().contains("takes nothing"), "{}", play.notice());
    play.keys(":solution<Enter>");
    assert!(play.session().asking().is_some(), "what changes the step asks first");
    play.keys("n");
    assert!(matches!(play.keys(":q<Enter>"), Some(Act::End(Ended::Left))));
    assert!(matches!(Play::home(80, 24).keys(":q<Enter>"), Some(Act::End(Ended::Left))));
    let mut play = Play::doing(80, 24);
    play.keys(":edit web.yaml<Enter>");
    assert!(play.screen().contains("edit web.yaml"), "{}", play.screen());
}

#[test]
fn control_r_searches_and_esc_gives_back_what_was_typed() {
    let mut play = Play::doing(80, 24);
    for line in ["kubectl get pods", "ls"] {
        play.keys(&format!("{line}<Enter>"));
        play.ran("");
        play.judge(Verdict::NotYet);
    }
    play.keys("draft<C-r>pods");
    assert!(play.screen().contains("$ kubectl get pods") && play.screen().contains("History: pods_"), "{}", play.screen());
    play.keys("<Esc>");
    assert_eq!(play.prompt(), "draft");
    play.keys("<C-r>get<Tab>");
    assert_eq!(play.prompt(), "kubectl get pods", "Tab puts it on the prompt");
    play.keys("<C-c><C-r>l<C-r><Enter>");
    assert_eq!(play.ran(""), "kubectl get pods", "Enter runs what was found");
}

#[test]
fn help_lists_what_works_now() {
    let mut play = Play::lesson(120, 40);
    play.keys("<F1>");
    let read = play.screen();
    assert!(!read.contains("look at the step before"), "there is none before the first: {read}");
    assert!(Play::doing(120, 40).helps("look at the step before"));
    let mut play = Play::home(120, 40);
    play.keys("?");
    assert!(play.screen().contains("open the marked lesson") && !play.screen().contains("hints"), "{}", play.screen());
    play.keys("<Esc>:help nonsense-here<Enter>");
    assert!(play.screen().contains("There is no help on"), "{}", play.screen());
}

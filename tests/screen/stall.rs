//! An API that stalls: what is typed meanwhile is drawn at once, and what was asked is answered when the API goes on.

use super::kit::Screen;
use crate::pipe::{Pipe, THROUGH};
use std::time::{Duration, Instant};

/// The second step of the lesson, with every request to the API going through a pipe.
fn through_a_pipe() -> (Screen, Pipe) {
    let pipe = Pipe::open();
    let address = pipe.address.to_string();
    let mut screen = Screen::start_with(&["learn", "control-external-egress"], 100, 30, &[(THROUGH, &address)]);
    pipe.leads_to(&screen.state());
    screen.shows("Enter goes on.");
    screen.press("\r");
    screen.shows("step 2/");
    screen.rests(&["Preparing the step", "Checking ..."]);
    screen.press("kubectl get nodes\r");
    screen.shows("sandbox-node");
    screen.rests(&["Running", "Checking ..."]);
    screen.press("clear\r");
    screen.rests(&["sandbox-node", "Running", "Checking ..."]);
    assert!(pipe.passed() > 1000, "{} bytes went through", pipe.passed());
    (screen, pipe)
}

/// Types a character and waits until the screen has what was typed so far.
fn type_one(screen: &mut Screen, typed: &mut String, c: char) -> Duration {
    typed.push(c);
    let begun = Instant::now();
    screen.press(&c.to_string());
    screen.shows(typed);
    begun.elapsed()
}

fn middle(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

#[test]
fn keys_are_drawn_while_the_api_stalls_for_seconds() {
    let (mut screen, pipe) = through_a_pipe();
    let stall = Duration::from_secs(5);
    let begun = Instant::now();
    pipe.hold(stall);
    screen.press("kubectl get nodes\r");
    screen.shows("Running: kubectl get nodes");
    let mut typed = String::from("zz-");
    screen.press(&typed);
    let took: Vec<Duration> = ('a'..='z').map(|c| type_one(&mut screen, &mut typed, c)).collect();
    assert!(begun.elapsed() < stall, "26 keys took {:?}", begun.elapsed());
    assert!(!screen.text().contains("sandbox-node"), "it cannot be answered yet:\n{}", screen.text());
    assert!(middle(took.clone()) < Duration::from_millis(120), "{took:?}");
    screen.shows("sandbox-node");
    assert!(begun.elapsed() >= stall && screen.text().contains(&typed), "{}", screen.text());
}

#[test]
fn a_stall_of_a_fifth_of_a_second_is_not_felt_at_the_keyboard() {
    let (mut screen, pipe) = through_a_pipe();
    let mut took = Vec::new();
    for n in 0..15 {
        screen.press("clear\r");
        screen.rests(&["sandbox-node", "Running", "Checking ..."]);
        pipe.hold(Duration::from_millis(200));
        screen.press("kubectl get nodes\r");
        let mut typed = format!("n{n}-");
        screen.press(&typed);
        took.push(type_one(&mut screen, &mut typed, 'x'));
        screen.shows("sandbox-node");
        screen.press("\u{15}");
    }
    // A screen that waited with the API would need all of the stall.
    assert!(middle(took.clone()) < Duration::from_millis(120), "{took:?}");
}

#[test]
fn a_command_in_a_stalled_api_is_ended_with_control_c_at_once() {
    let (mut screen, pipe) = through_a_pipe();
    pipe.hold(Duration::from_secs(30));
    screen.press("kubectl get nodes\r");
    screen.shows("Running: kubectl get nodes");
    let begun = Instant::now();
    screen.press("\u{3}");
    screen.rests(&["Running: kubectl get nodes"]);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    screen.press("\u{4}");
    assert_eq!(screen.end().0, 0);
    assert!(begun.elapsed() < Duration::from_secs(20), "leaving does not wait for the API: {:?}", begun.elapsed());
}

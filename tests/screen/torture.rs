//! Everything a terminal can do to a program: sizes, floods, pastes, stops, ends. Whatever comes, the lab neither breaks nor leaves the
//! terminal in a state of its own.

use super::kit::{Screen, assert_given_back, not_given_back};
use std::time::{Duration, Instant};

/// At how many moments the program is ended by a signal, and broken.
const POINTS: u64 = 50;

/// A lesson at its second step, where commands are typed.
fn at_the_prompt(cols: u16, rows: u16) -> Screen {
    let mut screen = Screen::start(&["learn", "control-external-egress"], cols, rows);
    screen.shows("Enter goes on.");
    screen.press("\r");
    screen.shows("step 2/");
    screen.rests(&["Preparing the step"]);
    screen
}

/// Numbers that look arbitrary and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn leave(mut screen: Screen) {
    screen.press("\u{3}");
    screen.rests(&["Ctrl-C ends it"]);
    screen.press("\u{15}quit\r");
    let (code, raw) = screen.end();
    assert_eq!(code, 0);
    assert_given_back(&raw);
}

#[test]
fn sizes_change_two_hundred_times_while_output_streams_and_keys_are_pressed() {
    let mut screen = at_the_prompt(80, 24);
    screen.press(
        "kubectl run chatter --image=busybox --restart=Never -- sh -c 'while true; do echo line after line; sleep 0.1; done'\r",
    );
    screen.shows("pod/chatter created");
    screen.rests(&["Ctrl-C ends it"]);
    screen.press("kubectl wait --for=condition=Ready pod/chatter --timeout=20s\r");
    screen.shows("condition met");
    screen.rests(&["Ctrl-C ends it"]);
    screen.press("kubectl logs -f chatter\r");
    screen.shows("line after line");
    let mut numbers = Numbers(7);
    for nth in 0..200 {
        let (cols, rows) = (20 + numbers.below(281) as u16, 5 + numbers.below(96) as u16);
        screen.resize(cols, rows);
        screen.press(["a", "\u{1b}[A", "\u{1b}[5~", "\u{1b}[6~", "\t", "\u{7f}"][nth % 6]);
        while screen.take(Duration::from_millis(numbers.below(25))) {}
        assert!(screen.pty.child.try_wait().unwrap().is_none(), "{cols}x{rows} ended the lab:\n{}", screen.text());
    }
    screen.resize(100, 30);
    screen.shows("line after line");
    screen.press("\u{3}");
    screen.rests(&["Ctrl-C ends it"]);
    leave(screen);
}

#[test]
fn a_hundred_kilobytes_are_pasted_as_one_edit() {
    let mut screen = at_the_prompt(80, 24);
    let line = "# a line of a large manifest, with words like any other\n";
    screen.paste(&line.repeat(100_000 / line.len() + 1));
    screen.shows("nothing has run");
    assert!(!screen.text().contains("not found"), "{}", screen.text());
    screen.press("\u{3}");
    screen.rests(&["nothing has run"]);
    screen.press("kubectl get nodes\r");
    screen.shows("sandbox-node");
    leave(screen);
}

#[test]
fn a_megabyte_of_output_is_shown_to_its_end() {
    let mut screen = at_the_prompt(80, 24);
    let folder = screen.state().join("worlds/default/files");
    let text: String = (0..20_000).map(|n| format!("{n:06} {}\n", "x".repeat(45))).collect();
    assert!(text.len() > 1_000_000);
    std::fs::write(folder.join("large.txt"), text).unwrap();
    screen.press("cat large.txt\r");
    screen.shows("019999 xxx");
    screen.press("kubectl get nodes\r");
    screen.shows("sandbox-node");
    leave(screen);
}

/// The state of a process as the system shows it (`T` is stopped).
fn state(pid: &str) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('?')
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn fifty_stops_give_the_terminal_back_and_take_it_again() {
    let mut screen = at_the_prompt(80, 24);
    let (pid, raw_mode) = (screen.pid(), screen.pty.flags());
    for nth in 0..50 {
        screen.signal("TSTP");
        until("stopped", || state(&pid) == 'T');
        assert!(screen.pty.flags().contains("ICANON"), "stop {nth} left the terminal raw");
        while let Some(taken) = not_given_back(screen.raw()) {
            assert!(screen.take(Duration::from_secs(10)), "stop {nth}: {taken}");
        }
        screen.signal("CONT");
        screen.shows("step 2/");
        until("raw again", || screen.pty.flags() == raw_mode);
        screen.press("x");
        screen.shows("$ x");
        screen.press("\u{7f}");
    }
    leave(screen);
}

#[test]
fn an_end_at_any_moment_gives_the_terminal_back() {
    let mut numbers = Numbers(11);
    for nth in 0..POINTS {
        let mut screen = Screen::start(&["learn", "control-external-egress"], 80, 24);
        screen.press("\r\rkubectl get pods -A\rkubectl get nodes\r");
        let until = Instant::now() + Duration::from_millis(numbers.below(20 + nth * 20));
        while Instant::now() < until {
            screen.take(Duration::from_millis(5));
        }
        let before = screen.pty.flags();
        screen.signal("TERM");
        let flags_read = before.contains("ICANON");
        let pty_flags = wait_for_the_end(&mut screen);
        let (code, raw) = screen.end();
        assert!(code == 143 || (flags_read && code != 0), "point {nth}: exit code {code}");
        assert_given_back(&raw);
        assert!(pty_flags.contains("ICANON") && pty_flags.contains("ECHO"), "point {nth}: {pty_flags}");
    }
}

/// Waits for the program's end; what its terminal then does with keys.
fn wait_for_the_end(screen: &mut Screen) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    while screen.pty.child.try_wait().unwrap().is_none() {
        screen.take(Duration::from_millis(10));
        assert!(Instant::now() < end, "the program does not end:\n{}", screen.text());
    }
    screen.pty.flags()
}

/// Debug builds break where `EGRESS_LAB_BREAK_AT` says: the terminal is given back before the message is told.
#[test]
fn a_break_at_any_moment_gives_the_terminal_back() {
    for nth in 1..=POINTS {
        let at = nth.to_string();
        let environment = [("EGRESS_LAB_BREAK_AT", at.as_str())];
        let mut screen = Screen::start_with(&["learn", "control-external-egress"], 80, 24, &environment);
        for key in "\r\rkubectl get pods -A\rkubectl get nodes\r\u{1b}[A\u{1b}[5~".chars().chain("a".repeat(60).chars()) {
            screen.press(&key.to_string());
        }
        let flags = wait_for_the_end(&mut screen);
        let (code, raw) = screen.end();
        assert_eq!(code, 101, "point {nth}");
        assert_given_back(&raw);
        assert!(flags.contains("ICANON") && flags.contains("ECHO"), "point {nth}: {flags}");
        let text = String::from_utf8_lossy(&raw);
        let (told, given_back) = (text.rfind("broken on purpose"), text.rfind("\u{1b}[?1049l"));
        assert!(told > given_back && given_back.is_some(), "point {nth}: the message is lost with the screen");
    }
}

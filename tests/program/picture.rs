//! The lab prompt's `picture` in plain mode: the way of a request that is asked about and that of the last check, in words.

use super::{Home, text};

#[test]
fn the_way_of_a_request_is_told_station_by_station_without_escapes() {
    let home = Home::new();
    let lines = "picture http://www.wikipedia.org/\npicture nobody http://www.wikipedia.org/\npicture\nquit\n";
    let output = home.run(&["learn", "control-external-egress", "--plain", "--from", "exit-code"], lines, 120);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    for wanted in [
        "request: http://www.wikipedia.org/",
        "1. pod default/test",
        "2. sidecar default/test",
        "why: ",
        "(as the model sees it; nothing was sent)",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(!said.contains('\u{1b}'), "{said}");
}

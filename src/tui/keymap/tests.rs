//! The table is whole: keys, words, sentences.

use super::*;
use std::collections::BTreeSet;

fn event(name: &str) -> KeyEvent {
    let (code, modifiers) = parse(name).unwrap_or_else(|| panic!("{name} is no key"));
    KeyEvent::new(code, modifiers)
}

/// Where a row's keys are pressed: at the prompt, and elsewhere.
fn places(row: &Row) -> (Place, Place) {
    match row.scope == Scope::Lesson {
        true => (Place::Prompt, Place::Pane),
        false => (Place::Over(row.scope), Place::Over(row.scope)),
    }
}

#[test]
fn every_key_of_the_table_leads_to_its_row() {
    for row in ROWS {
        assert!(row.help.len() > 8 && row.help.len() <= 84 && !row.label.is_empty(), "{:?}", row.command);
        let (prompt, pane) = places(row);
        for name in row.anywhere {
            assert_eq!(find(&event(name), prompt), Some(row.command), "{name}");
        }
        for name in row.pane {
            let found = find(&event(name), pane);
            let same = matches!((found, row.command), (Some(Command::Choose(_)), Command::Choose(_)));
            assert!(same || found == Some(row.command), "{name}: {found:?}");
        }
    }
}

#[test]
fn no_key_means_two_things_in_one_place() {
    let (mut anywhere, mut panes) = (BTreeSet::new(), BTreeSet::new());
    for row in ROWS {
        row.anywhere.iter().for_each(|name| assert!(anywhere.insert((row.scope, *name)), "{name} twice in {:?}", row.scope));
        row.pane.iter().for_each(|name| assert!(panes.insert((row.scope, *name)), "{name} twice in {:?}", row.scope));
    }
}

#[test]
fn every_command_has_a_word_and_no_word_means_two_things_on_a_screen() {
    let mut seen = BTreeSet::new();
    for row in ROWS {
        assert!(row.words().next().is_some_and(|word| !word.is_empty()), "{:?} has no word", row.command);
        for word in row.words() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-!".contains(c);
            assert!(word.chars().all(plain), "{word}");
            assert!(seen.insert((row.scope, word)), "{word} twice in {:?}", row.scope);
        }
        assert_eq!(row.operand(), row.operand().to_uppercase(), "{:?}", row.command);
    }
}

#[test]
fn the_prompt_owns_plain_characters() {
    for c in ' '..='~' {
        let key = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
        assert_eq!(find(&key, Place::Prompt), None, "{c}");
        assert_eq!(find(&key, Place::Keys), None, "{c}");
    }
    let alt = KeyEvent::new(KeyCode::Char('h'), KeyModifiers::ALT);
    assert_eq!(find(&alt, Place::Prompt), Some(Command::Hint));
    assert_eq!(find(&event("Ctrl-C"), Place::Keys), None, "a program gets its own interrupt");
    assert_eq!(find(&event("Ctrl-\\"), Place::Keys), Some(Command::Kill));
}

#[test]
fn digits_choose() {
    assert_eq!(find(&event("3"), Place::Pane), Some(Command::Choose(2)));
}

/// Commands that undo work: never on a key that is pressed by chance, and asked about first.
fn destroys(command: Command) -> bool {
    matches!(
        command,
        Command::Solution | Command::Skip | Command::Reset | Command::Return | Command::EditObject | Command::Delete
    )
}

#[test]
fn what_destroys_is_never_beside_what_does_not() {
    let mut seen = 0;
    for row in ROWS.iter().filter(|row| destroys(row.command)) {
        assert!(row.anywhere.is_empty() && row.help.contains("asks first"), "{:?}", row.command);
        seen += 1;
    }
    assert!(seen >= 3);
}

#[test]
fn a_screen_has_its_own_rows_and_the_common_ones_once() {
    let home: Vec<Command> = rows_of(Scope::Home).map(|row| row.command).collect();
    assert!(home.contains(&Command::Open) && home.contains(&Command::Help) && !home.contains(&Command::Hint), "{home:?}");
    assert_eq!(home.len(), home.iter().collect::<std::collections::HashSet<_>>().len(), "{home:?}");
    assert_eq!(row_of_word("q", Scope::Home).map(|row| row.scope), Some(Scope::Home));
    assert_eq!(row_of_word("theme", Scope::Home).map(|row| row.command), Some(Command::Theme));
}

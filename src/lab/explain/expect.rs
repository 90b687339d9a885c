//! Expectations in people's CI: a file or a flag, judged one by one.

use super::folder::Unreadable;
use super::text;
use super::world::World;
use crate::base::text::{caret, count, wrap};
use crate::base::yaml;
use crate::mesh::reach::{Ask, Client, Expectation, Judged, Verdict, Want};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Expectations in one file.
const MAX_EXPECTATIONS: usize = 10_000;

/// One expectation as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    from: Option<String>,
    url: String,
    expect: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    follow: bool,
    #[serde(default)]
    insecure: bool,
    #[serde(default, rename = "http1.0")]
    http10: bool,
    #[serde(default)]
    sni: Option<String>,
    #[serde(default)]
    resolve: Vec<String>,
    #[serde(default, rename = "connect-to")]
    connect_to: Vec<String>,
}

/// An expectation and what it is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub name: Option<String>,
    pub expectation: Expectation,
}

/// Reads a file of expectations; `namespace` is that of clients that name none.
///
/// # Errors
/// What is wrong, with file, line and a caret where there is a place.
pub fn read(file: &str, source: &str, namespace: &str) -> Result<Vec<Named>, Unreadable> {
    let raw: Vec<Raw> = yaml::from_str_strict(source).map_err(|e| {
        let next = "a list of `from`, `url` and `expect` is read (and name, method, headers, follow, insecure, http1.0, sni, resolve, connect-to)";
        Unreadable(format!("{}\n{next}", caret(file, source, e.line, e.column, &e.message)))
    })?;
    if raw.is_empty() || raw.len() > MAX_EXPECTATIONS {
        return Err(Unreadable(format!("{file}: {} expectations; 1 to {MAX_EXPECTATIONS} are read", raw.len())));
    }
    let places = yaml::places(source);
    let one = |(n, raw): (usize, Raw)| {
        clean(raw, namespace).map_err(|(field, why)| {
            let (line, column) =
                places.get(&format!("[{n}].{field}")).or(places.get(&format!("[{n}]"))).copied().unwrap_or((1, 1));
            Unreadable(caret(file, source, line, column, &why))
        })
    };
    raw.into_iter().enumerate().map(one).collect()
}

fn clean(raw: Raw, namespace: &str) -> Result<Named, (&'static str, String)> {
    let ask = Ask {
        url: raw.url,
        method: raw.method.unwrap_or_else(|| "GET".into()),
        headers: raw.headers.into_iter().collect(),
        follow: raw.follow,
        insecure: raw.insecure,
        http10: raw.http10,
        sni: raw.sni,
        resolve: raw.resolve,
        connect_to: raw.connect_to,
    };
    ask.request().map_err(|why| ("url", why))?;
    let want = Want::parse(&raw.expect).map_err(|why| ("expect", why))?;
    let from = Client::parse(raw.from.as_deref().unwrap_or("test"), namespace);
    Ok(Named { name: raw.name, expectation: Expectation { from, ask, want } })
}

/// What came of all expectations.
pub struct Report {
    pub rows: Vec<(Named, Judged)>,
}

/// Judges them over a world.
///
/// # Errors
/// A sentence: a client that is not there.
pub fn judge(world: &World, all: Vec<Named>) -> Result<Report, String> {
    let inputs = world.inputs();
    let one = |named: Named| Ok((named.expectation.judge(&world.model, &inputs)?, named));
    let rows: Result<Vec<_>, String> = all.into_iter().map(one).collect();
    Ok(Report { rows: rows?.into_iter().map(|(judged, named)| (named, judged)).collect() })
}

impl Report {
    /// 0 all met, 1 some not met, 3 none of these but some that nobody can judge.
    pub fn exit_code(&self) -> u8 {
        match self.rows.iter().map(|(_, judged)| judged.verdict).max() {
            Some(Verdict::NotMet) => 1,
            Some(Verdict::NotModelled) => 3,
            _ => 0,
        }
    }

    /// One line each, with the cause where one is not met.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (named, judged) in &self.rows {
            let Expectation { from, ask, want } = &named.expectation;
            let title = named.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            let line = format!("{:<8}{title}{}: {want}", word(judged.verdict), text::headline(from, ask));
            wrap(&line, text::WIDTH, 8).iter().for_each(|line| out.push_str(&format!("{line}\n")));
            let Some(last) = judged.explanation.exchanges.last() else { continue };
            if judged.verdict != Verdict::Met {
                out.push_str(&text::row("was", &text::brief(last)));
                out.push_str(&text::cause(&last.cause));
            }
        }
        let of = |verdict: Verdict| self.rows.iter().filter(|(_, j)| j.verdict == verdict).count();
        let (met, not, unknown) = (of(Verdict::Met), of(Verdict::NotMet), of(Verdict::NotModelled));
        let mut parts = vec![format!("{met} met")];
        parts.extend((not > 0).then(|| format!("{not} not met")));
        parts.extend((unknown > 0).then(|| format!("{unknown} not modelled")));
        out.push_str(&format!("\n{}: {}\n", count(self.rows.len(), "expectation"), parts.join(", ")));
        out
    }

    /// The same for programs.
    pub fn to_json(&self, world: &World) -> Value {
        let one = |(named, judged): &(Named, Judged)| {
            json!({
                "name": named.name,
                "from": named.expectation.from.to_string(),
                "request": text::request(&named.expectation.ask),
                "expect": named.expectation.want.to_string(),
                "verdict": match judged.verdict {
                    Verdict::Met => "met",
                    Verdict::NotMet => "not-met",
                    Verdict::NotModelled => "not-modelled",
                },
                "exchanges": judged.explanation.exchanges,
                "assumptions": judged.explanation.assumptions,
            })
        };
        json!({
            "world": world.name,
            "expectations": self.rows.iter().map(one).collect::<Vec<_>>(),
            "assumptions": world.assumptions,
            "refused": world.refused,
            "ignored": world.ignored,
            "unreadable": text::unreadable_json(world),
        })
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "PASS",
        Verdict::NotMet => "FAIL",
        Verdict::NotModelled => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_strictly_and_errors_have_a_place() {
        let good = "- url: http://a.example/\n  expect: blocked\n- {from: shop/web, url: 'https://b.example', expect: outcome=delivered, headers: \
                    {X-A: '1'}, http1.0: true}\n";
        let read_good = read("e.yaml", good, "mine").unwrap();
        assert_eq!(read_good[0].expectation.from.to_string(), "mine/test");
        assert_eq!((read_good[1].expectation.from.to_string().as_str(), read_good[1].expectation.ask.http10), ("shop/web", true));
        for (bad, place) in [
            ("- url: http://a\n  expect: maybe\n", "e.yaml:2:11"),
            ("- url: ftp://a\n  expect: blocked\n", "e.yaml:1:8"),
            ("- url: http://a\n  expcet: blocked\n", "e.yaml:2"),
            ("url: http://a\n", "e.yaml:1"),
            ("[]\n", "0 expectations"),
            ("- url: [\n", "e.yaml:"),
        ] {
            let error = read("e.yaml", bad, "mine").unwrap_err().0;
            assert!(error.contains(place), "{bad}: {error}");
        }
    }
}

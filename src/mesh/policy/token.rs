//! RequestAuthentication: a request without a token passes, one with a token that is none is answered 401; whether a token is good is
//! not modelled (Istio: security/authn/policy_applier.go; the words are Envoy's).

use super::Stop;
use super::attach::Target;
use super::authorize::Asked;
use crate::k8s::Object;
use crate::mesh::Cause;
use crate::mesh::compile::rules::strings;
use crate::mesh::compile::scope::Identity;
use serde_json::Value;
use std::sync::Arc;

/// How much of a path Envoy repeats in the realm.
const REALM_PATH: usize = 256;

/// What Envoy says of a token without three parts.
const NO_TOKEN: &str = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";

/// Where a rule looks for a token.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    cause: Cause,
    /// Header name, and what stands before the token.
    headers: Vec<(String, String)>,
    params: Vec<String>,
    cookies: Vec<String>,
}

/// The rules of one proxy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tokens {
    places: Vec<Place>,
}

/// The filter's own answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub body: &'static str,
    /// `www-authenticate`.
    pub challenge: String,
    pub details: String,
    pub cause: Cause,
}

impl Tokens {
    /// The rules of those objects that are for the workload.
    pub fn new<'o>(objects: impl Iterator<Item = &'o Arc<Object>>, id: &Identity) -> Tokens {
        let mut places = Vec::new();
        for object in objects.filter(|o| Target::of(o).takes(id)) {
            for (i, rule) in object.at(&["spec", "jwtRules"]).as_array().into_iter().flatten().enumerate() {
                places.push(place(object, i, rule));
            }
        }
        Tokens { places }
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What ends a request here.
    pub fn stops(&self, asked: &Asked<'_>) -> Option<Stop> {
        let has = |name: &str| asked.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if asked.method == "OPTIONS" && has("origin") && has("access-control-request-method") {
            return None;
        }
        let found: Vec<(&Place, String)> = self.places.iter().filter_map(|p| Some((p, p.token(asked)?))).collect();
        let (place, _) = found.first()?;
        let malformed = |token: &str| token.matches('.').count() != 2;
        if found.len() < self.places.len() || !found.iter().all(|(_, token)| malformed(token)) {
            return Some(Stop::NotModelled(place.cause.clone()));
        }
        let scheme = asked.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("x-forwarded-proto"));
        let scheme = scheme.map_or("http", |(_, v)| v.as_str());
        let path: String = asked.path.chars().take(REALM_PATH).collect();
        Some(Stop::Token(Refusal {
            status: 401,
            body: NO_TOKEN,
            challenge: format!("Bearer realm=\"{scheme}://{}{path}\", error=\"invalid_token\"", asked.authority),
            details: format!("jwt_authn_access_denied{{{}}}", NO_TOKEN.replace(' ', "_")),
            cause: Cause::new(place.cause.object.clone(), place.cause.field.clone(), "The request's token is none."),
        }))
    }
}

fn place(object: &Object, i: usize, rule: &Value) -> Place {
    let list = |key: &str| strings(rule.get(key).unwrap_or(&Value::Null));
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or("").to_string();
    let written = rule.get("fromHeaders").and_then(Value::as_array).into_iter().flatten();
    let mut headers: Vec<(String, String)> = written.map(|h| (text(h, "name"), text(h, "prefix"))).collect();
    let (mut params, cookies) = (list("fromParams"), list("fromCookies"));
    if headers.is_empty() && params.is_empty() && cookies.is_empty() {
        headers.push(("authorization".into(), "Bearer ".into()));
        params.push("access_token".into());
    }
    let text = "Whether the request's token is good is not modelled.";
    Place { cause: Cause::new(object.key().to_string(), format!("spec.jwtRules[{i}]"), text), headers, params, cookies }
}

impl Place {
    fn token(&self, asked: &Asked<'_>) -> Option<String> {
        let values = |name: &str| -> Vec<&str> {
            asked.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
        };
        let in_headers = self.headers.iter().find_map(|(name, prefix)| {
            let all = values(name);
            let mut all = all.iter().filter_map(|v| v.split_once(prefix.as_str()).map(|(_, token)| token.trim()));
            all.find(|token| !token.is_empty()).map(String::from)
        });
        let query = asked.path.split_once('?').map_or("", |(_, query)| query);
        let named = |pairs: &str, between: char, names: &[String]| {
            let mut found = pairs.split(between).filter_map(|pair| pair.trim().split_once('='));
            found.find(|(name, value)| !value.is_empty() && names.iter().any(|n| n == name)).map(|(_, value)| value.to_string())
        };
        in_headers
            .or_else(|| named(query, '&', &self.params))
            .or_else(|| values("cookie").into_iter().find_map(|cookie| named(cookie, ';', &self.cookies)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::shared::Text;
    use crate::outside::wire::Header;
    use serde_json::json;

    fn tokens(rules: Value) -> Tokens {
        let object = Arc::new(Object(json!({
            "apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication",
            "metadata": {"name": "jwt", "namespace": "istio-system"}, "spec": {"jwtRules": rules},
        })));
        let id = Identity { gateway: true, namespace: "istio-system".into(), labels: Default::default() };
        Tokens::new([object].iter(), &id)
    }

    fn stops(rules: Value, header: Option<(&str, &str)>, path: &str) -> Option<Stop> {
        let headers: Vec<Header> = header.iter().map(|(n, v)| (Text::new(n), Text::new(v))).collect();
        tokens(rules).stops(&Asked { method: "GET", authority: "a.org", path, headers: &headers })
    }

    #[test]
    fn no_token_passes_a_malformed_one_is_refused_and_others_are_not_modelled() {
        let one = json!([{"issuer": "x"}]);
        assert_eq!(stops(one.clone(), None, "/dir"), None);
        assert_eq!(stops(one.clone(), Some(("authorization", "Basic foo")), "/dir"), None);
        assert_eq!(stops(one.clone(), Some(("authorization", "bearer foo")), "/dir"), None);
        let Some(Stop::Token(refusal)) = stops(one.clone(), Some(("Authorization", "Bearer foo")), "/dir?x=1") else {
            panic!("refused")
        };
        assert_eq!((refusal.status, refusal.body.len()), (401, 79));
        assert_eq!(refusal.challenge, "Bearer realm=\"http://a.org/dir?x=1\", error=\"invalid_token\"");
        assert_eq!(
            refusal.details,
            "jwt_authn_access_denied{Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections}"
        );
        assert!(matches!(stops(one.clone(), None, "/dir?access_token=foo"), Some(Stop::Token(_))));
        assert!(matches!(stops(one, Some(("authorization", "Bearer a.b.c")), "/"), Some(Stop::NotModelled(_))));
        let own = json!([{"issuer": "x", "fromHeaders": [{"name": "x-jwt"}]}]);
        assert_eq!(stops(own.clone(), Some(("authorization", "Bearer foo")), "/"), None);
        assert!(matches!(stops(own, Some(("x-jwt", "foo")), "/"), Some(Stop::Token(_))));
        let two = json!([{"issuer": "x"}, {"issuer": "y", "fromHeaders": [{"name": "x-jwt"}]}]);
        assert!(matches!(stops(two, Some(("authorization", "Bearer foo")), "/"), Some(Stop::NotModelled(_))));
    }
}

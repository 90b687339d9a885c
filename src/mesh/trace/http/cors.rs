//! The CORS filter: preflights that the proxy answers itself, and permissions in other answers.

use super::matching::value_fits;
use crate::base::shared::Text;
use crate::mesh::proxy::Cors;
use crate::mesh::trace::wire::Message;
use crate::outside::wire::Header;

/// What the filter does about a request.
#[derive(Debug, PartialEq)]
pub enum Says {
    /// Nothing, or not yet.
    Nothing,
    /// It answers with 200 and these headers.
    Answers(Vec<Header>),
    /// It adds these headers to the answer.
    Adds(Vec<Header>),
}

/// Asks the filter.
pub fn ask(cors: Option<&Cors>, message: &Message) -> Says {
    let Some(cors) = cors else { return Says::Nothing };
    let Some(origin) = message.header("origin").filter(|o| !o.is_empty()) else { return Says::Nothing };
    let asked = message.header("access-control-request-method").is_some_and(|m| !m.is_empty());
    let preflight = message.method == "OPTIONS" && asked;
    if !cors.origins.iter().any(|o| value_fits(o, origin)) {
        return if preflight && cors.ignores_others { Says::Answers(Vec::new()) } else { Says::Nothing };
    }
    let mut headers: Vec<Header> = vec![("access-control-allow-origin".into(), origin.clone())];
    if cors.credentials == Some(true) {
        headers.push(("access-control-allow-credentials".into(), "true".into()));
    }
    let mut more = |name: &'static str, value: &str| {
        if !value.is_empty() {
            headers.push((name.into(), Text::new(value)));
        }
    };
    if !preflight {
        more("access-control-expose-headers", &cors.expose);
        return Says::Adds(headers);
    }
    more("access-control-allow-methods", &cors.methods);
    more("access-control-allow-headers", &cors.headers);
    more("access-control-max-age", &cors.max_age.map(|s| s.to_string()).unwrap_or_default());
    Says::Answers(headers)
}

//! `proxy-config secret` (S: istioctl/pkg/writer/compare/sds).

use super::certificate::{self, Certificate};
use super::dump::{Dump, at, list, text};
use crate::base::clock::Time;
use crate::istioctl::Stop;
use serde_json::Value;

const SPIFFE: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig";

/// A secret's certificate, if it could be read.
struct Item {
    name: String,
    state: &'static str,
    certificate: Option<Certificate>,
    trust_domain: String,
}

/// The table as text; `named`: with the prefix of `proxy-config all`.
///
/// # Errors
/// The dump has no secrets.
pub fn table(dump: &Dump, now: Time, named: bool) -> Result<String, Stop> {
    let section = dump.section("SecretsConfigDump")?;
    let of = |name: &str, state: &'static str| list(section, name).flat_map(|s| items(s, state)).collect::<Vec<_>>();
    let mut all = of("dynamic_warming_secrets", "WARMING");
    all.extend(of("dynamic_active_secrets", "ACTIVE"));
    let any = ["dynamic_warming_secrets", "dynamic_active_secrets"].iter().any(|name| list(section, name).next().is_some());
    if !any {
        return Ok("No active or warming secrets found.\n".into());
    }
    if all.is_empty() {
        return Ok("No secret items to show.\n".into());
    }
    let domains = all.iter().all(|item| !item.trust_domain.is_empty());
    let mut head = vec!["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE"];
    head.extend(domains.then_some("TRUST DOMAIN"));
    let mut rows = vec![head.into_iter().map(str::to_string).collect::<Vec<_>>()];
    for item in all {
        let prefix = if named { "secret/" } else { "" };
        let c = item.certificate.as_ref();
        let valid = c.is_some_and(|c| c.holds(now));
        let get = |part: fn(&Certificate) -> &str| c.map(part).unwrap_or("").to_string();
        let kind = get(|c| if c.is_ca { "CA" } else { "Cert Chain" });
        let mut row = vec![format!("{prefix}{}", item.name), kind, item.state.to_string(), valid.to_string()];
        row.extend([get(|c| &c.serial), get(|c| &c.not_after), get(|c| &c.not_before)]);
        row.extend(domains.then_some(item.trust_domain));
        rows.push(row);
    }
    Ok(crate::istioctl::table::write(&rows, 5))
}

fn items(secret: &Value, state: &'static str) -> Vec<Item> {
    let name = text(secret, "name").to_string();
    let typed = at(secret, "secret");
    let validation = at(typed, "validation_context");
    let item = |bytes: &str, domain: &str| {
        let certificate = super::base64(bytes).and_then(|pem| certificate::read(&pem));
        let own = certificate.as_ref().map(|c| c.trust_domain.clone()).unwrap_or_default();
        let trust_domain = match (&certificate, domain) {
            (None, _) => String::new(),
            (Some(_), "") => own,
            (Some(_), domain) => domain.to_string(),
        };
        Item { name: name.clone(), state, certificate, trust_domain }
    };
    let chain = text(at(at(typed, "tls_certificate"), "certificate_chain"), "inline_bytes");
    let roots = text(at(validation, "trusted_ca"), "inline_bytes");
    let validator = at(at(validation, "custom_validator_config"), "typed_config");
    match (chain, roots) {
        ("", "") if validator["@type"] == SPIFFE => list(validator, "trust_domains")
            .map(|domain| item(text(at(domain, "trust_bundle"), "inline_bytes"), text(domain, "name")))
            .collect(),
        ("", roots) => vec![item(roots, "")],
        (chain, _) => vec![item(chain, "")],
    }
}

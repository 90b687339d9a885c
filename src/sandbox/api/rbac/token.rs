//! Tokens of service accounts: JSON web tokens signed with a key of the world (HS256), good as credentials until they expire or their
//! account goes.

use crate::base::clock::Time;
use crate::k8s::{Object, base64};
use crate::sandbox::api::rbac::User;
use crate::sandbox::api::route::Target;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::{body, negotiate, read};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::View;
use ring::hmac;
use serde_json::{Value, json};

/// The audience of tokens for the API server, and their issuer.
const API: &str = "https://kubernetes.default.svc.cluster.local";
const TEN_MINUTES: i64 = 600;
const LONGEST: i64 = 1 << 32;
/// How long a token may be, in bytes.
const TOKEN_LIMIT: usize = 8 * 1024;

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `system:serviceaccount:NS:NAME`.
    pub subject: String,
    pub audiences: Vec<String>,
    pub id: String,
}

impl Claims {
    /// The user whom the token makes.
    pub fn user(&self, world: &View) -> User {
        let mut user = User::named(world, &self.subject);
        user.extra.insert("authentication.kubernetes.io/credential-id".into(), vec![format!("JTI={}", self.id)]);
        user
    }
}

/// The user name behind a bearer token of a service account; `None` when it opens nothing.
pub fn authenticate(world: &View, token: &str) -> Option<String> {
    let claims = verify(world, token).ok()?;
    claims.audiences.iter().any(|audience| audience == API).then_some(claims.subject)
}

/// The world's key: of its seed and of the secret of its door, which a saved world keeps.
fn key(world: &View) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, format!("{}:{}", world.seed().0, world.secret).as_bytes())
}

fn part(bytes: &[u8]) -> String {
    base64::encode(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn unpart(text: &str) -> Option<Vec<u8>> {
    let text = text.replace('-', "+").replace('_', "/");
    base64::decode(&format!("{text}{}", &"==="[..(4 - text.len() % 4) % 4])).ok()
}

/// Reads a token.
///
/// # Errors
/// Why it is not good, in the API server's words where it has some.
pub fn verify(world: &View, token: &str) -> Result<Claims, String> {
    let invalid = || "invalid bearer token".to_string();
    let (signed, signature) = token.rsplit_once('.').filter(|_| token.len() <= TOKEN_LIMIT).ok_or_else(invalid)?;
    let signature = unpart(signature).ok_or_else(invalid)?;
    hmac::verify(&key(world), signed.as_bytes(), &signature).map_err(|_| invalid())?;
    let claims = signed.split_once('.').and_then(|(_, claims)| unpart(claims)).ok_or_else(invalid)?;
    let claims: Value = serde_json::from_slice(&claims).map_err(|_| invalid())?;
    if claims["exp"].as_i64().is_none_or(|exp| exp * 1000 <= world.now().0) {
        return Err("[invalid bearer token, service account token has expired]".into());
    }
    let about = &claims["kubernetes.io"];
    let ns = about["namespace"].as_str().unwrap_or("");
    let alive = |kind: &str, what: &Value| {
        let found = world.snapshot().find("", kind, ns, what["name"].as_str().unwrap_or(""));
        found.is_some_and(|object| what["uid"] == object.uid() && !object.is_terminating())
    };
    if !alive("ServiceAccount", &about["serviceaccount"]) {
        return Err("[invalid bearer token, service account token has been invalidated]".into());
    }
    for (kind, field) in [("Pod", "pod"), ("Secret", "secret")] {
        if !about[field].is_null() && !alive(kind, &about[field]) {
            return Err("[invalid bearer token, service account token has been invalidated]".into());
        }
    }
    let audiences = claims["aud"].as_array().into_iter().flatten().filter_map(|a| a.as_str().map(String::from));
    let text = |field: &str| claims[field].as_str().unwrap_or("").to_string();
    Ok(Claims { subject: text("sub"), audiences: audiences.collect(), id: text("jti") })
}

/// `POST serviceaccounts/NAME/token`.
///
/// # Errors
/// 404, 422 about the duration, 400 for what a token cannot be bound to.
pub fn request(world: &View, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let account = read::find(world, target)?;
    let mut request = Object(body::read_value(call, "TokenRequest")?.0);
    if !request.0.is_object() {
        return Err(Refusal::bad_request("the object provided is unrecognized (must be of type TokenRequest)"));
    }
    let seconds = request.at(&["spec", "expirationSeconds"]).as_i64().unwrap_or(3600);
    let why = match seconds {
        s if s < TEN_MINUTES => Some("may not specify a duration less than 10 minutes"),
        s if s > LONGEST => Some("may not specify a duration larger than 2^32 seconds"),
        _ => None,
    };
    if let Some(why) = why {
        let cause = Cause::invalid("spec.expirationSeconds", &json!(seconds), why);
        return Err(status::invalid("authentication.k8s.io", "TokenRequest", "", vec![cause]));
    }
    let audiences = request.at(&["spec", "audiences"]).as_array().filter(|list| !list.is_empty()).cloned();
    let audiences = json!(audiences.unwrap_or_else(|| vec![json!(API)]));
    let bound = bound(world, target, request.at(&["spec", "boundObjectRef"]))?;
    let expires = world.now().plus_ms(seconds * 1000);
    let token = sign(world, &account, &audiences, bound, expires);
    request.set(&["kind"], json!("TokenRequest"));
    request.set(&["apiVersion"], json!("authentication.k8s.io/v1"));
    request.set(&["metadata", "name"], json!(target.name));
    request.set(&["metadata", "namespace"], json!(target.namespace));
    request.set(&["metadata", "creationTimestamp"], json!(world.now().rfc3339()));
    request.set(&["spec", "audiences"], audiences);
    request.set(&["spec", "expirationSeconds"], json!(seconds));
    request.set(&["status"], json!({"token": token, "expirationTimestamp": expires.rfc3339()}));
    Ok(negotiate::value(call, 201, &request.0))
}

/// The object that a token is to live with.
fn bound(world: &View, target: &Target, reference: &Value) -> Result<Option<(String, Value)>, Refusal> {
    if reference.is_null() {
        return Ok(None);
    }
    let text = |field: &str| reference[field].as_str().unwrap_or("");
    let plural = match (text("apiVersion"), text("kind")) {
        ("v1", "Pod") => "pods",
        ("v1", "Secret") => "secrets",
        (version, kind) => {
            return Err(Refusal::bad_request(format!("cannot bind token to object of type {version}, Kind={kind}")));
        }
    };
    let name = text("name");
    let found = world.snapshot().find("", text("kind"), &target.namespace, name);
    let Some(object) = found else {
        let details = json!({"name": name, "kind": plural});
        return Err(Refusal { code: 404, reason: "NotFound".into(), message: format!("{plural} \"{name}\" not found"), details });
    };
    let uid = text("uid");
    if !uid.is_empty() && uid != object.uid() {
        let message = format!(
            "Operation cannot be fulfilled on {plural} \"{name}\": the UID in the bound object reference ({uid}) does not match the \
             UID in record. The object might have been deleted and then recreated"
        );
        let details = json!({"name": name, "kind": plural});
        return Err(Refusal { code: 409, reason: "Conflict".into(), message, details });
    }
    Ok(Some((text("kind").to_lowercase(), json!({"name": name, "uid": object.uid()}))))
}

fn sign(world: &View, account: &Object, audiences: &Value, bound: Option<(String, Value)>, expires: Time) -> String {
    let (now, ns) = (world.now().0 / 1000, account.namespace());
    let mut about = json!({"namespace": ns, "serviceaccount": {"name": account.name(), "uid": account.uid()}});
    if let Some((kind, object)) = bound {
        about[kind] = object;
    }
    let version = world.revision().to_string();
    let id = world.seed().uuid(&["jti", account.uid(), &now.to_string(), &version]);
    let claims = json!({
        "aud": audiences, "exp": expires.0 / 1000, "iat": now, "iss": API, "jti": id, "kubernetes.io": about, "nbf": now,
        "sub": format!("system:serviceaccount:{ns}:{}", account.name()),
    });
    let header = json!({"alg": "HS256", "kid": "egress-lab"});
    let signed = format!("{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()));
    let signature = hmac::sign(&key(world), signed.as_bytes());
    format!("{signed}.{}", part(signature.as_ref()))
}

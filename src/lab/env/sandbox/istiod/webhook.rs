//! istiod's admission webhooks: /inject and /validate.

use super::is_image;
use crate::mesh::{inject, validate};
use crate::sandbox::{Admission, Review, Webhook};

/// The server behind Service istiod.
pub struct Istiod;

impl Webhook for Istiod {
    fn runs_in(&self, image: &str) -> bool {
        is_image(image, "pilot")
    }

    fn answers(&self, namespace: &str, service: &str) -> bool {
        // A revision's Service is `istiod-REVISION`.
        namespace == "istio-system" && (service == "istiod" || service.starts_with("istiod-"))
    }

    fn review(&self, review: &Review<'_>) -> Admission {
        match review.path {
            path if path == "/inject" || path.starts_with("/inject/") => mutate(review),
            path if path == "/validate" || path.starts_with("/validate/") => check(review),
            other => Admission::Deny { message: format!("404 page not found: {other}"), code: 404 },
        }
    }
}

fn mutate(review: &Review<'_>) -> Admission {
    match inject::inject(review.object, review.namespace, review.snapshot) {
        Ok(object) => Admission::Allow { object, warnings: Vec::new() },
        Err(what) => Admission::Deny { message: what, code: 501 },
    }
}

fn check(review: &Review<'_>) -> Admission {
    if review.operation == "DELETE" {
        return Admission::Allow { object: None, warnings: Vec::new() };
    }
    let found = validate::validate(review.object, review.snapshot);
    match found.errors.is_empty() {
        true => Admission::Allow { object: None, warnings: found.warnings },
        false => Admission::Deny { message: format!("configuration is invalid: {}", found.joined()), code: 400 },
    }
}

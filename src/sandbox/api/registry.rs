//! Which kinds there are: the built-in ones and those that CustomResourceDefinitions make.

/// What was worked out from the CustomResourceDefinitions in the store.
#[derive(Debug, Clone, Default)]
pub struct CrdCache {}

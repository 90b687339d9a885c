//! TODO(yaml)

//! TODO(paths)

//! Screens and keys on sessions that are fed with events; no cluster, no terminal.

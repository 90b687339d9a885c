//! `egress-lab kind` with stand-ins for the tools that it runs: what is typed, what goes wrong, what a second run makes of it.

mod archive;
mod branches;
mod faults;
mod lines;
mod others;
mod preflight;
mod world;

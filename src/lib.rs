//! egress-lab teaches people to control the traffic that leaves an Istio service mesh.
//!
//! # The way of a step through the house
//!
//! 1. [`tui`] turns keys into a [`session::Event`]; a line of the lab prompt is one of them.
//! 2. [`session`], a pure state machine, answers with [`session::Effect`]s: run this, judge that, write this down.
//! 3. [`lab`] does them. It parses a line with [`shell`], finds the command, and [`kubectl`] or [`istioctl`] turns it into requests
//!    on a `kube::Client`.
//! 4. The [`sandbox`] serves them over HTTPS: an API server, controllers and a node as one synchronous value. Its network is the
//!    [`mesh`] model over the world's objects, with the [`outside`] world beyond.
//! 5. [`check`] judges: it reads objects through a client of a frozen fork and sends real probes. What was observed decides; the
//!    model's trace stands beside it and says why. [`finding`]s go back to the session.
//! 6. [`progress`] puts the step on disk before it shows as passed.
//!
//! [`lesson`]s are data and never run anything; [`author`] proves that they judge as they should; [`cli`] is the command line.
//!
//! # What is absent
//!
//! `check`, `kubectl` and `istioctl` know nothing of `sandbox`: they see a client, so a check cannot pass by peeking. `sandbox` knows
//! nothing of kube, lessons, checks or Istio: four traits bring those in. `mesh`, `shell`, `lesson`, `session`, `k8s` do no I/O, have no
//! clock and no async. Only `base::clock` reads time, only `base::seed` makes randomness, only `base::paths` knows the home folder. No
//! line of a lesson, and nothing in a pod, ever starts a program of this machine. `tests/architecture.rs` fails when one of these breaks.
//!
//! Rooms in reading order; each names only rooms above it (the table is in the test).

pub mod base;
pub mod k8s;
pub mod outside;
pub mod lesson;
pub mod shell;
pub mod mesh;
pub mod sandbox;
pub mod kubectl;
pub mod istioctl;
pub mod finding;
pub mod check;
pub mod progress;
pub mod session;
pub mod lab;
pub mod tui;
pub mod author;
pub mod cli;

//! The rows of the mesh's decision tables as files: the same readers that the unit tests of `mesh` use.

use egress_lab::{base, k8s, mesh, outside};

#[path = "../src/mesh/rows/file.rs"]
#[allow(dead_code)] // the expectations of a row are the unit tests' business
pub mod file;
#[path = "../src/mesh/rows/injection.rs"]
#[allow(dead_code)]
pub mod injection;
#[path = "../src/mesh/rows/refusals.rs"]
#[allow(dead_code)]
pub mod refusals;

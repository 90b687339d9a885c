//! The world beyond the mesh as values: names, addresses, origins and what they answer. Data comes from `assets/outside/`.

pub mod wire;

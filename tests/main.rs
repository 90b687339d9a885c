//! The one integration binary: linking dominates on small machines.

mod agreement;
mod architecture;
mod corpus;
mod faulty;
mod hostile;
mod injection;
mod kubectl;
mod mistakes;
mod mutants;
mod own_shell;
mod probe;
mod program;
mod properties;
mod pipe;
mod pty;
mod real;
mod releases;
mod rows;
mod screen;
mod seed;
mod serve;
mod share;
mod stream;
mod timeline;
mod validation;
mod witness;

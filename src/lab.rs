//! Where things are put together: environments, drivers of a session, the commands of the lab prompt.

pub mod env;
pub mod objects;
pub mod prompt;
pub mod target;

//! What an author of connectors does: start a project, build it, check it, package it; by the guides in `docs/`.

mod checks;
mod dev;
mod guide;
mod scaffold;

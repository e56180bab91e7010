//! The connectors as a whole over a real file system: everything but the processes.

mod calls;
mod files;
mod restarts;
mod world;

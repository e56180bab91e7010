//! The connectors as a whole over a real file system: everything but the processes.
#![cfg(unix)]

mod calls;
mod files;
mod restarts;
mod settings;
mod vitals;
mod world;

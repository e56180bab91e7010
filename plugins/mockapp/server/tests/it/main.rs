//! The mock app from outside: its API answer by answer, and the program around it.

mod api;
mod program;

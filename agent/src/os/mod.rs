//! What differs between operating systems, behind one interface.

pub mod sandbox;

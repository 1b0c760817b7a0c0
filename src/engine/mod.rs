//! Where decisions meet I/O.

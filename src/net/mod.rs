//! What listens: one HTTP/1 server for all who are called ([`http1`]), and whose names a request may be addressed to
//! ([`hosts`]).

pub mod hosts;
pub mod http1;

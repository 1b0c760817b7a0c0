//! `pushcron mcp`: the tools of an assistant that speaks the Model Context Protocol, over standard input and output.
//!
//! ```text
//! assistant ── stdio ── server (rmcp) ── tools: what a call asks of the API ── api ── HTTP API of the daemon
//! ```
//!
//! It decides nothing and opens no database: each call is a request to the HTTP API, with a token or on the daemon's socket, so
//! that scopes, rates and rows of acts are those of the API.

mod api;
mod server;
mod tools;

pub(crate) use api::Api;
pub(crate) use server::serve;

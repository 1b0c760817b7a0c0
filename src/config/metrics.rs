//! Who may read the numbers: this machine, or others where the file says which.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::diagnostics::{Diagnostics, Place};
use super::settings::MetricsListen;
use crate::domain::Secret;
use crate::texts;

/// The keys of `daemon:` that tell where the numbers are served, and to whom.
#[derive(Debug, Default)]
pub(super) struct MetricsDraft {
    pub listen: Option<(SocketAddr, Place)>,
    /// Empty: nobody named networks.
    pub allow: Vec<IpNet>,
    pub token: Option<Secret>,
    /// Where the first key stands that says who may read.
    pub audience_at: Option<Place>,
    pub token_keys: u8,
    /// A key was wrong or could not be looked at: what is missing then is no fault of its own.
    pub is_partial: bool,
}

impl MetricsDraft {
    /// What is left to check once every file is read.
    pub(super) fn check(&self, diagnostics: &mut Diagnostics) {
        match (self.listen, self.audience_at) {
            _ if self.is_partial => {}
            (None, Some(at)) => {
                diagnostics.error(at, texts::nobody_serves_numbers()).hint(texts::add_metrics_listen());
            }
            (Some((address, at)), None) if !address.ip().is_loopback() => {
                let message = texts::numbers_open_to_others(address.to_string());
                diagnostics.error(at, message).hint(texts::say_who_reads_numbers());
            }
            _ => {}
        }
    }

    /// Nothing unless it is known who may read.
    pub(super) fn finish(self) -> Option<MetricsListen> {
        let MetricsDraft { listen, allow, token, is_partial, .. } = self;
        let (address, _) = listen.filter(|_| !is_partial)?;
        Some(MetricsListen { address, allow, token })
    }
}

//! The keys of `daemon:` that tell where the numbers are served, and to whom.

use std::net::IpAddr;

use ipnet::IpNet;

use super::decoder::Decoder;
use super::metrics::MetricsDraft;
use super::secrets::SecretForm;
use super::yaml::Node;
use crate::texts;

/// Whoever reaches the page may try tokens, so that a short one would be found.
const SHORTEST_TOKEN: usize = 16;

impl Decoder<'_> {
    /// One of the keys `metrics_…` but `metrics_file`.
    pub(super) fn metrics(&mut self, key: &str, node: &Node, metrics: &mut MetricsDraft) {
        let before = (self.diagnostics.error_count(), self.unseen);
        match key {
            "metrics_listen" => {
                let address = self.parsed(key, node, texts::an_address_and_port(), |text| text.parse().ok());
                metrics.listen = address.map(|address| (address, self.place(node.at)));
            }
            "metrics_allow" => metrics.allow = self.networks(key, node),
            _ => {
                let form = match key {
                    "metrics_token_file" => SecretForm::File,
                    "metrics_token_credential" => SecretForm::Credential,
                    _ => SecretForm::Inline,
                };
                metrics.token_keys += 1;
                if metrics.token_keys > 1 {
                    self.error(node.at, texts::metrics_token_twice());
                }
                let token = self.secret(form, key, node);
                if token.as_ref().is_some_and(|token| token.expose().len() < SHORTEST_TOKEN) {
                    let message = texts::at_least_characters(key, SHORTEST_TOKEN.to_string());
                    self.error(node.at, message).hint(texts::make_a_token());
                }
                metrics.token = token.or(metrics.token.take());
            }
        }
        if key != "metrics_listen" {
            metrics.audience_at.get_or_insert(self.place(node.at));
        }
        metrics.is_partial |= (self.diagnostics.error_count(), self.unseen) != before;
    }

    fn networks(&mut self, key: &str, node: &Node) -> Vec<IpNet> {
        let texts = self.texts(key, node).unwrap_or_default();
        let mut networks = Vec::new();
        for (at, text) in &texts {
            match network(text) {
                Some(network) => networks.push(network),
                None => {
                    self.error(*at, texts::expected_networks(key));
                }
            }
        }
        if texts.is_empty() {
            self.error(node.at, texts::expected_one_network(key));
        }
        networks
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

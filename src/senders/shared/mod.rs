//! What several senders need, whatever protocol they speak.

pub(super) mod budget;
pub(super) mod deliver;
mod escapes;
pub(super) mod failure;
pub mod http;
pub(super) mod json_body;
pub(super) mod key_ages;
pub(super) mod markdown;
pub(super) mod ogg;
pub(super) mod parts;
mod pinned;
#[cfg(test)]
pub(crate) mod samples;
pub(super) mod secrets;
pub(super) mod segments;
pub(super) mod setting;
pub(super) mod settings;
pub(super) mod sign;
mod spelling;
pub(super) mod steady;
pub(super) mod steps;
pub(super) mod targets;
pub(super) mod text;
pub(super) mod token;
pub(super) mod upload;
pub(super) mod verdict;
pub(super) mod wire;

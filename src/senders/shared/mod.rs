//! What several senders need, whatever protocol they speak.

pub mod budget;
pub mod deliver;
mod escapes;
pub mod failure;
pub mod http;
pub mod json_body;
pub mod key_ages;
pub mod markdown;
pub mod ogg;
pub mod parts;
mod pinned;
#[cfg(test)]
pub mod samples;
pub mod secrets;
pub mod segments;
pub mod setting;
pub mod settings;
pub mod sign;
mod spelling;
pub mod steady;
pub mod steps;
pub mod targets;
pub mod text;
pub mod token;
pub mod upload;
pub mod verdict;
pub mod wire;

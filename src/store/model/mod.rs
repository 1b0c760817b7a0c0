//! What the verbs of the store are asked with, and what they answer.

mod acts;
mod fetched;
mod figures;
mod fires;
mod jobs;
mod pushes;
mod records;
mod simulated;
mod upkeep;
mod views;

pub use acts::*;
pub use fetched::*;
pub use figures::*;
pub use fires::*;
pub use jobs::*;
pub use pushes::*;
pub use records::*;
pub use simulated::*;
pub use upkeep::*;
pub use views::*;

//! What several test files share.

pub mod alone;
pub mod daemon;
pub mod deliveries;
pub mod fake_ilink;
pub mod fake_im;
pub mod fake_qianxun;
pub mod fake_wecom;
pub mod form;
pub mod gate;
pub mod memory;
pub mod platforms;
pub mod rows;
pub mod senders;
pub mod world;

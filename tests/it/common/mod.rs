//! What several test files share.

pub(crate) mod alone;
pub(crate) mod daemon;
pub(crate) mod deliveries;
pub(crate) mod fake_ilink;
pub(crate) mod fake_im;
pub(crate) mod fake_qianxun;
pub(crate) mod fake_wecom;
pub(crate) mod form;
pub(crate) mod gate;
pub(crate) mod memory;
pub(crate) mod platforms;
pub(crate) mod rows;
pub(crate) mod senders;
pub(crate) mod world;

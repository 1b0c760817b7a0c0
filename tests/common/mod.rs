//! What several test files share. Each file uses a part of it, so the rest is unused there.
#![allow(dead_code, reason = "every test file compiles this module anew and uses a part of it")]

pub mod bench;
pub mod daemon;
pub mod deliveries;
pub mod fake_ilink;
pub mod fake_im;
pub mod fake_qianxun;
pub mod fake_wecom;
pub mod form;
pub mod rig;
pub mod world;

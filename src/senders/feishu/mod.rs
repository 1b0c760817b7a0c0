//! What the two Feishu senders share: how a message becomes Feishu's (`plan`), what the answers mean, and the app that
//! uploads. Lark is the same under another address (`protocols/others.md` §2).

mod answer;
mod app;
mod plan;

pub(super) use self::answer::{Refusal, judge};
pub(super) use self::app::{App, Ask};
pub(super) use self::plan::{Content, Element, Place, Placed, Planned, Rules, is_image, plan};

pub(super) const FEISHU: &str = "https://open.feishu.cn";
pub(super) const FILE_MAX_BYTES: u64 = 30 * 1024 * 1024;

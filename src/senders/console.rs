use super::*;
use crate::domain::*;
pub static SPEC: SenderSpec = SenderSpec {
    name: "console",
    about: "",
    default_im: "console",
    settings: &[],
    support: |_, _| Support::Native,
    idempotent: |_| false,
    concurrency: 1,
    min_interval_ms: 0,
    max_media_bytes: 0,
};
pub fn build(_: &Account, _: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    todo!()
}

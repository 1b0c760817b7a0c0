//! With what a store renders, before and after somebody said so.

use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{Delivery, Facts, Message, Render, Rendering, UtcMs};

/// What all handles of one store render with.
#[derive(Clone)]
pub(super) struct Renderer(Arc<RwLock<Arc<dyn Render>>>);

impl Renderer {
    /// Nothing that is to be rendered can be sent yet.
    pub(super) fn none() -> Renderer {
        Renderer(Arc::new(RwLock::new(Arc::new(NoRenderer))))
    }

    pub(super) fn get(&self) -> Arc<dyn Render> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, renderer: Arc<dyn Render>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = renderer;
    }
}

/// What templates can tell of a push by itself.
pub(super) fn facts<'a>(delivery: &'a Delivery, account: &'a str, now: UtcMs) -> Facts<'a> {
    Facts {
        due_at: delivery.due_at,
        now,
        job: delivery.job.as_deref(),
        run: 0,
        trigger: delivery.triggered_by,
        backfill: false,
        calendar: None,
        account,
        im: &delivery.im,
        target: &delivery.target,
        content: None,
        columns: None,
    }
}

/// Stands where nobody said with what to render.
struct NoRenderer;

impl Render for NoRenderer {
    fn render(&self, _: &Message, _: &Rendering, _: &Facts<'_>) -> Result<Message, String> {
        Err("nobody is there to render it (a bug of pushcron)".to_owned())
    }
}

//! With what a store renders, before and after somebody said so.

use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{Facts, Message, Render, Rendering};

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

/// Stands where nobody said with what to render.
struct NoRenderer;

impl Render for NoRenderer {
    fn render(&self, _: &Message, _: &Rendering, _: &Facts<'_>) -> Result<Message, String> {
        Err("nobody is there to render it (a bug of pushcron)".to_owned())
    }
}

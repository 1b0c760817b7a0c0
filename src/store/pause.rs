//! How a backend that has to look now and then waits between two looks.

use std::pin::Pin;

/// A wait by the caller's clock, since no store knows one. A backend that is told of everything never calls it.
pub type Pause = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

//! Work that may block, in the runtime's threads for it.

use std::any::Any;

use tokio::{
    runtime::Handle,
    task::{JoinError, JoinHandle},
};

type Work = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;

/// Runs what may block, and waits for it. It runs to its end also if the caller is gone.
///
/// # Errors
///
/// Its panic, or the end of the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    runtime: &Handle,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let done = spawn(runtime, Box::new(move || Box::new(work()))).await?;
    Ok(*done.downcast().expect("the type that the work gives"))
}

// With one type of task the compiler makes the runtime's hundred functions for a task once: with a
// hundred types they were a fifth of this crate.
fn spawn(runtime: &Handle, work: Work) -> JoinHandle<Box<dyn Any + Send>> {
    runtime.spawn_blocking(work)
}

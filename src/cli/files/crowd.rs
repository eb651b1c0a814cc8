//! Several workers on one queue of files.

use std::sync::Arc;

use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

use crate::cli::failure::Failure;

/// Files at work at once: enough to share the syncs of small ones, few enough for the memory that
/// one account's requests may take.
pub(in crate::cli) const WORKERS: usize = 8;
/// Files found ahead of the workers.
const AHEAD: usize = 256;

/// Runs `find`, which queues, beside workers that take from the queue until it ends. The first that
/// cannot go on ends it.
///
/// # Errors
/// What ended it.
pub(in crate::cli) async fn run<T, F, W, Find>(find: F, worker: W) -> Result<(), Failure>
where
    T: Send + 'static,
    F: FnOnce(mpsc::Sender<T>) -> Find,
    Find: Future<Output = Result<(), Failure>>,
    W: Work<T>,
{
    let (sender, receiver) = mpsc::channel(AHEAD);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (queue, mut worker) = (Arc::clone(&receiver), worker.clone());
        workers.spawn(async move {
            loop {
                let next = queue.lock().await.recv().await;
                let Some(job) = next else { return Ok(()) };
                if let Err(failure) = worker.work(job).await {
                    let mut queue = queue.lock().await;
                    queue.close();
                    // Whoever looks for more sees that nobody wants it.
                    while queue.try_recv().is_ok() {}
                    return Err(failure);
                }
            }
        });
    }
    let found = find(sender).await;
    let mut ended = Ok(());
    while let Some(worker) = workers.join_next().await {
        let worker =
            worker.unwrap_or_else(|fault| Err(Failure::Refused(format!("a worker failed: {fault}"))));
        ended = ended.and(worker);
    }
    ended.and(found)
}

/// Who takes jobs; another is made for each of the workers.
pub(in crate::cli) trait Work<T>: Clone + Send + 'static {
    /// Does one job. An error ends everything; what concerns one file only is told and counted.
    fn work(&mut self, job: T) -> impl Future<Output = Result<(), Failure>> + Send;
}

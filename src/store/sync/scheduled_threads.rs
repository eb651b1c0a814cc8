//! Threads and channels that wait for their turn inside a run of the scheduler.

/// Channels.
pub mod mpsc {
    use std::time::Duration;

    pub use std::sync::mpsc::{RecvTimeoutError, SendError};

    use super::super::scheduled::is_scheduled;

    /// Where a channel begins.
    #[derive(Debug)]
    pub enum Sender<T> {
        /// The standard library's.
        Free(std::sync::mpsc::Sender<T>),
        /// The scheduler's.
        Scheduled(shuttle::sync::mpsc::Sender<T>),
    }

    /// Where it ends.
    #[derive(Debug)]
    pub enum Receiver<T> {
        /// The standard library's.
        Free(std::sync::mpsc::Receiver<T>),
        /// The scheduler's.
        Scheduled(shuttle::sync::mpsc::Receiver<T>),
    }

    /// A channel that takes any number.
    pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
        if is_scheduled() {
            let (sender, receiver) = shuttle::sync::mpsc::channel();
            (Sender::Scheduled(sender), Receiver::Scheduled(receiver))
        } else {
            let (sender, receiver) = std::sync::mpsc::channel();
            (Sender::Free(sender), Receiver::Free(receiver))
        }
    }

    impl<T> Sender<T> {
        /// Sends.
        pub fn send(&self, value: T) -> Result<(), SendError<T>> {
            match self {
                Self::Free(sender) => sender.send(value),
                Self::Scheduled(sender) => sender.send(value),
            }
        }
    }

    impl<T> Receiver<T> {
        /// Waits. Inside of a run no time ever passes.
        pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
            match self {
                Self::Free(receiver) => receiver.recv_timeout(timeout),
                Self::Scheduled(receiver) => receiver.recv_timeout(timeout),
            }
        }
    }
}

/// Threads.
pub mod thread {
    use std::{io, time::Duration};

    use super::super::scheduled::is_scheduled;

    /// Lets others go on.
    pub fn sleep(time: Duration) {
        if is_scheduled() { shuttle::thread::sleep(time) } else { std::thread::sleep(time) }
    }

    /// A thread that was started.
    #[derive(Debug)]
    pub enum JoinHandle<T> {
        /// The system's.
        Free(std::thread::JoinHandle<T>),
        /// The scheduler's.
        Scheduled(shuttle::thread::JoinHandle<T>),
    }

    impl<T> JoinHandle<T> {
        /// Waits for its end.
        pub fn join(self) -> std::thread::Result<T> {
            match self {
                Self::Free(thread) => thread.join(),
                Self::Scheduled(thread) => thread.join(),
            }
        }
    }

    /// A thread to be.
    #[derive(Debug, Default)]
    pub struct Builder {
        name: String,
    }

    impl Builder {
        /// One without a name.
        pub fn new() -> Self {
            Self::default()
        }

        /// Names it.
        pub fn name(self, name: String) -> Self {
            Self { name }
        }

        /// Starts it.
        pub fn spawn<T: Send + 'static>(
            self,
            run: impl FnOnce() -> T + Send + 'static,
        ) -> io::Result<JoinHandle<T>> {
            if is_scheduled() {
                shuttle::thread::Builder::new().name(self.name).spawn(run).map(JoinHandle::Scheduled)
            } else {
                std::thread::Builder::new().name(self.name).spawn(run).map(JoinHandle::Free)
            }
        }
    }
}

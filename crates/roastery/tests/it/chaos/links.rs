//! The links between the nodes: each node dials each other one through a relay of its own, which
//! can be cut.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

/// The link from one node to another.
pub(crate) struct Link {
    pub(crate) port: u16,
    cut: Arc<AtomicBool>,
    changed: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Link {
    /// A link to the listener at this port.
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, changed) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let task = tokio::spawn(relay(listener, target, cut.clone(), changed.clone()));
        Self { port, cut, changed, task }
    }

    /// Closes all connections, and accepts no further ones until it is healed.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    pub(crate) fn heal(&self) {
        self.cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
        self.changed.notify_waiters();
    }
}

async fn relay(listener: TcpListener, target: u16, cut: Arc<AtomicBool>, changed: Arc<Notify>) {
    loop {
        let Ok((mut near, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (cut, changed) = (cut.clone(), changed.clone());
        tokio::spawn(async move {
            let ended = changed.notified();
            if cut.load(Ordering::Relaxed) {
                return;
            }
            let Ok(mut far) = TcpStream::connect(("127.0.0.1", target)).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                () = ended => {}
            }
        });
    }
}

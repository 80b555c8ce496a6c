//! The view on the terminal: the node is followed in a thread, keys are read and the picture is
//! drawn in this one.

use std::{
    convert::Infallible,
    process::ExitCode,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use roastery_service::api::Client;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use super::{
    draw::{Colours, Over, draw},
    follow::follow,
    keys::{Key, Typed, typed},
    lists::Reader,
    model::Model,
    terminal::{self, Screen},
};
use crate::{
    node::{At, question::answered, review, wait_for},
    output::{coloured, one_line, remark},
    when::{self, Clock},
};

/// The least time between two pictures: four a second.
const PERIOD: Duration = Duration::from_millis(250);

/// How long the view may take to end after a signal, as when its terminal takes no output.
const ENDING: Duration = Duration::from_secs(1);

/// Said where the thread that follows the node has ended: after a panic, whose message is above.
const NOT_FOLLOWED: &str = "the node is not followed any more; start roastery watch again";

/// The thread that follows the node.
type Follower = thread::JoinHandle<anyhow::Result<Infallible>>;

/// What the two threads share.
#[derive(Default)]
struct Shared {
    model: Mutex<Model>,
    /// Whether a signal has ended the view.
    ended: AtomicBool,
}

impl Shared {
    fn model(&self) -> MutexGuard<'_, Model> {
        // No step under the lock leaves it incomplete.
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

/// Why the view is left.
enum Left {
    Quit,
    Review,
}

pub(super) fn show(at: &At, client: Client) -> anyhow::Result<ExitCode> {
    let shared = Arc::new(Shared::default());
    let follower = follow_in_thread(client, shared.clone())?;
    loop {
        match on_screen(&shared, &follower)? {
            Left::Quit => return Ok(ExitCode::SUCCESS),
            Left::Review if shared.has_ended() => return Ok(ExitCode::SUCCESS),
            Left::Review => {}
        }
        if let Err(error) = review::review(at, &review::Review::ALL) {
            remark(&one_line(&error));
        }
        // What was decided is read before the view covers it.
        if answered("Enter goes back to roastery watch : ")?.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Follows the node in a thread, which also awaits signals, until the process ends.
fn follow_in_thread(client: Client, shared: Arc<Shared>) -> anyhow::Result<Follower> {
    let (ready, is_ready) = mpsc::channel();
    let follower = thread::spawn(move || {
        wait_for(async {
            let signals = Signals::new().context("signals cannot be awaited")?;
            // There is a screen only once signals restore the terminal.
            let _ = ready.send(());
            let tell = |told| -> Result<(), Infallible> {
                shared.model().take(told, when::now());
                Ok(())
            };
            let mut lists = Reader::default();
            let more = async |turn| lists.read(&client, turn).await;
            tokio::select! {
                never = follow(&client, more, tell) => match never {},
                never = signals.end(&shared) => match never {},
            }
        })
    });
    match is_ready.recv() {
        Ok(()) => Ok(follower),
        // It has ended before, and says why.
        Err(_) => match follower.join() {
            Ok(ended) => ended.map(|never| match never {}),
            Err(_) => Err(anyhow!(NOT_FOLLOWED)),
        },
    }
}

/// Shows the view until it is left. The terminal is as before then.
fn on_screen(shared: &Shared, follower: &Follower) -> anyhow::Result<Left> {
    let mut screen = Screen::enter().context("the terminal cannot be drawn on")?;
    let colours = if coloured() { Colours::Some } else { Colours::None };
    let mut over = Over::Nothing;
    let mut due = Instant::now();
    while !shared.has_ended() {
        // A panic of the thread has given the terminal back.
        if follower.is_finished() || !terminal::is_shown() {
            return Err(anyhow!(NOT_FOLLOWED));
        }
        let wait = due.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            due = Instant::now() + PERIOD;
            let now = when::now();
            screen.draw(|frame| {
                draw(frame, &shared.model(), now, &Clock::system(), colours, over);
            })?;
            continue;
        }
        let Typed::Keys(keys) = typed(wait)? else { return Ok(Left::Quit) };
        for key in keys {
            match key {
                Key::Quit => return Ok(Left::Quit),
                Key::Review => return Ok(Left::Review),
                Key::Help if over == Over::Nothing => over = Over::Help,
                Key::Help | Key::Close => over = Over::Nothing,
            }
        }
    }
    Ok(Left::Quit)
}

/// The signals that end the view.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Ends the process with the first of them: by the view, so that the terminal is as before.
    async fn end(mut self, shared: &Shared) -> Infallible {
        let kind = tokio::select! {
            _ = self.hangup.recv() => SignalKind::hangup(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        };
        shared.ended.store(true, Ordering::SeqCst);
        if terminal::is_shown() {
            sleep(ENDING).await;
            terminal::read_as_before();
        } else {
            // It may have come on the terminal just now.
            terminal::leave();
        }
        // As a shell names the end by a signal. A review is ended by it as the command is.
        std::process::exit(128 + kind.as_raw_value());
    }
}

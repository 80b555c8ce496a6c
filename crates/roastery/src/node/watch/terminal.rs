//! The terminal while the view is on it, and as it was before whatever ends the view.

use std::{
    io::{self, IsTerminal as _, Stdout, stdin, stdout},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use ratatui::{
    Frame, Terminal, TerminalOptions, Viewport,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        execute,
        terminal::{
            Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
            enable_raw_mode,
        },
    },
    layout::Rect,
};
use rustix::termios::tcgetwinsize;

/// The size of a terminal that does not say its own.
const USUAL: Rect = Rect { x: 0, y: 0, width: 80, height: 24 };

/// Whether the view is on the terminal.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Whether the view can be drawn, and keys can be read.
pub(super) fn can_draw() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|kind| kind.is_empty() || kind == "dumb");
    stdin().is_terminal() && stdout().is_terminal() && !dumb
}

/// The screen of the view. Dropped, the terminal is as before.
pub(super) struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    pub(super) fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            // The message of a panic would be lost with the screen of the view.
            std::panic::set_hook(Box::new(move |panic| {
                leave();
                before(panic);
            }));
        });
        SHOWN.store(true, Ordering::SeqCst);
        let entered = enable_raw_mode()
            .and_then(|()| execute!(stdout(), EnterAlternateScreen))
            .and_then(|()| terminal(size()));
        entered.map(Self).inspect_err(|_| leave())
    }

    /// Draws, in the size that the terminal has now.
    pub(super) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let now = size();
        if self.0.get_frame().area() != now {
            // Ratatui would ask the terminal for its cursor, and wait for the answer.
            execute!(stdout(), Clear(ClearType::All))?;
            self.0 = terminal(now)?;
        }
        self.0.draw(picture).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn terminal(area: Rect) -> io::Result<Terminal<CrosstermBackend<Stdout>>> {
    let viewport = Viewport::Fixed(area);
    Terminal::with_options(CrosstermBackend::new(stdout()), TerminalOptions { viewport })
}

fn size() -> Rect {
    let known = tcgetwinsize(stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    known.map_or(USUAL, |size| Rect::new(0, 0, size.ws_col, size.ws_row))
}

/// Makes the terminal as it was, if the view is on it.
pub(super) fn leave() {
    if SHOWN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing.
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    }
}

/// Whether the view is on the terminal.
pub(super) fn is_shown() -> bool {
    SHOWN.load(Ordering::SeqCst)
}

/// Gives the terminal its way of reading back, and writes nothing: what writes may be stuck.
pub(super) fn read_as_before() {
    let _ = disable_raw_mode();
}

//! The console: a process beside the node, which a browser on this machine asks.

use std::{process::ExitCode, thread};

use clap::Args;
use roastery_console::{Console, Listeners, Notice, Over};
use roastery_service::api::Client;
use tokio::sync::mpsc;

use super::At;
use crate::{output::remark, values, when::Clock};

#[derive(Args)]
pub(crate) struct Options {
    /// The port at this machine's loopback addresses [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = |text: &str| values::number::<u16>(text, 1, 65_535))]
    port: Option<u16>,
    /// For people elsewhere, with passkeys, at the origin that the configuration names; it reads,
    /// and hands on what they have signed. --socket is then the node's socket for it
    #[cfg(feature = "remote")]
    #[arg(long, requires = "port")]
    remote: bool,
}

/// Why the console ends.
pub(crate) enum End {
    /// Its terminal has ended, or the user has ended it there.
    Terminal,
    /// By itself.
    Over(Over),
}

impl End {
    /// Says why it has ended, where the user has not ended it.
    pub(crate) fn say(&self) {
        match self {
            End::Terminal => {}
            End::Over(Over::Idle) => {
                remark("The console was not used for half an hour: it has ended.");
            }
            End::Over(Over::Life) => remark("The console has run for twelve hours: it has ended."),
        }
    }
}

pub(super) fn console(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "remote")]
    if options.remote {
        return remote(at, options);
    }
    let client = at.client()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let last = "Enter makes another code. Ctrl-C ends the console; the node goes on.";
    let end = runtime.block_on(serve(client, options.port, last, true))?;
    // The thread that reads the terminal is not waited for.
    runtime.shutdown_background();
    end.say();
    Ok(ExitCode::SUCCESS)
}

/// Serves a console of the node that this client asks, and says how to open it; `last` says what
/// ends it. It ends with its terminal if `with_terminal` is true.
pub(crate) async fn serve(
    client: Client,
    port: Option<u16>,
    last: &str,
    with_terminal: bool,
) -> anyhow::Result<End> {
    let listeners = Listeners::bind(port).await?;
    let (console, notices) = Console::new(client, listeners.port())?;
    say!("{}", console.address());
    say!("code {}", console.code()?);
    remark(
        "Open the address in Chromium or Firefox on this machine, and type the code there: it \
         is good for two minutes, once.",
    );
    remark(last);
    let over = async { anyhow::Ok(End::Over(console.serve(listeners).await)) };
    let told = async {
        terminal(&console, notices).await?;
        if !with_terminal {
            std::future::pending::<()>().await;
        }
        Ok(End::Terminal)
    };
    tokio::select! {
        over = over => over,
        told = told => told,
    }
}

/// Serves people elsewhere until the process is ended.
#[cfg(feature = "remote")]
fn remote(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    // The relay has a socket of its own.
    let socket = match &at.socket {
        Some(socket) => socket.clone(),
        None => {
            let (folder, config) = at.config()?;
            folder.resolve(&config.remote.socket)
        }
    };
    let client = roastery_service::api::Client::new(socket);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listeners = Listeners::bind(options.port).await?;
        let console = roastery_console::RemoteConsole::new(client).await?;
        say!("{}/", console.origin());
        remark(&format!(
            "It is answered at port {} of this machine's loopback addresses. Ctrl-C ends it; the node goes on.",
            listeners.port()
        ));
        console.serve(listeners).await;
        anyhow::Ok(ExitCode::SUCCESS)
    })
}

/// Serves the terminal until it ends: a line makes another code, and what happens is said.
async fn terminal(console: &Console, mut notices: mpsc::Receiver<Notice>) -> anyhow::Result<()> {
    let mut lines = lines();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(()) => say!("code {}", console.code()?),
                None => return Ok(()),
            },
            Some(notice) = notices.recv() => {
                let at = Clock::system().at(crate::when::now());
                remark(&match notice {
                    Notice::Entered => format!("{at}  a browser has opened the console"),
                    Notice::WrongCode(0) => {
                        format!("{at}  a wrong code, the fifth: the code is void. Enter makes another one")
                    }
                    Notice::WrongCode(left) => format!("{at}  a wrong code; tries left: {left}"),
                    Notice::UsedAgain => format!(
                        "{at}  the used code was tried again. If that was not you, another program has seen it"
                    ),
                });
            }
        }
    }
}

/// The lines that are typed, each without what is on it.
fn lines() -> mpsc::Receiver<()> {
    let (sender, lines) = mpsc::channel(1);
    thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if line.is_err() || sender.blocking_send(()).is_err() {
                return;
            }
        }
    });
    lines
}

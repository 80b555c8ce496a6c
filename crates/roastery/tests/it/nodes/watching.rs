//! `roastery watch`: on a terminal, which is as before whatever ends it, and as lines.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::nodes::{
    support::{Group, Process, TestFolder, fresh_folder, signal, until},
    terminal::Terminal,
};

/// What a terminal of 80 columns and 24 lines shows after these bytes, as far as `watch` moves the
/// cursor.
fn screen(bytes: &[u8]) -> String {
    let blank = vec![vec![' '; 80]; 24];
    let (mut rows, mut row, mut column) = (blank.clone(), 0, 0);
    let text = String::from_utf8_lossy(bytes);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                let mut numbers = String::new();
                while let Some(c) = chars.next_if(|c| !('@'..='~').contains(c)) {
                    numbers.push(c);
                }
                let mut each = numbers.split(';').map(|number| number.parse().unwrap_or(1_usize));
                match chars.next() {
                    Some('H') => {
                        row = each.next().unwrap_or(1) - 1;
                        column = each.next().unwrap_or(1) - 1;
                    }
                    Some('J') => rows.clone_from(&blank),
                    Some('h') if numbers == "?1049" => rows.clone_from(&blank),
                    _ => {}
                }
            }
            '\r' => column = 0,
            '\n' => row = (row + 1).min(23),
            c => {
                if let Some(place) = rows.get_mut(row).and_then(|row| row.get_mut(column)) {
                    *place = c;
                }
                column += 1;
            }
        }
    }
    let lines: Vec<String> = rows.into_iter().map(|row| row.into_iter().collect()).collect();
    lines.join("\n")
}

/// `watch` at this folder, on a terminal of 80 columns and 24 lines, whose settings before and
/// after it are kept, with the exit status between.
struct Watched {
    terminal: Terminal,
    folder: String,
}

impl Watched {
    fn start(folder: &Path) -> Self {
        let folder = folder.to_str().unwrap().to_owned();
        let watch = format!("{} watch --folder {folder}", env!("CARGO_BIN_EXE_roastery"));
        let line = format!(
            "tty >{folder}/tty; stty rows 24 cols 80; stty -a >{folder}/before; \
             sh -c 'echo $$ >{folder}/pid; exec {watch}'; \
             echo $? >{folder}/status; stty -a >{folder}/after"
        );
        Self { terminal: Terminal::start(&line, false), folder }
    }

    fn kept(&self, name: &str) -> String {
        fs::read_to_string(format!("{}/{name}", self.folder)).unwrap().trim().to_owned()
    }

    /// Waits until the screen has all of these texts.
    #[track_caller]
    fn shows(&self, texts: &[&str]) {
        let has_all = || {
            let screen = screen(&self.terminal.shown());
            texts.iter().all(|text| screen.contains(text)).then_some(())
        };
        until(&format!("the screen has {texts:?}"), has_all);
    }

    /// Waits until the text stands at the end of what was written.
    #[track_caller]
    fn asks(&self, text: &str) {
        until(text, || self.terminal.shown().ends_with(text.as_bytes()).then_some(()));
    }

    /// Waits for its end, which gives the terminal back: the exit status.
    fn ends(self) -> String {
        let Self { terminal, folder } = self;
        let said = terminal.end();
        let kept = |name: &str| fs::read_to_string(format!("{folder}/{name}")).unwrap();
        assert_eq!(kept("before"), kept("after"));
        let left = said.out.rfind("\u{1b}[?1049l").expect("it leaves the screen of the view");
        assert!(!said.out[left..].contains("\u{1b}[?1049h"), "{said:?}");
        assert!(said.out[left..].contains("\u{1b}[?25h"), "{said:?}");
        kept("status").trim().to_owned()
    }
}

/// A folder of a node that does not run.
fn idle_node(name: &str) -> TestFolder {
    let folder = fresh_folder(name);
    fs::write(folder.join("roastery.toml"), "").unwrap();
    folder
}

#[test]
fn watch_shows_the_group_what_waits_and_an_absence_of_the_node_and_comes_back_from_review() {
    let group = Group::start("watched", 3, 2);
    let mut watched = Watched::start(&group.node(1));
    watched.shows(&["node-1", "healthy", "* node-0", "* node-2", "2 of 3 must sign", "1 to spare"]);
    let session = group.propose(0, "Quarterly report");
    let id = &session[..8];
    watched.shows(&["1 request waits for you", id, "text \"Quarterly report\"", "proposed"]);
    watched.terminal.types("?");
    watched.shows(&["quit; the node goes on"]);
    watched.terminal.types("?");
    watched.shows(&["1 request waits for you"]);
    // The same review as `roastery review`.
    watched.terminal.types("r");
    watched.asks("q quit : ");
    watched.terminal.types("y\n");
    watched.asks("Enter goes back to roastery watch : ");
    group.request_in(1, &session, "signed");
    watched.terminal.types("\n");
    watched.shows(&["healthy", "signed", "approved", "in 10 min, last"]);
    group.stop(1);
    watched.shows(&["no answer", "no node runs here", "roastery node starts one"]);
    group.restart(1, &[]);
    watched.shows(&["healthy", "the node answers again", "in 10 min, last"]);
    // A narrower terminal, and a wider one again.
    let resize = |columns: &str| {
        let tty = watched.kept("tty");
        let done = Command::new("stty").args(["-F", &tty, "cols", columns]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    resize("40");
    watched.shows(&["  r q ?"]);
    resize("80");
    watched.shows(&["q quit  ? help"]);
    watched.terminal.types("q");
    assert_eq!(watched.ends(), "0");
}

#[test]
fn watch_gives_the_terminal_back_whatever_signal_ends_it() {
    for name in ["HUP", "INT", "TERM"] {
        let node = idle_node(&format!("watch-{name}"));
        let watched = Watched::start(&node);
        watched.shows(&["no answer", "no node runs here"]);
        signal(name, watched.kept("pid").parse().unwrap());
        assert_eq!(watched.ends(), "0", "{name}");
    }
}

#[test]
fn watch_ends_with_ctrl_c_and_draws_four_times_a_second_at_most() {
    let node = idle_node("watch-ctrl-c");
    let mut watched = Watched::start(&node);
    watched.shows(&["no answer"]);
    // The cursor is hidden with each picture.
    let pictures = |watched: &Watched| {
        let shown = watched.terminal.shown();
        String::from_utf8_lossy(&shown).matches("\u{1b}[?25l").count()
    };
    let (begin, before) = (Instant::now(), pictures(&watched));
    for _ in 0..100 {
        watched.terminal.types("?");
        sleep(Duration::from_millis(20));
    }
    let drawn = pictures(&watched) - before;
    // One more may have been on its way when they were counted first.
    let most = begin.elapsed().as_millis() / 250 + 2;
    assert!((4..=most).contains(&(drawn as u128)), "{drawn} pictures of {most}");
    watched.terminal.types("\u{3}");
    assert_eq!(watched.ends(), "0");
}

#[test]
fn watch_prints_lines_where_there_is_no_terminal_and_ends_with_its_reader() {
    let group = Group::start("watch-lines", 3, 2);
    let mut command = Command::new(env!("CARGO_BIN_EXE_roastery"));
    command.args(["watch", "--folder"]).arg(group.node(1)).stdin(Stdio::null());
    let mut watch = Process(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    let mut line_with = |text: &str| lines.by_ref().map(Result::unwrap).find(|l| l.contains(text));
    assert!(line_with("local").unwrap().contains("2 of 3 must sign"));
    let session = group.propose(0, "Quarterly report");
    let line = line_with("waits to be approved here").unwrap();
    assert!(line.contains(&format!("  local  {}  ", &session[..8])), "{line}");
    assert!(!line.contains('\u{1b}'), "{line}");
    drop(lines);
    group.propose(0, "Another one");
    assert_eq!(watch.ended(), Some(0));
}

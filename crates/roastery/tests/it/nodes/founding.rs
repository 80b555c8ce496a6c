//! Three people found a group with two commands each: `setup`, and `invite` or `join`. What they
//! say to each other is passed by the test.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread::{self, sleep},
    time::{Duration, Instant},
};

use roastery_store::{Passphrase, Store};
use serde_json::{Value, json};

use super::support::{free_ports, fresh_folder, roastery, roastery_typed};

const PATIENCE: Duration = Duration::from_secs(90);

const PASSPHRASE: &str = "a passphrase of the tests";

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A person's node, and its folder.
struct Person {
    folder: PathBuf,
    node: Ends,
}

fn at(folder: &Path) -> String {
    folder.to_str().unwrap().to_owned()
}

fn run(folder: &Path, log: &Path) -> Ends {
    let node = Command::new(env!("CARGO_BIN_EXE_roastery"))
        .args(["node", "--folder", &at(folder)])
        .env("ROASTERY_PASSPHRASE", PASSPHRASE)
        .stdout(Stdio::null())
        .stderr(fs::File::create(log).unwrap())
        .spawn();
    Ends(node.unwrap())
}

impl Person {
    /// `setup`, and the node runs.
    fn new(folder: &Path, name: &str, port: u16) -> Self {
        let own = Self::set_up(folder, name, port);
        let node = run(&own, &folder.join(format!("{name}.log")));
        let person = Self { folder: own, node };
        person.answers();
        person
    }

    /// `setup` alone: the folder.
    fn set_up(folder: &Path, name: &str, port: u16) -> PathBuf {
        let (words, own) = (folder.join("words"), folder.join(name));
        fs::write(&words, PASSPHRASE).unwrap();
        let (words, port) = (at(&words), port.to_string());
        let setup = ["setup", "--yes", "--name", name, "--address", "127.0.0.1", "--lan"];
        let options = ["--port", &port, "--passphrase-file", &words, "--folder", &at(&own)];
        roastery(&[&setup[..], &options[..]].concat(), &[]).well();
        own
    }

    /// Waits until the node runs.
    fn answers(&self) {
        let begun = Instant::now();
        while roastery(&["health", "--folder", &at(&self.folder)], &[]).status != 0 {
            assert!(begun.elapsed() < PATIENCE, "{} does not answer", self.folder.display());
            sleep(Duration::from_millis(100));
        }
    }

    fn restart(&mut self, folder: &Path) {
        roastery(&["stop", "--folder", &at(&self.folder)], &[]).well();
        let _ = self.node.0.wait();
        self.node = run(&self.folder, &folder.join("again.log"));
        self.answers();
    }

    /// Asks the node's API: the answer's status and its body.
    fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = UnixStream::connect(self.folder.join("api.sock")).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    fn begin(&self, arguments: &[&str]) -> Screen {
        let mut child = Command::new(env!("CARGO_BIN_EXE_roastery"))
            .args(arguments)
            .args(["--folder", &at(&self.folder)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        for output in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        let keyboard = child.stdin.take();
        Screen { child: Ends(child), keyboard, lines, seen: Vec::new() }
    }
}

/// What a command shows, and what is typed there.
struct Screen {
    child: Ends,
    keyboard: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Screen {
    /// The rest of the next line with these words.
    fn after(&mut self, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no line with {words:?}: {:#?}", self.seen);
            };
            self.seen.push(line.clone());
            if let Some((_, rest)) = line.split_once(words) {
                return rest.to_owned();
            }
        }
    }

    fn types(&mut self, words: &[&str]) {
        let keyboard = self.keyboard.as_mut().unwrap();
        words.iter().for_each(|word| writeln!(keyboard, "{word}").unwrap());
    }

    /// The ten words of the paper that is shown are typed back where they are asked for. With
    /// `wrong` the first one is wrong at first.
    fn types_paper_back(&mut self, wrong: bool) -> BTreeMap<usize, String> {
        let begun = Instant::now();
        let asked_in_all = if wrong { 4 } else { 2 };
        let (mut words, mut asked, mut answered) = (BTreeMap::new(), Vec::new(), 0);
        let mut read = self.seen.len();
        while answered < asked_in_all {
            if let Some(number) = asked.get(answered).filter(|_| words.len() == 10) {
                let right: &String = &words[number];
                let other = if right == "zoo" { "abandon" } else { "zoo" };
                let word = if wrong && answered == 0 { other } else { right };
                self.types(&[word]);
                answered += 1;
                continue;
            }
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let line = self.lines.recv_timeout(left);
            self.seen.push(line.unwrap_or_else(|_| panic!("no paper: {:#?}", self.seen)));
            for line in &self.seen[read..] {
                if let Some(number) = line.strip_prefix("Word ") {
                    asked.push(number.trim_end_matches([':', ' ']).parse::<usize>().unwrap());
                }
                let parts: Vec<&str> = line.split_whitespace().collect();
                for pair in parts.chunks(2).filter(|_| parts.len() == 10) {
                    words.insert(pair[0].parse::<usize>().unwrap(), pair[1].to_owned());
                }
            }
            read = self.seen.len();
        }
        words
    }

    fn ends_well(mut self) {
        let status = self.child.0.wait().unwrap();
        assert!(status.success(), "{:#?}", self.seen);
    }
}

#[test]
fn three_people_found_a_group_by_lines_and_words_with_two_commands_each() {
    let folder = fresh_folder("founding");
    let port = free_ports(4);
    let anna = Person::new(&folder, "anna", port);
    let bert = Person::new(&folder, "bert", port + 1);
    let cleo = Person::new(&folder, "cleo", port + 2);
    // Each group has a host key of its own: that of the card is not used.
    for person in [&anna, &bert, &cleo] {
        fs::remove_file(person.folder.join("host-key")).unwrap();
    }

    let mut inviting =
        anna.begin(&["invite", "--group", "treasury", "--threshold", "2", "bert", "cleo"]);
    inviting.after("bert:");
    let for_bert = format!("roast1{}", inviting.after("roast1"));
    inviting.after("cleo:");
    let for_cleo = format!("roast1{}", inviting.after("roast1"));

    // A line that is cut is refused; one that is whole is taken.
    let cut = roastery(&["join", &for_bert[..50], "--folder", &at(&bert.folder)], &[]);
    assert!(cut.err.contains("not a whole line"), "{cut:?}");
    let mut berts = bert.begin(&["join", &for_bert, "--yes"]);
    let mut cleos = cleo.begin(&["join", &for_cleo, "--yes"]);
    berts.after("anna invites you as bert to treasury: 2 of 3 must sign");
    inviting.after("bert is here");

    let annas_word = inviting.after("your word, say it: ");
    let berts_word = berts.after("your word, say it: ");
    let cleos_word = cleos.after("your word, say it: ");
    // Nothing is made before all have compared.
    let status = roastery(&["status", "--json", "--folder", &at(&anna.folder)], &[]).json();
    assert!(status["groups"].as_array().unwrap().is_empty());

    inviting.types(&[&berts_word, &cleos_word]);
    cleos.types(&[&annas_word, &berts_word]);
    // Bert leaves his terminal; the same command goes on, without the line.
    berts.types(&[&annas_word]);
    berts.after("right");
    drop(berts);
    let mut berts = bert.begin(&["join"]);
    berts.after("your word, say it: ");
    berts.types(&[&cleos_word]);
    // Each is told by the two others that the word was right; who is not yet says so.
    for screen in [&mut inviting, &mut berts, &mut cleos] {
        screen.after("Has each of the others told you that your word was right?");
    }
    let status = roastery(&["status", "--json", "--folder", &at(&anna.folder)], &[]).json();
    assert!(status["groups"].as_array().unwrap().is_empty());
    inviting.types(&["n"]);
    inviting.after("Then wait until each has");
    for screen in [&mut inviting, &mut berts, &mut cleos] {
        screen.types(&["y"]);
    }
    // What has begun is not said to be cancelled.
    berts.after("All words are right");
    let late = roastery(&["join", "--cancel", "--folder", &at(&bert.folder)], &[]);
    assert!(late.status != 0 && !late.err.contains("Nothing was made"), "{late:?}");
    let addresses = [&mut inviting, &mut berts, &mut cleos].map(|screen| {
        screen.after("treasury is ready");
        screen.after("  bc1p")
    });
    assert!(addresses.iter().all(|address| *address == addresses[0]), "{addresses:?}");
    let key_files =
        |person: &Person| fs::read_dir(person.folder.join("node.store.epochs")).unwrap().count();
    // A host key stays until words of its paper were typed back.
    let kit = |person: &Person| roastery(&["kit", "--folder", &at(&person.folder)], &[]);
    let said = kit(&anna);
    assert!(said.status != 0 && said.out.contains("the host key is still here"), "{said:?}");
    assert_eq!(key_files(&anna), 2);
    inviting.types_paper_back(true);
    assert!(inviting.seen.iter().any(|line| line.contains("is not the one that was shown")));
    inviting.after("bert and cleo keep your sealed kit. The host key has left this machine.");
    berts.types_paper_back(false);
    let cleos_paper = cleos.types_paper_back(false);
    for screen in [&mut berts, &mut cleos] {
        screen.after("The host key has left this machine.");
    }
    for person in [&anna, &bert, &cleo] {
        let said = kit(person);
        assert!(said.status == 0 && said.out.contains("has left this machine"), "{said:?}");
        assert_eq!(said.out.matches("keeps it; has shown it last").count(), 2, "{said:?}");
        assert_eq!(said.out.matches("its own sealed kit is kept here").count(), 2, "{said:?}");
        assert_eq!(key_files(person), 1);
    }
    // There is nothing to make a further kit of. The sealed one is public.
    let (status, said) = anna.call("POST", "/v1/kits/treasury", "null");
    assert_eq!((status, &said["code"]), (409, &json!("conflict")), "{said}");
    let file = at(&folder.join("kit"));
    roastery(&["kit", "export", "treasury", &file, "--folder", &at(&anna.folder)], &[]).well();
    assert_eq!(fs::read(&file).unwrap().len(), 240);
    for screen in [inviting, berts, cleos] {
        screen.ends_well();
    }
    let ids: Vec<String> = [&anna, &bert, &cleo]
        .map(|person| {
            let status = roastery(&["status", "--json", "--folder", &at(&person.folder)], &[]);
            let status = status.json();
            assert_eq!(status["groups"][0]["name"], "treasury");
            status["groups"][0]["id"].to_string()
        })
        .to_vec();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let (anna, bert, cleo) =
        cleo_returns_by_a_line(&folder, [anna, bert, cleo], port, &cleos_paper);
    cleo_returns(&folder, [anna, bert, cleo], port + 2, &cleos_paper);
}

/// What the node has written down of what was asked for.
fn acts(person: &Person) -> String {
    person.call("GET", "/v1/audit?limit=200", "").1.to_string()
}

/// Cleo's disk is lost, and Bert's copy of her kit is altered. A stranger uses Bert's first line;
/// with the second one and her paper Cleo is back, by Anna's copy.
fn cleo_returns_by_a_line(
    folder: &Path,
    [anna, mut bert, cleo]: [Person; 3],
    port: u16,
    paper: &BTreeMap<usize, String>,
) -> (Person, Person, Person) {
    drop(cleo.node);
    fs::remove_dir_all(&cleo.folder).unwrap();
    roastery(&["stop", "--folder", &at(&bert.folder)], &[]).well();
    let _ = bert.node.0.wait();
    let words = Passphrase::new(PASSPHRASE.to_owned());
    let store = Store::open(bert.folder.join("node.store"), &words).unwrap();
    assert_eq!(store.alter_kept_kits().unwrap(), 2);
    drop(store);
    bert.node = run(&bert.folder, &folder.join("bert-again.log"));
    bert.answers();

    let line = |inviting: &mut Screen| format!("roast1{}", inviting.after("roast1"));
    let mut inviting = bert.begin(&["invite", "--return", "cleo"]);
    let first = line(&mut inviting);
    let mallory = Person::new(folder, "mallory", port + 3);
    let mut stolen = mallory.begin(&["join", &first]);
    stolen.after("bert brings cleo back to treasury: 2 of 3 must sign: anna, bert, cleo.");
    inviting.after("cleo's line was used, from 127.0.0.1");
    let cleo = Person::new(folder, "cleo", port + 2);
    let late = roastery(&["join", &first, "--folder", &at(&cleo.folder)], &[]);
    assert!(late.err.contains("used by another node before"), "{late:?}");
    // Ten words that are none of the paper's open nothing.
    stolen.types(&["bench bench bench bench bench bench bench bench bench bench"]);
    let cancel = ["invite", "--return", "cleo", "--cancel", "--folder", &at(&bert.folder)];
    roastery(&cancel, &[]).well();
    inviting.after("the line was cancelled");
    let (_, said) = mallory.call("GET", "/v1/returns", "");
    assert!(said.to_string().contains("the line was cancelled"), "{said}");

    let mut inviting = bert.begin(&["invite", "--return", "cleo"]);
    let second = line(&mut inviting);
    assert_ne!(first, second);
    // A line to return founds no group, and a node that is used does not return.
    let (status, said) =
        cleo.call("POST", "/v1/pairings/join", &json!({ "line": second }).to_string());
    assert_eq!((status, &said["code"]), (422, &json!("invalid")), "{said}");
    let refused = roastery(&["join", &second, "--folder", &at(&anna.folder)], &[]);
    assert!(refused.err.contains("has been used"), "{refused:?}");
    let mut joining = cleo.begin(&["join", &second]);
    joining.after("bert brings cleo back to treasury");
    let words: Vec<&str> = paper.values().map(String::as_str).collect();
    let mut swapped = words.clone();
    swapped.swap(0, 1);
    joining.types(&[&swapped.join(" "), &words.join(" ")]);
    joining.after("bert's copy of the kit does not open: it was altered");
    joining.after("anna's copy was taken.");
    joining.after("cleo is back in treasury. The others are told.");
    joining.ends_well();
    inviting.after("cleo is back in treasury.");
    inviting.ends_well();
    let begun = Instant::now();
    for person in [&anna, &bert] {
        while !acts(person).contains("treasury: cleo came back at a new machine, through bert") {
            assert!(begun.elapsed() < PATIENCE, "{}", acts(person));
            sleep(Duration::from_millis(200));
        }
    }
    assert!(acts(&anna).contains("the sealed kit of cleo was given to bert, for a return"));
    // No host key is there.
    assert_eq!(fs::read_dir(cleo.folder.join("node.store.epochs")).unwrap().count(), 1);
    (anna, bert, cleo)
}

/// Cleo's disk is lost. With what the others keep and her paper she is back, and signs with Bert.
fn cleo_returns(
    folder: &Path,
    [anna, bert, cleo]: [Person; 3],
    port: u16,
    paper: &BTreeMap<usize, String>,
) {
    drop(cleo.node);
    fs::remove_dir_all(&cleo.folder).unwrap();
    let (kit, altered) = (folder.join("kit-of-cleo"), folder.join("altered-kit"));
    let export = ["kit", "export", "treasury", &at(&kit), "--of", "cleo"];
    roastery(&[&export[..], &["--folder", &at(&anna.folder)]].concat(), &[]).well();
    let recovery = at(&folder.join("treasury.recovery"));
    let export = ["group", "export", "treasury", "--recovery-file", &recovery];
    roastery(&[&export[..], &["--folder", &at(&bert.folder)]].concat(), &[]).well();
    drop(anna);

    let returned = Person::set_up(folder, "cleo", port);
    let words: Vec<&str> = paper.values().map(String::as_str).collect();
    let passphrase = [("ROASTERY_PASSPHRASE", PASSPHRASE)];
    let restore = |kit: &Path, words: &str| {
        let arguments = ["kit", "restore", &at(kit), &recovery, "--folder", &at(&returned)];
        roastery_typed(&arguments, &passphrase, words)
    };
    let mut swapped = words.clone();
    swapped.swap(0, 1);
    if words[0] != words[1] {
        let refused = restore(&kit, &swapped.join(" "));
        assert!(refused.status != 0, "{refused:?}");
    }
    let mut bytes = fs::read(&kit).unwrap();
    bytes[200] ^= 1;
    fs::write(&altered, bytes).unwrap();
    let refused = restore(&altered, &words.join(" "));
    assert!(refused.err.contains("or it was altered"), "{refused:?}");
    restore(&kit, &words.join(" ")).well();
    // A node that is used is not overwritten.
    let refused = restore(&kit, &words.join(" "));
    assert!(refused.err.contains("has been used"), "{refused:?}");

    let node = run(&returned, &folder.join("cleo-again.log"));
    let cleo = Person { folder: returned, node };
    cleo.answers();
    // The share is here, no host key is, and Anna's node is off.
    assert_eq!(fs::read_dir(cleo.folder.join("node.store.epochs")).unwrap().count(), 1);
    let signs = ["sign", "--group", "treasury", "--text", "back", "--wait", "0"];
    let asked = roastery(&[&signs[..], &["--folder", &at(&cleo.folder)]].concat(), &[]);
    let session = asked.out.lines().find_map(|line| line.strip_prefix("Request"));
    let session = session.unwrap_or_else(|| panic!("{asked:?}")).trim().to_owned();
    let begun = Instant::now();
    let approve = ["approve", &session, "--yes", "--wait", "5", "--folder", &at(&bert.folder)];
    while !roastery(&approve, &[]).out.contains("Signature") {
        assert!(begun.elapsed() < PATIENCE, "Cleo and Bert do not sign");
        sleep(Duration::from_millis(300));
    }
}

#[test]
fn wrong_words_end_it_at_all_and_nothing_is_made() {
    let folder = fresh_folder("differing");
    let port = free_ports(2);
    let anna = Person::new(&folder, "anna", port);
    let bert = Person::new(&folder, "bert", port + 1);
    let mut inviting = anna.begin(&["invite", "--group", "treasury", "bert"]);
    inviting.after("bert:");
    let line = format!("roast1{}", inviting.after("roast1"));
    let mut joining = bert.begin(&["join", &line, "--yes"]);
    let words = inviting.after("your words, say them: ");
    let others = ["abandon", "zoo", "drift", "canyon", "orbit"];
    let wrong: Vec<&str> = others.into_iter().filter(|word| !words.contains(word)).collect();
    joining.after("your words, say them: ");
    joining.types(&["dirft"]);
    joining.after("not in the list");
    joining.types(&wrong[..3]);
    for screen in [&mut joining, &mut inviting] {
        screen.after("Nothing was made");
    }
    for person in [&anna, &bert] {
        let status = roastery(&["status", "--json", "--folder", &at(&person.folder)], &[]).json();
        assert!(status["groups"].as_array().unwrap().is_empty());
    }

    // The line is good for no second pairing.
    let first = line;
    let joined = roastery(&["join", &first, "--folder", &at(&bert.folder)], &[]);
    assert!(joined.err.contains("the pairing of this line has ended here"), "{joined:?}");

    // A second line of the same node finds the connection that is there.
    let mut inviting = anna.begin(&["invite", "--group", "treasury", "bert"]);
    inviting.after("bert:");
    let line = format!("roast1{}", inviting.after("roast1"));
    let mut joining = bert.begin(&["join", &line, "--yes"]);
    for screen in [&mut inviting, &mut joining] {
        screen.after("your words, say them: ");
    }
    // A word that was typed while a new attempt began is not compared, and is no try.
    let new = ["invite", "--new-attempt", "--no-wait", "--folder", &at(&anna.folder)];
    roastery(&new, &[]).well();
    for screen in [&mut inviting, &mut joining] {
        screen.after("(Attempt 2 of 5: the words are new.)");
    }
    let (_, all) = bert.call("GET", "/v1/pairings", "");
    let all = all.as_array().unwrap();
    let words = all.iter().find(|one| one["state"] == "comparing").unwrap();
    let words = format!("/v1/pairings/{}/words", words["id"].as_str().unwrap());
    for attempt in [1, 1, 1, 3] {
        let word = json!({ "attempt": attempt, "member": "anna", "word": "abandon" });
        let (status, said) = bert.call("POST", &words, &word.to_string());
        assert_eq!((status, &said["code"]), (409, &json!("conflict")), "{said}");
        let said = said.to_string();
        assert!(said.contains("attempt 2 has begun: it was not compared"), "{said}");
    }

    // A third one waits until the second pairing is over.
    let at_anna = ["--no-wait", "--folder", &at(&anna.folder)];
    let third = roastery(&[&["invite", "--group", "savings", "bert"], &at_anna[..]].concat(), &[]);
    let line = third.out.split_whitespace().find(|word| word.starts_with("roast1")).unwrap();
    let refused = roastery(&["join", line, "--folder", &at(&bert.folder)], &[]);
    assert!(refused.err.contains("another pairing, treasury,"), "{refused:?}");
    assert!(refused.err.contains("roastery join --cancel"), "{refused:?}");

    // Nor is the first line after a restart, while the second pairing goes on.
    let mut bert = bert;
    bert.restart(&folder);
    let joined = roastery(&["join", &first, "--folder", &at(&bert.folder)], &[]);
    assert!(joined.err.contains("the pairing of this line has ended here"), "{joined:?}");
    let (_, all) = bert.call("GET", "/v1/pairings", "");
    let open = all.as_array().unwrap().iter().filter(|one| one["state"] != "ended");
    assert_eq!(open.count(), 1, "{all}");
}

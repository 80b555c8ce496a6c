//! Writes what the targets begin with into `fuzz/corpus`: a key generation's messages, the files
//! that come of it, a change's dealings and certificate, a group and a request, the committed
//! frames and proofs of signing, scenarios of signing, and published PSBTs. Run in the repository's
//! root.

use std::{collections::VecDeque, error::Error, fs, path::Path, sync::Arc, time::Duration};

use bitcoin::hex::FromHex as _;
use getrandom::SysRng;
use roastery_frost::{
    SigningKey,
    change::{Certificate, Transcript, deal, open, take},
    danger_trusted_dealer,
};
use roastery_fuzz::{CHANGE, IDENTITY, INVITATION, members};
use roastery_protocol::{
    Seat,
    change::{
        EpochFile, EpochOrder, Holding, Lineage, LineageFile, LineageRoot, Parent, Party, Plan,
        Question, Receipt, Terms,
        message::{Body, Envelope, LineageContent, LineageMessage},
    },
    clock::Moment,
    group::{Group, NamedMember},
    keygen::{self, Keygen, Seed},
    keys::{HostKey, IdentityKey},
    machine::{Destination, Machine},
    member::Incarnation,
    request::{Derivation, MessageToSign, SigningRequest},
};

const NOW: Moment = Moment { monotonic: Duration::ZERO, wall: Duration::from_secs(1_800_000_000) };

fn key(byte: u8) -> Result<SigningKey, Box<dyn Error>> {
    Ok(SigningKey::from_bytes([byte; 32].into())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let published: serde_json::Value =
        serde_json::from_slice(&fs::read("crates/roastery-bitcoin/tests/vectors/psbt.json")?)?;
    for (number, case) in published.as_array().ok_or("no list")?.iter().enumerate() {
        write("psbt", number, &Vec::from_hex(case["psbt"].as_str().ok_or("no text")?)?)?;
    }
    // These are of the targets' own group.
    let ours: serde_json::Value =
        serde_json::from_slice(&fs::read("crates/roastery-bitcoin/tests/vectors/embit.json")?)?;
    for (number, case) in (1000..).zip(ours["psbts"].as_array().ok_or("no list")?) {
        let text = case["psbt"].as_str().ok_or("no text")?;
        write("psbt", number, roastery_bitcoin::psbt::read(text.as_bytes())?.bytes())?;
    }
    frames()?;
    scenarios()?;
    group_and_request()?;
    change()?;
    make_a_key()
}

/// The dealings of a change and its certificate.
fn change() -> Result<(), Box<dyn Error>> {
    let mut dealings = Vec::new();
    for dealer in CHANGE.dealers() {
        let share = roastery_fuzz::old_share(u8::try_from(dealer.index())?);
        dealings.push(deal(&CHANGE, dealer, &share, &[0; 32])?);
        write("change_dealing", dealer.index(), &dealings[dealer.index()].to_bytes())?;
    }
    let chosen = &dealings[..CHANGE.old().threshold()];
    let transcript = Transcript::new(&CHANGE, &chosen.iter().collect::<Vec<_>>())?;
    let mut signatures = Vec::new();
    for key in roastery_fuzz::host_keys() {
        let dealt =
            chosen.iter().map(|dealing| open(&key, dealing)).collect::<Result<Vec<_>, _>>()?;
        signatures.push(take(&key, &transcript, &dealt, &[0; 32])?.1);
    }
    let certificate = Certificate::new(transcript, signatures)?;
    write("change_certificate", 0, &certificate.to_bytes())?;
    plan_and_epoch(&certificate)
}

/// A plan, the files and messages about an epoch, and a receipt of each kind.
fn plan_and_epoch(certificate: &Certificate) -> Result<(), Box<dyn Error>> {
    let (keys, _) = danger_trusted_dealer::deal(3, 5, &mut SysRng)?;
    let group = Arc::new(Group::new(keys, [0x22; 32], members())?);
    let named = |(at, member)| {
        let name = format!("node {at}").parse().expect("letters, a space, a digit");
        NamedMember { name, member }
    };
    let members = members().into_iter().enumerate().map(named).collect();
    let expiry = NOW.wall_seconds() + 60;
    let terms = Terms { number: 1, threshold: 3, expiry, excluded: Vec::new(), members };
    let plan = Plan::new(Parent::of(&group), terms)?;
    write("change_plan", 0, &plan.encode())?;
    let file = EpochFile::new(plan.clone(), certificate);
    write("epoch_file", 0, &file.encode())?;
    // Of the first group alone: the certificate above is of other parameters than the plan.
    let root = LineageRoot::Group(group.clone());
    let lineage = Lineage::new(root.group().clone());
    write("lineage_file", 0, &LineageFile::of(root, &lineage)?.encode())?;
    let current = EpochOrder::last_of(&plan);
    let contents = [LineageContent::Ask { current, epoch: 2 }, LineageContent::Epoch(file)];
    for (number, content) in contents.into_iter().enumerate() {
        let message = LineageMessage { key: group.key_id(), content };
        write("lineage_message", number, &message.encode())?;
    }
    let incarnation = Incarnation::after(None, 7, [8; 8]);
    let answers = Some(Question { incarnation, number: 3 });
    let holdings =
        [Holding::Adopted, Holding::Lacking, Holding::Erased { host_key: true }, Holding::Adopted];
    for (number, holding) in holdings.into_iter().enumerate() {
        let transcript = current.transcript();
        let answers = answers.filter(|_| number == 0);
        let receipt = Receipt { transcript, incarnation, counter: 1, holding, answers };
        let sender = Party::new(Seat::new(u32::try_from(number)?)?);
        let sealed = Envelope::seal(plan.id(), sender, &Body::Receipt(receipt), &IDENTITY);
        write("change_message", number, sealed.as_bytes())?;
    }
    Ok(())
}

/// The frames and proofs of signing, of the committed vectors.
fn frames() -> Result<(), Box<dyn Error>> {
    let vectors: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&fs::read(
        "crates/roastery-protocol/tests/vectors/signing.json",
    )?)?;
    for (number, (name, value)) in vectors.iter().enumerate() {
        let bytes = Vec::from_hex(value.as_str().ok_or("no text")?)?;
        if name.ends_with("/frame") {
            // The first byte is the number of messages less one.
            write("member_frame", number, &[&[1], &bytes[..]].concat())?;
        } else if name.starts_with("proof/") && name.ends_with("/file") {
            write("member_proof", number, &bytes)?;
        }
    }
    Ok(())
}

/// Scenarios of signing: a group that approves, and one operation of each kind beside that.
fn scenarios() -> std::io::Result<()> {
    for what in 0..20_u8 {
        // A group, its network and faulty members; then operations of four bytes.
        let group = [what % 12, what % 32, 0x13, 9, what.wrapping_mul(13), what];
        let approve = [0, 0, 4, 0x21];
        let operation = [what, 0x21, what, 0x85];
        let bytes = [&group[..], &approve, &operation, &approve, &operation].concat();
        write("member_scenario", what.into(), &bytes)?;
    }
    Ok(())
}

fn write(target: &str, number: usize, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new("fuzz/corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("seed-{number}")), bytes)
}

/// The file of a group, and a request of two messages to it.
fn group_and_request() -> Result<(), Box<dyn Error>> {
    let (keys, _) = danger_trusted_dealer::deal(3, 5, &mut SysRng)?;
    let group = Group::new(keys, [0x22; 32], members())?;
    write("group_file", 0, &group.encode())?;
    let message =
        |byte| MessageToSign { message: [byte; 32], derivation: Derivation::key_path_only() };
    let expiry = NOW.wall_seconds() + 60;
    let request = SigningRequest::new(group.id(), [0; 32], expiry, vec![message(1), message(2)])?;
    write("request", 0, &request.encode())?;
    Ok(())
}

/// A key generation, with the messages that an honest one has.
fn make_a_key() -> Result<(), Box<dyn Error>> {
    write("invitation", 0, &INVITATION.encode())?;
    let mut keygens = Vec::new();
    for seat in INVITATION.seats() {
        let number = seat.index() as u8;
        keygens.push(Keygen::open(
            keygen::Opening {
                invitation: INVITATION.clone(),
                host: HostKey::new(key(0x30 + number)?),
                identity: Arc::new(IdentityKey::new(key(0x40 + number)?)),
                seed: Seed::from_bytes([number + 1; 32].into()),
                signed: None,
                settings: keygen::Settings::default(),
            },
            NOW,
        )?);
    }
    let (mut network, mut written) = (VecDeque::new(), 0);
    loop {
        for (from, keygen) in INVITATION.seats().zip(&mut keygens) {
            while let Some(output) = keygen.poll_output() {
                match output {
                    keygen::Output::Send { to, bytes } => {
                        write("keygen_message", written, &bytes)?;
                        written += 1;
                        let reached = INVITATION.seats().filter(|seat| reaches(to, from, *seat));
                        network.extend(reached.map(|to| (from, to, bytes.clone())));
                    }
                    keygen::Output::Persist(transcript) => keygen.persisted(transcript, true, NOW),
                    keygen::Output::Event(_) => {}
                }
            }
        }
        let Some((from, to, bytes)) = network.pop_front() else { break };
        let peer = &INVITATION.member(from).ok_or("no such member")?.peer;
        let _ = keygens[to.index()].handle_message(peer, &bytes, NOW);
    }
    let file = keygens[0].recovery_file().ok_or("the ceremony did not end with a key")?;
    write("recovery_file", 0, &file.encode())?;
    Ok(())
}

fn reaches(to: Destination, from: roastery_protocol::Seat, seat: roastery_protocol::Seat) -> bool {
    match to {
        Destination::Seat(one) => seat == one,
        Destination::Everyone => seat != from,
    }
}

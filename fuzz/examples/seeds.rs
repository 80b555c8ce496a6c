//! Writes what the targets begin with into `fuzz/corpus`: a session's and a key generation's
//! messages, the files that come of them, frames and proofs of signing version 2, and published
//! PSBTs. Run in the repository's root.

use std::{collections::VecDeque, error::Error, fs, path::Path, sync::Arc, time::Duration};

use bitcoin::hex::FromHex as _;
use getrandom::SysRng;
use roastery_frost::{SigningKey, danger_trusted_dealer};
use roastery_fuzz::{INVITATION, members};
use roastery_protocol::{
    Incarnation,
    keygen::{self, Keygen, Seed},
    clock::Moment,
    engine::FrostEngine,
    group::Group,
    keys::{HostKey, IdentityKey},
    message::{Body, Envelope, Header, Kind, Proposal, RefusalReason, Want},
    proof::{Fault, Proof},
    request::{
        ApprovedRequest, Derivation, MessageToSign, Policy, SigningRequest, Step, Subject,
    },
    signing::{self, PeerHistory, Session}, machine::{Destination, Machine}};

const NOW: Moment = Moment { monotonic: Duration::ZERO, wall: Duration::from_secs(1_800_000_000) };

struct SignAnything;

impl Policy for SignAnything {
    fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        Ok(())
    }
}

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
        write("psbt", number, &roastery_bitcoin::psbt::read(text.as_bytes())?.serialize())?;
    }
    sign()?;
    version_2()?;
    make_a_key()
}

/// The frames and proofs of signing version 2, of the committed vectors.
fn version_2() -> Result<(), Box<dyn Error>> {
    let vectors: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&fs::read(
        "crates/roastery-protocol/tests/vectors/golden-2.json",
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

fn write(target: &str, number: usize, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new("fuzz/corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("seed-{number}")), bytes)
}

/// A session of two messages, with every kind of message, and proofs.
fn sign() -> Result<(), Box<dyn Error>> {
    let (keys, shares) = danger_trusted_dealer::deal(3, 5, &mut SysRng)?;
    let group = Arc::new(Group::new(keys, [0x22; 32], members())?);
    write("group_file", 0, &group.encode())?;
    let message =
        |byte| MessageToSign { message: [byte; 32], derivation: Derivation::key_path_only() };
    let expiry = NOW.wall_seconds() + 60;
    let request = SigningRequest::new(group.id(), [0; 32], expiry, vec![message(1), message(2)])?;
    write("request", 0, &request.encode())?;
    let mut sessions = Vec::new();
    for (seat, share) in group.seats().zip(shares) {
        let identity = Arc::new(IdentityKey::new(key(0x40 + seat.index() as u8)?));
        let request =
            ApprovedRequest::obtain(request.clone(), &group, Arc::new(SignAnything), NOW)?;
        let opening = signing::Opening {
            group: group.clone(),
            seat,
            identity,
            request,
            incarnation: Incarnation::new(1, [seat.index() as u8; 8]),
            settings: signing::Settings::default(),
            record: PeerHistory::default(),
        };
        sessions.push(Session::open(
            opening,
            &FrostEngine::new(seat, group.keys().clone(), share),
            NOW,
        )?);
    }
    let (mut network, mut envelopes) = (VecDeque::new(), Vec::new());
    loop {
        for (from, session) in group.seats().zip(&mut sessions) {
            while let Some(output) = session.poll_output() {
                if let signing::Output::Send { to, bytes } = output {
                    envelopes.push(Envelope::parse(&bytes)?);
                    let reached = group.seats().filter(|seat| reaches(to, from, *seat));
                    network.extend(reached.map(|to| (from, to, bytes.clone())));
                }
            }
        }
        let Some((from, to, bytes)) = network.pop_front() else { break };
        let peer = &group.member(from).ok_or("no such member")?.peer;
        let _ = sessions[to.index()].handle_message(peer, &bytes, NOW);
    }
    let mut of_each_kind = Vec::new();
    for kind in Kind::ALL {
        of_each_kind.extend(envelopes.iter().find(|envelope| envelope.kind() == kind).cloned());
    }
    let (first, second) = (of_each_kind[0].clone(), of_each_kind[1].clone());
    let conflict = Fault::PackageConflict { first: first.clone(), second };
    let malformed = Fault::MalformedMessage { message: first };
    let proofs = [conflict, malformed].map(|fault| Proof::new(request.clone(), fault));
    for (number, proof) in proofs.iter().enumerate() {
        write("proof", number, &proof.encode())?;
    }
    let identity = IdentityKey::new(key(0x40)?);
    for body in [
        Body::Proposal(Proposal { request: request.clone(), subject: Subject::Hash }),
        Body::Want(Want::Slot),
        Body::Want(Want::Package(of_each_kind[0].body_hash())),
        Body::Refusal(RefusalReason::Busy),
        Body::Evidence(proofs[0].clone()),
    ] {
        let header = Header::new(body.kind(), group.id(), request.session_id(), 0, 0);
        of_each_kind.push(Envelope::seal(header, &body, &identity));
    }
    for (number, envelope) in of_each_kind.iter().enumerate() {
        // The first byte is the number of messages less one.
        write("session_message", number, &[&[1], &envelope.as_bytes()[..]].concat())?;
    }
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

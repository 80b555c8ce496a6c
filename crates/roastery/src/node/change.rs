//! Changes of a group: cards with fresh host keys, plans, and decisions about them.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use roastery_frost::Seat;
use roastery_protocol::group::{Group, Name, PeerId};
use roastery_service::{
    api::Client,
    files::{
        Access, Folder, MAX_CARD, MAX_CARD_SEATS, MAX_PLAN_FILE, NodeCard, PlanFile, PlanTerms,
    },
    text::visible,
    view::{ChangeCard, ChangeState, ChangeStatus, Compared, GroupStatus, TakeUpPlan},
};

use super::{At, ask, epochs, get, post, show, url::encoded};
use crate::{files::check_new, values};

/// What can be done about a change of a group.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a card of this node with fresh host keys, for one plan
    Card(Card),
    /// Plan fresh shares for the same members
    Refresh(Refresh),
    /// Plan a group with further members
    Add(Add),
    /// Plan a group without some members; their shares do not count in it
    Remove(Remove),
    /// Plan another threshold
    Threshold(Threshold),
    /// Plan other numbers of seats for members that stay: as many as are on their cards
    Seats(Seats),
    /// Take up a plan at this node: nothing is decided by that
    Propose(Propose),
    /// Show a plan: what stays, what is granted, what remains to be destroyed
    Show(Which),
    /// Approve a plan as a member of the group, after comparing its fingerprint with all members
    Approve(Decide),
    /// Accept a plan as a member of the group to come, after comparing its fingerprint
    Accept(Decide),
    /// Take this node's approval back; that cannot be once it has dealt
    Withdraw(Which),
    /// Show all plans that this node has taken up, and who is waited for
    Status(Status),
    /// Show the epochs of this node's keys: which is current, and what is still here of the others
    Epochs(epochs::Epochs),
    /// Erase this node's shares of the epochs that the current one supersedes
    Erase(epochs::Erase),
    /// Show what this node and its person have done in changes
    Log(epochs::Log),
}

#[derive(Args)]
pub(crate) struct Card {
    /// How many seats the card has [default: as many as this node holds in its groups]
    #[arg(long, value_name = "N", value_parser = |text: &str| values::number::<u16>(text, 1, MAX_CARD_SEATS as u16))]
    seats: Option<u16>,
    /// Write the card into this new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What every plan has.
#[derive(Args)]
struct Terms {
    /// The group that is changed
    #[arg(long, value_name = "NAME")]
    group: String,
    /// The number of the plan [default: one above the highest that this node knows]
    #[arg(long, value_name = "K", value_parser = |text: &str| values::number::<u32>(text, 0, u32::MAX))]
    number: Option<u32>,
    /// In how many days the plan ends
    #[arg(long, value_name = "DAYS", default_value_t = 2, value_parser = |text: &str| values::number::<u64>(text, 1, 6))]
    days: u64,
    /// Write the plan into this new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The cards of all members of the group to come, each made with roastery change card
    #[arg(required = true, value_name = "CARD")]
    cards: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Refresh {
    #[command(flatten)]
    terms: Terms,
}

#[derive(Args)]
pub(crate) struct Add {
    /// How many seats must sign [default: as many as before]
    #[arg(long, value_name = "T", value_parser = values::threshold)]
    threshold: Option<usize>,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Args)]
pub(crate) struct Remove {
    /// A member that is removed; may be given several times
    #[arg(long = "member", required = true, value_name = "NAME")]
    members: Vec<String>,
    /// How many seats must sign [default: as many as before]
    #[arg(long, value_name = "T", value_parser = values::threshold)]
    threshold: Option<usize>,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Args)]
pub(crate) struct Threshold {
    /// How many seats must sign
    #[arg(long, value_name = "T", value_parser = values::threshold)]
    threshold: usize,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Args)]
pub(crate) struct Seats {
    /// How many seats must sign [default: as many as before]
    #[arg(long, value_name = "T", value_parser = values::threshold)]
    threshold: Option<usize>,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Args)]
pub(crate) struct Propose {
    /// The plan file
    file: PathBuf,
}

#[derive(Args)]
pub(crate) struct Which {
    /// The plan, by the first 8 digits of its id or more [default: the only one that is under way]
    plan: Option<String>,
}

#[derive(Args)]
pub(crate) struct Decide {
    /// The plan, by the first 8 digits of its id or more [default: the only one that is under way]
    plan: Option<String>,
    /// The fingerprint, as all members have compared it
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: String,
}

#[derive(Args)]
pub(crate) struct Status {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(at: &At, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Card(options) => card(at, &options)?,
        Command::Refresh(Refresh { terms }) => plan(at, &terms, None, &Kind::Refresh)?,
        Command::Add(Add { threshold, terms }) => plan(at, &terms, threshold, &Kind::Add)?,
        Command::Remove(Remove { members, threshold, terms }) => {
            plan(at, &terms, threshold, &Kind::Remove(members))?;
        }
        Command::Threshold(Threshold { threshold, terms }) => {
            plan(at, &terms, Some(threshold), &Kind::Threshold)?;
        }
        Command::Seats(Seats { threshold, terms }) => plan(at, &terms, threshold, &Kind::Seats)?,
        Command::Propose(options) => propose(at, &options)?,
        Command::Show(which) => {
            let client = at.client()?;
            show::change(&meant(&client, which.plan.as_deref())?);
        }
        Command::Approve(options) => decide(at, &options, "approve")?,
        Command::Accept(options) => decide(at, &options, "accept")?,
        Command::Withdraw(which) => {
            let client = at.client()?;
            let plan = meant(&client, which.plan.as_deref())?.plan;
            let change = post(&client, &format!("/v1/changes/{plan}/withdraw"), &())?;
            show::change(&change);
        }
        Command::Status(options) => status(at, &options)?,
        Command::Epochs(options) => return epochs::epochs(at, &options),
        Command::Erase(options) => return epochs::erase(at, &options),
        Command::Log(options) => return epochs::log(at, &options),
    }
    Ok(ExitCode::SUCCESS)
}

fn card(at: &At, options: &Card) -> anyhow::Result<()> {
    check_new(&options.out)?;
    let seats = options.seats.map_or(String::new(), |seats| format!("?seats={seats}"));
    let made: ChangeCard = post(&at.client()?, &format!("/v1/changes/card{seats}"), &())?;
    Folder::write_new(&options.out, made.card.as_bytes(), Access::Everyone)?;
    say!("Card          {}", options.out.display());
    if made.seats == 1 {
        say!(
            "              it is for one plan: its host key is in this node's store, and accepts no other"
        );
    } else {
        say!(
            "              it has {} seats, each with a host key in this node's store",
            made.seats
        );
        say!("              it is for one plan: its host keys accept no other");
    }
    Ok(())
}

/// What a plan is to do: each is a plan with the cards of all members to come, and each is checked
/// to be what it is called.
enum Kind {
    Refresh,
    Add,
    Remove(Vec<String>),
    Threshold,
    Seats,
}

fn plan(at: &At, terms: &Terms, threshold: Option<usize>, kind: &Kind) -> anyhow::Result<()> {
    check_new(&terms.out)?;
    let client = at.client()?;
    let path = format!("/v1/groups/{}", encoded(&terms.group));
    let status: GroupStatus = get(&client, &path)?;
    let group = Group::decode(&ask(&client, &format!("{path}/file"))?)?;
    let mut cards = Vec::with_capacity(terms.cards.len());
    for path in &terms.cards {
        let text = Folder::read_text(path, MAX_CARD)?;
        cards.push(NodeCard::parse(&text).with_context(|| path.display().to_string())?);
    }
    let excluded = check_kind(kind, &status, &group, &cards)?;
    let known: Vec<ChangeStatus> = get(&client, "/v1/changes")?;
    let same = known.iter().filter(|other| {
        other.key == status.key_id && other.epoch == status.epoch.saturating_add(1)
    });
    let next = same.map(|other| other.number.saturating_add(1)).max().unwrap_or(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let made = PlanTerms {
        number: terms.number.unwrap_or(next),
        threshold: threshold.unwrap_or(group.threshold()),
        expiry: now.saturating_add(terms.days * 24 * 60 * 60),
        excluded,
    };
    let name: Name = status.name.parse()?;
    let file = PlanFile::new(name, Arc::new(group), made, cards)?;
    Folder::write_new(&terms.out, file.to_text().as_bytes(), Access::Everyone)?;
    say!("Plan          {}", terms.out.display());
    say!("Fingerprint   {}", file.plan().fingerprint());
    say!("              each member takes it up: roastery change propose {}", terms.out.display());
    Ok(())
}

/// The old seats that are excluded, if the cards are those that such a plan has.
fn check_kind(
    kind: &Kind,
    status: &GroupStatus,
    group: &Group,
    cards: &[NodeCard],
) -> anyhow::Result<Vec<Seat>> {
    let identities: BTreeSet<_> = cards
        .iter()
        .flat_map(NodeCard::members)
        .map(|member| member.identity_key.to_bytes())
        .collect();
    // A member that stays brings one of its identity keys at least: it may have fewer seats.
    let staying: BTreeSet<&PeerId> = group
        .members()
        .iter()
        .filter(|old| identities.contains(&old.identity_key.to_bytes()))
        .map(|old| &old.peer)
        .collect();
    let has_card = |seat: &Seat| group.member(*seat).is_some_and(|old| staying.contains(&old.peer));
    let name_of = |seat: Seat| {
        let member = status.members.iter().find(|member| member.seat == seat.to_u16());
        member.map(|member| visible(&member.name)).unwrap_or_default()
    };
    let removed: BTreeSet<Seat> = match kind {
        Kind::Remove(names) => {
            let mut removed = BTreeSet::new();
            for name in names {
                let seats: Vec<Seat> = group
                    .seats()
                    .filter(|seat| {
                        status
                            .members
                            .iter()
                            .any(|member| member.seat == seat.to_u16() && member.name == *name)
                    })
                    .collect();
                if seats.is_empty() {
                    return Err(anyhow!("there is no member {} in the group", visible(name)));
                }
                removed.extend(seats);
            }
            removed
        }
        _ => BTreeSet::new(),
    };
    if let Some(seat) = group.seats().find(|seat| !has_card(seat) && !removed.contains(seat)) {
        return Err(anyhow!(
            "there is no card of {}, a member of the group: make one there (roastery change card), or remove \
             the member (roastery change remove)",
            name_of(seat)
        ));
    }
    if let Some(seat) = removed.iter().find(|seat| has_card(seat)) {
        return Err(anyhow!(
            "{} is to be removed, and its card is among the cards",
            name_of(*seat)
        ));
    }
    let joins = cards.iter().any(|card| !staying.contains(card.peer()));
    let other_number = cards.iter().find_map(|card| {
        let held = group.members().iter().filter(|old| old.peer == *card.peer()).count();
        let differs = staying.contains(card.peer()) && held != card.members().len();
        differs.then(|| (visible(card.name().as_str()), held, card.members().len()))
    });
    match (kind, other_number) {
        (Kind::Add, _) if !joins => Err(anyhow!("no card is of a new member")),
        (Kind::Refresh | Kind::Threshold | Kind::Seats, _) if joins => {
            Err(anyhow!("a card is of a new member: roastery change add plans that"))
        }
        (Kind::Seats, None) => Err(anyhow!(
            "each member has as many seats on its card as it holds: roastery change refresh plans that, and \
             roastery change card --seats N makes a card with another number"
        )),
        (Kind::Seats, Some(_)) | (_, None) => Ok(removed.into_iter().collect()),
        (_, Some((name, held, on_card))) => Err(anyhow!(
            "{name} holds {held} seats, and its card has {on_card}: roastery change seats plans another number of \
             seats, and roastery change card --seats {held} makes a card with as many"
        )),
    }
}

fn propose(at: &At, options: &Propose) -> anyhow::Result<()> {
    let plan = Folder::read_text(&options.file, MAX_PLAN_FILE)?;
    PlanFile::parse(&plan).map_err(|error| {
        anyhow!("{}: no plan: {error}; roastery change refresh writes one", options.file.display())
    })?;
    let change: ChangeStatus = post(&at.client()?, "/v1/changes", &TakeUpPlan { plan })?;
    show::change(&change);
    let plan = &change.plan[..8];
    say!(
        "\nCompare the fingerprint with all members, over a channel that only they can write to. If all have the same,"
    );
    say!("type it in place of FINGERPRINT:");
    if change.old_members.iter().any(|member| member.own && !member.excluded) {
        say!("  roastery change approve {plan} --fingerprint \"FINGERPRINT\"");
    }
    if change.members.iter().any(|member| member.own) {
        say!("  roastery change accept {plan} --fingerprint \"FINGERPRINT\"");
    }
    Ok(())
}

fn decide(at: &At, options: &Decide, what: &str) -> anyhow::Result<()> {
    let client = at.client()?;
    let plan = meant(&client, options.plan.as_deref())?.plan;
    let compared = Compared { fingerprint: options.fingerprint.clone() };
    let change = post(&client, &format!("/v1/changes/{plan}/{what}"), &compared)?;
    show::change(&change);
    Ok(())
}

fn status(at: &At, options: &Status) -> anyhow::Result<()> {
    let changes: Vec<ChangeStatus> = get(&at.client()?, "/v1/changes")?;
    if options.json {
        say!("{}", serde_json::to_string(&changes)?);
        return Ok(());
    }
    if changes.is_empty() {
        say!("no plan is taken up here: roastery change propose takes one up");
    }
    for (at, change) in changes.iter().enumerate() {
        if at > 0 {
            say!("");
        }
        show::change(change);
    }
    Ok(())
}

/// The change of this plan, or the only one that is under way.
fn meant(client: &Client, plan: Option<&str>) -> anyhow::Result<ChangeStatus> {
    if let Some(plan) = plan {
        return get(client, &format!("/v1/changes/{}", encoded(plan)));
    }
    let mut changes: Vec<ChangeStatus> = get(client, "/v1/changes")?;
    let is_over = |change: &ChangeStatus| {
        matches!(change.state, ChangeState::Done | ChangeState::Failed | ChangeState::Expired)
    };
    if changes.iter().any(|change| !is_over(change)) {
        changes.retain(|change| !is_over(change));
    }
    match (changes.pop(), changes.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(anyhow!(
            "this node has several plans: say which, by the first 8 digits of its id (roastery change status)"
        )),
        (None, _) => {
            Err(anyhow!("this node has no plan: roastery change propose FILE takes one up"))
        }
    }
}

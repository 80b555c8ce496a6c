//! Founding a group: the form of a new one, and the pages of a pairing, from the lines to the first
//! address.

use maud::{Markup, html};
use qrcode::{EcLevel, QrCode};
use roastery_service::{
    Time,
    api::{Client, ClientError},
    text::visible,
    view::{
        GroupStatus, KeygenState, KeygenStatus, KitStatus, Pairing, PairingMember, PairingState,
        Status,
    },
    words::Clock,
};

use super::{empty, foreign, fours, pill, qr::drawn, time, until};

/// The most of what stands in the way of a pairing, in columns.
const MOST_OF_NOTE: usize = 1_000;

/// A link to each pairing that is under way.
pub(super) fn under_way(pairings: &[Pairing]) -> Markup {
    let open: Vec<&Pairing> = pairings.iter().filter(|one| is_open(one)).collect();
    html! {
        @if !open.is_empty() {
            section.card aria-labelledby="founding" {
                h2 #founding { "A group is being founded" }
                ul { @for one in open { li { (link(one)) } } }
            }
        }
    }
}

fn is_open(pairing: &Pairing) -> bool {
    !matches!(pairing.state, PairingState::Ended | PairingState::Agreed)
}

fn link(pairing: &Pairing) -> Markup {
    html! {
        a href={ "/pairings/" (pairing.id) } {
            @match &pairing.group { Some(group) => (foreign(group)), None => "A line that you have taken" }
        }
        ", " (word(pairing.state))
    }
}

fn word(state: PairingState) -> &'static str {
    match state {
        PairingState::Calling => "the node that invites is called",
        PairingState::Offered => "waits for you to take part",
        PairingState::Waiting => "members are missing",
        PairingState::Reaching => "all are there, and try to reach each other",
        PairingState::Comparing => "the words are to be compared",
        PairingState::Agreed => "the words were right",
        PairingState::Ended => "has ended",
    }
}

/// The page of a new group.
pub(super) fn new(pairings: &[Pairing]) -> Markup {
    html! {
        h1 tabindex="-1" { "New group" }
        p { "All members found it together, each at a node of their own. You invite the others, or you take the line that another member has sent you." }
        (under_way(pairings))
        div.columns { (invitation()) (line()) }
        @let over: Vec<&Pairing> = pairings.iter().filter(|one| !is_open(one)).collect();
        @if !over.is_empty() {
            section.card aria-labelledby="over" {
                h2 #over { "Since the start of the node" }
                ul { @for one in over { li { (link(one)) } } }
            }
        }
    }
}

fn invitation() -> Markup {
    html! {
        section.card aria-labelledby="invite-title" {
            h2 #invite-title { "Invite" }
            form.ask #invite data-ask="/pairings" data-keep {
                fieldset {
                    label for="group" { "Name of the group" }
                    input #group name="group" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" required;
                    label for="others" { "The other members" }
                    textarea #others name="others" rows="2" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="4000" required aria-describedby="others-help" {}
                    p.quiet #others-help { "What each is called in the group, apart by spaces or lines: small letters, digits and hyphens. You are a member by this node's name." }
                    label for="threshold" { "How many must sign (may be empty)" }
                    input #threshold name="threshold" autocomplete="off" inputmode="numeric" maxlength="3" aria-describedby="threshold-help";
                    p.quiet #threshold-help { "Empty: more than half. Fewer than all, so that the loss of one machine stops nothing." }
                    label.check {
                        input #all name="all" type="checkbox";
                        "All must sign, and the loss of one machine stops the group"
                    }
                    button.primary type="submit" { "Make the lines" }
                    p.quiet { "Nothing is sent to anyone: you send each person their line." }
                }
                div.answer role="alert" {}
            }
        }
    }
}

fn line() -> Markup {
    html! {
        section.card aria-labelledby="join-title" {
            h2 #join-title { "Take a line" }
            form.ask #join data-ask="/pairings/join" data-keep {
                fieldset {
                    label for="line" { "The line that the inviting member has sent" }
                    textarea #line name="line" rows="4" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="2000" required aria-describedby="line-help" {}
                    p.quiet #line-help { "All of it, from roast1 to its end." }
                    button.primary type="submit" { "Call the node" }
                    p.quiet { "You see what is offered, and take part or not." }
                }
                div.answer role="alert" {}
            }
        }
    }
}

/// A pairing, and what has become of it.
pub(super) struct Founding {
    pub(super) pairing: Pairing,
    pub(super) keygen: Option<KeygenStatus>,
    pub(super) group: Option<GroupStatus>,
    pub(super) kit: Option<KitStatus>,
}

pub(super) async fn load(
    client: &Client,
    id: &str,
    status: &Status,
) -> Result<Founding, ClientError> {
    let pairing: Pairing = client.get(&format!("/v1/pairings/{id}")).await?;
    let (mut keygen, mut group, mut kit) = (None, None, None);
    if let Some(id) = &pairing.keygen {
        let all: Vec<KeygenStatus> = client.get("/v1/ceremonies").await?;
        keygen = all.into_iter().find(|one| one.keygen == *id);
    }
    if let Some(id) = keygen.as_ref().and_then(|one| one.group.as_ref()) {
        group = status.groups.iter().find(|one| one.id == *id).cloned();
    }
    if let Some(group) = &group {
        let all: Vec<KitStatus> = client.get("/v1/kits").await?;
        kit = all.into_iter().find(|one| one.group == group.name);
    }
    Ok(Founding { pairing, keygen, group, kit })
}

/// The steps of founding a group.
const STEPS: [&str; 4] = ["lines", "all are there", "words", "key and paper"];

impl Founding {
    pub(super) fn page(&self, clock: &Clock) -> Markup {
        let pairing = &self.pairing;
        html! {
            h1 tabindex="-1" {
                "New group"
                @if let Some(group) = &pairing.group { " " (foreign(group)) }
            }
            (self.steps())
            @if pairing.threshold > 0 {
                p { (pairing.threshold) " of " (pairing.members.len()) " must sign." }
            }
            @if !pairing.note.is_empty() {
                p.notice.bad { bdi { (roastery_service::text::shorten(&pairing.note, MOST_OF_NOTE)) } }
            }
            @match pairing.state {
                PairingState::Calling => p { "The node that the line names is called. This page goes on by itself." },
                PairingState::Offered => (offer(pairing)),
                PairingState::Waiting | PairingState::Reaching => {
                    (lines(pairing, clock))
                    (there(pairing, clock))
                }
                PairingState::Comparing => { (words(pairing)) (there(pairing, clock)) }
                PairingState::Agreed => (self.made()),
                PairingState::Ended => (ended(pairing)),
            }
            @if is_open(pairing) {
                p.quiet { "It ends " (until(Time::from_seconds(pairing.deadline), clock)) " if it is not finished." }
                (cancel(pairing))
            }
        }
    }

    fn steps(&self) -> Markup {
        let now = match self.pairing.state {
            PairingState::Calling | PairingState::Offered => 0,
            PairingState::Waiting | PairingState::Reaching => 1,
            PairingState::Comparing => 2,
            PairingState::Agreed => 3,
            PairingState::Ended => return html! {},
        };
        html! {
            ol.steps aria-label="Steps" {
                @for (at, step) in STEPS.iter().enumerate() {
                    li aria-current=[(at == now).then_some("step")] {
                        (step)
                        @if at < now { " " (pill("good", "done")) }
                    }
                }
            }
        }
    }

    /// The key, its first address, and the paper.
    fn made(&self) -> Markup {
        html! {
            section.card aria-labelledby="key" {
                h2 #key { "Key" }
                @match (&self.keygen, &self.group) {
                    (Some(keygen), _) if matches!(keygen.state, KeygenState::Ended | KeygenState::Failed) => {
                        p.bad { "The key was not made: " (foreign(&keygen.text)) }
                        p { a href="/new" { "Begin again" } }
                    }
                    (_, Some(group)) => {
                        p { "The key is made, by all members together. " a href={ "/groups/" (group.id) } { "To the group" } }
                        @if let Some(address) = &group.address {
                            p { "Its first address, the same at all members. Compare it before it is used:" }
                            p.address { (fours(address)) }
                        }
                    }
                    _ => p { "All words were right, here and at the others. The key is made when all others have compared theirs." },
                }
            }
            @if let Some(group) = &self.group { (paper(&group.name, self.kit.as_ref())) }
        }
    }
}

/// The ten words are for a terminal: what opens this page would otherwise make them.
fn paper(group: &str, kit: Option<&KitStatus>) -> Markup {
    html! {
        section.card aria-labelledby="paper" {
            h2 #paper { "Paper" }
            @match kit {
                None => p { "This node has no kit of the group." },
                Some(kit) if !kit.host_key_here => {
                    p { (pill("good", "done")) " The host key has left this machine. The paper has the label " code { (foreign(&kit.label)) } "." }
                    (holders(kit))
                }
                Some(kit) => {
                    p { (pill("careful", "to do")) " The host key is still on this machine. Ten words for paper bring this seat back, with what the node of any other member keeps." }
                    @if kit.confirmed {
                        p { "The words were typed back. The host key leaves when " (kit.needed) " of the others keep the kit." }
                    } @else {
                        p { "The words are shown in a terminal at the node and not in a browser, which keeps what it has shown and shows it to its extensions:" }
                        p { code { "roastery kit words " (foreign(&roastery_service::text::shell_word(group))) } }
                    }
                    @if kit.made { (holders(kit)) }
                }
            }
        }
    }
}

fn holders(kit: &KitStatus) -> Markup {
    html! {
        ul {
            @for holder in &kit.holders {
                li { (foreign(&holder.name)) @if holder.held.is_some() { " keeps the sealed kit" } @else { " has not shown yet that it keeps it" } }
            }
        }
    }
}

fn others(pairing: &Pairing) -> impl Iterator<Item = (usize, &PairingMember)> {
    pairing.members.iter().enumerate().filter(|(_, member)| !member.own)
}

/// A form with one button.
fn button(pairing: &Pairing, act: &str, class: &str, text: &str) -> Markup {
    html! {
        form.ask id={ (act) "-" (pairing.attempt) } data-ask={ "/pairings/" (pairing.id) "/" (act) } data-keep {
            fieldset { button class=(class) type="submit" { (text) } }
            div.answer role="alert" {}
        }
    }
}

fn offer(pairing: &Pairing) -> Markup {
    let inviter = pairing.members.first().map(|member| member.name.as_str()).unwrap_or_default();
    html! {
        section.card aria-labelledby="offer" {
            h2 #offer { "Offered" }
            p {
                (foreign(inviter)) " invites you"
                @if let Some(own) = &pairing.own { " as " (foreign(own)) }
                @if let Some(group) = &pairing.group { " to " (foreign(group)) }
                ": " (pairing.threshold) " of " (pairing.members.len()) " must sign."
            }
            ul { @for member in &pairing.members { li { (foreign(&member.name)) @if member.own { " (you)" } } } }
            p { "Who they are, the words show later: nothing here proves it." }
            (button(pairing, "accept", "primary", "Take part"))
            (button(pairing, "decline", "", "Do not take part"))
        }
    }
}

/// The lines that were not used.
fn lines(pairing: &Pairing, clock: &Clock) -> Markup {
    let unused: Vec<(usize, &PairingMember, &String)> = others(pairing)
        .filter_map(|(seat, member)| Some((seat, member, member.line.as_ref()?)))
        .collect();
    html! {
        @if !unused.is_empty() {
            section.card aria-labelledby="lines" {
                h2 #lines { "Lines" }
                p { "Send each person their own line, over any chat. It works once, until " (time(Time::from_seconds(pairing.deadline), clock)) ". Who reads it first can take their place, and is found out by the words later." }
                @for (seat, member, line) in unused {
                    h3 { (foreign(&member.name)) }
                    p.long { code { (visible(line)) } }
                    details id={ "code-" (seat) } {
                        summary { "As a QR code, for " (foreign(&member.name)) }
                        (code(member, line))
                    }
                }
            }
        }
    }
}

/// In capitals it makes a smaller code, and is the same line.
fn code(member: &PairingMember, line: &str) -> Markup {
    let label = format!("QR code of the line for {}", visible(&member.name));
    QrCode::with_error_correction_level(line.to_ascii_uppercase(), EcLevel::M).map_or_else(
        |_| html! { p { "It is too long for a QR code." } },
        |code| drawn(&code, &label),
    )
}

/// Who is there, and who is not.
fn there(pairing: &Pairing, clock: &Clock) -> Markup {
    html! {
        section.card aria-labelledby="there" {
            h2 #there { "Members" }
            ul.people {
                @for (seat, member) in pairing.members.iter().enumerate() {
                    li {
                        strong { (foreign(&member.name)) } " "
                        @if member.own { "this node" } @else { (state_of(pairing, member, clock)) }
                        @if pairing.invites && is_to_be_asked_again(pairing, member) {
                            form.ask id={ "again-" (pairing.attempt) "-" (seat) } data-ask={ "/pairings/" (pairing.id) "/again" } data-keep {
                                fieldset {
                                    input type="hidden" name="member" value=(member.name);
                                    button type="submit" { "New line for " (foreign(&member.name)) }
                                }
                                div.answer role="alert" {}
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A line that was used by someone who is not there, or by one who does not take part.
fn is_to_be_asked_again(pairing: &Pairing, member: &PairingMember) -> bool {
    let gone = member.used.is_some() && !member.entered;
    !member.own && pairing.state == PairingState::Waiting && (member.declined || gone)
}

fn state_of(pairing: &Pairing, member: &PairingMember, clock: &Clock) -> Markup {
    html! {
        @if member.declined { (pill("bad", "does not take part")) }
        @else if member.entered || !pairing.invites && pairing.state != PairingState::Waiting {
            (pill("good", "is here"))
            @if pairing.state == PairingState::Reaching && !member.reached { ", and this node does not reach it yet" }
        }
        @else if member.line.is_some() { (pill("careful", "waiting")) " line not used" }
        @else if pairing.invites { (pill("careful", "waiting")) " not finished" }
        @else { (pill("careful", "waiting")) }
        @if let Some(used) = member.used {
            ", line used " (time(Time::from_seconds(used), clock))
            @if let Some(from) = &member.from { " from " (foreign(from)) }
        }
        @if !member.compared.is_empty() {
            ", has compared: " @for (at, name) in member.compared.iter().enumerate() { @if at > 0 { ", " } (foreign(name)) }
        }
    }
}

/// The own word, and the fields for those of the others.
fn words(pairing: &Pairing) -> Markup {
    let all_right = others(pairing).all(|(_, member)| member.right);
    let many = pairing.words.len() > 1;
    html! {
        section.card aria-labelledby="words" {
            h2 #words { "Words" }
            @if pairing.words.is_empty() {
                p { "All are there. The words come when each has shown its number." }
            } @else {
                p { "Speak with " strong { "each" } " of the others: in one room, or on a call where you know the voice. Not in the chat that the line came from." }
                @if pairing.attempt > 1 { p { "Attempt " (pairing.attempt) " of 5: the words are new." } }
                p { @if many { "Your words, say them:" } @else { "Your word, say it:" } }
                p.own-word { @for word in &pairing.words { span { (word) } " " } }
                @for (seat, member) in others(pairing) {
                    @let id = format!("word-{}-{seat}", pairing.attempt);
                    @if member.right {
                        p { strong { (foreign(&member.name)) } " " (pill("good", "right")) }
                    } @else {
                        form.ask.word id={ "of-" (id) } data-ask={ "/pairings/" (pairing.id) "/words" } data-keep {
                            fieldset {
                                input type="hidden" name="attempt" value=(pairing.attempt);
                                input type="hidden" name="member" value=(member.name);
                                label for=(id) { "The word that " (foreign(&member.name)) " says" }
                                input id=(id) name="word" autocomplete="off" autocapitalize="none" autocorrect="off" spellcheck="false" maxlength="32" required;
                                button type="submit" { "Compare" }
                            }
                            div.answer role="alert" {}
                        }
                    }
                }
                @if many { p.quiet { "Each says two words: type them one after the other." } }
                @if all_right { (confirmation(pairing)) }
            }
        }
    }
}

/// The last question. What was typed shows that the others' words are those of this node; only the
/// others know whether its own are those of theirs.
fn confirmation(pairing: &Pairing) -> Markup {
    let was = if pairing.words.len() == 1 { "word was" } else { "words were" };
    html! {
        h3 { "Has each of the others told you, by voice, that your " (was) " right?" }
        p { "If it was wrong at one of them, or you have not heard it of each: wait, or end it below. Then nothing is made." }
        (button(pairing, "confirm", "primary", "Each has told me: make the key"))
    }
}

fn ended(pairing: &Pairing) -> Markup {
    html! {
        section.card.bad aria-labelledby="ended" {
            h2 #ended { "It has ended, and nothing was made" }
            @if let Some(why) = &pairing.ended { p { (foreign(why)) } }
            (empty("Begin again with new lines:", None))
            p { a href="/new" { "New group" } }
        }
    }
}

fn cancel(pairing: &Pairing) -> Markup {
    html! {
        details #ending {
            summary { "End it" }
            p { "Nothing is made then, and the lines are void. The others are told." }
            (button(pairing, "cancel", "danger", "End it"))
        }
    }
}

#[cfg(test)]
mod tests;

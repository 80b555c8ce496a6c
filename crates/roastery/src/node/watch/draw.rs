//! The picture of what is known of a node, for terminals from 40 columns on.

use ratatui::{
    Frame,
    style::{Color, Modifier, Style},
    text::Line,
    widgets::Paragraph,
};
use roastery_service::{
    Time,
    text::visible,
    view::{GroupStatus, KeygenState, PeerStatus, Request, State, Status},
    words::{about, state},
};

use super::{
    changes::Happened,
    follow::Look,
    lists::Lists,
    model::{Model, Node, RECENT, Shares},
};
use crate::{
    node::{
        screen::{WIDTH, both_ends, cut, link, standing, wrapped},
        short_id, show,
    },
    output::Paint,
    when::{Clock, span},
};

/// Fewer columns than these have less beside each other.
const WIDE: usize = 64;

/// The most lines of each kind of remark.
const MOST_REMARKS: usize = 3;

/// The fewest lines of what has happened, if there is room for them.
const LEAST_HAPPENED: usize = 4;

/// The columns of a member's name, which get more where there are more than 80; of its link, and
/// of the round trips.
const NAME: (usize, usize) = (12, 25);
const LINK: usize = 21;
const TRIPS: usize = 21;

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    Some,
    None,
}

/// What covers the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Nothing,
    Help,
}

/// A line, and how it is painted.
struct Row {
    text: String,
    paint: Paint,
    is_title: bool,
}

impl Row {
    fn new(paint: Paint, text: String) -> Self {
        Self { text, paint, is_title: false }
    }

    fn title(paint: Paint, text: String) -> Self {
        Self { text, paint, is_title: true }
    }
}

/// What is drawn at a moment.
struct Picture<'a> {
    model: &'a Model,
    now: Time,
    clock: &'a Clock,
    width: usize,
}

/// Draws all of it.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    model: &Model,
    now: Time,
    clock: &Clock,
    colours: Colours,
    over: Over,
) {
    let area = frame.area();
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let picture = Picture { model, now, clock, width };
    let mut rows = vec![picture.head()];
    rows.extend(match over {
        Over::Help => picture.help(),
        Over::Nothing => picture.body(height.saturating_sub(1)),
    });
    let lines: Vec<Line<'_>> = rows
        .into_iter()
        .take(height)
        .map(|row| Line::styled(row.text, style(row.paint, row.is_title, colours)))
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn style(paint: Paint, is_title: bool, colours: Colours) -> Style {
    let plain = match is_title {
        true => Style::new().add_modifier(Modifier::BOLD),
        false => Style::new(),
    };
    match (colours, paint) {
        (Colours::None, _) | (_, Paint::Plain) => plain,
        (Colours::Some, Paint::Good) => plain.fg(Color::Green),
        (Colours::Some, Paint::Bad) => plain.fg(Color::Red),
        (Colours::Some, Paint::Careful) => plain.fg(Color::Yellow),
    }
}

impl Picture<'_> {
    fn is_wide(&self) -> bool {
        self.width >= WIDE
    }

    fn look(&self) -> Option<&Look<Lists>> {
        self.model.look.as_ref().map(|(look, _)| &**look)
    }

    fn head(&self) -> Row {
        let name = self.look().map_or(String::new(), |look| cut(&look.status.name, 24));
        let (paint, state) = match (&self.model.node, self.look()) {
            (Node::Away(..), _) => (Paint::Bad, "no answer"),
            (Node::Answers, Some(look)) if look.health.ok => (Paint::Plain, "healthy"),
            (Node::Answers, Some(_)) => (Paint::Bad, "not healthy"),
            (Node::Asked, _) | (Node::Answers, None) => (Paint::Plain, "asking the node"),
        };
        let time = self.clock.second(self.now);
        let (begin, keys) = match self.is_wide() {
            true => ("roastery watch  ", "r review  q quit  ? help"),
            false => ("", "r q ?"),
        };
        let mut words = vec![name, time, state.to_owned()];
        words.retain(|word| !word.is_empty());
        Row::title(paint, both_ends(&format!("{begin}{}", words.join("  ")), keys, self.width))
    }

    fn body(&self, room: usize) -> Vec<Row> {
        let mut rows = self.remarks();
        let Some(look) = self.look() else { return rows };
        rows.extend(self.waits(look));
        rows.extend(keygens(&look.status).map(|text| Row::new(Paint::Careful, text)));
        let mut happened = self.happened(look);
        let kept = happened.len().min(LEAST_HAPPENED).min(room / 3);
        let mut left = room.saturating_sub(rows.len() + kept + 1);
        let members = capped(self.members(look), left / 2, "roastery status");
        left = left.saturating_sub(members.len());
        let groups = capped(self.groups(look), left, "roastery requests");
        rows.extend(members);
        rows.extend(groups);
        rows.push(self.shares());
        happened.truncate(room.saturating_sub(rows.len()));
        rows.extend(happened);
        rows
    }

    /// What is wrong, and what to do about it.
    fn remarks(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let wrap = |paint, text: &str| {
            let lines = wrapped(text, "", self.width.max(1));
            lines.into_iter().map(move |line| Row::new(paint, line))
        };
        if let Node::Away(since, why) = &self.model.node {
            rows.extend(wrap(Paint::Bad, &visible(why)));
            let mut text = format!("no answer for {}", span(self.clock.seconds_since(*since)));
            if let Some((_, at)) = &self.model.look {
                text += &format!("; what stands below is of {}", self.clock.second(*at));
            }
            rows.extend(wrap(Paint::Careful, &text));
        }
        let Some(look) = self.look() else { return rows };
        let problems: Vec<_> = look.health.problems.iter().map(|text| visible(text)).collect();
        let warnings: Vec<_> = look.status.warnings.iter().map(|text| visible(text)).collect();
        let kinds = [
            (Paint::Bad, problems, "roastery health"),
            (Paint::Careful, warnings, "roastery status"),
        ];
        for (paint, texts, command) in kinds {
            let lines = texts.iter().flat_map(|text| wrap(paint, text)).collect();
            rows.extend(capped(lines, MOST_REMARKS, command));
        }
        rows
    }

    fn waits(&self, look: &Look<Lists>) -> Option<Row> {
        let text = match look.more.counts.waiting {
            0 => return None,
            1 => "1 request waits for you".to_owned(),
            more => format!("{more} requests wait for you"),
        };
        Some(Row::title(Paint::Careful, both_ends(&text, "r review", self.width)))
    }

    fn members(&self, look: &Look<Lists>) -> Vec<Row> {
        let Status { name, peers, .. } = &look.status;
        let title = match self.is_wide() {
            true => {
                let (name, trips) = (2 + self.name(), "ROUND TRIP, 10 MIN");
                format!("{:<name$}{:<LINK$}{trips:<TRIPS$}LAST", "MEMBERS", "LINK")
            }
            false => "MEMBERS".to_owned(),
        };
        let own = self.member('*', name, "this node", "", self.model.last_of(name, None));
        let mut rows = vec![Row::title(Paint::Plain, title), Row::new(Paint::Plain, own)];
        // Those that are away first: where there is no room for all, they are seen.
        let (here, away): (Vec<_>, Vec<_>) = peers.iter().partition(|peer| peer.connected);
        rows.extend(away.into_iter().chain(here).map(|peer| self.peer(look, peer)));
        rows
    }

    fn peer(&self, look: &Look<Lists>, peer: &PeerStatus) -> Row {
        let (paint, link) = link(Some(peer));
        let mut members = look.status.groups.iter().flat_map(|group| &group.members);
        let is_barred =
            members.any(|member| member.peer == peer.peer && member.barred_since.is_some());
        let link = if is_barred { format!("barred, {link}") } else { link };
        let trips = self.model.trips(&peer.peer, self.now);
        let last = self.model.last_of(&peer.name, Some(peer));
        let mark = if peer.connected { '*' } else { 'o' };
        Row::new(paint, self.member(mark, &peer.name, &link, &trips, last))
    }

    /// A member: its mark, name, link, round trips, and what it did last.
    fn member(
        &self,
        mark: char,
        name: &str,
        link: &str,
        trips: &str,
        last: Option<(Time, String)>,
    ) -> String {
        let width = self.name();
        let name = cut(name, width - 1);
        if !self.is_wide() {
            let link = cut(link, self.width.saturating_sub(width + 2));
            return format!("{mark} {name:<width$}{link}");
        }
        let last = last.map(|(at, what)| format!("{} {what}", self.minute(at)));
        let (link, last) = (cut(link, LINK - 1), last.unwrap_or_default());
        format!("{mark} {name:<width$}{link:<LINK$}{trips:<TRIPS$}{last}")
    }

    /// The columns of a member's name.
    fn name(&self) -> usize {
        (NAME.0 + self.width.saturating_sub(WIDTH)).min(NAME.1)
    }

    /// The time of a day, or the day.
    fn minute(&self, time: Time) -> String {
        let at = self.clock.at(time);
        at.strip_prefix("today ").map_or(at.clone(), ToOwned::to_owned)
    }

    fn groups(&self, look: &Look<Lists>) -> Vec<Row> {
        let mut rows = Vec::new();
        for group in &look.status.groups {
            let (paint, standing) = standing(group);
            let text = format!("{}  {standing}", cut(&group.name, 24));
            let lines = wrapped(&text, "", self.width.max(1));
            rows.extend(lines.into_iter().map(|line| Row::title(paint, line)));
            let requests = look.more.waiting.iter().chain(&look.more.signing);
            for request in requests.filter(|request| request.group == group.name) {
                rows.extend(self.request(request, group));
            }
        }
        if look.status.groups.is_empty() {
            let text = "no group yet: roastery invite founds one, roastery join joins one";
            let lines = wrapped(text, "", self.width.max(1));
            rows.extend(lines.into_iter().map(|line| Row::new(Paint::Careful, line)));
        }
        rows
    }

    /// An open request, in a line or two.
    fn request(&self, request: &Request, group: &GroupStatus) -> Vec<Row> {
        let paint = match request.state {
            State::Proposed => Paint::Careful,
            _ => Paint::Plain,
        };
        let id = short_id(&request.session);
        let stage = stage(request, group, self.clock);
        let left = self.clock.seconds_until(request.expiry);
        let whole = format!("{stage}, ends in {}", span(left));
        let about = about(request);
        if !self.is_wide() {
            let room = self.width.saturating_sub(2);
            let stage = if left > 0 && whole.len() <= room { whole } else { stage };
            let first = format!("  {}", cut(&format!("{id} {about}"), room));
            let second = format!("  {}", cut(&stage, room));
            return [first, second].map(|text| Row::new(paint, text)).into();
        }
        let stage = if left > 0 { whole } else { stage };
        let stage = cut(&stage, self.width * 3 / 5);
        let room = self.width.saturating_sub(id.len() + stage.chars().count() + 6);
        let begin = format!("  {id}  {}", cut(&about, room));
        vec![Row::new(paint, both_ends(&begin, &stage, self.width))]
    }

    fn shares(&self) -> Row {
        let minutes = RECENT / 60;
        let Some(Shares { count, is_least, last: (at, session) }) = self.model.shares(self.now)
        else {
            return Row::title(Paint::Plain, format!("SHARES LEFT  none in {minutes} min"));
        };
        let more = if is_least { " or more" } else { "" };
        let at = self.clock.second(at);
        let text = format!("SHARES LEFT  {count}{more} in {minutes} min, last {at}");
        let whole = format!("{text} for {session}");
        Row::title(Paint::Plain, if whole.len() <= self.width { whole } else { text })
    }

    fn happened(&self, look: &Look<Lists>) -> Vec<Row> {
        let title = Row::title(Paint::Plain, "HAPPENED, SINCE THIS VIEW BEGAN".to_owned());
        let several = look.status.groups.len() > 1;
        let rows = self.model.happened().map(|happened| {
            let Happened { time, group, id, text, paint } = happened;
            let group = if several { group.as_str() } else { "" };
            let mut words = vec![self.clock.second(*time), group.to_owned(), id.clone()];
            words.push(text.clone());
            words.retain(|word| !word.is_empty());
            Row::new(*paint, cut(&words.join(" "), self.width))
        });
        if rows.len() == 0 { Vec::new() } else { std::iter::once(title).chain(rows).collect() }
    }

    fn help(&self) -> Vec<Row> {
        let texts = [
            "",
            "r  review what waits for you, as roastery review does, and come back",
            "q  quit; the node goes on",
            "?  open and close this page",
            "",
            "* is connected, o is not. A round trip is the worst of half a minute: . below 100 ms, \
             : below 500 ms, | longer, - not connected.",
            "",
            "A request is signed once as many have approved as must sign. SHARES LEFT counts what \
             left this node for signatures: roastery log has all of it, roastery audit who asked for it.",
            "",
            "The node is asked every two seconds, and after each event.",
        ];
        let lines = texts.iter().flat_map(|text| wrapped(text, "", self.width.max(1)));
        lines.map(|line| Row::new(Paint::Plain, line)).collect()
    }
}

/// Key generations that are under way, each in a line.
fn keygens(status: &Status) -> impl Iterator<Item = String> {
    let is_open = |state: KeygenState| matches!(state, KeygenState::Joined | KeygenState::Running);
    status.keygens.iter().filter(move |keygen| is_open(keygen.state)).map(|keygen| {
        let awaited = show::awaited(&keygen.awaited);
        let waits = if awaited.is_empty() { awaited } else { format!("; waits for {awaited}") };
        format!("key of {}: {}{waits}", cut(&keygen.name, 24), keygen.state)
    })
}

/// How far a request is, and for whom its session waits.
fn stage(request: &Request, group: &GroupStatus, clock: &Clock) -> String {
    let progress = &request.progress;
    let state = state(request, clock);
    if request.state == State::Proposed {
        return format!("{} of {}, {state}", progress.approved_seats, progress.needed);
    }
    let session = group.sessions.iter().find(|session| session.session == request.session);
    match session.and_then(|session| session.awaited.first()) {
        Some(awaited) if progress.approved_seats >= progress.needed => {
            let (name, thing) = (cut(&awaited.name, NAME.1), visible(&awaited.thing));
            format!("{state}: {name}, {thing}, {}", span(awaited.seconds))
        }
        _ => state,
    }
}

/// At most so many lines; the last of them says how many are missing, and what shows them.
fn capped(mut rows: Vec<Row>, most: usize, command: &str) -> Vec<Row> {
    if rows.len() > most && most > 0 {
        let missing = rows.len() - (most - 1);
        rows.truncate(most - 1);
        rows.push(Row::new(Paint::Careful, format!("  {missing} more lines: {command}")));
    }
    rows.truncate(most);
    rows
}

//! Requests, one a line.

use std::collections::BTreeSet;

use roastery_service::{
    text::visible,
    view::Request,
    words::{about, state},
};

use super::{WIDTH, both_ends, cut};
use crate::{node::show::short_id, when::Clock};

/// The most columns of a name, and of what is at the right end of a line.
const MOST: (usize, usize) = (12, 28);

/// A line for each request, in their order.
pub(crate) fn lines(requests: &[Request], clock: &Clock) -> Vec<String> {
    let groups: BTreeSet<&str> = requests.iter().map(|request| &*request.group).collect();
    let several = groups.len() > 1;
    let names: Vec<String> = requests
        .iter()
        .map(|request| match several {
            true => format!("{}/{}", visible(&request.group), visible(&request.proposer_name)),
            false => visible(&request.proposer_name),
        })
        .map(|name| cut(&name, MOST.0))
        .collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let times: Vec<String> = requests.iter().map(|request| clock.at(request.since)).collect();
    let long = times.iter().map(String::len).max().unwrap_or(0);
    let parts = requests.iter().zip(names).zip(times);
    parts
        .map(|((request, name), time)| {
            let id = short_id(&request.session);
            let right = cut(&state(request, clock), MOST.1);
            let begin = format!("{id} {time:<long$}  {name:<width$}  ");
            let room = WIDTH.saturating_sub(begin.chars().count() + right.chars().count() + 2);
            both_ends(&format!("{begin}{}", cut(&about(request), room)), &right, WIDTH)
        })
        .collect()
}

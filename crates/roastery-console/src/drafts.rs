//! What a person looks at before the group is asked to sign it. They are kept here
//! and not in the page: what is proposed is what was examined.

use std::collections::VecDeque;

/// The most drafts; the oldest makes room.
const MOST: usize = 16;

/// The length of an id, in bytes.
const ID: usize = 32;

/// What was shown and not proposed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// The id of the group.
    pub(crate) group: String,
    pub(crate) subject: Subject,
    /// The session of the request that it became.
    pub(crate) proposed: Option<String>,
}

/// What a draft is about.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Transaction(Transaction),
    Text(Text),
}

/// A transaction.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// The PSBT, in base64, as the node has read it.
    pub(crate) psbt: String,
    /// Whether it is refused if another transaction makes the same payment.
    pub(crate) once: bool,
    /// Whether the node sends it when it is signed.
    pub(crate) sends: bool,
}

/// A text, which is signed as an address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// The group's first address, as it was shown.
    pub(crate) address: String,
}

impl Draft {
    pub(crate) fn new(group: &str, subject: Subject) -> Self {
        Self { group: group.to_owned(), subject, proposed: None }
    }
}

/// A PSBT may be long.
impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("group", &self.group).finish_non_exhaustive()
    }
}

/// The drafts of a console.
#[derive(Debug, Default)]
pub(crate) struct Drafts(VecDeque<(String, Draft)>);

impl Drafts {
    /// Keeps a draft, and returns its id.
    pub(crate) fn add(&mut self, draft: Draft) -> Result<String, getrandom::Error> {
        let mut id = [0; ID];
        getrandom::fill(&mut id)?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back((id.clone(), draft));
        Ok(id)
    }

    pub(crate) fn get(&self, id: &str) -> Option<Draft> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, draft)| draft.clone())
    }

    /// A draft has become a request.
    pub(crate) fn note_proposed(&mut self, id: &str, session: &str) {
        if let Some((_, draft)) = self.0.iter_mut().find(|(known, _)| known == id) {
            draft.proposed = Some(session.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(group: &str) -> Draft {
        let (text, address) = ("a text".to_owned(), "bc1p".to_owned());
        Draft::new(group, Subject::Text(Text { text, address }))
    }

    #[test]
    fn the_oldest_of_seventeen_drafts_makes_room() {
        let mut drafts = Drafts::default();
        let ids: Vec<String> =
            (0..=MOST).map(|n| drafts.add(draft(&n.to_string())).unwrap()).collect();
        assert_eq!(drafts.get(&ids[0]), None);
        assert_eq!(drafts.get(&ids[1]), Some(draft("1")));
        drafts.note_proposed(&ids[1], "5751");
        assert_eq!(drafts.get(&ids[1]).unwrap().proposed.as_deref(), Some("5751"));
        assert_eq!(drafts.get(&ids[2]).unwrap().proposed, None);
        assert_eq!(ids[1].len(), 64);
    }
}

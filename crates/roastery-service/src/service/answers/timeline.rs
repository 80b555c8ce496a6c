//! The steps of a request, with names.

use crate::service::{
    Service, ServiceError,
    group::timeline::{Step, StepKind},
};

/// A step of a request, with the names of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownStep {
    /// The step.
    pub step: Step,
    /// The name of the member whose step it is.
    pub who: Option<String>,
    /// The names of the members that a package asks.
    pub asked: Vec<String>,
}

impl Service {
    /// The steps of a request since the last start, in their order; none if they are not kept.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] or [`ServiceError::Ambiguous`].
    pub async fn timeline(&self, session: &str) -> Result<Vec<KnownStep>, ServiceError> {
        let id = self.find_session(session).await?;
        let (group, _) = self.known_request(id, session).await?;
        let named = |step: Step| {
            let asked = match &step.what {
                StepKind::Package(seats) => {
                    seats.iter().map(|seat| group.shown_as(*seat)).collect()
                }
                _ => Vec::new(),
            };
            KnownStep { who: step.seat.map(|seat| group.shown_as(seat)), asked, step }
        };
        Ok(group.timelines.of(id).into_iter().map(named).collect())
    }
}

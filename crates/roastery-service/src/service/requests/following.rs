//! The events of a group's open sessions.

use std::{sync::Arc, time::Instant};

use roastery_node::driver::SessionHandle;
use roastery_protocol::member::machine::Event;
use roastery_store::{Change, Decision, Durability, RequestState};

use crate::{
    policy::Approval,
    service::{
        ServiceEvent,
        event::{describe, is_step},
        group::service::GroupService,
    },
};

impl GroupService {
    /// Handles the events of a session until it is over.
    pub(in crate::service) async fn follow(
        self: Arc<Self>,
        mut session: SessionHandle,
        decision: Decision,
        approval: Arc<Approval>,
    ) {
        let (id, begun) = (session.id(), Instant::now());
        let mut stopped = None;
        while let Some(event) = session.event().await {
            self.progress.note(&event);
            self.timelines.note(id, &event, self.first_seat());
            if is_step(&event) {
                if self.shared.observes_steps()
                    && let Some((kind, text)) = describe(&event)
                {
                    let session = id.to_string();
                    self.shared.tell_step(ServiceEvent::new(&self.name, session, kind, text));
                }
                continue;
            }
            let description = describe(&event);
            let ends = matches!(event, Event::Signed(_) | Event::Stopped { .. });
            // The end is reported when the store has it, so that a query after the event finds it.
            if !ends && let Some((kind, text)) = &description {
                self.tell(id, kind, text.clone());
            }
            let kept = match event {
                Event::Proven { fault, .. } => {
                    // The journal keeps the proof.
                    let accused = self.group.member(fault.accused);
                    let name =
                        accused.map(|one| self.shared.name_of(&one.peer)).unwrap_or_default();
                    self.shared.metrics.proven(&self.name, name, fault.fault.to_string());
                    continue;
                }
                Event::Signed(outcome) => {
                    self.shared.metrics.signed(&self.name, begun.elapsed());
                    self.session_ended(id, &approval);
                    let signed = RequestState::Signed(outcome);
                    self.change(id, Durability::Deferred, |_| Some(signed)).await.map(drop)
                }
                Event::Stopped { reason, .. } => {
                    self.shared.metrics.stopped(&self.name, &reason);
                    self.session_ended(id, &approval);
                    // A refusal is stored before this.
                    let _decided = self.deciding(id).lock().await;
                    // A withdrawal is stored by the code that withdraws; an approval that has
                    // expired is not.
                    let (decision, state) =
                        (decision.clone(), RequestState::Stopped(reason.to_string()));
                    self.change(id, Durability::Deferred, move |known| {
                        (known.state == RequestState::Approved(decision)).then_some(state)
                    })
                    .await
                    .map(|change| stopped = Some(change))
                }
                Event::Refused { seat, reason, .. } => self.note_refusal(id, seat, reason).await,
                _ => continue,
            };
            if let Err(error) = kept {
                tracing::error!(session = %id, %error, "could not be written down");
            }
            if ends && let Some((kind, text)) = description {
                self.tell(id, kind, text);
            }
        }
        // The outcome at the other members is learned from them.
        if let Some(Change::Made(kept) | Change::Left(kept)) = stopped {
            self.watch(&kept).await;
        }
    }
}

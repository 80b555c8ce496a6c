//! Adding requests, and changing their states.

use roastery_protocol::{
    Seat, SessionId,
    request::{SigningRequest, Subject},
};

use super::{
    ContentError, Decider, Decision, Durability, Entry, Store, StoreError, Transaction,
    request::{Change, KeptRequest, RequestState},
    request_record::{RequestRecord, request_row},
    table::Table,
};

impl Store {
    /// Keeps a request that this node receives or makes at `now` (seconds since 1970), as proposed.
    /// One that is known is not changed. Returns whether it was new.
    ///
    /// A caller that accepts proposals of others must bound how many are kept, and call
    /// [`Store::forget_expired`] from time to time.
    ///
    /// # Errors
    ///
    /// [`ContentError::Subject`] if the subject cannot be that of the request: `Subject::check`.
    pub fn add_request(
        &self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Option<Seat>,
        now: u64,
    ) -> Result<bool, StoreError> {
        self.write(Durability::Synced, |transaction| {
            transaction.add_request(request, subject, proposer, now)
        })
    }

    /// Replaces the subject of a known request by the one that another member shows, if the request
    /// was never approved here, the operator has not rejected it, and its revision is still the one
    /// that was examined. Returns whether it was replaced.
    ///
    /// # Errors
    ///
    /// [`ContentError::Subject`] if the subject cannot be that of the request: `Subject::check`.
    pub fn show_otherwise(
        &self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Seat,
        revision: u64,
        now: u64,
    ) -> Result<bool, StoreError> {
        self.write(Durability::Synced, |transaction| {
            transaction.show_otherwise(request, subject, proposer, revision, now)
        })
    }

    /// Changes the state of a known request at `now` (seconds since 1970) to what `decide` returns
    /// for the request as it is; with `None` it stays. `decide` sees the state that the change
    /// applies to: no other change comes between. Signatures are kept whatever is decided: those of
    /// another run may have other bytes.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if the request is not known; [`ContentError::TextTooLong`] and
    /// [`ContentError::Count`] if the state is not possible for this request.
    pub fn change_request(
        &self,
        session: SessionId,
        now: u64,
        decide: impl FnOnce(&KeptRequest) -> Option<RequestState>,
    ) -> Result<Change, StoreError> {
        self.write(Durability::Synced, |transaction| {
            transaction.change_request(session, now, decide)
        })
    }

    /// Sets the state of a known request at `now` (seconds since 1970), whatever it was before.
    /// Signatures are kept if other ones are given.
    ///
    /// # Errors
    ///
    /// Those of [`Store::change_request`], and [`ContentError::AlreadySigned`] if it has its
    /// signatures and the new state has none.
    pub fn set_request(
        &self,
        request: &SigningRequest,
        state: &RequestState,
        now: u64,
    ) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| transaction.set_request(request, state, now))
    }

    /// The request of this session, if it is known.
    pub fn request(&self, session: SessionId) -> Result<Option<KeptRequest>, StoreError> {
        self.vault.snapshot()?.request(session)
    }
}

impl Transaction<'_> {
    /// See [`Store::request`].
    pub fn request(&self, session: SessionId) -> Result<Option<KeptRequest>, StoreError> {
        self.record(session)?.map(RequestRecord::read).transpose()
    }

    /// See [`Store::add_request`].
    pub fn add_request(
        &mut self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Option<Seat>,
        now: u64,
    ) -> Result<bool, StoreError> {
        subject.check(request).map_err(ContentError::Subject)?;
        if self.record(request.session_id())?.is_some() {
            return Ok(false);
        }
        self.enter_messages(request)?;
        let (request, subject) = (request.clone(), subject.clone());
        self.put_request(KeptRequest::proposed(request, subject, proposer, now))?;
        Ok(true)
    }

    /// See [`Store::show_otherwise`].
    pub fn show_otherwise(
        &mut self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Seat,
        revision: u64,
        now: u64,
    ) -> Result<bool, StoreError> {
        subject.check(request).map_err(ContentError::Subject)?;
        match self.request(request.session_id())? {
            Some(known) if known.is_open() && known.revision == revision => {
                self.leave(request.group(), known.state.kind(), known.position);
                let (request, subject) = (request.clone(), subject.clone());
                self.put_request(KeptRequest {
                    since: known.since,
                    revision: known.revision.saturating_add(1),
                    ..KeptRequest::proposed(request, subject, Some(proposer), now)
                })?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Forgets a request that was never approved here, nor signed, nor rejected by the operator.
    pub fn forget_unapproved(&mut self, session: SessionId) -> Result<(), StoreError> {
        let Some(known) = self.request(session)? else { return Ok(()) };
        let goes = match &known.state {
            RequestState::Proposed | RequestState::Stopped(_) => true,
            RequestState::Refused(rejection) => rejection.decision.by != Decider::Operator,
            RequestState::Approved(_) | RequestState::Signed(_) => false,
        };
        if known.approved.is_none() && goes {
            self.remove_request(&known);
        }
        Ok(())
    }

    /// Replaces the subject of a request that was never approved here by bare hashes, if it is
    /// refused, or signed and `also_signed`, and the subject is still this one. Returns the request
    /// as it is then, if it has changed.
    pub fn hide_subject(
        &mut self,
        session: SessionId,
        shown: &Subject,
        also_signed: bool,
    ) -> Result<Option<KeptRequest>, StoreError> {
        let may = |known: &KeptRequest| {
            let may = match known.state {
                RequestState::Refused(_) => true,
                RequestState::Signed(_) => also_signed,
                _ => false,
            };
            may && known.approved.is_none() && known.subject == *shown
        };
        let Some(known) = self.request(session)?.filter(may) else { return Ok(None) };
        self.leave(known.request.group(), known.state.kind(), known.position);
        let revision = known.revision.saturating_add(1);
        let hidden = KeptRequest { subject: Subject::Hash, revision, ..known };
        Ok(Some(self.put_request(hidden)?))
    }

    /// See [`Store::change_request`].
    pub fn change_request(
        &mut self,
        session: SessionId,
        now: u64,
        decide: impl FnOnce(&KeptRequest) -> Option<RequestState>,
    ) -> Result<Change, StoreError> {
        let known = self.request(session)?.ok_or(ContentError::Missing(Entry::Request))?;
        let signed = matches!(known.state, RequestState::Signed(_));
        let Some(state) = (if signed { None } else { decide(&known) }) else {
            return Ok(Change::Left(known));
        };
        let approved = match state {
            RequestState::Approved(_) => Some(now),
            _ => known.approved,
        };
        self.leave(known.request.group(), known.state.kind(), known.position);
        let revision = known.revision.saturating_add(1);
        let changed = KeptRequest { state, changed: now, approved, revision, ..known };
        Ok(Change::Made(self.put_request(changed)?))
    }

    /// See [`Store::set_request`].
    pub fn set_request(
        &mut self,
        request: &SigningRequest,
        state: &RequestState,
        now: u64,
    ) -> Result<(), StoreError> {
        let session = request.session_id();
        match self.change_request(session, now, |_| Some(state.clone()))? {
            Change::Left(_) if !matches!(state, RequestState::Signed(_)) => {
                Err(ContentError::AlreadySigned { session }.into())
            }
            Change::Made(_) | Change::Left(_) => Ok(()),
        }
    }

    /// Whether a request is approved by this decision now.
    pub(super) fn is_approved_by(
        &self,
        session: SessionId,
        decision: &Decision,
    ) -> Result<bool, StoreError> {
        let record = self.record(session)?;
        Ok(record.is_some_and(|record| record.is_approved_by(decision)))
    }

    /// Removes a request from the store.
    pub(super) fn remove_request(&mut self, kept: &KeptRequest) {
        let session = kept.request.session_id();
        self.leave(kept.request.group(), kept.state.kind(), kept.position);
        let row = request_row(self.cipher(), session);
        self.remove_row(Table::Requests, row);
        self.leave_messages(&kept.request);
        self.forget_told(session);
    }

    fn record(&self, session: SessionId) -> Result<Option<RequestRecord>, StoreError> {
        self.get_row(&request_row(self.cipher(), session))
    }

    /// Writes a request that is not in the index into its row and into the index.
    fn put_request(&mut self, mut kept: KeptRequest) -> Result<KeptRequest, StoreError> {
        kept.position = self.enter(kept.request.group(), kept.state.kind(), &kept.change())?;
        let row = request_row(self.cipher(), kept.request.session_id());
        self.put_row(row, &RequestRecord::of(&kept)?)?;
        Ok(kept)
    }
}

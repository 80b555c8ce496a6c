use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{
    GroupId, Seat,
    group::Group,
    member::proof::{Proof, ProvenFault, Verdict},
};

use super::{
    ContentError, Durability, Part, Store, StoreError, Transaction,
    table::{Record, Table},
};

/// A proof against a member of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptProof {
    /// The group.
    pub group: GroupId,
    /// The member that is proven to be at fault.
    pub accused: Seat,
    /// The proof; the group file is enough to verify it.
    pub proof: Proof,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct ProofRecord {
    group: GroupId,
    accused: u16,
    proof: Vec<u8>,
}

impl Record for ProofRecord {
    const TABLE: Table = Table::Evidence;
}

impl ProofRecord {
    pub(super) fn read(self) -> Result<KeptProof, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let accused = Seat::new(self.accused.into()).map_err(|_| damaged())?;
        let proof = Proof::decode(&self.proof).map_err(|_| damaged())?;
        Ok(KeptProof { group: self.group, accused, proof })
    }
}

impl Store {
    /// Keeps a proof after verifying it. One that is there already changes nothing.
    ///
    /// # Errors
    ///
    /// [`ContentError::NotProven`] if it does not prove a fault of any member.
    pub fn keep_proof(&self, group: &Group, proof: &Proof) -> Result<ProvenFault, StoreError> {
        self.write(Durability::Synced, |transaction| transaction.keep_proof(group, proof))
    }

    /// All proofs against members of this group, by the seat of the member at fault.
    pub fn proofs(&self, group: GroupId) -> Result<Vec<KeptProof>, StoreError> {
        let mut proofs = self.vault.snapshot()?.collect(|record: ProofRecord| {
            if record.group == group { record.read().map(Some) } else { Ok(None) }
        })?;
        proofs.sort_by_key(|proof| proof.accused);
        Ok(proofs)
    }
}

impl Transaction<'_> {
    /// See [`Store::keep_proof`]. Must be synced.
    pub fn keep_proof(&mut self, group: &Group, proof: &Proof) -> Result<ProvenFault, StoreError> {
        let finding = match proof.verify(group) {
            Verdict::Invalid(finding) => finding,
            other => return Err(ContentError::NotProven(other).into()),
        };
        let accused = finding.accused.to_u16();
        let record = ProofRecord { group: group.id(), accused, proof: proof.encode() };
        self.put(&key(group.id(), accused, proof), &record)?;
        Ok(finding)
    }

    /// Whether this proof is kept. One that proves nothing is not.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if it was altered.
    pub fn has_proof(&self, group: &Group, proof: &Proof) -> Result<bool, StoreError> {
        let Verdict::Invalid(finding) = proof.verify(group) else { return Ok(false) };
        let key = key(group.id(), finding.accused.to_u16(), proof);
        Ok(self.get::<ProofRecord>(&key)?.is_some())
    }
}

fn key(group: GroupId, accused: u16, proof: &Proof) -> Vec<u8> {
    let mut key = group.as_bytes().to_vec();
    key.extend(accused.to_le_bytes());
    key.extend(proof.id().as_bytes());
    key
}

use std::time::Duration;

use rand::{RngExt as _, seq::IndexedRandom as _};
use roastery_protocol::member::{
    frame::{Content, Statement, StatementKind},
    proof::{Fault, Proof},
};

use super::Strategy;
use crate::{signing::coalition::Kit, world::Delayed};

/// Sends proofs that are made of honest members' statements and prove nothing, some of them with
/// one bit altered.
#[derive(Debug)]
pub struct FalseProofs;

impl Strategy for FalseProofs {
    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(350))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        let known: Vec<Statement> = kit.knowledge.statements.iter().cloned().collect();
        let of = |kind| -> Vec<&Statement> {
            known.iter().filter(|statement| statement.kind() == kind).collect()
        };
        let (packages, shares) =
            (of(StatementKind::SigningPackage), of(StatementKind::SignatureShare));
        let mut pair = |from: &[&Statement]| {
            let (first, second) = (*from.choose(kit.rng)?, *from.choose(kit.rng)?);
            Some((first.clone(), second.clone()))
        };
        let fault = match claim(&mut pair, &packages, &shares) {
            Some(fault) => fault,
            None => return Vec::new(),
        };
        let session = fault.accused_statement().header().session;
        let request = kit.view.requests.iter().find(|one| one.session_id() == session).cloned();
        let Some(request) = request else { return Vec::new() };
        let proof = Proof::new(request, fault);
        let mut bytes = kit.state(session, &Content::Evidence(proof)).to_vec();
        if kit.rng.random_bool(0.3) {
            let at = kit.rng.random_range(0..bytes.len());
            bytes[at] ^= 1;
        }
        kit.to_all(&bytes.into())
    }
}

/// The fault that a false proof claims: two different shares, else two packages, else one package
/// that is said to be malformed.
fn claim(
    pair: &mut impl FnMut(&[&Statement]) -> Option<(Statement, Statement)>,
    packages: &[&Statement],
    shares: &[&Statement],
) -> Option<Fault> {
    if let Some((first, second)) = pair(shares)
        && first.body_hash() != second.body_hash()
    {
        return Some(Fault::ShareConflict { first, second });
    }
    let (first, second) = pair(packages)?;
    Some(if first.body_hash() == second.body_hash() {
        Fault::MalformedMessage { message: first }
    } else {
        Fault::PackageConflict { first, second }
    })
}

//! The same through a virtual repository: who answers for it explains.

use formats::{Merging, Operation, PackageAt};
use model::Code;

use super::super::package_given;
use super::said::unjudged;
use super::withdrawn::Standing;
use super::{Explanation, Question};
use crate::authorize::{Grant, Member, Read};
use crate::error::{Error, Result};
use crate::versions::format_of;
use crate::virtuals::Members;

impl Grant<Read> {
    pub(super) async fn explain_through(&self, question: Question) -> Result<Explanation> {
        let members = self.members().await?;
        let at = match &question {
            Question::Package(name, _) => Some(package_given(format_of(self.repo())?, name)?),
            Question::Path(path) => format_of(self.repo())?.package_of(&Operation::Fetch(path.clone())),
        };
        let answering = members.answering(|_| at.clone()).await?;
        let remotes: Vec<_> =
            answering.into_iter().filter(|member| member.is_remote()).filter_map(Member::grant).collect();
        if remotes.is_empty() {
            return self.asked_of_nobody(&members, &at, &question).await;
        }
        match &at {
            Some(at) if members.merging == Merging::Owner => self.of_owner(&members, at, &remotes, question).await,
            _ => match self.withdrawn_in_hosted(&members, &at, &question).await? {
                Some(told) => Ok(told),
                None => first_of(&remotes, &question).await,
            },
        }
    }

    /// Its owner explains; where there is none, who keeps the name from its upstream.
    async fn of_owner(
        &self,
        members: &Members,
        at: &PackageAt,
        remotes: &[&Grant<Read>],
        question: Question,
    ) -> Result<Explanation> {
        match members.owner(|_| Some(at.clone())).await? {
            Some(owner) if owner.is_remote() => return owner.whoever_asks().explain(question).await,
            Some(_) => return self.asked_of_nobody(members, &Some(at.clone()), &question).await,
            None => {}
        }
        for remote in remotes {
            if remote.claim_on(at).await?.is_some() {
                return remote.explain(question).await;
            }
        }
        Err(Error::not_found(&subject(&question)))
    }

    /// What was withdrawn in the hosted member that answers for it.
    async fn withdrawn_in_hosted(
        &self,
        members: &Members,
        at: &Option<PackageAt>,
        question: &Question,
    ) -> Result<Option<Explanation>> {
        let same = |_: &Member| at.clone();
        let answering = match members.merging {
            Merging::Owner => members.host(same).await?.into_iter().collect(),
            Merging::Union => members.answering(same).await?,
        };
        for grant in answering.into_iter().filter(|member| !member.is_remote()).filter_map(Member::grant) {
            match grant.standing_of(question).await? {
                Standing::Unknown => {}
                Standing::Here => return Ok(None),
                Standing::Withdrawn(withdrawn) => return Ok(Some(grant.unruled_withdrawn(question, withdrawn))),
            }
        }
        Ok(None)
    }

    /// Why no upstream is asked.
    async fn asked_of_nobody(
        &self,
        members: &Members,
        at: &Option<PackageAt>,
        question: &Question,
    ) -> Result<Explanation> {
        let (key, what) = (&self.repo().key, subject(question));
        let same = |_: &Member| at.clone();
        if let Some(told) = self.withdrawn_in_hosted(members, at, question).await? {
            return Ok(told);
        }
        if let Some(owner) = members.host(same).await? {
            let detail = format!(
                "{what} is hosted in {}: no upstream is asked for it, and no rules decide over it",
                owner.key()
            );
            return Ok(unjudged(question, "allow", detail));
        }
        let detail = match members.keep(same) {
            true => format!("{what} was not found: {key} takes that name from no upstream"),
            false => format!("no upstream is asked for {what} through {key}"),
        };
        Ok(unjudged(question, "hide", detail))
    }
}

/// Each file is that of the first who has it, and who refuses it is not passed over: the first who lets it in or refuses it
/// explains, else the first who knows it.
async fn first_of(remotes: &[&Grant<Read>], question: &Question) -> Result<Explanation> {
    let mut kept_out = None;
    for remote in remotes {
        match remote.explain(question.clone()).await {
            Ok(said) if said.verdict == "allow" || said.is_refused => return Ok(said),
            Ok(said) => kept_out = kept_out.or(Some(said)),
            Err(error) if error.code() == Some(Code::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    kept_out.ok_or_else(|| Error::not_found(&subject(question)))
}

/// What is asked about, in words.
fn subject(question: &Question) -> String {
    match question {
        Question::Package(name, Some(version)) => format!("{name} {version}"),
        Question::Package(name, None) => name.to_string(),
        Question::Path(path) => format!("the file {path}"),
    }
}

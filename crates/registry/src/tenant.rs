//! What tenant admins set: service accounts, roles on the tenant, allowances.

use model::{Subject, TenantRole};
use store::admission::{Limits, Policy, SetPolicy, Usage, policy, usage};
use store::principals::{
    CreateServiceAccount, DeleteServiceAccount, ServiceAccount, SetDisabled, SetTenantBinding, TenantBinding,
    service_accounts, tenant_bindings,
};

use crate::authorize::{TenantAdmin, TenantGrant};
use crate::error::{Error, Result};

/// Upload sessions that may be open at once, at most, whoever says how many.
pub const MAX_UPLOAD_SESSIONS: u64 = 1000;
/// Jobs that may wait, at most, whoever says how many.
pub const MAX_PENDING_JOBS: u64 = 50_000;

/// The allowances in force.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The limits.
    pub limits: Limits,
    /// Who set them and when; `None` for the defaults.
    pub policy: Option<Policy>,
    /// What is used.
    pub usage: Usage,
}

impl TenantGrant<TenantAdmin> {
    /// Service accounts after a subject.
    pub async fn service_accounts(&self, after: &str, limit: u32) -> Result<Vec<ServiceAccount>> {
        let tenant = self.tenant();
        Ok(self.store().read(async |session| service_accounts(session, tenant, after, limit).await).await?)
    }

    /// Makes a service account. 409 when the subject exists.
    pub async fn create_service_account(&self, subject: Subject, description: String) -> Result<()> {
        if description.len() > 1000 {
            return Err(Error::bad_request("description must have at most 1000 bytes"));
        }
        let id = self.registry().ambient().id();
        Ok(self.store().write(CreateServiceAccount { act: self.act(), id, subject, description }).await?)
    }

    /// Disables a service account: its tokens are dead from the next request on, until it is enabled again. 404 when
    /// there is none.
    pub async fn disable_service_account(&self, subject: Subject, disabled: bool) -> Result<ServiceAccount> {
        Ok(self.store().write(SetDisabled { act: self.act(), subject, disabled }).await?)
    }

    /// Deletes a service account for good, with its tokens. 404 when there is none.
    pub async fn delete_service_account(&self, subject: Subject) -> Result<()> {
        Ok(self.store().write(DeleteServiceAccount { act: self.act(), subject }).await?)
    }

    /// Who holds which roles on the tenant.
    pub async fn tenant_bindings(&self) -> Result<Vec<TenantBinding>> {
        let tenant = self.tenant();
        Ok(self.store().read(async |session| tenant_bindings(session, tenant).await).await?)
    }

    /// Replaces the roles of a subject on the tenant.
    pub async fn bind_tenant(&self, subject: Subject, roles: Vec<TenantRole>) -> Result<()> {
        if roles.is_empty() {
            return Err(Error::bad_request("at least one role is needed; to remove a binding, delete it"));
        }
        Ok(self.store().write(SetTenantBinding { act: self.act(), subject, roles }).await?)
    }

    /// Removes the roles of a subject on the tenant. 404 when there are none.
    pub async fn unbind_tenant(&self, subject: Subject) -> Result<()> {
        Ok(self.store().write(SetTenantBinding { act: self.act(), subject, roles: Vec::new() }).await?)
    }

    /// The allowances and what is used of them.
    pub async fn admission(&self) -> Result<Admission> {
        let tenant = self.tenant();
        let (policy, usage) = self
            .store()
            .read(async |session| Ok((policy(session, tenant).await?, usage(session, tenant).await?)))
            .await?;
        let limits = policy.as_ref().map_or(self.registry().settings().limits, |policy| policy.limits);
        Ok(Admission { limits, policy, usage })
    }

    /// Sets the allowances.
    pub async fn set_admission(&self, limits: Limits) -> Result<()> {
        if !(10 << 20..=1 << 60).contains(&limits.storage_bytes) {
            return Err(Error::bad_request("maxLogicalStorageBytes must be between 10485760 and 2^60"));
        }
        if !(1..=MAX_UPLOAD_SESSIONS).contains(&limits.upload_sessions) {
            let why = format!("maxConcurrentUploadSessions must be between 1 and {MAX_UPLOAD_SESSIONS}");
            return Err(Error::bad_request(why));
        }
        if !(1..=MAX_PENDING_JOBS).contains(&limits.pending_jobs) {
            return Err(Error::bad_request(format!("maxPendingSearchJobs must be between 1 and {MAX_PENDING_JOBS}")));
        }
        Ok(self.store().write(SetPolicy { act: self.act(), limits }).await?)
    }
}

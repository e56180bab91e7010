//! The capabilities that change accounts.

use lumos_connector_sdk::prelude::*;

use crate::Ctx;
use crate::client::{Client, NewUser};

/// What an account is created from: the standard field, and what the app wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CreateAccount {
    /// Entitlements that the account must have from the start.
    #[serde(default)]
    entitlements: Vec<CreateAccountEntitlement>,
    /// The email address of the new account
    email: String,
    /// The name of the new account
    #[serde(default)]
    name: Option<String>,
}

pub(crate) async fn create_account(ctx: Ctx, input: CreateAccount) -> Result<CreatedAccount> {
    let client = Client::new(&ctx)?;
    let user = client.create_user(&NewUser { email: input.email, name: input.name }).await?;
    for entitlement in &input.entitlements {
        let group = entitlement.integration_specific_resource_id.as_deref().unwrap_or_default();
        // The account is there by now: repeating the whole call would be a conflict.
        client.join(&user.id, group).await.map_err(|error| error.with_retryable(false))?;
    }
    Ok(CreatedAccount { id: Some(user.id), status: AccountStatus::Active, created: true })
}

pub(crate) async fn deactivate_account(ctx: Ctx, input: DeactivateAccount) -> Result<DeactivatedAccount> {
    Client::new(&ctx)?.deactivate(&input.account_id).await?;
    Ok(DeactivatedAccount { deactivated: true, status: AccountStatus::Inactive })
}

pub(crate) async fn assign_entitlement(ctx: Ctx, input: AssignEntitlement) -> Result<AssignedEntitlement> {
    let (user, group) = (input.account_integration_specific_id, input.resource_integration_specific_id);
    Client::new(&ctx)?.join(&user, &group).await?;
    Ok(AssignedEntitlement { assigned: true })
}

pub(crate) async fn unassign_entitlement(ctx: Ctx, input: UnassignEntitlement) -> Result<UnassignedEntitlement> {
    let (user, group) = (input.account_integration_specific_id, input.resource_integration_specific_id);
    Client::new(&ctx)?.leave(&user, &group).await?;
    Ok(UnassignedEntitlement { unassigned: true })
}

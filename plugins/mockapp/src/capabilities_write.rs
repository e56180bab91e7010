//! The capabilities that change accounts.

use lumos_connector_sdk::prelude::*;

use crate::Ctx;
use crate::client::{Client, NewUser};
use crate::types::GLOBAL_RESOURCE;

/// What an account is created from: the standard field, and what the app wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CreateAccount {
    /// Entitlements that the account must have from the start.
    #[serde(default)]
    entitlements: Vec<CreateAccountEntitlement>,
    /// The email address for the new account
    #[serde(default)]
    #[schemars(with = "String")]
    email: Option<String>,
    /// The display name for the new account
    #[serde(default)]
    #[schemars(with = "String")]
    display_name: Option<String>,
}

pub(crate) async fn create_account(ctx: Ctx, input: CreateAccount) -> Result<CreatedAccount> {
    let client = Client::new(&ctx)?;
    let user = NewUser {
        email: input.email,
        name: input.display_name,
        status: "active",
    };
    let id = client.create_user(&user).await?.id;
    for entitlement in &input.entitlements {
        give(&client, &id, entitlement).await?;
    }
    Ok(CreatedAccount {
        id: Some(id),
        status: AccountStatus::Active,
        created: true,
    })
}

pub(crate) async fn activate_account(ctx: Ctx, input: ActivateAccount) -> Result<ActivatedAccount> {
    Client::new(&ctx)?.set_status(&input.account_id, "active").await?;
    Ok(ActivatedAccount {
        activated: true,
        status: AccountStatus::Active,
    })
}

pub(crate) async fn deactivate_account(ctx: Ctx, input: DeactivateAccount) -> Result<DeactivatedAccount> {
    Client::new(&ctx)?
        .set_status(&input.account_id, "inactive")
        .await?;
    Ok(DeactivatedAccount {
        deactivated: true,
        status: AccountStatus::Inactive,
    })
}

pub(crate) async fn delete_account(ctx: Ctx, input: DeleteAccount) -> Result<DeletedAccount> {
    Client::new(&ctx)?.delete_user(&input.account_id).await?;
    Ok(DeletedAccount {
        deleted: true,
        status: AccountStatus::Inactive,
    })
}

pub(crate) async fn assign_entitlement(ctx: Ctx, input: AssignEntitlement) -> Result<AssignedEntitlement> {
    Client::new(&ctx)?
        .assign(
            &input.account_integration_specific_id,
            &input.entitlement_integration_specific_id,
            &input.resource_integration_specific_id,
        )
        .await?;
    Ok(AssignedEntitlement { assigned: true })
}

pub(crate) async fn unassign_entitlement(
    ctx: Ctx,
    input: UnassignEntitlement,
) -> Result<UnassignedEntitlement> {
    Client::new(&ctx)?
        .unassign(
            &input.account_integration_specific_id,
            &input.entitlement_integration_specific_id,
            &input.resource_integration_specific_id,
        )
        .await?;
    Ok(UnassignedEntitlement { unassigned: true })
}

/// Gives a new account one of the entitlements that it was asked for with. The account is there by now, so a failure says
/// which one it is: repeating the whole call would be a conflict.
async fn give(client: &Client, account_id: &str, entitlement: &CreateAccountEntitlement) -> Result<()> {
    let resource = entitlement
        .integration_specific_resource_id
        .as_deref()
        .filter(|id| !id.is_empty());
    let resource = resource.unwrap_or(GLOBAL_RESOURCE);
    client.assign(account_id, &entitlement.integration_specific_id, resource).await.map_err(|error| {
        let hint = format!(
            "The account {account_id} was created, but lacks entitlements: assign them with assign_entitlement."
        );
        error.with_hint(hint).with_retryable(false)
    })
}

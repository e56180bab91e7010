//! The capabilities that change nothing.

use lumos_connector_sdk::prelude::*;

use crate::Ctx;
use crate::client::{Association, Client, Entitlement, Resource, USERS, User, UserPage};

const DEFAULT_PAGE_SIZE: i64 = 100;

/// Where a listing of accounts goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    endpoint: String,
    offset: u64,
}

/// The cheapest call that needs the token tells whether it works.
pub(crate) async fn validate_credentials(ctx: Ctx, _: ValidateCredentials) -> Result<ValidatedCredentials> {
    Client::new(&ctx)?.users(1, 0).await?;
    Ok(ValidatedCredentials {
        valid: true,
        unique_tenant_id: "mockapp-tenant-id".to_owned(),
    })
}

pub(crate) async fn list_accounts(ctx: Ctx, _: ListAccounts) -> Result<Response<Vec<FoundAccountData>>> {
    let offset = start(&ctx)?;
    let size = ctx.page_size(DEFAULT_PAGE_SIZE);
    let users = Client::new(&ctx)?.users(size, offset).await?;
    let next = next_offset(&users, offset)?.map(|offset| Position {
        endpoint: USERS.to_owned(),
        offset,
    });
    let page = ctx.next_page(next, size);
    Ok(Response::new(users.items.into_iter().map(account).collect()).with_page(page))
}

pub(crate) async fn list_resources(ctx: Ctx, _: ListResources) -> Result<Vec<FoundResourceData>> {
    let resources = Client::new(&ctx)?.resources().await?;
    let found = |resource: Resource| FoundResourceData {
        integration_specific_id: resource.id,
        resource_type: resource.r#type,
        label: resource.name,
        ..Default::default()
    };
    Ok(resources.into_iter().map(found).collect())
}

pub(crate) async fn list_entitlements(ctx: Ctx, _: ListEntitlements) -> Result<Vec<FoundEntitlementData>> {
    let entitlements = Client::new(&ctx)?.entitlements().await?;
    let found = |entitlement: Entitlement| FoundEntitlementData {
        integration_specific_id: entitlement.id,
        entitlement_type: entitlement.r#type,
        integration_specific_resource_id: entitlement.resource_id,
        label: entitlement.name,
        ..Default::default()
    };
    Ok(entitlements.into_iter().map(found).collect())
}

pub(crate) async fn find_entitlement_associations(
    ctx: Ctx,
    _: FindEntitlementAssociations,
) -> Result<Vec<FoundEntitlementAssociation>> {
    let associations = Client::new(&ctx)?.associations().await?;
    let found = |association: Association| FoundEntitlementAssociation {
        account_id: association.user_id,
        integration_specific_entitlement_id: association.entitlement_id,
        integration_specific_resource_id: association.resource_id,
    };
    Ok(associations.into_iter().map(found).collect())
}

/// Accounts that are not there, or never signed in, are left out. Any other failure is the call's.
pub(crate) async fn get_last_activity(ctx: Ctx, input: GetLastActivity) -> Result<Vec<LastActivityData>> {
    let client = Client::new(&ctx)?;
    let mut activities = Vec::new();
    for account_id in input.account_ids {
        let user = client.user(&account_id).await?;
        if let Some(happened_at) = user.and_then(|user| user.last_login) {
            activities.push(LastActivityData {
                account_id,
                event_type: ActivityEventType::LastLogin.into(),
                happened_at,
            });
        }
    }
    Ok(activities)
}

/// The offset in the page token, or the beginning.
fn start(ctx: &Ctx) -> Result<u64> {
    match ctx.position::<Position>()? {
        None => Ok(0),
        Some(position) if position.endpoint == USERS => Ok(position.offset),
        Some(_) => Err(ConnectorError::invalid_page_token(
            "The page token belongs to another listing. Start again from the first page.",
        )),
    }
}

/// Where the next page begins, if there is one. An app that says there is more, but gives nothing or the same again, must
/// not keep a caller going round.
fn next_offset(page: &UserPage, offset: u64) -> Result<Option<u64>> {
    if page.offset.is_some_and(|given| given != offset) {
        return Err(ConnectorError::invalid_response(format!(
            "The app answered with another page of {USERS} than the one at offset {offset}."
        )));
    }
    let advance = page.items.len() as u64;
    if !page.has_more || advance == 0 {
        return Ok(None);
    }
    Ok(offset.checked_add(advance))
}

fn account(user: User) -> FoundAccountData {
    let status = match user.status.as_deref() {
        Some("inactive") => AccountStatus::Inactive,
        // Such a user can be brought back, so it is not deleted for good.
        Some("deleted") => AccountStatus::Suspended,
        _ => AccountStatus::Active,
    };
    FoundAccountData {
        integration_specific_id: user.id,
        email: user.email,
        username: user.name,
        user_status: Some(status),
        ..Default::default()
    }
}

//! The capabilities that change nothing.

use lumos_connector_sdk::prelude::*;

use crate::Ctx;
use crate::client::{Client, Group, Membership, User};
use crate::types::{GROUP, MEMBER};

const DEFAULT_PAGE_SIZE: i64 = 100;

/// Where a listing of accounts goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    offset: u64,
}

/// The cheapest call that needs the token tells whether it works.
pub(crate) async fn validate_credentials(ctx: Ctx, _: ValidateCredentials) -> Result<ValidatedCredentials> {
    Client::new(&ctx)?.users(1, 0).await?;
    Ok(ValidatedCredentials {
        valid: true,
        // An app with several tenants tells which one the token belongs to.
        unique_tenant_id: "{{app_id}}-tenant".to_owned(),
    })
}

pub(crate) async fn list_accounts(ctx: Ctx, _: ListAccounts) -> Result<Response<Vec<FoundAccountData>>> {
    let offset = ctx.position::<Position>()?.map_or(0, |position| position.offset);
    let size = ctx.page_size(DEFAULT_PAGE_SIZE);
    let users = Client::new(&ctx)?.users(size, offset).await?;
    // An app that says there is more, but gives nothing, must not keep the caller going round.
    let next = (users.has_more && !users.items.is_empty()).then(|| Position {
        offset: offset.saturating_add(users.items.len() as u64),
    });
    let page = ctx.next_page(next, size);
    Ok(Response::new(users.items.into_iter().map(account).collect()).with_page(page))
}

pub(crate) async fn list_resources(ctx: Ctx, _: ListResources) -> Result<Vec<FoundResourceData>> {
    let groups = Client::new(&ctx)?.groups().await?;
    let resource = |group: Group| FoundResourceData {
        integration_specific_id: group.id,
        resource_type: GROUP.to_owned(),
        label: group.name,
        ..Default::default()
    };
    Ok(groups.into_iter().map(resource).collect())
}

/// One can be a member of each group; that is all there is to have.
pub(crate) async fn list_entitlements(ctx: Ctx, _: ListEntitlements) -> Result<Vec<FoundEntitlementData>> {
    let groups = Client::new(&ctx)?.groups().await?;
    let membership = |group: Group| FoundEntitlementData {
        integration_specific_id: MEMBER.to_owned(),
        entitlement_type: MEMBER.to_owned(),
        label: format!("Member of {}", group.name),
        integration_specific_resource_id: group.id,
        ..Default::default()
    };
    Ok(groups.into_iter().map(membership).collect())
}

pub(crate) async fn find_entitlement_associations(
    ctx: Ctx,
    _: FindEntitlementAssociations,
) -> Result<Vec<FoundEntitlementAssociation>> {
    let memberships = Client::new(&ctx)?.memberships().await?;
    let association = |membership: Membership| FoundEntitlementAssociation {
        account_id: membership.user_id,
        integration_specific_entitlement_id: MEMBER.to_owned(),
        integration_specific_resource_id: membership.group_id,
    };
    Ok(memberships.into_iter().map(association).collect())
}

fn account(user: User) -> FoundAccountData {
    FoundAccountData {
        integration_specific_id: user.id,
        email: user.email,
        username: user.name,
        user_status: Some(if user.active { AccountStatus::Active } else { AccountStatus::Inactive }),
        ..Default::default()
    }
}

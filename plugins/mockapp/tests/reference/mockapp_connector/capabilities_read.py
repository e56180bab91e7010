from connector.generated import (
    AccountStatus,
    ActivityEventType,
    FindEntitlementAssociationsRequest,
    FindEntitlementAssociationsResponse,
    FoundAccountData,
    FoundEntitlementAssociation,
    FoundEntitlementData,
    FoundResourceData,
    GetLastActivityRequest,
    GetLastActivityResponse,
    LastActivityData,
    ListAccountsRequest,
    ListAccountsResponse,
    ListEntitlementsRequest,
    ListEntitlementsResponse,
    ListResourcesRequest,
    ListResourcesResponse,
    Page,
    ValidateCredentialsRequest,
    ValidateCredentialsResponse,
    ValidatedCredentials,
)
from connector.oai.capability import get_page
from connector.oai.errors import ConnectorError, ErrorCode

from mockapp_connector.client import MockappClient
from mockapp_connector.pagination import DEFAULT_PAGE_SIZE, NextPageToken, Pagination


async def validate_credentials(args: ValidateCredentialsRequest) -> ValidateCredentialsResponse:
    async with MockappClient(args) as client:
        try:
            await client.get_users(limit=1)
            return ValidateCredentialsResponse(
                response=ValidatedCredentials(unique_tenant_id="mockapp-tenant-id", valid=True),
            )
        except Exception as e:
            raise ConnectorError(
                message=f"Exception occured: {str(e)}", error_code=ErrorCode.API_ERROR
            ) from e


async def list_accounts(args: ListAccountsRequest) -> ListAccountsResponse:
    endpoint = "/api/users"
    try:
        current_pagination = NextPageToken(get_page(args).token).paginations()[0]
    except IndexError:
        current_pagination = Pagination.default(endpoint)
    page_size = get_page(args).size or DEFAULT_PAGE_SIZE

    async with MockappClient(args) as client:
        response = await client.get_users(limit=page_size, offset=current_pagination.offset)

        accounts = []
        for user in response.get("items", []):
            status = AccountStatus.ACTIVE
            if user.get("status") == "inactive":
                status = AccountStatus.INACTIVE
            elif user.get("status") == "deleted":
                status = AccountStatus.SUSPENDED
            accounts.append(
                FoundAccountData(
                    integration_specific_id=user["id"],
                    email=user.get("email", ""),
                    username=user.get("name", ""),
                    user_status=status,
                )
            )

        next_pagination = []
        if response.get("has_more", False):
            offset = current_pagination.offset + len(accounts)
            next_pagination.append(Pagination(endpoint=endpoint, offset=offset))
        next_page_token = (
            NextPageToken.from_paginations(next_pagination).token if next_pagination else None
        )
        return ListAccountsResponse(
            response=accounts,
            page=Page(token=next_page_token, size=page_size) if next_page_token else None,
        )


async def list_resources(args: ListResourcesRequest) -> ListResourcesResponse:
    async with MockappClient(args) as client:
        resources = [
            FoundResourceData(
                integration_specific_id=resource["id"],
                resource_type=resource["type"],
                label=resource["name"],
            )
            for resource in await client.get_resources()
        ]
        return ListResourcesResponse(response=resources)


async def list_entitlements(args: ListEntitlementsRequest) -> ListEntitlementsResponse:
    async with MockappClient(args) as client:
        entitlements = [
            FoundEntitlementData(
                integration_specific_id=entitlement["id"],
                entitlement_type=entitlement["type"],
                integration_specific_resource_id=entitlement["resource_id"],
                label=entitlement["name"],
            )
            for entitlement in await client.get_entitlements()
        ]
        return ListEntitlementsResponse(response=entitlements)


async def find_entitlement_associations(
    args: FindEntitlementAssociationsRequest,
) -> FindEntitlementAssociationsResponse:
    async with MockappClient(args) as client:
        associations = [
            FoundEntitlementAssociation(
                account_id=association["user_id"],
                integration_specific_entitlement_id=association["entitlement_id"],
                integration_specific_resource_id=association["resource_id"],
            )
            for association in await client.get_associations()
        ]
        return FindEntitlementAssociationsResponse(response=associations)


async def get_last_activity(args: GetLastActivityRequest) -> GetLastActivityResponse:
    async with MockappClient(args) as client:
        activities = []
        for account_id in args.request.account_ids:
            try:
                user = await client.get_user(account_id)
                if user.get("last_login"):
                    activities.append(
                        LastActivityData(
                            account_id=account_id,
                            event_type=ActivityEventType.LAST_LOGIN,
                            happened_at=user["last_login"],
                        )
                    )
            except Exception:
                # As in the tutorial: users that can't be found are left out.
                pass
        return GetLastActivityResponse(response=activities)

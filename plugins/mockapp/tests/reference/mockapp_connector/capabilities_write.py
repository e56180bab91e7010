from connector.generated import (
    AccountStatus,
    ActivateAccountRequest,
    ActivateAccountResponse,
    ActivatedAccount,
    AssignedEntitlement,
    AssignEntitlementRequest,
    AssignEntitlementResponse,
    CreatableAccount,
    CreateAccountResponse,
    CreatedAccount,
    DeactivateAccountRequest,
    DeactivateAccountResponse,
    DeactivatedAccount,
    DeleteAccountRequest,
    DeleteAccountResponse,
    DeletedAccount,
    UnassignedEntitlement,
    UnassignEntitlementRequest,
    UnassignEntitlementResponse,
)
from connector.oai.capability import CustomRequest
from pydantic import Field

from mockapp_connector.client import MockappClient


class CreateAccount(CreatableAccount):
    email: str = Field(default=None, description="The email address for the new account")
    display_name: str = Field(default=None, description="The display name for the new account")


async def create_account(args: CustomRequest[CreateAccount]) -> CreateAccountResponse:
    req = args.request
    user_data = {"email": req.email, "name": req.display_name, "status": "active"}
    async with MockappClient(args) as client:
        new_user = await client.create_user(user_data)
        return CreateAccountResponse(
            response=CreatedAccount(id=new_user["id"], status=AccountStatus.ACTIVE, created=True)
        )


async def activate_account(args: ActivateAccountRequest) -> ActivateAccountResponse:
    async with MockappClient(args) as client:
        await client.update_user(args.request.account_id, {"status": "active"})
        return ActivateAccountResponse(
            response=ActivatedAccount(activated=True, status=AccountStatus.ACTIVE)
        )


async def deactivate_account(args: DeactivateAccountRequest) -> DeactivateAccountResponse:
    async with MockappClient(args) as client:
        await client.update_user(args.request.account_id, {"status": "inactive"})
        return DeactivateAccountResponse(
            response=DeactivatedAccount(deactivated=True, status=AccountStatus.INACTIVE)
        )


async def delete_account(args: DeleteAccountRequest) -> DeleteAccountResponse:
    async with MockappClient(args) as client:
        await client.delete_user(args.request.account_id)
        return DeleteAccountResponse(
            response=DeletedAccount(deleted=True, status=AccountStatus.INACTIVE)
        )


async def assign_entitlement(args: AssignEntitlementRequest) -> AssignEntitlementResponse:
    req = args.request
    async with MockappClient(args) as client:
        await client.assign_entitlement(
            req.account_integration_specific_id,
            req.entitlement_integration_specific_id,
            req.resource_integration_specific_id,
        )
        return AssignEntitlementResponse(response=AssignedEntitlement(assigned=True))


async def unassign_entitlement(args: UnassignEntitlementRequest) -> UnassignEntitlementResponse:
    req = args.request
    async with MockappClient(args) as client:
        await client.unassign_entitlement(
            req.account_integration_specific_id,
            req.entitlement_integration_specific_id,
            req.resource_integration_specific_id,
        )
        return UnassignEntitlementResponse(response=UnassignedEntitlement(unassigned=True))

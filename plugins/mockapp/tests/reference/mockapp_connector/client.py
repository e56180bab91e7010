import typing as t

from connector.oai.base_clients import BaseIntegrationClient
from connector.oai.capability import Request, get_settings, get_token_auth
from connector.utils.httpx_auth import BearerAuth

from mockapp_connector.settings import MockappConnectorSettings

API_BASE_PATH = "/api"


class MockappClient(BaseIntegrationClient):
    @classmethod
    def prepare_client_args(cls, args: Request) -> dict[str, t.Any]:
        settings = get_settings(args, MockappConnectorSettings)
        return {"auth": BearerAuth(token=get_token_auth(args).token), "base_url": settings.api_url}

    async def ask(self, method, path, **more):
        response = await self._http_client.request(method, f"{API_BASE_PATH}/{path}", **more)
        response.raise_for_status()
        return response

    async def get_users(self, limit: int | None = None, offset: int | None = None):
        params = {}
        if limit:
            params["limit"] = limit
        if offset:
            params["offset"] = offset
        return (await self.ask("GET", "users", params=params)).json()

    async def get_user(self, user_id):
        return (await self.ask("GET", f"users/{user_id}")).json()

    async def get_resources(self):
        return (await self.ask("GET", "resources")).json()

    async def get_entitlements(self):
        return (await self.ask("GET", "entitlements")).json()

    async def get_associations(self):
        return (await self.ask("GET", "associations")).json()

    async def create_user(self, user_data):
        return (await self.ask("POST", "users", json=user_data)).json()

    async def update_user(self, user_id, user_data):
        return (await self.ask("PUT", f"users/{user_id}", json=user_data)).json()

    async def delete_user(self, user_id):
        await self.ask("DELETE", f"users/{user_id}")

    async def assign_entitlement(self, user_id, entitlement_id, resource_id):
        data = {"entitlement_id": entitlement_id, "resource_id": resource_id}
        return (await self.ask("POST", f"users/{user_id}/entitlements", json=data)).json()

    async def unassign_entitlement(self, user_id, entitlement_id, resource_id):
        params = {"resource_id": resource_id}
        await self.ask("DELETE", f"users/{user_id}/entitlements/{entitlement_id}", params=params)

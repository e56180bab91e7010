import httpx
from connector.generated import TokenCredential
from connector.oai.capability import StandardCapabilityName
from connector.oai.errors import HTTPHandler
from connector.oai.integration import AppCategory, DescriptionData, Integration

from mockapp_connector import capabilities_read, capabilities_write
from mockapp_connector.enums import entitlement_types, resource_types
from mockapp_connector.settings import MockappConnectorSettings


def declared(version):
    integration = Integration(
        app_id="mockapp",
        version=version,
        auth=TokenCredential,
        exception_handlers=[(httpx.HTTPStatusError, HTTPHandler, None)],
        description_data=DescriptionData(
            logo_url="https://logo.clearbit.com/example.com",
            user_friendly_name="MockApp",
            description="MockApp is a test application for demonstrating Lumos connectors",
            categories=[AppCategory.DEVELOPERS, AppCategory.IT_AND_SECURITY],
        ),
        settings_model=MockappConnectorSettings,
        resource_types=resource_types,
        entitlement_types=entitlement_types,
    )
    integration.register_capabilities(
        {
            StandardCapabilityName.VALIDATE_CREDENTIALS: capabilities_read.validate_credentials,
            StandardCapabilityName.LIST_ACCOUNTS: capabilities_read.list_accounts,
            StandardCapabilityName.LIST_RESOURCES: capabilities_read.list_resources,
            StandardCapabilityName.LIST_ENTITLEMENTS: capabilities_read.list_entitlements,
            StandardCapabilityName.FIND_ENTITLEMENT_ASSOCIATIONS: capabilities_read.find_entitlement_associations,
            StandardCapabilityName.GET_LAST_ACTIVITY: capabilities_read.get_last_activity,
            StandardCapabilityName.CREATE_ACCOUNT: capabilities_write.create_account,
            StandardCapabilityName.ACTIVATE_ACCOUNT: capabilities_write.activate_account,
            StandardCapabilityName.DEACTIVATE_ACCOUNT: capabilities_write.deactivate_account,
            StandardCapabilityName.DELETE_ACCOUNT: capabilities_write.delete_account,
            StandardCapabilityName.ASSIGN_ENTITLEMENT: capabilities_write.assign_entitlement,
            StandardCapabilityName.UNASSIGN_ENTITLEMENT: capabilities_write.unassign_entitlement,
        }
    )
    return integration

"""The declarations that are compared, in the reference SDK's words. `declarations.rs` says the same in ours.

Texts that begin with "Fixture" are the connector's own; they have to come out the same on both sides.
"""

import enum
import typing as t

import httpx
from connector.oai.capability import (
    _STANDARD_CAPABILITY_SIGNATURES,
    CustomRequest,
    CustomResponse,
    get_credential,
    get_settings,
)
from connector.oai.errors import HTTPHandler
from connector.oai.integration import (
    CapabilityMetadata,
    DescriptionData,
    Integration,
    IntegrationError,
)
from connector.oai.modules.oauth_module_types import OAuthCapabilities, OAuthFlowType, OAuthSettings
from connector.oai.modules.access_graph_rules_module_types import AccessGraphRulesSettings
from connector_sdk_types import CredentialsSettings
from connector_sdk_types.generated import (
    AccessGraphEntitlementRule,
    AccessGraphEntitlementType,
    AccessGraphImpliedAccessRule,
    AppCategory,
    BasicCredential,
    ConnectorErrorCode,
    CreatableAccount,
    CreateAccountResponse,
    CreatedAccount,
    CustomAttributeSchema,
    EmptyCredential,
    EntitlementType,
    Error,
    ExecutionSummary,
    FoundAccountData,
    JWTCredential,
    KeyPairCredential,
    ListAccountsRequest,
    ListAccountsResponse,
    ListCustomAttributesSchemaRequest,
    ListCustomAttributesSchemaResponse,
    OAuth1Credential,
    OAuthClientCredential,
    OAuthCredential,
    Page,
    RateLimitMode,
    RefreshAccessTokenRequest,
    RefreshAccessTokenResponse,
    ResourceType,
    ServiceAccountCredential,
    StandardCapabilityName,
    TokenCredential,
    ValidateCredentialConfigRequest,
    ValidateCredentialConfigResponse,
    ValidatedCredentialConfig,
)
from connector_sdk_types.oai.modules.credentials_module_types import AuthModel, CredentialConfig, OAuthConfig
from connector_sdk_types.oai.modules.probe_module_types import ProbeSettings
from connector_sdk_types.serializers import (
    AnnotatedField,
    Discriminator,
    HiddenField,
    SecretField,
    SemanticType,
)
from pydantic import BaseModel, Field

import failures

HANDLERS = [(httpx.HTTPStatusError, HTTPHandler, None)]


def described(name="Fixture", **more):
    return DescriptionData(user_friendly_name=name, categories=[], **more)


async def list_accounts(args: ListAccountsRequest) -> ListAccountsResponse:
    return ListAccountsResponse(
        response=[FoundAccountData(integration_specific_id="1", email="a@example.com")]
    )


LIST_ACCOUNTS = {StandardCapabilityName.LIST_ACCOUNTS: list_accounts}


def single(app_id, auth):
    integration = Integration(
        app_id=app_id,
        version="1.2.3",
        auth=auth,
        exception_handlers=HANDLERS,
        description_data=described(),
    )
    integration.register_capabilities(LIST_ACCOUNTS)
    return integration


# ------------------------------------------------------------------------------------ everything one can declare


class Region(str, enum.Enum):
    """Fixture regions."""

    EU = "eu"
    US = "us"


class Limits(BaseModel):
    """Fixture limits."""

    per_minute: int = Field(description="Fixture calls in a minute.")


class FullSettings(BaseModel):
    """Fixture settings."""

    domain: str = Field(title="Fixture Domain", description="Fixture domain of the tenant.")
    api_key: str = SecretField(description="Fixture key.")
    certificate: t.Optional[str] = AnnotatedField(
        default=None, description="Fixture certificate.", multiline=True
    )
    page_size: int = Field(default=100, description="Fixture page size.")
    verify: bool = True
    ratio: t.Optional[float] = None
    region: Region = Field(description="Fixture region.")
    owner: str = AnnotatedField(
        default="",
        description="Fixture owner.",
        group="Fixture Advanced",
        semantic_type=SemanticType.ACCOUNT_ID,
    )
    hidden: str = HiddenField(default="x", description="Fixture hidden.")
    second: str = AnnotatedField(default="", description="Fixture second.", primary=False, unique=True)
    proxy: str = AnnotatedField(
        default="",
        description="Fixture proxy.",
        discriminator=Discriminator(field="verify", expected_value=True),
    )
    tags: list[str] = Field(default=[], description="Fixture tags.")
    labels: t.Optional[dict[str, str]] = None
    mapping: str = AnnotatedField(default="", description="Fixture mapping.", enum_mapping=Region)
    limits: Limits = Field(description="Fixture limits of it.")


class Rule(BaseModel):
    """Fixture rule."""

    pattern: str = Field(min_length=2, max_length=4, description="Fixture pattern.")
    region: t.Optional[Region] = None


class OddSettings(BaseModel):
    """Fixture odd settings."""

    port: int = Field(ge=1, le=65000, description="Fixture port.")
    share: float = Field(default=0.5, gt=0, lt=1, description="Fixture share.")
    label: str = Field(default="ab", min_length=2, max_length=3, description="Fixture label.")
    hosts: list[str] = Field(min_length=1, max_length=2, description="Fixture hosts.")
    region: Region = Field(default=Region.US, description="Fixture region.")
    other_region: t.Optional[Region] = Field(default=None, description="Fixture other region.")
    regions: list[Region] = Field(default=[], description="Fixture regions of it.")
    rule: t.Optional[Rule] = Field(default=None, description="Fixture rule of it.")
    rules: list[Rule] = Field(default=[], description="Fixture rules of it.")
    by_name: dict[str, Rule] = Field(default={}, description="Fixture rules by name.")
    anything: t.Optional[t.Any] = None
    table: t.Optional[dict[str, t.Any]] = None


class NewAccount(CreatableAccount):
    """Fixture account."""

    email: str = Field(description="Fixture address.")
    nickname: t.Optional[str] = Field(default=None, description="Fixture nickname.")


class Wake(BaseModel):
    """Fixture call."""

    device: str = Field(description="Fixture device.")
    times: int = Field(default=1, description="Fixture times.")


class Woken(BaseModel):
    """Fixture answer."""

    woken: bool = Field(description="Fixture outcome.")


async def create_account(args: CustomRequest[NewAccount]) -> CreateAccountResponse:
    return CreateAccountResponse(
        response=CreatedAccount(id=args.request.email, created=True, status="ACTIVE")
    )


async def wake(args: CustomRequest[Wake]) -> CustomResponse[Woken]:
    return CustomResponse(response=Woken(woken=args.request.times > 0))


async def peek(args: CustomRequest[Wake]) -> CustomResponse[Woken]:
    return CustomResponse(response=Woken(woken=True))


def full():
    integration = Integration(
        app_id=" full ",
        version="4.5.6",
        auth=TokenCredential,
        exception_handlers=HANDLERS,
        description_data=DescriptionData(
            user_friendly_name="Fixture Full",
            categories=[AppCategory.DEVELOPERS, AppCategory.IT_AND_SECURITY],
            description="Fixture of everything.",
            logo_url="https://example.com/logo.png",
            app_vendor_domain="example.com",
        ),
        settings_model=FullSettings,
        resource_types=[ResourceType(type_id="team", type_label="Team")],
        entitlement_types=[
            EntitlementType(type_id="role", type_label="Role", resource_type_id="team", min=0, max=1)
        ],
        access_graph_entitlement_types=[
            AccessGraphEntitlementType(type_id="member", type_label="Member", resource_type_id="team")
        ],
        access_graph_rules=AccessGraphRulesSettings(
            entitlement_rules=[
                AccessGraphEntitlementRule(
                    entitlement_type="member",
                    entitlement_id="reader",
                    resource_type="team",
                    is_assignable=True,
                    denies_access=False,
                    label="Reader",
                )
            ],
            implied_access_rules=[
                AccessGraphImpliedAccessRule(
                    from_entitlement_type="member",
                    from_entitlement_id="reader",
                    from_resource_type="team",
                    relationship_label="contains",
                    to_entitlement_type="member",
                    to_entitlement_id="reader",
                    to_resource_type="team",
                )
            ],
        ),
    )
    integration.register_capabilities(
        {
            StandardCapabilityName.LIST_ACCOUNTS: (
                list_accounts,
                CapabilityMetadata(
                    display_name="Fixture People",
                    description="Fixture of a listing.",
                    rate_limit_mode=RateLimitMode.RETRY_ONLY,
                ),
            ),
            StandardCapabilityName.CREATE_ACCOUNT: create_account,
        }
    )
    integration.register_custom_capability("wake_device")(wake)
    integration.register_custom_capability("peek_device")(peek)
    return integration


class Odd(BaseModel):
    """Fixture odd input."""

    port: int = Field(ge=1, le=65000)
    share: float = Field(default=0.5, gt=0, lt=1)
    hosts: list[str] = Field(default=["a"], min_length=1, max_length=2)
    rule: t.Optional[Rule] = None
    by_name: dict[str, Rule] = {}
    on: bool = False


async def take_odd(args: CustomRequest[Odd]) -> CustomResponse[Woken]:
    return CustomResponse(response=Woken(woken=True))


def odd():
    integration = Integration(
        app_id="odd",
        version="1.2.3",
        auth=TokenCredential,
        exception_handlers=HANDLERS,
        description_data=described(),
        settings_model=OddSettings,
    )
    integration.register_capabilities(LIST_ACCOUNTS)
    integration.register_custom_capability("take_odd")(take_odd)
    return integration


# ------------------------------------------------------------------------------------------ several credentials


class PastedToken(TokenCredential):
    """Fixture token."""

    token: str = SecretField(title="Fixture Token", description="Fixture token to paste.", min_length=1)


class Pair(BaseModel):
    """Fixture pair."""

    username: t.Optional[str] = Field(default=None, description="Fixture name.")
    password: t.Optional[str] = SecretField(default=None, description="Fixture password.")

    model_config = {"json_schema_extra": {"x-credential-type": "basic"}}


def validate_main(args: ValidateCredentialConfigRequest) -> ValidateCredentialConfigResponse:
    token = get_credential(args, "main", TokenCredential).token
    errors = [] if token.startswith("good") else ["Fixture: the token is not good."]
    return ValidateCredentialConfigResponse(
        response=ValidatedCredentialConfig(valid=not errors, validation_errors=errors)
    )


async def which_credentials(args: ListAccountsRequest) -> ListAccountsResponse:
    """Lists what it was given."""
    main = get_credential(args, "main", TokenCredential)
    side = get_credential(args, "side", BasicCredential, strict=False)
    return ListAccountsResponse(
        response=[
            FoundAccountData(
                integration_specific_id=str(len(main.token)),
                username=side.username if side else None,
            )
        ]
    )


def credential(id, kind, **more):
    return CredentialConfig(id=id, type=kind, description=f"Fixture {id}.", **more)


def several(app_id, credentials, capability=list_accounts, allowed=None):
    integration = Integration(
        app_id=app_id,
        version="1.2.3",
        credentials=credentials,
        credentials_settings=CredentialsSettings(allowed_credentials=allowed) if allowed else None,
        exception_handlers=HANDLERS,
        description_data=described(),
    )
    integration.register_capabilities({StandardCapabilityName.LIST_ACCOUNTS: capability})
    return integration


TWO = [
    credential("main", AuthModel.TOKEN, validation=validate_main),
    credential("side", AuthModel.BASIC, optional=True),
]

EVERY_KIND = [
    credential(f"c_{kind.value}", kind, name=f"Fixture {kind.value}" if kind == AuthModel.JWT else "")
    for kind in AuthModel
]


# ------------------------------------------------------------------------------------------------------ errors


class Unset(BaseModel):
    note: t.Optional[str] = None


class Plain(BaseModel):
    name: str
    count: t.Optional[int] = None
    ratio: t.Optional[float] = None
    parts: list[Limits] = []


class Nested(BaseModel):
    labels: dict[str, t.Any] = {}
    parts: list[Unset] = []


class Unique(BaseModel):
    name: str = AnnotatedField(unique=True)
    note: t.Optional[str] = None


class Text(BaseModel):
    text: str


async def fingerprint(args: CustomRequest[Plain]) -> CustomResponse[Text]:
    return CustomResponse(response=Text(text=args.fingerprint()))


async def fingerprint_nested(args: CustomRequest[Nested]) -> CustomResponse[Text]:
    return CustomResponse(response=Text(text=args.fingerprint()))


async def fingerprint_unique(args: CustomRequest[Unique]) -> CustomResponse[Text]:
    return CustomResponse(response=Text(text=args.fingerprint()))


async def fingerprint_create(args: CustomRequest[CreatableAccount]) -> CustomResponse[Text]:
    return CustomResponse(response=Text(text=args.fingerprint()))


class Change(BaseModel):
    effect: dict[str, str]
    caught: bool = False


async def change(args: CustomRequest[Change]) -> CustomResponse[Text]:
    caught = Error(
        app_id="recording",
        message="why",
        error_code=ConnectorErrorCode.CONFLICT,
        raised_by="ConflictError",
        raised_in="declarations:change",
    )
    return CustomResponse(
        response=Text(text="done"),
        raw_data={"answers": [1]} if args.include_raw_data else None,
        page=Page(token="next", size=3),
        execution_summary=ExecutionSummary.model_validate(
            {
                "effect": args.request.effect,
                "request_fingerprint": args.fingerprint(),
                "is_idempotent": True,
                "description": "Fixture change.",
                "caught_errors": [caught.model_dump()] if args.request.caught else None,
            }
        ),
    )


async def list_custom_attributes_schema(
    args: ListCustomAttributesSchemaRequest,
) -> ListCustomAttributesSchemaResponse:
    def attribute(kind, name, of, description=None):
        return CustomAttributeSchema(
            customized_type=kind, name=name, attribute_type=of, description=description
        )

    return ListCustomAttributesSchemaResponse(
        response=[
            attribute("account", "cost_center", "string", "Fixture of money."),
            attribute("account", "manager", "user"),
            attribute("entitlement", "owned", "boolean"),
            attribute("resource", "size", "integer"),
            attribute("non_human_account", "seen", "datetime"),
        ]
    )


def recording():
    integration = Integration(
        app_id="recording",
        version="1.2.3",
        auth=TokenCredential,
        exception_handlers=HANDLERS,
        description_data=described(),
    )
    integration.register_capabilities(
        {StandardCapabilityName.LIST_CUSTOM_ATTRIBUTES_SCHEMA: list_custom_attributes_schema}
    )
    integration.register_custom_capabilities(
        {
            "fingerprint": fingerprint,
            "fingerprint_nested": fingerprint_nested,
            "fingerprint_unique": fingerprint_unique,
            "fingerprint_create": fingerprint_create,
            "change": change,
        }
    )
    return integration


class Fail(BaseModel):
    how: str
    text: t.Optional[str] = None
    status: int = 0
    content_type: t.Optional[str] = None


async def fail(args: CustomRequest[Fail]) -> CustomResponse[Woken]:
    return failures.fail(args.request)


def failing():
    integration = Integration(
        app_id="failing",
        version="1.2.3",
        auth=TokenCredential,
        exception_handlers=HANDLERS,
        description_data=described(),
    )
    integration.register_custom_capability("fail")(fail)
    return integration


# ------------------------------------------------------------------------------------------------------ OAuth


class TenantSettings(BaseModel):
    """Fixture tenant."""

    host: str = Field(description="Fixture host.")
    audit: bool = Field(default=False, description="Fixture audit.")


async def refresh_access_token(args: RefreshAccessTokenRequest) -> RefreshAccessTokenResponse:
    raise NotImplementedError


def host(args):
    return get_settings(args, TenantSettings).host


def tenant_scopes(args):
    audit = get_settings(args, TenantSettings).audit
    return {"list_accounts": "audit.read" if audit else "users.read"}


SCOPES = {
    "list_accounts": "users.read",
    "create_account": "users.read users.write",
    "app_info": "",
    "get_account": "users.read",
}

CODE = {"authorization_url": "https://a.example/ask", "token_url": "https://a.example/token"}
MACHINE = {"token_url": "https://m.example/token", "flow_type": OAuthFlowType.CLIENT_CREDENTIALS}
OF_TENANT = {
    "authorization_url": lambda args: f"https://{host(args)}/ask",
    "token_url": lambda args: f"https://{host(args)}/token",
    "scopes": tenant_scopes,
}


def with_oauth(app_id, auth=None, oauth=None, own_refresh=False, **more):
    integration = Integration(
        app_id=app_id,
        version="1.2.3",
        auth=auth,
        exception_handlers=HANDLERS,
        description_data=described(),
        oauth_settings=oauth and OAuthSettings(**oauth),
        **more,
    )
    integration.register_capabilities(LIST_ACCOUNTS)
    if own_refresh:
        integration.register_capability(StandardCapabilityName.REFRESH_ACCESS_TOKEN)(refresh_access_token)
    return integration


def without(*names):
    return OAuthCapabilities(**{name: False for name in names})


def oauth_config(id, kind, settings):
    return OAuthConfig(
        id=id, type=kind, description=f"Fixture {id}.", oauth_settings=OAuthSettings(**settings)
    )


OAUTH_SEVERAL = [
    oauth_config("user", AuthModel.OAUTH, CODE | {"scopes": SCOPES, "pkce": True}),
    oauth_config("machine", AuthModel.OAUTH_CLIENT_CREDENTIALS, MACHINE),
    oauth_config(
        "tenant",
        AuthModel.OAUTH,
        OF_TENANT | {"capabilities": without("refresh_access_token", "handle_authorization_callback")},
    ),
    credential("pasted", AuthModel.TOKEN, optional=True),
]


def open_network():
    integration = Integration(
        app_id="open_network",
        version="1.2.3",
        exception_handlers=HANDLERS,
        description_data=described(),
        requires_authentication=False,
    )
    integration.register_capabilities(LIST_ACCOUNTS)
    return integration


def accepts(name):
    """Whether a custom capability can have that name."""
    integration = Integration(
        app_id="names",
        version="1.2.3",
        auth=TokenCredential,
        exception_handlers=HANDLERS,
        description_data=described(),
    )
    try:
        integration.register_custom_capability(name)(wake)
    except IntegrationError:
        return False
    return True


def everything():
    """Every standard capability that a connector can write."""
    integration = Integration(
        app_id="everything",
        version="1.2.3",
        auth=TokenCredential,
        exception_handlers=HANDLERS,
        description_data=described(),
        resource_types=[ResourceType(type_id="team", type_label="Team")],
        entitlement_types=[
            EntitlementType(type_id="role", type_label="Role", resource_type_id="team", min=0)
        ],
        probe_settings=ProbeSettings.disabled(),
    )
    for name, signature in _STANDARD_CAPABILITY_SIGNATURES.items():

        async def stub(args):
            raise NotImplementedError

        stub.__annotations__ = {
            "args": signature.input_payload.envelope_type,
            "return": signature.output_payload.envelope_type,
        }
        if name not in (StandardCapabilityName.APP_INFO,):
            integration.register_capability(name)(stub)
    return integration


INTEGRATIONS = {
    "everything": everything(),
    "full": full(),
    "odd": odd(),
    "oauth": single("oauth", OAuthCredential),
    "oauth_client_credentials": single("oauth_client_credentials", OAuthClientCredential),
    "oauth1": single("oauth1", OAuth1Credential),
    "basic": single("basic", BasicCredential),
    "token": single("token", TokenCredential),
    "jwt": single("jwt", JWTCredential),
    "service_account": single("service_account", ServiceAccountCredential),
    "key_pair": single("key_pair", KeyPairCredential),
    "empty": single("empty", EmptyCredential),
    "open_network": open_network(),
    "two": several("two", TWO, which_credentials),
    "both": several(
        "both", [credential("one", AuthModel.TOKEN), credential("other", AuthModel.BASIC)]
    ),
    "either": several(
        "either",
        [
            credential("one", AuthModel.TOKEN, optional=True),
            credential("other", AuthModel.BASIC, optional=True),
        ],
    ),
    "combined": several(
        "combined",
        [
            credential("one", AuthModel.TOKEN),
            credential("other", AuthModel.BASIC),
            credential("third", AuthModel.KEY_PAIR, optional=True),
        ],
        allowed=[("one", "third"), "other"],
    ),
    "own_models": several(
        "own_models",
        [
            credential("pasted", AuthModel.TOKEN, input_model=PastedToken, name="Fixture Pasted"),
            credential("pair", AuthModel.BASIC, input_model=Pair, optional=True),
        ],
    ),
    "every_kind": several("every_kind", EVERY_KIND),
    "failing": failing(),
    "recording": recording(),
    "oauth_code": with_oauth("oauth_code", OAuthCredential, CODE | {"scopes": SCOPES, "pkce": True}),
    "oauth_plain": with_oauth("oauth_plain", OAuthCredential, CODE),
    "oauth_machine": with_oauth(
        "oauth_machine", OAuthClientCredential, MACHINE | {"scopes": {"list_accounts": "users.read"}}
    ),
    "oauth_machine_as_user": with_oauth("oauth_machine_as_user", OAuthCredential, MACHINE),
    "oauth_user_as_machine": with_oauth("oauth_user_as_machine", OAuthClientCredential, CODE),
    "oauth_token": with_oauth("oauth_token", TokenCredential, CODE),
    "oauth_own": with_oauth(
        "oauth_own",
        OAuthCredential,
        CODE | {"capabilities": without("refresh_access_token", "handle_authorization_callback")},
        own_refresh=True,
    ),
    "oauth_tenant": with_oauth(
        "oauth_tenant", OAuthCredential, OF_TENANT, settings_model=TenantSettings
    ),
    "oauth_several": with_oauth(
        "oauth_several", credentials=OAUTH_SEVERAL, settings_model=TenantSettings
    ),
}

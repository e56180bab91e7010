from pydantic import BaseModel, Field


class MockappConnectorSettings(BaseModel):
    """Settings for MockApp connector."""

    api_url: str = Field(default="http://localhost:8000", description="The base URL of the MockApp API")
    account_id: str = Field(default="", description="The account ID for the MockApp API")

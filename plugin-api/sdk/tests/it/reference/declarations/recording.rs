//! What is told about a call besides its result.

use std::collections::BTreeMap;

use lumos_connector_sdk::prelude::*;
use lumos_connector_sdk::request_fingerprint;

use super::Limits;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Plain {
    name: String,
    count: Option<i64>,
    ratio: Option<f64>,
    #[serde(default)]
    parts: Vec<Limits>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Unset {
    note: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Nested {
    #[serde(default)]
    labels: JsonObject,
    #[serde(default)]
    parts: Vec<Unset>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Unique {
    #[schemars(transform = field::unique)]
    name: String,
    note: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Text {
    text: String,
}

type Ctx = Context<TokenCredential>;

async fn fingerprint<I: Serialize + JsonSchema>(_: Ctx, input: I) -> Result<Text> {
    Ok(Text {
        text: request_fingerprint(&input),
    })
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Change {
    effect: BTreeMap<String, String>,
    #[serde(default)]
    caught: bool,
}

async fn change(ctx: Ctx, input: Change) -> Result<Response<Text>> {
    let effect = match input.effect["kind"].as_str() {
        "created" => Effect::Created,
        "updated" => Effect::Updated,
        "deleted" => Effect::Deleted,
        _ => Effect::Noop {
            reason: NoopEffectReason::StateAlreadyMatches,
        },
    };
    let mut summary = ctx.summary(effect, &input).with_description("Fixture change.");
    if input.caught {
        summary = summary.with_caught(ctx.caught(ConnectorError::conflict("why")));
    }
    let next = Page {
        token: Some("next".to_owned()),
        size: Some(3),
    };
    let text = Text {
        text: "done".to_owned(),
    };
    Ok(Response::new(text)
        .with_raw_data(ctx.raw_data(|| json!({"answers": [1]})))
        .with_page(next)
        .with_execution_summary(summary))
}

fn attribute(
    customized_type: CustomAttributeCustomizedType,
    name: &str,
    attribute_type: CustomAttributeType,
) -> CustomAttributeSchema {
    CustomAttributeSchema {
        customized_type,
        name: name.to_owned(),
        attribute_type,
        description: (name == "cost_center").then(|| "Fixture of money.".to_owned()),
    }
}

pub(super) fn recording() -> Integration<TokenCredential> {
    use CustomAttributeCustomizedType as Of;
    use CustomAttributeType as Type;
    super::new("recording")
        .auth::<TokenCredential>()
        .custom_attributes([
            attribute(Of::Account, "cost_center", Type::String),
            attribute(Of::Account, "manager", Type::User),
            attribute(Of::Entitlement, "owned", Type::Boolean),
            attribute(Of::Resource, "size", Type::Integer),
            attribute(Of::NonHumanAccount, "seen", Type::Datetime),
        ])
        .register_custom("fingerprint", CapabilityLevel::Write, fingerprint::<Plain>)
        .register_custom(
            "fingerprint_nested",
            CapabilityLevel::Write,
            fingerprint::<Nested>,
        )
        .register_custom(
            "fingerprint_unique",
            CapabilityLevel::Write,
            fingerprint::<Unique>,
        )
        .register_custom(
            "fingerprint_create",
            CapabilityLevel::Write,
            fingerprint::<CreatableAccount>,
        )
        .register_custom::<_, Text, _, _, _>("change", CapabilityLevel::Write, change)
        .idempotent("change")
}

//! The same declarations and the same calls, answered by the reference SDK and by ours.
//!
//! Ignored like [`super::conformance`], and for the same reason.
//! `tests/reference/declarations.py` and [`declarations`] declare the same connectors. Where an answer is meant to differ
//! stands in `tests/reference/differences.toml`.

mod cases;
mod declarations;
mod failures;

use std::path::Path;

use lumos_connector_sdk::prelude::*;
use proptest::prelude::*;
use serde_json::Value;

use crate::comparison::{Differences, Oracle, compare};
use cases::Case;

const DIFFERENCES: &str = include_str!("../../reference/differences.toml");

fn oracle() -> Oracle {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/oracle.py");
    Oracle::start(&script, &[])
}

#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn every_answer_is_that_of_the_reference_but_for_the_written_differences() {
    let mut oracle = oracle();
    let connectors = declarations::all();
    let mut differences = Differences::read(DIFFERENCES, "reference");
    let mut unexpected = Vec::new();
    let cases = cases::all();
    for Case {
        name,
        integration,
        capability,
        body,
    } in &cases
    {
        let question = json!({"integration": integration, "capability": capability, "body": body});
        let expected = oracle.ask(&question);
        let ours = connectors[integration.as_str()].call_bytes(capability, body.as_bytes());
        for difference in compare(&expected, &ours) {
            if !differences.allow(capability, name, &difference) {
                unexpected.push(format!("{capability} {name}: {difference}"));
            }
        }
    }
    println!("{} calls", cases.len());
    unexpected.extend(differences.unused());
    assert!(
        unexpected.is_empty(),
        "{} surprises:\n{}",
        unexpected.len(),
        unexpected.join("\n")
    );
}

#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn custom_capabilities_can_have_the_names_that_the_reference_takes() {
    let mut oracle = oracle();
    async fn nothing(_: Context, _: ListAccounts) -> Result<Vec<FoundAccountData>> {
        Ok(Vec::new())
    }
    for name in [
        "",
        "a",
        "wake",
        "wake_device",
        "_wake",
        "wake_",
        "wake__device",
        "Wake",
        "wakeDevice",
        "wake2",
        "2wake",
        "wake-device",
        "wake device",
        "wake.device",
        "w\u{e4}ke",
        "info",
        "app_info",
        "connected_info",
        "list_accounts",
        "probe_integration",
        "validate_credential_config",
        "list_account",
    ] {
        let ours = Integration::new("names", "1.2.3").register_custom(Custom::read(name), nothing);
        let theirs = oracle.ask(&json!({"name": name}))["accepted"] == true;
        assert_eq!(ours.build().is_ok(), theirs, "{name:?}");
    }
}

/// Documents that look like requests here and there.
fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "main|side|one|other|eu|8080|true|.{0,4}".prop_map(Value::from),
    ];
    let name = "request|auth|credentials|credential|settings|page|rate_limit|id|token|basic|username|password|key_pair\
        |service_account|empty|port|hosts|rule|pattern|by_name|size|.{0,3}";
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What is said where the check let something pass that the types do not take.
const SLIPPED: [&str; 2] = ["does not have the expected form", "expected JSON input"];

#[test]
fn whatever_passes_the_check_can_be_read_by_the_types() {
    let connectors = declarations::all();
    let auth = json!({"token": {"token": "t"}});
    proptest!(ProptestConfig::with_cases(48), |(document in documents(), part in documents())| {
        let whole = json!({"request": part, "auth": auth, "settings": document});
        let of_several = json!({"request": {"credential": part}, "credentials": document, "settings": {}});
        for (name, connector) in &connectors {
            for request in [&document, &whole, &of_several] {
                for capability in ["list_accounts", "validate_credential_config", "take_odd", "create_account"] {
                    let answer = connector.call(capability, request.clone());
                    let message = answer["error"]["message"].as_str().unwrap_or_default();
                    let slipped = SLIPPED.iter().any(|slipped| message.contains(slipped));
                    prop_assert!(!slipped, "{} {} {}: {}", name, capability, request, message);
                }
            }
        }
    });
}

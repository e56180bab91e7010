//! Recorded answers of the reference implementation, call by call.
//!
//! The records are not part of this repository. They are read from `golden/mockapp.jsonl` below the directory that
//! `LUMOS_SHARED` names, or below `shared` beside the repository; where there are none, the test says so and passes.
//!
//! Whole answers are compared, the order of members included. Where ours is meant to differ stands in
//! `differences.toml`, with a reason for each; an entry that no longer applies fails the test.

use std::net::TcpStream;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::comparison::{Differences, compare_with_order};
use crate::support::Tenant;

/// Where the reference's mock app listened while the answers were recorded.
const RECORDED_ADDRESS: &str = "127.0.0.1:8901";

/// One recorded call.
#[derive(Debug, Deserialize)]
struct Record {
    name: String,
    capability: String,
    /// A string where the bytes sent are not JSON.
    request: Value,
    response: Value,
}

#[test]
fn recorded_answers_are_reproduced_but_for_the_written_differences() {
    let Some(records) = records() else {
        println!(
            "skipped: there are no recorded answers here (LUMOS_SHARED names the directory that has them)"
        );
        return;
    };
    let tenant = Tenant::new();
    let mut differences = Differences::read(crate::DIFFERENCES, "recorded");
    let mut unexpected = Vec::new();
    for record in records {
        if !can_be_run(&record) {
            println!(
                "left out: {}, because something listens on port 8000 here",
                record.name
            );
            differences.excuse(&record.name);
            continue;
        }
        tenant.app.reset();
        let request = localized(&record.request, &tenant);
        let expected = localized(&record.response, &tenant);
        let answer = tenant.harness.call_bytes(&record.capability, &bytes(&request));
        for difference in compare_with_order(&expected, &answer) {
            if !differences.allow(&record.capability, &record.name, &difference) {
                unexpected.push(format!("{}: {difference}", record.name));
            }
        }
    }
    unexpected.extend(differences.unused());
    assert!(
        unexpected.is_empty(),
        "{} surprises:\n{}",
        unexpected.len(),
        unexpected.join("\n")
    );
}

fn records() -> Option<Vec<Record>> {
    let shared = std::env::var_os("LUMOS_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(shared.join("golden/mockapp.jsonl")).ok()?;
    let record = |line| serde_json::from_str(line).expect("every line is a record");
    Some(text.lines().map(record).collect())
}

/// One record needs it that nothing listens at the address that the settings default to.
fn can_be_run(record: &Record) -> bool {
    record.name != "settings_defaulted" || TcpStream::connect("localhost:8000").is_err()
}

fn localized(value: &Value, tenant: &Tenant) -> Value {
    let text = value
        .to_string()
        .replace(RECORDED_ADDRESS, &tenant.app.address().to_string());
    serde_json::from_str(&text).expect("an address for an address leaves JSON as it was")
}

fn bytes(request: &Value) -> Vec<u8> {
    match request {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        document => document.to_string().into_bytes(),
    }
}

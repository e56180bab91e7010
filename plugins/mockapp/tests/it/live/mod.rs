//! The tutorial's connector twice, in Rust and for the reference SDK, asked the same of the same app in the same state.
//!
//! `tests/reference/mockapp_connector` is the other one. Whole answers are compared, the order of members included, and what
//! a write has done to the app. Where ours is meant to differ stands in `differences.toml`, with a reason for each.
//! Ignored unless the reference is there, which `cargo xtask test` and `cargo xtask reference` see to.

mod cases;

use std::path::Path;

use mockapp_server::{Options, VALID_TOKEN};
use serde_json::{Value, json};

use crate::comparison::{Differences, Oracle, compare_with_order};
use crate::support::Tenant;
use cases::Case;

/// Few, because all of them are looked at after each write, and more than a page has.
const USERS: u32 = 120;

#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn both_connectors_give_the_same_answers_but_for_the_written_differences() {
    let tenant = Tenant::of_app(Options {
        users: USERS,
        ..Options::default()
    });
    let mut reference = reference();
    let mut differences = Differences::read(crate::DIFFERENCES, "live");
    let mut unexpected = Vec::new();
    let (mut answers, mut errors) = (0, 0);
    for case in cases::all(&tenant.app.url()) {
        let question = json!({"capability": case.capability, "body": case.body});
        let (expected, app_expected) = outcome(&tenant, &case, || reference.ask(&question));
        let call = || tenant.harness.call_bytes(case.capability, case.body.as_bytes());
        let (answer, app) = outcome(&tenant, &case, call);
        match expected["is_error"] == true {
            true => errors += 1,
            false => answers += 1,
        }
        let mut found = compare_with_order(&expected, &answer);
        found.extend(compare_with_order(&app_expected, &app));
        for difference in found {
            if !differences.allow(case.capability, &case.name, &difference) {
                unexpected.push(format!("{} {}: {difference}", case.capability, case.name));
            }
        }
    }
    println!("{answers} answers, {errors} errors");
    assert!(
        answers >= 30 && errors >= 60,
        "{answers} answers, {errors} errors"
    );
    unexpected.extend(differences.unused());
    assert!(
        unexpected.is_empty(),
        "{} surprises:\n{}",
        unexpected.len(),
        unexpected.join("\n")
    );
}

fn reference() -> Oracle {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let comparable = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-api/sdk/tests/reference");
    let comparable = comparable.to_str().expect("a path in text");
    Oracle::start(&tests.join("answer.py"), &[env!("CARGO_PKG_VERSION"), comparable])
}

/// The answer, and for a write what the app holds then. It begins afresh for each call.
fn outcome(tenant: &Tenant, case: &Case, call: impl FnOnce() -> Value) -> (Value, Value) {
    tenant.app.reset();
    let answer = call();
    if !case.writes {
        return (answer, Value::Null);
    }
    let app = json!({
        "users": tenant.look("/api/users?limit=10000"),
        "associations": tenant.look("/api/associations"),
    });
    (answer, json!({ "app": app }))
}

#[test]
fn every_capability_is_asked_for_its_answer_and_for_its_errors() {
    let cases = cases::all("http://127.0.0.1:1");
    for (capability, _) in crate::support::calls() {
        let of_it = cases.iter().filter(|case| case.capability == capability);
        assert!(of_it.count() > 20, "{capability}");
    }
    let mut names: Vec<_> = cases.iter().map(|case| (case.capability, &case.name)).collect();
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None, "each name stands for one call of a capability");
    assert!(cases.iter().any(|case| case.body.contains(VALID_TOKEN)));
}

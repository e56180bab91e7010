//! The capabilities that change something, each confirmed by asking the app itself.

use serde_json::{Value, json};

use crate::support::{Tenant, code};

fn role(account: &str, entitlement: &str, resource: &str) -> Value {
    json!({
        "account_integration_specific_id": account,
        "resource_integration_specific_id": resource,
        "resource_type": "team",
        "entitlement_type": "team_member",
        "entitlement_integration_specific_id": entitlement,
    })
}

#[test]
fn an_account_is_created_with_its_entitlements() {
    let tenant = Tenant::new();
    let answer = tenant.call(
        "create_account",
        &json!({
            "email": "ada@example.com",
            "display_name": "Ada",
            "entitlements": [
                {"entitlement_type": "team_member", "integration_specific_id": "team-2-member",
                 "integration_specific_resource_id": "team-2"},
                {"entitlement_type": "admin_role", "integration_specific_id": "admin"},
            ],
        }),
    );
    assert_eq!(
        answer["response"],
        json!({"id": "user-001001", "status": "ACTIVE", "created": true})
    );
    let user = tenant.look("/api/users/user-001001");
    assert_eq!(
        (&user["email"], &user["name"], &user["status"]),
        (&json!("ada@example.com"), &json!("Ada"), &json!("active"))
    );
    assert_eq!(
        tenant.look("/api/associations?user_id=user-001001"),
        json!([
            {"user_id": "user-001001", "entitlement_id": "team-2-member", "resource_id": "team-2"},
            {"user_id": "user-001001", "entitlement_id": "admin", "resource_id": "global"},
        ])
    );
}

#[test]
fn an_account_that_could_be_created_only_in_part_is_an_error_that_says_so() {
    let tenant = Tenant::new();
    let answer = tenant.call(
        "create_account",
        &json!({
            "email": "ada@example.com",
            "entitlements": [{"entitlement_type": "team_member", "integration_specific_id": "nope"}],
        }),
    );
    assert_eq!(code(&answer), "not_found");
    let hint = answer["error"]["error_metadata"]["hint"]
        .as_str()
        .expect("a hint");
    assert!(hint.contains("user-001001"), "{hint}");
    assert_eq!(tenant.look_for_status("/api/users/user-001001"), 200);
}

#[test]
fn an_account_needs_an_email_that_nobody_has() {
    let tenant = Tenant::new();
    let taken = tenant.call("create_account", &json!({"email": "user1@example.com"}));
    assert_eq!(code(&taken), "conflict");
    for request in [json!({}), json!({"email": "", "display_name": "Ada"})] {
        let missing = tenant.call("create_account", &request);
        assert_eq!(
            (code(&missing), &missing["error"]["status_code"]),
            ("bad_request", &json!(422))
        );
    }
    assert_eq!(tenant.look("/api/users?limit=1")["total"], 1000);
}

#[test]
fn an_account_is_deactivated_and_activated() {
    let tenant = Tenant::new();
    let account = json!({"account_id": "user-000001"});
    for (capability, flag, status, wire) in [
        ("deactivate_account", "deactivated", "inactive", "INACTIVE"),
        ("deactivate_account", "deactivated", "inactive", "INACTIVE"),
        ("activate_account", "activated", "active", "ACTIVE"),
    ] {
        let answer = tenant.call(capability, &account);
        assert_eq!(
            (&answer["response"][flag], &answer["response"]["status"]),
            (&json!(true), &json!(wire))
        );
        assert_eq!(tenant.look("/api/users/user-000001")["status"], status);
    }
    assert_eq!(tenant.look("/api/users/user-000002")["status"], "active");
}

#[test]
fn an_account_is_deleted_once() {
    let tenant = Tenant::new();
    let account = json!({"account_id": "user-000001"});
    let answer = tenant.call("delete_account", &account);
    assert_eq!(answer["response"], json!({"status": "INACTIVE", "deleted": true}));
    assert_eq!(tenant.look_for_status("/api/users/user-000001"), 404);
    for capability in ["delete_account", "activate_account", "deactivate_account"] {
        assert_eq!(
            code(&tenant.call(capability, &account)),
            "not_found",
            "{capability}"
        );
    }
    assert_eq!(tenant.look("/api/users?limit=1")["total"], 999);
}

#[test]
fn an_entitlement_is_assigned_and_taken_away() {
    let tenant = Tenant::new();
    let request = role("user-000001", "team-1-member", "team-1");
    let path = "/api/associations?user_id=user-000001&entitlement_id=team-1-member";
    for _ in 0..2 {
        let answer = tenant.call("assign_entitlement", &request);
        assert_eq!(answer["response"], json!({"assigned": true}));
        assert_eq!(tenant.look(path).as_array().map(Vec::len), Some(1));
    }
    let found = tenant.call("find_entitlement_associations", &json!({}));
    let ours = json!({
        "account_id": "user-000001",
        "integration_specific_entitlement_id": "team-1-member",
        "integration_specific_resource_id": "team-1",
    });
    assert!(
        found["response"]
            .as_array()
            .is_some_and(|rows| rows.contains(&ours))
    );

    let answer = tenant.call("unassign_entitlement", &request);
    assert_eq!(answer["response"], json!({"unassigned": true}));
    assert_eq!(tenant.look(path), json!([]));
    assert_eq!(code(&tenant.call("unassign_entitlement", &request)), "not_found");
}

#[test]
fn an_entitlement_of_another_resource_is_not_found() {
    let tenant = Tenant::new();
    let answer = tenant.call(
        "assign_entitlement",
        &role("user-000001", "team-1-member", "team-2"),
    );
    assert_eq!(code(&answer), "not_found");
}

#[test]
fn ids_cannot_reach_other_paths() {
    let tenant = Tenant::new();
    let before = tenant.look("/api/associations");
    for id in [
        "",
        ".",
        "..",
        "%2e%2e",
        "../users/user-000001",
        "user-000001/",
        "user-000001/entitlements/project-2-editor",
        "user-000001?x=",
        "user-000001#",
        "user-000001%2F",
        "\\..\\user-000001",
        "user-000001\n",
        " user-000001",
        "é",
    ] {
        for capability in ["delete_account", "deactivate_account"] {
            assert_eq!(
                code(&tenant.call(capability, &json!({ "account_id": id }))),
                "not_found",
                "{capability} {id:?}"
            );
        }
        let assign = tenant.call("assign_entitlement", &role(id, "team-1-member", "team-1"));
        assert_eq!(code(&assign), "not_found", "assign to {id:?}");
        let unassign = tenant.call("unassign_entitlement", &role("user-000001", id, "project-2"));
        assert_eq!(code(&unassign), "not_found", "unassign {id:?}");
    }
    let resource = tenant.call(
        "unassign_entitlement",
        &role("user-000001", "project-2-editor", "x&resource_id=project-2"),
    );
    assert_eq!(code(&resource), "not_found");
    assert_eq!(tenant.look("/api/associations"), before);
    assert_eq!(tenant.look("/api/users/user-000001")["status"], "active");
    assert_eq!(tenant.look("/api/users?limit=1")["total"], 1000);
}

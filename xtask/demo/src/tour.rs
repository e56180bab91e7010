//! The tour: what a client of the agent does, each step told and checked.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::agent::{Agent, for_mock_app};
use crate::client::{Answer, ApiClient};
use crate::mock_app::MockApp;

const PAGE_SIZE: usize = 400;
const EMAIL: &str = "grace.hopper@example.com";
const ENTITLEMENT: (&str, &str) = ("project-1-editor", "project-1");
/// Longer answers are cut for the eye.
const SHOWN: usize = 150;

/// Makes all calls. The first that does not hold ends it.
pub(crate) async fn take(agent: &mut Agent, mock_app: &MockApp, connectors: usize) -> anyhow::Result<()> {
    let took = agent.wait_for_connectors(connectors).await?;
    println!(
        "All {connectors} connectors are ready, {} ms after the last copy.",
        took.as_millis()
    );
    let tour = Tour {
        client: agent.client(),
        mock_app,
    };
    tour.listing(connectors).await?;
    tour.no_token().await?;
    tour.info().await?;
    tour.credentials().await?;
    tour.accounts().await?;
    let account = tour.create_account().await?;
    tour.assign_entitlement(&account).await?;
    tour.associations(&account).await?;
    println!("\nEverything holds.");
    Ok(())
}

struct Tour<'demo> {
    client: &'demo ApiClient,
    mock_app: &'demo MockApp,
}

impl Tour<'_> {
    async fn listing(&self, connectors: usize) -> anyhow::Result<()> {
        heading("Which connectors are there?");
        let answer = self.call("list-connector-app-ids", &json!({})).await?;
        let served = list(&answer["response"])?;
        ensure!(
            served.len() == connectors,
            "the agent lists {} connectors, not {connectors}",
            served.len()
        );
        ensure!(
            served.contains(&json!("mockapp")),
            "mockapp is not among the connectors"
        );
        Ok(())
    }

    async fn no_token(&self) -> anyhow::Result<()> {
        heading("Without a token nothing is told");
        let path = "list-connector-app-ids";
        let answer = self.client.post_without_token(path, &json!({})).await?;
        show(path, &answer);
        ensure!(
            answer.status == StatusCode::UNAUTHORIZED,
            "a call without a token is answered {}",
            answer.status
        );
        Ok(())
    }

    async fn info(&self) -> anyhow::Result<()> {
        heading("What can the MockApp connector do?");
        let answer = self.call("mockapp/info", &json!({})).await?;
        let info = &answer["response"];
        ensure!(info["app_id"] == "mockapp", "info is about {}", info["app_id"]);
        println!(
            "    version {}, {}",
            text(info, "version")?,
            listed(&info["capabilities"])
        );
        Ok(())
    }

    async fn credentials(&self) -> anyhow::Result<()> {
        heading("Is the app's token good? And a wrong one?");
        let good = self.mock_request(&json!({}), None);
        let answer = self.call("mockapp/validate_credentials", &good).await?;
        ensure!(
            answer["response"]["valid"] == true,
            "the valid token is not valid"
        );

        let mut wrong = good;
        wrong["auth"]["token"]["token"] = "wrong".into();
        let answer = self.call("mockapp/validate_credentials", &wrong).await?;
        ensure!(answer["is_error"] == true, "a wrong token is not an error");
        let code = &answer["error"]["error_code"];
        ensure!(
            code == "unauthorized",
            "a wrong token is {code}, not unauthorized"
        );
        Ok(())
    }

    async fn accounts(&self) -> anyhow::Result<()> {
        heading("All accounts, page by page");
        let mut seen = BTreeSet::new();
        let mut page = json!({ "size": PAGE_SIZE });
        let mut pages = 0;
        loop {
            let body = self.mock_request(&json!({}), Some(&page));
            let answer = self.call("mockapp/list_accounts", &body).await?;
            pages += 1;
            for account in list(&answer["response"])? {
                seen.insert(text(account, "integration_specific_id")?.to_owned());
            }
            let Some(token) = answer["page"]["token"].as_str() else {
                break;
            };
            ensure!(pages < 100, "the pages do not end");
            page = json!({ "size": PAGE_SIZE, "token": token });
        }
        let there = self.mock_app.get("/api/users?limit=1").await?["total"].clone();
        println!(
            "    {} accounts on {pages} pages; the mock app itself has {there}",
            seen.len()
        );
        ensure!(
            there == seen.len(),
            "the agent gave {} accounts, the mock app has {there}",
            seen.len()
        );
        ensure!(pages > 1, "all accounts came on one page");
        Ok(())
    }

    async fn create_account(&self) -> anyhow::Result<String> {
        heading("Create an account");
        let request = json!({"email": EMAIL, "display_name": "Grace Hopper", "entitlements": []});
        let answer = self
            .call("mockapp/create_account", &self.mock_request(&request, None))
            .await?;
        let account = &answer["response"];
        ensure!(account["created"] == true, "the account was not created");
        let id = text(account, "id")?.to_owned();
        let user = self.mock_app.get(&format!("/api/users/{id}")).await?;
        ensure!(
            user["email"] == EMAIL,
            "the mock app's user {id} has the email {}",
            user["email"]
        );
        println!("    the mock app has {user}");
        Ok(id)
    }

    async fn assign_entitlement(&self, account: &str) -> anyhow::Result<()> {
        heading("Make it an editor of Project 1");
        let request = json!({
            "account_integration_specific_id": account,
            "resource_integration_specific_id": ENTITLEMENT.1,
            "resource_type": "project",
            "entitlement_integration_specific_id": ENTITLEMENT.0,
            "entitlement_type": "project_role",
        });
        let answer = self
            .call("mockapp/assign_entitlement", &self.mock_request(&request, None))
            .await?;
        ensure!(
            answer["response"]["assigned"] == true,
            "the entitlement was not assigned"
        );
        let rows = self
            .mock_app
            .get(&format!("/api/associations?user_id={account}"))
            .await?;
        let expected =
            json!([{"user_id": account, "entitlement_id": ENTITLEMENT.0, "resource_id": ENTITLEMENT.1}]);
        ensure!(rows == expected, "the mock app says that the account has {rows}");
        println!("    the mock app has {rows}");
        Ok(())
    }

    async fn associations(&self, account: &str) -> anyhow::Result<()> {
        heading("Who has what?");
        let body = self.mock_request(&json!({}), None);
        let answer = self.call("mockapp/find_entitlement_associations", &body).await?;
        let found = list(&answer["response"])?;
        let there = self.mock_app.get("/api/associations").await?;
        let there = list(&there)?.len();
        println!(
            "    {} associations; the mock app itself has {there}",
            found.len()
        );
        ensure!(
            found.len() == there,
            "the agent gave {}, the mock app has {there}",
            found.len()
        );
        let ours = found.iter().filter(|row| row["account_id"] == account).count();
        ensure!(ours == 1, "the new association is listed {ours} times");
        Ok(())
    }

    fn mock_request(&self, request: &Value, page: Option<&Value>) -> Value {
        for_mock_app(self.mock_app.url(), request, page)
    }

    /// Calls, shows and requires HTTP 200.
    async fn call(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.client.post(path, body).await?;
        show(path, &answer);
        ensure!(
            answer.status == StatusCode::OK,
            "{path} is answered {}: {}",
            answer.status,
            answer.body
        );
        Ok(answer.body)
    }
}

fn heading(text: &str) {
    println!("\n  {text}");
}

fn show(path: &str, answer: &Answer) {
    let status = answer.status.as_u16();
    let milliseconds = answer.took.as_secs_f64() * 1000.0;
    println!("    POST /connectors/{path}  →  {status}, {milliseconds:.1} ms");
    let body = answer.body.to_string();
    let mut characters = body.chars();
    let start: String = characters.by_ref().take(SHOWN).collect();
    let rest = characters.count();
    let rest = if rest > 0 {
        format!(" … {rest} more")
    } else {
        String::new()
    };
    println!("      {start}{rest}");
}

fn list(value: &Value) -> anyhow::Result<&Vec<Value>> {
    value
        .as_array()
        .with_context(|| format!("this should be a list: {value}"))
}

fn text<'value>(value: &'value Value, member: &str) -> anyhow::Result<&'value str> {
    value[member]
        .as_str()
        .with_context(|| format!("{member} should be text in {value}"))
}

fn listed(values: &Value) -> String {
    let words = values.as_array().into_iter().flatten().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join(", ")
}

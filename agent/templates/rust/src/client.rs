//! The app's API, typed. It knows paths and shapes, and nothing of Lumos.

use lumos_connector_sdk::http::HttpClient;
use lumos_connector_sdk::prelude::*;

use crate::Ctx;

#[derive(Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) active: bool,
}

/// A part of the list of users.
#[derive(Debug, Deserialize)]
pub(crate) struct Users {
    pub(crate) items: Vec<User>,
    pub(crate) has_more: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Membership {
    pub(crate) user_id: String,
    pub(crate) group_id: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct NewUser {
    pub(crate) email: String,
    pub(crate) name: Option<String>,
}

/// The API of one tenant's app.
pub(crate) struct Client(HttpClient);

impl Client {
    /// # Errors
    /// If the setting `api_url` is not a URL.
    pub(crate) fn new(ctx: &Ctx) -> Result<Self> {
        Ok(Self(ctx.http(&ctx.settings.api_url)?.token(&ctx.auth)))
    }

    pub(crate) async fn users(&self, limit: i64, offset: u64) -> Result<Users> {
        let request = self.0.get("/users").query("limit", limit);
        request.query("offset", offset).fetch().await
    }

    pub(crate) async fn groups(&self) -> Result<Vec<Group>> {
        self.0.get("/groups").fetch().await
    }

    pub(crate) async fn memberships(&self) -> Result<Vec<Membership>> {
        self.0.get("/memberships").fetch().await
    }

    pub(crate) async fn create_user(&self, user: &NewUser) -> Result<User> {
        self.0.post("/users").json(user).fetch().await
    }

    pub(crate) async fn deactivate(&self, user: &str) -> Result<()> {
        let path = format!("/users/{}/deactivate", path_segment(user));
        self.0.post(&path).send().await.map(drop)
    }

    pub(crate) async fn join(&self, user: &str, group: &str) -> Result<()> {
        self.0.put(&member_path(user, group)).send().await.map(drop)
    }

    pub(crate) async fn leave(&self, user: &str, group: &str) -> Result<()> {
        self.0.delete(&member_path(user, group)).send().await.map(drop)
    }
}

fn member_path(user: &str, group: &str) -> String {
    format!("/groups/{}/members/{}", path_segment(group), path_segment(user))
}

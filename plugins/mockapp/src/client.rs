//! The app's API, typed. It knows paths, parameters and shapes, and nothing of Lumos.

use lumos_connector_sdk::http::HttpClient;
use lumos_connector_sdk::prelude::*;

use crate::Ctx;

/// Where users are listed; also the name of that listing in page tokens.
pub(crate) const USERS: &str = "/api/users";
const RESOURCES: &str = "/api/resources";
const ENTITLEMENTS: &str = "/api/entitlements";
const ASSOCIATIONS: &str = "/api/associations";

/// A user. What the app may leave out is optional.
#[derive(Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) last_login: Option<String>,
}

/// A part of the list of users.
#[derive(Debug, Deserialize)]
pub(crate) struct UserPage {
    #[serde(default)]
    pub(crate) items: Vec<User>,
    /// Where the app says that this part begins.
    pub(crate) offset: Option<u64>,
    #[serde(default)]
    pub(crate) has_more: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Resource {
    pub(crate) id: String,
    pub(crate) r#type: String,
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Entitlement {
    pub(crate) id: String,
    pub(crate) r#type: String,
    pub(crate) resource_id: String,
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Association {
    pub(crate) user_id: String,
    pub(crate) entitlement_id: String,
    pub(crate) resource_id: String,
}

/// What a new user is made of.
#[derive(Debug, Serialize)]
pub(crate) struct NewUser {
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) status: &'static str,
}

/// A user's status to set.
#[derive(Debug, Serialize)]
struct StatusChange {
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct Assignment<'call> {
    entitlement_id: &'call str,
    resource_id: &'call str,
}

/// The API of one tenant's app.
#[derive(Debug)]
pub(crate) struct Client(HttpClient);

impl Client {
    /// # Errors
    /// If the setting `api_url` is not a URL.
    pub(crate) fn new(ctx: &Ctx) -> Result<Self> {
        Ok(Self(ctx.http(&ctx.settings.api_url)?.token(&ctx.auth)))
    }

    /// Up to `limit` users after the first `offset`. An offset of 0 is not sent, and the app decides on the limit.
    pub(crate) async fn users(&self, limit: i64, offset: u64) -> Result<UserPage> {
        let offset = (offset > 0).then_some(offset);
        self.0
            .get(USERS)
            .query("limit", limit)
            .query_opt("offset", offset)
            .fetch()
            .await
    }

    /// A user, or `None` if there is no such user.
    pub(crate) async fn user(&self, id: &str) -> Result<Option<User>> {
        let Some(path) = user_path(id) else {
            return Ok(None);
        };
        match self.0.get(&path).fetch().await {
            Ok(user) => Ok(Some(user)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn resources(&self) -> Result<Vec<Resource>> {
        self.0.get(RESOURCES).fetch().await
    }

    pub(crate) async fn entitlements(&self) -> Result<Vec<Entitlement>> {
        self.0.get(ENTITLEMENTS).fetch().await
    }

    pub(crate) async fn associations(&self) -> Result<Vec<Association>> {
        self.0.get(ASSOCIATIONS).fetch().await
    }

    pub(crate) async fn create_user(&self, user: &NewUser) -> Result<User> {
        self.0.post(USERS).json(user).fetch().await
    }

    pub(crate) async fn set_status(&self, id: &str, status: &'static str) -> Result<()> {
        let path = existing_user_path(id)?;
        self.0
            .put(&path)
            .json(&StatusChange { status })
            .send()
            .await
            .map(drop)
    }

    pub(crate) async fn delete_user(&self, id: &str) -> Result<()> {
        self.0.delete(&existing_user_path(id)?).send().await.map(drop)
    }

    pub(crate) async fn assign(&self, user_id: &str, entitlement_id: &str, resource_id: &str) -> Result<()> {
        let path = format!("{}/entitlements", existing_user_path(user_id)?);
        let assignment = Assignment {
            entitlement_id,
            resource_id,
        };
        self.0.post(&path).json(&assignment).send().await.map(drop)
    }

    pub(crate) async fn unassign(
        &self,
        user_id: &str,
        entitlement_id: &str,
        resource_id: &str,
    ) -> Result<()> {
        let segment = id_segment(entitlement_id)
            .ok_or_else(|| ConnectorError::not_found("There is no entitlement with this id."))?;
        let path = format!("{}/entitlements/{segment}", existing_user_path(user_id)?);
        self.0
            .delete(&path)
            .query("resource_id", resource_id)
            .send()
            .await
            .map(drop)
    }
}

fn existing_user_path(id: &str) -> Result<String> {
    user_path(id).ok_or_else(|| ConnectorError::not_found("There is no account with this id."))
}

fn user_path(id: &str) -> Option<String> {
    Some(format!("{USERS}/{}", id_segment(id)?))
}

/// An id as a segment of a path; `None` for what can be no id. An empty segment would name the list instead of an entry, and
/// dots would name what is above it however they are encoded (WHATWG URL, "double-dot URL path segment").
fn id_segment(id: &str) -> Option<String> {
    if matches!(id, "" | "." | "..") {
        return None;
    }
    Some(path_segment(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_leave_their_segment() {
        assert_eq!(
            user_path("user-000001").as_deref(),
            Some("/api/users/user-000001")
        );
        assert_eq!(
            user_path("../x?y#z%2F").as_deref(),
            Some("/api/users/..%2Fx%3Fy%23z%252F")
        );
        for id in ["", ".", ".."] {
            assert_eq!(user_path(id), None, "{id:?}");
        }
    }
}

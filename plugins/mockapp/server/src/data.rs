//! The app's data: users, and who has which entitlement. Resources and entitlements never change.

use serde::Serialize;
use serde_json::{Map, Value};

/// A user as the API shows it. `email`, `name` and `status` hold whatever JSON a client stored.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: Value,
    pub(crate) name: Value,
    pub(crate) status: Value,
    pub(crate) created_at: &'static str,
    pub(crate) last_login: Option<String>,
    #[serde(skip)]
    number: u32,
}

/// Something that people work in.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Resource {
    pub(crate) id: String,
    pub(crate) r#type: &'static str,
    pub(crate) name: String,
}

/// A role on a resource.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entitlement {
    pub(crate) id: String,
    pub(crate) r#type: &'static str,
    pub(crate) resource_id: String,
    pub(crate) name: String,
}

/// One user's role on one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Association {
    pub(crate) user_id: String,
    pub(crate) entitlement_id: String,
    pub(crate) resource_id: String,
}

/// Why a user was not created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CreateError {
    EmailMissing,
    EmailTaken,
}

/// All that can change. Users stand in the order of their numbers, which is the order of their creation.
#[derive(Debug)]
pub(crate) struct Data {
    users: Vec<User>,
    associations: Vec<Association>,
    next_number: u32,
}

impl Data {
    pub(crate) fn new(users: u32) -> Self {
        let mut data = Self {
            users: (1..=users).map(initial_user).collect(),
            associations: Vec::new(),
            next_number: users.saturating_add(1),
        };
        for number in 1..=users.min(200) {
            data.assign_initial(number);
        }
        data
    }

    pub(crate) fn users(&self) -> &[User] {
        &self.users
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.position(id).map(|at| &self.users[at])
    }

    pub(crate) fn create_user(&mut self, fields: &Map<String, Value>) -> Result<&User, CreateError> {
        let email = fields
            .get("email")
            .filter(|email| is_truthy(email))
            .ok_or(CreateError::EmailMissing)?;
        if self.users.iter().any(|user| user.email == *email) {
            return Err(CreateError::EmailTaken);
        }
        let number = self.next_number;
        self.next_number += 1;
        self.users.push(User {
            id: user_id(number),
            email: email.clone(),
            name: fields
                .get("name")
                .filter(|name| is_truthy(name))
                .cloned()
                .unwrap_or_else(|| "".into()),
            status: fields.get("status").cloned().unwrap_or_else(|| "active".into()),
            created_at: "2025-06-01T00:00:00Z",
            last_login: None,
            number,
        });
        Ok(self.users.last().expect("a user was just pushed"))
    }

    /// Changes `email`, `name` and `status` where given; other fields are ignored.
    pub(crate) fn update_user(&mut self, id: &str, fields: &Map<String, Value>) -> Option<&User> {
        let at = self.position(id)?;
        let user = &mut self.users[at];
        for (name, slot) in [
            ("email", &mut user.email),
            ("name", &mut user.name),
            ("status", &mut user.status),
        ] {
            if let Some(value) = fields.get(name) {
                *slot = value.clone();
            }
        }
        Some(user)
    }

    /// Removes the user and all it has. False if there was none.
    pub(crate) fn delete_user(&mut self, id: &str) -> bool {
        let Some(at) = self.position(id) else { return false };
        self.users.remove(at);
        self.associations.retain(|row| row.user_id != id);
        true
    }

    pub(crate) fn associations(&self) -> &[Association] {
        &self.associations
    }

    /// Giving what is already there changes nothing.
    pub(crate) fn assign(&mut self, row: Association) {
        if !self.associations.contains(&row) {
            self.associations.push(row);
        }
    }

    /// False if there was nothing to take away.
    pub(crate) fn unassign(&mut self, row: &Association) -> bool {
        let before = self.associations.len();
        self.associations.retain(|other| other != row);
        self.associations.len() < before
    }

    fn position(&self, id: &str) -> Option<usize> {
        let number: u32 = id.strip_prefix("user-")?.parse().ok()?;
        let at = self
            .users
            .binary_search_by_key(&number, |user| user.number)
            .ok()?;
        // `user-1` and `user-+00001` are the same number, but not the same id.
        (self.users[at].id == id).then_some(at)
    }

    fn assign_initial(&mut self, number: u32) {
        let project = format!("project-{}", 1 + number % 5);
        let role = if number.is_multiple_of(2) {
            "viewer"
        } else {
            "editor"
        };
        self.assign(association(number, format!("{project}-{role}"), project));
        if number.is_multiple_of(3) {
            let team = format!("team-{}", 1 + number % 3);
            self.assign(association(number, format!("{team}-member"), team));
        }
        if number.is_multiple_of(50) {
            self.assign(association(number, "admin".to_owned(), "global".to_owned()));
        }
    }
}

/// Five projects, three teams, and the whole app.
pub(crate) fn resources() -> Vec<Resource> {
    let numbered = |kind: &'static str, label: &str, number: u32| Resource {
        id: format!("{kind}-{number}"),
        r#type: kind,
        name: format!("{label} {number}"),
    };
    let projects = (1..=5).map(|number| numbered("project", "Project", number));
    let teams = (1..=3).map(|number| numbered("team", "Team", number));
    let global = Resource {
        id: "global".to_owned(),
        r#type: "global",
        name: "Global".to_owned(),
    };
    projects.chain(teams).chain([global]).collect()
}

/// A viewer and an editor for each project, a member for each team, one administrator.
pub(crate) fn entitlements() -> Vec<Entitlement> {
    let mut all = Vec::new();
    for number in 1..=5 {
        for (role, label) in [("viewer", "Viewer"), ("editor", "Editor")] {
            all.push(Entitlement {
                id: format!("project-{number}-{role}"),
                r#type: "project_role",
                resource_id: format!("project-{number}"),
                name: format!("Project {number} {label}"),
            });
        }
    }
    for number in 1..=3 {
        all.push(Entitlement {
            id: format!("team-{number}-member"),
            r#type: "team_member",
            resource_id: format!("team-{number}"),
            name: format!("Team {number} Member"),
        });
    }
    all.push(Entitlement {
        id: "admin".to_owned(),
        r#type: "admin_role",
        resource_id: "global".to_owned(),
        name: "Administrator".to_owned(),
    });
    all
}

fn initial_user(number: u32) -> User {
    let status = if number.is_multiple_of(10) {
        "inactive"
    } else if number % 25 == 7 {
        "deleted"
    } else {
        "active"
    };
    let last_login = (!number.is_multiple_of(5)).then(|| {
        format!(
            "2025-01-{:02}T{:02}:{:02}:00Z",
            1 + number % 28,
            number % 24,
            number % 60
        )
    });
    User {
        id: user_id(number),
        email: format!("user{number}@example.com").into(),
        name: format!("User {number}").into(),
        status: status.into(),
        created_at: "2024-01-01T00:00:00Z",
        last_login,
        number,
    }
}

fn user_id(number: u32) -> String {
    format!("user-{number:06}")
}

fn association(number: u32, entitlement_id: String, resource_id: String) -> Association {
    Association {
        user_id: user_id(number),
        entitlement_id,
        resource_id,
    }
}

/// What Python takes for true, as the tutorial's server asks.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn ids_must_match_in_full() {
        let data = Data::new(3);
        assert!(data.user("user-000003").is_some());
        for id in [
            "user-3",
            "user-+00003",
            "user-000004",
            "000003",
            "",
            "user-",
            "USER-000003",
        ] {
            assert!(data.user(id).is_none(), "{id:?} found a user");
        }
    }

    #[test]
    fn numbers_are_never_used_twice() {
        let mut data = Data::new(1);
        let first = data
            .create_user(&fields(&json!({"email": "a@example.com"})))
            .expect("created")
            .id
            .clone();
        assert!(data.delete_user(&first));
        let second = data
            .create_user(&fields(&json!({"email": "a@example.com"})))
            .expect("created");
        assert_eq!(
            (first.as_str(), second.id.as_str()),
            ("user-000002", "user-000003")
        );
    }

    #[test]
    fn deleting_a_user_takes_its_associations_along() {
        let mut data = Data::new(50);
        assert!(data.associations().iter().any(|row| row.user_id == "user-000050"));
        assert!(data.delete_user("user-000050"));
        assert!(!data.associations().iter().any(|row| row.user_id == "user-000050"));
        assert!(!data.delete_user("user-000050"));
    }

    #[test]
    fn an_email_is_needed_and_unique() {
        let mut data = Data::new(1);
        for missing in [
            json!({}),
            json!({"email": ""}),
            json!({"email": null}),
            json!({"email": 0}),
        ] {
            assert_eq!(
                data.create_user(&fields(&missing)).err(),
                Some(CreateError::EmailMissing)
            );
        }
        let taken = fields(&json!({"email": "user1@example.com"}));
        assert_eq!(data.create_user(&taken).err(), Some(CreateError::EmailTaken));
    }

    #[test]
    fn users_beyond_six_digits_keep_their_order() {
        let mut data = Data::new(0);
        data.next_number = 999_999;
        for email in ["a", "b", "c"] {
            data.create_user(&fields(&json!({"email": email})))
                .expect("created");
        }
        assert!(data.user("user-1000000").is_some());
        assert!(data.user("user-1000001").is_some());
    }
}

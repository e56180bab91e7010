//! `/openapi.json`: the operations for programs.

use serde_json::{Map, Value, json};

use crate::operations::{Kind, OPERATIONS, Operation, Parameter, Place};

/// Whether some operation has this path; `{…}` stands for one segment that is not empty.
pub(crate) fn has_path(path: &str) -> bool {
    OPERATIONS.iter().any(|operation| {
        let mut known = operation.path.split('/');
        let mut given = path.split('/');
        loop {
            match (known.next(), given.next()) {
                (None, None) => return true,
                (Some(known), Some(given)) if known == given => {}
                (Some(known), Some(given)) if known.starts_with('{') && !given.is_empty() => {}
                _ => return false,
            }
        }
    })
}

/// The OpenAPI 3.1 document.
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let entry = paths.entry(operation.path).or_insert_with(|| json!({}));
        entry[operation.method] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "MockApp API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The mock app of the step-by-step tutorial: users, and what they have access to.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let mut described = json!({
        "tags": [operation.group],
        "summary": operation.summary,
        "description": operation.description,
        "operationId": operation_id(operation),
    });
    if operation.needs_token {
        described["security"] = json!([{"token": []}]);
    }
    if !operation.parameters.is_empty() {
        described["parameters"] = operation.parameters.iter().map(describe_parameter).collect();
    }
    if let Some(body) = operation.body {
        described["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": {"type": "object"}, "example": example(body)}},
        });
    }
    let mut responses = Map::new();
    for answer in operation.answers {
        let mut response = json!({ "description": answer.when });
        if !answer.body.is_empty() {
            response["content"] =
                json!({"application/json": {"schema": {}, "example": example(answer.body)}});
        }
        responses.insert(answer.status.to_string(), response);
    }
    described["responses"] = responses.into();
    described
}

fn describe_parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Integer {
            least,
            most: None,
            default,
        } => {
            json!({"type": "integer", "minimum": least, "default": default})
        }
        Kind::Integer {
            least,
            most: Some(most),
            default,
        } => {
            json!({"type": "integer", "minimum": least, "maximum": most, "default": default})
        }
    };
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
    };
    json!({
        "name": parameter.name,
        "in": place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": schema,
    })
}

/// `List users` → `list_users`.
fn operation_id(operation: &Operation) -> String {
    operation.summary.to_lowercase().replace(' ', "_")
}

fn example(text: &str) -> Value {
    serde_json::from_str(text).expect("every example is JSON; a test reads them all")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_can_be_made_and_names_each_operation_once() {
        let document = document();
        let mut ids = BTreeSet::new();
        for operation in OPERATIONS {
            let described = &document["paths"][operation.path][operation.method];
            assert!(
                ids.insert(described["operationId"].as_str()),
                "{} twice",
                operation.summary
            );
            let in_path = operation.path.matches('{').count();
            let named = operation
                .parameters
                .iter()
                .filter(|parameter| parameter.place == Place::Path);
            assert_eq!(named.count(), in_path, "{} {}", operation.method, operation.path);
        }
    }

    #[test]
    fn paths_match_segment_by_segment() {
        for known in ["/api/users", "/api/users/x", "/api/users/x/entitlements/y"] {
            assert!(has_path(known), "{known}");
        }
        for unknown in [
            "",
            "/api",
            "/api/users/",
            "/api/users/x/y",
            "/api/users/x/entitlements/y/z",
        ] {
            assert!(!has_path(unknown), "{unknown}");
        }
    }
}

//! Whether the schemas in `info` are JSON schemas, and whether Lumos can make a form of them.

use serde_json::Value;

use super::Finding;

const TYPES: [&str; 7] = [
    "null", "boolean", "object", "array", "number", "integer", "string",
];
/// Deeper than any form.
const DEPTH: u32 = 64;

/// Looks at every schema in the response of `info`.
pub(super) fn check(info: &Value) -> Finding {
    let mut seen = 0;
    let mut look = |place: String, schema: &Value| {
        seen += 1;
        Place {
            root: schema,
            path: place,
        }
        .check(schema, 0)
    };
    for (name, schemas) in info["capability_schema"].as_object().into_iter().flatten() {
        for part in ["argument", "output"] {
            look(format!("capability_schema.{name}.{part}"), &schemas[part])?;
        }
    }
    look("authentication_schema".to_owned(), &info["authentication_schema"])?;
    look(
        "request_settings_schema".to_owned(),
        &info["request_settings_schema"],
    )?;
    for (index, schema) in info["credentials_schema"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        look(format!("credentials_schema.{index}"), schema)?;
    }
    Ok(format!("{seen} schemas"))
}

/// Where in which document.
struct Place<'schema> {
    root: &'schema Value,
    path: String,
}

impl Place<'_> {
    fn inner(&self, name: &str, schema: &Value, depth: u32) -> Result<(), String> {
        let path = format!("{}.{name}", self.path);
        Place {
            root: self.root,
            path,
        }
        .check(schema, depth + 1)
    }

    fn wrong(&self, reason: impl std::fmt::Display) -> Result<(), String> {
        Err(format!("{}: {reason}", self.path))
    }

    fn check(&self, schema: &Value, depth: u32) -> Result<(), String> {
        if depth > DEPTH {
            return self.wrong("it is nested too deeply");
        }
        let members = match schema {
            Value::Bool(_) => return Ok(()),
            Value::Object(members) => members,
            _ => return self.wrong("a schema is an object"),
        };
        for (keyword, value) in members {
            self.keyword(keyword, value, schema, depth)?;
        }
        Ok(())
    }

    fn keyword(&self, keyword: &str, value: &Value, schema: &Value, depth: u32) -> Result<(), String> {
        let is_type = |name: &Value| name.as_str().is_some_and(|name| TYPES.contains(&name));
        let sound = match keyword {
            "type" => {
                is_type(value)
                    || value
                        .as_array()
                        .is_some_and(|all| !all.is_empty() && all.iter().all(is_type))
            }
            "enum" => value.as_array().is_some_and(|values| !values.is_empty()),
            "title" | "description" | "format" | "pattern" | "x-field_type" | "x-semantic" => {
                value.is_string() || value.is_null()
            }
            "x-secret" | "x-multiline" => value.is_boolean(),
            "minLength" | "maxLength" | "minItems" | "maxItems" => value.is_u64(),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
            "required" | "field_order" => return self.names(keyword, value, schema),
            "$ref" => return self.reference(value),
            "properties" | "$defs" => return self.map(keyword, value, depth),
            "anyOf" | "oneOf" | "allOf" => return self.list(keyword, value, depth),
            "items" | "additionalProperties" | "not" => return self.inner(keyword, value, depth),
            _ => true,
        };
        if sound {
            Ok(())
        } else {
            self.wrong(format_args!("`{keyword}` has a value that it cannot have"))
        }
    }

    /// Fields that are named must be there, or the form cannot show them.
    fn names(&self, keyword: &str, value: &Value, schema: &Value) -> Result<(), String> {
        let Some(names) = value.as_array() else {
            return self.wrong(format_args!("`{keyword}` is not a list"));
        };
        for name in names {
            let Some(name) = name.as_str() else {
                return self.wrong(format_args!("`{keyword}` is not a list of names"));
            };
            if schema["properties"].get(name).is_none() {
                return self.wrong(format_args!(
                    "`{keyword}` names `{name}`, which is not in `properties`"
                ));
            }
        }
        Ok(())
    }

    fn reference(&self, value: &Value) -> Result<(), String> {
        let target = value.as_str().and_then(|text| text.strip_prefix('#'));
        match target.and_then(|pointer| self.root.pointer(pointer)) {
            Some(_) => Ok(()),
            None => self.wrong(format_args!("`$ref` {value} leads nowhere in this schema")),
        }
    }

    fn map(&self, keyword: &str, value: &Value, depth: u32) -> Result<(), String> {
        let Some(members) = value.as_object() else {
            return self.wrong(format_args!("`{keyword}` is not an object"));
        };
        members
            .iter()
            .try_for_each(|(name, schema)| self.inner(name, schema, depth))
    }

    fn list(&self, keyword: &str, value: &Value, depth: u32) -> Result<(), String> {
        let Some(schemas) = value.as_array().filter(|schemas| !schemas.is_empty()) else {
            return self.wrong(format_args!("`{keyword}` is not a list of schemas"));
        };
        schemas
            .iter()
            .try_for_each(|schema| self.inner(keyword, schema, depth))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(settings: &Value) -> Finding {
        check(&json!({"authentication_schema": {}, "request_settings_schema": settings}))
    }

    #[test]
    fn a_form_is_accepted() {
        let settings = json!({
            "type": "object",
            "properties": {
                "url": {"type": "string", "title": "URL"},
                "kind": {"$ref": "#/$defs/Kind"},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "x-secret": true},
            },
            "required": ["url"],
            "field_order": ["url", "kind", "note"],
            "$defs": {"Kind": {"enum": ["a"]}},
        });
        assert_eq!(with(&settings).unwrap(), "2 schemas");
    }

    #[test]
    fn each_mistake_is_named_with_its_place() {
        for (settings, part) in [
            (json!({"type": "text"}), "`type`"),
            (
                json!({"properties": {"a": {"type": 3}}}),
                "request_settings_schema.a: `type`",
            ),
            (json!({"required": ["a"]}), "`required` names `a`"),
            (
                json!({"properties": {}, "field_order": ["b"]}),
                "`field_order` names `b`",
            ),
            (json!({"$ref": "#/$defs/X"}), "leads nowhere"),
            (json!({"properties": []}), "`properties` is not an object"),
            (
                json!({"items": {"enum": []}}),
                "request_settings_schema.items: `enum`",
            ),
            (json!(["a"]), "a schema is an object"),
            (json!({"x-secret": "yes"}), "`x-secret`"),
        ] {
            let wrong = with(&settings).unwrap_err();
            assert!(wrong.contains(part), "{wrong}");
        }
    }
}

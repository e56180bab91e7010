//! Page tokens: the positions of the app's own listings, as MessagePack in hexadecimal.
//!
//! The form is that of every Lumos connector, byte for byte, so a listing that one implementation of a connector began
//! can be continued by another: `hex(msgpack([{"endpoint": "/api/users", "offset": 3}]))`. A connector that wants changed
//! tokens to be noticed puts a [seal](seal) before them.
#![forbid(unsafe_code)]

mod msgpack;
mod seal;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ConnectorError;

pub(crate) use seal::Key;

/// The token for `positions`, or `None` if there are none.
///
/// # Panics
/// If a position cannot be written as JSON.
pub(crate) fn encode<P: Serialize>(positions: &[P], key: Option<&Key>) -> Option<String> {
    if positions.is_empty() {
        return None;
    }
    let value = serde_json::to_value(positions).expect("a position is plain data with string keys");
    let bytes = msgpack::encode(&value);
    Some(hex::encode(match key {
        Some(key) => key.seal(&bytes),
        None => bytes,
    }))
}

/// The positions in `token`.
pub(crate) fn decode<P: DeserializeOwned>(token: &str, key: Option<&Key>) -> Result<Vec<P>, ConnectorError> {
    let refuse = |why: &str| {
        ConnectorError::invalid_page_token(format!(
            "The page token is not one that this connector gave: {why}. Start again from the first page."
        ))
    };
    let bytes = hex::decode(token).map_err(|_| refuse("it is not hexadecimal"))?;
    let bytes = match key {
        Some(key) => key
            .open(&bytes)
            .ok_or_else(|| refuse("it was changed, or belongs to another listing"))?,
        None => &bytes,
    };
    let value = msgpack::decode(bytes).map_err(|error| refuse(&error.to_string()))?;
    let Value::Array(positions) = value else {
        return Err(refuse("it does not hold a list of positions"));
    };
    positions
        .into_iter()
        .map(|position| {
            // serde's message would repeat the token's content.
            serde_json::from_value(position)
                .map_err(|_| refuse("a position does not have the expected members"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use lumos_connector_models::ErrorCode;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Position {
        endpoint: Option<String>,
        offset: i64,
    }

    fn at(offset: i64) -> Position {
        Position {
            endpoint: Some("/api/users".into()),
            offset,
        }
    }

    #[test]
    fn tokens_are_those_of_the_reference() {
        for (offset, tail) in [
            (3, "03"),
            (950, "cd03b6"),
            (-1, "ff"),
            (200, "ccc8"),
            (70000, "ce00011170"),
        ] {
            let expected = format!("9182a8656e64706f696e74aa2f6170692f7573657273a66f6666736574{tail}");
            assert_eq!(encode(&[at(offset)], None).unwrap(), expected);
            assert_eq!(decode::<Position>(&expected, None).unwrap(), [at(offset)]);
        }
        assert_eq!(encode::<Position>(&[], None), None);
    }

    #[test]
    fn a_bad_token_is_the_callers_fault_and_not_retryable() {
        for token in [
            "",
            "zz",
            "05",
            "93",
            "9181a8656e64706f696e74aa2f6170692f7573657273",
            "c1",
            "80",
        ] {
            let error = decode::<Position>(token, None).unwrap_err();
            assert_eq!(error.code(), &ErrorCode::InvalidPageToken, "{token}");
            assert!(!error.metadata().retryable);
        }
    }

    proptest! {
        #[test]
        fn every_position_survives(endpoint in proptest::option::of(".{0,80}"), offset: i64) {
            let position = Position { endpoint, offset };
            let token = encode(&[&position], None).unwrap();
            prop_assert_eq!(decode::<Position>(&token, None).unwrap(), [position]);
        }

        #[test]
        fn no_token_makes_it_panic(token in "[0-9a-f]{0,200}") {
            let _ = decode::<Value>(&token, None);
        }
    }
}

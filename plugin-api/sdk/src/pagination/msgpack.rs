//! As much of MessagePack as JSON values need, written in the shortest form.
//!
//! Source: <https://github.com/msgpack/msgpack/blob/master/spec.md>. A reader for page tokens meets bytes from outside:
//! it never allocates by a length that the input merely claims, and it bounds the nesting.
#![forbid(unsafe_code)]

use serde_json::{Map, Number, Value};

const MAX_DEPTH: usize = 32;

/// Why bytes are not MessagePack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("it is cut short")]
    CutShort,
    #[error("bytes follow its end")]
    Trailing,
    #[error("it holds a value of an unknown kind")]
    Kind,
    #[error("it is nested too deeply")]
    Depth,
}

pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    write(&mut out, value);
    out
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(false) => out.push(0xc2),
        Value::Bool(true) => out.push(0xc3),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => {
            write_length(out, text.len(), (0xa0, 32), &[0xd9, 0xda, 0xdb]);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            write_length(out, items.len(), (0x90, 16), &[0xdc, 0xdd]);
            for item in items {
                write(out, item);
            }
        }
        Value::Object(members) => {
            write_length(out, members.len(), (0x80, 16), &[0xde, 0xdf]);
            for (key, item) in members {
                write_length(out, key.len(), (0xa0, 32), &[0xd9, 0xda, 0xdb]);
                out.extend_from_slice(key.as_bytes());
                write(out, item);
            }
        }
    }
}

/// A length: in the marker itself below `fix.1`, else after one of `markers`, the last of which takes four bytes.
fn write_length(out: &mut Vec<u8>, length: usize, fix: (u8, usize), markers: &[u8]) {
    let length = u32::try_from(length).expect("a position is far smaller than 4 GiB");
    if (length as usize) < fix.1 {
        out.push(fix.0 | length as u8);
    } else if markers.len() == 3 && length <= 0xff {
        out.extend_from_slice(&[markers[0], length as u8]);
    } else if length <= 0xffff {
        out.push(markers[markers.len() - 2]);
        out.extend_from_slice(&(length as u16).to_be_bytes());
    } else {
        out.push(markers[markers.len() - 1]);
        out.extend_from_slice(&length.to_be_bytes());
    }
}

fn write_number(out: &mut Vec<u8>, number: &Number) {
    if let Some(unsigned) = number.as_u64() {
        write_unsigned(out, unsigned);
    } else if let Some(signed) = number.as_i64() {
        write_negative(out, signed);
    } else {
        out.push(0xcb);
        let float = number.as_f64().unwrap_or(f64::NAN);
        out.extend_from_slice(&float.to_be_bytes());
    }
}

fn write_unsigned(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(0xcf);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

fn write_negative(out: &mut Vec<u8>, value: i64) {
    match value {
        -32.. => out.push(value as u8),
        -0x80..=-33 => out.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..=-0x81 => {
            out.push(0xd1);
            out.extend_from_slice(&(value as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            out.push(0xd2);
            out.extend_from_slice(&(value as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(0)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::Trailing)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A big-endian unsigned integer of 1, 2, 4 or 8 bytes.
    fn unsigned(&mut self, width: usize) -> Result<u64, DecodeError> {
        Ok(self
            .take(width)?
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// The same with a sign.
    fn signed(&mut self, width: usize) -> Result<i64, DecodeError> {
        let shift = 64 - 8 * width as u32;
        Ok((self.unsigned(width)? << shift) as i64 >> shift)
    }

    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError::Depth);
        }
        let marker = self.take(1)?[0];
        Ok(match marker {
            0x00..=0x7f => Value::from(marker),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f), depth)?,
            0x90..=0x9f => self.array(usize::from(marker & 0x0f), depth)?,
            0xa0..=0xbf => Value::String(self.text(usize::from(marker & 0x1f))?),
            0xc0 => Value::Null,
            0xc2 => Value::Bool(false),
            0xc3 => Value::Bool(true),
            0xca => float(f64::from(f32::from_bits(self.unsigned(4)? as u32))),
            0xcb => float(f64::from_bits(self.unsigned(8)?)),
            0xcc..=0xcf => Value::from(self.unsigned(1 << (marker - 0xcc))?),
            0xd0..=0xd3 => Value::from(self.signed(1 << (marker - 0xd0))?),
            0xd9..=0xdb => {
                let length = self.unsigned(1 << (marker - 0xd9))?;
                Value::String(self.text(length as usize)?)
            }
            0xdc | 0xdd => {
                let length = self.unsigned(2 << (marker - 0xdc))?;
                self.array(length as usize, depth)?
            }
            0xde | 0xdf => {
                let length = self.unsigned(2 << (marker - 0xde))?;
                self.map(length as usize, depth)?
            }
            0xe0..=0xff => Value::from(marker as i8),
            _ => return Err(DecodeError::Kind),
        })
    }

    fn text(&mut self, length: usize) -> Result<String, DecodeError> {
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::Kind)
    }

    fn array(&mut self, length: usize, depth: usize) -> Result<Value, DecodeError> {
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Value, DecodeError> {
        let mut members = Map::new();
        for _ in 0..length {
            let Value::String(key) = self.value(depth + 1)? else {
                return Err(DecodeError::Kind);
            };
            let item = self.value(depth + 1)?;
            members.insert(key, item);
        }
        Ok(Value::Object(members))
    }
}

/// JSON has no NaN and no infinity; neither has a position.
fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claimed_length_allocates_nothing() {
        assert_eq!(
            decode(&[0xdd, 0xff, 0xff, 0xff, 0xff]),
            Err(DecodeError::CutShort)
        );
        assert_eq!(
            decode(&[0xdb, 0xff, 0xff, 0xff, 0xff]),
            Err(DecodeError::CutShort)
        );
    }

    #[test]
    fn nesting_is_bounded() {
        assert_eq!(decode(&[0x91; 4096]), Err(DecodeError::Depth));
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        for length in [0, 15, 16, 31, 32, 255, 256, 65535, 65536] {
            for value in [json!("x".repeat(length)), Value::Array(vec![Value::Null; length])] {
                assert_eq!(decode(&encode(&value)), Ok(value));
            }
        }
        assert_eq!(encode(&json!("x".repeat(31)))[0], 0xbf);
        assert_eq!(encode(&json!("x".repeat(32)))[..2], [0xd9, 32]);
    }

    proptest! {
        #[test]
        fn numbers_survive(integer: i64, unsigned: u64, float in proptest::num::f64::NORMAL) {
            let value = json!([integer, unsigned, float]);
            prop_assert_eq!(decode(&encode(&value)), Ok(value));
        }

        #[test]
        fn no_input_makes_it_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}

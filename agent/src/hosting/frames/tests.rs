use proptest::prelude::*;

use super::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..300)
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 0..60).prop_map(|chars| chars.into_iter().collect())
}

/// Encodes, checks that every prefix is incomplete, decodes, and compares.
fn from_host_survives(frame: FromHost<'_>) {
    let mut wire = Vec::new();
    frame.encode(&mut wire);
    for cut in 0..wire.len() {
        assert_eq!(decode_from_host(&wire[..cut]), Ok(None));
    }
    let length = wire.len();
    wire.extend_from_slice(b"the next frame");
    assert_eq!(decode_from_host(&wire), Ok(Some((frame, length))));
}

fn to_host_survives(frame: ToHost<'_>) {
    let mut wire = Vec::new();
    frame.encode(&mut wire);
    for cut in 0..wire.len() {
        assert_eq!(decode_to_host(&wire[..cut]), Ok(None));
    }
    let length = wire.len();
    wire.extend_from_slice(b"the next frame");
    assert_eq!(decode_to_host(&wire), Ok(Some((frame, length))));
}

proptest! {
    #[test]
    fn frames_from_a_host_survive(body in bytes(), text in text(), call: u64, number: u64, small: u32, flag: bool) {
        from_host_survives(FromHost::Hello { version: small });
        from_host_survives(FromHost::Manifest(&body));
        from_host_survives(FromHost::Confined(&body));
        from_host_survives(FromHost::Ready);
        from_host_survives(FromHost::Failed { refused: flag, text: &text });
        from_host_survives(FromHost::Log { call, level: small.cast_signed(), dropped: small, text: &body });
        from_host_survives(FromHost::Chunk { call, total: number, bytes: &body });
        for outcome in [Outcome::Answer, Outcome::Invalid, Outcome::TooLarge] {
            from_host_survives(FromHost::Done { call, outcome, bytes: &body });
        }
        from_host_survives(FromHost::Pong { token: number, ignored_finishes: call, outdated: flag });
    }

    #[test]
    fn frames_to_a_host_survive(body in bytes(), name in text(), call: u64, number: u64, reason: i32, write: bool) {
        to_host_survives(ToHost::Start(&body));
        to_host_survives(ToHost::Call {
            call, write, timeout_ms: number, total: body.len() as u64 + number % 1000,
            capability: &name, trace: &name, bytes: &body,
        });
        to_host_survives(ToHost::Body { call, bytes: &body });
        to_host_survives(ToHost::Cancel { call, reason });
        to_host_survives(ToHost::Window { call, bytes: number });
        to_host_survives(ToHost::Ping { token: number });
        to_host_survives(ToHost::Drain);
    }

    #[test]
    fn arbitrary_bytes_never_panic(junk in prop::collection::vec(any::<u8>(), 0..600), kind in 0_u8..80) {
        let _ = decode_from_host(&junk);
        let _ = decode_to_host(&junk);
        // A plausible header reaches deeper.
        let mut wire = u32::try_from(junk.len()).unwrap().to_le_bytes().to_vec();
        wire.extend_from_slice(&[kind, junk.first().copied().unwrap_or(0), 0, 0]);
        wire.extend_from_slice(&7_u64.to_le_bytes());
        wire.extend_from_slice(&junk);
        if let Ok(Some((_, length))) = decode_from_host(&wire) {
            prop_assert_eq!(length, wire.len());
        }
        if let Ok(Some((_, length))) = decode_to_host(&wire) {
            prop_assert_eq!(length, wire.len());
        }
    }
}

#[test]
fn an_over_long_frame_is_refused_before_it_has_arrived() {
    let mut wire = (u32::try_from(MAX_PAYLOAD).unwrap() + 1).to_le_bytes().to_vec();
    wire.resize(HEADER, 0);
    assert_eq!(decode_from_host(&wire), Err(FrameError::TooLong(MAX_PAYLOAD + 1)));
    assert_eq!(decode_to_host(&wire), Err(FrameError::TooLong(MAX_PAYLOAD + 1)));
}

#[test]
fn a_direction_does_not_understand_the_other() {
    let mut wire = Vec::new();
    ToHost::Drain.encode(&mut wire);
    assert_eq!(decode_from_host(&wire), Err(FrameError::UnknownKind(71)));
}

#[test]
fn a_body_larger_than_announced_is_malformed() {
    let mut wire = Vec::new();
    let call = ToHost::Call {
        call: 2,
        write: false,
        timeout_ms: 1,
        total: 1,
        capability: "info",
        trace: "",
        bytes: b"{}",
    };
    call.encode(&mut wire);
    assert_eq!(decode_to_host(&wire), Err(FrameError::Malformed("CALL")));
}

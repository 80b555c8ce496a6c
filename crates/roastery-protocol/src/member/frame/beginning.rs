use super::{Form, FrameError, Header, Kind, MAX_EVIDENCE_FRAME};
use crate::{GroupId, SessionId, tags::SIGNING_VERSION};

/// Reads form, version, kind and header, and checks the length for each.
pub(super) fn read_beginning(bytes: &[u8]) -> Result<(Kind, Header), FrameError> {
    let length = bytes.len();
    if length > MAX_EVIDENCE_FRAME {
        return Err(FrameError::TooLong { length, most: MAX_EVIDENCE_FRAME });
    }
    let Some(&number) = bytes.first() else {
        return Err(FrameError::TooShort { length, least: Form::Control.least() });
    };
    let form = Form::from_number(number).ok_or(FrameError::UnknownForm { form: number })?;
    let too_short = FrameError::TooShort { length, least: form.least() };
    if length < form.least() {
        return Err(too_short);
    }
    let mut rest = &bytes[form.body_at()..];
    let [version] = next(&mut rest).ok_or(too_short)?;
    if version != SIGNING_VERSION {
        return Err(FrameError::OtherVersion { version });
    }
    let [number] = next(&mut rest).ok_or(too_short)?;
    let kind = Kind::from_number(number).ok_or(FrameError::UnknownKind { kind: number })?;
    if kind.form() != form {
        return Err(FrameError::OtherForm { kind: number, form: form as u8 });
    }
    if length > kind.most() {
        return Err(FrameError::TooLong { length, most: kind.most() });
    }
    let group = GroupId::from_bytes(next(&mut rest).ok_or(too_short)?);
    let session = SessionId::from_bytes(next(&mut rest).ok_or(too_short)?);
    let sender = u16::from_le_bytes(next(&mut rest).ok_or(too_short)?);
    Ok((kind, Header { group, session, sender }))
}

/// Takes the next bytes, of a number that the receiver chooses.
fn next<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

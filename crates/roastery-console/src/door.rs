//! Who is let in: a code that a person reads in the terminal is changed for a token, once.
//!
//! The code is printed apart from the address and typed into the page: an address is an argument of
//! the program that opens it, and all users of the machine see the arguments. The token is in the
//! storage of the page's own origin, which pages of other origins cannot read; there is no cookie,
//! which a browser would send by itself.

use std::time::{Duration, Instant};

use subtle::ConstantTimeEq as _;

/// The letters of a code: 32 that are not mistaken for each other.
const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The length of a code: 40 bits.
const CODE: usize = 8;

/// How long a code is good.
const CODE_LIFE: Duration = Duration::from_secs(2 * 60);

/// The wrong codes after which a code is void.
const TRIES: u32 = 5;

/// The most sessions; the one that was not used for the longest makes room.
const MOST_SESSIONS: usize = 8;

/// The length of a token, in bytes.
const TOKEN: usize = 32;

/// The name of a session within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionId(u64);

/// What became of an attempt to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// The code was right; this is the token.
    Token(String),
    /// It is none; so many tries are left.
    Wrong(u32),
    /// There is no code that is good: it has expired, or has had too many tries.
    NoCode,
    /// The code was right and was used before.
    Used,
}

/// Random letters, five bits each.
pub(crate) fn random_letters<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut letters = [0; N];
    getrandom::fill(&mut letters)?;
    // 256 is a multiple of 32: each letter is as likely as any other.
    Ok(letters.map(|byte| LETTERS[usize::from(byte) % LETTERS.len()]))
}

/// The codes and the sessions of a console.
#[derive(Debug, Default)]
pub(crate) struct Door {
    code: Option<Code>,
    /// The last code that was used, to tell who comes second.
    used: Option<[u8; CODE]>,
    sessions: Vec<Session>,
    next: u64,
}

struct Code {
    letters: [u8; CODE],
    made: Instant,
    left: u32,
}

/// A code is a secret.
impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("left", &self.left).finish_non_exhaustive()
    }
}

struct Session {
    id: SessionId,
    token: [u8; TOKEN],
    last_used: Instant,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Door {
    /// Makes a code, for one use; the one before is void.
    pub(crate) fn new_code(&mut self, now: Instant) -> Result<String, getrandom::Error> {
        let letters = random_letters()?;
        self.code = Some(Code { letters, made: now, left: TRIES });
        Ok(letters.iter().map(|letter| char::from(*letter)).collect())
    }

    /// Changes a code for a token.
    pub(crate) fn enter(&mut self, typed: &str, now: Instant) -> Result<Entered, getrandom::Error> {
        let typed = typed.trim().to_ascii_lowercase();
        let is = |letters: &[u8; CODE]| bool::from(letters[..].ct_eq(typed.as_bytes()));
        if self.used.as_ref().is_some_and(is) {
            return Ok(Entered::Used);
        }
        self.code.take_if(|code| now.duration_since(code.made) >= CODE_LIFE);
        let Some(code) = &mut self.code else { return Ok(Entered::NoCode) };
        if !is(&code.letters) {
            code.left -= 1;
            let left = code.left;
            self.code.take_if(|code| code.left == 0);
            return Ok(Entered::Wrong(left));
        }
        let mut token = [0; TOKEN];
        getrandom::fill(&mut token)?;
        self.used = self.code.take().map(|code| code.letters);
        if self.sessions.len() >= MOST_SESSIONS {
            let oldest = self.sessions.iter().enumerate().min_by_key(|(_, one)| one.last_used);
            if let Some((at, _)) = oldest {
                self.sessions.remove(at);
            }
        }
        self.next += 1;
        self.sessions.push(Session { id: SessionId(self.next), token, last_used: now });
        Ok(Entered::Token(token.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The session of a token.
    pub(crate) fn session(&mut self, token: &str, now: Instant) -> Option<SessionId> {
        let bytes = token.as_bytes();
        let mut given = [0; TOKEN];
        if bytes.len() != 2 * TOKEN {
            return None;
        }
        for (byte, pair) in given.iter_mut().zip(bytes.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
        }
        let session = self.sessions.iter_mut().find(|one| one.token[..].ct_eq(&given).into())?;
        session.last_used = now;
        Some(session.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(code: &str) -> String {
        let first = if code.starts_with('q') { 'p' } else { 'q' };
        format!("{first}{}", &code[1..])
    }

    fn token(entered: Entered) -> String {
        match entered {
            Entered::Token(token) => token,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_code_is_good_once_and_who_comes_second_is_told() {
        let (mut door, now) = (Door::default(), Instant::now());
        let code = door.new_code(now).unwrap();
        assert_eq!(code.len(), CODE);
        let first = token(door.enter(&format!(" {} ", code.to_uppercase()), now).unwrap());
        assert!(door.session(&first, now).is_some());
        assert_eq!(door.enter(&code, now).unwrap(), Entered::Used);
        let second = door.new_code(now).unwrap();
        let second = token(door.enter(&second, now).unwrap());
        assert_ne!(door.session(&first, now), door.session(&second, now));
    }

    #[test]
    fn five_wrong_codes_or_two_minutes_end_a_code() {
        let (mut door, now) = (Door::default(), Instant::now());
        let code = door.new_code(now).unwrap();
        for left in [4, 3, 2, 1, 0] {
            assert_eq!(door.enter(&wrong(&code), now).unwrap(), Entered::Wrong(left));
        }
        assert_eq!(door.enter(&code, now).unwrap(), Entered::NoCode);
        let code = door.new_code(now).unwrap();
        assert_eq!(door.enter(&code, now + CODE_LIFE).unwrap(), Entered::NoCode);
    }

    #[test]
    fn what_is_no_token_has_no_session() {
        let (mut door, now) = (Door::default(), Instant::now());
        let code = door.new_code(now).unwrap();
        let token = token(door.enter(&code, now).unwrap());
        for bad in ["", "0", &token[2..], &format!("{token}00"), &"g".repeat(64), &"é".repeat(32)]
        {
            assert_eq!(door.session(bad, now), None, "{bad}");
        }
        assert_eq!(door.session(&"0".repeat(64), now), None);
        assert_eq!(Door::default().session(&token, now), None);
    }

    #[test]
    fn the_session_that_was_not_used_for_the_longest_makes_room() {
        let (mut door, now) = (Door::default(), Instant::now());
        let tokens: Vec<String> = (0..=MOST_SESSIONS)
            .map(|second| {
                let now = now + Duration::from_secs(second as u64);
                let code = door.new_code(now).unwrap();
                token(door.enter(&code, now).unwrap())
            })
            .collect();
        assert_eq!(door.session(&tokens[0], now), None);
        assert!(tokens[1..].iter().all(|token| door.session(token, now).is_some()));
    }
}

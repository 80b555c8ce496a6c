//! Messages on a stream: each is its length, a big-endian `u32`, and its bytes.

use std::io;
use std::time::Duration;

use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// The length of the prefix, in bytes.
const PREFIX: usize = 4;

/// The bytes that are read or written at a time. The buffer grows with what has come, not with the
/// length that was announced.
const CHUNK: usize = 16 * 1024;

/// Why a stream cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// Refused before a byte of it was read.
    #[error("a message of {bytes} bytes was announced: at most {max} are allowed")]
    TooLong { bytes: usize, max: usize },
    /// A timeout within a message. Between two messages there is none.
    #[error("a message stood still half way")]
    Stalled,
    #[error("the stream ended in the middle of a message")]
    BrokenOff,
    #[error("the stream failed")]
    Failed(#[from] io::Error),
}

/// The next message; `None` when the stream ended after the last one.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    max: usize,
    stall: Duration,
) -> Result<Option<Vec<u8>>, FrameError> {
    let mut prefix = [0; PREFIX];
    // No timeout before the first byte of a message.
    if stream.read(&mut prefix[..1]).await? == 0 {
        return Ok(None);
    }
    let rest = async {
        stream.read_exact(&mut prefix[1..]).await.map_err(broken_off)?;
        let length = u32::from_be_bytes(prefix);
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if bytes > max {
            return Err(FrameError::TooLong { bytes, max });
        }
        let mut message = Vec::with_capacity(bytes.min(CHUNK));
        match stream.take(u64::from(length)).read_to_end(&mut message).await? {
            read if read == bytes => Ok(Some(message)),
            _ => Err(FrameError::BrokenOff),
        }
    };
    timeout(stall, rest).await.map_err(|_| FrameError::Stalled)?
}

fn broken_off(error: io::Error) -> FrameError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => FrameError::BrokenOff,
        _ => FrameError::Failed(error),
    }
}

/// Outgoing messages, which are written together to save writes.
#[derive(Debug, Default)]
pub(super) struct Batch(Vec<u8>);

impl Batch {
    /// Adds a message, which is shorter than 4 GiB: the limit on messages is checked when a bus is
    /// made.
    pub(super) fn add(&mut self, message: &[u8]) {
        let length = u32::try_from(message.len()).expect("a message is not longer than the cap");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(message);
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= CHUNK
    }

    /// Writes all of it, chunk by chunk, each with its own timeout: how long all of it takes
    /// depends on the network.
    pub(super) async fn write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        stall: Duration,
    ) -> Result<(), FrameError> {
        for chunk in self.0.chunks(CHUNK) {
            timeout(stall, stream.write_all(chunk)).await.map_err(|_| FrameError::Stalled)??;
        }
        timeout(stall, stream.flush()).await.map_err(|_| FrameError::Stalled)??;
        self.0.clear();
        self.0.shrink_to(2 * CHUNK);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::io::Cursor;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    async fn read_all(bytes: &[u8], max: usize) -> (Vec<Vec<u8>>, Option<FrameError>) {
        let (mut stream, mut messages) = (Cursor::new(bytes), Vec::new());
        loop {
            match read(&mut stream, max, LIMIT).await {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return (messages, None),
                Err(error) => return (messages, Some(error)),
            }
        }
    }

    async fn written(messages: &[&[u8]]) -> Vec<u8> {
        let (mut batch, mut stream) = (Batch::default(), Cursor::new(Vec::new()));
        messages.iter().for_each(|message| batch.add(message));
        batch.write(&mut stream, LIMIT).await.unwrap();
        assert!(batch.0.is_empty());
        stream.into_inner()
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let long = vec![7; 3 * CHUNK + 1];
        let messages = [&b"one"[..], b"", &long, b"two"];
        let bytes = written(&messages).await;
        assert_eq!(&bytes[..7], b"\0\0\0\x03one");
        let (read, error) = read_all(&bytes, long.len()).await;
        assert_eq!(read, messages);
        assert!(error.is_none());
    }

    #[tokio::test]
    async fn a_message_longer_than_the_cap_is_refused_by_its_length_alone() {
        let (read, error) = read_all(b"\0\0\0\x03one\0\0\0\x04", 3).await;
        assert_eq!(read, [b"one"]);
        assert!(matches!(error, Some(FrameError::TooLong { bytes: 4, max: 3 })));
        let (_, error) = read_all(&[0xff; 4], 3).await;
        assert!(matches!(error, Some(FrameError::TooLong { bytes: 0xffff_ffff, max: 3 })));
    }

    #[tokio::test]
    async fn a_stream_that_ends_within_a_message_has_broken_off_wherever_it_ends() {
        let bytes = written(&[b"message"]).await;
        for end in 1..bytes.len() {
            let (read, error) = read_all(&bytes[..end], 100).await;
            assert!(read.is_empty());
            assert!(matches!(error, Some(FrameError::BrokenOff)), "after {end}: {error:?}");
        }
    }

    /// Reads from a stream that gives these bytes and then nothing.
    async fn stands_still_after(bytes: &'static [u8]) -> bool {
        let mut stream = futures_util::stream::iter([Ok::<_, io::Error>(bytes)])
            .chain(futures_util::stream::pending())
            .into_async_read();
        let reading = read(&mut stream, 100, LIMIT);
        match timeout(1000 * LIMIT, reading).await {
            Ok(Err(FrameError::Stalled)) => true,
            Err(_) => false,
            other => panic!("{other:?}"),
        }
    }

    use futures_util::{StreamExt, TryStreamExt};

    #[tokio::test(start_paused = true)]
    async fn a_message_that_stands_still_is_given_up_and_an_idle_stream_is_not() {
        assert!(stands_still_after(b"\0").await);
        assert!(stands_still_after(b"\0\0\0\x07").await);
        assert!(stands_still_after(b"\0\0\0\x07messag").await);
        let (mut stream, _other_end) = idle();
        assert!(timeout(1000 * LIMIT, read(&mut stream, 100, LIMIT)).await.is_err());
    }

    fn idle() -> (impl AsyncRead + Unpin, ()) {
        (futures_util::stream::pending::<io::Result<Vec<u8>>>().into_async_read(), ())
    }

    #[test]
    fn a_batch_with_a_long_message_is_full_and_writes_it_all_the_same() {
        let mut batch = Batch::default();
        batch.add(b"short");
        assert!(!batch.is_full());
        batch.add(&[0; CHUNK]);
        assert!(batch.is_full());
    }
}

//! Messages over a pair of byte streams. Nothing that comes in ends the session: what is no message is skipped up to the
//! next header, and the client is told. Knows no method.
//!
//! A header line inside of a body (`Content-Length: 5` and a raw line break) is never valid JSON, so it always means that
//! the length before it was wrong. That makes every mistake local: the message behind it is read.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use lsp_server::{Connection, ErrorCode, Message};
use serde_json::{Value, json};

/// Bodies beyond this are taken for a mistake in the length.
const LONGEST_BODY: usize = 256 << 20;

/// Headers are one line or two.
const LONGEST_HEADER: usize = 4096;

/// How a header line begins, in small letters.
const HEADER: &[u8] = b"content-length:";

/// The digits of a length, white space included, that are looked at.
const LONGEST_NUMBER: usize = 32;

/// The threads behind a [`Connection`].
pub struct Threads {
    writer: thread::JoinHandle<io::Result<()>>,
}

impl Threads {
    /// Waits until everything that was sent is written. The reader is not waited for: it may hang on a client that has
    /// gone quiet.
    pub fn join(self) -> io::Result<()> {
        self.writer
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the writer stopped")))
    }
}

/// Makes a connection of two streams, with a thread for each.
pub fn connect(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> io::Result<(Connection, Threads)> {
    let output = Arc::new(Mutex::new(output));
    // Nothing is lost and nobody waits: a client that does not read does not stop the server.
    let (sender, outgoing) = unbounded::<Message>();
    let (incoming, receiver) = bounded::<Message>(64);
    let answers = Arc::clone(&output);
    thread::Builder::new()
        .name("lsp reader".to_owned())
        .spawn(move || read(input, &incoming, &answers))?;
    let writer = thread::Builder::new()
        .name("lsp writer".to_owned())
        .spawn(move || write(&outgoing, &output))?;
    let connection = Connection { sender, receiver };
    Ok((connection, Threads { writer }))
}

fn write(outgoing: &Receiver<Message>, output: &Mutex<impl Write>) -> io::Result<()> {
    for message in outgoing {
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        message.write(&mut *output)?;
    }
    Ok(())
}

fn read(mut input: impl Read, incoming: &Sender<Message>, answers: &Mutex<impl Write>) {
    let mut frames = Frames::default();
    let mut piece = vec![0; 1 << 16];
    loop {
        match input.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => frames.add(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
        while let Some(frame) = frames.next() {
            match understood(&frame) {
                Ok(message) => {
                    if incoming.send(message).is_err() {
                        return;
                    }
                }
                Err(answer) => {
                    let mut output = answers.lock().unwrap_or_else(PoisonError::into_inner);
                    // Who does not listen is not told.
                    let _ = write!(output, "Content-Length: {}\r\n\r\n{answer}", answer.len());
                    let _ = output.flush();
                }
            }
        }
    }
}

/// A message, or the answer to what is none.
fn understood(frame: &Frame) -> Result<Message, String> {
    let refusal = |code: ErrorCode, id: &Value, message: String| {
        let error = json!({ "code": code as i32, "message": message });
        json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
    };
    let body = match frame {
        Frame::Body(body) => body,
        Frame::Garbage(why) => {
            return Err(refusal(
                ErrorCode::ParseError,
                &Value::Null,
                (*why).to_owned(),
            ));
        }
    };
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| refusal(ErrorCode::ParseError, &Value::Null, e.to_string()))?;
    let id = value.get("id").cloned().unwrap_or_default();
    serde_json::from_value(value).map_err(|_| {
        let message = "neither a request nor a notification nor a response".to_owned();
        refusal(ErrorCode::InvalidRequest, &id, message)
    })
}

/// What the bytes of a client are cut into.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    /// As many bytes as the header says.
    Body(Vec<u8>),
    /// Something was skipped.
    Garbage(&'static str),
}

/// Bytes that have come and are not understood yet.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    /// Up to here the incomplete body was searched for a header.
    searched: usize,
}

/// What stands at the beginning of the bytes.
enum Head {
    /// A header from 0, a body of this length behind it.
    Complete { body: usize, length: usize },
    /// It could become a header.
    Unfinished,
    /// It is none.
    Wrong,
}

impl Frames {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame, if its bytes are there.
    fn next(&mut self) -> Option<Frame> {
        match head(&self.bytes) {
            Head::Unfinished => None,
            Head::Wrong => {
                // At least a byte goes, and then everything up to a place where a header may begin.
                let next = header_in(&self.bytes, 1);
                self.take(next);
                Some(Frame::Garbage("no header"))
            }
            Head::Complete { body, length } => {
                let there = self.bytes.len().min(body + length);
                let from = self.searched.max(body);
                let inner = header_in(&self.bytes[..there], from);
                if inner < there && is_header(&self.bytes[inner..there]) {
                    self.take(inner);
                    return Some(Frame::Garbage("the body ends before its length"));
                }
                if there < body + length {
                    self.searched = inner;
                    return None;
                }
                let frame = Frame::Body(self.bytes[body..there].to_vec());
                self.take(there);
                Some(frame)
            }
        }
    }

    fn take(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.searched = 0;
    }
}

/// Reads header lines up to the empty one.
fn head(bytes: &[u8]) -> Head {
    let (mut at, mut length) = (0, None);
    loop {
        let rest = &bytes[at..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            // Header lines are short.
            return if rest.len() > 256 || (rest != b"\r" && !may_be_header(rest)) {
                Head::Wrong
            } else {
                Head::Unfinished
            };
        };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        at += end + 1;
        if at > LONGEST_HEADER {
            return Head::Wrong;
        }
        if line.is_empty() {
            return match length {
                Some(length) if length <= LONGEST_BODY => Head::Complete { body: at, length },
                Some(_) | None => Head::Wrong,
            };
        }
        if !may_be_header(line) {
            return Head::Wrong;
        }
        if starts_with(line, HEADER) {
            let digits = std::str::from_utf8(&line[HEADER.len()..]).unwrap_or_default();
            match digits.trim().parse::<usize>() {
                Ok(number) => length = Some(number),
                Err(_) => return Head::Wrong,
            }
        }
    }
}

/// Whether a line, perhaps cut short, may be one of a header: `Content-…`.
fn may_be_header(line: &[u8]) -> bool {
    let known = b"content-";
    let count = line.len().min(known.len());
    starts_with(line, &known[..count])
        && line
            .iter()
            .all(|byte| (b' '..0x7f).contains(byte) || *byte == b'\r')
}

fn starts_with(bytes: &[u8], small: &[u8]) -> bool {
    bytes.len() >= small.len() && bytes[..small.len()].eq_ignore_ascii_case(small)
}

/// The first place from `from` on where a header with a length begins or, the bytes being cut off, may begin.
fn header_in(bytes: &[u8], from: usize) -> usize {
    let mut at = from.min(bytes.len());
    while let Some(found) = bytes[at..].iter().position(|byte| *byte | 0x20 == b'c') {
        at += found;
        let rest = &bytes[at..];
        let count = rest.len().min(HEADER.len());
        if rest[..count].eq_ignore_ascii_case(&HEADER[..count])
            && (count < HEADER.len() || is_open(rest))
        {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

/// Whether digits and a line break follow the word, or may follow.
fn is_open(bytes: &[u8]) -> bool {
    let rest = &bytes[HEADER.len()..];
    let rest = &rest[..rest.len().min(LONGEST_NUMBER)];
    let digits = rest
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b' ')
        .count();
    match &rest[digits..] {
        [] => rest.len() < LONGEST_NUMBER,
        [b'\r' | b'\n', ..] => true,
        _ => false,
    }
}

/// Whether a whole header line with a length begins here.
fn is_header(bytes: &[u8]) -> bool {
    starts_with(bytes, HEADER)
        && is_open(bytes)
        && bytes
            .iter()
            .take(HEADER.len() + LONGEST_NUMBER)
            .any(|byte| matches!(byte, b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bodies that come out, whatever the pieces in which the bytes come in.
    fn bodies(bytes: &[u8]) -> Vec<String> {
        let all = |size: usize| {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for piece in bytes.chunks(size) {
                frames.add(piece);
                while let Some(frame) = frames.next() {
                    if let Frame::Body(body) = frame {
                        found.push(String::from_utf8_lossy(&body).into_owned());
                    }
                }
            }
            found
        };
        let found = all(bytes.len());
        for size in [1, 2, 7, 64] {
            assert_eq!(all(size), found, "pieces of {size}");
        }
        found
    }

    #[test]
    fn mistakes_are_local() {
        assert_eq!(bodies(b"Content-Length: 2\r\n\r\n{}"), ["{}"]);
        assert_eq!(
            bodies(b"content-length:2\r\nContent-Type: x\r\n\r\n{}"),
            ["{}"]
        );
        for broken in [
            &b"garbage"[..],
            b"\xff\xfe\r\n\r\n",
            b"Content-Length: many\r\n\r\n{}",
            b"Content-Length: 99999999999999999999\r\n\r\n{}",
            b"Content-Length: 9999999999\r\n\r\n{}",
            b"Content-Length: 40\r\n\r\n{}",
            b"Content-Length: 40\r\n",
            b"Content-Length: ",
            b"Content-",
            b"Content-Type: x\r\n\r\n",
            b"\r\n\r\n",
        ] {
            let bytes = [broken, b"Content-Length: 2\r\n\r\n{}"].concat();
            assert_eq!(
                bodies(&bytes),
                ["{}"],
                "{}",
                String::from_utf8_lossy(broken)
            );
        }
        let short = b"Content-Length: 1\r\n\r\n{}Content-Length: 2\r\n\r\n{}";
        assert_eq!(bodies(short), ["{", "{}"]);
    }

    #[test]
    fn a_text_may_speak_of_headers() {
        let body = r#"{"a":"Content-Length: 5\r\n\r\n"}"#;
        let bytes = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        assert_eq!(bodies(bytes.as_bytes()), [body]);
    }
}

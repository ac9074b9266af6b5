//! A proxy in this process that stands in front of a server: it can change requests on their way, and
//! remembers what passed.

use std::{
    io::{self, Read, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::error::{Result, fail};

/// A request on its way.
pub struct Passing {
    /// The method and the path, as `GET /x`.
    pub what: String,
    /// Names as they came, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What passed.
#[derive(Clone, Debug)]
pub struct Passed {
    /// The method and the path, as `GET /x`.
    pub what: String,
    /// The answer's status.
    pub status: u16,
    /// The answer's headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The answer's body, undecoded, as text.
    pub body: String,
}

impl Passed {
    /// The answer's first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

type Change = dyn Fn(&mut Passing) + Send + Sync;

/// A running proxy; it stops taking connections when dropped.
pub struct Proxy {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    passed: Arc<Mutex<Vec<Passed>>>,
}

impl Proxy {
    /// Listens on a free loopback port, in front of `target` (`http://HOST:PORT`).
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(
        target: &str,
        change: impl Fn(&mut Passing) + Send + Sync + 'static,
    ) -> Result<Self> {
        let failed = |error: io::Error| fail(format!("could not start the proxy: {error}"));
        let target = target.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let passed = Arc::new(Mutex::new(Vec::new()));
        let change: Arc<Change> = Arc::new(change);
        let (stopped, record) = (Arc::clone(&stop), Arc::clone(&passed));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (target, change) = (target.clone(), Arc::clone(&change));
                let record = Arc::clone(&record);
                thread::spawn(move || {
                    // A connection that fails is closed, which is all that its client can be told.
                    let _ = relay(client, &target, &*change, &record);
                });
            }
        });
        Ok(Self {
            address,
            stop,
            passed,
        })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What passed so far.
    pub fn passed(&self) -> Vec<Passed> {
        self.passed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

/// One request and its answer, which is recorded before the client has it; then the connection ends.
fn relay(
    mut client: TcpStream,
    target: &str,
    change: &Change,
    record: &Mutex<Vec<Passed>>,
) -> io::Result<()> {
    let Some(mut request) = read(&mut client)? else {
        return Ok(());
    };
    change(&mut request);
    let mut head = format!("{} HTTP/1.1\r\n", request.what);
    for (name, value) in &request.headers {
        if !name.eq_ignore_ascii_case("connection") {
            head += &format!("{name}: {value}\r\n");
        }
    }
    head += "connection: close\r\n\r\n";
    let mut server = TcpStream::connect(target)?;
    server.write_all(&[head.as_bytes(), &request.body].concat())?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let split = end_of_head(&answer).unwrap_or(answer.len());
    let (start, body) = answer.split_at(split);
    let start = String::from_utf8_lossy(start);
    let mut lines = start.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let passed = Passed {
        what: request.what,
        status: status.and_then(|status| status.parse().ok()).unwrap_or(0),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: String::from_utf8_lossy(body).into_owned(),
    };
    record
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(passed);
    client.write_all(&answer)
}

/// A request with its body; the clients here announce its length.
fn read(stream: &mut impl Read) -> io::Result<Option<Passing>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let end = loop {
        if let Some(end) = end_of_head(&bytes) {
            break end;
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = head.lines();
    let what = lines.next().unwrap_or_default();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.parse::<usize>().ok())
        .unwrap_or(0);
    while body.len() < length {
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            read => body.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
    Ok(Some(Passing {
        what: what.rsplit_once(' ').unwrap_or_default().0.to_owned(),
        headers,
        body,
    }))
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let start = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(start + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_whole_and_its_body_apart() {
        let text = b"POST /x HTTP/1.1\r\nContent-Length: 3\r\nA: b: c\r\n\r\nxyz";
        let request = read(&mut &text[..]).unwrap().unwrap();
        assert_eq!(request.what, "POST /x");
        assert_eq!(request.headers[1], ("A".into(), "b: c".into()));
        assert_eq!(request.body, b"xyz");
        assert!(read(&mut &text[..20]).unwrap().is_none());
        assert!(read(&mut &text[..text.len() - 1]).unwrap().is_none());
    }
}

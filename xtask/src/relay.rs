//! A TCP relay that puts a network's latency in front of a server on this machine.
//!
//! Bytes arrive half a round trip after they were sent, in order, in each direction. A relay on the
//! same machine cannot slow down TCP's own handshake, so its round trip is put in front of the first
//! bytes: what a client sends at once leaves only when a real handshake would have been over.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::error::{Result, fail};

/// A running relay; it stops taking connections when dropped.
pub struct Relay {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Relay {
    /// Listens on a free port of the loopback address, in front of `target`.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(target: SocketAddr, round_trip: Duration) -> Result<Self> {
        let failed = |error: io::Error| fail(format!("could not start the relay: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                if let Ok(client) = client {
                    // A connection that fails is closed, which is all that its client can be told.
                    let _ = connect(client, target, round_trip);
                }
            }
        });
        Ok(Self { address, stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn connect(client: TcpStream, target: SocketAddr, round_trip: Duration) -> io::Result<()> {
    let connected = Instant::now() + round_trip;
    let server = TcpStream::connect(target)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let half = round_trip / 2;
    pump(client.try_clone()?, server.try_clone()?, connected, half);
    pump(server, client, connected, half);
    Ok(())
}

/// Carries bytes one way, each `delay` after it came and none before `earliest` and a delay.
fn pump(mut from: TcpStream, mut to: TcpStream, earliest: Instant, delay: Duration) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer).unwrap_or(0);
            let due = Instant::now().max(earliest) + delay;
            let bytes = buffer.get(..read).unwrap_or_default().to_vec();
            // An empty piece is the end; it takes as long as any other.
            if sender.send((due, bytes)).is_err() || read == 0 {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if bytes.is_empty() || to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each connection's bytes with the same bytes.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || io::copy(&mut stream.try_clone().unwrap(), &mut stream));
            }
        });
        address
    }

    #[test]
    fn the_first_answer_takes_two_round_trips_and_the_next_takes_one() {
        let round_trip = Duration::from_millis(60);
        let relay = Relay::start(echo(), round_trip).unwrap();
        let start = Instant::now();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        for round_trips in [2, 3, 4] {
            stream.write_all(b"abc").unwrap();
            let mut answer = [0; 3];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"abc");
            let took = start.elapsed();
            // Never early; late only as the machine's load has it.
            assert!(
                took >= round_trip * round_trips,
                "{took:?} after {round_trips}"
            );
        }
    }

    #[test]
    fn bytes_keep_their_order_and_the_end_comes_last() {
        let relay = Relay::start(echo(), Duration::from_millis(4)).unwrap();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let copy = sent.clone();
        let mut writer = stream.try_clone().unwrap();
        thread::spawn(move || {
            writer.write_all(&copy).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert!(received == sent);
    }
}

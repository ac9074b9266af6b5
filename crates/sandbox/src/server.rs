//! Listeners and connections: a thread each, blocking sockets, and the faults on the wire.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};

use crate::call::{Call, Service};
use crate::dispatch;
use crate::fault::{Fault, When, huge, with_wrong_types};
use crate::http::{Answer, NoRequest, Request, read_request};
use crate::proxy::{self, Way};
use crate::record::Exchange;
use crate::state::{State, lock};

/// How long a port stays closed for one call under [`Fault::Refuse`].
const REFUSED_FOR: Duration = Duration::from_millis(150);
/// How long to wait between half an answer and the reset, so that the client sees the half.
const BEFORE_RESET: Duration = Duration::from_millis(30);

/// Tells every thread when it is over, and wakes those that wait.
#[derive(Default)]
pub(crate) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn stop(&self) {
        *lock(&self.stopped) = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Waits that long, or less if the sandbox stops. `None` waits until it stops.
    pub(crate) fn wait(&self, how_long: Option<Duration>) {
        let until = how_long.map(|time| Instant::now() + time);
        let mut stopped = lock(&self.stopped);
        while !*stopped {
            let left = match until {
                None => Duration::from_secs(3_600),
                Some(until) => until.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                return;
            }
            stopped = self
                .changed
                .wait_timeout(stopped, left)
                .map_or_else(|poison| poison.into_inner().0, |(guard, _)| guard);
        }
    }
}

/// One service's port.
struct Port {
    number: AtomicU16,
    /// Should it be closed (so that connections are refused), and is it?
    gate: Mutex<Gate>,
    changed: Condvar,
}

#[derive(Default)]
struct Gate {
    shut: bool,
    is_shut: bool,
    reopen_at: Option<Instant>,
}

/// All listeners and connections of one sandbox.
pub(crate) struct Server {
    pub(crate) state: State,
    pub(crate) stop: Stop,
    ports: HashMap<Service, Port>,
    open: Mutex<HashMap<u64, (Service, TcpStream)>>,
    connections: AtomicU64,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Server {
    /// Opens the ports (0 lets the system choose) and starts to accept.
    pub(crate) fn start(state: State, wanted: &HashMap<Service, u16>) -> io::Result<Arc<Self>> {
        let mut ports = HashMap::new();
        let mut listeners = Vec::new();
        for service in Service::ALL {
            let listener = bind(wanted.get(&service).copied().unwrap_or(0))?;
            let number = AtomicU16::new(listener.local_addr()?.port());
            ports.insert(
                service,
                Port {
                    number,
                    gate: Mutex::default(),
                    changed: Condvar::new(),
                },
            );
            listeners.push((service, listener));
        }
        let server = Arc::new(Self {
            state,
            stop: Stop::default(),
            ports,
            open: Mutex::default(),
            connections: AtomicU64::new(0),
            threads: Mutex::default(),
        });
        for (service, listener) in listeners {
            let own = server.clone();
            let thread = thread::Builder::new()
                .name(format!("sandbox {service:?}"))
                .spawn(move || own.listen(service, listener))?;
            lock(&server.threads).push(thread);
        }
        Ok(server)
    }

    pub(crate) fn port(&self, service: Service) -> u16 {
        self.ports
            .get(&service)
            .map_or(0, |port| port.number.load(Ordering::SeqCst))
    }

    /// Ends every wait, connection and thread.
    pub(crate) fn shut_down(&self) {
        self.stop.stop();
        for (service, port) in &self.ports {
            port.changed.notify_all();
            self.wake(*service);
        }
        for (_, stream) in lock(&self.open).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        loop {
            let Some(thread) = lock(&self.threads).pop() else {
                break;
            };
            // A connection that was accepted just now is not yet in the list above.
            for (_, stream) in lock(&self.open).values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
            let _ = thread.join();
        }
    }

    /// Closes a service's port, and resets its connections; returns when it is closed.
    pub(crate) fn refuse(&self, service: Service, how_long: Option<Duration>) {
        let Some(port) = self.ports.get(&service) else {
            return;
        };
        {
            let mut gate = lock(&port.gate);
            gate.shut = true;
            gate.reopen_at = how_long.map(|time| Instant::now() + time);
        }
        self.wake(service);
        let mut gate = lock(&port.gate);
        while gate.shut && !gate.is_shut && !self.stop.is_stopped() {
            gate = wait(&port.changed, gate, Duration::from_millis(20));
        }
        drop(gate);
        let mut open = lock(&self.open);
        for stream in open.extract_if(|_, (owner, _)| *owner == service) {
            let (_, stream) = stream.1;
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Opens a closed port again; returns when it is open.
    pub(crate) fn accept_again(&self, service: Service) {
        let Some(port) = self.ports.get(&service) else {
            return;
        };
        let mut gate = lock(&port.gate);
        gate.shut = false;
        gate.reopen_at = None;
        port.changed.notify_all();
        while gate.is_shut && !self.stop.is_stopped() {
            gate = wait(&port.changed, gate, Duration::from_millis(20));
        }
    }

    /// Lets a blocked `accept` return.
    fn wake(&self, service: Service) {
        let address = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port(service)));
        let _ = TcpStream::connect_timeout(&address, Duration::from_millis(200));
    }

    fn listen(self: Arc<Self>, service: Service, listener: TcpListener) {
        let Some(port) = self.ports.get(&service) else {
            return;
        };
        let mut listener = Some(listener);
        while !self.stop.is_stopped() {
            if lock(&port.gate).shut {
                listener = None;
                let _held = hold(port.number.load(Ordering::SeqCst));
                let mut gate = lock(&port.gate);
                gate.is_shut = true;
                port.changed.notify_all();
                while gate.shut && !self.stop.is_stopped() {
                    if gate.reopen_at.is_some_and(|time| time <= Instant::now()) {
                        gate.shut = false;
                    } else {
                        gate = wait(&port.changed, gate, Duration::from_millis(10));
                    }
                }
            }
            let Some(open) = &listener else {
                if !self.stop.is_stopped()
                    && let Ok(again) = bind(port.number.load(Ordering::SeqCst))
                {
                    listener = Some(again);
                    lock(&port.gate).is_shut = false;
                    port.changed.notify_all();
                } else {
                    self.stop.wait(Some(Duration::from_millis(5)));
                }
                continue;
            };
            let Ok((stream, _)) = open.accept() else {
                self.stop.wait(Some(Duration::from_millis(5)));
                continue;
            };
            if self.stop.is_stopped() || lock(&port.gate).shut {
                continue;
            }
            let own = self.clone();
            let spawned = thread::Builder::new()
                .name(format!("sandbox {service:?} connection"))
                .spawn(move || own.serve(service, stream));
            if let Ok(thread) = spawned {
                let mut threads = lock(&self.threads);
                threads.retain(|thread| !thread.is_finished());
                threads.push(thread);
            }
        }
    }

    /// Plays `service` on this connection until it ends.
    fn serve(self: Arc<Self>, service: Service, tcp: TcpStream) {
        let number = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let _ = tcp.set_nodelay(true);
        let Ok(clone) = tcp.try_clone() else { return };
        lock(&self.open).insert(number, (service, clone));
        if !self.stop.is_stopped() {
            let mut connection = Connection {
                server: &self,
                service,
                number,
                through_proxy: None,
            };
            let end = connection.run(tcp);
            lock(&self.open).remove(&number);
            drop(end);
        }
        lock(&self.open).remove(&number);
    }
}

/// Keeps a port without listening: connections are refused, and nobody else, such as another sandbox
/// of the same tests, is given the number meanwhile.
fn hold(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

fn wait<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    how_long: Duration,
) -> MutexGuard<'a, T> {
    condition
        .wait_timeout(guard, how_long)
        .map_or_else(|poison| poison.into_inner().0, |(guard, _)| guard)
}

/// A byte stream, plain or in TLS.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => &tls.sock,
        }
    }

    /// Takes care that the close to come is a reset.
    fn reset(&self) {
        let _ = SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO));
    }

    fn close(&mut self) {
        if let Stream::Tls(tls) = self {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
        let _ = self.tcp().shutdown(Shutdown::Write);
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.read(out),
            Stream::Tls(tls) => tls.read(out),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.write(bytes),
            Stream::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(tcp) => tcp.flush(),
            Stream::Tls(tls) => tls.flush(),
        }
    }
}

/// May the connection carry another request?
enum Next {
    More,
    Close,
    Reset,
    /// It is a tunnel to that service from now on.
    Tunnel(Service, String),
}

struct Connection<'a> {
    server: &'a Arc<Server>,
    service: Service,
    number: u64,
    through_proxy: Option<String>,
}

impl Connection<'_> {
    /// Returns the stream when it is done with it; dropping it closes the connection.
    fn run(&mut self, tcp: TcpStream) -> Option<Stream> {
        let state = &self.server.state;
        let mut stream = match state.tls_for(self.service) {
            None => Stream::Plain(tcp),
            Some(tls) => {
                let fault = lock(&state.faults).for_handshake(self.service);
                let mut connection = tls.accept(fault.as_ref()).ok()?;
                let mut tcp = tcp;
                while connection.is_handshaking() {
                    if connection.complete_io(&mut tcp).is_err() {
                        // The alert that says why.
                        let _ = connection.write_tls(&mut tcp);
                        return Some(Stream::Plain(tcp));
                    }
                }
                Stream::Tls(Box::new(StreamOwned::new(connection, tcp)))
            }
        };
        let mut buffer = Vec::new();
        loop {
            match read_request(&mut stream, &mut buffer) {
                Ok(request) => {
                    let keep_alive = request.keep_alive;
                    let next = match self.service {
                        Service::Proxy => self.forward(&mut stream, &request),
                        _ => self.exchange(&mut stream, &request),
                    };
                    match next {
                        Next::Tunnel(service, name) => {
                            let Stream::Plain(tcp) = stream else {
                                return None;
                            };
                            self.service = service;
                            self.through_proxy = Some(name);
                            return self.run(tcp);
                        }
                        Next::More if keep_alive => {}
                        Next::More | Next::Close => break,
                        Next::Reset => {
                            stream.reset();
                            return Some(stream);
                        }
                    }
                }
                Err(NoRequest::End) => break,
                Err(NoRequest::Bad(status, why)) => {
                    let answer = Answer::new(status)
                        .header("Content-Type", "text/plain")
                        .body(why);
                    let _ = stream.write_all(
                        &[answer.head(state.now(self.service), true), answer.body].concat(),
                    );
                    break;
                }
            }
        }
        stream.close();
        Some(stream)
    }

    /// Records a request, and has it answered or spoiled.
    fn exchange(&self, stream: &mut Stream, request: &Request) -> Next {
        let state = &self.server.state;
        let (call, number, fault) = self.record(request);
        let next = match fault {
            None => {
                let answer = dispatch::answer(state, self.service, call, request);
                self.send(stream, number, &answer, request.keep_alive)
            }
            Some((fault, when)) => self.misbehave(stream, number, call, request, fault, when),
        };
        state.finish(number);
        next
    }

    /// The same for a request to the proxy.
    fn forward(&self, stream: &mut Stream, request: &Request) -> Next {
        let server = self.server;
        let (call, number, fault) = self.record(request);
        if let Some((fault, when)) = fault {
            let next = self.misbehave(stream, number, call, request, fault, when);
            server.state.finish(number);
            return next;
        }
        let options = &server.state.options;
        let port_of = |port| {
            Service::ALL
                .into_iter()
                .find(|service| server.port(*service) == port)
        };
        let way = proxy::way(
            request,
            options.proxy_credentials.as_ref(),
            &options.hosts,
            port_of,
        );
        let down = |service: &Service| {
            server
                .ports
                .get(service)
                .is_some_and(|port| lock(&port.gate).shut)
        };
        let next = match way {
            Way::Tunnel(service, _) | Way::Single(service, ..) if down(&service) => {
                self.send(stream, number, &Answer::new(502), request.keep_alive)
            }
            Way::Tunnel(service, name) => {
                let answer = Answer::new(200);
                server.state.answered(number, &answer);
                // RFC 9110 section 9.3.6: a successful answer to CONNECT has no body and no length.
                match stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n") {
                    Ok(()) => Next::Tunnel(service, name),
                    Err(_) => Next::Close,
                }
            }
            Way::Single(service, name, inner) => {
                let inside = Connection {
                    server,
                    service,
                    number: self.number,
                    through_proxy: Some(name),
                };
                inside.exchange(stream, &inner)
            }
            Way::End(answer) => self.send(stream, number, &answer, request.keep_alive),
        };
        server.state.finish(number);
        next
    }

    fn record(&self, request: &Request) -> (Call, u64, Option<(Fault, When)>) {
        let state = &self.server.state;
        let (call, region) = dispatch::classify(state, self.service, request);
        let fault = lock(&state.faults).for_request(call, region.as_deref());
        state.note_secrets(self.service, request);
        let number = state.record(Exchange {
            service: self.service,
            call,
            region,
            connection: self.number,
            through_proxy: self.through_proxy.clone(),
            method: request.method.clone(),
            path: request.target.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            started: state.age(),
            finished: None,
            status: None,
            answer_headers: Vec::new(),
            answer_body: Vec::new(),
            fault: fault.as_ref().map(|(fault, _)| fault.name()),
        });
        (call, number, fault)
    }

    fn send(&self, stream: &mut Stream, number: u64, answer: &Answer, keep_alive: bool) -> Next {
        let state = &self.server.state;
        state.answered(number, answer);
        let head = answer.head(state.now(self.service), !keep_alive);
        // Noted before the last byte goes out: a client that has it may ask at once.
        state.finish(number);
        state.delivered(answer, true);
        match stream
            .write_all(&[head.as_slice(), &answer.body].concat())
            .and_then(|()| stream.flush())
        {
            Ok(()) => Next::More,
            Err(_) => {
                state.delivered(answer, false);
                Next::Close
            }
        }
    }

    fn misbehave(
        &self,
        stream: &mut Stream,
        number: u64,
        call: Call,
        request: &Request,
        fault: Fault,
        when: When,
    ) -> Next {
        let state = &self.server.state;
        let stop = &self.server.stop;
        let real = || dispatch::answer(state, self.service, call, request);
        let keep_alive = request.keep_alive;
        match fault {
            Fault::Refuse => {
                let how_long = match when {
                    When::Every => None,
                    When::First(n) => Some(REFUSED_FOR * n),
                    When::Nth(_) => Some(REFUSED_FOR),
                };
                // This connection is to see the reset, not the end that `refuse` gives the others.
                lock(&self.server.open).remove(&self.number);
                self.server.refuse(self.service, how_long);
                Next::Reset
            }
            Fault::Reset | Fault::BadCertificate | Fault::ExpiredCertificate | Fault::WrongHost => {
                Next::Reset
            }
            Fault::Close => Next::Close,
            Fault::Hang => {
                stop.wait(None);
                Next::Close
            }
            Fault::ResetInBody => {
                self.send_half(stream, number, &real());
                stop.wait(Some(BEFORE_RESET));
                Next::Reset
            }
            Fault::HangInBody => {
                self.send_half(stream, number, &real());
                stop.wait(None);
                Next::Close
            }
            Fault::Delay(time) => {
                let answer = real();
                stop.wait(Some(time));
                self.send(stream, number, &answer, keep_alive)
            }
            Fault::Drip(pause) => self.drip(stream, number, &real(), pause),
            Fault::Answer {
                status,
                headers,
                body,
            } => self.send(
                stream,
                number,
                &Answer {
                    status,
                    headers,
                    body,
                    minted: None,
                },
                keep_alive,
            ),
            Fault::Aws {
                status,
                kind,
                message,
            } => {
                let answer = dispatch::error(self.service, status, &kind, &message);
                self.send(stream, number, &answer, keep_alive)
            }
            Fault::Truncate => {
                let mut answer = real();
                answer.body.truncate(answer.body.len() / 2);
                answer.minted = None;
                self.send(stream, number, &answer, keep_alive)
            }
            Fault::WrongTypes => self.send(stream, number, &with_wrong_types(real()), keep_alive),
            Fault::Huge(size) => self.send(stream, number, &huge(size), keep_alive),
            Fault::Redirect(status, url) => self.send(
                stream,
                number,
                &Answer::new(status).header("Location", url),
                keep_alive,
            ),
            Fault::RedirectLoop(status) => {
                let url = state.own_url(self.service, request);
                self.send(
                    stream,
                    number,
                    &Answer::new(status).header("Location", url),
                    keep_alive,
                )
            }
        }
    }

    fn send_half(&self, stream: &mut Stream, number: u64, answer: &Answer) {
        let state = &self.server.state;
        state.answered(number, answer);
        let head = answer.head(state.now(self.service), false);
        let half = &answer.body[..answer.body.len() / 2];
        let _ = stream
            .write_all(&[head.as_slice(), half].concat())
            .and_then(|()| stream.flush());
    }

    fn drip(&self, stream: &mut Stream, number: u64, answer: &Answer, pause: Duration) -> Next {
        let state = &self.server.state;
        state.answered(number, answer);
        let mut sent = stream.write_all(&answer.head(state.now(self.service), false));
        for (place, byte) in answer.body.iter().enumerate() {
            if place + 1 == answer.body.len() {
                state.finish(number);
                state.delivered(answer, true);
            }
            sent = sent
                .and_then(|()| stream.write_all(&[*byte]))
                .and_then(|()| stream.flush());
            if sent.is_err() || self.server.stop.is_stopped() {
                state.delivered(answer, false);
                return Next::Close;
            }
            self.server.stop.wait(Some(pause));
        }
        Next::More
    }
}

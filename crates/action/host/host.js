'use strict';
// What WebAssembly cannot do by itself, and no more: this file reaches, app_token.wasm decides.
const fs = require('node:fs');
const path = require('node:path');

// The variables that the module may see.
const VISIBLE = new RegExp(`^(?:${[
  'INPUT_.*', 'STATE_.*', 'RUNNER_DEBUG',
  'GITHUB_(?:API_URL|OUTPUT|STATE|REPOSITORY|RUN_ID|RUN_ATTEMPT)',
  'ACTIONS_ID_TOKEN_REQUEST_(?:URL|TOKEN)',
  'AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|REGION|DEFAULT_REGION)',
  'AWS_(?:PROFILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE)',
  'AWS_CONTAINER_(?:CREDENTIALS_RELATIVE_URI|CREDENTIALS_FULL_URI|AUTHORIZATION_TOKEN|AUTHORIZATION_TOKEN_FILE)',
  'AWS_EC2_METADATA_(?:DISABLED|SERVICE_ENDPOINT|SERVICE_ENDPOINT_MODE)',
  'AWS_(?:ENDPOINT_URL|ENDPOINT_URL_KMS|ENDPOINT_URL_STS|IGNORE_CONFIGURED_ENDPOINT_URLS)',
  'AWS_(?:USE_FIPS_ENDPOINT|USE_DUALSTACK_ENDPOINT|CA_BUNDLE)', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS',
  'HOME', 'USERPROFILE', '[Hh][Tt][Tt][Pp][Ss]?_[Pp][Rr][Oo][Xx][Yy]', '[Nn][Oo]_[Pp][Rr][Oo][Xx][Yy]',
].join('|')})$`);

const GRACE = 5000; // milliseconds

module.exports = (phase) => {
  const answers = new Map(); // number -> bytes that the module has yet to take
  const running = new Map(); // number -> how to give up what it stands for
  const streams = new Map(); // number -> a stream, and what came in on it
  const contexts = new Map(); // names of files -> what they make Node trust
  let stopped; // the status to end with once a signal has come
  let permitted; // the hosts and ports that may be reached, named once by the module
  let module;

  const bytes = (at, length) => Buffer.from(module.memory.buffer, at, length);
  const text = (at, length) => bytes(at, length).toString();
  const put = (id, value) => { answers.set(id, Buffer.from(value)); return answers.get(id).length; };
  const coded = (code, message) => Object.assign(new Error(message), { code });

  // The module tells of its own failures; whatever else ends it must be told here.
  const lost = (why) => {
    fs.writeSync(1, `::${phase ? 'warning' : 'error'}::app_token.wasm could not do its work: ${JSON.stringify(why)}\n`);
    process.exit(phase ? 0 : 1);
  };
  const guard = (work) => { try { work(); } catch (error) { lost(error.message); } };
  const wake = (id, value, failed = 0) => {
    if (running.delete(id)) guard(() => module.wake(id, put(id, value), failed));
  };
  const fail = (id, { code, message }) => wake(id, `${code}\n${message || code}`, 1);

  // Node's own certificates and those in these files. Read and parsed once: there are many.
  const trusting = (tls, files) => {
    const name = files.join(', ');
    if (files.length && !contexts.has(name)) {
      try {
        const ca = [...tls.rootCertificates, ...files.map((file) => fs.readFileSync(file, 'utf8'))];
        contexts.set(name, tls.createSecureContext({ ca }));
      } catch (error) { throw coded('APP_CA', `${name}: ${error.message}`); }
    }
    return contexts.get(name);
  };

  const deliver = (stream) => {
    const { waiting: id, chunks, error, ended } = stream;
    if (!id || !(chunks.length || error || ended)) return;
    stream.waiting = 0;
    if (chunks.length) wake(id, Buffer.concat(chunks.splice(0)));
    else if (error) fail(id, error);
    else wake(id, '');
  };

  // Opens stream `number`, over another socket if there is one, and wakes `id`.
  const begin = (id, number, hop, over) => {
    running.set(id, () => {});
    try {
      if (!permitted?.has(`${hop.host} ${hop.port}`)) {
        throw coded('APP_FORBIDDEN', `${hop.host}:${hop.port} was not named beforehand`);
      }
      const net = require('node:net');
      const to = { host: hop.host, port: hop.port, noDelay: true };
      let socket;
      if (hop.secure) {
        const tls = require('node:tls');
        const servername = net.isIP(hop.host) ? undefined : hop.host;
        const secureContext = trusting(tls, hop.ca);
        socket = tls.connect({ ...to, socket: over, servername, secureContext, rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] });
      } else socket = net.connect(to);
      const stream = { socket, chunks: [], waiting: 0 };
      streams.set(number, stream);
      socket.once(hop.secure ? 'secureConnect' : 'connect', () => wake(id, ''));
      socket.on('error', (error) => { stream.error = error; fail(id, error); deliver(stream); });
      socket.on('close', () => {
        fail(id, coded('ECONNRESET', 'the connection was closed before it stood'));
        stream.ended = true;
        deliver(stream);
      });
    } catch (error) { fail(id, error); }
  };

  const host = {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    random: (at, length) => {
      // The kernel's own source costs nothing to load; Windows has it behind node:crypto alone.
      try {
        const source = fs.openSync('/dev/urandom', 'r');
        const got = fs.readSync(source, bytes(at, length));
        fs.closeSync(source);
        if (got === length) return;
      } catch {}
      require('node:crypto').randomFillSync(bytes(at, length));
    },
    print: (at, length) => {
      for (let rest = Buffer.from(bytes(at, length)); rest.length;) {
        try { rest = rest.subarray(fs.writeSync(1, rest)); } catch (error) { if (error.code !== 'EAGAIN') return; }
      }
    },
    read: (at, length) => {
      try { return put(0, fs.readFileSync(text(at, length))); } catch (error) { return -put(0, error.message); }
    },
    append: (at, length, from, size) => {
      try { fs.appendFileSync(text(at, length), bytes(from, size)); return put(0, ''); }
      catch (error) { return -put(0, error.message); }
    },
    permit: (at, length) => {
      if (permitted) throw new Error('what may be reached is named already');
      permitted = new Set(text(at, length).split('\n'));
    },
    open: (id, at, length) => begin(id, id, JSON.parse(text(at, length))),
    secure: (id, number, at, length) => {
      const { socket } = streams.get(number);
      socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
      begin(id, number, JSON.parse(text(at, length)), socket);
    },
    write: (number, at, length) => { streams.get(number)?.socket.write(Buffer.from(bytes(at, length))); },
    receive: (id, number) => {
      const stream = streams.get(number);
      running.set(id, () => { stream.waiting = 0; });
      stream.waiting = id;
      if (!stream.socket.listenerCount('data')) {
        stream.socket.on('data', (chunk) => {
          stream.chunks.push(chunk);
          // What nobody waits for stays with the sender, however much it is.
          if (stream.waiting) deliver(stream); else stream.socket.pause();
        });
        stream.socket.on('end', () => { stream.ended = true; deliver(stream); });
      } else stream.socket.resume();
      deliver(stream);
    },
    close: (number) => { streams.get(number)?.socket.destroy(); streams.delete(number); },
    sleep: (id, milliseconds) => {
      const timer = setTimeout(() => wake(id, ''), milliseconds);
      running.set(id, () => clearTimeout(timer));
    },
    cancel: (id) => {
      running.get(id)?.();
      running.delete(id);
      answers.delete(id);
    },
    take: (id, at) => { answers.get(id)?.copy(bytes(at)); answers.delete(id); },
    exit: (status) => process.exit(stopped || status),
  };

  // A cancelled job gets a signal and 7.5 s: enough for a token that is on its way to be noted for post.
  for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143]]) {
    process.once(signal, () => {
      stopped = status;
      setTimeout(() => process.exit(status), GRACE);
    });
  }
  process.once('beforeExit', () => lost('it waits for something that never comes'));
  guard(() => {
    const wasm = new WebAssembly.Module(fs.readFileSync(path.join(__dirname, 'app_token.wasm')));
    module = new WebAssembly.Instance(wasm, { host }).exports;
    const environment = Object.fromEntries(Object.entries(process.env)
      .filter(([name, value]) => value && VISIBLE.test(name))
      .map(([name, value]) => [name, value.toWellFormed()]));
    module.start(phase, put(0, JSON.stringify(environment)));
  });
};

'use strict';
// What WebAssembly cannot do by itself, and no more: this file reaches, app_token.wasm decides.
const fs = require('node:fs');
const path = require('node:path');

// The variables that the module may see, beside the step's inputs and its state.
const VISIBLE = new Set(`
  RUNNER_DEBUG GITHUB_API_URL GITHUB_OUTPUT GITHUB_STATE GITHUB_REPOSITORY GITHUB_RUN_ID GITHUB_RUN_ATTEMPT
  ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN
  AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION
  AWS_PROFILE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE
  AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_WEB_IDENTITY_TOKEN_FILE
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI
  AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
  AWS_EC2_METADATA_DISABLED AWS_EC2_METADATA_SERVICE_ENDPOINT AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE
  AWS_ENDPOINT_URL AWS_ENDPOINT_URL_KMS AWS_ENDPOINT_URL_STS AWS_IGNORE_CONFIGURED_ENDPOINT_URLS
  AWS_USE_FIPS_ENDPOINT AWS_USE_DUALSTACK_ENDPOINT
  AWS_CA_BUNDLE SSL_CERT_FILE NODE_EXTRA_CA_CERTS HOME USERPROFILE
  HTTPS_PROXY https_proxy HTTP_PROXY http_proxy NO_PROXY no_proxy
`.split(/\s+/));

const GRACE = 5000; // milliseconds

module.exports = (phase) => {
  const answers = new Map(); // number -> bytes that the module has yet to take
  const running = new Map(); // number -> how to give up what it stands for
  const streams = new Map(); // number -> a stream, and what came in on it
  const contexts = new Map(); // names of files -> what they make Node trust
  let endured = false; // whether signals are waited out
  let stopped; // the status to end with once a signal has come
  let permitted; // the hosts and ports that may be reached, named once by the module
  let module;

  const bytes = (at, length) => Buffer.from(module.memory.buffer, at, length);
  const text = (at, length) => bytes(at, length).toString();
  // A cancelled job gets a signal and 7.5 s: enough for a token that is on its way to be noted for post.
  // Nothing is on its way before the first request; with it begins a wait, in which this costs nothing.
  const endure = () => {
    for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143]]) {
      process.once(signal, () => {
        stopped = status;
        setTimeout(() => process.exit(status), GRACE);
      });
    }
    endured = true;
  };

  const hop = (at, length) => {
    const [host, port, tls, ...ca] = text(at, length).split('\0');
    return { host, port, tls, ca };
  };
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

  // What to trust: Node's own certificates and those in these files. Parsed once: there are many.
  const trusting = (files) => {
    const name = files.join(', ');
    if (!contexts.has(name)) {
      const tls = require('node:tls');
      try {
        const ca = files.length ? [...tls.rootCertificates, ...files.map((file) => fs.readFileSync(file, 'utf8'))] : undefined;
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

  // Keeps what comes in on `socket` as stream `number`, and fails `id` when it comes to nothing.
  const hold = (id, number, socket) => {
    const stream = { socket, chunks: [], waiting: 0 };
    streams.set(number, stream);
    socket.on('error', (error) => { stream.error = error; fail(id, error); deliver(stream); });
    socket.on('close', () => {
      fail(id, coded('ECONNRESET', 'the connection was closed before it stood'));
      stream.ended = true;
      deliver(stream);
    });
    return socket;
  };

  // Speaks TLS over a socket that is connected.
  const secure = (id, number, { host: name, ca }, socket) => {
    try {
      const servername = require('node:net').isIP(name) ? undefined : name;
      const secureContext = trusting(ca);
      socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
      hold(id, number, require('node:tls').connect({
        socket, servername, secureContext, rejectUnauthorized: true, ALPNProtocols: ['http/1.1'],
      })).once('secureConnect', () => wake(id, ''));
    } catch (error) { socket.destroy(); fail(id, error); }
  };

  const open = (id, to) => {
    running.set(id, () => {});
    if (!permitted?.has(`${to.host} ${to.port}`)) {
      fail(id, coded('APP_FORBIDDEN', `${to.host}:${to.port} was not named beforehand`));
      return;
    }
    const socket = hold(id, id, require('node:net').connect({ host: to.host, port: to.port, noDelay: true }));
    socket.once('connect', () => { if (to.tls === 'tls') secure(id, id, to, socket); else wake(id, ''); });
    if (!to.tls) return;
    // TLS takes up to 25 ms to get ready, which pass while the connection comes about. What fails here
    // fails again, and is told, when it is needed.
    const prepare = () => { try { trusting(to.ca); } catch {} };
    socket.once('connectionAttempt', () => setImmediate(prepare));
  };

  const host = {
    now: () => Date.now(),
    monotonic: () => Number(process.hrtime.bigint()) / 1e6,
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
    open: (id, at, length) => open(id, hop(at, length)),
    secure: (id, number, at, length) => {
      running.set(id, () => {});
      secure(id, number, hop(at, length), streams.get(number).socket);
    },
    write: (number, at, length) => {
      // What is on its way may still come; nothing new is asked for a job that is over.
      if (stopped && !phase) process.exit(stopped);
      streams.get(number)?.socket.write(Buffer.from(bytes(at, length)));
      if (!endured) endure();
    },
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
      const timer = milliseconds ? setTimeout(() => wake(id, ''), milliseconds) : setImmediate(() => wake(id, ''));
      running.set(id, () => (milliseconds ? clearTimeout : clearImmediate)(timer));
    },
    cancel: (id) => {
      running.get(id)?.();
      running.delete(id);
      answers.delete(id);
    },
    take: (id, at) => { answers.get(id)?.copy(bytes(at)); answers.delete(id); },
    exit: (status) => process.exit(stopped || status),
  };

  process.once('beforeExit', () => lost('it waits for something that never comes'));
  guard(() => {
    const wasm = new WebAssembly.Module(fs.readFileSync(path.join(__dirname, 'app_token.wasm')));
    module = new WebAssembly.Instance(wasm, { host }).exports;
    let environment = '';
    for (const name in process.env) {
      const value = (/^(?:INPUT|STATE)_/.test(name) || VISIBLE.has(name)) && process.env[name];
      if (value) environment += `${name}=${value}\0`;
    }
    module.start(phase, put(0, environment));
  });
};

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
const BODY_LIMIT = 1024 * 1024;

module.exports = (phase) => {
  const answers = new Map(); // id -> bytes that the module has yet to take
  const running = new Map(); // id -> how to give it up
  const ahead = new Map(); // origin -> connections opened ahead of need
  const agents = new Map(); // origin -> agent, which keeps its connections open
  const contexts = new Map(); // names of files -> what they make Node trust
  let permitted; // the origins that may be reached, named once by the module
  let module;

  const bytes = (at, length) => Buffer.from(module.memory.buffer, at, length);
  const text = (at, length) => bytes(at, length).toString();
  const put = (id, value) => { answers.set(id, Buffer.from(value)); return answers.get(id).length; };
  const wake = (id, value) => { if (running.delete(id)) guard(() => module.wake(id, put(id, value))); };
  // The module tells of its own panics before it traps; whatever else ends it must be told here.
  const guard = (work) => {
    try { work(); } catch (error) {
      if (process.exitCode === undefined) fs.writeSync(1, `::${phase ? 'warning' : 'error'}::app_token.wasm could not run: ${error.message}\n`);
      host.exit(phase ? 0 : 1);
    }
  };
  const coded = (code, message) => Object.assign(new Error(message), { code });

  const key = ({ secure, authority }) => `${secure ? 'https' : 'http'}://${authority}`;

  // Node's own certificates and those in these files. Read and parsed once: there are many.
  const trusting = (tls, files) => {
    const name = files.join(', ');
    if (!contexts.has(name)) {
      try {
        const ca = [...tls.rootCertificates, ...files.map((file) => fs.readFileSync(file, 'utf8'))];
        contexts.set(name, tls.createSecureContext({ ca }));
      } catch (error) { throw coded('APP_CA', `${name}: ${error.message}`); }
    }
    return contexts.get(name);
  };

  // One connection, through the proxy if there is one; TLS is spoken to the end.
  const open = async (target) => {
    const { secure, host, port, authority, proxy, ca } = target;
    for (const to of proxy ? [target, proxy] : [target]) {
      if (!permitted?.has(key(to))) throw coded('APP_FORBIDDEN', `${key(to)} was not named beforehand`);
    }
    const tls = secure || proxy?.secure ? require('node:tls') : null;
    const net = require('node:net');
    const secureContext = tls && ca.length ? trusting(tls, ca) : undefined;
    const dial = (to, over) => new Promise((resolve, reject) => {
      const servername = net.isIP(to.host) ? undefined : to.host;
      const options = { host: to.host, port: to.port, noDelay: true };
      const socket = to.secure
        ? tls.connect({ ...(over ? { socket: over } : options), host: to.host, servername, secureContext })
        : over ?? net.connect(options);
      if (!to.secure && over) return resolve(socket);
      socket.once('error', reject);
      socket.once(to.secure ? 'secureConnect' : 'connect', () => { socket.off('error', reject); resolve(socket); });
    });
    if (!proxy) return dial({ secure, host, port });
    const tunnel = await dial(proxy);
    const end = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    await new Promise((resolve, reject) => {
      const headers = { host: end, ...(proxy.authorization && { 'proxy-authorization': proxy.authorization }) };
      const request = require('node:http')
        .request({ method: 'CONNECT', path: end, headers, agent: false, createConnection: () => tunnel });
      request.once('error', reject);
      request.once('connect', ({ statusCode, statusMessage }) => statusCode === 200 ? resolve()
        : (tunnel.destroy(), reject(coded('APP_PROXY', `the proxy says ${statusCode} ${statusMessage}`))));
      request.end();
    });
    return dial({ secure, host, port }, tunnel);
  };

  const agentFor = (target) => {
    let agent = agents.get(key(target));
    if (!agent) {
      agent = new (require('node:http').Agent)({ keepAlive: true });
      agent.createConnection = (_, done) => {
        (ahead.get(key(target))?.shift() ?? open(target)).then((socket) => done(null, socket), done);
      };
      agents.set(key(target), agent);
    }
    return agent;
  };

  const host = {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    random: (at, length) => { require('node:crypto').randomFillSync(bytes(at, length)); },
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
      if (permitted) throw new Error('the origins are named already');
      permitted = new Set(text(at, length).split('\n'));
    },
    connect: (at, length) => {
      const target = JSON.parse(text(at, length));
      const socket = open(target);
      socket.catch(() => {});
      ahead.set(key(target), [...(ahead.get(key(target)) ?? []), socket]);
    },
    send: (id, at, length) => {
      const { method, path, headers, body, ...target } = JSON.parse(text(at, length));
      const fail = ({ code, message }) => reply({ code: String(code), message: message || String(code) });
      const reply = (head, chunks = []) => {
        const start = Buffer.from(JSON.stringify(head));
        const size = Buffer.alloc(4);
        size.writeUInt32LE(start.length);
        wake(id, Buffer.concat([size, start, ...chunks]));
      };
      const request = require('node:http').request({
        method, path, agent: agentFor(target), host: target.host, port: target.port,
        headers: { host: target.authority, ...headers, ...(body && { 'content-length': Buffer.byteLength(body) }) },
      });
      running.set(id, () => request.destroy());
      request.on('error', fail);
      request.on('response', (response) => {
        const chunks = [];
        let size = 0;
        response.on('data', (chunk) => {
          chunks.push(chunk);
          if ((size += chunk.length) > BODY_LIMIT) {
            fail(coded('APP_TOO_LARGE', ''));
            request.destroy();
          }
        });
        response.on('error', fail);
        response.on('close', () => fail(coded('ECONNRESET', 'the connection broke before the answer was whole')));
        response.on('end', () => response.complete
          && reply({ status: response.statusCode, headers: pairs(response.rawHeaders) }, chunks));
      });
      request.end(body);
    },
    sleep: (id, milliseconds) => {
      const timer = setTimeout(() => wake(id, ''), milliseconds);
      running.set(id, () => clearTimeout(timer));
    },
    cancel: (id) => {
      const stop = running.get(id);
      running.delete(id);
      answers.delete(id);
      stop?.();
    },
    take: (id, at) => { answers.get(id)?.copy(bytes(at)); answers.delete(id); },
    exit: (status) => {
      process.exitCode = status;
      for (const stop of running.values()) stop();
      running.clear();
      for (const agent of agents.values()) agent.destroy();
      for (const sockets of ahead.values()) for (const socket of sockets) socket.then((it) => it.destroy(), () => {});
    },
  };

  guard(() => {
    const wasm = new WebAssembly.Module(fs.readFileSync(path.join(__dirname, 'app_token.wasm')));
    module = new WebAssembly.Instance(wasm, { host }).exports;
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => VISIBLE.test(name)));
    module.start(phase, put(0, JSON.stringify(environment)));
  });
};

const pairs = (raw) => raw.flatMap((name, at) => (at % 2 ? [] : [[name.toLowerCase(), raw[at + 1]]]));

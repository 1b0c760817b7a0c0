/*
 * The six push calls of a plugin SDK, by way of a running pushcron.
 *
 * Put this file beside your plugin and change the import:
 *
 *     const { push, pushImage } = require('./pushcron.js');
 *
 *     const count = await push('qq', '123456', '', 'Note', 'Disk almost full', { account_id: 'bot' }, 8000);
 *
 * Where the daemon listens and the token (`pushcron web token NAME --scope push` makes one) are in the environment,
 * PUSHCRON_URL and PUSHCRON_TOKEN, or are said once:
 *
 *     require('./pushcron.js').configure({ url: 'http://127.0.0.1:8600', token: 'pcron_push_...' });
 *
 * An address may be that of a proxy (https://push.example.org/cron) or of the daemon's socket (unix:/run/pushcron/web.sock),
 * which wants no token of its own users.
 *
 * A call is a promise. It gives 1 where the platform said that the message is sent, and 0 where it ended otherwise without an
 * error, as one that somebody cancelled. Everything else is thrown:
 *
 *     PushError   it was refused, or it ended with an adapter's error, and pushcron tries no more
 *     StillOpen   it is recorded, and not at its end yet: pushcron goes on with it, so do not push it again
 *     NoAnswer    nobody answered within `patience`; it may be recorded
 *
 * A connection that breaks is tried again with the same Idempotency-Key, so that a message is never pushed twice. To repeat a
 * call yourself, also in another process, give it a key of your own as the last argument: push(..., { key: 'order-7' }).
 *
 * Node 14 or later, its own modules alone. In a package of `"type": "module"` call it pushcron.cjs.
 * Licence: MIT OR Apache-2.0, as pushcron.
 */
'use strict';

const crypto = require('crypto');
const http = require('http');
const https = require('https');

// The daemon is too busy, or a proxy lost it: the same again may do, and the key keeps it from being done twice.
const TRY_AGAIN = [429, 502, 503, 504];
const LONGEST_REST = 8000;

/** Why nothing was sent. What is not known is null. */
class PushError extends Error {
  constructor(text, { status = null, answer = {}, key = null } = {}) {
    super(text);
    this.name = new.target.name;
    this.status = status;
    this.push_id = orNull(answer.push_id);
    this.state = orNull(answer.state);
    this.error = orNull(answer.error);
    this.reason = orNull(answer.reason);
    // All that is wrong with the call, each with `pointer`, `detail` and `hint`.
    this.errors = answer.errors || [];
    this.key = key;
  }
}

/** It is recorded, and not at its end yet. pushcron goes on with it. */
class StillOpen extends PushError {}

/** Nobody answered. The same call with the same `key` finds out. */
class NoAnswer extends PushError {}

/**
 * One daemon. `wait` is for how long it is asked to wait for the end of a push, in milliseconds (at most 120000; 0: not at all,
 * and a call gives 0 once the push is recorded). `patience` is for how many milliseconds an answer is sought where the daemon is
 * away or too busy.
 */
class Client {
  constructor({ url, token, wait = 60000, patience = 60000 } = {}) {
    this.url = url || process.env.PUSHCRON_URL || 'http://127.0.0.1:8600';
    this.token = token || process.env.PUSHCRON_TOKEN;
    this.wait = wait;
    this.patience = patience;
  }

  push(imType, groupCode, userID, title, content, options, timeout, more) {
    return this.call('push', { imType, groupCode, userID, title, content, options, timeout }, more);
  }

  pushImage(imType, groupCode, userID, title, imageUrl, options, timeout, more) {
    return this.call('pushImage', { imType, groupCode, userID, title, imageUrl, options, timeout }, more);
  }

  pushVoice(imType, groupCode, userID, title, voiceUrl, options, timeout, more) {
    return this.call('pushVoice', { imType, groupCode, userID, title, voiceUrl, options, timeout }, more);
  }

  pushVideo(imType, groupCode, userID, title, videoUrl, options, timeout, more) {
    return this.call('pushVideo', { imType, groupCode, userID, title, videoUrl, options, timeout }, more);
  }

  pushFile(imType, groupCode, userID, title, fileUrl, options, timeout, more) {
    return this.call('pushFile', { imType, groupCode, userID, title, fileUrl, options, timeout }, more);
  }

  pushMixed(imType, groupCode, userID, title, items, options, timeout, more) {
    return this.call('pushMixed', { imType, groupCode, userID, title, items, options, timeout }, more);
  }

  async call(call, said, more) {
    const body = JSON.stringify({ ...said, wait: this.wait });
    const key = (more && more.key) || crypto.randomBytes(16).toString('hex');
    const { status, answer } = await this.answered(`/api/${call}`, body, key);
    const about = { status, answer, key };
    if (status === 202 && this.wait) {
      const why = answer.error || answer.reason;
      throw new StillOpen(
        `push ${answer.push_id} is recorded and still ${answer.state || 'open'}${why ? ` (${why})` : ''}: pushcron goes on with it`,
        about,
      );
    }
    if (status !== 200 && status !== 202) {
      throw new PushError(refusal(status, answer), about);
    }
    // One that is cancelled before it failed is all that ends without being sent and without an error.
    if (!answer.count && status === 200 && (answer.error || answer.state !== 'cancelled')) {
      const why = answer.error || answer.reason || 'nobody knows why';
      throw new PushError(`push ${answer.push_id} is ${answer.state || 'gone'}: ${why}`, about);
    }
    return answer.count || 0;
  }

  /** The status and the JSON of an answer, sought until patience is over. */
  async answered(path, body, key) {
    const until = Date.now() + this.patience;
    let rest = 250;
    for (;;) {
      let found = null;
      let broken = null;
      try {
        found = await this.once(path, body, key);
      } catch (error) {
        // A slip in the address stays one, however often it is tried.
        if (!error.code) throw error;
        broken = error;
      }
      if (found && !TRY_AGAIN.includes(found.status)) return found;
      if (found) rest = Math.max(rest, found.retryAfter);
      if (Date.now() + rest > until) {
        if (found) return found;
        throw new NoAnswer(`no answer from ${this.url}: ${broken.message || broken.code}; the push may be recorded`, { key });
      }
      await new Promise((resolve) => setTimeout(resolve, rest));
      rest = Math.min(rest * 2, LONGEST_REST);
    }
  }

  once(path, body, key) {
    const { send, where } = this.place(path);
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'Idempotency-Key': key,
      'User-Agent': 'pushcron.js',
    };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    return new Promise((resolve, reject) => {
      const request = send({ ...where, method: 'POST', headers, agent: false }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('aborted', () => reject(cut('the connection broke off within the answer')));
        response.on('end', () => {
          const seconds = Number(response.headers['retry-after']);
          const status = response.statusCode;
          const answer = read(Buffer.concat(chunks).toString('utf8'));
          if ((status === 200 || status === 202) && answer.count === undefined) {
            reject(cut('the answer is not whole, or none of pushcron'));
            return;
          }
          resolve({ status, answer, retryAfter: Number.isFinite(seconds) ? seconds * 1000 : 0 });
        });
      });
      // Longer than the daemon waits, so that it is the daemon who tells that the end has not come.
      request.setTimeout(this.wait + 30000, () => request.destroy(cut('it took too long')));
      request.on('error', reject);
      request.end(body);
    });
  }

  place(path) {
    if (this.url.startsWith('unix:')) {
      return { send: http.request, where: { socketPath: this.url.slice('unix:'.length), path, host: 'localhost' } };
    }
    let url;
    try {
      url = new URL(this.url);
    } catch (_) {
      url = { protocol: '' };
    }
    const sends = { 'http:': http.request, 'https:': https.request };
    if (!sends[url.protocol]) {
      throw new TypeError(`pushcron: expected http://, https:// or unix:/ in PUSHCRON_URL, got '${this.url}'`);
    }
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const where = { host, port: url.port || undefined, path: url.pathname.replace(/\/+$/, '') + path };
    return { send: sends[url.protocol], where };
  }
}

function orNull(value) {
  return value === undefined ? null : value;
}

function cut(text) {
  return Object.assign(new Error(text), { code: 'ECONNRESET' });
}

function read(text) {
  try {
    const answer = JSON.parse(text);
    return answer && typeof answer === 'object' ? answer : {};
  } catch (_) {
    return { detail: text.slice(0, 200).trim() };
  }
}

function refusal(status, answer) {
  const told = answer.detail || `HTTP ${status}`;
  const errors = answer.errors || [];
  const more = errors.map((error) => error.detail).filter((detail) => detail !== told);
  const hints = errors.map((error) => error.hint);
  return `HTTP ${status}: ${[told, ...more, ...hints].filter(Boolean).join('; ')}`;
}

let standing = null;

/** Says which daemon the calls of this module go to; what is not said is as for Client. */
function configure(options) {
  standing = new Client(options);
}

function client() {
  standing = standing || new Client();
  return standing;
}

const push = (...said) => client().push(...said);
const pushImage = (...said) => client().pushImage(...said);
const pushVoice = (...said) => client().pushVoice(...said);
const pushVideo = (...said) => client().pushVideo(...said);
const pushFile = (...said) => client().pushFile(...said);
const pushMixed = (...said) => client().pushMixed(...said);

module.exports = { push, pushImage, pushVoice, pushVideo, pushFile, pushMixed, configure, Client, PushError, StillOpen, NoAnswer };

// Who may sign in, with what: a password and an app.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { verifySync } from '@node-rs/argon2';

const BY_ID = 'SELECT id, name, email, seed, last_step FROM person WHERE id = $1';
const BY_NAME = 'SELECT id, password_hash FROM person WHERE username = $1';
const STEP = 'UPDATE person SET last_step = $2 WHERE id = $1 AND last_step < $2';

export class People {
  #db;

  #hashing;

  constructor(db, hashing) {
    this.#db = db;
    this.#hashing = hashing;
  }

  async find(id) {
    const { rows: [person] } = await this.#db.run('person', BY_ID, [id]);
    return person;
  }

  /** Whose password this is, or undefined. */
  async knows(username, password) {
    const { rows: [person] } = await this.#db.run('username', BY_NAME, [username]);
    return person && await this.#hashing.verify(person.password_hash, password) ? person.id : undefined;
  }

  /** True once for each code of the app. */
  async proves(id, code) {
    const person = await this.find(id);
    const now = Math.floor(Date.now() / 30_000);
    const step = [now, now - 1, now + 1].find((each) => matches(person.seed, each, code));
    if (step === undefined) return false;
    const { rowCount } = await this.#db.run('step', STEP, [id, step]);
    return rowCount === 1;
  }
}

// RFC 6238 4.2, RFC 4226 5.3
function matches(seed, step, code) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', seed).update(counter).digest();
  const right = String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1e6).padStart(6, '0');
  return code.length === 6 && timingSafeEqual(Buffer.from(code), Buffer.from(right));
}

/** argon2id on a thread of its own, whose processor time can then be told from everything else. */
export class Hashing {
  #worker = new Worker(new URL(import.meta.url));

  #waiting = new Map();

  #last = 0;

  /** The id of the thread. */
  async start() {
    const thread = await new Promise((resolve) => { this.#worker.once('message', resolve); });
    this.#worker.on('message', ([number, right]) => {
      this.#waiting.get(number)(right);
      this.#waiting.delete(number);
    });
    return thread;
  }

  verify(hash, password) {
    this.#last += 1;
    this.#worker.postMessage([this.#last, hash, password]);
    return new Promise((resolve) => { this.#waiting.set(this.#last, resolve); });
  }
}

if (!isMainThread) {
  parentPort.postMessage(Number(readlinkSync('/proc/thread-self').split('/')[2]));
  parentPort.on('message', ([number, hash, password]) => {
    parentPort.postMessage([number, verifySync(hash, password)]);
  });
}
